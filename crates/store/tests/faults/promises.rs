//! All that a child answered, to hold the store to its word.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use northgate_core::admit::Caller;
use northgate_core::app_id::AppId;
use northgate_core::refresh::{How, Refresh, RefreshError, Refusal};
use northgate_core::secret::SecretText;
use northgate_core::verify::VerifyError;

use super::child::{Answer, Child, Gone};
use super::house::{BEGINNING, HERE, House};

/// A pair as it was handed out.
#[derive(Clone, Debug)]
pub struct Pair {
    pub access: String,
    pub refresh: String,
}

/// Logged-out grants that a campaign looks at again and again.
const LOGGED_OUT: usize = 20;

#[derive(Default)]
pub struct Promises {
    secret: Option<String>,
    /// Of each grant, the pairs handed out, the last one last.
    chains: Vec<Vec<Pair>>,
    logged_out: Vec<Pair>,
}

impl Promises {
    pub fn create(&mut self, child: &mut Child) -> Result<(), Gone> {
        let answer = child.ask(&["create"])?;
        assert_eq!(answer[0], "created");
        self.secret = Some(answer[1].clone());
        Ok(())
    }

    /// Opens the next grant.
    pub fn login(&mut self, child: &mut Child) -> Result<(), Gone> {
        let answer = self.try_login(child)?;
        self.chains.push(vec![pair(&answer)]);
        Ok(())
    }

    pub fn try_login(&self, child: &mut Child) -> Result<Answer, Gone> {
        child.ask(&["login", self.secret()])
    }

    /// Refreshes the grant.
    pub fn refresh(&mut self, child: &mut Child, grant: usize) -> Result<(), Gone> {
        let answer = self.try_refresh(child, grant)?;
        self.chains[grant].push(pair(&answer));
        Ok(())
    }

    /// Notes an answer of [`Promises::try_refresh`].
    pub fn keep(&mut self, grant: usize, answer: &Answer) {
        self.chains[grant].push(pair(answer));
    }

    pub fn try_refresh(&self, child: &mut Child, grant: usize) -> Result<Answer, Gone> {
        self.present(child, &self.last(grant).refresh)
    }

    /// Presents any refresh token.
    pub fn present(&self, child: &mut Child, token: &str) -> Result<Answer, Gone> {
        child.ask(&["refresh", self.secret(), token])
    }

    pub fn logout(&mut self, child: &mut Child, grant: usize) -> Result<(), Gone> {
        // Asked and not answered, it may have happened; then the chain is in doubt.
        let chain = self.chains.remove(grant);
        let last = chain.last().unwrap().clone();
        assert_eq!(child.ask(&["logout", &last.access])?, ["done"]);
        self.logged_out.push(last);
        Ok(())
    }

    pub fn last(&self, grant: usize) -> &Pair {
        self.chains[grant].last().unwrap()
    }

    pub fn before_last(&self, grant: usize) -> &Pair {
        let chain = &self.chains[grant];
        &chain[chain.len() - 2]
    }

    fn secret(&self) -> &str {
        self.secret.as_deref().unwrap()
    }

    /// The number of grants that are not logged out.
    pub fn grants(&self) -> usize {
        self.chains.len()
    }

    /// Creates the application, unless that was answered before. Created and not answered, it gets another secret.
    pub fn ensure(&mut self, child: &mut Child) -> Result<(), Gone> {
        if self.secret.is_none() {
            let answer = child.ask(&["create"])?;
            let answer = if answer[0] == "created" { answer } else { child.ask(&["secret"])? };
            self.secret = Some(answer[1].clone());
        }
        Ok(())
    }

    /// Checks that all of it holds, through the child, and goes on from there: each chain has moved by one.
    pub fn hold(&mut self, child: &mut Child) -> Result<(), Gone> {
        for grant in 0..self.chains.len() {
            if self.chains[grant].len() > 1 {
                let answer = self.present(child, &self.before_last(grant).refresh)?;
                match answer[0].as_str() {
                    "pair" => assert_eq!(answer[2], self.last(grant).refresh, "the chain forked"),
                    // The refresh that was asked last was not answered, and yet happened.
                    _ => assert_eq!(answer[0], "refused", "{answer:?}"),
                }
            }
            self.refresh(child, grant)?;
            let kept = self.chains[grant].len().saturating_sub(2);
            self.chains[grant].drain(..kept);
            assert_eq!(child.ask(&["verify", &self.last(grant).access])?, ["good"]);
        }
        let kept = self.logged_out.len().saturating_sub(LOGGED_OUT);
        self.logged_out.drain(..kept);
        for pair in &self.logged_out {
            assert_eq!(child.ask(&["verify", &pair.access])?[0], "bad");
            assert_eq!(self.present(child, &pair.refresh)?[0], "refused");
        }
        Ok(())
    }

    /// All of it as lines.
    pub fn text(&self) -> String {
        let pairs = |chain: &[Pair]| {
            let words = chain.iter().map(|pair| format!("{} {}", pair.access, pair.refresh));
            words.collect::<Vec<_>>().join(" ")
        };
        let secret = self.secret.clone().unwrap_or_default();
        let chains = self.chains.iter().map(|chain| format!("chain {}", pairs(chain)));
        let lines = [format!("secret {secret}"), format!("out {}", pairs(&self.logged_out))];
        lines.into_iter().chain(chains).collect::<Vec<_>>().join("\n")
    }

    /// The opposite of [`Promises::text`].
    pub fn parse<'l>(lines: impl Iterator<Item = &'l str>) -> Promises {
        let mut promises = Promises::default();
        for line in lines {
            let words: Vec<&str> = line.split_whitespace().collect();
            let pair = |pair: &[&str]| Pair { access: pair[0].to_owned(), refresh: pair[1].to_owned() };
            let pairs = words[1..].chunks_exact(2).map(pair);
            match words[0] {
                "secret" => promises.secret = words.get(1).map(|&secret| secret.to_owned()),
                "out" => promises.logged_out = pairs.collect(),
                _ => promises.chains.push(pairs.collect()),
            }
        }
        promises
    }

    /// Opens the store as it is now, and checks that all of it holds.
    pub async fn check(&self, data_dir: &Path) {
        // Within the retry window.
        let house = House::open(data_dir, Arc::new(AtomicU64::new(BEGINNING + 30_000))).unwrap();
        let Some(secret) = &self.secret else { return };
        let (app, secret) = (AppId::parse("app").unwrap(), SecretText::parse(secret).unwrap());
        let present = async |token: &str| {
            house.auth.refresh(&Caller::with_secret(&app, &secret, HERE), token, house.now()).await.map(told)
        };
        for chain in &self.chains {
            let (last, before) = chain.split_last().unwrap();
            if let Some(before) = before.last() {
                match present(&before.refresh).await {
                    Ok(successor) => assert_eq!(successor, last.refresh, "the chain forked"),
                    // The refresh that was asked last was not answered, and yet happened.
                    Err(RefreshError::Refused(Refusal::Reused { presented, current, .. })) => {
                        assert_eq!(current, presented + 2);
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            let successor = present(&last.refresh).await.unwrap();
            assert_eq!(present(&last.refresh).await.unwrap(), successor, "the chain forked");
            assert!(house.auth.verify(Some(&app), &last.access, None, &[], house.now()).is_ok());
        }
        for pair in &self.logged_out {
            let refused = house.auth.verify(Some(&app), &pair.access, None, &[], house.now()).map(drop);
            assert_eq!(refused, Err(VerifyError::Revoked));
            let refused = present(&pair.refresh).await;
            assert!(matches!(refused, Err(RefreshError::Refused(Refusal::Closed))));
        }
    }
}

fn told(refresh: Refresh) -> String {
    // A grant that is behind its token catches up, which is good for its owner and tells us that a commit was lost.
    assert!(!matches!(refresh.how, How::CaughtUp { .. }), "{:?}", refresh.how);
    refresh.pair.refresh_token
}

fn pair(answer: &Answer) -> Pair {
    assert_eq!(answer[0], "pair", "{answer:?}");
    Pair { access: answer[1].clone(), refresh: answer[2].clone() }
}

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

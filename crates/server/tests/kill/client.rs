//! A client as the retry rule wants it: it goes on from the last pair it was given, and asks again what was not answered.

use std::sync::Arc;

use super::chains::Chains;
use super::server::{Calls, Demo, Unanswered};
use northgate_testkit::chance::Chance;

#[derive(Clone)]
pub struct Pair {
    pub access_token: String,
    pub refresh_token: String,
}

pub struct Client {
    demo: Demo,
    chains: Arc<Chains>,
    chance: Chance,
    pair: Option<Pair>,
    is_logging_out: bool,
}

impl Client {
    pub fn new(demo: Demo, chains: Arc<Chains>, chance: Chance) -> Client {
        Client { demo, chains, chance, pair: None, is_logging_out: false }
    }

    /// Works until the server is gone.
    pub async fn until_unanswered(mut self, calls: Calls) -> Client {
        while self.work(&calls).await.is_ok() {}
        self
    }

    /// Finishes what is open, and shows that the last pair is good.
    pub async fn settle(&mut self, calls: &Calls) {
        for _ in 0..3 {
            assert!(self.work(calls).await.is_ok(), "the server is there and must answer");
        }
    }

    async fn work(&mut self, calls: &Calls) -> Result<(), Unanswered> {
        let Some(pair) = self.pair.clone() else {
            self.pair = Some(self.keep(calls.login(&self.demo).await?));
            return Ok(());
        };
        self.is_logging_out |= self.chance.one_in(16);
        if self.is_logging_out {
            assert_eq!(calls.logout(&pair.access_token).await?, 204);
            self.chains.logged_out(pair);
            (self.pair, self.is_logging_out) = (None, false);
            return Ok(());
        }
        if self.chance.one_in(3) {
            // Two workers of the application at once: the answer of one may get through when the other's does not.
            let (one, other) = tokio::join!(
                calls.refresh(&self.demo, &pair.refresh_token),
                calls.refresh(&self.demo, &pair.refresh_token)
            );
            let (one, other) = (one.map(|answer| self.keep(answer)), other.map(|answer| self.keep(answer)));
            // The application may not know of the answer, and retries: then it must be the same.
            let is_known = self.chance.one_in(2);
            self.pair = one.or(other).ok().filter(|_| is_known).or(Some(pair));
            return Ok(());
        }
        self.pair = Some(self.keep(calls.refresh(&self.demo, &pair.refresh_token).await?));
        Ok(())
    }

    fn keep(&self, (status, body): (u16, String)) -> Pair {
        assert_eq!(status, 200, "{body}");
        let members: serde_json::Value = serde_json::from_str(&body).unwrap();
        let text = |name: &str| members[name].as_str().unwrap().to_owned();
        let pair = Pair { access_token: text("accessToken"), refresh_token: text("refreshToken") };
        self.chains.handed_out(&pair.refresh_token);
        pair
    }
}

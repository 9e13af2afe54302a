//! An application with the habits of real ones: it goes on from the last pair that it was given, asks again what was not
//! answered, and has two workers that know nothing of each other.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::calls::{Calls, Identity};
use super::history::{Answer, Deed, Pair};
use northgate_testkit::chance::Chance;

/// Live grants of an application: its logins soon reach them.
pub const MAX_GRANTS: u32 = 6;
/// Logins of other workers between two uses of its pair: with those of the operator they leave it a place.
const OTHERS: u32 = 3;
/// The longest pause between two deeds.
const PAUSE: Duration = Duration::from_millis(2_000);

pub struct Application {
    who: Identity,
    calls: Calls,
    chance: Chance,
    pair: Option<Pair>,
    is_logging_out: bool,
    /// The refresh token that it presented last.
    presented: Option<String>,
    /// Logins of workers that forget their pairs, since its own grant was used. A retry is no use: nothing is written.
    others: u32,
}

impl Application {
    pub fn new(who: Identity, calls: Calls, chance: Chance) -> Application {
        Application { who, calls, chance, pair: None, is_logging_out: false, presented: None, others: 0 }
    }

    /// Works until the stop flag is set.
    pub async fn live(mut self, stop: watch::Receiver<bool>) -> Application {
        while !*stop.borrow() {
            // Load pacing.
            sleep(self.chance.duration(PAUSE)).await;
            self.work().await;
        }
        self
    }

    /// Checks that its last pair is valid on every node and can be refreshed; if it is rejected, that its secret is valid.
    pub async fn settle(&mut self) {
        let Some(pair) = self.pair.clone() else { return self.log_in().await };
        if !self.is_logging_out {
            for node in 0..self.calls.nodes() {
                self.calls.verify(&self.who, &pair.access, node).await;
            }
            let answer = self.calls.ask(&self.who, Deed::Refresh(pair.refresh), false).await;
            if matches!(answer, Answer::Refused) {
                self.log_in().await;
            }
        }
    }

    async fn work(&mut self) {
        let Some(pair) = self.pair.clone() else { return self.log_in().await };
        if self.others < OTHERS && self.chance.one_in(3) {
            self.others += 1;
            self.calls.ask(&self.who, Deed::Login, self.chance.one_in(2)).await;
            return;
        }
        self.is_logging_out |= self.chance.one_in(24);
        if self.is_logging_out {
            let answer = self.calls.ask(&self.who, Deed::Logout(pair.access), false).await;
            if matches!(answer, Answer::Done) {
                (self.pair, self.is_logging_out) = (None, false);
            }
        } else if self.chance.one_in(3) {
            let node = (0..self.calls.nodes()).find(|_| self.chance.one_in(3)).unwrap_or(0);
            self.calls.verify(&self.who, &pair.access, node).await;
        } else if self.chance.one_in(4) {
            self.race(&pair).await;
        } else {
            self.refresh(&pair).await;
        }
    }

    async fn log_in(&mut self) {
        let answer = self.calls.ask(&self.who, Deed::Login, self.chance.one_in(4)).await;
        if let Answer::Pair(pair) = answer {
            (self.pair, self.others) = (Some(pair), 0);
        }
    }

    async fn refresh(&mut self, pair: &Pair) {
        let is_alone = self.chance.one_in(4);
        let answer = self.calls.ask(&self.who, Deed::Refresh(pair.refresh.clone()), is_alone).await;
        self.take(pair, &[answer]);
    }

    /// Two workers at once, and each has a connection of its own: mostly to different nodes.
    async fn race(&mut self, pair: &Pair) {
        let deed = || Deed::Refresh(pair.refresh.clone());
        let (one, other) =
            tokio::join!(self.calls.ask(&self.who, deed(), true), self.calls.ask(&self.who, deed(), true));
        self.take(pair, &[one, other]);
    }

    /// Continues from a response, or drops it as if it had been lost on the way. A rejected application logs in again.
    fn take(&mut self, presented: &Pair, answers: &[Answer]) {
        let token = Some(presented.refresh.text.clone());
        let is_retry = std::mem::replace(&mut self.presented, token.clone()) == token;
        if self.chance.one_in(8) {
            return;
        }
        for answer in answers {
            match answer {
                Answer::Pair(pair) => {
                    self.pair = Some(pair.clone());
                    self.others *= u32::from(is_retry);
                    return;
                }
                Answer::Refused => self.pair = None,
                Answer::Done
                | Answer::Frozen
                | Answer::Throttled
                | Answer::Away
                | Answer::Unanswered
                | Answer::Other(_) => {}
            }
        }
    }
}

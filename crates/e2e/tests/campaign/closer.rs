//! An application that closes more grants than are kept: each logout takes effect, also at the bound.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::calls::{Calls, Identity};
use super::checker::BOUND;
use super::history::{Answer, Deed, Pair, Token};

/// It has one live grant, so that the one before a login gave way.
pub const MAX_GRANTS: u32 = 1;
/// Closed grants that the nodes keep of an application: more than any other application of the campaign closes.
pub const CLOSED_GRANTS: usize = 40;
/// Of how many closes one is looked after on every node.
const LOOKED_AFTER: usize = 20;
/// The token of the grant that gave way is kept for the bound once in so many closes.
const SPARE: usize = 6;
/// Between two closes: the bound is reached in some seconds.
const PAUSE: Duration = Duration::from_millis(20);

pub struct Closer {
    who: Identity,
    calls: Calls,
    closes: usize,
    /// Tokens of grants that gave way.
    spare: Vec<Token>,
}

impl Closer {
    pub fn new(who: Identity, calls: Calls) -> Closer {
        Closer { who, calls, closes: 0, spare: Vec::new() }
    }

    /// Works until the stop flag is set.
    pub async fn live(mut self, stop: watch::Receiver<bool>) {
        let mut before = None;
        while !*stop.borrow() {
            // Load pacing.
            sleep(PAUSE).await;
            let now = self.log_in().await;
            if let (Some(before), Some(_)) = (before.take(), &now) {
                self.close(before).await;
            }
            before = now;
        }
    }

    /// At the bound no login succeeds until a close has ended everything.
    async fn log_in(&mut self) -> Option<Pair> {
        match self.calls.ask(&self.who, Deed::Login, false).await {
            Answer::Pair(pair) => Some(pair),
            Answer::Throttled => {
                if let Some(token) = self.spare.pop() {
                    self.calls.ask(&self.who, Deed::Logout(token), false).await;
                }
                None
            }
            Answer::Done
            | Answer::Frozen
            | Answer::Refused
            | Answer::Away
            | Answer::Unanswered
            | Answer::Other(_) => None,
        }
    }

    async fn close(&mut self, pair: Pair) {
        self.closes += 1;
        if self.closes.is_multiple_of(SPARE) {
            self.spare.push(pair.access);
            return;
        }
        let answer = self.calls.ask(&self.who, Deed::Logout(pair.access.clone()), false).await;
        if matches!(answer, Answer::Done) && self.closes % LOOKED_AFTER == 1 {
            // Part of the scenario: the checker takes an answer after the bound for a fault.
            sleep(2 * BOUND).await;
            for node in 0..self.calls.nodes() {
                self.calls.verify(&self.who, &pair.access, node).await;
            }
        }
    }
}

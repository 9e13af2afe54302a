//! The operator, who freezes applications and measures how soon every node knows, and the watch of the nodes' readiness.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, watch};
use tokio::time::sleep;

use super::calls::{Calls, Identity};
use super::history::{Answer, Deed, Pair};
use northgate_testkit::chance::Chance;

/// How often a node is asked, by the operator after a freeze and by the watch.
const ASK_EVERY: Duration = Duration::from_millis(25);
const WATCH_EVERY: Duration = Duration::from_millis(200);
/// How long a freeze is watched.
const WATCH_FREEZE: Duration = Duration::from_secs(4);

pub struct Operator {
    pub calls: Calls,
    pub chance: Chance,
    pub applications: Vec<Identity>,
    /// Held while an application is frozen, and by faults that lose writes: what is lost with them is to be repeated by the
    /// operator, which is not what this is about.
    pub turn: Arc<Mutex<()>>,
}

impl Operator {
    pub async fn work(mut self, stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            // Load pacing.
            sleep(self.chance.duration(Duration::from_secs(3))).await;
            let turn = Arc::clone(&self.turn);
            let _turn = turn.lock().await;
            let which = self.chance.below(self.applications.len());
            let who = self.applications[which].clone();
            if self.chance.one_in(4) {
                self.until_done(&who, &Deed::SetPolicy).await;
            } else if let Answer::Pair(pair) = self.calls.ask(&who, Deed::Login, true).await {
                self.until_done(&who, &Deed::Freeze).await;
                self.watch(&who, &pair).await;
                self.until_done(&who, &Deed::Unfreeze).await;
            }
        }
    }

    /// Asks one node after the other until one has done it.
    async fn until_done(&mut self, who: &Identity, deed: &Deed) {
        for node in (0..self.calls.nodes()).cycle().skip(self.chance.below(self.calls.nodes())) {
            if matches!(self.calls.operate(who, deed.clone(), node).await, Answer::Done) {
                return;
            }
            // Load pacing; it goes on until a fault of the campaign has ended, and the campaign has a deadline.
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Asks all nodes about a token until they refuse it.
    async fn watch(&self, who: &Identity, pair: &Pair) {
        let began = Instant::now();
        let watches = (0..self.calls.nodes()).map(|node| async move {
            while began.elapsed() < WATCH_FREEZE {
                if matches!(self.calls.verify(who, &pair.access, node).await, Answer::Refused) {
                    return;
                }
                // Load pacing: each answer is a record for the checker.
                sleep(ASK_EVERY).await;
            }
        });
        futures_util::future::join_all(watches).await;
    }
}

/// Asks a node whether it wants requests, as balancers do.
pub async fn watch_readiness(calls: Calls, node: usize, stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        calls.ready(node).await;
        // Load pacing.
        sleep(WATCH_EVERY).await;
    }
}

/// The latest that this process did something after it was due.
pub async fn measure_lateness(stop: watch::Receiver<bool>) -> Duration {
    const NAP: Duration = Duration::from_millis(20);
    let mut latest = Duration::ZERO;
    while !*stop.borrow() {
        let began = Instant::now();
        // The sleep itself is measured: how late this machine wakes a task.
        sleep(NAP).await;
        latest = latest.max(began.elapsed().saturating_sub(NAP));
    }
    latest
}

//! What is broken, in an order that a seed decides, and put right again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::task::block_in_place;
use tokio::time::{sleep, timeout};

use super::assertion_client::{AssertionClient, MAX_ASSERTIONS};
use super::calls::{Calls, Identity};
use super::databases::Databases;
use super::history::{Answer, Fault};
use super::house::{CLOCKS_MS, House};
use super::link::Mode;
use super::node::QUEUE;
use northgate_testkit::chance::Chance;

/// How long nodes may take to want requests again.
const RECOVERY: Duration = Duration::from_secs(60);
/// A third of them, at each node, is more than its queue takes of one application's logins.
const FLOOD: usize = 2 * QUEUE;
/// How long the client with assertions finds no room.
const FULL_FOR: Duration = Duration::from_secs(5);

pub struct Faults<'a> {
    pub house: &'a mut House,
    pub calls: &'a Calls,
    pub chance: Chance,
    /// The operator's.
    pub turn: Arc<Mutex<()>>,
    /// Logs in more often than a queue has room.
    pub flooding: Identity,
}

impl Faults<'_> {
    /// One of each kind, in any order.
    pub fn round(&mut self) -> Vec<Fault> {
        let mut node = || self.chance.below(3);
        let mut round = vec![
            Fault::KillNode(node()),
            Fault::CutNodeFromDatabase(node()),
            Fault::FailOver,
            Fault::StallNodeFromBalancer(node()),
            Fault::LoseWrites,
            Fault::StallNodeFromDatabase(node()),
            Fault::CutNodeFromBalancer(node()),
            Fault::CutReplication,
            Fault::StallReplication,
            Fault::ReadOnlyPrimary,
            Fault::RevokePrivilege,
            Fault::FewConnections,
            Fault::UnreadLog(node()),
            Fault::FillQueue(node()),
            Fault::SwitchOver,
            Fault::IsolatePrimary(node()),
            Fault::FillDisk,
            Fault::StepClock(node()),
            Fault::Upgrade,
        ];
        for last in (1..round.len()).rev() {
            round.swap(last, self.chance.below(last + 1));
        }
        round
    }

    /// Breaks it and puts it right; when this returns all nodes want requests again.
    pub async fn strike(&mut self, fault: Fault) {
        let begin = self.calls.history.now();
        match fault {
            Fault::KillNode(node) => {
                block_in_place(|| self.house.nodes[node].kill());
                self.pause().await;
                block_in_place(|| self.house.nodes[node].start());
            }
            Fault::CutNodeFromDatabase(node) => {
                self.hold(Mode::Cut, |house, mode| house.nodes[node].set_database_links(mode)).await
            }
            Fault::StallNodeFromDatabase(node) => {
                self.hold(Mode::Stall, |house, mode| house.nodes[node].set_database_links(mode)).await
            }
            Fault::CutNodeFromBalancer(node) => {
                self.hold(Mode::Cut, |house, mode| house.nodes[node].set_public_link(mode)).await
            }
            Fault::StallNodeFromBalancer(node) => {
                self.hold(Mode::Stall, |house, mode| house.nodes[node].set_public_link(mode)).await
            }
            Fault::CutReplication => {
                self.hold(Mode::Cut, |house, mode| house.databases.replication().set(mode)).await
            }
            Fault::StallReplication => {
                self.hold(Mode::Stall, |house, mode| house.databases.replication().set(mode)).await
            }
            Fault::ReadOnlyPrimary => self.restrict(Databases::set_read_only).await,
            Fault::RevokePrivilege => self.restrict(Databases::set_refused).await,
            Fault::FewConnections => self.restrict(Databases::set_short_of_connections).await,
            Fault::UnreadLog(node) => self.leave_log_unread(node).await,
            Fault::FillQueue(node) => self.fill_queue(node).await,
            Fault::FillDisk => self.fill_disk().await,
            Fault::StepClock(node) => {
                self.house.nodes[node].set_clock(opposite(CLOCKS_MS[node]));
                self.pause().await;
                self.house.nodes[node].set_clock(CLOCKS_MS[node]);
            }
            Fault::Upgrade => self.upgrade().await,
            Fault::SwitchOver => return self.switch_over(begin).await,
            Fault::IsolatePrimary(node) => return self.isolate_primary(node, begin).await,
            Fault::FillAssertions => unreachable!("it is how the client with assertions begins"),
            Fault::FailOver => return self.fail_over(fault, begin).await,
            Fault::LoseWrites => return self.lose_writes().await,
        }
        recover(self.calls).await;
        self.calls.history.add_trouble(fault, begin);
    }

    async fn hold(&mut self, mode: Mode, set: impl Fn(&House, Mode)) {
        set(self.house, mode);
        self.pause().await;
        set(self.house, Mode::Pass);
    }

    async fn restrict(&mut self, set: impl Fn(&Databases, bool)) {
        block_in_place(|| set(&self.house.databases, true));
        self.pause().await;
        block_in_place(|| set(&self.house.databases, false));
    }

    /// Nothing of the log is written, and the node neither waits for it while it serves nor when it stops.
    async fn leave_log_unread(&mut self, node: usize) {
        block_in_place(|| self.house.nodes[node].kill());
        let unread = self.house.nodes[node].start_with_unread_log();
        recover(self.calls).await;
        self.pause().await;
        block_in_place(|| self.house.nodes[node].stop());
        drop(unread);
        block_in_place(|| self.house.nodes[node].start());
    }

    /// The node holds what its queues have room for, and turns the rest away at once.
    async fn fill_queue(&mut self, node: usize) {
        self.house.nodes[node].set_database_links(Mode::Stall);
        self.calls.flood(&self.flooding, FLOOD).await;
        self.house.nodes[node].set_database_links(Mode::Pass);
    }

    /// The client begins with as many used assertions as the nodes remember. These expire soon, by each node's clock at another
    /// moment: when this returns, by all of them.
    pub async fn begin_full(&self, client: AssertionClient, stop: watch::Receiver<bool>) {
        let begin = self.calls.history.now();
        block_in_place(|| self.house.databases.fill_assertions(client.app_id(), MAX_ASSERTIONS, FULL_FOR));
        tokio::spawn(client.live(stop));
        // Part of the scenario: no condition shows that they have expired by every clock.
        sleep(FULL_FOR + Duration::from_secs(3)).await;
        self.calls.history.add_trouble(Fault::FillAssertions, begin);
    }

    /// The servers stop or refuse, as they do; room alone is what an operator gives them.
    async fn fill_disk(&mut self) {
        block_in_place(|| self.house.databases.volume().fill());
        self.pause().await;
        block_in_place(|| self.house.databases.volume().free());
        // A server that could not write its WAL ends itself, in a moment of its own.
        self.pause().await;
        block_in_place(|| self.house.databases.revive());
        block_in_place(|| self.house.databases.wait_for_standby(true));
    }

    /// One node after the other, as an operator does it: the next when the one before wants requests.
    async fn upgrade(&mut self) {
        for node in 0..self.house.nodes.len() {
            block_in_place(|| self.house.nodes[node].upgrade());
            recover(self.calls).await;
        }
    }

    /// The former primary stays, with all sessions that it has.
    async fn switch_over(&mut self, begin: Duration) {
        let databases = &mut self.house.databases;
        block_in_place(|| {
            databases.set_read_only(true);
            databases.until_standby_is_level();
            databases.promote();
            databases.set_read_only(false);
        });
        recover(self.calls).await;
        self.pause().await;
        recover(self.calls).await;
        self.calls.history.add_trouble(Fault::SwitchOver, begin);
        self.replace_former_primary();
    }

    /// A network that splits: on one side the primary and a node, on the other the standby and the rest. Later the sides see each
    /// other again, and both servers take writes.
    async fn isolate_primary(&mut self, node: usize, begin: Duration) {
        let turn = Arc::clone(&self.turn);
        // What an operator says on one side, the other cannot know.
        let _turn = turn.lock().await;
        let former = self.house.databases.primary();
        let cut = |house: &House, mode| {
            for (number, one) in house.nodes.iter().enumerate() {
                one.set_database_link(if number == node { 1 - former } else { former }, mode);
            }
        };
        cut(self.house, Mode::Cut);
        block_in_place(|| self.house.databases.promote());
        self.pause().await;
        cut(self.house, Mode::Pass);
        // A node whose database confirms no commit is not ready, until the former primary is fenced.
        let others: Vec<usize> = (0..self.calls.nodes()).filter(|other| *other != node).collect();
        until_ready(self.calls, &others).await;
        self.pause().await;
        self.replace_former_primary();
        recover(self.calls).await;
        self.calls.history.add_trouble(Fault::IsolatePrimary(node), begin);
    }

    fn replace_former_primary(&mut self) {
        block_in_place(|| {
            self.house.databases.end_former_primary();
            self.house.databases.bring_standby();
            self.house.databases.wait_for_standby(true);
        });
    }

    /// The primary is gone, and what it has answered is on the standby.
    async fn fail_over(&mut self, fault: Fault, begin: Duration) {
        block_in_place(|| self.house.databases.kill_primary());
        self.pause().await;
        block_in_place(|| self.house.databases.promote());
        recover(self.calls).await;
        self.calls.history.add_trouble(fault, begin);
        block_in_place(|| self.house.databases.bring_standby());
        block_in_place(|| self.house.databases.wait_for_standby(true));
    }

    /// The standby is behind, no commit waits for it, and then the primary is lost.
    async fn lose_writes(&mut self) {
        let turn = Arc::clone(&self.turn);
        let _turn = turn.lock().await;
        let begin = self.calls.history.now();
        block_in_place(|| self.house.databases.wait_for_standby(false));
        self.house.databases.replication().set(Mode::Stall);
        self.pause().await;
        self.fail_over(Fault::LoseWrites, begin).await;
    }

    /// The length of a fault, part of the scenario: 1 to 3 seconds.
    async fn pause(&mut self) {
        sleep(Duration::from_secs(1) + self.chance.duration(Duration::from_secs(2))).await;
    }
}

/// The clock at the other end of what the nodes' clocks differ by.
fn opposite(clock_ms: i64) -> i64 {
    let ends = [CLOCKS_MS.iter().min(), CLOCKS_MS.iter().max()].map(|end| *end.unwrap());
    if ends[1] - clock_ms > clock_ms - ends[0] { ends[1] } else { ends[0] }
}

/// Waits until all nodes want requests.
pub async fn recover(calls: &Calls) {
    until_ready(calls, &(0..calls.nodes()).collect::<Vec<_>>()).await;
}

async fn until_ready(calls: &Calls, nodes: &[usize]) {
    let recovered = async {
        for node in nodes {
            while !matches!(calls.ready(*node).await, Answer::Done) {
                // Not `eventually`: each question is a record for the checker, and `RECOVERY` is what is tested.
                sleep(Duration::from_millis(50)).await;
            }
        }
    };
    timeout(RECOVERY, recovered).await.expect("the nodes do not come back");
}

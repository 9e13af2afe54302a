//! What is broken, in an order that a seed decides, and put right again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::block_in_place;
use tokio::time::{sleep, timeout};

use super::calls::Calls;
use super::chance::Chance;
use super::databases::Databases;
use super::history::{Answer, Fault};
use super::house::House;
use super::link::Mode;

/// How long nodes may take to want requests again.
const RECOVERY: Duration = Duration::from_secs(60);

pub struct Faults<'a> {
    pub house: &'a mut House,
    pub calls: &'a Calls,
    pub chance: Chance,
    /// The operator's.
    pub turn: Arc<Mutex<()>>,
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
            Fault::FailOver => return self.fail_over(fault, begin).await,
            Fault::LoseWrites => return self.lose_writes().await,
        }
        self.recover().await;
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

    /// The primary is gone, and what it has answered is on the standby.
    async fn fail_over(&mut self, fault: Fault, begin: Duration) {
        block_in_place(|| self.house.databases.kill_primary());
        self.pause().await;
        block_in_place(|| self.house.databases.promote());
        self.recover().await;
        self.calls.history.add_trouble(fault, begin);
        block_in_place(|| self.house.databases.bring_standby());
        block_in_place(|| self.house.databases.wait_for_standby(true));
    }

    /// The standby is behind, nobody waits for it, and then the primary is gone.
    async fn lose_writes(&mut self) {
        let turn = Arc::clone(&self.turn);
        let _turn = turn.lock().await;
        let begin = self.calls.history.now();
        block_in_place(|| self.house.databases.wait_for_standby(false));
        self.house.databases.replication().set(Mode::Stall);
        self.pause().await;
        self.fail_over(Fault::LoseWrites, begin).await;
    }

    /// 1 to 3 seconds.
    async fn pause(&mut self) {
        sleep(Duration::from_secs(1) + self.chance.duration(Duration::from_secs(2))).await;
    }

    pub async fn recover(&self) {
        let recovered = async {
            for node in 0..self.calls.nodes() {
                while !matches!(self.calls.ready(node).await, Answer::Done) {
                    sleep(Duration::from_millis(50)).await;
                }
            }
        };
        timeout(RECOVERY, recovered).await.expect("the nodes do not come back");
    }
}

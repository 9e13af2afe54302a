//! Laws of an installation over Patroni: a switch-over and a failover under load break no promise.
//!
//! The applications, the operator and the checker are those of the campaign. Two nodes reach PostgreSQL directly, the third through
//! PgBouncer.

// A test that panics has said what is wrong; clippy knows that for test functions, not for what they lean on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]
// The campaign uses the rest.
#![allow(dead_code)]

#[path = "../campaign/application.rs"]
mod application;
#[path = "../campaign/assertion_client.rs"]
mod assertion_client;
#[path = "../campaign/calls.rs"]
mod calls;
#[path = "../campaign/checker.rs"]
mod checker;
#[path = "../campaign/closer.rs"]
mod closer;
mod cluster;
#[path = "../campaign/databases.rs"]
mod databases;
#[path = "../campaign/faults.rs"]
mod faults;
#[path = "../campaign/history.rs"]
mod history;
#[path = "../campaign/house.rs"]
mod house;
#[path = "../campaign/index.rs"]
mod index;
#[path = "../campaign/link.rs"]
mod link;
#[path = "../campaign/node.rs"]
mod node;
#[path = "../campaign/operator.rs"]
mod operator;
#[path = "../campaign/spans.rs"]
mod spans;
#[path = "../campaign/summary.rs"]
mod summary;
#[path = "../campaign/volume.rs"]
mod volume;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::task::{JoinSet, block_in_place};
use tokio::time::sleep;

use application::Application;
use calls::{Calls, Identity};
use cluster::Cluster;
use faults::recover;
use history::{Answer, Fault, History, Record};
use house::{Dir, House};
use northgate_testkit::chance::Chance;
use operator::{Operator, measure_lateness, watch_readiness};

const APPLICATIONS: usize = 40;
/// The number of the node behind PgBouncer.
const POOLED: usize = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_over_patroni_keep_every_promise_while_it_switches_over_and_fails_over() {
    // It fails where another test of this process was first, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let rounds = setting("NORTHGATE_PATRONI_ROUNDS").unwrap_or(1);
    let seed = setting("NORTHGATE_CAMPAIGN_SEED").unwrap_or(1);
    let dir = Dir::new();
    let cluster = Cluster::start(dir.path());
    let access = [0, 1, 2].map(|node| cluster.access(node == POOLED));
    let mut house = House::over(dir, cluster, access).await;
    let record = run(&mut house, rounds, seed).await;
    println!("{}", summary::summary(&record));
    let found = checker::violations(&record);
    assert!(found.is_empty(), "{} violations, the first: {:#?}", found.len(), &found[..found.len().min(10)]);
    assert_eq!(house.panics(), 0, "a node panicked");
    let pairs = record.events.iter().filter(|event| matches!(event.answer, Answer::Pair(_))).count();
    assert!(pairs > 10 * APPLICATIONS, "the applications hardly came to do anything");
}

fn setting(name: &str) -> Option<u64> {
    // A test has no configuration to take it from.
    #[allow(clippy::disallowed_methods)]
    let given = std::env::var(name).ok();
    given.map(|number| number.parse().unwrap())
}

async fn run(house: &mut House<Cluster>, rounds: u64, seed: u64) -> Record {
    let mut chance = Chance::of(seed);
    let history = Arc::new(History::new());
    let calls = Calls::new(house, Arc::clone(&history));
    recover(&calls).await;
    let applications = create(&calls).await;
    let (stop, stopped) = watch::channel(false);
    let mut living = JoinSet::new();
    for who in &applications {
        living.spawn(Application::new(who.clone(), calls.clone(), chance.fork()).live(stopped.clone()));
    }
    let turn = Arc::new(Mutex::new(()));
    let operator = Operator { calls: calls.clone(), chance: chance.fork(), applications, turn };
    let operator = tokio::spawn(operator.work(stopped.clone()));
    let lateness = tokio::spawn(measure_lateness(stopped.clone()));
    for node in 0..calls.nodes() {
        tokio::spawn(watch_readiness(calls.clone(), node, stopped.clone()));
    }
    for _ in 0..rounds {
        switch_over(house, &calls).await;
        fail_over(house, &calls).await;
    }
    sleep(checker::SETTLE).await;
    stop.send_replace(true);
    let applications = living.join_all().await;
    operator.await.unwrap();
    let late: Duration = lateness.await.unwrap();
    // What the operator did last is known everywhere.
    sleep(checker::BOUND + 3 * late).await;
    let quiet_from = history.now();
    let mut settling = JoinSet::new();
    for mut application in applications {
        settling.spawn(async move { application.settle().await });
    }
    settling.join_all().await;
    history.take_record(quiet_from, Duration::from_millis(250) + 3 * late, house.caught_up())
}

async fn switch_over(house: &House<Cluster>, calls: &Calls) {
    sleep(Duration::from_secs(2)).await;
    let begin = calls.history.now();
    let was = block_in_place(|| house.databases.primary());
    block_in_place(|| house.databases.switch_over());
    recover(calls).await;
    calls.history.add_trouble(Fault::SwitchOver, begin);
    block_in_place(|| house.databases.until_standby(was));
}

/// The primary's machine is lost, and comes back when the standby has taken its place.
async fn fail_over(house: &mut House<Cluster>, calls: &Calls) {
    sleep(Duration::from_secs(2)).await;
    let begin = calls.history.now();
    let lost = block_in_place(|| house.databases.kill_primary());
    recover(calls).await;
    calls.history.add_trouble(Fault::FailOver, begin);
    block_in_place(|| house.databases.bring_back(lost));
}

/// Known to all nodes when this returns.
async fn create(calls: &Calls) -> Vec<Identity> {
    let mut applications = Vec::new();
    for index in 0..APPLICATIONS {
        applications.push(calls.create_within(index, application::MAX_GRANTS).await);
    }
    sleep(2 * checker::BOUND).await;
    applications
}

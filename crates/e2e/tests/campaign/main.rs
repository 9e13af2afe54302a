//! Laws of an installation of many nodes: whatever is broken in it, in whatever order, no promise is.
//!
//! The short campaign runs with the other tests. A long one: `tests/campaign/run --seed 7 --minutes 10`.

// A test that panics has said what is wrong; clippy knows that for test functions, not for what they lean on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod application;
mod assertion_client;
mod calls;
mod checker;
mod closer;
mod databases;
mod faults;
mod forged;
mod grant_chain;
mod history;
mod house;
mod index;
mod linearizability;
mod link;
mod node;
mod operator;
mod spans;
mod summary;
mod volume;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use application::Application;
use assertion_client::AssertionClient;
use calls::{Calls, Identity};
use closer::Closer;
use faults::Faults;
use history::{Answer, Deed, Event, Fault, History, Record};
use house::House;
use northgate_testkit::chance::Chance;
use operator::{Operator, measure_lateness, watch_readiness};

const APPLICATIONS: usize = 120;
/// What the short one breaks, each once.
const SHORT: [Fault; 16] = [
    Fault::KillNode(1),
    Fault::CutNodeFromDatabase(0),
    Fault::FailOver,
    Fault::StallNodeFromBalancer(2),
    Fault::LoseWrites,
    Fault::CutReplication,
    Fault::ReadOnlyPrimary,
    Fault::RevokePrivilege,
    Fault::FewConnections,
    Fault::UnreadLog(2),
    Fault::FillQueue(1),
    Fault::SwitchOver,
    Fault::IsolatePrimary(1),
    Fault::FillDisk,
    Fault::StepClock(0),
    Fault::Upgrade,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_nodes_keep_every_promise_while_anything_between_them_is_broken() {
    // It fails where another test of this process was first, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let seed = setting("NORTHGATE_CAMPAIGN_SEED").unwrap_or(1);
    let minutes = setting("NORTHGATE_CAMPAIGN_MINUTES");
    let applications =
        setting("NORTHGATE_CAMPAIGN_APPLICATIONS").map_or(APPLICATIONS, |count| count as usize);
    let mut house = House::build().await;
    println!("seed {seed}, {applications} applications");
    let record = campaign(&mut house, seed, minutes, applications).await;
    println!("{}", summary::summary(&record));
    let found = checker::violations(&record);
    assert!(found.is_empty(), "{} violations, the first: {:#?}", found.len(), &found[..found.len().min(10)]);
    let (grants, operations) = linearizability::extent(&record);
    println!("{operations} operations on {grants} grants are looked at for an order that explains them");
    let unordered = linearizability::violations(&record);
    assert!(unordered.is_empty(), "the histories of these grants are not linearizable: {unordered:?}");
    assert!(grants > applications, "there was hardly a history to look at");
    assert_eq!(house.panics(), 0, "a node panicked");
    assert!(house.ended_all() > 0, "no application came to the bound of closed grants");
    assert!(house.turned_away() > 0, "no queue came to its bound");
    let is_full =
        |event: &Event| matches!((&event.deed, &event.answer), (Deed::Authenticate(_), Answer::Throttled));
    assert!(record.events.iter().any(is_full), "no client came to the bound of used assertions");
    let is_in = |event: &Event| matches!((&event.deed, &event.answer), (Deed::Authenticate(_), Answer::Done));
    assert!(record.events.iter().any(is_in), "no assertion was accepted");
    let pairs = record.events.iter().filter(|event| matches!(event.answer, Answer::Pair(_))).count();
    assert!(pairs > 10 * applications, "the applications hardly came to do anything");
}

fn setting(name: &str) -> Option<u64> {
    // A test has no configuration to take it from.
    #[allow(clippy::disallowed_methods)]
    let given = std::env::var(name).ok();
    given.map(|number| number.parse().unwrap())
}

async fn campaign(house: &mut House, seed: u64, minutes: Option<u64>, count: usize) -> Record {
    let mut chance = Chance::of(seed);
    let history = Arc::new(History::new());
    let calls = Calls::new(house, Arc::clone(&history));
    let turn = Arc::new(Mutex::new(()));
    faults::recover(&calls).await;
    let flooding = calls.create_within(count + 1, application::MAX_GRANTS).await;
    let mut faults =
        Faults { house, calls: &calls, chance: chance.fork(), turn: Arc::clone(&turn), flooding };
    let who = create(&calls, count).await;
    see_that_clocks_differ(&calls, &who[0]).await;

    let (stop, stopped) = watch::channel(false);
    let mut living = JoinSet::new();
    for who in &who {
        living.spawn(Application::new(who.clone(), calls.clone(), chance.fork()).live(stopped.clone()));
    }
    let closer = calls.create_within(count, closer::MAX_GRANTS).await;
    let asserting = calls.create_within(count + 2, application::MAX_GRANTS).await;
    let asserting = AssertionClient::register(asserting, calls.clone()).await;
    // The scenario begins when all nodes must know it.
    sleep(2 * checker::BOUND).await;
    tokio::spawn(Closer::new(closer, calls.clone()).live(stopped.clone()));
    let operator = Operator { calls: calls.clone(), chance: chance.fork(), applications: who, turn };
    let operator = tokio::spawn(operator.work(stopped.clone()));
    let lateness: JoinHandle<Duration> = tokio::spawn(measure_lateness(stopped.clone()));
    for node in 0..calls.nodes() {
        tokio::spawn(watch_readiness(calls.clone(), node, stopped.clone()));
    }

    faults.begin_full(asserting, stopped.clone()).await;
    break_things(&mut faults, minutes).await;
    // All that was broken is whole, and stays so.
    sleep(checker::SETTLE).await;
    stop.send_replace(true);
    let applications = living.join_all().await;
    operator.await.unwrap();
    let late = lateness.await.unwrap();
    // What the operator did last is known everywhere.
    sleep(checker::BOUND + 3 * late).await;
    let quiet_from = history.now();
    let mut settling = JoinSet::new();
    for mut application in applications {
        settling.spawn(async move { application.settle().await });
    }
    settling.join_all().await;
    // A node is late as often as this process is, on its way through several.
    history.take_record(quiet_from, Duration::from_millis(250) + 3 * late, house.caught_up())
}

async fn break_things(faults: &mut Faults<'_>, minutes: Option<u64>) {
    let Some(minutes) = minutes else {
        for fault in SHORT {
            // Load pacing, here and below: work goes on between two faults.
            sleep(Duration::from_secs(1)).await;
            faults.strike(fault).await;
        }
        return;
    };
    let end = faults.calls.history.now() + Duration::from_secs(60 * minutes);
    while faults.calls.history.now() < end {
        for fault in faults.round() {
            sleep(Duration::from_secs(1) + faults.chance.duration(Duration::from_secs(5))).await;
            println!("{:?}: {fault:?}", faults.calls.history.now());
            faults.strike(fault).await;
        }
    }
}

/// Known to all nodes when this returns.
async fn create(calls: &Calls, count: usize) -> Vec<Identity> {
    let mut creating = JoinSet::new();
    for index in 0..count {
        let calls = calls.clone();
        // So many at once may be too many.
        creating.spawn(async move { calls.create_within(index, application::MAX_GRANTS).await });
    }
    let mut who = creating.join_all().await;
    who.sort_by_key(|who| who.index);
    // Load pacing: the bound within which all nodes must know them.
    sleep(2 * checker::BOUND).await;
    who
}

/// The nodes' clocks are off by seconds, or this would prove less than it says.
async fn see_that_clocks_differ(calls: &Calls, who: &Identity) {
    let (mut earliest, mut latest) = (u64::MAX, 0);
    // The balancer gives each of them its turn.
    for _ in 0..2 * calls.nodes() {
        let answer = calls.ask(who, Deed::Login, true).await;
        let Answer::Pair(pair) = answer else { panic!("no login: {answer:?}") };
        (earliest, latest) = (earliest.min(pair.access.issued_at_ms), latest.max(pair.access.issued_at_ms));
    }
    assert!(latest > earliest + 4_000, "the clocks of the nodes do not differ");
}

//! Interleaving tests of the commit path: the real rules, store, queue and batch, over a commit that takes its time and sometimes
//! fails. shuttle chooses the thread that runs at each lock, wait and answer.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use northgate_core::actor::Actor;
use northgate_core::administer::{Creation, Wanted};
use northgate_core::admit::Caller;
use northgate_core::allow::Allow;
use northgate_core::app_id::AppId;
use northgate_core::auth::{Auth, Settings};
use northgate_core::clock::Timestamp;
use northgate_core::keyring::{Keyring, KeyringRecord};
use northgate_core::policy::{AccessTokens, BindTokens, Dpop, Logins, OnReuse, Overrides, Policy, Rotation};
use northgate_core::refresh::RefreshError;
use northgate_core::secret::SecretText;
use northgate_core::signing::Algorithms;
use rusqlite::Connection;
use shuttle::future::block_on;
use shuttle::rand::{Rng, thread_rng};
use shuttle::scheduler::PctScheduler;
use shuttle::{Config, Runner, thread};

use super::batch::Batch;
use super::queue::{Found, Queue, Write};
use super::{EmbeddedStore, Memory, data_dir, schema};

const WORKERS: u64 = 3;
const INTERLEAVINGS: usize = 1_000;
const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// The address of all clients.
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

const SETTINGS: Settings = Settings {
    policy: Policy {
        rotation: Rotation::Once,
        retry_window: Duration::from_secs(60),
        on_reuse: OnReuse::Deny,
        logins: Logins::Many,
        max_grants: 32,
        access_lifetime: Duration::from_secs(3_600),
        refresh_lifetime: Duration::from_secs(30 * 86_400),
        calls_per_minute: 0,
        bind_tokens: BindTokens::Authenticated,
        access_tokens: AccessTokens::Opaque,
        dpop: Dpop::Off,
    },
    leeway: Duration::from_secs(30),
    closed_grants: 1_000,
    key_lead: Duration::from_secs(600),
    published: Algorithms { eddsa: false, es256: false },
    hashes_at_once: 2,
    failures_per_source: 0,
    failures_per_application: 0,
    dpop_proofs: 65_536,
};

#[test]
fn workers_that_race_for_a_refresh_get_one_successor_and_one_step_is_written() {
    explore(Disk::Good);
}

#[test]
fn workers_that_race_on_a_disk_that_fails_get_one_successor_or_are_told() {
    explore(Disk::Bad);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Disk {
    Good,
    /// About every other commit fails.
    Bad,
}

fn explore(disk: Disk) {
    let mut config = Config::new();
    // Hashing and SQLite run on the stacks of the modelled threads.
    config.stack_size = 1 << 20;
    let scheduler = PctScheduler::new(3, INTERLEAVINGS);
    Runner::new(scheduler, config).run(move || race(disk));
}

fn race(disk: Disk) {
    let dir = tempfile::tempdir().unwrap();
    let (memory, queue) = (Arc::new(Memory::default()), Arc::new(Queue::new(16)));
    let directory = Arc::new(data_dir::lock(dir.path()).unwrap());
    let store = Arc::new(EmbeddedStore {
        memory: Arc::clone(&memory),
        queue: Arc::clone(&queue),
        writer: None,
        directory,
    });
    let writer = thread::spawn(move || write(&memory, &queue, disk));
    let keyring = Keyring::new(KeyringRecord::random(NOW)).unwrap();
    let auth = Arc::new(Auth::new(Arc::clone(&store) as _, keyring, SETTINGS));
    let app = AppId::parse("app").unwrap();
    let secret = until_done(|| create(&auth, &app));
    let login = until_done(|| block_on(auth.login(&app, &secret, HERE, NOW)).ok());

    let workers: Vec<_> = (1..=WORKERS)
        .map(|worker| {
            let (auth, app, token) = (Arc::clone(&auth), app.clone(), login.pair.refresh_token.clone());
            let secret = SecretText::parse(secret.reveal()).unwrap();
            // A step at another moment gives another token.
            let now = NOW.plus(Duration::from_millis(worker));
            thread::spawn(move || {
                let caller = Caller::with_secret(&app, &secret, HERE);
                match block_on(auth.refresh(&caller, &token, now)) {
                    Ok(refresh) => Some(refresh.pair.refresh_token),
                    Err(RefreshError::Store(_)) if disk == Disk::Bad => None,
                    Err(error) => panic!("{error}"),
                }
            })
        })
        .collect();
    let mut successors: Vec<String> =
        workers.into_iter().filter_map(|worker| worker.join().unwrap()).collect();
    let answers = successors.len();
    successors.dedup();
    assert!(successors.len() <= 1, "the chain forked: {successors:?}");
    let grant = store.memory.grants.find(login.grant).unwrap();
    assert_eq!(grant.generation, u32::from(answers > 0), "a step without a request, or none");
    assert!(disk == Disk::Bad || answers as u64 == WORKERS);
    drop((auth, store));
    writer.join().unwrap();
}

/// The writer without a file: a commit takes its time, in which the other threads go on.
fn write(memory: &Memory, queue: &Queue, disk: Disk) {
    let mut connection = Connection::open_in_memory().unwrap();
    schema::migrate(&mut connection).unwrap();
    loop {
        match queue.wait(Duration::from_secs(1)) {
            Found::Writes => commit(memory, &connection, queue.take(), disk),
            Found::Nothing => {}
            Found::Closed => return,
        }
    }
}

fn commit(memory: &Memory, connection: &Connection, writes: Vec<Write>, disk: Disk) {
    let transaction = connection.unchecked_transaction().unwrap();
    let mut batch = Batch::new(memory, connection, writes.len());
    writes.into_iter().for_each(|write| batch.add(write));
    thread::yield_now();
    if disk == Disk::Bad && thread_rng().gen_bool(0.5) {
        batch.fail(&(Arc::new(rusqlite::Error::InvalidQuery) as _));
    } else {
        transaction.commit().unwrap();
        batch.publish();
    }
}

fn create(auth: &Auth, app: &AppId) -> Option<SecretText> {
    let (id, name) = (Some(app.clone()), "app".to_owned());
    let wanted = Wanted {
        id,
        name,
        owner: None,
        secret: None,
        overrides: Overrides::default(),
        allow: Allow::default(),
    };
    match block_on(auth.create(wanted, &Actor::LOCAL, NOW)) {
        Ok(Creation::Created(_, secret)) => secret,
        Ok(Creation::Same(_) | Creation::Taken(_)) => panic!("it is taken"),
        Err(_) => None,
    }
}

/// A disk that fails does not always fail.
fn until_done<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
    loop {
        if let Some(done) = attempt() {
            return done;
        }
    }
}

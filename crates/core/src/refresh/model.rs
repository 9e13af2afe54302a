//! Model checking of the refresh: [`decide`] and the guarded step, over every order of what can happen to one grant.
//!
//! Two workers of an application share its tokens. Requests race, requests and answers are lost, processes crash, a failover loses writes, time passes,
//! and an operator freezes, changes the policy and closes the grant. The decisions are those of the real [`decide`]; each bug of [`Bug`] is put
//! into the step around it, and the checker has to find a law that it breaks.

use std::time::Duration;

use stateright::{Checker, Model, Property};

use super::{Decision, decide};
use crate::clock::Timestamp;
use crate::grant::{Grant, GrantId};
use crate::policy::{AccessTokens, BindTokens, Dpop, Logins, OnReuse, Policy, Rotation};

/// One tick is within the retry window of a minute and the clock skew, and two are not.
const TICK: Duration = Duration::from_secs(40);
const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const WORKERS: usize = 2;

/// Bounds of the states that are looked at.
const LAST_TICK: u8 = 2;
const LAST_GENERATION: u32 = 2;

/// A bug around the decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    None,
    /// The step is written whatever the record's generation is.
    NoGuard,
    /// The token two generations back is answered, too.
    WindowOffByOne,
    /// The retry window never ends.
    EndlessWindow,
    /// A retry gets a token of its own time in place of that of the record.
    UnboundSuccessor,
    /// A token ahead of the record is refused.
    NoCatchUp,
    /// The answer is sent before the step is durable.
    AnswerBeforeCommit,
    /// A freeze is not looked at.
    NoFreeze,
    /// A closed grant is still there.
    NoClose,
}

/// The state of a grant, and the refresh token that follows from it: its generation, and the tick of its last refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Record {
    generation: u32,
    tick: u8,
}

impl Record {
    fn grant(self) -> Grant {
        let refreshed_at = at(self.tick);
        let expires_at = refreshed_at.plus(Duration::from_secs(30 * 86_400));
        Grant { id: GrantId(1), generation: self.generation, refreshed_at, expires_at }
    }

    fn of(grant: &Grant) -> Record {
        let tick = grant.refreshed_at.since(START).as_secs() / TICK.as_secs();
        Record { generation: grant.generation, tick: tick as u8 }
    }
}

fn at(tick: u8) -> Timestamp {
    START.plus(TICK * u32::from(tick))
}

/// A request of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Request {
    None,
    Sent(Record),
    /// Decided, and about to be written with a guard on the generation.
    Stepping {
        presented: Record,
        from: u32,
        to: Record,
    },
    Answered(Record),
    Refused,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    tick: u8,
    /// `None` once the grant is closed.
    record: Option<Record>,
    /// What an asynchronous standby has.
    standby: Option<Record>,
    requests: [Request; WORKERS],
    /// The token that the application has, and all tokens that were ever answered.
    current: Record,
    handed: Vec<Record>,
    is_frozen: bool,
    rotation: bool,
    /// Whether a failover has lost writes, which excuses a fork.
    has_lost: bool,
    /// What may still happen.
    failovers: u8,
    freezes: u8,
    broken: Broken,
    reached: Reached,
}

/// The laws that were broken on the way here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Broken {
    forked: bool,
    accepted_ancestor: bool,
    answered_late: bool,
    refused_good: bool,
    answered_frozen: bool,
    answered_closed: bool,
}

/// What the model has to reach to say anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Reached {
    replayed: bool,
    caught_up: bool,
    reused: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Deed {
    Send(usize),
    /// By a client that kept an older token, or a thief.
    SendOld(usize, Record),
    Receive(usize),
    Commit(usize),
    Deliver(usize),
    /// The request, the process that serves it, or its answer.
    Lose(usize),
    Replicate,
    Failover,
    Tick,
    Freeze,
    Unfreeze,
    ChangePolicy,
    Close,
}

struct Refresh {
    bug: Bug,
    /// Whether the states tell what was reached: then there are several times as many.
    is_watched: bool,
}

impl Refresh {
    /// The real decision, with the bug around it.
    fn decide(&self, presented: Record, record: Record, world: &World) -> Decision {
        let policy = policy(world.rotation);
        let now = at(world.tick);
        let decision = decide(presented.generation, &record.grant(), &policy, now, now);
        let behind = record.generation.checked_sub(presented.generation);
        match (self.bug, behind) {
            (Bug::WindowOffByOne, Some(2)) | (Bug::EndlessWindow, Some(1)) => {
                Decision::Answer(super::How::Replayed)
            }
            (Bug::NoCatchUp, None) => Decision::Refuse,
            (_, _) => decision,
        }
    }

    /// What becomes of a request whose record is known.
    fn judge(&self, world: &mut World, worker: usize, presented: Record, record: Record) {
        match self.decide(presented, record, world) {
            Decision::Advance(to, _) => {
                let to = Record::of(&to);
                world.requests[worker] = Request::Stepping { presented, from: record.generation, to };
                if self.bug == Bug::AnswerBeforeCommit {
                    world.hand_out(to);
                }
            }
            Decision::Answer(_) => {
                world.note_answer(presented, record);
                let fresh = Record { tick: world.tick, ..record };
                let token = if self.bug == Bug::UnboundSuccessor { fresh } else { record };
                world.reached.replayed |= presented.generation + 1 == record.generation;
                world.answer(worker, token);
            }
            Decision::Refuse => {
                world.broken.refused_good |= presented.generation >= record.generation;
                world.reached.reused |= presented.generation < record.generation;
                world.requests[worker] = Request::Refused;
            }
        }
    }

    fn receive(&self, world: &mut World, worker: usize, presented: Record) {
        let (is_closed, is_frozen) = (world.record.is_none(), world.is_frozen);
        if is_frozen && self.bug != Bug::NoFreeze || is_closed && self.bug != Bug::NoClose {
            world.requests[worker] = Request::Refused;
            return;
        }
        world.broken.answered_frozen |= is_frozen;
        world.broken.answered_closed |= is_closed;
        // The first step is tried on the token's word; without rotation the record is read.
        let record = if world.rotation { presented } else { world.record.unwrap_or(presented) };
        self.judge(world, worker, presented, record);
    }

    /// The guarded step.
    fn commit(&self, world: &mut World, worker: usize, presented: Record, from: u32, to: Record) {
        match world.record {
            Some(record) if record.generation == from || self.bug == Bug::NoGuard => {
                world.reached.caught_up |= presented.generation > record.generation;
                world.note_answer(presented, record);
                world.record = Some(to);
                world.answer(worker, to);
            }
            // A lost race is decided again on what is there now.
            Some(record) => self.judge(world, worker, presented, record),
            None => world.requests[worker] = Request::Refused,
        }
    }
}

impl World {
    fn answer(&mut self, worker: usize, token: Record) {
        self.hand_out(token);
        self.requests[worker] = Request::Answered(token);
    }

    fn hand_out(&mut self, token: Record) {
        let other = self.handed.iter().any(|known| known.generation == token.generation && *known != token);
        self.broken.forked |= other && !self.has_lost;
        if !self.handed.contains(&token) {
            self.handed.push(token);
            self.handed.sort_by_key(|known| (known.generation, known.tick));
        }
    }

    /// A token may be answered while its successor was not used, and within the window.
    fn note_answer(&mut self, presented: Record, record: Record) {
        let newest = self.handed.iter().map(|known| known.generation).max().unwrap_or(0);
        self.broken.accepted_ancestor |= !self.has_lost && presented.generation + 1 < newest;
        let is_retry = presented.generation + 1 == record.generation;
        self.broken.answered_late |= is_retry && self.tick >= record.tick + 2;
    }
}

impl Model for Refresh {
    type State = World;
    type Action = Deed;

    fn init_states(&self) -> Vec<World> {
        let first = Record { generation: 0, tick: 0 };
        vec![World {
            tick: 0,
            record: Some(first),
            standby: Some(first),
            requests: [Request::None; WORKERS],
            current: first,
            handed: vec![first],
            is_frozen: false,
            rotation: true,
            has_lost: false,
            failovers: 1,
            freezes: 1,
            broken: Broken::default(),
            reached: Reached::default(),
        }]
    }

    fn actions(&self, world: &World, deeds: &mut Vec<Deed>) {
        for worker in 0..WORKERS {
            match world.requests[worker] {
                Request::None => {
                    deeds.push(Deed::Send(worker));
                    // One worker with old tokens is enough.
                    let old = world.handed.iter().filter(|token| worker == 0 && **token != world.current);
                    deeds.extend(old.map(|token| Deed::SendOld(worker, *token)));
                }
                Request::Sent(_) => deeds.extend([Deed::Receive(worker), Deed::Lose(worker)]),
                Request::Stepping { .. } => deeds.extend([Deed::Commit(worker), Deed::Lose(worker)]),
                Request::Answered(_) | Request::Refused => {
                    deeds.extend([Deed::Deliver(worker), Deed::Lose(worker)]);
                }
            }
        }
        let once = [
            (world.tick < LAST_TICK, Deed::Tick),
            (world.standby != world.record, Deed::Replicate),
            (world.failovers > 0 && world.standby != world.record, Deed::Failover),
            (world.freezes > 0 && !world.is_frozen, Deed::Freeze),
            (world.is_frozen, Deed::Unfreeze),
            (world.rotation, Deed::ChangePolicy),
            (world.record.is_some(), Deed::Close),
        ];
        deeds.extend(once.into_iter().filter(|(may_happen, _)| *may_happen).map(|(_, deed)| deed));
    }

    fn next_state(&self, before: &World, deed: Deed) -> Option<World> {
        let mut world = before.clone();
        match deed {
            Deed::Send(worker) => world.requests[worker] = Request::Sent(world.current),
            Deed::SendOld(worker, token) => world.requests[worker] = Request::Sent(token),
            Deed::Receive(worker) => {
                let Request::Sent(token) = world.requests[worker] else { return None };
                self.receive(&mut world, worker, token);
            }
            Deed::Commit(worker) => {
                let Request::Stepping { presented, from, to } = world.requests[worker] else { return None };
                self.commit(&mut world, worker, presented, from, to);
            }
            Deed::Deliver(worker) => {
                if let Request::Answered(token) = world.requests[worker] {
                    world.current = token;
                }
                world.requests[worker] = Request::None;
            }
            Deed::Lose(worker) => world.requests[worker] = Request::None,
            Deed::Replicate => world.standby = world.record,
            Deed::Failover => {
                world.failovers -= 1;
                world.has_lost = true;
                world.record = world.standby;
                world.requests = [Request::None; WORKERS];
            }
            Deed::Tick => world.tick += 1,
            Deed::Freeze => {
                world.freezes -= 1;
                world.is_frozen = true;
            }
            Deed::Unfreeze => world.is_frozen = false,
            Deed::ChangePolicy => world.rotation = false,
            Deed::Close => world.record = None,
        }
        if !self.is_watched {
            world.reached = Reached::default();
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Refresh>> {
        let reached = vec![
            Property::sometimes("an answer is repeated", |_, world: &World| world.reached.replayed),
            Property::sometimes("a record catches up", |_, world: &World| world.reached.caught_up),
            Property::sometimes("a used token is refused", |_, world: &World| world.reached.reused),
        ];
        if self.is_watched {
            return reached;
        }
        vec![
            Property::always("no generation has two tokens", |_, world: &World| !world.broken.forked),
            Property::always("no ancestor is answered", |_, world: &World| !world.broken.accepted_ancestor),
            Property::always("no retry is answered late", |_, world: &World| !world.broken.answered_late),
            Property::always("no good token is refused", |_, world: &World| !world.broken.refused_good),
            Property::always("nothing is answered while frozen", |_, world: &World| {
                !world.broken.answered_frozen
            }),
            Property::always("nothing is answered once closed", |_, world: &World| {
                !world.broken.answered_closed
            }),
        ]
    }

    fn within_boundary(&self, world: &World) -> bool {
        world.handed.iter().all(|token| token.generation <= LAST_GENERATION)
    }
}

fn policy(rotation: bool) -> Policy {
    Policy {
        rotation: if rotation { Rotation::Once } else { Rotation::Reusable },
        retry_window: Duration::from_secs(60),
        on_reuse: OnReuse::Deny,
        logins: Logins::Many,
        max_grants: 1,
        access_lifetime: Duration::from_secs(3_600),
        refresh_lifetime: Duration::from_secs(30 * 86_400),
        calls_per_minute: 0,
        bind_tokens: BindTokens::Authenticated,
        access_tokens: AccessTokens::Opaque,
        dpop: Dpop::Presented,
    }
}

#[test]
fn in_no_order_of_events_does_the_refresh_break_a_law() {
    let checker = Refresh { bug: Bug::None, is_watched: false }.checker().threads(2).spawn_bfs().join();
    println!("{} states, {} of them different", checker.state_count(), checker.unique_state_count());
    checker.assert_properties();
    assert!(checker.unique_state_count() > 100_000, "{}", checker.unique_state_count());
}

#[test]
fn each_bug_breaks_the_law_that_it_is_about() {
    for (bug, law) in [
        (Bug::NoGuard, "no generation has two tokens"),
        (Bug::WindowOffByOne, "no ancestor is answered"),
        (Bug::EndlessWindow, "no retry is answered late"),
        (Bug::UnboundSuccessor, "no generation has two tokens"),
        (Bug::NoCatchUp, "no good token is refused"),
        (Bug::AnswerBeforeCommit, "no generation has two tokens"),
        (Bug::NoFreeze, "nothing is answered while frozen"),
        (Bug::NoClose, "nothing is answered once closed"),
    ] {
        let checker = Refresh { bug, is_watched: false }
            .checker()
            .threads(2)
            .finish_when(stateright::HasDiscoveries::AnyFailures);
        let checker = checker.spawn_bfs().join();
        let found = checker.discoveries();
        assert!(found.contains_key(law), "{bug:?}: {:?}", found.keys().collect::<Vec<_>>());
    }
}

#[test]
fn the_model_reaches_retries_records_that_catch_up_and_used_tokens() {
    let checker = Refresh { bug: Bug::None, is_watched: true }.checker().threads(2);
    let checker = checker.finish_when(stateright::HasDiscoveries::All).spawn_bfs().join();
    assert_eq!(checker.discoveries().len(), 3, "{:?}", checker.discoveries().keys());
}

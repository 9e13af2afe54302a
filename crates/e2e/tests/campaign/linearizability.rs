//! The second checker: is the history of each grant linearizable? The search (Wing and Gong, with Lowe's cache) is by others; what a
//! grant is, says [`GrantChain`]; here a record is divided into histories, and each into pieces that are searched alone.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use todc_utils::linearizability::WGLChecker;
use todc_utils::linearizability::history::{Action, History};
use todc_utils::specifications::Specification;

use super::checker::is_gone_by_loss;
use super::grant_chain::{GrantChain, Operation, States, Text};
use super::history::{Answer, Deed, Event, Fault, Grant, Record};
use super::index::Index;
use super::spans::Earliest;

/// The grants whose history is not linearizable.
pub fn violations(record: &Record) -> Vec<Grant> {
    let unordered = histories(record).into_iter().filter(|(_, history)| !is_linearizable(history));
    unordered.map(|(grant, _)| grant).collect()
}

/// The number of grants with a history, and of their clients' operations.
pub fn extent(record: &Record) -> (usize, usize) {
    let histories = histories(record);
    let is_by_a_client =
        |timed: &&Timed| !matches!(timed.operation, Operation::LossBegins | Operation::LossEnds);
    let operations = histories.iter().map(|(_, history)| history.iter().filter(is_by_a_client).count());
    (histories.len(), operations.sum())
}

#[derive(Clone)]
struct Timed {
    begin: Duration,
    /// [`Duration::MAX`] without an answer.
    end: Duration,
    operation: Operation,
}

/// The history of each grant whose login was answered. Freezes and bounds refuse without touching the grant, and `/verify` may be
/// late by its bound: they are the other checker's.
fn histories(record: &Record) -> Vec<(Grant, Vec<Timed>)> {
    let mut texts = HashMap::new();
    let mut grants: HashMap<Grant, Vec<Timed>> = HashMap::new();
    let index = Index::of(record);
    for event in &record.events {
        if let Some((grant, operation)) = operation(event, &index, &mut texts) {
            grants.entry(grant).or_default().push(Timed { begin: event.begin, end: end(event), operation });
        }
    }
    let losses = losses(record);
    let history = |(grant, operations): (Grant, Vec<Timed>)| Some((grant, history(operations, &losses)?));
    grants.into_iter().filter_map(history).collect()
}

/// The operations that an answer depends on, in the order of their begins; `None` without a login. Nothing is left of a loss before the
/// login, and after the last answer there is nothing to explain.
fn history(mut operations: Vec<Timed>, losses: &[Loss]) -> Option<Vec<Timed>> {
    let logins = operations.iter().filter(|timed| matches!(timed.operation, Operation::Login(_)));
    let from = logins.map(|timed| timed.begin).min()?;
    let ends = operations.iter().map(|timed| timed.end).filter(|end| *end < Duration::MAX);
    let to = ends.max()?;
    operations.retain(|timed| timed.begin <= to);
    let first = losses.partition_point(|loss| loss.latest_end < from);
    let during: Vec<&Loss> = losses[first..].iter().take_while(|loss| loss.begin <= to).collect();
    if during.is_empty() {
        end_unanswered(&mut operations);
    }
    operations.extend(during.into_iter().flat_map(Loss::operations));
    operations.sort_by_key(|timed| timed.begin);
    Some(operations)
}

/// Where nothing is lost, a refresh without an answer changes nothing once a later generation was refreshed, nor a logout after an answered
/// one: whatever order has it later is as right with it there.
fn end_unanswered(operations: &mut [Timed]) {
    let refreshed = operations.iter().filter_map(|timed| {
        let Operation::Refreshed(presented, _) = timed.operation else { return None };
        Some((presented, timed.end))
    });
    let refreshed: Earliest = refreshed.collect();
    let logouts = operations.iter().filter(|timed| matches!(timed.operation, Operation::LoggedOut));
    let logged_out = logouts.map(|timed| timed.end).min();
    for timed in operations {
        let no_later = match timed.operation {
            Operation::MaybeRefreshed(presented) => refreshed.after(presented),
            Operation::MaybeLoggedOut => logged_out,
            Operation::Login(_)
            | Operation::Refreshed(..)
            | Operation::Refused { .. }
            | Operation::LoggedOut
            | Operation::LossBegins
            | Operation::LossEnds
            | Operation::From(_)
            | Operation::Until(_) => None,
        };
        timed.end = no_later.map_or(timed.end, |end| end.max(timed.begin));
    }
}

/// Whether an order explains all answers. At a moment at which no operation is under way, all before it come first in every order: the
/// pieces between such moments are searched one after the other, each from the states that those before it may have led to.
fn is_linearizable(history: &[Timed]) -> bool {
    let mut states = GrantChain::init();
    let mut pieces = pieces(history).peekable();
    while let Some(piece) = pieces.next() {
        states = match piece {
            [alone] => match GrantChain::apply(&alone.operation, &states) {
                (true, after) => after,
                (false, _) => return false,
            },
            last if pieces.peek().is_none() => return has_order(last, states, None),
            overlapping => states_after(overlapping, states),
        };
    }
    !states.is_empty()
}

fn pieces(history: &[Timed]) -> impl Iterator<Item = &[Timed]> {
    let mut latest = Duration::ZERO;
    history.chunk_by(move |one, next| {
        latest = latest.max(one.end);
        next.begin <= latest
    })
}

/// The states that the orders lead to in which the answers are right. The search ends at the first of them; a last operation that no
/// state fits sends it on.
fn states_after(operations: &[Timed], states: States) -> States {
    let found = Rc::new(RefCell::new(States::new()));
    has_order(operations, states, Some(Operation::Until(Rc::clone(&found))));
    found.take()
}

/// Whether an order of overlapping operations explains their answers, from one of these states on.
fn has_order(operations: &[Timed], states: States, last: Option<Operation>) -> bool {
    let alone = |process: usize, operation: Operation| {
        [(process, Action::Call(operation.clone())), (process, Action::Response(operation))]
    };
    let mut all = Vec::from(alone(operations.len(), Operation::From(Rc::new(states))));
    all.extend(actions(operations));
    all.extend(last.into_iter().flat_map(|last| alone(operations.len() + 1, last)));
    WGLChecker::<GrantChain>::is_linearizable(History::from_actions(all))
}

/// While writes may have been lost.
struct Loss {
    begin: Duration,
    end: Duration,
    /// The latest end of this one and all before it.
    latest_end: Duration,
}

fn losses(record: &Record) -> Vec<Loss> {
    let lost = record.troubles.iter().filter(|trouble| trouble.fault == Fault::LoseWrites);
    let mut losses: Vec<Loss> =
        lost.map(|one| Loss { begin: one.begin, end: one.end, latest_end: one.end }).collect();
    losses.sort_by_key(|loss| loss.begin);
    let mut latest = Duration::ZERO;
    for loss in &mut losses {
        latest = latest.max(loss.end);
        loss.latest_end = latest;
    }
    losses
}

impl Loss {
    fn operations(&self) -> [Timed; 2] {
        let after = self.begin + Duration::from_nanos(1);
        [
            Timed { begin: self.begin, end: self.begin, operation: Operation::LossBegins },
            Timed { begin: after, end: self.end.max(after), operation: Operation::LossEnds },
        ]
    }
}

/// An operation that was not answered has no end.
fn end(event: &Event) -> Duration {
    match event.answer {
        Answer::Away | Answer::Unanswered | Answer::Other(_) => Duration::MAX,
        Answer::Pair(_) | Answer::Done | Answer::Frozen | Answer::Throttled | Answer::Refused => event.end,
    }
}

fn operation(event: &Event, index: &Index, texts: &mut HashMap<String, Text>) -> Option<(Grant, Operation)> {
    let next = texts.len();
    let mut number = |text: &str| *texts.entry(text.to_owned()).or_insert(next);
    match (&event.deed, &event.answer) {
        (Deed::Login, Answer::Pair(pair)) => {
            Some((pair.refresh.grant, Operation::Login(number(&pair.refresh.text))))
        }
        (Deed::Refresh(token), Answer::Pair(pair)) => {
            Some((token.grant, Operation::Refreshed(token.generation, number(&pair.refresh.text))))
        }
        (Deed::Refresh(token), Answer::Refused) => {
            let is_too_late = index.story(event).is_too_late(token, event);
            let is_gone = is_gone_by_loss(index, token, event);
            Some((token.grant, Operation::Refused { presented: token.generation, is_too_late, is_gone }))
        }
        (Deed::Refresh(token), Answer::Away | Answer::Unanswered | Answer::Other(_)) => {
            Some((token.grant, Operation::MaybeRefreshed(token.generation)))
        }
        (Deed::Logout(token), Answer::Done) => Some((token.grant, Operation::LoggedOut)),
        (Deed::Logout(token), Answer::Away | Answer::Unanswered | Answer::Other(_)) => {
            Some((token.grant, Operation::MaybeLoggedOut))
        }
        (_, _) => None,
    }
}

/// Calls and responses in the order of time. Where both are at one time, the calls come first: then they overlap.
fn actions(operations: &[Timed]) -> Vec<(usize, Action<Operation>)> {
    let calls = operations.iter().enumerate().map(|(process, one)| (one.begin, 0, process));
    let responses = operations.iter().enumerate().map(|(process, one)| (one.end, 1, process));
    let mut order: Vec<(Duration, u8, usize)> = calls.chain(responses).collect();
    order.sort_unstable();
    let action = |(_, kind, process): (Duration, u8, usize)| {
        let operation = operations[process].operation.clone();
        (process, if kind == 0 { Action::Call(operation) } else { Action::Response(operation) })
    };
    order.into_iter().map(action).collect()
}

//! The second checker: is the history of each grant linearizable? The search (Wing and Gong, with Lowe's cache) is by others; here is
//! what a grant is, as a sequential specification.
//!
//! A failover may lose writes and an answer may never come, so that after some operations a grant may be in one of several states.
//! The specification keeps them all, and an answer removes those that it contradicts.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use todc_utils::linearizability::WGLChecker;
use todc_utils::linearizability::history::{Action, History};
use todc_utils::specifications::Specification;

use super::checker::{is_gone_by_loss, is_too_late, stories};
use super::history::{Answer, Deed, Event, Fault, Grant, Record, Token};

/// A refresh token, by its place among all texts.
type Text = usize;

/// One possible state of a grant.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct State {
    /// The refresh token of each generation; `None` where no answer has told it yet. Empty before the login.
    chain: Vec<Option<Text>>,
    /// The longest that the chain ever was: a loss makes it shorter, and the tokens stay with the clients.
    longest: usize,
    is_closed: bool,
    /// The generations and the end that the standby has for certain, while writes are being lost.
    kept: Option<(usize, bool)>,
}

/// An operation with its outcome.
#[derive(Clone, Copy, Debug)]
pub enum Operation {
    Login(Text),
    /// A refresh with a token of this generation, and the refresh token that came back.
    Refreshed(u32, Text),
    /// A refused refresh. The record may excuse it: the retry window was over, or the grant went with lost writes.
    Refused {
        presented: u32,
        is_too_late: bool,
        is_gone: bool,
    },
    LoggedOut,
    /// A refresh or a logout without an answer: it happens at any time, or never.
    MaybeRefreshed(u32),
    MaybeLoggedOut,
    /// From here on writes may be lost, and here it shows which were.
    LossBegins,
    LossEnds,
}

struct GrantChain;

impl Specification for GrantChain {
    type State = BTreeSet<State>;
    type Operation = Operation;

    fn init() -> BTreeSet<State> {
        [State { chain: Vec::new(), longest: 0, is_closed: false, kept: None }].into()
    }

    fn apply(operation: &Operation, states: &BTreeSet<State>) -> (bool, BTreeSet<State>) {
        let after: BTreeSet<State> = states.iter().flat_map(|state| state.after(*operation)).collect();
        if after.is_empty() { (false, states.clone()) } else { (true, after) }
    }
}

impl State {
    /// The states that an operation may lead to; none if it cannot have had this outcome.
    fn after(&self, operation: Operation) -> Vec<State> {
        match operation {
            Operation::Login(text) => {
                let is_new = self.chain.is_empty();
                is_new
                    .then(|| State { chain: vec![Some(text)], longest: 1, ..self.clone() })
                    .into_iter()
                    .collect()
            }
            Operation::Refreshed(presented, text) => {
                self.refreshed(presented, Some(text)).into_iter().collect()
            }
            Operation::Refused { presented, is_too_late, is_gone } => {
                let behind = self.chain.len().saturating_sub(presented as usize + 1);
                let is_refused = self.is_over() || is_gone || behind > 1 || behind == 1 && is_too_late;
                is_refused.then(|| self.clone()).into_iter().collect()
            }
            Operation::LoggedOut => vec![State { is_closed: true, ..self.clone() }],
            Operation::MaybeRefreshed(presented) => {
                vec![self.refreshed(presented, None).unwrap_or_else(|| self.clone())]
            }
            Operation::MaybeLoggedOut => vec![State { is_closed: true, ..self.clone() }],
            Operation::LossBegins => {
                vec![State { kept: Some((self.chain.len(), self.is_closed)), ..self.clone() }]
            }
            Operation::LossEnds => self.after_a_loss(),
        }
    }

    fn is_over(&self) -> bool {
        self.is_closed || self.chain.is_empty()
    }

    /// The state after an answered refresh: the next generation, or the retry of the one before. A token ahead of the record, which
    /// only a loss leaves behind, moves the record forward.
    fn refreshed(&self, presented: u32, text: Option<Text>) -> Option<State> {
        if self.is_over() {
            return None;
        }
        let (mut chain, presented) = (self.chain.clone(), presented as usize);
        if presented + 2 == chain.len() {
            let last = chain.last_mut()?;
            let is_same = last.is_none() || text.is_none() || *last == text;
            *last = last.or(text);
            return is_same.then(|| State { chain, ..self.clone() });
        }
        if presented + 1 < chain.len() || presented >= self.longest {
            return None;
        }
        chain.resize(presented + 1, None);
        chain.push(text);
        let longest = self.longest.max(chain.len());
        Some(State { chain, longest, ..self.clone() })
    }

    /// What may be left: all that was there when the loss began, and any number of the writes since.
    fn after_a_loss(&self) -> Vec<State> {
        let Some((kept, was_closed)) = self.kept else { return vec![self.clone()] };
        let mut left = vec![State { kept: None, ..self.clone() }];
        if !was_closed {
            let rest =
                (kept.min(self.chain.len())..=self.chain.len()).map(|length| self.chain[..length].to_vec());
            left.extend(rest.map(|chain| State { chain, is_closed: false, kept: None, ..self.clone() }));
        }
        left
    }
}

/// The grants whose history is not linearizable.
pub fn violations(record: &Record) -> Vec<Grant> {
    histories(record)
        .into_iter()
        .filter(|(_, actions)| {
            !WGLChecker::<GrantChain>::is_linearizable(History::from_actions(actions.clone()))
        })
        .map(|(grant, _)| grant)
        .collect()
}

/// The number of grants with a history, and of their clients' operations.
pub fn extent(record: &Record) -> (usize, usize) {
    let histories = histories(record);
    let is_by_a_client = |action: &&(usize, Action<Operation>)| {
        let Action::Call(operation) = &action.1 else { return false };
        !matches!(operation, Operation::LossBegins | Operation::LossEnds)
    };
    (
        histories.len(),
        histories.iter().map(|(_, actions)| actions.iter().filter(is_by_a_client).count()).sum(),
    )
}

type Actions = Vec<(usize, Action<Operation>)>;

/// The history of each grant whose login was answered. Freezes and bounds refuse without touching the grant, and `/verify` may be
/// late by its bound: they are the other checker's.
fn histories(record: &Record) -> Vec<(Grant, Actions)> {
    let mut texts = HashMap::new();
    let mut grants: HashMap<Grant, Vec<Timed>> = HashMap::new();
    let stories = stories(record);
    let empty = Default::default();
    for event in &record.events {
        let story = event.application.and_then(|which| stories.get(&which)).unwrap_or(&empty);
        let excuse =
            |token: &Token| (is_too_late(story, token, event), is_gone_by_loss(record, story, token, event));
        if let Some((grant, operation)) = operation(event, excuse, &mut texts) {
            grants.entry(grant).or_default().push(Timed { begin: event.begin, end: end(event), operation });
        }
    }
    grants.retain(|_, operations| {
        operations.iter().any(|timed| matches!(timed.operation, Operation::Login(_)))
    });
    let losses: Vec<Timed> = losses(record).collect();
    let actions = grants.into_iter().map(|(grant, mut operations)| {
        operations.extend(&losses);
        (grant, actions(&operations))
    });
    actions.collect()
}

#[derive(Clone, Copy)]
struct Timed {
    begin: Duration,
    end: Duration,
    operation: Operation,
}

fn losses(record: &Record) -> impl Iterator<Item = Timed> {
    let lost = record.troubles.iter().filter(|trouble| trouble.fault == Fault::LoseWrites);
    lost.flat_map(|trouble| {
        let begins = Timed { begin: trouble.begin, end: trouble.begin, operation: Operation::LossBegins };
        [
            begins,
            Timed {
                begin: trouble.begin + Duration::from_nanos(1),
                end: trouble.end,
                operation: Operation::LossEnds,
            },
        ]
    })
}

/// An operation that was not answered has no end.
fn end(event: &Event) -> Duration {
    match event.answer {
        Answer::Away | Answer::Unanswered | Answer::Other(_) => Duration::MAX,
        Answer::Pair(_) | Answer::Done | Answer::Frozen | Answer::Throttled | Answer::Refused => event.end,
    }
}

fn operation(
    event: &Event,
    excuse: impl Fn(&Token) -> (bool, bool),
    texts: &mut HashMap<String, Text>,
) -> Option<(Grant, Operation)> {
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
            let (is_too_late, is_gone) = excuse(token);
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
fn actions(operations: &[Timed]) -> Actions {
    let calls = operations.iter().enumerate().map(|(process, one)| (one.begin, 0, process));
    let responses = operations.iter().enumerate().map(|(process, one)| (one.end, 1, process));
    let mut order: Vec<(Duration, u8, usize)> = calls.chain(responses).collect();
    order.sort_unstable();
    let action = |(_, kind, process): (Duration, u8, usize)| {
        let operation = operations[process].operation;
        (process, if kind == 0 { Action::Call(operation) } else { Action::Response(operation) })
    };
    order.into_iter().map(action).collect()
}

//! A grant as a sequential specification: a chain of refresh tokens and its end.
//!
//! A failover may lose writes and an answer may never come, so that after some operations a grant may be in one of several states.
//! The specification keeps them all, and an answer removes those that it contradicts.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use todc_utils::specifications::Specification;

/// A refresh token, by its place among all texts.
pub type Text = usize;

/// The states that a grant may be in.
pub type States = BTreeSet<State>;

/// One possible state of a grant.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct State {
    /// The generations before those of `chain`. Their tokens are never answered again, whatever is lost from here on.
    settled: usize,
    /// The refresh token of each later generation; `None` where no answer has told it yet. Empty before the login.
    chain: Vec<Option<Text>>,
    /// The longest that the chain ever was: a loss makes it shorter, and the tokens stay with the clients.
    longest: usize,
    is_closed: bool,
    /// The generations and the end that the standby has for certain, while writes are being lost.
    kept: Option<(usize, bool)>,
}

/// An operation with its outcome.
#[derive(Clone, Debug)]
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
    /// The history before this, by the states that it may have led to.
    From(Rc<States>),
    /// Takes down the states that an order leads to, and asks for another order.
    Until(Rc<RefCell<States>>),
}

pub struct GrantChain;

impl Specification for GrantChain {
    type State = States;
    type Operation = Operation;

    fn init() -> States {
        let new = State { settled: 0, chain: Vec::new(), longest: 0, is_closed: false, kept: None };
        [new].into()
    }

    fn apply(operation: &Operation, states: &States) -> (bool, States) {
        let after: States = match operation {
            Operation::From(before) => (**before).clone(),
            Operation::Until(found) => {
                found.borrow_mut().extend(states.iter().cloned());
                States::new()
            }
            Operation::Login(_)
            | Operation::Refreshed(..)
            | Operation::Refused { .. }
            | Operation::LoggedOut
            | Operation::MaybeRefreshed(_)
            | Operation::MaybeLoggedOut
            | Operation::LossBegins
            | Operation::LossEnds => {
                states.iter().flat_map(|state| state.after(operation)).map(State::settle).collect()
            }
        };
        if after.is_empty() { (false, states.clone()) } else { (true, after) }
    }
}

impl State {
    /// The states that an operation may lead to; none if it cannot have had this outcome.
    fn after(&self, operation: &Operation) -> Vec<State> {
        match *operation {
            Operation::Login(text) => {
                let is_new = self.length() == 0;
                is_new
                    .then(|| State { chain: vec![Some(text)], longest: 1, ..self.clone() })
                    .into_iter()
                    .collect()
            }
            Operation::Refreshed(presented, text) => {
                self.refreshed(presented, Some(text)).into_iter().collect()
            }
            Operation::Refused { presented, is_too_late, is_gone } => {
                let behind = self.length().saturating_sub(presented as usize + 1);
                let is_refused = self.is_over() || is_gone || behind > 1 || behind == 1 && is_too_late;
                is_refused.then(|| self.clone()).into_iter().collect()
            }
            Operation::LoggedOut => vec![State { is_closed: true, ..self.clone() }],
            Operation::MaybeRefreshed(presented) => {
                vec![self.refreshed(presented, None).unwrap_or_else(|| self.clone())]
            }
            Operation::MaybeLoggedOut => vec![State { is_closed: true, ..self.clone() }],
            Operation::LossBegins => {
                vec![State { kept: Some((self.length(), self.is_closed)), ..self.clone() }]
            }
            Operation::LossEnds => self.after_a_loss(),
            Operation::From(_) | Operation::Until(_) => Vec::new(),
        }
    }

    fn length(&self) -> usize {
        self.settled + self.chain.len()
    }

    fn is_over(&self) -> bool {
        self.is_closed || self.length() == 0
    }

    /// The state after an answered refresh: the next generation, or the retry of the one before. A token ahead of the record, which
    /// only a loss leaves behind, moves the record forward.
    fn refreshed(&self, presented: u32, text: Option<Text>) -> Option<State> {
        if self.is_over() {
            return None;
        }
        let (mut chain, presented) = (self.chain.clone(), presented as usize);
        if presented + 2 == self.length() {
            let last = chain.last_mut()?;
            let is_same = last.is_none() || text.is_none() || *last == text;
            *last = last.or(text);
            return is_same.then(|| State { chain, ..self.clone() });
        }
        if presented + 1 < self.length() || presented >= self.longest {
            return None;
        }
        chain.resize(presented + 1 - self.settled, None);
        chain.push(text);
        let longest = self.longest.max(self.settled + chain.len());
        Some(State { chain, longest, ..self.clone() })
    }

    /// What may be left: all that was there when the loss began, and any number of the writes since.
    fn after_a_loss(&self) -> Vec<State> {
        let Some((kept, was_closed)) = self.kept else { return vec![self.clone()] };
        let mut left = vec![State { kept: None, ..self.clone() }];
        if !was_closed {
            let lengths = kept.min(self.length())..=self.length();
            let rest = lengths.map(|length| self.chain[..length - self.settled].to_vec());
            left.extend(rest.map(|chain| State { chain, is_closed: false, kept: None, ..self.clone() }));
        }
        left
    }

    /// Forgets the tokens that no loss brings back, so that a state is as small after a thousand refreshes as after one.
    fn settle(mut self) -> State {
        if self.kept.is_none() {
            let settled = self.chain.len().saturating_sub(1);
            self.chain.drain(..settled);
            self.settled += settled;
        }
        self
    }
}

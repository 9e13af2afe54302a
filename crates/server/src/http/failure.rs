//! Failed requests: the problem for the client beside the outcome, the detail and the audit line for the log.

use std::error::Error;

use northgate_core::admit::AdmissionError;
use northgate_core::store::StoreError;
use northgate_core::text::TextError;

use crate::http::audit::Audit;
use crate::http::body::Unread;
use crate::http::decode::DecodeError;
use crate::http::observe::Observed;
use crate::http::problem::Problem;
use crate::outcome::Outcome;
use crate::telemetry::with_causes;

/// A failed request: the problem for the client, and the details for the log and the audit.
#[derive(Debug)]
pub struct Failure<P> {
    problem: P,
    outcome: Outcome,
    detail: String,
    audit: Option<Audit>,
}

impl<P> Failure<P> {
    /// `problem` for the client; `outcome` and the error with its causes for the log.
    pub fn new(problem: P, outcome: Outcome, error: &dyn Error) -> Failure<P> {
        Failure { problem, outcome, detail: with_causes(error), audit: None }
    }

    /// Adds an audit event.
    pub fn audited(self, audit: Audit) -> Failure<P> {
        Failure { audit: Some(audit), ..self }
    }

    /// Moves all but the problem to the observation of the request.
    pub fn observe(self, observed: &mut Observed) -> P {
        observed.outcome = self.outcome;
        observed.detail = Some(self.detail);
        observed.audit = self.audit;
        self.problem
    }
}

/// The problem and the outcome of a store error.
pub fn store(error: &StoreError) -> (Problem, Outcome) {
    match error {
        StoreError::Busy => (Problem::Busy, Outcome::Busy),
        StoreError::Unavailable(_) => (Problem::Internal, Outcome::Unavailable),
    }
}

/// The problem and the outcome of a failed admission.
pub fn admission(error: &AdmissionError) -> (Problem, Outcome) {
    match error {
        // Other credentials than secrets exist in OAuth only, which has its own errors.
        AdmissionError::Rejected | AdmissionError::Unproven(_) => (Problem::Rejected, Outcome::Rejected),
        AdmissionError::TooManyAssertions => (Problem::Throttled(None), Outcome::Throttled),
        AdmissionError::Store(error) => store(error),
        AdmissionError::Throttled(wait) | AdmissionError::TooManyCalls(wait) => {
            (Problem::Throttled(Some(*wait)), Outcome::Throttled)
        }
        AdmissionError::Frozen => (Problem::Frozen, Outcome::Frozen),
        AdmissionError::Busy => (Problem::Busy, Outcome::Busy),
    }
}

impl From<Unread> for Failure<Problem> {
    fn from(error: Unread) -> Failure<Problem> {
        let (problem, outcome) = match error {
            Unread::TooLarge => (Problem::TooLarge, Outcome::TooLarge),
            Unread::TooSlow => (Problem::TooSlow, Outcome::TooSlow),
            Unread::ContentCoding => (Problem::ContentCoding, Outcome::InvalidInput),
            Unread::Broken => (Problem::Invalid, Outcome::InvalidInput),
        };
        Failure::new(problem, outcome, &error)
    }
}

impl From<DecodeError> for Failure<Problem> {
    fn from(error: DecodeError) -> Failure<Problem> {
        let (problem, outcome) = match error {
            DecodeError::Missing(_) => (Problem::Missing, Outcome::MissingField),
            DecodeError::ContentType
            | DecodeError::Utf8
            | DecodeError::Json
            | DecodeError::TooMany
            | DecodeError::Twice(_)
            | DecodeError::NotText(_)
            | DecodeError::Text(..) => (Problem::Invalid, Outcome::InvalidInput),
        };
        Failure::new(problem, outcome, &error)
    }
}

impl From<TextError> for Failure<Problem> {
    fn from(error: TextError) -> Failure<Problem> {
        let (problem, outcome) = match error {
            TextError::Empty => (Problem::Missing, Outcome::MissingField),
            TextError::TooLong | TextError::ControlCharacter => (Problem::Invalid, Outcome::InvalidInput),
        };
        Failure::new(problem, outcome, &error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::api::Dialect;
    use std::sync::Arc;

    #[test]
    fn a_store_that_fails_is_internal_and_one_that_is_full_is_busy() {
        let unavailable = StoreError::Unavailable(Arc::new(std::fmt::Error));
        assert_eq!(store(&unavailable), (Problem::Internal, Outcome::Unavailable));
        assert_eq!(store(&StoreError::Busy), (Problem::Busy, Outcome::Busy));
    }

    #[test]
    fn the_log_hears_the_causes_which_the_client_does_not() {
        let error = TextError::TooLong;
        let mut observed = Observed::new(crate::outcome::Operation::Login);
        let answer = Failure::<Problem>::from(error).observe(&mut observed).answer(Dialect::Intl);
        assert_eq!(answer.status(), 400);
        assert_eq!(observed.outcome, Outcome::InvalidInput);
        assert_eq!(observed.detail.as_deref(), Some("is longer than 256 characters"));
    }
}

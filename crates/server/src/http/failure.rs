//! A request that does not get what it asked for: what the client hears beside what the log hears.

use std::error::Error;

use axum::body::Body;
use axum::http::Response;
use northgate_core::admit::AdmissionError;
use northgate_core::text::TextError;
use northgate_core::store::StoreError;

use crate::config::api::Dialect;
use crate::http::audit::Audit;
use crate::http::body::Unread;
use crate::http::decode::DecodeError;
use crate::http::observe::Observed;
use crate::http::problem::Problem;
use crate::outcome::Outcome;
use crate::telemetry::with_causes;

/// Why an operation did not succeed, on its way out.
#[derive(Debug)]
pub struct Failure {
    problem: Problem,
    outcome: Outcome,
    detail: String,
    audit: Option<Audit>,
}

impl Failure {
    /// `problem` for the client; `outcome` and the error with its causes for the log.
    pub fn new(problem: Problem, outcome: Outcome, error: &dyn Error) -> Failure {
        Failure { problem, outcome, detail: with_causes(error), audit: None }
    }

    /// The same with a line for the audit.
    pub fn audited(self, audit: Audit) -> Failure {
        Failure { audit: Some(audit), ..self }
    }

    /// The answer for the client; the rest goes to what is observed.
    pub fn answer(self, dialect: Dialect, observed: &mut Observed) -> Response<Body> {
        observed.outcome = self.outcome;
        observed.detail = Some(self.detail);
        observed.audit = self.audit;
        self.problem.answer(dialect)
    }
}

/// What is said where the store did not do its part.
pub fn store(error: &StoreError) -> (Problem, Outcome) {
    match error {
        StoreError::Busy => (Problem::Busy, Outcome::Busy),
        StoreError::Unavailable(_) => (Problem::Internal, Outcome::Unavailable),
    }
}

/// What is said to a caller that is not let in.
pub fn admission(error: &AdmissionError) -> (Problem, Outcome) {
    match error {
        // What is shown instead of a secret is known to OAuth only, which answers for itself.
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

impl From<Unread> for Failure {
    fn from(error: Unread) -> Failure {
        let (problem, outcome) = match error {
            Unread::TooLarge => (Problem::TooLarge, Outcome::TooLarge),
            Unread::TooSlow => (Problem::TooSlow, Outcome::TooSlow),
            Unread::ContentCoding => (Problem::ContentCoding, Outcome::InvalidInput),
            Unread::Broken => (Problem::Invalid, Outcome::InvalidInput),
        };
        Failure::new(problem, outcome, &error)
    }
}

impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Failure {
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

impl From<TextError> for Failure {
    fn from(error: TextError) -> Failure {
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
        let answer = Failure::from(error).answer(Dialect::Intl, &mut observed);
        assert_eq!(answer.status(), 400);
        assert_eq!(observed.outcome, Outcome::InvalidInput);
        assert_eq!(observed.detail.as_deref(), Some("is longer than 256 characters"));
    }
}

//! Operations and outcomes: the words in log lines and metrics.

use std::fmt;

use axum::http::StatusCode;

/// An operation that applications and gateways ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Login,
    Refresh,
    Logout,
    Verify,
    ClientCredentials,
    Introspect,
    Revoke,
}

impl Operation {
    /// In the order of the enum, so that `operation as usize` is an index.
    pub const ALL: [Operation; 7] = [
        Operation::Login,
        Operation::Refresh,
        Operation::Logout,
        Operation::Verify,
        Operation::ClientCredentials,
        Operation::Introspect,
        Operation::Revoke,
    ];

    /// The word in log lines and labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Login => "login",
            Operation::Refresh => "refresh",
            Operation::Logout => "logout",
            Operation::Verify => "verify",
            Operation::ClientCredentials => "client_credentials",
            Operation::Introspect => "introspect",
            Operation::Revoke => "revoke",
        }
    }
}

/// The outcome of a request. The words are stable: alerts depend on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Ok,
    /// A repeated refresh that got the same answer.
    Replayed,
    /// A refresh whose grant had gone back in time; the record caught up.
    CaughtUp,
    /// A logout with a token that had expired or was revoked.
    AlreadyOver,
    /// Unknown application or wrong secret.
    Rejected,
    Frozen,
    /// The token is invalid.
    Refused,
    /// The token is valid, but the allow rules of its application do not cover the call.
    Forbidden,
    /// The refresh token was used before.
    Reused,
    Throttled,
    MissingField,
    InvalidInput,
    TooLarge,
    TooSlow,
    Busy,
    Unavailable,
    NotFound,
    WrongMethod,
    /// Another refusal, of a request for no operation.
    Failed,
    /// The client went away before the answer.
    HungUp,
}

impl Outcome {
    /// In the order of the enum, so that `outcome as usize` is an index.
    pub const ALL: [Outcome; 20] = [
        Outcome::Ok,
        Outcome::Replayed,
        Outcome::CaughtUp,
        Outcome::AlreadyOver,
        Outcome::Rejected,
        Outcome::Frozen,
        Outcome::Refused,
        Outcome::Forbidden,
        Outcome::Reused,
        Outcome::Throttled,
        Outcome::MissingField,
        Outcome::InvalidInput,
        Outcome::TooLarge,
        Outcome::TooSlow,
        Outcome::Busy,
        Outcome::Unavailable,
        Outcome::NotFound,
        Outcome::WrongMethod,
        Outcome::Failed,
        Outcome::HungUp,
    ];

    /// The word in log lines and labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Replayed => "replayed",
            Outcome::CaughtUp => "caught-up",
            Outcome::AlreadyOver => "already-over",
            Outcome::Rejected => "rejected",
            Outcome::Frozen => "frozen",
            Outcome::Refused => "refused",
            Outcome::Forbidden => "forbidden",
            Outcome::Reused => "reused",
            Outcome::Throttled => "throttled",
            Outcome::MissingField => "missing-field",
            Outcome::InvalidInput => "invalid-input",
            Outcome::TooLarge => "too-large",
            Outcome::TooSlow => "too-slow",
            Outcome::Busy => "busy",
            Outcome::Unavailable => "unavailable",
            Outcome::NotFound => "not-found",
            Outcome::WrongMethod => "wrong-method",
            Outcome::Failed => "failed",
            Outcome::HungUp => "hung-up",
        }
    }

    /// The outcome of an answer whose handler states none.
    pub(super) fn of(status: StatusCode) -> Outcome {
        match status {
            StatusCode::NOT_FOUND => Outcome::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Outcome::WrongMethod,
            _ if status.is_success() => Outcome::Ok,
            _ => Outcome::Failed,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_at_its_own_index() {
        assert!(Operation::ALL.iter().enumerate().all(|(index, operation)| *operation as usize == index));
        assert!(Outcome::ALL.iter().enumerate().all(|(index, outcome)| *outcome as usize == index));
        // A missing index reveals a word that was added to the end of the enum alone.
        assert_eq!(Outcome::HungUp as usize + 1, Outcome::ALL.len());
    }
}

//! The words for what was asked and what became of it, the same in the log and in the metrics.

use std::fmt;

use axum::http::StatusCode;

/// What applications and gateways ask for.
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

    /// The word for it in the log and in labels.
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

/// What became of a request. The words are stable: alerts are built on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Ok,
    /// A refresh that was answered before and got the same answer.
    Replayed,
    /// A refresh that moved a grant forward which had gone back in time.
    CaughtUp,
    /// A logout of a token that was over.
    AlreadyOver,
    /// Unknown application or wrong secret.
    Rejected,
    Frozen,
    /// The token is not good.
    Refused,
    /// The token is good, and the allow rules of its application do not cover the call.
    Forbidden,
    /// The refresh token was used up before.
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
    /// Some other refusal, of a request that is none of the operations.
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

    /// The word for it in the log and in labels.
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

    /// What an answer tells of itself where nobody said more.
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
        // A word added to the end of the enum alone would be found by its missing index.
        assert_eq!(Outcome::HungUp as usize + 1, Outcome::ALL.len());
    }
}

//! Assertion: a client shows who it is by a statement that it has signed for us and that is good once (RFC 7523 §3).

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};

use crate::app_id::AppId;
use crate::application::Application;
use crate::clock::Timestamp;
use crate::credential::{self, AssertionAlgorithm, CredentialKind};

/// How long an assertion is accepted: its `jti` has to be remembered for as long. Clients make one for each request.
pub const MAX_LIFETIME: Duration = Duration::from_secs(300);

/// Tolerated clock skew: how much the clock of a client may differ from ours, either way.
pub const SKEW: Duration = Duration::from_secs(30);

/// Assertions of one application that are remembered at once: some 180 a second, each for the limit and the skew on both sides.
pub const MAX_ASSERTIONS: usize = 65_536;

/// An assertion as the edge has taken it apart; nothing of it is checked yet.
#[derive(Clone, Debug)]
pub struct Assertion {
    pub algorithm: AssertionAlgorithm,
    /// What is signed, and the signature.
    pub signed: Vec<u8>,
    pub signature: Vec<u8>,
    pub issuer: String,
    pub subject: String,
    /// Exactly one: an assertion for several servers could be replayed by one of them at another (RFC 7523bis, FAPI 2.0).
    pub audience: String,
    pub expires_at: Timestamp,
    pub issued_at: Option<Timestamp>,
    pub not_before: Option<Timestamp>,
    /// What makes it one of its kind (`jti`).
    pub id: String,
}

/// Why a credential does not authenticate its client. Apart from [`AuthFailure::Replayed`], which only a client with a good signature
/// reaches, each depends on the request alone or is the same for an unknown client: a stranger may hear which one it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthFailure {
    #[error("the assertion is not signed by a registered key of the application")]
    Signature,
    #[error("the assertion is about another client or made by one")]
    Subject,
    #[error("the assertion is meant for another server or endpoint")]
    Audience,
    #[error("the assertion has expired")]
    Expired,
    #[error("the assertion was issued more than {}s ago", MAX_LIFETIME.as_secs())]
    TooOld,
    #[error("the assertion was issued in the future")]
    FromFuture,
    #[error("the assertion lasts longer than {}s from now and does not say when it was issued", MAX_LIFETIME.as_secs())]
    TooLong,
    #[error("the assertion is not good yet")]
    NotYet,
    #[error("the assertion was used before")]
    Replayed,
    #[error("the connection has no certificate")]
    NoCertificate,
    #[error("the certificate, or a name in it, is not registered for the application")]
    Certificate,
}

impl Assertion {
    /// Whether `application`, if there is one, made this for one of `audiences`.
    ///
    /// The claims come first: what is wrong in them shows in the request itself. The signature comes last, with the same
    /// effort and the same outcome whether or not the application exists or has a key.
    pub(crate) fn check(
        &self,
        app: &AppId,
        application: Option<&Application>,
        audiences: &[String],
        now: Timestamp,
    ) -> Result<(), AuthFailure> {
        if self.issuer != app.as_str() || self.subject != app.as_str() {
            return Err(AuthFailure::Subject);
        }
        if !audiences.contains(&self.audience) {
            return Err(AuthFailure::Audience);
        }
        self.check_times(now)?;
        if self.is_signed_by(application) { Ok(()) } else { Err(AuthFailure::Signature) }
    }

    /// Libraries set `exp` as they like, some an hour ahead; with `iat` the age limits it instead.
    fn check_times(&self, now: Timestamp) -> Result<(), AuthFailure> {
        if now >= self.expires_at.plus(SKEW) {
            return Err(AuthFailure::Expired);
        }
        match self.issued_at {
            Some(issued_at) if issued_at > now.plus(SKEW) => return Err(AuthFailure::FromFuture),
            Some(_) if now >= self.forget_at() => return Err(AuthFailure::TooOld),
            None if self.expires_at > now.plus(MAX_LIFETIME + SKEW) => return Err(AuthFailure::TooLong),
            Some(_) | None => {}
        }
        if self.not_before.is_some_and(|begin| begin > now.plus(SKEW)) {
            return Err(AuthFailure::NotYet);
        }
        Ok(())
    }

    fn is_signed_by(&self, application: Option<&Application>) -> bool {
        let credentials = application.map_or(&[][..], |application| &application.credentials);
        let mut keys = credentials.iter().filter_map(|credential| match &credential.kind {
            CredentialKind::Key(key) => Some(key).filter(|key| key.fits(self.algorithm)),
            CredentialKind::Certificate(_) | CredentialKind::Name(_) => None,
        });
        let Some(first) = keys.next() else {
            credential::burn(self.algorithm, &self.signed, &self.signature);
            return false;
        };
        let mut keys = std::iter::once(first).chain(keys);
        keys.any(|key| key.verifies(self.algorithm, &self.signed, &self.signature))
    }

    /// What is remembered of it, so that it is good once.
    pub(crate) fn digest(&self) -> [u8; 16] {
        let whole = digest(&SHA256, self.id.as_bytes());
        let mut half = [0; 16];
        half.copy_from_slice(&whole.as_ref()[..16]);
        half
    }

    /// The first moment at which it is not accepted any more, clock skew included: until then its `jti` is remembered.
    pub(crate) fn forget_at(&self) -> Timestamp {
        let by_age = self.issued_at.map_or(Timestamp::MAX, |issued_at| issued_at.plus(MAX_LIFETIME));
        self.expires_at.min(by_age).plus(SKEW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: u64 = 1_000_000;

    fn of(expires_s: u64, issued_s: Option<u64>) -> Assertion {
        let at = |seconds: u64| Timestamp::from_millis(seconds * 1000);
        Assertion {
            algorithm: AssertionAlgorithm::Es256,
            signed: Vec::new(),
            signature: Vec::new(),
            issuer: String::new(),
            subject: String::new(),
            audience: String::new(),
            expires_at: at(expires_s),
            issued_at: issued_s.map(at),
            not_before: None,
            id: String::new(),
        }
    }

    /// Whatever an assertion says of its times, its `jti` must be in the replay memory for as long as the assertion would be
    /// accepted, and that is bounded.
    #[test]
    fn an_assertion_is_never_accepted_after_it_is_forgotten_and_forgotten_in_bounded_time() {
        let seconds = |from: u64| (from..from + 1_000).step_by(10);
        for expires_s in seconds(NOW_S - 400).chain([NOW_S + 86_400, u64::MAX / 1000]) {
            for issued_s in seconds(NOW_S - 400).map(Some).chain([None, Some(0), Some(u64::MAX / 1000)]) {
                let assertion = of(expires_s, issued_s);
                for now_s in seconds(NOW_S - 100) {
                    let now = Timestamp::from_millis(now_s * 1000);
                    if assertion.check_times(now).is_ok() {
                        assert!(assertion.forget_at() > now, "{expires_s} {issued_s:?} at {now_s}");
                        let kept = assertion.forget_at().since(now);
                        assert!(kept <= MAX_LIFETIME + 2 * SKEW, "{expires_s} {issued_s:?} at {now_s}");
                    }
                }
            }
        }
    }
}

//! Client assertions: authentication by a signed, single-use JWT (RFC 7523 §3).

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};

use crate::app_id::AppId;
use crate::application::Application;
use crate::clock::Timestamp;
use crate::credential::{self, AssertionAlgorithm, CredentialKind};

/// The longest validity of an assertion; its `jti` stays in the replay cache for as long. Clients make one for each request.
pub const MAX_LIFETIME: Duration = Duration::from_secs(300);

/// Tolerated clock skew: how much the clock of a client may differ from ours, either way.
pub const SKEW: Duration = Duration::from_secs(30);

/// The most recorded assertions of one application: some 180 a second, each kept for the limit and the skew on both sides.
pub const MAX_ASSERTIONS: usize = 65_536;

/// An assertion as the edge has parsed it; nothing is checked yet.
#[derive(Clone, Debug)]
pub struct Assertion {
    pub algorithm: AssertionAlgorithm,
    /// The signing input (RFC 7515 §5.1).
    pub signed: Vec<u8>,
    pub signature: Vec<u8>,
    pub issuer: String,
    pub subject: String,
    /// Exactly one: an assertion for several servers could be replayed by one of them at another (RFC 7523bis, FAPI 2.0).
    pub audience: String,
    pub expires_at: Timestamp,
    pub issued_at: Option<Timestamp>,
    pub not_before: Option<Timestamp>,
    /// The unique identifier (`jti`).
    pub id: String,
}

/// Reason why a credential does not authenticate its client. Each depends on the request alone, or is the same for an unknown
/// client, so that the answer may name it. Only [`AuthFailure::Replayed`] needs a valid signature first.
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
    #[error("the assertion is not valid yet")]
    NotYet,
    #[error("the assertion was used before")]
    Replayed,
    #[error("the connection has no certificate")]
    NoCertificate,
    #[error("the certificate, or a name in it, is not registered for the application")]
    Certificate,
}

impl Assertion {
    /// Checks the assertion against the keys of `application`, if it exists, and against `audiences`.
    ///
    /// The claims come first: a fault in them shows in the request itself. The signature comes last, with the same effort and the
    /// same outcome whether or not the application exists or has a key.
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

    /// Limits the age by `iat` where it is present: libraries set `exp` as they like, some an hour ahead.
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

    /// The digest under which its single use is recorded.
    pub(crate) fn digest(&self) -> [u8; 16] {
        let whole = digest(&SHA256, self.id.as_bytes());
        let mut half = [0; 16];
        half.copy_from_slice(&whole.as_ref()[..16]);
        half
    }

    /// The first moment at which the assertion is rejected as expired, clock skew included; until then its `jti` is kept.
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

    /// Whatever times an assertion claims, its `jti` stays in the replay cache for as long as the assertion is accepted, and that
    /// time is bounded.
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

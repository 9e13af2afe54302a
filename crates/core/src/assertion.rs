//! Assertion: a client shows who it is by a statement that it has signed for us and that is good once (RFC 7523 §3).

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};

use crate::application::{AppId, Application};
use crate::clock::Timestamp;
use crate::credential::{self, Algorithm, CredentialKind};

/// How far ahead an assertion may end: it has to be remembered until then. Clients make one for each request.
pub const MAX_LIFETIME: Duration = Duration::from_secs(300);

/// How much the clock of a client may differ from ours.
pub const SKEW: Duration = Duration::from_secs(30);

/// Assertions of one application that are remembered at once: more than two hundred a second for as long as one may last.
pub const MAX_SPENT: usize = 65_536;

/// An assertion as the edge has taken it apart; nothing of it is checked yet.
#[derive(Clone, Debug)]
pub struct Assertion {
    pub algorithm: Algorithm,
    /// What is signed, and the signature.
    pub signed: Vec<u8>,
    pub signature: Vec<u8>,
    pub issuer: String,
    pub subject: String,
    pub audiences: Vec<String>,
    pub expires_at: Timestamp,
    pub not_before: Option<Timestamp>,
    /// What makes it one of its kind (`jti`).
    pub id: String,
}

/// Why a credential does not show that a caller is the application. For the log: the client hears only that it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    #[error("the assertion is not signed by a registered key of the application")]
    Signature,
    #[error("the assertion is about another client or made by one")]
    Subject,
    #[error("the assertion is meant for another server")]
    Audience,
    #[error("the assertion has expired")]
    Expired,
    #[error("the assertion lasts longer than {}s from now", MAX_LIFETIME.as_secs())]
    TooLong,
    #[error("the assertion is not good yet")]
    NotYet,
    #[error("the assertion was used before")]
    Spent,
    #[error("the connection has no certificate")]
    NoCertificate,
    #[error("the certificate, or a name in it, is not registered for the application")]
    Certificate,
}

impl Assertion {
    /// Whether `application`, if there is one, said this to one of `audiences`. The signature is looked at first, and with
    /// the same effort whether or not there is a key to look with.
    pub(crate) fn check(
        &self,
        app: &AppId,
        application: Option<&Application>,
        audiences: &[String],
        now: Timestamp,
    ) -> Result<(), Flaw> {
        if !self.is_signed_by(application) {
            return Err(Flaw::Signature);
        }
        if self.issuer != app.as_str() || self.subject != app.as_str() {
            return Err(Flaw::Subject);
        }
        if !self.audiences.iter().any(|audience| audiences.contains(audience)) {
            return Err(Flaw::Audience);
        }
        if now >= self.expires_at.plus(SKEW) {
            return Err(Flaw::Expired);
        }
        if self.expires_at > now.plus(MAX_LIFETIME + SKEW) {
            return Err(Flaw::TooLong);
        }
        if self.not_before.is_some_and(|begin| now.plus(SKEW) < begin) {
            return Err(Flaw::NotYet);
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

    /// Until when it is remembered.
    pub(crate) fn forget_at(&self) -> Timestamp {
        self.expires_at.plus(SKEW)
    }
}

//! Secrets of applications: creation, storage as digests, and comparison. Their text is never stored or printed.

mod hashing;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_lc_rs::constant_time;
use smallvec::SmallVec;

use crate::app_id::AppId;
use crate::clock::Timestamp;
use crate::mac::MacKey;
use crate::random;
use crate::text::{TextError, check_text};

pub use hashing::{Busy, Hashing};

/// The most live and retired secrets of one application. Two are in use while one replaces the other.
pub const MAX_SECRETS: usize = 8;

/// Resolution of a secret's last use, so that not every request causes a write.
const USE_RESOLUTION: Duration = Duration::from_secs(600);

/// The text of a secret, as a client presents it or as the server hands it out once. It cannot be printed or compared.
pub struct SecretText(Box<str>);

impl SecretText {
    /// Parses a secret of 1 to 256 printable characters.
    pub fn parse(text: &str) -> Result<SecretText, TextError> {
        check_text(text)?;
        Ok(SecretText(text.into()))
    }

    /// A new secret of 256 random bits. `ngs_` lets scanners for leaked credentials find it.
    pub fn random() -> SecretText {
        SecretText(format!("ngs_{}", random::text::<43>()).into())
    }

    /// The text, for the one answer that shows it to the operator.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText")
    }
}

/// The key of secret digests. It lives in the keyring, so that a stolen database does not even allow offline guessing.
pub struct Pepper(MacKey);

impl Pepper {
    /// The pepper with these bytes.
    pub fn new(bytes: &[u8; 32]) -> Pepper {
        Pepper(MacKey::new(bytes))
    }

    /// HMAC-SHA-256 over the appId and the secret: two applications with one secret have two digests.
    pub fn digest(&self, app: &AppId, secret: &SecretText) -> Digest {
        // No appId contains NUL, so that the two texts cannot run into each other.
        Digest(self.0.tag(&[app.as_str().as_bytes(), &[0], secret.0.as_bytes()]))
    }
}

/// The stored digest of a secret. Compared in constant time only.
#[derive(Clone, Copy)]
pub struct Digest([u8; 32]);

impl Digest {
    /// A digest from the store.
    pub fn from_bytes(bytes: [u8; 32]) -> Digest {
        Digest(bytes)
    }

    /// The bytes for the store.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Constant-time comparison.
    pub fn matches(&self, other: &Digest) -> bool {
        constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

/// Placeholder for the digest of an erased secret: no secret has it.
const ERASED: Digest = Digest([0; 32]);

/// The stored form of a secret.
#[derive(Clone)]
pub enum Kept {
    /// An allocated secret: random, so that a fast digest is enough.
    Digest(Digest),
    /// An imported secret, perhaps weak: Argon2id as a PHC string.
    Argon2id(String),
}

/// Identifies a secret within its application, counting from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretId(pub u32);

/// The secrets of an application. Nearly all have one or two, and each login and refresh reads them.
pub type Secrets = SmallVec<[Arc<Secret>; 2]>;

/// A secret of an application.
pub struct Secret {
    pub id: SecretId,
    /// The operator's name for it.
    pub label: String,
    pub created_at: Timestamp,
    /// The time from which it is refused.
    pub retire_at: Option<Timestamp>,
    pub kept: Kept,
    /// Milliseconds since the epoch, 0 for never.
    last_used_at: AtomicU64,
    /// The fast digest of an imported secret after its first successful use, so that Argon2id is paid once.
    remembered: OnceLock<Digest>,
}

impl Secret {
    /// A new secret.
    pub fn new(id: SecretId, label: String, created_at: Timestamp, kept: Kept) -> Secret {
        Secret {
            id,
            label,
            created_at,
            retire_at: None,
            kept,
            last_used_at: AtomicU64::new(0),
            remembered: OnceLock::new(),
        }
    }

    /// A secret from the store.
    pub fn restored(self, retire_at: Option<Timestamp>, last_used_at: Option<Timestamp>) -> Secret {
        let last_used_at = AtomicU64::new(last_used_at.map_or(0, Timestamp::as_millis));
        Secret { retire_at, last_used_at, ..self }
    }

    /// The same secret, refused after `at`.
    pub fn retired(&self, at: Timestamp) -> Secret {
        Secret {
            retire_at: Some(at),
            label: self.label.clone(),
            kept: self.kept.clone(),
            last_used_at: AtomicU64::new(self.last_used_at.load(Ordering::Relaxed)),
            remembered: self.remembered.clone(),
            ..*self
        }
    }

    /// The same secret, refused after `at` by every clock: its digest is erased.
    pub fn erased(&self, at: Timestamp) -> Secret {
        Secret { kept: Kept::Digest(ERASED), remembered: OnceLock::new(), ..self.retired(at) }
    }

    /// Whether its digest is erased.
    pub fn is_erased(&self) -> bool {
        matches!(&self.kept, Kept::Digest(digest) if digest.matches(&ERASED))
    }

    /// Whether it authenticates at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.retire_at.is_none_or(|at| now < at)
    }

    /// The time of its last successful use.
    pub fn last_used_at(&self) -> Option<Timestamp> {
        match self.last_used_at.load(Ordering::Relaxed) {
            0 => None,
            millis => Some(Timestamp::from_millis(millis)),
        }
    }

    /// Records a successful use, to ten minutes. Returns whether the stored time is out of date.
    pub fn used(&self, now: Timestamp) -> bool {
        let before = self.last_used_at.load(Ordering::Relaxed);
        let before = Timestamp::from_millis(before);
        let is_news = now.since(before) >= USE_RESOLUTION || before.is_ahead_of(now);
        if is_news {
            self.last_used_at.store(now.as_millis(), Ordering::Relaxed);
        }
        is_news
    }

    /// Whether it was chosen elsewhere, perhaps by people, and may be guessable.
    pub fn is_imported(&self) -> bool {
        matches!(self.kept, Kept::Argon2id(_))
    }

    /// The fast digest; `None` for an imported secret that was never presented.
    pub fn digest(&self) -> Option<&Digest> {
        match &self.kept {
            Kept::Digest(digest) => Some(digest),
            Kept::Argon2id(_) => self.remembered.get(),
        }
    }

    /// Caches the fast digest of an imported secret that Argon2id has verified.
    pub fn remember(&self, digest: Digest) {
        // Two requests may verify it at once; both cache the same digest.
        let _ = self.remembered.set(digest);
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("id", &self.id).field("label", &self.label).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(id: &str) -> AppId {
        AppId::parse(id).expect("an appId")
    }

    #[test]
    fn a_digest_depends_on_the_secret_the_application_and_the_pepper() {
        let secret = SecretText::parse("s").expect("a secret");
        let digest = Pepper::new(&[1; 32]).digest(&app("a"), &secret);
        assert!(digest.matches(&Pepper::new(&[1; 32]).digest(&app("a"), &secret)));
        assert!(!digest.matches(&Pepper::new(&[1; 32]).digest(&app("b"), &secret)));
        assert!(!digest.matches(&Pepper::new(&[2; 32]).digest(&app("a"), &secret)));
        let other = SecretText::parse("t").expect("a secret");
        assert!(!digest.matches(&Pepper::new(&[1; 32]).digest(&app("a"), &other)));
    }

    #[test]
    fn an_allocated_secret_needs_no_encoding_and_does_not_print() {
        let secret = SecretText::random();
        assert_eq!(secret.reveal().len(), 47);
        assert!(secret.reveal().chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
        assert_eq!(format!("{secret:?}"), "SecretText");
    }

    #[test]
    fn every_character_of_a_long_secret_counts() {
        let pepper = Pepper::new(&[1; 32]);
        for length in [1, 72, 73, 255, 256] {
            let text = "x".repeat(length - 1);
            let (a, b) = (SecretText::parse(&(text.clone() + "a")), SecretText::parse(&(text + "b")));
            let (a, b) = (a.expect("a secret"), b.expect("a secret"));
            assert!(!pepper.digest(&app("a"), &a).matches(&pepper.digest(&app("a"), &b)), "{length}");
        }
        assert_eq!(SecretText::parse(&"x".repeat(257)).err(), Some(TextError::TooLong));
    }
}

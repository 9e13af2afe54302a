//! Secrets of applications: how they are made, kept and compared. The text of one is never stored or printed.

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

/// Live and retired secrets that one application can have. Two are in use while one replaces the other.
pub const MAX_SECRETS: usize = 8;

/// How exactly the last use of a secret is known: what is used on every request is not written on every request.
const USE_RESOLUTION: Duration = Duration::from_secs(600);

/// The text of a secret, as an application presents it or as we hand it out once. It cannot be printed or compared.
pub struct SecretText(Box<str>);

impl SecretText {
    /// The secret that `text` is: 1 to 256 printable characters.
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

/// The key under which secrets are digested. It lives in the keyring, so that a stolen database does not even allow
/// guessing.
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

/// What we keep of a secret. Compared in constant time only.
#[derive(Clone, Copy)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest with these bytes, as a store kept them.
    pub fn from_bytes(bytes: [u8; 32]) -> Digest {
        Digest(bytes)
    }

    /// The bytes for the store.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether both are digests of the same secret; takes the same time whatever they hold.
    pub fn matches(&self, other: &Digest) -> bool {
        constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

/// In place of the digest of a secret that was erased: no secret has it.
const ERASED: Digest = Digest([0; 32]);

/// How a secret is kept.
#[derive(Clone)]
pub enum Kept {
    /// An allocated secret: random, so that a fast digest is enough.
    Digest(Digest),
    /// An imported secret, perhaps weak: Argon2id as a PHC string.
    Argon2id(String),
}

/// Names a secret within its application, counting from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretId(pub u32);

/// The secrets of an application. Nearly all have one or two, which each login and refresh looks at.
pub type Secrets = SmallVec<[Arc<Secret>; 2]>;

/// One of an application's secrets.
pub struct Secret {
    pub id: SecretId,
    /// What the operator calls it.
    pub label: String,
    pub created_at: Timestamp,
    /// From when on it is refused.
    pub retire_at: Option<Timestamp>,
    pub kept: Kept,
    /// Milliseconds since the epoch, 0 for never.
    last_used_at: AtomicU64,
    /// The fast digest of an imported secret, once it was presented, so that Argon2id is paid once.
    remembered: OnceLock<Digest>,
}

impl Secret {
    /// A secret as it was created.
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

    /// A secret as a store kept it.
    pub fn restored(self, retire_at: Option<Timestamp>, last_used_at: Option<Timestamp>) -> Secret {
        let last_used_at = AtomicU64::new(last_used_at.map_or(0, Timestamp::as_millis));
        Secret { retire_at, last_used_at, ..self }
    }

    /// The same secret, refused from `at` on.
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

    /// The same secret, refused from `at` on by whatever clock: what it could be compared with is gone.
    pub fn erased(&self, at: Timestamp) -> Secret {
        Secret { kept: Kept::Digest(ERASED), remembered: OnceLock::new(), ..self.retired(at) }
    }

    /// Whether there is nothing to compare it with any more.
    pub fn is_erased(&self) -> bool {
        matches!(&self.kept, Kept::Digest(digest) if digest.matches(&ERASED))
    }

    /// Whether it opens the door at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.retire_at.is_none_or(|at| now < at)
    }

    /// When it last opened the door.
    pub fn last_used_at(&self) -> Option<Timestamp> {
        match self.last_used_at.load(Ordering::Relaxed) {
            0 => None,
            millis => Some(Timestamp::from_millis(millis)),
        }
    }

    /// Records that it opened the door, to ten minutes. Tells whether that is news.
    pub fn used(&self, now: Timestamp) -> bool {
        let before = self.last_used_at.load(Ordering::Relaxed);
        let before = Timestamp::from_millis(before);
        let is_news = now.since(before) >= USE_RESOLUTION || before.is_ahead_of(now);
        if is_news {
            self.last_used_at.store(now.as_millis(), Ordering::Relaxed);
        }
        is_news
    }

    /// Whether it was chosen elsewhere, perhaps by people, so that it may be guessed.
    pub fn is_imported(&self) -> bool {
        matches!(self.kept, Kept::Argon2id(_))
    }

    /// The digest to compare a presented one with; `None` for an imported secret that nobody presented yet.
    pub fn digest(&self) -> Option<&Digest> {
        match &self.kept {
            Kept::Digest(digest) => Some(digest),
            Kept::Argon2id(_) => self.remembered.get(),
        }
    }

    /// Remembers the fast digest of an imported secret that Argon2id found to be right.
    pub fn remember(&self, digest: Digest) {
        // Two requests may find it out at once; both remember the same.
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

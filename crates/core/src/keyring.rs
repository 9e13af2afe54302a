//! The keyring: the keys that authenticate tokens, and the pepper of secrets.
//!
//! A key is published before it is used: by then every node and every offline verifier knows it. At any time one key is current;
//! earlier ones retire when their last token has expired.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::time::Duration;

use aws_lc_rs::hkdf;

use crate::clock::Timestamp;
use crate::key_id::KeyId;
use crate::mac::MacKey;
use crate::random;
use crate::secret::Pepper;
use crate::signing::{Algorithm, SigningKey};

/// 32 secret bytes without `Debug` and `Display`.
#[derive(Clone)]
pub struct KeyBytes([u8; 32]);

impl KeyBytes {
    /// New key bytes.
    pub fn random() -> KeyBytes {
        KeyBytes(random::bytes())
    }

    /// Key bytes from the keyring file.
    pub fn from_bytes(bytes: [u8; 32]) -> KeyBytes {
        KeyBytes(bytes)
    }

    /// The bytes, for the keyring file.
    pub fn reveal(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The stored form of a key.
#[derive(Clone)]
pub struct KeyRecord {
    pub id: KeyId,
    pub created_at: Timestamp,
    /// The time of its first use. Every node knows the key before.
    pub use_from: Timestamp,
    /// The expiry of its last token; `None` for the newest key.
    pub retire_at: Option<Timestamp>,
    pub bytes: KeyBytes,
}

/// The content of the keyring file.
#[derive(Clone)]
pub struct KeyringRecord {
    pub pepper: KeyBytes,
    /// Exactly one, the newest, without `retire_at`; at most [`MAX_KEYS`].
    pub keys: Vec<KeyRecord>,
}

/// The most live keys: it bounds how often a keyring can rotate within the longest token lifetime.
pub const MAX_KEYS: usize = 64;

/// Reason why a record is not a keyring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    #[error("it has {0} keys without retire_at and must have exactly one")]
    Newest(usize),
    #[error("two of its keys have the id {}", .0.0)]
    DuplicateId(KeyId),
    #[error("it has {0} keys and may have at most {MAX_KEYS}; wait until one is retired")]
    TooMany(usize),
    #[error("the key ids are used up")]
    UsedUp,
}

/// The keyring ready for use. Key bytes are used through derived keys only (RFC 5869), one for each purpose.
pub struct Keyring {
    record: KeyringRecord,
    pepper: Pepper,
    /// The newest first.
    keys: Vec<Key>,
}

/// A key with its derived keys.
struct Key {
    id: KeyId,
    use_from: Timestamp,
    retire_at: Option<Timestamp>,
    mac: MacKey,
    ticket_seed: [u8; 32],
    signing: [SigningKey; 2],
}

/// Seed of the keys for TLS session tickets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TicketSeed {
    /// The time from which tickets are sealed under it.
    pub use_from: Timestamp,
    pub bytes: [u8; 32],
}

impl KeyringRecord {
    /// A keyring for a new installation.
    pub fn random(now: Timestamp) -> KeyringRecord {
        KeyringRecord { pepper: KeyBytes(random::bytes()), keys: vec![KeyRecord::random(KeyId(1), now, now)] }
    }

    /// The keyring with a new key, in use `lead` after `now`. The previous key retires when its last token has expired,
    /// `longest_lifetime` later; retired keys are dropped.
    pub fn rotated(
        &self,
        now: Timestamp,
        lead: Duration,
        longest_lifetime: Duration,
    ) -> Result<KeyringRecord, KeyringError> {
        let last = self.keys.iter().map(|key| key.id.0).max().unwrap_or(0);
        let id = KeyId(last.checked_add(1).ok_or(KeyringError::UsedUp)?);
        let use_from = now.plus(lead);
        let mut keys: Vec<KeyRecord> =
            self.keys.iter().filter(|key| key.retire_at.is_none_or(|at| now < at)).cloned().collect();
        for key in &mut keys {
            key.retire_at.get_or_insert(use_from.plus(longest_lifetime));
        }
        keys.push(KeyRecord::random(id, now, use_from));
        if keys.len() > MAX_KEYS {
            return Err(KeyringError::TooMany(keys.len()));
        }
        Ok(KeyringRecord { pepper: self.pepper.clone(), keys })
    }
}

impl KeyRecord {
    fn random(id: KeyId, created_at: Timestamp, use_from: Timestamp) -> KeyRecord {
        KeyRecord { id, created_at, use_from, retire_at: None, bytes: KeyBytes(random::bytes()) }
    }
}

impl Keyring {
    /// The keyring of `record`.
    pub fn new(record: KeyringRecord) -> Result<Keyring, KeyringError> {
        let newest = record.keys.iter().filter(|key| key.retire_at.is_none()).count();
        if newest != 1 {
            return Err(KeyringError::Newest(newest));
        }
        if record.keys.len() > MAX_KEYS {
            return Err(KeyringError::TooMany(record.keys.len()));
        }
        let mut keys: Vec<Key> = record.keys.iter().map(Key::new).collect();
        keys.sort_by_key(|key| Reverse(key.id));
        if let Some(pair) = keys.windows(2).find(|pair| pair[0].id == pair[1].id) {
            return Err(KeyringError::DuplicateId(pair[0].id));
        }
        Ok(Keyring { pepper: Pepper::new(&record.pepper.0), keys, record })
    }

    /// The content for the keyring file.
    pub fn record(&self) -> &KeyringRecord {
        &self.record
    }

    /// The key of secret digests.
    pub fn pepper(&self) -> &Pepper {
        &self.pepper
    }

    /// The id of the key that issues tokens at `now`.
    pub fn current_id(&self, now: Timestamp) -> KeyId {
        self.in_use(now).id
    }

    /// The key that issues tokens at `now`.
    pub(crate) fn current(&self, now: Timestamp) -> (KeyId, &MacKey) {
        let key = self.in_use(now);
        (key.id, &key.mac)
    }

    /// The key with this id, current or not. A retired key authenticates nothing: all its tokens have expired.
    pub(crate) fn find(&self, id: KeyId) -> Option<&MacKey> {
        self.keys.iter().find(|key| key.id == id).map(|key| &key.mac)
    }

    /// The key that signs new tokens at `now`.
    pub fn signing(&self, algorithm: Algorithm, now: Timestamp) -> &SigningKey {
        self.in_use(now).signing(algorithm)
    }

    /// The published key with this `kid`.
    pub fn signing_key(&self, kid: &str) -> Option<&SigningKey> {
        self.keys.iter().flat_map(|key| &key.signing).find(|key| key.kid() == kid)
    }

    /// The keys of an algorithm whose tokens are or will be valid at `now` or later, the newest first.
    pub fn published(&self, algorithm: Algorithm, now: Timestamp) -> impl Iterator<Item = &SigningKey> {
        let live = self.keys.iter().filter(move |key| key.retire_at.is_none_or(|at| now < at));
        live.map(move |key| key.signing(algorithm))
    }

    /// Seeds of the keys for TLS session tickets, the newest first: any node with this keyring resumes another's sessions.
    pub fn ticket_seeds(&self) -> Vec<TicketSeed> {
        self.keys.iter().map(|key| TicketSeed { use_from: key.use_from, bytes: key.ticket_seed }).collect()
    }

    /// The newest key whose time has come. By a wrong clock it may have come for none: then the oldest.
    fn in_use(&self, now: Timestamp) -> &Key {
        let oldest = self.keys.len() - 1;
        self.keys.iter().find(|key| key.use_from <= now).unwrap_or(&self.keys[oldest])
    }
}

impl Key {
    fn new(record: &KeyRecord) -> Key {
        Key {
            id: record.id,
            use_from: record.use_from,
            retire_at: record.retire_at,
            mac: MacKey::new(&derive(&record.bytes, b"northgate token v1")),
            ticket_seed: derive(&record.bytes, b"northgate tls ticket v1"),
            signing: Algorithm::ALL.map(|algorithm| {
                SigningKey::derive(record.id, algorithm, |purpose| derive(&record.bytes, purpose))
            }),
        }
    }

    fn signing(&self, algorithm: Algorithm) -> &SigningKey {
        let [ed25519, p256] = &self.signing;
        match algorithm {
            Algorithm::EdDsa => ed25519,
            Algorithm::Es256 => p256,
        }
    }
}

/// HKDF-SHA-256 (RFC 5869) of a key for one purpose.
fn derive(key: &KeyBytes, purpose: &[u8]) -> [u8; 32] {
    let mut derived = [0; 32];
    let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, b"northgate").extract(&key.0);
    let info = [purpose];
    let okm = extracted.expand(&info, hkdf::HKDF_SHA256).expect("32 bytes are within HKDF's bound");
    okm.fill(&mut derived).expect("the buffer has the length asked for");
    derived
}

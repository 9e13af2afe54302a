//! The keyring: the keys that authenticate tokens, one current and some retiring, and the pepper of secrets.

use std::time::Duration;

use aws_lc_rs::hkdf;

use crate::clock::Timestamp;
use crate::mac::MacKey;
use crate::random;
use crate::secret::Pepper;

/// Names a key within the keyring; every token carries the id of the key that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub u16);

/// 32 secret bytes that do not print.
#[derive(Clone)]
pub struct KeyBytes([u8; 32]);

impl KeyBytes {
    /// New key bytes.
    pub fn random() -> KeyBytes {
        KeyBytes(random::bytes())
    }

    /// The key bytes with this content, as the keyring file has them.
    pub fn from_bytes(bytes: [u8; 32]) -> KeyBytes {
        KeyBytes(bytes)
    }

    /// The content, for the keyring file.
    pub fn reveal(&self) -> &[u8; 32] {
        &self.0
    }
}

/// One key as it is kept.
#[derive(Clone)]
pub struct KeyRecord {
    pub id: KeyId,
    pub created_at: Timestamp,
    /// When the last token that it made has expired; `None` for the current key.
    pub retire_at: Option<Timestamp>,
    pub bytes: KeyBytes,
}

/// All that the keyring file holds.
#[derive(Clone)]
pub struct KeyringRecord {
    pub pepper: KeyBytes,
    /// Exactly one without `retire_at`; at most [`MAX_KEYS`].
    pub keys: Vec<KeyRecord>,
}

/// Keys that can be live at once: the bound on how often one can rotate within the longest token lifetime.
pub const MAX_KEYS: usize = 64;

/// Why a record is no keyring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    #[error("it has {0} current keys (keys without retire_at) and must have exactly one")]
    Current(usize),
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
    current: usize,
    macs: Vec<(KeyId, MacKey)>,
}

impl KeyringRecord {
    /// A keyring for a new installation.
    pub fn random(now: Timestamp) -> KeyringRecord {
        let first =
            KeyRecord { id: KeyId(1), created_at: now, retire_at: None, bytes: KeyBytes(random::bytes()) };
        KeyringRecord { pepper: KeyBytes(random::bytes()), keys: vec![first] }
    }

    /// This keyring with a new current key. The one before retires when the last token that it made has expired,
    /// `longest_lifetime` from `now`; keys whose time is over are dropped.
    pub fn rotated(&self, now: Timestamp, longest_lifetime: Duration) -> Result<KeyringRecord, KeyringError> {
        let last = self.keys.iter().map(|key| key.id.0).max().unwrap_or(0);
        let id = KeyId(last.checked_add(1).ok_or(KeyringError::UsedUp)?);
        let mut keys: Vec<KeyRecord> =
            self.keys.iter().filter(|key| key.retire_at.is_none_or(|at| now < at)).cloned().collect();
        for key in &mut keys {
            key.retire_at.get_or_insert(now.plus(longest_lifetime));
        }
        keys.push(KeyRecord { id, created_at: now, retire_at: None, bytes: KeyBytes(random::bytes()) });
        if keys.len() > MAX_KEYS {
            return Err(KeyringError::TooMany(keys.len()));
        }
        Ok(KeyringRecord { pepper: self.pepper.clone(), keys })
    }
}

impl Keyring {
    /// The keyring of `record`.
    pub fn new(record: KeyringRecord) -> Result<Keyring, KeyringError> {
        let currents = record.keys.iter().filter(|key| key.retire_at.is_none()).count();
        if currents != 1 {
            return Err(KeyringError::Current(currents));
        }
        if record.keys.len() > MAX_KEYS {
            return Err(KeyringError::TooMany(record.keys.len()));
        }
        let mut macs: Vec<(KeyId, MacKey)> = Vec::with_capacity(record.keys.len());
        for key in &record.keys {
            if macs.iter().any(|(id, _)| *id == key.id) {
                return Err(KeyringError::DuplicateId(key.id));
            }
            let derived = derive(&key.bytes, b"northgate token v1");
            macs.push((key.id, MacKey::new(&derived)));
        }
        let current = record.keys.iter().position(|key| key.retire_at.is_none()).unwrap_or(0);
        Ok(Keyring { pepper: Pepper::new(&record.pepper.0), current, macs, record })
    }

    /// What the keyring file holds.
    pub fn record(&self) -> &KeyringRecord {
        &self.record
    }

    /// The key that digests secrets.
    pub fn pepper(&self) -> &Pepper {
        &self.pepper
    }

    /// The key that makes new tokens.
    pub(crate) fn current(&self) -> (KeyId, &MacKey) {
        let (id, mac) = &self.macs[self.current];
        (*id, mac)
    }

    /// The key with this id, current or retiring. A retired key is of no use to anyone: all its tokens have expired.
    pub(crate) fn find(&self, id: KeyId) -> Option<&MacKey> {
        self.macs.iter().find(|(known, _)| *known == id).map(|(_, mac)| mac)
    }

    /// Keys for TLS session tickets, the current one first: any node with this keyring opens another's tickets.
    pub fn ticket_seeds(&self) -> Vec<[u8; 32]> {
        let mut keys: Vec<&KeyRecord> = self.record.keys.iter().collect();
        keys.sort_by_key(|key| key.retire_at.is_some());
        keys.iter().map(|key| derive(&key.bytes, b"northgate tls ticket v1")).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn rotation_keeps_the_old_key_until_its_last_token_has_expired() {
        let born = Timestamp::from_millis(1_000);
        let first = KeyringRecord::random(born);
        let second = first.rotated(born, 30 * DAY).expect("rotated");
        let ids = |record: &KeyringRecord| record.keys.iter().map(|key| key.id.0).collect::<Vec<_>>();
        assert_eq!(ids(&second), [1, 2]);
        assert_eq!(second.keys[0].retire_at, Some(born.plus(30 * DAY)));
        assert_eq!(ids(&second.rotated(born.plus(29 * DAY), DAY).expect("rotated")), [1, 2, 3]);
        assert_eq!(ids(&second.rotated(born.plus(30 * DAY), DAY).expect("rotated")), [2, 3]);
    }

    #[test]
    fn a_keyring_has_exactly_one_current_key() {
        let mut record = KeyringRecord::random(Timestamp::from_millis(0));
        record.keys[0].retire_at = Some(Timestamp::from_millis(1));
        assert_eq!(Keyring::new(record).err(), Some(KeyringError::Current(0)));
    }
}

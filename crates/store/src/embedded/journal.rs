//! The journal of grants. Every entry is absolute, so that replaying a piece of the journal twice, or over newer rows, is
//! idempotent.

use northgate_core::application::AppNumber;
use northgate_core::grant::{Grant, GrantId, GrantKey};
use northgate_core::registry::Revocation;

use super::codec::{Damaged, Reader, put_grant, put_revocation};

/// An event of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// The grant is in this state.
    Put(AppNumber, Grant),
    /// The grant is gone.
    Remove(GrantKey),
    /// The grant's access tokens are revoked.
    Revoke(GrantKey, Revocation),
    /// The application's revocations are gone: a later not-before rejects all tokens that they rejected.
    Clear(AppNumber),
}

const PUT: u8 = 1;
const REMOVE: u8 = 2;
const REVOKE: u8 = 3;
const CLEAR: u8 = 4;

impl Entry {
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        match self {
            Entry::Put(application, grant) => {
                bytes.push(PUT);
                bytes.extend_from_slice(&application.0.to_be_bytes());
                put_grant(bytes, grant);
            }
            Entry::Remove(key) => {
                bytes.push(REMOVE);
                put_key(bytes, *key);
            }
            Entry::Revoke(key, revocation) => {
                bytes.push(REVOKE);
                put_key(bytes, *key);
                put_revocation(bytes, revocation);
            }
            Entry::Clear(application) => {
                bytes.push(CLEAR);
                bytes.extend_from_slice(&application.0.to_be_bytes());
            }
        }
    }

    pub fn decode(reader: &mut Reader<'_>) -> Result<Entry, Damaged> {
        match reader.byte()? {
            PUT => Ok(Entry::Put(AppNumber(reader.u32()?), reader.grant()?)),
            REMOVE => Ok(Entry::Remove(key(reader)?)),
            REVOKE => Ok(Entry::Revoke(key(reader)?, reader.revocation()?)),
            CLEAR => Ok(Entry::Clear(AppNumber(reader.u32()?))),
            _ => Err(Damaged),
        }
    }
}

fn put_key(bytes: &mut Vec<u8>, key: GrantKey) {
    bytes.extend_from_slice(&key.application.0.to_be_bytes());
    bytes.extend_from_slice(&key.id.0.to_be_bytes());
}

fn key(reader: &mut Reader<'_>) -> Result<GrantKey, Damaged> {
    Ok(GrantKey { application: AppNumber(reader.u32()?), id: GrantId(reader.u64()?) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use northgate_core::clock::Timestamp;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_of_a_damaged_file_are_refused_or_read_as_what_they_are_written_from(
            tag in 0..6_u8,
            rest in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let bytes = [vec![tag], rest].concat();
            if let Ok(entry) = Entry::decode(&mut Reader(&bytes)) {
                let mut again = Vec::new();
                entry.encode(&mut again);
                prop_assert_eq!(Entry::decode(&mut Reader(&again)), Ok(entry));
            }
        }
    }

    #[test]
    fn an_entry_reads_as_it_was_written_and_a_torn_one_is_refused() {
        let key = GrantKey { application: AppNumber(7), id: GrantId(u64::MAX - 1) };
        let (t1, t2) = (Timestamp::from_millis(11), Timestamp::from_millis(22));
        let grant = Grant { id: key.id, generation: 3, refreshed_at: t1, expires_at: t2 };
        let revocation = Revocation { ends_at: t1, forget_at: t2 };
        let entries = [
            Entry::Put(key.application, grant),
            Entry::Remove(key),
            Entry::Revoke(key, revocation),
            Entry::Clear(key.application),
        ];
        for entry in entries {
            let mut bytes = Vec::new();
            entry.encode(&mut bytes);
            assert_eq!(Entry::decode(&mut Reader(&bytes)), Ok(entry));
            assert_eq!(Entry::decode(&mut Reader(&bytes[..bytes.len() - 1])), Err(Damaged));
        }
    }
}

//! Grants and revocations as bytes, big-endian, in the `grants` table and in the journal.

use northgate_core::clock::Timestamp;
use northgate_core::grant::{Grant, GrantId};
use northgate_core::registry::Revocation;

/// The bytes do not decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a row of the database is damaged")]
pub(crate) struct Damaged;

pub(crate) fn put_grant(bytes: &mut Vec<u8>, grant: &Grant) {
    bytes.extend_from_slice(&grant.id.0.to_be_bytes());
    bytes.extend_from_slice(&grant.generation.to_be_bytes());
    put_time(bytes, grant.refreshed_at);
    put_time(bytes, grant.expires_at);
}

pub(crate) fn put_revocation(bytes: &mut Vec<u8>, revocation: &Revocation) {
    put_time(bytes, revocation.ends_at);
    put_time(bytes, revocation.forget_at);
}

fn put_time(bytes: &mut Vec<u8>, time: Timestamp) {
    bytes.extend_from_slice(&time.as_millis().to_be_bytes());
}

/// Decoder that reads values from the front of a slice.
pub(crate) struct Reader<'a>(pub &'a [u8]);

impl Reader<'_> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> Result<u8, Damaged> {
        self.take().map(|[byte]| byte)
    }

    pub fn u32(&mut self) -> Result<u32, Damaged> {
        self.take().map(u32::from_be_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, Damaged> {
        self.take().map(u64::from_be_bytes)
    }

    pub fn grant(&mut self) -> Result<Grant, Damaged> {
        Ok(Grant {
            id: GrantId(self.u64()?),
            generation: self.u32()?,
            refreshed_at: self.time()?,
            expires_at: self.time()?,
        })
    }

    pub fn revocation(&mut self) -> Result<Revocation, Damaged> {
        Ok(Revocation { ends_at: self.time()?, forget_at: self.time()? })
    }

    fn time(&mut self) -> Result<Timestamp, Damaged> {
        self.u64().map(Timestamp::from_millis)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Damaged> {
        let (head, rest) = self.0.split_first_chunk().ok_or(Damaged)?;
        self.0 = rest;
        Ok(*head)
    }
}

//! Session tickets that every node with the same keyring can resume (RFC 5077 §4; RFC 8446 §4.6.1).

use std::fmt;
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use northgate_core::clock::Timestamp;
use northgate_core::keyring::TicketSeed;
use rustls::pki_types::UnixTime;
use rustls::server::ProducesTickets;

/// Keys change every 12 hours: a stolen working key opens no more than a day of tickets, and in that time even 90 000
/// tickets a second stay below the 2^32 messages that AES-GCM allows with random nonces.
const SLOT_S: u64 = 12 * 60 * 60;

/// The length of the key name at the start of a ticket, so that only one key is tried.
const NAME_LEN: usize = 8;

/// The seeds of ticket keys from the keyring, the newest first. All of them open; the newest whose time has come seals.
#[derive(Clone, PartialEq, Eq)]
pub struct TicketSeeds(pub Vec<TicketSeed>);

impl TicketSeeds {
    /// The index of the sealing seed; the oldest, where the clock is behind all of them.
    fn sealing(&self, now_s: u64) -> usize {
        let now = Timestamp::from_millis(now_s.saturating_mul(1000));
        let in_use = self.0.iter().position(|seed| seed.use_from <= now);
        in_use.unwrap_or(self.0.len().saturating_sub(1))
    }
}

impl fmt::Debug for TicketSeeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketSeeds")
    }
}

/// Seals and opens tickets under keys that follow from the seeds, the time and the accepted clients.
#[derive(Debug)]
pub struct Tickets {
    seeds: Arc<ArcSwap<TicketSeeds>>,
    audience: [u8; 32],
    keys: ArcSwapOption<Keys>,
}

impl Tickets {
    /// `audience` is the same wherever the same clients are accepted: a session resumes only there.
    pub fn new(seeds: Arc<ArcSwap<TicketSeeds>>, audience: [u8; 32]) -> Tickets {
        Tickets { seeds, audience, keys: ArcSwapOption::empty() }
    }

    fn seal(&self, now_s: u64, plain: &[u8]) -> Option<Vec<u8>> {
        let keys = self.keys(now_s)?;
        let key = keys.of_slot.get(keys.seeds.sealing(now_s))?;
        let mut sealed = plain.to_vec();
        let aad = Aad::from(key.name);
        let nonce = key.key.seal_in_place_append_tag(aad, &mut sealed).ok()?;
        Some([&key.name[..], &nonce.as_ref()[..], &sealed].concat())
    }

    fn open(&self, now_s: u64, ticket: &[u8]) -> Option<Vec<u8>> {
        let (name, rest) = ticket.split_first_chunk::<NAME_LEN>()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        let keys = self.keys(now_s)?;
        let key = keys.of_slot.iter().chain(&keys.beside).find(|key| key.name == *name)?;
        let mut plain = sealed.to_vec();
        let length = key.key.open_in_place(Nonce::from(nonce), Aad::from(*name), &mut plain).ok()?.len();
        plain.truncate(length);
        Some(plain)
    }

    /// The keys of this slot; derived again when the slot or the seeds have changed.
    fn keys(&self, now_s: u64) -> Option<Arc<Keys>> {
        let slot = now_s / SLOT_S;
        let seeds = self.seeds.load();
        if let Some(keys) = self.keys.load_full()
            && keys.slot == slot
            && Arc::ptr_eq(&keys.seeds, &seeds)
        {
            return Some(keys);
        }
        let keys = Arc::new(Keys::derive(seeds.clone(), slot, &self.audience)?);
        self.keys.store(Some(keys.clone()));
        Some(keys)
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    /// A ticket from the end of a slot is valid through the whole next one, and no longer is promised.
    fn lifetime(&self) -> u32 {
        SLOT_S as u32
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.seal(UnixTime::now().as_secs(), plain)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        self.open(UnixTime::now().as_secs(), ticket)
    }
}

/// All keys that open tickets in a slot.
#[derive(Debug)]
struct Keys {
    slot: u64,
    seeds: Arc<TicketSeeds>,
    /// In the order of the seeds.
    of_slot: Vec<NamedKey>,
    /// Of the previous and the next slot: the clock of the sealing node may be ahead.
    beside: Vec<NamedKey>,
}

#[derive(Debug)]
struct NamedKey {
    name: [u8; NAME_LEN],
    key: RandomizedNonceKey,
}

impl Keys {
    fn derive(seeds: Arc<TicketSeeds>, slot: u64, audience: &[u8; 32]) -> Option<Keys> {
        let of = |slot: u64| -> Option<Vec<NamedKey>> {
            seeds.0.iter().map(|seed| NamedKey::derive(&seed.bytes, slot, audience)).collect()
        };
        let mut beside = of(slot.saturating_sub(1))?;
        beside.extend(of(slot + 1)?);
        Some(Keys { slot, of_slot: of(slot)?, beside, seeds: Arc::clone(&seeds) })
    }
}

impl NamedKey {
    /// One step of HKDF-Expand (RFC 5869) for the key and one for its name; the seed is uniform, so that no extraction is needed.
    fn derive(seed: &[u8; 32], slot: u64, audience: &[u8; 32]) -> Option<NamedKey> {
        let seed = hmac::Key::new(hmac::HMAC_SHA256, seed);
        let expand = |purpose: &[u8]| {
            let info = [b"northgate tls ticket ", purpose, &slot.to_be_bytes(), audience, &[1]].concat();
            hmac::sign(&seed, &info)
        };
        let name = *expand(b"name").as_ref().first_chunk()?;
        let key = RandomizedNonceKey::new(&AES_256_GCM, expand(b"key").as_ref()).ok()?;
        Some(NamedKey { name, key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON_S: u64 = 40_000 * SLOT_S;

    fn seed(byte: u8, use_from_s: u64) -> TicketSeed {
        TicketSeed { use_from: Timestamp::from_millis(use_from_s * 1000), bytes: [byte; 32] }
    }

    fn tickets(current: u8, previous: &[u8]) -> Tickets {
        let seeds = std::iter::once(&current).chain(previous).map(|byte| seed(*byte, 0)).collect();
        Tickets::new(Arc::new(ArcSwap::from_pointee(TicketSeeds(seeds))), [0; 32])
    }

    #[test]
    fn a_ticket_opens_in_its_slot_and_the_next_one_and_not_later() {
        let node = tickets(1, &[]);
        let ticket = node.seal(NOON_S, b"session").unwrap();
        let opened = |now_s| node.open(now_s, &ticket).as_deref() == Some(b"session");
        assert!(opened(NOON_S));
        assert!(opened(NOON_S + 2 * SLOT_S - 1));
        assert!(!opened(NOON_S + 2 * SLOT_S));
    }

    #[test]
    fn a_ticket_from_a_node_whose_clock_is_ahead_opens() {
        let ticket = tickets(1, &[]).seal(NOON_S, b"session").unwrap();
        assert!(tickets(1, &[]).open(NOON_S - 1, &ticket).is_some());
    }

    #[test]
    fn a_previous_seed_opens_and_an_unknown_one_does_not() {
        let ticket = tickets(1, &[]).seal(NOON_S, b"session").unwrap();
        assert!(tickets(2, &[1]).open(NOON_S, &ticket).is_some());
        assert!(tickets(2, &[3]).open(NOON_S, &ticket).is_none());
    }

    #[test]
    fn a_new_seed_opens_at_once_and_seals_when_its_time_has_come() {
        let node = tickets(1, &[]);
        node.seeds.store(Arc::new(TicketSeeds(vec![seed(2, NOON_S + 600), seed(1, 0)])));
        let is_sealed_under = |byte: u8, now_s: u64| {
            let ticket = node.seal(now_s, b"session").unwrap();
            tickets(byte, &[]).open(now_s, &ticket).is_some()
        };
        assert!(node.open(NOON_S, &tickets(2, &[]).seal(NOON_S, b"session").unwrap()).is_some());
        assert!(is_sealed_under(1, NOON_S + 599));
        assert!(is_sealed_under(2, NOON_S + 600));
    }

    #[test]
    fn replaced_seeds_are_used_at_once() {
        let node = tickets(1, &[]);
        let ticket = node.seal(NOON_S, b"session").unwrap();
        node.seeds.store(Arc::new(TicketSeeds(vec![seed(2, 0)])));
        assert!(node.open(NOON_S, &ticket).is_none());
    }

    #[test]
    fn a_ticket_does_not_open_where_other_clients_are_let_in() {
        let seeds = tickets(1, &[]).seeds;
        let ticket = Tickets::new(seeds.clone(), [0; 32]).seal(NOON_S, b"session").unwrap();
        assert!(Tickets::new(seeds, [1; 32]).open(NOON_S, &ticket).is_none());
    }

    #[test]
    fn a_ticket_with_any_byte_changed_does_not_open() {
        let node = tickets(1, &[]);
        let ticket = node.seal(NOON_S, b"session").unwrap();
        for at in 0..ticket.len() {
            let mut changed = ticket.clone();
            changed[at] ^= 1;
            assert!(node.open(NOON_S, &changed).is_none());
            assert!(node.open(NOON_S, &ticket[..at]).is_none());
        }
    }
}

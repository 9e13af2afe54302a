//! The journal of the embedded store, read a second time from the layout in docs/store.md.

use std::collections::BTreeMap;

use northgate_core::application::AppNumber;
use northgate_core::clock::Timestamp;
use northgate_core::grant::{Grant, GrantId};
use northgate_core::registry::Revocation;
use northgate_store::embedded::{Replayed, replay_bytes};

/// A recovery refuses bytes that are no journal, reads all others as the layout says, and ends in the same state if it reads them twice.
pub fn journal(input: &[u8]) {
    let replayed = replay_bytes(input);
    assert_eq!(replayed, read(input));
    assert_eq!(replay_bytes(&[input, input].concat()), replayed);
}

#[derive(Default)]
struct Holding {
    grants: Vec<Grant>,
    revocations: BTreeMap<u64, Revocation>,
}

fn read(mut bytes: &[u8]) -> Option<Vec<Replayed>> {
    let mut all: BTreeMap<u32, Holding> = BTreeMap::new();
    while let Some((tag, rest)) = bytes.split_first() {
        let length = match tag {
            1 => 32,
            2 => 12,
            3 => 28,
            4 => 4,
            _ => return None,
        };
        let (entry, rest) = rest.split_at_checked(length)?;
        bytes = rest;
        let holding = all.entry(number(entry, 0, 4) as u32).or_default();
        match tag {
            1 => {
                let grant = grant(entry);
                holding.grants.retain(|one| one.id != grant.id);
                holding.grants.push(grant);
            }
            2 => holding.grants.retain(|one| one.id.0 != number(entry, 4, 8)),
            3 => revoke(holding, entry),
            _ => holding.revocations.clear(),
        }
    }
    Some(all.into_iter().map(replayed).collect())
}

fn grant(entry: &[u8]) -> Grant {
    Grant {
        id: GrantId(number(entry, 4, 8)),
        generation: number(entry, 12, 4) as u32,
        refreshed_at: Timestamp::from_millis(number(entry, 16, 8)),
        expires_at: Timestamp::from_millis(number(entry, 24, 8)),
    }
}

/// Of two revocations of a grant, the earlier end and the later time to forget it hold.
fn revoke(holding: &mut Holding, entry: &[u8]) {
    let [ends_at, forget_at] = [12, 20].map(|at| Timestamp::from_millis(number(entry, at, 8)));
    let known = holding.revocations.entry(number(entry, 4, 8)).or_insert(Revocation { ends_at, forget_at });
    known.ends_at = known.ends_at.min(ends_at);
    known.forget_at = known.forget_at.max(forget_at);
}

fn replayed((application, holding): (u32, Holding)) -> Replayed {
    let revocations = holding.revocations.into_iter().map(|(id, revocation)| (GrantId(id), revocation));
    Replayed {
        application: AppNumber(application),
        grants: holding.grants,
        revocations: revocations.collect(),
    }
}

fn number(bytes: &[u8], from: usize, length: usize) -> u64 {
    bytes[from..from + length].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

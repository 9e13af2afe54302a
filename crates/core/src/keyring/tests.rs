//! Laws of key rotation, at any time of the clock.

use super::*;
use crate::application::AppNumber;
use crate::grant::{GrantId, GrantKey};
use crate::token::{Claims, Kind};

const DAY: Duration = Duration::from_secs(86_400);

const LEAD: Duration = Duration::from_secs(600);

fn at(after: Duration) -> Timestamp {
    Timestamp::from_millis(1_000).plus(after)
}

fn ids(record: &KeyringRecord) -> Vec<u16> {
    record.keys.iter().map(|key| key.id.0).collect()
}

fn keyring(record: &KeyringRecord) -> Keyring {
    Keyring::new(record.clone()).expect("a keyring")
}

#[test]
fn a_new_key_is_published_at_once_and_used_after_the_lead() {
    let first = KeyringRecord::random(at(Duration::ZERO));
    let second = keyring(&first.rotated(at(DAY), LEAD, 30 * DAY).expect("rotated"));
    assert!(second.find(KeyId(2)).is_some());
    assert_eq!(second.published(Algorithm::Es256, at(DAY)).count(), 2);
    assert_eq!(second.current_id(at(DAY)), KeyId(1));
    assert_eq!(second.current_id(at(DAY + LEAD - Duration::from_millis(1))), KeyId(1));
    assert_eq!(second.current_id(at(DAY + LEAD)), KeyId(2));
}

/// Nodes rely on it: the keyring reaches them one after the other.
#[test]
fn a_node_that_hears_of_a_rotation_within_the_lead_knows_every_token() {
    let first = KeyringRecord::random(at(Duration::ZERO));
    let (late, early) = (keyring(&first), keyring(&first.rotated(at(DAY), LEAD, DAY).expect("rotated")));
    let grant = GrantKey { application: AppNumber(1), id: GrantId(1) };
    let (issued_at, expires_at) = (at(DAY), at(2 * DAY));
    let kind = Kind::Access;
    let claims = Claims { kind, binding: None, grant, generation: 0, issued_at, expires_at };
    let is_known = |now: Timestamp| {
        let opens = Claims::authenticate(&claims.mint(&early, now), &late).is_ok();
        let kids =
            Algorithm::ALL.map(|algorithm| late.signing_key(early.signing(algorithm, now).kid()).is_some());
        assert_eq!(kids, [opens; 2]);
        opens
    };
    assert!(is_known(at(DAY)) && is_known(at(DAY + LEAD - Duration::from_millis(1))));
    assert!(!is_known(at(DAY + LEAD)));
}

#[test]
fn the_key_before_retires_when_the_last_token_that_it_can_make_has_expired() {
    let first = KeyringRecord::random(at(Duration::ZERO));
    let second = first.rotated(at(Duration::ZERO), LEAD, 30 * DAY).expect("rotated");
    assert_eq!(second.keys[0].retire_at, Some(at(LEAD + 30 * DAY)));
    let rotated_at = |now: Timestamp| ids(&second.rotated(now, LEAD, DAY).expect("rotated"));
    assert_eq!(rotated_at(at(30 * DAY)), [1, 2, 3]);
    assert_eq!(rotated_at(at(LEAD + 30 * DAY)), [2, 3]);
    assert_eq!(keyring(&second).published(Algorithm::Es256, at(LEAD + 30 * DAY)).count(), 1);
}

/// If the key with the latest `use_from` were current, the previous key would take over again and issue tokens that outlive it.
#[test]
fn a_key_that_is_used_at_once_is_not_replaced_by_one_that_was_still_waiting() {
    let first = KeyringRecord::random(at(Duration::ZERO));
    let second = first.rotated(at(DAY), LEAD, DAY).expect("rotated");
    let third = keyring(&second.rotated(at(DAY), Duration::ZERO, DAY).expect("rotated"));
    for now in [at(DAY), at(DAY + LEAD), at(2 * DAY)] {
        assert_eq!(third.current_id(now), KeyId(3));
    }
}

#[test]
fn a_clock_that_is_far_behind_uses_the_oldest_key() {
    let record = KeyringRecord::random(at(DAY)).rotated(at(DAY), LEAD, DAY).expect("rotated");
    assert_eq!(keyring(&record).current_id(at(Duration::ZERO)), KeyId(1));
}

#[test]
fn a_keyring_has_exactly_one_key_that_does_not_retire() {
    let mut record = KeyringRecord::random(at(Duration::ZERO));
    record.keys[0].retire_at = Some(at(DAY));
    assert_eq!(Keyring::new(record).err(), Some(KeyringError::Newest(0)));
}

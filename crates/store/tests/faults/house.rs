//! The rules over an embedded store in a given directory: always the same keyring, and a clock that is given.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use northgate_core::auth::{Auth, Settings};
use northgate_core::clock::Timestamp;
use northgate_core::key_id::KeyId;
use northgate_core::keyring::{KeyBytes, KeyRecord, Keyring, KeyringRecord};
use northgate_core::policy::{AccessTokens, BindTokens, Dpop, Logins, OnReuse, Policy, Rotation};
use northgate_core::signing::Algorithms;
use northgate_store::embedded::{EmbeddedStore, OpenError};

const SETTINGS: Settings = Settings {
    policy: Policy {
        rotation: Rotation::Once,
        retry_window: Duration::from_secs(60),
        on_reuse: OnReuse::Deny,
        logins: Logins::Many,
        max_grants: 32,
        access_lifetime: Duration::from_secs(3_600),
        refresh_lifetime: Duration::from_secs(30 * 86_400),
        calls_per_minute: 0,
        bind_tokens: BindTokens::Authenticated,
        access_tokens: AccessTokens::Opaque,
        dpop: Dpop::Off,
    },
    leeway: Duration::from_secs(30),
    closed_grants: 1_000,
    key_lead: Duration::from_secs(600),
    published: Algorithms { eddsa: false, es256: false },
    hashes_at_once: 2,
    failures_per_source: 0,
    failures_per_application: 0,
    dpop_proofs: 65_536,
};

pub struct House {
    pub auth: Auth,
    pub store: Arc<EmbeddedStore>,
    clock: Arc<AtomicU64>,
}

/// Where all callers are.
pub const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// When the clocks of these tests begin.
pub const BEGINNING: u64 = 1_700_000_000_000;

impl House {
    /// The clock tells milliseconds.
    pub fn open(data_dir: &Path, clock: Arc<AtomicU64>) -> Result<House, OpenError> {
        let told = Arc::clone(&clock);
        let tell = Box::new(move || Timestamp::from_millis(told.load(Ordering::SeqCst)));
        let store = Arc::new(EmbeddedStore::open(data_dir, 4_096, tell)?);
        Ok(House { auth: Auth::new(Arc::clone(&store) as _, keyring(), SETTINGS), store, clock })
    }

    /// Each time is a little later, so that a refresh that is done twice shows.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.clock.fetch_add(1, Ordering::SeqCst))
    }
}

fn keyring() -> Keyring {
    let bytes = |byte| KeyBytes::from_bytes([byte; 32]);
    let born = Timestamp::from_millis(0);
    let key = KeyRecord { id: KeyId(1), created_at: born, use_from: born, retire_at: None, bytes: bytes(1) };
    Keyring::new(KeyringRecord { pepper: bytes(2), keys: vec![key] }).unwrap()
}

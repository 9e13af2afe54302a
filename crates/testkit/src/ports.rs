//! Ports for servers that tests start.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::TcpListener;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below those that Linux gives to connections and to binds of port 0 (from 32768): such a one may be in use again
/// before its server has come up.
const FIRST: u16 = 10_000;
const COUNT: u16 = 22_000;

/// A loopback port without a listener, which no other call gets.
pub fn free_port() -> u16 {
    static NEXT: OnceLock<AtomicU16> = OnceLock::new();
    let next = NEXT.get_or_init(|| AtomicU16::new(anywhere()));
    loop {
        let port = FIRST + next.fetch_add(1, Ordering::Relaxed) % COUNT;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Elsewhere than the other processes that run tests.
fn anywhere() -> u16 {
    (RandomState::new().build_hasher().finish() % u64::from(COUNT)) as u16
}

//! Random numbers, the only place that makes them (`clippy.toml` bans it elsewhere).

#![allow(clippy::disallowed_methods)]

use std::cell::RefCell;

use aws_lc_rs::rand;

/// Numbers fetched at once.
const NUMBERS: usize = 64;

/// `N` bytes from the operating system's generator.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // The generator fails only where the operating system has no entropy device at all; there is no safe way on.
    rand::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// A number that need not be secret, from bytes that were fetched for many numbers: the generator's work is the same for eight
/// bytes as for hundreds.
pub(crate) fn number() -> u64 {
    thread_local! {
        static FETCHED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
    }
    FETCHED.with_borrow_mut(|fetched| {
        fetched.pop().unwrap_or_else(|| {
            let bytes = bytes::<{ 8 * NUMBERS }>();
            fetched.extend(
                bytes.chunks_exact(8).map(|eight| u64::from_be_bytes(eight.try_into().expect("eight"))),
            );
            fetched.pop().expect("they were just fetched")
        })
    })
}

/// The operating system's generator, for signatures that need it.
pub(crate) fn source() -> rand::SystemRandom {
    rand::SystemRandom::new()
}

/// `N` characters of `[A-Za-z0-9]`, 5.95 random bits each; clients need not URL-encode them.
pub(crate) fn text<const N: usize>() -> String {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    /// The largest multiple of 62 in a byte: bytes from here on would favour the first letters.
    const FAIR: u8 = 248;
    let mut text = String::with_capacity(N);
    while text.len() < N {
        let fair = bytes::<64>().into_iter().filter(|byte| *byte < FAIR);
        text.extend(fair.map(|byte| char::from(ALPHABET[usize::from(byte % 62)])).take(N - text.len()));
    }
    text
}

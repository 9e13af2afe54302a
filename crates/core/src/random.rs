//! The one place where randomness is made (elsewhere `clippy.toml` bans it).

#![allow(clippy::disallowed_methods)]

use aws_lc_rs::rand;

/// `N` bytes from the operating system's generator.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // The generator fails only where the operating system has no entropy device at all; there is no safe way on.
    rand::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// The operating system's generator, for signatures that need it.
pub(crate) fn source() -> rand::SystemRandom {
    rand::SystemRandom::new()
}

/// `N` characters of `[A-Za-z0-9]`, 5.95 random bits each: what no client needs to URL-encode.
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

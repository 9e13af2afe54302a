//! The application API as applications meet it: the program itself, through TLS, asked by a real HTTP client and by one that
//! sees every record.

// A test that panics has said what is wrong; clippy knows that for test functions, not for what they lean on.
#![allow(clippy::unwrap_used)]

mod bodies;
mod errors;
mod rows;
mod successes;
mod tokens;
mod wire;

//! Standards, checked by others: well-known OAuth clients as they come from their registries, the lines of our own pages as
//! a reader pastes them, and the table of what the standards ask for. Everything that they need is installed by the tests.

// A test that panics has said what is wrong; clippy knows that for test functions, not for what they lean on.
#![allow(clippy::unwrap_used)]

mod house;
mod issuer;
mod libraries;
mod oauth2_crate;
mod pages;
mod table;
mod tools;

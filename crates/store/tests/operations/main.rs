//! The rules over the embedded store.

// A test that panics has said what is wrong; clippy knows that for test functions, not for what they lean on.
#![allow(clippy::unwrap_used)]

#[path = "suite.rs"]
mod operations;

use northgate_testkit::Kind;

const STORE: Kind = Kind::Embedded;

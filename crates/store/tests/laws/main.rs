//! The laws of a store on the embedded one, and those about its own files and queue.

// A test that panics has said what is wrong; clippy knows that for test functions, not for what they lean on.
#![allow(clippy::unwrap_used)]

mod files;
#[path = "suite.rs"]
mod laws;
mod overload;
mod restoring;

use northgate_testkit::Kind;

const STORE: Kind = Kind::Embedded;

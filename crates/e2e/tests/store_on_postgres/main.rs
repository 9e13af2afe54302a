//! The laws of a store and the rules over it on PostgreSQL; and laws of many nodes over one database that comes, goes and changes.

// A test that panics has said what is wrong; clippy knows that for test functions, not for what they lean on.
#![allow(clippy::unwrap_used)]

// Parts of the worlds serve the embedded store only.
#[allow(dead_code)]
#[path = "../../../store/tests/laws/suite.rs"]
mod laws;
#[allow(dead_code)]
#[path = "../../../store/tests/operations/suite.rs"]
mod operations;
mod postgres;

use northgate_testkit::Kind;

const STORE: Kind = Kind::Postgres;

//! The application API and the admin API over PostgreSQL: the laws of `crates/server/tests/http`, but for those of the embedded store.

// A test that panics has said what is wrong; clippy knows that for test functions, not for what they lean on.
#![allow(clippy::unwrap_used)]

#[path = "../../../server/tests/http/admin/mod.rs"]
mod admin;
#[path = "../../../server/tests/http/api/mod.rs"]
mod api;
// Other laws of the listeners use more of it.
#[allow(dead_code)]
#[path = "../../../server/tests/http/support/mod.rs"]
mod support;

use northgate_testkit::Kind;

const STORE: Kind = Kind::Postgres;
/// The program, for the tests of the command line.
const PROGRAM: &str = env!("CARGO_BIN_EXE_northgate-program");

//! Both listeners over real sockets and a real store: the application API, OAuth, signed tokens, the admin API, TLS and limits.

// A test that panics has said what is wrong; clippy knows that for test functions, not for what they lean on.
#![allow(clippy::unwrap_used)]

mod admin;
mod api;
mod edge;
mod embedded;
mod jwt;
mod oauth;
mod support;

use northgate_testkit::Kind;

const STORE: Kind = Kind::Embedded;
/// The program, for the tests of the command line.
const PROGRAM: &str = env!("CARGO_BIN_EXE_northgate");

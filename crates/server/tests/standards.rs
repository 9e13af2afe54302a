//! Standards, checked by others: well-known OAuth clients as they come from their registries, the lines of our own pages as
//! a reader pastes them, and the table of what the standards ask for. Everything that they need is installed by the tests.

// A test that panics has said what is wrong; clippy knows that for test functions, not for what they lean on.
#![allow(clippy::unwrap_used)]

#[path = "standards/house.rs"]
mod house;
#[path = "standards/issuer.rs"]
mod issuer;
#[path = "standards/libraries.rs"]
mod libraries;
#[path = "standards/oauth2_crate.rs"]
mod oauth2_crate;
#[path = "standards/pages.rs"]
mod pages;
#[path = "standards/table.rs"]
mod table;
#[path = "standards/tools.rs"]
mod tools;
// Of another book, of which this one needs only a part.
#[allow(dead_code)]
#[path = "process/northgate.rs"]
mod northgate;
#[path = "support/venv.rs"]
mod venv;

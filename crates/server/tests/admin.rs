//! Laws of the admin API and of the command line that speaks to it, over a real socket and a real store.

// A test that panics has said what is wrong; clippy knows that for test functions, not for what they lean on.
#![allow(clippy::unwrap_used)]

#[path = "admin/applications.rs"]
mod applications;
#[path = "admin/backup.rs"]
mod backup;
#[path = "admin/clock.rs"]
mod clock;
#[path = "admin/command_line.rs"]
mod command_line;
#[path = "admin/credentials.rs"]
mod credentials;
#[path = "admin/import.rs"]
mod import;
#[path = "admin/keys.rs"]
mod keys;
#[path = "admin/secrets.rs"]
mod secrets;
#[path = "../../store/tests/postgres/server.rs"]
#[allow(dead_code)]
mod server;
#[path = "api/store.rs"]
mod store;
#[path = "admin/world.rs"]
mod world;

const STORE: store::Kind = store::Kind::Embedded;

//! The rules over the embedded store: what an application and its operator see, whatever happens to the process.
//! `operations_on_postgres.rs` runs the same files on PostgreSQL.

#![allow(clippy::unwrap_used)]

#[path = "postgres/server.rs"]
#[allow(dead_code)]
mod server;

mod operations {
    pub mod client_credentials;
    pub mod clock;
    pub mod failure_limits;
    pub mod feed;
    pub mod keyring;
    pub mod login;
    pub mod logout;
    pub mod model;
    pub mod order;
    pub mod refresh;
    pub mod revoke;
    pub mod secrets;
    pub mod throttle;
    pub mod verify;
    pub mod world;
}

/// What a world is made of.
#[allow(dead_code)]
#[derive(Clone, Copy)]
enum Kind {
    Embedded,
    Postgres,
}

const STORE: Kind = Kind::Embedded;

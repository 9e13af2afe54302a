//! The rules over PostgreSQL: the files of `operations.rs`.

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

const STORE: Kind = Kind::Postgres;

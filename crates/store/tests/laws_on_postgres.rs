//! The laws of a store, on PostgreSQL: the files of `laws.rs`, but for those about the embedded store's own files.

#![allow(clippy::unwrap_used)]

#[path = "postgres/server.rs"]
#[allow(dead_code)]
mod server;

#[allow(dead_code)]
mod laws {
    pub mod applications;
    pub mod durability;
    pub mod grants;
    pub mod single_use;
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

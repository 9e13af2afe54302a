//! The laws of a store, on the embedded one. Every store keeps all of them: a law takes a `World` and knows nothing of what is
//! under it. `laws_on_postgres.rs` runs the same files on PostgreSQL.

#![allow(clippy::unwrap_used)]

#[path = "postgres/server.rs"]
#[allow(dead_code)]
mod server;

mod laws {
    pub mod applications;
    pub mod durability;
    pub mod files;
    pub mod grants;
    pub mod overload;
    pub mod restoring;
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

const STORE: Kind = Kind::Embedded;

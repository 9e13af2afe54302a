//! Laws of many nodes over one PostgreSQL, and of a database that comes, goes and changes.

#![allow(clippy::unwrap_used)]

mod postgres {
    pub mod access;
    pub mod connections;
    pub mod faults;
    pub mod migration;
    pub mod node;
    pub mod nodes;
    pub mod pair;
    pub mod pooler;
    pub mod proxy;
    pub mod refusals;
    pub mod server;
    pub mod switch_over;
    pub mod tls;
}

//! Laws of many nodes over one PostgreSQL, and of a database that comes, goes and changes.

#![allow(clippy::unwrap_used)]

mod postgres {
    pub mod faults;
    pub mod migration;
    pub mod node;
    pub mod nodes;
    pub mod proxy;
    pub mod server;
    pub mod tls;
}

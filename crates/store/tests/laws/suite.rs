//! The laws of a store: every store keeps all of them. A law takes a `World` and does not know which store is under it.
//! `main.rs` runs them on the embedded store, the end-to-end tests on PostgreSQL.

pub mod applications;
pub mod durability;
pub mod grants;
pub mod single_use;
pub mod world;

//! Worlds, sockets and identities that several books use.

pub mod admin;
pub mod document;
pub mod identity;
pub mod page;
pub mod socket;
pub mod store;
pub mod world;

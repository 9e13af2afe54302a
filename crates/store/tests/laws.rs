//! The laws of a store. Every store keeps all of them: a law takes a `World` and knows nothing of what is under it.

#![allow(clippy::unwrap_used)]

mod laws {
    pub mod applications;
    pub mod durability;
    pub mod files;
    pub mod grants;
    pub mod overload;
    pub mod spent;
    pub mod world;
}

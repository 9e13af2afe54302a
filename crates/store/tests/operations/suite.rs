//! The rules over a store: what an application and its operator see, whatever happens to the process. `main.rs` runs them on the
//! embedded store, the end-to-end tests on PostgreSQL.

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

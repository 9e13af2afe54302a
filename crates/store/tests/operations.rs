//! The rules over a real store: what an application and its operator see, whatever happens to the process.

#![allow(clippy::unwrap_used)]

mod operations {
    pub mod client_credentials;
    pub mod clock;
    pub mod feed;
    pub mod keyring;
    pub mod login;
    pub mod logout;
    pub mod model;
    pub mod order;
    pub mod refresh;
    pub mod secrets;
    pub mod throttle;
    pub mod verify;
    pub mod world;
}

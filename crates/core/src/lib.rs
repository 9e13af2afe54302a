//! The rules of Northgate: what login, refresh, logout and verify do, and nothing about how they are asked or stored.
//!
//! Verbs are files (`login`, `refresh`, `logout`, `verify`, `client_credentials`, `introspect`, `revoke`, `administer`), and so are nouns (`application`, `credential`, `grant`,
//! `token`, …). [`Auth`](auth::Auth) has the verbs as methods; [`Store`](store::Store) is what it needs of a store.

pub mod administer;
pub mod admit;
pub mod allow;
pub mod app_set;
pub mod application;
pub mod assertion;
pub mod auth;
pub mod client_credentials;
pub mod clock;
pub mod credential;
mod ed25519_point;
pub mod feed;
pub mod forgotten;
pub mod grant;
pub mod introspect;
pub mod keyring;
pub mod login;
pub mod logout;
mod mac;
pub mod policy;
pub mod possession;
mod published;
mod random;
pub mod refresh;
pub mod registry;
pub mod replay;
pub mod revoke;
pub mod secret;
pub mod set_right;
pub mod signing;
pub mod store;
pub mod throttle;
pub mod token;
pub mod verify;
pub mod visible;

//! The rules of Northgate: what login, refresh, logout and verify do, without HTTP, SQL, files or a clock.
//!
//! Operations are files (`login`, `refresh`, `logout`, `verify`, `client_credentials`, `introspect`, `revoke`, `administer`), and so
//! are nouns (`application`, `credential`, `grant`, `token`, …). [`Auth`](auth::Auth) has the operations as methods;
//! [`Store`](store::Store) is what it needs of a store.

pub mod activity;
pub mod actor;
pub mod administer;
pub mod admit;
pub mod allow;
pub mod app_id;
pub mod app_set;
pub mod application;
pub mod assertion;
pub mod attention;
pub mod auth;
mod authenticate;
pub mod client_credentials;
pub mod clock;
pub mod clock_repair;
pub mod credential;
mod ed25519_point;
pub mod feed;
pub mod grant;
pub mod high_water;
pub mod introspect;
pub mod issue;
pub mod key_id;
pub mod keyring;
pub mod login;
pub mod logout;
mod mac;
pub mod owner;
pub mod policy;
pub mod possession;
mod published;
mod random;
pub mod refresh;
pub mod registry;
pub mod replay;
pub mod revoke;
pub mod search;
pub mod secret;
pub mod signing;
pub mod store;
pub mod text;
pub mod throttle;
pub mod token;
pub mod verify;
pub mod visible;

//! The application API as applications meet it: the program itself, through TLS, asked by a real HTTP client and by one that
//! sees every record.

// A test that panics has said what is wrong; clippy knows that for test functions, not for what they lean on.
#![allow(clippy::unwrap_used)]

#[path = "process/application.rs"]
mod application;
#[path = "tls_api/bodies.rs"]
mod bodies;
#[path = "tls_api/errors.rs"]
mod errors;
#[path = "process/northgate.rs"]
mod northgate;
#[path = "tls_api/rows.rs"]
mod rows;
#[path = "tls_api/successes.rs"]
mod successes;
#[path = "tls_api/tokens.rs"]
mod tokens;
#[path = "tls_api/wire.rs"]
mod wire;

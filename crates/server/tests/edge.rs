//! Laws of the edge: configuration, TLS and the listener, over real sockets and files.

// A test that panics has said what is wrong; clippy knows that for test functions, not for what they lean on.
#![allow(clippy::unwrap_used)]

#[path = "edge/certificates.rs"]
mod certificates;
#[path = "edge/client_certificates.rs"]
mod client_certificates;
#[path = "edge/configuration.rs"]
mod configuration;
#[path = "edge/connections.rs"]
mod connections;
#[path = "edge/identity.rs"]
mod identity;
#[path = "edge/limits.rs"]
mod limits;
#[path = "edge/running.rs"]
mod running;
#[path = "edge/stopping.rs"]
mod stopping;
#[path = "edge/suites.rs"]
mod suites;
#[path = "edge/tickets.rs"]
mod tickets;

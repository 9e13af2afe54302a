//! Laws of the edge: configuration, TLS and the listener, over real sockets and files.

// A test that panics has said what is wrong; clippy knows that for test functions, not for what they lean on.
#![allow(clippy::unwrap_used)]

#[path = "edge/blanks.rs"]
mod blanks;
#[path = "edge/certificates.rs"]
mod certificates;
#[path = "edge/client_certificates.rs"]
mod client_certificates;
#[path = "edge/configuration.rs"]
mod configuration;
#[path = "edge/connections.rs"]
mod connections;
#[path = "edge/crowded.rs"]
mod crowded;
#[path = "edge/handshakes.rs"]
mod handshakes;
#[path = "edge/identity.rs"]
mod identity;
// Shared with the tests of gateways, which need more of it.
#[allow(dead_code)]
#[path = "gateways/installed.rs"]
mod installed_programs;
#[path = "edge/limits.rs"]
mod limits;
#[allow(dead_code)]
#[path = "api/page.rs"]
mod page;
#[path = "edge/proxies.rs"]
mod proxies;
#[path = "edge/renewal.rs"]
mod renewal;
#[path = "edge/running.rs"]
mod running;
#[path = "edge/stopping.rs"]
mod stopping;
#[path = "edge/suites.rs"]
mod suites;
#[path = "edge/tickets.rs"]
mod tickets;

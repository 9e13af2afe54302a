//! Laws of the edge: configuration, TLS, connections and their limits.

mod blanks;
mod certificates;
mod client_certificates;
mod configuration;
mod connections;
mod crowded;
mod handshakes;
mod limits;
mod renewal;
pub mod running;
mod stopping;
mod suites;
mod tickets;

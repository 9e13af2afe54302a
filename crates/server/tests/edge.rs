//! Laws of the edge: configuration, TLS and the listener, over real sockets and files.

#[path = "edge/configuration.rs"]
mod configuration;

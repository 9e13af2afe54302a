//! Three nodes, each a process of its own, over one PostgreSQL: any of them serves any request.

// A test that panics has said what is wrong; clippy knows that for test functions, not for what they lean on.
#![allow(clippy::unwrap_used)]

#[path = "process/application.rs"]
#[allow(dead_code)]
mod application;
#[path = "nodes/changes.rs"]
mod changes;
#[path = "nodes/export.rs"]
mod export;
#[path = "nodes/installation.rs"]
mod installation;
#[path = "nodes/keyring.rs"]
mod keyring;
#[path = "process/northgate.rs"]
#[allow(dead_code)]
mod northgate;
#[path = "nodes/operating.rs"]
mod operating;
#[path = "../../store/tests/postgres/server.rs"]
#[allow(dead_code)]
mod server;
#[path = "nodes/stopping.rs"]
mod stopping;

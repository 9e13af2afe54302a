//! Three nodes, each a process of its own, over one PostgreSQL: any of them serves any request.

// A test that panics has said what is wrong; clippy knows that for test functions, not for what they lean on.
#![allow(clippy::unwrap_used)]

mod changes;
mod export;
mod installation;
mod keyring;
mod monitoring;
mod operating;
mod releases;
mod rolling_upgrade;
mod stopping;

//! Laws of the program as its operator meets it: a process with files, signals, a terminal and exit codes.

// A test that panics has said what is wrong; clippy knows that for test functions, not for what they lean on.
#![allow(clippy::unwrap_used)]

#[path = "process/application.rs"]
mod application;
#[path = "process/bare.rs"]
mod bare;
#[path = "process/certificates.rs"]
mod certificates;
#[path = "process/descriptors.rs"]
mod descriptors;
#[path = "process/log.rs"]
mod log;
#[path = "process/northgate.rs"]
mod northgate;
#[path = "process/operating.rs"]
mod operating;
#[path = "process/permissions.rs"]
mod permissions;
#[path = "process/signals.rs"]
mod signals;
#[path = "process/starting.rs"]
mod starting;

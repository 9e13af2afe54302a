//! Laws of the program as its operator meets it: a process with files, signals, a terminal and exit codes.

// A test that panics has said what is wrong; clippy knows that for test functions, not for what they lean on.
#![allow(clippy::unwrap_used)]

mod bare;
mod certificates;
mod check;
mod descriptors;
mod log;
mod operating;
mod ownership;
mod permissions;
mod reload;
mod remote;
mod signals;
mod starting;
mod status;

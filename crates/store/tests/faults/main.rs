//! Laws of a disk that fails, of a process that is killed anywhere, and of a machine that loses its power.
//!
//! The fault shim stands between a child process and the real file system. `child.rs` is that child: the rules over an embedded
//! store, told line by line what to do. Linux only, for the shim is.

#![cfg(target_os = "linux")]
// A test that panics has said what is wrong; clippy knows that for test functions, not for what they lean on.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod campaign;
mod child;
mod failing;
mod fsync;
mod full;
mod house;
mod killed;
mod log;
mod lost;
mod promises;
mod volume;

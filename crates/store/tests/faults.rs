//! Laws of a disk that fails, of a process that is killed anywhere, and of a machine that loses its power.
//!
//! `faults/shim.c` stands between a child process and the real file system. `faults/child.rs` is that child: the rules
//! over an embedded store, told line by line what to do. Linux only, for the shim is.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod faults {
    pub mod chance;
    pub mod child;
    pub mod failing;
    pub mod fsync;
    pub mod full;
    pub mod house;
    pub mod killed;
    pub mod log;
    pub mod lost;
    pub mod promises;
    pub mod shim;
    pub mod volume;
}

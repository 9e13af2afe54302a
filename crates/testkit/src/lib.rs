//! Test support for several crates: servers, processes, ports, faults and chance.

// A test that panics has said what is wrong, and this is a part of tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

pub mod application;
pub mod chance;
pub mod clock_shim;
pub mod fault_shim;
pub mod northgate;
pub mod packages;
pub mod ports;
pub mod postgres;
pub mod process_guard;
pub mod venv;
mod wait;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

pub use wait::{eventually, wait_until};

/// A file of the repository, by its path from the root.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// The program under test, for the end-to-end tests. Cargo builds it with them as a binary of their own package, from the same
/// source as the program.
pub fn program() -> &'static str {
    static PROGRAM: OnceLock<String> = OnceLock::new();
    PROGRAM.get_or_init(|| target().join("northgate-program").into_os_string().into_string().unwrap())
}

/// Where downloads and builds of tests are kept from run to run.
pub fn cache() -> PathBuf {
    let cache = target().parent().unwrap().join("tmp");
    std::fs::create_dir_all(&cache).unwrap();
    cache
}

/// `target/debug`, or the folder of another profile: the test that runs lies in `deps` below it.
fn target() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().to_owned()
}

/// The store that a suite runs on: laws and rules hold on both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Embedded,
    Postgres,
}

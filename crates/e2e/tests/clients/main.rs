//! Clients in six languages, and the programs in Java and Go of docs/oauth.md: `tests/clients/run` against the program under test.

// A test that panics has said what is wrong; clippy knows that for test functions, not for what they lean on.
#![allow(clippy::unwrap_used)]

use std::process::Command;

use northgate_testkit::{program, repository};

#[test]
fn every_client_passes_every_step() {
    let mut run = Command::new(repository("tests/clients/run"));
    let output = run.env("NORTHGATE", program()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let trouble = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{trouble}");
    assert!(said.trim_end().ends_with(" passed, 0 failed"), "{said}");
}

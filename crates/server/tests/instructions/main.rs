//! What a request executes, counted by valgrind: a number that repeats where a time does not, so that a change that makes
//! requests dearer is seen here. The counts are of the build that these tests are of, and are written down in `bench/`.

use std::path::Path;
use std::process::Command;

/// Where it is to be so, `PROFILE=debug bench/instructions --record` writes the new counts down.
#[test]
#[ignore = "needs valgrind: ./test runs it"]
fn a_refresh_and_a_verify_execute_no_more_than_was_recorded() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let built = Path::new(env!("CARGO_BIN_EXE_northgate")).parent().expect("a folder");
    let mut count = Command::new(root.join("bench/instructions"));
    count.args(["--check", "refresh", "verify"]).env("PROFILE", "debug").env("BUILT", built);
    let output = count.output().expect("bench/instructions runs");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
}

//! Every command of the documentation, run as a reader would, except those that docs/not-run.toml lists with a reason.
//!
//! Each page gets a machine of its own: a directory in the place of `/`, a server that `systemctl` starts and stops, and the blocks
//! of the page in one shell, one after the other.

// A test that panics has said what is wrong; clippy knows that for test functions, not for what they lean on.
#![allow(clippy::unwrap_used)]

mod book;
mod commands;
mod facts;
mod machine;

use machine::Machine;
use northgate_testkit::postgres::server;

#[tokio::test]
async fn every_shell_block_of_every_page_succeeds() {
    let database = server().place().await.url();
    let mut failed = Vec::new();
    for page in commands::pages() {
        let blocks = commands::to_run(&page);
        if !blocks.is_empty()
            && let Err(output) = Machine::for_page(&page, &database).run(&blocks)
        {
            failed.push(format!("{page}:\n{output}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

//! The shell blocks of the pages, and which of them are run elsewhere or cannot be run.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

#[derive(Deserialize)]
struct NotRun {
    command: Vec<Command>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Command {
    page: String,
    first: Option<String>,
    reason: Option<String>,
    run_by: Option<String>,
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every page of the repository that has a shell block.
pub fn pages() -> Vec<String> {
    let mut pages = Vec::new();
    for folder in [".", "docs", "docs/operating", "docs/decisions", "deploy/cluster", "tests/clients"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".md") {
                pages.push(format!("{folder}/{name}").trim_start_matches("./").to_owned());
            }
        }
    }
    pages.sort();
    pages
}

/// The blocks of a page for a shell, in order.
pub fn shell_blocks(page: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(page)).unwrap();
    let fences = text.split("```").skip(1).step_by(2);
    fences.filter_map(|block| block.strip_prefix("sh\n")).map(str::to_owned).collect()
}

/// The blocks that this suite runs.
pub fn to_run(page: &str) -> Vec<String> {
    let listed = not_run();
    let is_listed = |block: &str| {
        listed.iter().any(|command| {
            let first = command.first.as_deref();
            command.page == page && first.is_none_or(|first| block.lines().next() == Some(first))
        })
    };
    shell_blocks(page).into_iter().filter(|block| !is_listed(block)).collect()
}

fn not_run() -> Vec<Command> {
    let text = fs::read_to_string(root().join("docs/not-run.toml")).unwrap();
    toml::from_str::<NotRun>(&text).unwrap().command
}

#[test]
fn every_entry_of_the_list_names_a_block_and_a_reason_or_a_test() {
    for command in not_run() {
        let blocks = shell_blocks(&command.page);
        let exists = match &command.first {
            Some(first) => blocks.iter().any(|block| block.lines().next() == Some(first)),
            None => !blocks.is_empty(),
        };
        assert!(exists, "{} has no such block: {:?}", command.page, command.first);
        assert!(command.reason.is_some() != command.run_by.is_some(), "{}: one of both", command.page);
        if let Some(test) = command.run_by {
            let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(&test));
            let name = command.page.rsplit('/').next().unwrap();
            assert!(text.unwrap().contains(name), "{test} does not read {name}");
        }
    }
}

//! The table in docs/standards.md says what is so.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use northgate_testkit::repository;

/// The books of the listeners.
fn books() -> PathBuf {
    repository("crates/server/tests/http")
}

/// A file of tests by the name that the table has for it: in a book, or in an end-to-end suite.
fn file_of_tests(name: &str) -> PathBuf {
    let book = books().join(name);
    if book.exists() { book } else { repository("crates/e2e/tests").join(name) }
}

fn page() -> String {
    fs::read_to_string(repository("docs/standards.md")).unwrap()
}

/// The last cell of each row: what holds it.
fn holders(page: &str) -> Vec<&str> {
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| section |"));
    rows.map(|row| row.trim_end_matches(" |").rsplit_once(" | ").unwrap().1).collect()
}

/// `file::function` wherever it is written so.
fn named(text: &str) -> BTreeSet<&str> {
    text.split('`').skip(1).step_by(2).filter(|code| code.contains(".rs::")).collect()
}

/// The tests of a file, each with the comment above it.
fn functions(source: &str) -> Vec<(String, String)> {
    let (mut found, mut comment, mut is_test) = (Vec::new(), String::new(), false);
    for line in source.lines() {
        let declared = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
        if line.starts_with("///") {
            comment.push_str(line);
        } else if line.starts_with("#[") {
            is_test |= line.contains("test");
        } else {
            let name = declared.and_then(|rest| rest.split_once('(')).map(|(name, _)| name.to_owned());
            found.extend(name.filter(|_| is_test).map(|name| (name, std::mem::take(&mut comment))));
            comment.clear();
            is_test = false;
        }
    }
    found
}

#[test]
fn every_test_that_the_table_names_is_there() {
    let page = page();
    let names = named(&page);
    assert!(names.len() > 50, "the table was not understood: {names:?}");
    for name in names {
        let (file, function) = name.split_once("::").unwrap();
        let source = fs::read_to_string(file_of_tests(file))
            .unwrap_or_else(|_| panic!("{name}: there is no such file"));
        assert!(
            functions(&source).iter().any(|(found, _)| found == function),
            "{name}: there is no such test"
        );
    }
}

#[test]
fn every_test_that_names_a_section_is_in_the_table() {
    let page = page();
    let names = named(&page);
    for folder in ["oauth", "jwt"] {
        for file in fs::read_dir(books().join(folder)).unwrap() {
            let file = file.unwrap();
            let source = fs::read_to_string(file.path()).unwrap();
            for (function, _) in functions(&source).iter().filter(|(_, comment)| comment.contains('§')) {
                let name = format!("{folder}/{}::{function}", file.file_name().to_string_lossy());
                assert!(names.contains(&name[..]), "{name} names a section and is not in docs/standards.md");
            }
        }
    }
}

#[test]
fn every_row_has_a_test_or_says_why_not() {
    let page = page();
    for holder in holders(&page) {
        let says_why =
            ["does not apply: ", "**not held**: ", "in "].iter().any(|begin| holder.starts_with(begin));
        assert!(says_why || !named(holder).is_empty(), "{holder}");
    }
}

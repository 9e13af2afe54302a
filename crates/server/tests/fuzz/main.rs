//! The entry functions of `fuzz/` without a fuzzer: over its corpus, and over small changes to what is in it. The
//! changes are the same in each run; a fuzzer looks further.

#![allow(clippy::unwrap_used)]

#[path = "../../../../fuzz/entries.rs"]
mod entries;

use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{RngSeed, TestRunner};

const CASES: u32 = 16_384;

#[test]
fn a_token_opens_only_as_it_was_made() {
    try_all("token_open", entries::token_open);
}

#[test]
fn a_request_is_refused_or_understood_as_it_would_be_when_written_carefully() {
    try_all("decode_request", entries::decode_request);
}

#[test]
fn no_input_stops_a_parser_that_runs_before_authentication() {
    try_all("parse_unauthenticated", entries::parse_unauthenticated);
}

#[test]
fn no_body_stops_the_admin_api() {
    try_all("admin_body", entries::admin_body);
}

#[test]
fn a_file_of_applications_is_refused_or_read_as_it_would_be_when_written_carefully() {
    try_all("import_file", entries::import_file);
}

#[test]
fn an_export_that_was_changed_is_refused_and_a_line_stays_as_it_is_written() {
    try_all("export_file", entries::export_file);
}

#[test]
fn a_name_of_a_certificate_can_be_registered_as_it_is() {
    try_all("x509", entries::x509);
}

#[test]
fn a_journal_is_refused_or_read_as_its_layout_says() {
    try_all("journal", entries::journal);
}

#[test]
fn every_target_has_a_corpus_and_a_test() {
    let names = |folder: &str, suffix: &str| -> Vec<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz").join(folder);
        let files = folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = files.map(|name| name.trim_end_matches(suffix).to_owned()).collect();
        names.sort();
        names
    };
    let targets = names("targets", ".rs");
    assert_eq!(names("corpus", ""), targets);
    let tests = include_str!("main.rs");
    assert!(targets.iter().all(|target| tests.contains(&format!("try_all(\"{target}\", "))), "{targets:?}");
}

fn try_all(target: &str, entry: fn(&[u8])) {
    let corpus = corpus(target);
    corpus.iter().for_each(|input| entry(input));
    let start = prop_oneof![
        4 => prop::sample::select(corpus.clone()),
        1 => prop::collection::vec(any::<u8>(), 0..200),
    ];
    let changes = prop::collection::vec((any::<Index>(), change(corpus)), 0..6);
    let config = ProptestConfig {
        cases: CASES,
        rng_seed: RngSeed::Fixed(8_743),
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let outcome = TestRunner::new(config).run(&(start, changes), |(mut input, changes)| {
        for (at, change) in changes {
            change.apply(&mut input, at);
        }
        entry(&input);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

/// One change to an input, at a place in it.
#[derive(Clone, Debug)]
enum Change {
    Set(u8),
    Flip(u8),
    Cut,
    Remove,
    Insert(Vec<u8>),
    Repeat(usize),
}

/// Bytes that mean something to a decoder, and anything.
fn change(corpus: Vec<Vec<u8>>) -> impl Strategy<Value = Change> {
    let byte = || prop_oneof![prop::sample::select(b"{}[]\"\\:,&=%+;\0\n \xff\xc3".to_vec()), any::<u8>()];
    prop_oneof![
        byte().prop_map(Change::Set),
        (0..8_u8).prop_map(|bit| Change::Flip(1 << bit)),
        Just(Change::Cut),
        Just(Change::Remove),
        prop::collection::vec(byte(), 1..5).prop_map(Change::Insert),
        prop::sample::select(corpus).prop_map(Change::Insert),
        (1..300_usize).prop_map(Change::Repeat),
    ]
}

impl Change {
    fn apply(self, input: &mut Vec<u8>, at: Index) {
        if input.is_empty() {
            input.push(0);
        }
        let at = at.index(input.len());
        match self {
            Change::Set(byte) => input[at] = byte,
            Change::Flip(bit) => input[at] ^= bit,
            Change::Cut => input.truncate(at),
            Change::Remove => drop(input.remove(at)),
            Change::Insert(bytes) => drop(input.splice(at..at, bytes)),
            Change::Repeat(times) => drop(input.splice(at..at, vec![input[at]; times])),
        }
    }
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut files: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    // A folder is listed in any order, and the run shall be the same everywhere.
    files.sort();
    assert!(!files.is_empty());
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

//! Phrases of phrases.txt in comments, messages and pages.

use std::path::Path;

use crate::tree;

/// Folders whose texts are checked, beside the pages of the root.
const CHECKED: [&str; 4] = ["crates", "docs", "deploy", "bench"];

/// Files with comments or texts for people, by their endings.
const ENDINGS: [&str; 13] = [
    ".rs", ".md", ".toml", ".cfg", ".conf", ".lua", "file", ".service", ".yaml", ".yml", ".py", ".go",
    ".html",
];

#[test]
fn no_comment_message_or_page_uses_a_phrase_of_the_list() {
    let phrases = phrases();
    let mut found = Vec::new();
    for file in tree::files(&ENDINGS) {
        if is_checked(&file) {
            for (number, line) in tree::read(&file).lines().enumerate() {
                for (phrase, instead) in &phrases {
                    if uses(&prose(&file, line), phrase) {
                        let place = format!("{}:{}", file.display(), number + 1);
                        found.push(format!("{place}: `{phrase}`; write: {instead}\n    {}", line.trim()));
                    }
                }
            }
        }
    }
    assert!(found.is_empty(), "{} uses of phrases in phrases.txt:\n{}", found.len(), found.join("\n"));
}

fn is_checked(file: &Path) -> bool {
    let is_page = file.components().count() == 1;
    // The table of contents has the titles of decisions.
    let history = ["docs/decisions", "docs/SUMMARY.md", "CHANGELOG.md"];
    let is_below = |folders: &[&str]| folders.iter().any(|folder| file.starts_with(folder));
    (is_page || is_below(&CHECKED)) && !is_below(&history)
}

/// The phrases and what to write instead.
fn phrases() -> Vec<(String, String)> {
    let list = tree::read(Path::new("phrases.txt"));
    let lines = list.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let pair = |line: &str| {
        let (phrase, instead) = line.split_once(" | ").unwrap_or_else(|| panic!("{line}"));
        (phrase.to_owned(), instead.to_owned())
    };
    lines.map(pair).collect()
}

/// The part of a line for people: of code the comment, and outside of tests the texts; otherwise all of it.
fn prose(file: &Path, line: &str) -> String {
    let marks = [("rs", "//"), ("go", "//"), ("py", "#"), ("lua", "--")];
    let mark = marks.iter().find(|(extension, _)| file.extension().is_some_and(|found| found == *extension));
    let Some((_, mark)) = mark else { return line.to_owned() };
    let (code, comment) = line.split_once(mark).unwrap_or((line, ""));
    let is_test = file.components().any(|part| part.as_os_str() == "tests");
    let texts = code.split('"').skip(1).step_by(2).filter(|_| !is_test);
    [texts.collect::<Vec<_>>().join(" "), comment.to_owned()].join(" ")
}

/// Whether the phrase is in the line as words of its own, and not in quotation marks.
fn uses(line: &str, phrase: &str) -> bool {
    let line = line.to_lowercase();
    let in_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '"');
    line.match_indices(phrase).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + phrase.len()..].chars().next();
        !before.is_some_and(in_word) && !after.is_some_and(in_word)
    })
}

#[test]
fn code_is_not_checked_and_texts_of_the_program_are() {
    let source = Path::new("crates/core/src/a.rs");
    assert_eq!(prose(source, "let nobody = \"a text\"; // a comment"), "a text  a comment");
    assert_eq!(prose(Path::new("crates/core/tests/a.rs"), "let nobody = \"a text\";"), " ");
}

#[test]
fn a_phrase_is_found_as_words_only() {
    assert!(uses("Whoever asks.", "whoever"));
    assert!(!uses("fn whoever_asks()", "whoever"));
    assert!(!uses("no \"whoever\" here", "whoever"));
}

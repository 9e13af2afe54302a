//! Relative links and anchors of every page, and paths of pages that code and configuration name.

use std::path::{Path, PathBuf};

use crate::{markdown, tree};

#[test]
fn every_relative_link_of_every_page_leads_to_a_file_and_a_heading() {
    let mut broken = Vec::new();
    for page in tree::files(&[".md"]) {
        let text = tree::read(&page);
        for target in markdown::prose(&text).into_iter().flat_map(markdown::targets) {
            if !target.contains("://") && !resolves(&page, &target) {
                broken.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
}

/// A link that leads from `page` to `target`, which may have an anchor.
fn resolves(page: &Path, target: &str) -> bool {
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let file = if path.is_empty() { page.to_path_buf() } else { page.parent().unwrap().join(path) };
    tree::root().join(&file).exists() && anchor.is_none_or(|anchor| has_anchor(&file, anchor))
}

fn has_anchor(file: &Path, anchor: &str) -> bool {
    markdown::anchors(&tree::read(file)).iter().any(|known| known == anchor)
}

/// Comments, messages and configuration name pages by their path from the root.
#[test]
fn every_page_that_a_file_names_exists() {
    let mut broken = Vec::new();
    let endings =
        [".rs", ".toml", ".yaml", ".yml", ".cfg", ".lua", ".conf", ".service", ".py", ".go", "file"];
    for file in tree::files(&endings) {
        for named in pages_named(&tree::read(&file)) {
            let anchor = named.1.as_deref();
            let exists = tree::root().join(&named.0).exists();
            if !exists || anchor.is_some_and(|anchor| !has_anchor(&named.0, anchor)) {
                broken.push(format!("{}: {}{:?}", file.display(), named.0.display(), named.1));
            }
        }
    }
    assert!(broken.is_empty(), "pages that do not exist:\n{}", broken.join("\n"));
}

/// `docs/….md`, with its anchor if it has one.
fn pages_named(text: &str) -> Vec<(PathBuf, Option<String>)> {
    let in_path = |c: char| c.is_ascii_alphanumeric() || "/_-.#".contains(c);
    let words = text.split(|c: char| !in_path(c)).filter(|word| word.starts_with("docs/"));
    let named = words.filter_map(|word| {
        let (path, rest) = word.split_once(".md")?;
        let anchor = rest.strip_prefix('#').map(|anchor| anchor.trim_end_matches('.').to_owned());
        Some((PathBuf::from(format!("{path}.md")), anchor))
    });
    named.collect()
}

/// A merge once left its marks in a page.
#[test]
fn no_file_has_conflict_markers() {
    let marked = |file: &PathBuf| {
        let text = tree::read(file);
        text.lines().any(|line| line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> "))
    };
    let endings = [".md", ".rs", ".toml", ".yaml", ".sh"];
    let found: Vec<_> = tree::files(&endings).into_iter().filter(marked).collect();
    assert!(found.is_empty(), "{found:?}");
}

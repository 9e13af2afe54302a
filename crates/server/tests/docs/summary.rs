//! The table of contents of the documentation site.

use std::path::{Path, PathBuf};

use crate::{markdown, tree};

#[test]
fn every_page_is_in_the_table_of_contents_once() {
    let contents = tree::read(Path::new("docs/SUMMARY.md"));
    let links = markdown::prose(&contents).into_iter().flat_map(markdown::targets);
    let mut listed: Vec<_> = links.filter(|link| !link.starts_with("../")).map(PathBuf::from).collect();
    listed.sort();
    let pages = tree::files(&[".md"]);
    let pages = pages.iter().filter_map(|page| page.strip_prefix("docs").ok());
    let pages: Vec<_> = pages.filter(|page| *page != Path::new("SUMMARY.md")).map(Path::to_owned).collect();
    assert_eq!(listed, pages);
}

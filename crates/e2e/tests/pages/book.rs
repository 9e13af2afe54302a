//! The documentation site: mdBook builds it, and every link in what it wrote leads to a file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::commands::root;

const VERSION: &str = "0.5.4";

#[test]
fn the_book_builds_and_no_link_in_it_is_broken() {
    let built = tempfile::tempdir().unwrap();
    let mut mdbook = Command::new(mdbook());
    let output =
        mdbook.arg("build").arg(root().join("docs")).arg("--dest-dir").arg(built.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && !said.contains("WARN"), "{said}");
    let mut broken = Vec::new();
    for page in html(built.path()) {
        for link in links(&fs::read_to_string(&page).unwrap()) {
            if !page.parent().unwrap().join(&link).exists() {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// mdBook, built once for each version and kept beside what cargo builds.
fn mdbook() -> PathBuf {
    let home = northgate_testkit::cache().join(format!("mdbook-{VERSION}"));
    let program = home.join("bin/mdbook");
    if !program.exists() {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["install", "mdbook", "--locked", "--version", VERSION, "--no-default-features"]);
        let output = cargo.args(["--features", "search", "--root"]).arg(&home).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "`cargo install mdbook` failed: {said}");
    }
    program
}

/// The pages below a folder, without the one for missing pages, whose links are from the site's root.
fn html(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(html(&path));
        } else if path.extension().is_some_and(|extension| extension == "html") && !path.ends_with("404.html")
        {
            found.push(path);
        }
    }
    found
}

/// The relative links of a page, without their anchors.
fn links(html: &str) -> Vec<String> {
    let targets = html.split(" href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let relative = targets.filter(|target| !target.contains(':'));
    let files = relative.filter_map(|target| target.split('#').next());
    files.filter(|file| !file.is_empty()).map(str::to_owned).collect()
}

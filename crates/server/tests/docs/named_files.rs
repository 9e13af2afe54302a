//! Source files that the documents for contributors name.

use std::path::{Path, PathBuf};

use crate::tree;

#[test]
fn every_source_file_that_a_document_names_exists() {
    let sources = tree::files(&[".rs", ".py", ".sh", ".toml", ".yaml", ".mjs", ".lua", ".expected"]);
    let mut missing = Vec::new();
    for document in
        ["ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "docs/store.md", "docs/reliability.md"]
    {
        for name in names(&tree::read(Path::new(document))) {
            if !sources.iter().any(|source| is_named(source, &name)) {
                missing.push(format!("{document}: {name}"));
            }
        }
    }
    assert!(missing.is_empty(), "no such files:\n{}", missing.join("\n"));
}

/// `code` that ends like a Rust file.
fn names(document: &str) -> Vec<String> {
    let code = document.split('`').skip(1).step_by(2);
    let paths = code.filter(|code| code.ends_with(".rs") && !code.contains([' ', '*', '…']));
    paths.filter(|path| !path.contains("VERB")).map(str::to_owned).collect()
}

/// A document names the end of a path, and may leave `src` out.
fn is_named(source: &Path, name: &str) -> bool {
    let source: PathBuf = source.components().filter(|part| part.as_os_str() != "src").collect();
    let name: PathBuf = Path::new(name).components().filter(|part| part.as_os_str() != "src").collect();
    source.ends_with(name)
}

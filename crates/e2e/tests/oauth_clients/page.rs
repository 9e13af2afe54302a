//! The programs of docs/oauth-clients.md: each block names its file in its first line.

use std::fs;
use std::path::Path;

/// The blocks of the page that are files, by name.
fn files() -> Vec<(String, String)> {
    let page =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/oauth-clients.md")).unwrap();
    let blocks = page.split("```").skip(1).step_by(2);
    let blocks = blocks.map(|block| block.split_once('\n').unwrap().1);
    let file = |block: &str| {
        let name = block.lines().next().unwrap().trim_start_matches(['/', '#', ' ']);
        (name.to_owned(), block.to_owned())
    };
    blocks.map(file).collect()
}

pub fn names() -> Vec<String> {
    files().into_iter().map(|(name, _)| name).collect()
}

/// Writes the file into the folder.
pub fn write(name: &str, folder: &Path) {
    let files = files();
    let (_, text) = files.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no {name}"));
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

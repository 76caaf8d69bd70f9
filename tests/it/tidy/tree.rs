//! The checkout as the tests about it see it: what is committed, without what is built or left lying about.

use std::fs;
use std::path::Path;

/// Folders that git does not hold.
const NOT_OURS: [&str; 4] = [".git", "target", "data", "demo-data"];

/// One file of text; its path is relative to the checkout.
pub(super) struct Text {
    pub(super) path: String,
    pub(super) text: String,
}

pub(super) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

pub(super) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The names in a folder, sorted.
pub(super) fn names(folder: impl AsRef<Path>) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The folders in a folder.
pub(super) fn folders(folder: &str) -> Vec<String> {
    let folder = root().join(folder);
    names(&folder)
        .into_iter()
        .filter(|name| folder.join(name).is_dir())
        .collect()
}

/// Every text below a folder whose name ends in one of these ways, or in any; what is no UTF-8 is no text.
pub(super) fn texts(folder: &str, endings: &[&str]) -> Vec<Text> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for name in names(root().join(&folder)) {
            let path = if folder.is_empty() {
                name.clone()
            } else {
                format!("{folder}/{name}")
            };
            if root().join(&path).is_dir() {
                let ours = !folder.is_empty() || !NOT_OURS.contains(&name.as_str());
                open.extend(ours.then_some(path));
            } else if endings.is_empty() || endings.iter().any(|ending| name.ends_with(&format!(".{ending}"))) {
                let text = fs::read_to_string(root().join(&path));
                found.extend(text.ok().map(|text| Text { path, text }));
            }
        }
    }
    assert!(
        !found.is_empty(),
        "nothing below `{folder}`: this test would say nothing"
    );
    found
}

//! Tests about the tree itself: layers, sizes, folders and words; what the documents name is in `documents`.

mod documents;
mod tree;

use std::collections::BTreeSet;
use std::path::Path;

use toml::{Table, Value};
use tree::{Text, folders, read, root, texts};

/// Our crates and the layer of each (ARCHITECTURE.md): a crate uses only crates of a lower layer.
const LAYERS: [(&str, u8); 13] = [
    ("lgsp-types", 0),
    ("lgsp-audit", 1),
    ("lgsp-contract", 1),
    ("lgsp-files", 1),
    ("lgsp-ledger", 1),
    ("lgsp-proto", 1),
    ("lgsp-registry", 1),
    ("lgsp-store", 1),
    ("lgsp-adapters", 2),
    ("lgsp-exchange", 2),
    ("lgsp-api", 2),
    ("lgsp", 3),
    ("lgsp-tests", 4),
];
/// They decide and do nothing: time, ids and randomness come as arguments (invariant 3).
const PURE: [&str; 4] = ["lgsp-types", "lgsp-audit", "lgsp-contract", "lgsp-registry"];
const NOT_IN_PURE_MANIFESTS: [&str; 9] = [
    "getrandom",
    "http",
    "hyper",
    "mio",
    "rand",
    "rusqlite",
    "rustix",
    "tokio",
    "tokio-util",
];
const NOT_IN_PURE_CODE: [&str; 8] = [
    "SystemTime",
    "Instant::",
    "Zoned::now",
    "Timestamp::now",
    "SystemRandom",
    "std::fs",
    "std::net",
    "std::thread",
];
/// Dependencies that only some crates may name, and these crates (invariant 4).
const RESERVED: [(&str, &[&str]); 3] = [
    ("rdkafka", &["lgsp-ledger"]),
    ("tonic", &["lgsp-api", "lgsp-proto"]),
    ("rusqlite", &["lgsp-ledger", "lgsp-store"]),
];
const LINES_MAX: usize = 600;
/// Folders of generated code, which nobody reads from top to bottom.
const GENERATED: [&str; 1] = ["crates/lgsp-proto/src/gen/"];

/// The manifest of every crate by its name.
fn manifests() -> Vec<(String, Table)> {
    let members = folders("crates")
        .into_iter()
        .map(|folder| format!("crates/{folder}/Cargo.toml"));
    let manifests = members.chain([String::from("tests/Cargo.toml")]).map(|path| {
        let manifest: Table = read(&path).parse().unwrap();
        (manifest["package"]["name"].as_str().unwrap().to_owned(), manifest)
    });
    manifests.collect()
}

/// What a manifest names in one table of dependencies, for every platform.
fn dependencies(manifest: &Table, table: &str) -> BTreeSet<String> {
    let per_target = manifest.get("target").and_then(Value::as_table);
    let per_target = per_target
        .into_iter()
        .flat_map(Table::values)
        .filter_map(Value::as_table);
    let tables = std::iter::once(manifest)
        .chain(per_target)
        .filter_map(|place| place.get(table)?.as_table());
    tables.flat_map(Table::keys).cloned().collect()
}

#[test]
fn a_crate_uses_only_crates_of_a_lower_layer() {
    let layer = |name: &str| {
        let found = LAYERS.iter().find(|(crate_name, _)| *crate_name == name);
        found
            .unwrap_or_else(|| panic!("{name} has no layer: name it here and in ARCHITECTURE.md"))
            .1
    };
    let manifests = manifests();
    assert_eq!(manifests.len(), LAYERS.len(), "a layer without its crate");
    let mut uses = 0;
    for (name, manifest) in &manifests {
        for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for used in dependencies(manifest, table)
                .iter()
                .filter(|used| used.starts_with("lgsp"))
            {
                assert!(
                    layer(used) < layer(name),
                    "{name} uses {used}, which is of no lower layer"
                );
                uses += 1;
            }
        }
    }
    assert!(
        uses >= LAYERS.len(),
        "{uses} uses among our crates: the manifests were not read"
    );
}

#[test]
fn a_pure_crate_knows_no_tokio_clock_randomness_or_network() {
    for (name, manifest) in manifests().iter().filter(|(name, _)| PURE.contains(&name.as_str())) {
        for used in dependencies(manifest, "dependencies") {
            assert!(
                !NOT_IN_PURE_MANIFESTS.contains(&used.as_str()),
                "{name} is pure, but uses {used}"
            );
        }
        let files = texts(&format!("crates/{name}/src"), &["rs"]);
        for Text { path, text } in &files {
            let stem = path.rsplit('/').next().unwrap().trim_end_matches(".rs");
            let tests = files
                .iter()
                .any(|file| file.text.contains(&format!("#[cfg(test)]\nmod {stem};")));
            let shipped = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            for word in NOT_IN_PURE_CODE {
                assert!(tests || !shipped.contains(word), "{path} is pure, but names {word}");
            }
        }
    }
}

#[test]
fn what_only_some_crates_may_know_is_named_in_no_other() {
    for (name, manifest) in manifests() {
        let tables = ["dependencies", "dev-dependencies", "build-dependencies"];
        for used in tables.iter().flat_map(|table| dependencies(&manifest, table)) {
            for (reserved, to) in RESERVED {
                let free = !used.starts_with(reserved) || to.contains(&name.as_str());
                assert!(free, "{name} uses {used}, which is for {to:?}");
            }
        }
    }
}

#[test]
fn every_file_of_code_is_short_and_says_what_it_is_for() {
    for Text { path, text } in texts("", &["rs"]) {
        let lines = text.lines().count();
        let generated = GENERATED.iter().any(|folder| path.starts_with(folder));
        assert!(
            generated || lines <= LINES_MAX,
            "{path} has {lines} lines: cut it where a reader would"
        );
        let tests = path.ends_with("/tests.rs");
        assert!(
            generated || tests || text.starts_with("//! "),
            "{path} does not begin with `//!` and a sentence"
        );
    }
}

#[test]
fn no_test_is_switched_off_and_nothing_is_left_for_later() {
    // Put together here, so that this file may be searched as well.
    let words =
        ["#[ig%nore", "TO%DO", "FIX%ME", "to%do!(", "unimpl%emented!(", "d%bg!("].map(|word| word.replace('%', ""));
    for Text { path, text } in texts("", &["rs", "toml", "md", "yaml", "sh", "sql", "proto"]) {
        for word in &words {
            assert!(!text.contains(word), "{path}: `{word}`: do it, or file an issue");
        }
    }
}

#[test]
fn no_text_knows_the_machine_it_was_written_on() {
    let roots = ["wo%rk/", "ro%ot/", "ho%me/"].map(|root| root.replace('%', ""));
    let hosts = [
        "index.crates%.io",
        "static.crates%.io",
        "py%pi.org",
        "registry.npm%js",
        "proxy.gol%ang",
        "deb.deb%ian",
    ];
    let hosts = hosts.map(|host| host.replace('%', ""));
    for Text { path, text } in texts("", &[]) {
        for root in &roots {
            // As the beginning of a path only: `https://example.vn/work/` is somebody else's.
            let absolute = [' ', '"', '\'', '`', '(', '=', '\n', '\t', ':'].map(|before| format!("{before}/{root}"));
            assert!(
                !absolute.iter().any(|word| text.contains(word)),
                "{path}: a path under /{root}"
            );
        }
        for host in hosts.iter().filter(|_| path != "Cargo.lock") {
            assert!(!text.contains(host), "{path}: the host {host} of a package registry");
        }
    }
}

#[test]
fn an_adapter_is_a_complete_folder_and_two_lines() {
    let lib = read("crates/lgsp-adapters/src/lib.rs");
    let adapters = folders("crates/lgsp-adapters/src");
    assert!(!adapters.is_empty());
    for adapter in adapters {
        let folder = format!("crates/lgsp-adapters/src/{adapter}");
        for file in ["mod.rs", "README.md", "example.toml"] {
            assert!(root().join(&folder).join(file).is_file(), "{folder} has no {file}");
        }
        assert!(
            read(&format!("{folder}/README.md")).lines().count() <= 60,
            "{folder}/README.md is too long"
        );
        let parts = folders(&folder);
        let far_side = parts.iter().any(|part| part == "client" || part == "simulator");
        assert!(
            far_side,
            "{folder} has neither a client nor a simulator of its far side"
        );
        let code = texts(&folder, &["rs"]);
        assert!(
            code.iter().any(|file| file.text.contains("#[test]")),
            "{folder} has no tests"
        );
        let lines = lib.lines().filter(|line| line.contains(&adapter)).count();
        assert!(
            (1..=2).contains(&lines),
            "an adapter has two lines in lib.rs, {adapter} has {lines}"
        );
        // Its neighbours and what they share do not know it.
        let others = texts("crates/lgsp-adapters/src", &["rs"]).into_iter();
        for other in others.filter(|other| !other.path.starts_with(&folder) && !other.path.ends_with("src/lib.rs")) {
            assert!(
                !other.text.contains(&adapter),
                "{} names the adapter {adapter}",
                other.path
            );
        }
        let example: Table = read(&format!("{folder}/example.toml")).parse().unwrap();
        let known = documents::settings();
        for (section, settings) in &example {
            for name in settings.as_table().into_iter().flat_map(Table::keys) {
                let setting = format!("{section}.{name}");
                assert!(
                    known.contains(&setting),
                    "{folder}/example.toml: `{setting}` is not in config/lgsp.toml"
                );
            }
        }
    }
}

#[test]
fn the_root_is_not_cluttered() {
    let files: Vec<_> = tree::names(root())
        .into_iter()
        .filter(|name| root().join(name).is_file())
        .collect();
    assert!(
        files.len() <= 14,
        "more files at the top than a reader takes in: {files:?}"
    );
    for folder in ["docs", "scripts", "src"] {
        assert!(
            !Path::new(root()).join(folder).exists(),
            "`{folder}` has no place in the layout of ARCHITECTURE.md"
        );
    }
}

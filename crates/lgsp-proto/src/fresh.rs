//! The generated code is what proto/ says today; `make gen` writes it, with LGSP_GEN=write.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use prost::Message as _;

const FILES: [&str; 5] = [
    "lgsp/adapter/v1/adapter.proto",
    "lgsp/audit/v1/audit.proto",
    "lgsp/exchange/v1/exchange.proto",
    "lgsp/operations/v1/operations.proto",
    "lgsp/registry/v1/registry.proto",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What proto/ makes: names and contents of the files of src/gen/.
fn generated() -> BTreeMap<String, Vec<u8>> {
    let descriptors = protox::compile(FILES, [root().join("proto")]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    tonic_prost_build::configure()
        .out_dir(folder.path())
        .build_transport(false)
        .bytes(".")
        .extern_path(".google.rpc.Status", "::tonic_types::Status")
        .emit_rerun_if_changed(false)
        .compile_fds(descriptors.clone())
        .unwrap();
    let mut files: BTreeMap<String, Vec<u8>> = contents(folder.path());
    files.remove("google.rpc.rs");
    files.insert(String::from("descriptors.binpb"), descriptors.encode_to_vec());
    files
}

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(folder).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, fs::read(path).unwrap())
    });
    files.collect()
}

#[test]
fn generated_code_is_fresh() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gen");
    let files = generated();
    if std::env::var("LGSP_GEN").is_ok_and(|word| word == "write") {
        for name in contents(&folder).into_keys().filter(|name| !files.contains_key(name)) {
            fs::remove_file(folder.join(name)).unwrap();
        }
        for (name, bytes) in &files {
            fs::write(folder.join(name), bytes).unwrap();
        }
        return;
    }
    let committed = contents(&folder);
    assert!(
        committed.keys().eq(files.keys()) && committed == files,
        "src/gen/ is not what proto/ says: run `make gen`"
    );
}

//! Python with what the examples need, installed once per machine by the pins and hashes of their requirements.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// A file of examples/python.
pub(crate) fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../examples/python")
        .join(name)
}

/// Runs this example with these arguments.
pub(crate) fn python(name: &str, arguments: &[&str]) -> Command {
    static PACKAGES: OnceLock<PathBuf> = OnceLock::new();
    let mut command = Command::new("python3");
    command
        .arg(example(name))
        .args(arguments)
        .env("PYTHONPATH", PACKAGES.get_or_init(installed))
        // The checkout stays as it was.
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null());
    command
}

/// The folder of the packages. A change of the requirements is another folder; it is there whole or not at all.
fn installed() -> PathBuf {
    let requirements = example("requirements.txt");
    let digest = lgsp_types::Digest::of(&fs::read(&requirements).unwrap()).to_string();
    let cache = PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache/lgsp");
    let folder = cache.join(format!("python-{}", &digest[..16]));
    if folder.is_dir() {
        return folder;
    }
    fs::create_dir_all(&cache).unwrap();
    let making = tempfile::tempdir_in(&cache).unwrap();
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "-q", "--no-deps", "--only-binary", ":all:"])
        .args([
            "--require-hashes",
            "--disable-pip-version-check",
            "--root-user-action",
            "ignore",
        ])
        .arg("--target")
        .arg(making.path())
        .arg("-r")
        .arg(&requirements);
    let ended = pip.output().expect("python3 with pip, as .ci/setup installs them");
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "pip does not install: {told}");
    // Another run may have been quicker: its folder is as good.
    drop(fs::rename(making.keep(), &folder));
    folder
}

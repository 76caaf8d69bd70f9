//! The folder of a node of the tests: its settings file, its secrets, its data.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use toml::{Table, Value};

use super::department::EVERYBODY;
use super::disk::SmallDisk;
use super::outside::is_outside;
use super::program::{run, to_lgsp};

/// Gone when dropped, with all that is in it.
#[derive(Debug)]
pub(crate) struct Home {
    /// Before the folder, as it is mounted in it.
    disk: Option<SmallDisk>,
    folder: TempDir,
    settings: Table,
    /// The façade is a process of its own.
    pub(super) outside: bool,
}

impl Home {
    /// A folder with the secrets of every department, and settings for a node on any free port that logs JSON.
    pub(crate) fn new() -> Self {
        let mut home = Self {
            disk: None,
            folder: tempfile::tempdir().unwrap(),
            settings: Table::new(),
            outside: false,
        };
        home.set("node", "data_dir", text(&home.data()));
        home.set("log", "format", "json");
        home.set("vxp", "listen", "127.0.0.1:0");
        home.set("registry", "files", vec![text(&super::data("registry/test.toml"))]);
        home.set(
            "contracts",
            "folders",
            vec![text(&super::repository("config/contracts"))],
        );
        if is_outside() {
            home.outside = true;
            home.expect_adapter();
        }
        for department in EVERYBODY {
            write_secret(&home.secret_of(department.system), department.secret.as_bytes());
        }
        home
    }

    /// Has the node know those of tests/data/registry/rights.toml too, in a file of its own folder that a test may edit.
    pub(crate) fn know_rights(&mut self) -> PathBuf {
        let file = self.root().join("rights.toml");
        fs::copy(super::data("registry/rights.toml"), &file).unwrap();
        let files = self.settings["registry"]["files"].as_array().unwrap().clone();
        self.set("registry", "files", [files, vec![text(&file).into()]].concat());
        file
    }

    /// Has the node serve gRPC: an authority of its own, made by `lgsp ca`, and any free port.
    pub(crate) fn serve_grpc(&mut self) {
        self.ca(&["init", "--domain", "lgsp.test.vn"]);
        let papers = self.root().join("papers");
        self.ca(&["issue", "--host", "127.0.0.1", "--out", &text(&papers)]);
        self.set("grpc", "listen", "127.0.0.1:0");
        self.set("grpc", "domain", "lgsp.test.vn");
        self.set("grpc", "certificate", text(&papers.join("server.pem")));
        self.set("grpc", "key", text(&papers.join("server.key")));
        self.set("grpc", "client_ca", text(&self.root().join("ca/ca.pem")));
        self.set("grpc", "client_crls", vec![text(&self.root().join("ca/crl.pem"))]);
        self.set("grpc", "reload_interval_ms", 200);
    }

    /// Has the node serve gRPC as another one does, with its papers, at any free port.
    pub(crate) fn serve_grpc_as(&mut self, other: &Self) {
        let grpc = other.settings["grpc"].clone();
        self.settings.insert("grpc".to_owned(), grpc);
        self.set("grpc", "listen", "127.0.0.1:0");
    }

    /// Where gRPC is served, if that is a place of its own.
    pub(super) fn grpc_address(&self) -> String {
        format!("https://{}", self.settings["grpc"]["listen"].as_str().unwrap())
    }

    /// `lgsp ca` on this node's authority; what it printed.
    pub(crate) fn ca(&self, arguments: &[&str]) -> String {
        let folder = text(&self.root().join("ca"));
        let ended = run(to_lgsp(&[&["ca"], arguments, &["--ca", &folder]].concat()));
        assert_eq!(ended.code, Some(0), "lgsp ca {arguments:?}: {ended:?}");
        ended.out
    }

    /// Sets one setting for the next start.
    pub(crate) fn set(&mut self, section: &str, name: &str, value: impl Into<Value>) {
        let section = self.settings.entry(section).or_insert_with(|| Table::new().into());
        section.as_table_mut().unwrap().insert(name.to_owned(), value.into());
    }

    /// Has parts of the node's folder, which must not be there yet, on one small disk.
    pub(crate) fn put_on_small_disk(&mut self, names: &[&str]) {
        let folder = self.root().join("disk");
        fs::create_dir(&folder).unwrap();
        let disk = SmallDisk::mount(&folder);
        for name in names {
            disk.hold(&self.data(), name);
        }
        self.disk = Some(disk);
    }

    /// The disk of [`Self::put_on_small_disk`].
    pub(crate) fn small_disk(&self) -> &SmallDisk {
        self.disk.as_ref().unwrap()
    }

    /// A call of `lgsp` that sees this folder as its node does.
    pub(super) fn to_lgsp(&self, arguments: &[&str]) -> Command {
        let command = to_lgsp(arguments);
        self.disk.as_ref().map(|disk| disk.inside(&command)).unwrap_or(command)
    }

    /// Whether the façade is a process of its own.
    pub(crate) fn is_outside(&self) -> bool {
        self.outside
    }

    /// The folder around everything.
    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// The node's data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.root().join("data")
    }

    /// The file with the secret of this system.
    pub(crate) fn secret_of(&self, system: &str) -> PathBuf {
        self.data().join("secrets").join(system).join("current")
    }

    /// Gives the node the secret of one more system.
    pub(crate) fn add_secret(&self, reference: &str, secret: &str) {
        write_secret(&self.secret_of(reference), secret.as_bytes());
    }

    /// What is set of the façade.
    pub(super) fn vxp_settings(&self) -> Table {
        self.settings["vxp"].as_table().unwrap().clone()
    }

    /// Writes the settings and says where.
    pub(crate) fn settings_file(&self) -> PathBuf {
        let path = self.root().join("lgsp.toml");
        let mut settings = self.settings.clone();
        if self.outside {
            let vxp = settings["vxp"].as_table_mut().unwrap();
            vxp.insert("listen".to_owned(), "".into());
        }
        fs::write(&path, settings.to_string()).unwrap();
        path
    }
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// A file that only its owner reads, in folders that only the owner enters.
fn write_secret(path: &Path, secret: &[u8]) {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path.parent().unwrap())
        .unwrap();
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .unwrap();
    file.write_all(secret).unwrap();
}

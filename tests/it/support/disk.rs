//! A small disk of its own for a part of a node's folder, seen only from inside a mount namespace.
//!
//! Making one needs the right to mount: root, or a system that lets everybody have namespaces.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::fs::statvfs;
use rustix::process::geteuid;

/// Ends when its input does, so never later than we.
const HOLD: &str = r#"mount -t tmpfs -o mode=700 tmpfs "$1" && echo mounted && exec cat"#;

/// A tmpfs, and the process whose namespace it is mounted in.
#[derive(Debug)]
pub(crate) struct SmallDisk {
    holder: Child,
    mount: PathBuf,
}

impl SmallDisk {
    /// Mounts an empty disk on an empty folder.
    pub(super) fn mount(folder: &Path) -> Self {
        let mut unshare = Command::new("unshare");
        unshare.args(namespaces());
        if !geteuid().is_root() {
            unshare.arg("--map-root-user");
        }
        unshare.args(["sh", "-c", HOLD, "sh"]).arg(folder);
        let mut holder = unshare.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = [0; 8];
        let read = holder.stdout.as_mut().unwrap().read_exact(&mut said);
        assert!(
            read.is_ok() && said == *b"mounted\n",
            "no small disk can be mounted here"
        );
        Self {
            holder,
            mount: folder.to_owned(),
        }
    }

    /// Moves what a node would make under `name` in its folder, a file if the name has an ending, to this disk.
    pub(super) fn hold(&self, data: &Path, name: &str) {
        let there = self.outside(name);
        if Path::new(name).extension().is_some() {
            fs::File::create_new(there).unwrap();
        } else {
            fs::DirBuilder::new().mode(0o700).create(there).unwrap();
        }
        symlink(self.mount.join(name), data.join(name)).unwrap();
    }

    /// A path on this disk as it is reached from outside of the namespace.
    pub(crate) fn outside(&self, name: &str) -> PathBuf {
        let inside = self.mount.join(name);
        let root = format!("/proc/{}/root", self.holder.id());
        Path::new(&root).join(inside.strip_prefix("/").unwrap())
    }

    /// The command as it is run where the disk is.
    pub(super) fn inside(&self, command: &Command) -> Command {
        let mut nsenter = Command::new("nsenter");
        nsenter
            .args(["--target", &self.holder.id().to_string()])
            .args(namespaces());
        if !geteuid().is_root() {
            nsenter.arg("--preserve-credentials");
        }
        nsenter
            .stdin(Stdio::null())
            .arg("--")
            .arg(command.get_program())
            .args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => nsenter.env(name, value),
                None => nsenter.env_remove(name),
            };
        }
        nsenter
    }

    /// Makes the disk so small that so many bytes are free on it.
    pub(crate) fn leave_free(&self, bytes: u64) {
        let disk = statvfs(self.outside("")).unwrap();
        self.resize((disk.f_blocks - disk.f_bfree) * disk.f_frsize + bytes);
    }

    /// Makes the disk larger than any test needs.
    pub(crate) fn make_room(&self) {
        self.resize(256 * 1024 * 1024);
    }

    fn resize(&self, bytes: u64) {
        let mut mount = Command::new("mount");
        // What the kernel says of the disk is not given back to it: it knows no such user inside of a namespace.
        mount
            .args(["--options-mode", "ignore", "-o", &format!("remount,size={bytes}")])
            .arg(&self.mount);
        let resized = self.inside(&mount).status().unwrap();
        assert!(resized.success(), "the disk cannot be given {bytes} bytes");
    }
}

/// Root's own right to mount, or that of a namespace in which everybody is root.
fn namespaces() -> &'static [&'static str] {
    if geteuid().is_root() {
        &["--mount"]
    } else {
        &["--user", "--mount"]
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // With the last process in it the namespace goes, and the disk with it.
        drop(self.holder.kill());
        drop(self.holder.wait());
    }
}

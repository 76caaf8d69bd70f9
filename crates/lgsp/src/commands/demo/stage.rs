//! The platform under the play: a node as a process of its own, its settings, registry and secrets.

use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use super::cast::{self, System};
use super::narrator::Narrator;
use crate::commands::Failure;

/// Stands in every folder that a demo made, so that no other folder is ever removed.
const MARK: &str = ".lgsp-demo";
/// The agencies of the province, as shipped.
const REGISTRY: &[(&str, &str)] = cast::REGISTRY;

/// A running node and how to reach it.
#[derive(Debug)]
pub(super) struct Stage {
    folder: PathBuf,
    node: Child,
    vxp: String,
    systems: Vec<System>,
}

impl Stage {
    /// Makes the folder, starts the node as its own process and waits until it serves.
    pub(super) fn raise(folder: &Path, narrator: &mut Narrator) -> Result<Self, Failure> {
        narrator.act("The platform starts, on the local profile")?;
        fresh(folder)?;
        let systems = cast::systems()?;
        write_settings(folder, &systems)?;
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(folder.join("node.log"))?;
        let mut node = Command::new(program()?)
            .args(["serve", "--config"])
            .arg(folder.join("demo.toml"))
            .env("LGSP__LOG__FORMAT", "json")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        pass_on_signals(node.id())?;
        let lines = node
            .stderr
            .take()
            .ok_or_else(|| Failure::cannot("the node's log is not readable"))?;
        let vxp = match wait_until_serving(lines, log) {
            Ok(Some(vxp)) => vxp,
            ended => {
                let status = node.wait()?;
                let log = fs::read_to_string(folder.join("node.log"))?;
                drop(ended);
                return Err(Failure::cannot(format!(
                    "the node ended before it served ({status}); its log:\n{log}"
                )));
            }
        };
        narrator.say(
            "node",
            &format!("serves {vxp}, keeps everything in {}", folder.join("node").display()),
        )?;
        for system in &systems {
            narrator.say(
                system.part,
                &format!("{} ({}) connects as {}", system.name, system.agency, system.system),
            )?;
        }
        Ok(Self {
            folder: folder.to_owned(),
            node,
            vxp,
            systems,
        })
    }

    pub(super) fn systems(&self) -> &[System] {
        &self.systems
    }

    pub(super) fn vxp(&self) -> &str {
        &self.vxp
    }

    /// Settings of the node.
    pub(super) fn config(&self) -> PathBuf {
        self.folder.join("demo.toml")
    }

    /// The node's data folder.
    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("node")
    }

    /// The public key that checkpoints are held against.
    pub(super) fn vkey(&self) -> PathBuf {
        self.data().join("keys/log.vkey")
    }

    /// A folder for the files of the departments' own software.
    pub(super) fn clients(&self) -> PathBuf {
        self.folder.join("clients")
    }

    /// A folder for a copy that is tampered with.
    pub(super) fn tampered(&self) -> PathBuf {
        self.folder.join("tampered")
    }

    /// Runs another command of this program, as an operator would.
    pub(super) fn command(&self, arguments: &[&str]) -> Result<Output, Failure> {
        Ok(Command::new(program()?).args(arguments).stdin(Stdio::null()).output()?)
    }

    pub(super) fn write_access(&self, file: &Path) -> Result<(), Failure> {
        let access = json!({ "endpoints": { "vxp": self.vxp }, "systems": self.systems });
        let mut out = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(file)?;
        writeln!(out, "{access:#}")?;
        Ok(())
    }

    /// Waits until the node ends: what tells us to stop is passed on to it.
    pub(super) fn wait(mut self) -> Result<(), Failure> {
        ended_well(self.node.wait()?)
    }

    /// Tells the node to stop, and waits until it has.
    pub(super) fn lower(mut self) -> Result<(), Failure> {
        if !tell_to_stop(self.node.id())? {
            return Err(Failure::cannot("the node could not be told to stop"));
        }
        ended_well(self.node.wait()?)
    }
}

/// From now on SIGTERM and Ctrl-C end the node, and the demo with it: whoever stops the demo leaves no node behind.
fn pass_on_signals(node: u32) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listening = runtime.enter();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    drop(listening);
    std::thread::spawn(move || {
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                // A node that is gone already cannot be told.
                drop(tell_to_stop(node));
            }
        });
    });
    Ok(())
}

/// SIGTERM; false if there is no such process.
fn tell_to_stop(node: u32) -> io::Result<bool> {
    let told = Command::new("kill").arg("-TERM").arg(node.to_string()).status()?;
    Ok(told.success())
}

impl Drop for Stage {
    /// A play that broke off leaves no node behind.
    fn drop(&mut self) {
        if matches!(self.node.try_wait(), Ok(None)) {
            drop(self.node.kill());
            drop(self.node.wait());
        }
    }
}

fn ended_well(status: ExitStatus) -> Result<(), Failure> {
    if status.success() {
        Ok(())
    } else {
        Err(Failure::cannot(format!("the node ended with {status}")))
    }
}

fn program() -> io::Result<PathBuf> {
    std::env::current_exe()
}

/// Removes what an earlier demo left, and nothing else.
fn fresh(folder: &Path) -> Result<(), Failure> {
    if folder.exists() {
        if !folder.join(MARK).exists() && fs::read_dir(folder)?.next().is_some() {
            let what = format!(
                "{} is no folder of a demo: choose another with --data",
                folder.display()
            );
            return Err(Failure::cannot(what));
        }
        fs::remove_dir_all(folder)?;
    }
    for below in ["registry", "clients", "node/secrets"] {
        fs::create_dir_all(folder.join(below))?;
    }
    fs::write(folder.join(MARK), "made by lgsp demo; removed by the next one\n")?;
    Ok(())
}

fn write_settings(folder: &Path, systems: &[System]) -> Result<(), Failure> {
    for (name, text) in REGISTRY {
        fs::write(folder.join("registry").join(name), text)?;
    }
    fs::write(folder.join("registry/systems.toml"), cast::registry(systems))?;
    for system in systems {
        let secret = folder.join("node/secrets").join(&system.system);
        fs::create_dir_all(&secret)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(secret.join("current"))?;
        file.write_all(system.secret.as_bytes())?;
    }
    let absolute = fs::canonicalize(folder)?;
    let path = |below: &str| toml::Value::String(absolute.join(below).display().to_string());
    let settings = format!(
        "# Settings of the demo's node: what differs from config/lgsp.toml.\n[node]\nid = \"lgsp-demo\"\ndata_dir = {}\n\n\
         [registry]\nfiles = [{}]\n\n[vxp]\nlisten = \"127.0.0.1:0\"\n\n[seal]\ninterval_ms = 200\n",
        path("node"),
        path("registry"),
    );
    fs::write(folder.join("demo.toml"), settings)?;
    Ok(())
}

/// Reads the node's log until it says that it serves; keeps copying it to the file from then on.
fn wait_until_serving(lines: impl io::Read + Send + 'static, mut log: fs::File) -> io::Result<Option<String>> {
    let mut lines = BufReader::new(lines);
    let mut line = String::new();
    while lines.read_line(&mut line)? > 0 {
        log.write_all(line.as_bytes())?;
        let event: Value = serde_json::from_str(&line).unwrap_or_default();
        if event.get("message").and_then(Value::as_str) == Some("serving") {
            let vxp = event.get("vxp").and_then(Value::as_str).map(str::to_owned);
            std::thread::spawn(move || io::copy(&mut lines, &mut log));
            return Ok(vxp);
        }
        line.clear();
    }
    Ok(None)
}

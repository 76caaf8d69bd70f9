//! The platform under the play: a node, the façade and, if asked for, Kafka, each as a process of its own.

mod papers;
mod process;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use lgsp_adapters::webhook::simulator::Receiver;
use lgsp_files::Existing;
use lgsp_ledger::kafka::Cluster;
use serde_json::{Value, json};

use super::cast::{self, System};
use super::narrator::Narrator;
use crate::commands::Failure;
use crate::private;
use papers::{ADAPTER, DOMAIN, Papers};
use process::{Process, pass_on_signals};

/// Stands in every folder that a demo made, so that no other folder is ever removed.
const MARK: &str = ".lgsp-demo";
/// A running platform and how to reach it.
#[derive(Debug)]
pub(super) struct Stage {
    folder: PathBuf,
    facade: Process,
    node: Process,
    /// Behind the node, so that it is dropped after it.
    kafka: Option<Cluster>,
    vxp: String,
    grpc: String,
    papers: Papers,
    systems: Vec<System>,
    called: Receiver,
}

impl Stage {
    /// Makes the folder, starts the processes and waits until they serve.
    pub(super) fn raise(folder: &Path, kafka: bool, narrator: &mut Narrator) -> Result<Self, Failure> {
        let profile = if kafka {
            "a real Kafka broker"
        } else {
            "the local profile"
        };
        narrator.act(&format!("The platform starts, on {profile}"))?;
        fresh(folder)?;
        let folder = fs::canonicalize(folder)?;
        let mut systems = cast::systems()?;
        let papers = Papers::make(&folder, &mut systems)?;
        let kafka = kafka.then(|| start_kafka(&folder, narrator)).transpose()?;
        write_registry(&folder, &systems)?;
        let called = start_called(&folder)?;
        let settings = folder.join("demo.toml");
        fs::write(&settings, node_settings(&folder, &papers, kafka.as_ref()))?;
        papers.make_tokens(&settings, &mut systems)?;
        if kafka.is_some() {
            let made = lgsp(&["ledger", "init", "--config", &settings.display().to_string()])?;
            narrator.show(&String::from_utf8_lossy(&made.stdout))?;
        }
        let (node, said) = Process::start("serve", &settings, &folder.join("node.log"))?;
        let grpc = text(&said, "grpc");
        let adapter = folder.join("adapter.toml");
        fs::write(&adapter, adapter_settings(&folder, &papers, &grpc))?;
        let (facade, said) = Process::start("adapter", &adapter, &folder.join("adapter.log"))?;
        pass_on_signals(vec![facade.pid(), node.pid()])?;
        let vxp = text(&said, "vxp");
        let kept = folder.join("node");
        narrator.say(
            "node",
            &format!("serves {grpc}, keeps everything in {}", kept.display()),
        )?;
        narrator.say(
            "façade",
            &format!("serves {vxp}, as adapter/{ADAPTER}, a process of its own"),
        )?;
        for system in &systems {
            let what = format!("{} ({}) connects as {}", system.name, system.agency, system.system);
            narrator.say(system.part, &what)?;
        }
        Ok(Self {
            folder,
            facade,
            node,
            kafka,
            vxp,
            grpc,
            papers,
            systems,
            called,
        })
    }

    pub(super) fn systems(&self) -> &[System] {
        &self.systems
    }

    /// The service that is called.
    pub(super) const fn called(&self) -> &Receiver {
        &self.called
    }

    pub(super) fn vxp(&self) -> &str {
        &self.vxp
    }

    pub(super) fn grpc(&self) -> &str {
        &self.grpc
    }

    pub(super) fn on_kafka(&self) -> bool {
        self.kafka.is_some()
    }

    /// Roots of the node's certificate.
    pub(super) fn ca(&self) -> PathBuf {
        self.papers.ca_file()
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
        Ok(Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::null())
            .output()?)
    }

    pub(super) fn write_access(&self, file: &Path) -> Result<(), Failure> {
        let adapter = format!("adapter/{ADAPTER}");
        // With the adapter's certificate a caller is whose token it shows; each system has a certificate of its own, too.
        let access = json!({
            "endpoints": {
                "vxp": self.vxp,
                "grpc": self.grpc,
                "ca": self.papers.ca_file(),
                "cert": self.papers.of(&adapter, "pem"),
                "key": self.papers.of(&adapter, "key"),
            },
            "systems": self.systems,
        });
        let mut out = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(file)?;
        writeln!(out, "{access:#}")?;
        Ok(())
    }

    /// Waits until all has ended: what tells us to stop is passed on.
    pub(super) fn wait(self) -> Result<(), Failure> {
        let Self { facade, node, .. } = self;
        let ended = facade.wait();
        node.wait()?;
        ended
    }

    /// Tells all to stop, and waits until it has.
    pub(super) fn lower(self) -> Result<(), Failure> {
        let Self { facade, node, .. } = self;
        facade.tell_to_stop()?;
        facade.wait()?;
        node.tell_to_stop()?;
        node.wait()
    }
}

fn text(said: &Value, name: &str) -> String {
    said.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Runs a command of this program that must end well.
fn lgsp(arguments: &[&str]) -> Result<Output, Failure> {
    let output = Command::new(std::env::current_exe()?)
        .args(arguments)
        .stdin(Stdio::null())
        .output()?;
    if output.status.success() {
        return Ok(output);
    }
    let told = String::from_utf8_lossy(&output.stderr);
    Err(Failure::cannot(format!(
        "`lgsp {}` ended with {}:\n{told}",
        arguments.join(" "),
        output.status
    )))
}

fn start_kafka(folder: &Path, narrator: &Narrator) -> Result<Cluster, Failure> {
    narrator.say(
        "kafka",
        "its program is fetched, if it is not there yet, and one broker started",
    )?;
    let cluster = Cluster::start(1, &folder.join("kafka")).map_err(Failure::cannot)?;
    narrator.say("kafka", &format!("serves {}", cluster.bootstrap()))?;
    Ok(cluster)
}

/// A department's own service, with its secret where the node finds it and its address in the registry.
fn start_called(folder: &Path) -> Result<Receiver, Failure> {
    let secret = private::fresh_webhook_secret().map_err(Failure::cannot)?;
    let kept = folder.join("node/secrets").join(cast::CALLED.system);
    fs::create_dir_all(&kept)?;
    private::write(&kept.join("current"), secret.as_bytes(), Existing::Refuse).map_err(Failure::cannot)?;
    let called = Receiver::start(&secret, None)?;
    fs::write(folder.join("registry/z-rules.toml"), cast::rules(&called.url()))?;
    Ok(called)
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
    for below in ["registry", "clients", "node", "secrets"] {
        fs::create_dir_all(folder.join(below))?;
    }
    fs::write(folder.join(MARK), "made by lgsp demo; removed by the next one\n")?;
    Ok(())
}

/// Who takes part, the contracts they send by, and the secrets that only the façade needs.
fn write_registry(folder: &Path, systems: &[System]) -> Result<(), Failure> {
    for (name, text) in cast::REGISTRY {
        fs::write(folder.join("registry").join(name), text)?;
    }
    for (path, text) in cast::CONTRACTS {
        let path = folder.join("contracts").join(path);
        if let Some(version) = path.parent() {
            fs::create_dir_all(version)?;
        }
        fs::write(path, text)?;
    }
    fs::write(folder.join("registry/systems.toml"), cast::registry(systems, ADAPTER))?;
    for system in systems {
        let secret = folder.join("secrets").join(&system.system);
        fs::create_dir_all(&secret)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(secret.join("current"))?;
        file.write_all(system.secret.as_bytes())?;
    }
    Ok(())
}

fn quoted(path: &Path) -> toml::Value {
    toml::Value::String(path.display().to_string())
}

fn node_settings(folder: &Path, papers: &Papers, kafka: Option<&Cluster>) -> String {
    let mut settings = format!(
        "# Settings of the demo's node: what differs from config/lgsp.toml.\n[node]\nid = \"lgsp-demo\"\ndata_dir = {}\n\n\
         [registry]\nfiles = [{}]\n\n[contracts]\nfolders = [{}]\n\n# The façade is a process of its own: see adapter.toml.\n[vxp]\nlisten = \"\"\n\n\
         [seal]\ninterval_ms = 200\n\n[grpc]\nlisten = \"127.0.0.1:0\"\ndomain = \"{DOMAIN}\"\ncertificate = {}\nkey = {}\n\
         client_ca = {}\nclient_crls = [{}]\n\n[push]\nprobe_interval_ms = 200\n\n\
         [webhook]\nplain_hosts = [\"127.0.0.1\"]\nnetworks = [\"127.0.0.0/8\"]\n",
        quoted(&folder.join("node")),
        quoted(&folder.join("registry")),
        quoted(&folder.join("contracts")),
        quoted(&papers.of("server", "pem")),
        quoted(&papers.of("server", "key")),
        quoted(&papers.ca_file()),
        quoted(&papers.crl_file()),
    );
    if let Some(kafka) = kafka {
        settings.push_str(&format!(
            "\n[ledger]\nkind = \"kafka\"\n\n[kafka]\nbootstrap = [\"{}\"]\nreplication = 1\nmin_insync = 1\n",
            kafka.bootstrap()
        ));
    }
    settings
}

fn adapter_settings(folder: &Path, papers: &Papers, grpc: &str) -> String {
    let adapter = format!("adapter/{ADAPTER}");
    format!(
        "# Settings of the demo's façade: what differs from config/adapter.toml.\n[adapter]\nsecrets_dir = {}\n\n\
         [node]\nurl = \"{grpc}\"\nca = {}\ncertificate = {}\nkey = {}\n\n[vxp]\nlisten = \"127.0.0.1:0\"\n",
        quoted(&folder.join("secrets")),
        quoted(&papers.ca_file()),
        quoted(&papers.of(&adapter, "pem")),
        quoted(&papers.of(&adapter, "key")),
    )
}

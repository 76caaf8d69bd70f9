//! One broker: its properties, its process, and the watcher that ends it with us.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use super::ClusterError;
use super::distribution::{Distribution, missing};

/// Starts the program that it is given and sends it the signals whose names come in, a line each. When no more can come
/// (we closed the pipe, or we are dead, however we died) it is SIGKILLed. Ends with the program.
const WATCHER: &str = r#"
exec 3<&0
"$@" </dev/null 3<&- & broker=$!
(while read -r signal; do kill -s "$signal" "$broker"; done; kill -s KILL "$broker") <&3 3<&- 2>/dev/null & watcher=$!
exec 3<&-
wait "$broker"
kill -s KILL "$watcher" 2>/dev/null
"#;

/// The two ports of one node, on the loopback address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    pub(super) broker: u16,
    pub(super) controller: u16,
}

/// One node: broker and controller in one process.
#[derive(Debug)]
pub(super) struct Broker {
    folder: PathBuf,
    ports: Ports,
    process: Option<Process>,
}

#[derive(Debug)]
struct Process {
    child: Child,
    signals: ChildStdin,
}

impl Broker {
    /// Writes the properties of node `id`, numbered from 1, into its folder.
    pub(super) fn prepare(folder: PathBuf, id: usize, all: &[Ports], ports: Ports) -> Result<Self, ClusterError> {
        let written = fs::create_dir_all(&folder)
            .and_then(|()| fs::write(folder.join("server.properties"), properties(&folder, id, all, ports)));
        written.map_err(|source| ClusterError::Io {
            path: folder.clone(),
            source,
        })?;
        Ok(Self {
            folder,
            ports,
            process: None,
        })
    }

    pub(super) fn port(&self) -> u16 {
        self.ports.broker
    }

    /// Where the broker keeps its partitions.
    pub(super) fn logs(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Begins to make the empty storage of this node.
    pub(super) fn format(&self, distribution: &Distribution, cluster_id: &str) -> Result<Child, ClusterError> {
        let mut words = distribution.java("-Xmx128m").into_iter();
        let mut java = Command::new(words.next().unwrap_or_default());
        java.args(words)
            .args(["kafka.tools.StorageTool", "format", "-t", cluster_id, "-c"]);
        java.arg(self.folder.join("server.properties"));
        let log = self.log()?;
        java.stdin(Stdio::null())
            .stdout(log.try_clone().map_err(|source| self.io(source))?)
            .stderr(log);
        java.spawn()
            .map_err(|source| missing("java", "default-jre-headless", source))
    }

    pub(super) fn start(&mut self, distribution: &Distribution) -> Result<(), ClusterError> {
        let log = self.log()?;
        let mut shell = Command::new("sh");
        shell
            .args(["-c", WATCHER, "broker"])
            .args(distribution.java("-Xmx512m"));
        shell.arg("kafka.Kafka").arg(self.folder.join("server.properties"));
        let log_too = log.try_clone().map_err(|source| self.io(source))?;
        shell.stdin(Stdio::piped()).stdout(log_too).stderr(log);
        let mut child = shell.spawn().map_err(|source| missing("sh", "dash", source))?;
        let signals = child
            .stdin
            .take()
            .ok_or_else(|| self.io(io::ErrorKind::BrokenPipe.into()))?;
        self.process = Some(Process { child, signals });
        Ok(())
    }

    /// SIGKILL; the process is gone when this returns.
    pub(super) fn kill(&mut self) {
        if let Some(Process { mut child, signals }) = self.process.take() {
            drop(signals);
            // An error only says that it has ended.
            drop(child.wait());
        }
    }

    /// A clean end: SIGTERM, then as long as it takes.
    pub(super) fn stop(&mut self) {
        self.signal("TERM");
        if let Some(Process { mut child, signals }) = self.process.take() {
            drop(child.wait());
            drop(signals);
        }
    }

    /// Tells the watcher; a broker that is gone hears nothing.
    pub(super) fn signal(&mut self, name: &str) {
        if let Some(process) = &mut self.process {
            drop(writeln!(process.signals, "{name}"));
        }
    }

    pub(super) fn is_running(&mut self) -> bool {
        let status = self.process.as_mut().map(|process| process.child.try_wait());
        matches!(status, Some(Ok(None)))
    }

    /// The last lines that it wrote.
    pub(super) fn last_words(&self) -> String {
        let log = fs::read(self.folder.join("broker.log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        let last = lines.len().saturating_sub(5);
        lines.get(last..).unwrap_or_default().join("; ")
    }

    fn log(&self) -> Result<File, ClusterError> {
        let log = File::options()
            .append(true)
            .create(true)
            .open(self.folder.join("broker.log"));
        log.map_err(|source| self.io(source))
    }

    fn io(&self, source: io::Error) -> ClusterError {
        ClusterError::Io {
            path: self.folder.clone(),
            source,
        }
    }
}

/// Nothing outlives its owner.
impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Broker settings of reliability.md 3.4, as far as so many nodes can keep them.
fn properties(folder: &Path, id: usize, all: &[Ports], ports: Ports) -> String {
    let voters = (1..)
        .zip(all)
        .map(|(id, ports): (usize, _)| format!("{id}@127.0.0.1:{}", ports.controller));
    let voters = voters.collect::<Vec<_>>().join(",");
    let (replicas, in_sync) = if all.len() < 3 { (1, 1) } else { (3, 2) };
    let Ports { broker, controller } = ports;
    let data = folder.join("data");
    format!(
        "process.roles=broker,controller
node.id={id}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={}
auto.create.topics.enable=false
unclean.leader.election.enable=false
log.message.timestamp.type=LogAppendTime
default.replication.factor={replicas}
min.insync.replicas={in_sync}
offsets.topic.num.partitions=1
offsets.topic.replication.factor={replicas}
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={in_sync}
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=4
",
        data.display()
    )
}

//! A Kafka cluster of one's own, for demo and tests: real brokers on the loopback address that end with this process.

mod broker;
mod distribution;

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::client::Quiet;
use broker::{Broker, Ports};
use distribution::Distribution;

/// 16 bytes in base64, as Kafka writes its ids.
const CLUSTER_ID: &str = "bGdzcC1vZi1vbmVzLW93bg";
/// A node that is not ready after so long is not coming.
const READY_MAX: Duration = Duration::from_secs(90);
const ATTEMPT: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(50);
/// Where ports are looked for: above those of services, below those that connections get.
const PORTS_FROM: u16 = 15_000;
const PORTS_TO: u16 = 30_000;

/// One or three real brokers with everything in one folder: for demo and tests, never for records that matter.
///
/// Plaintext on the loopback address. All brokers are killed when this is dropped, and when this process ends, however it
/// ends. Its methods block the thread for seconds.
#[derive(Debug)]
pub struct Cluster {
    distribution: Distribution,
    brokers: Vec<Broker>,
}

/// Why a cluster of one's own does not run.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// Set HOME.
    #[error("there is no folder to keep Kafka's jars in: neither XDG_CACHE_HOME nor HOME is set")]
    NoCacheFolder,
    /// Install the package.
    #[error("`{program}` cannot be started; Debian has it in {package}")]
    NoProgram {
        program: &'static str,
        package: &'static str,
        #[source]
        source: io::Error,
    },
    /// See to Maven's access to its repository.
    #[error("Maven could not fetch the jars of Kafka: {said}")]
    NotFetched { said: String },
    /// See to the disk or the rights.
    #[error("{path} cannot be used")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Stop something that listens.
    #[error("no free port between {PORTS_FROM} and {PORTS_TO}")]
    NoPort,
    /// A cluster has one node or three.
    #[error("a cluster has 1 or 3 nodes, not {nodes}")]
    Size { nodes: usize },
    /// Nodes are numbered from 1.
    #[error("the cluster has no node {node}")]
    NoSuchNode { node: usize },
    /// What it said last may tell why.
    #[error("node {node} does not run: {said}")]
    NotRunning { node: usize, said: String },
}

impl Cluster {
    /// Starts 1 or 3 nodes with new, empty storage below `folder`, and waits until all are ready.
    ///
    /// # Errors
    /// [`ClusterError`]; nothing is left running then.
    pub fn start(nodes: usize, folder: &Path) -> Result<Self, ClusterError> {
        if nodes != 1 && nodes != 3 {
            return Err(ClusterError::Size { nodes });
        }
        let distribution = Distribution::get()?;
        let ports = free_ports(nodes)?;
        let brokers = (1..)
            .zip(&ports)
            .map(|(id, own): (usize, &Ports)| Broker::prepare(folder.join(format!("node-{id}")), id, &ports, *own));
        let brokers = brokers.collect::<Result<Vec<_>, _>>()?;
        let mut formatting = Vec::new();
        for broker in &brokers {
            formatting.push(broker.format(&distribution, CLUSTER_ID)?);
        }
        for ((node, broker), mut child) in (1..).zip(&brokers).zip(formatting) {
            if !child.wait().is_ok_and(|status| status.success()) {
                return Err(ClusterError::NotRunning {
                    node,
                    said: broker.last_words(),
                });
            }
        }
        let mut cluster = Self { distribution, brokers };
        for broker in &mut cluster.brokers {
            broker.start(&cluster.distribution)?;
        }
        cluster.wait_until_ready()?;
        Ok(cluster)
    }

    /// How many nodes there are, running or not.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.brokers.len()
    }

    /// Where clients begin: every node's address.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        let addresses = self.brokers.iter().map(|broker| format!("127.0.0.1:{}", broker.port()));
        addresses.collect::<Vec<_>>().join(",")
    }

    /// The folder in which a node, numbered from 1, keeps a partition.
    ///
    /// # Errors
    /// [`ClusterError::NoSuchNode`].
    pub fn partition_folder(&self, node: usize, topic: &str, partition: u32) -> Result<PathBuf, ClusterError> {
        let broker = self
            .brokers
            .get(node.wrapping_sub(1))
            .ok_or(ClusterError::NoSuchNode { node })?;
        Ok(broker.logs().join(format!("{topic}-{partition}")))
    }

    /// SIGKILL for one node.
    ///
    /// # Errors
    /// [`ClusterError::NoSuchNode`].
    pub fn kill(&mut self, node: usize) -> Result<(), ClusterError> {
        self.broker(node)?.kill();
        Ok(())
    }

    /// Ends one node cleanly (SIGTERM).
    ///
    /// # Errors
    /// [`ClusterError::NoSuchNode`].
    pub fn stop(&mut self, node: usize) -> Result<(), ClusterError> {
        self.broker(node)?.stop();
        Ok(())
    }

    /// Freezes one node (SIGSTOP): it keeps its connections and answers nobody.
    ///
    /// # Errors
    /// [`ClusterError::NoSuchNode`].
    pub fn freeze(&mut self, node: usize) -> Result<(), ClusterError> {
        self.broker(node)?.signal("STOP");
        Ok(())
    }

    /// Lets a frozen node go on (SIGCONT).
    ///
    /// # Errors
    /// [`ClusterError::NoSuchNode`].
    pub fn thaw(&mut self, node: usize) -> Result<(), ClusterError> {
        self.broker(node)?.signal("CONT");
        Ok(())
    }

    /// Starts the nodes that do not run, each on its old address and storage, and waits until all are ready.
    ///
    /// # Errors
    /// [`ClusterError::NotRunning`].
    pub fn start_again(&mut self) -> Result<(), ClusterError> {
        for broker in &mut self.brokers {
            if !broker.is_running() {
                broker.kill();
                broker.start(&self.distribution)?;
            }
        }
        self.wait_until_ready()
    }

    fn broker(&mut self, node: usize) -> Result<&mut Broker, ClusterError> {
        self.brokers
            .get_mut(node.wrapping_sub(1))
            .ok_or(ClusterError::NoSuchNode { node })
    }

    /// Asks each node until it tells of all; each attempt waits for the answer of a socket.
    fn wait_until_ready(&mut self) -> Result<(), ClusterError> {
        let begin = Instant::now();
        let nodes = self.brokers.len();
        for (node, broker) in (1..).zip(&mut self.brokers) {
            let mut config = ClientConfig::new();
            config.set("bootstrap.servers", format!("127.0.0.1:{}", broker.port()));
            config
                .set("reconnect.backoff.ms", "50")
                .set("reconnect.backoff.max.ms", "200");
            let client: Result<BaseConsumer<Quiet>, _> = config.create_with_context(Quiet);
            let tells_of_all = || {
                let told = client.as_ref().ok()?.fetch_metadata(None, ATTEMPT).ok()?;
                (told.brokers().len() == nodes).then_some(())
            };
            while tells_of_all().is_none() {
                if !broker.is_running() || begin.elapsed() > READY_MAX {
                    let said = broker.last_words();
                    return Err(ClusterError::NotRunning { node, said });
                }
                // It answered that it does not know the others yet.
                thread::sleep(PAUSE);
            }
        }
        Ok(())
    }
}

/// A broker that is away keeps its port: were it one that connections get, one of ours could take it, and even end up
/// connected to itself.
fn free_ports(nodes: usize) -> Result<Vec<Ports>, ClusterError> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let span = PORTS_TO - PORTS_FROM;
    let begin = u16::try_from(std::process::id().wrapping_mul(97) % u32::from(span)).unwrap_or(0);
    // Held until all are found, so that none is found twice.
    let mut held = Vec::new();
    for _ in 0..span {
        let place = (u32::from(begin) + u32::from(NEXT.fetch_add(1, Ordering::Relaxed))) % u32::from(span);
        let port = PORTS_FROM + u16::try_from(place).unwrap_or(0);
        held.extend(
            TcpListener::bind((Ipv4Addr::LOCALHOST, port))
                .ok()
                .map(|listener| (listener, port)),
        );
        if held.len() == nodes * 2 {
            let pairs = held.chunks_exact(2).filter_map(|pair| match pair {
                [(_, broker), (_, controller)] => Some(Ports {
                    broker: *broker,
                    controller: *controller,
                }),
                _ => None,
            });
            return Ok(pairs.collect());
        }
    }
    Err(ClusterError::NoPort)
}

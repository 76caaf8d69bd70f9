//! What the tests of the Kafka ledger stand on: real brokers that are started once for all of them, and topics of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rdkafka::admin::AdminClient;
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

use super::super::client::{self, Told};
use super::super::*;

pub(super) const ALL: ReadLimit = ReadLimit {
    entries: usize::MAX,
    bytes: usize::MAX,
};

static ONE: LazyLock<Mutex<Stage>> = LazyLock::new(|| Mutex::new(Stage::start(1)));
static THREE: LazyLock<Mutex<Stage>> = LazyLock::new(|| Mutex::new(Stage::start(3)));

/// One broker, for this test alone while it has it.
pub(super) async fn one() -> MutexGuard<'static, Stage> {
    ready(&ONE).await
}

/// Three brokers.
pub(super) async fn three() -> MutexGuard<'static, Stage> {
    ready(&THREE).await
}

/// A test that failed may have left a broker dead or frozen.
async fn ready(stage: &'static LazyLock<Mutex<Stage>>) -> MutexGuard<'static, Stage> {
    let mut stage = spawn_blocking(|| stage.lock()).await.unwrap().await;
    stage.all_well();
    stage
}

/// A running cluster, and where the manifests of its ledgers lie.
pub(super) struct Stage {
    pub(super) cluster: Cluster,
    folder: PathBuf,
    made: AtomicUsize,
    _sweeper: Child,
}

impl Stage {
    fn start(nodes: usize) -> Self {
        let folder = TempDir::with_prefix("lgsp-kafka-").unwrap().keep();
        // What is static is never dropped: the folder goes when this process has ended, however it ended.
        let mut sweeper = Command::new("sh");
        sweeper
            .args(["-c", "cat; until rm -rf \"$0\"; do sleep 0.1; done 2>/dev/null"])
            .arg(&folder);
        let sweeper = sweeper.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        Self {
            cluster: Cluster::start(nodes, &folder).unwrap(),
            folder,
            made: AtomicUsize::new(0),
            _sweeper: sweeper,
        }
    }

    pub(super) fn all_well(&mut self) {
        for node in self.nodes() {
            self.cluster.thaw(node).unwrap();
        }
        self.cluster.start_again().unwrap();
    }

    pub(super) fn nodes(&self) -> std::ops::RangeInclusive<usize> {
        1..=self.cluster.nodes()
    }

    /// The manifest of the ledger that was made last.
    pub(super) fn path(&self) -> PathBuf {
        self.folder.join(format!("{}.kafka", self.name()))
    }

    pub(super) fn name(&self) -> String {
        format!("ledger-{}", self.made.load(Ordering::Relaxed))
    }

    pub(super) fn next_manifest(&self, partitions: u32) -> Manifest {
        self.made.fetch_add(1, Ordering::Relaxed);
        let (replication, min_insync) = if self.cluster.nodes() == 1 { (1, 1) } else { (3, 2) };
        Manifest {
            format: Manifest::FORMAT,
            name: self.name(),
            partitions,
            replication,
            min_insync,
            retention_ms: -1,
            sync_each_write: false,
            compacted: false,
        }
    }

    pub(super) async fn ledger(&self, partitions: u32) -> Kafka {
        let manifest = self.next_manifest(partitions);
        let made = Kafka::create(&self.path(), manifest, &self.settings()).await.unwrap();
        assert_eq!(made, Made::Topic);
        self.open().await
    }

    pub(super) async fn open(&self) -> Kafka {
        Kafka::open(&self.path(), &self.settings()).await.unwrap()
    }

    pub(super) fn settings(&self) -> Settings {
        settings(&self.cluster.bootstrap())
    }

    /// For tests that wait for a time-out.
    pub(super) fn impatient(&self) -> Settings {
        impatient(&self.cluster.bootstrap())
    }

    /// Another's hands on the topics.
    pub(super) fn admin(&self) -> AdminClient<Told> {
        client::any(&self.settings()).create_with_context(Told).unwrap()
    }

    /// Flips a bit of the only record with this text, wherever it is stored. Answers the first offset of its batch.
    pub(super) fn flip(&self, partition: u32, text: &[u8]) -> u64 {
        let folders = self
            .nodes()
            .map(|node| self.cluster.partition_folder(node, &self.name(), partition).unwrap());
        let bases: Vec<_> = folders
            .map(|folder| flip(&folder.join("00000000000000000000.log"), text))
            .collect();
        assert!(bases.windows(2).all(|pair| pair[0] == pair[1]), "{bases:?}");
        bases[0]
    }
}

/// A segment is batches: u64 base offset, u32 length of the rest, the rest.
/// Source: <https://kafka.apache.org/documentation/#recordbatch>.
fn flip(segment: &Path, text: &[u8]) -> u64 {
    let mut bytes = fs::read(segment).unwrap();
    let mut found = bytes
        .windows(text.len())
        .enumerate()
        .filter(|(_, window)| *window == text)
        .map(|(at, _)| at);
    let (at, None) = (found.next().unwrap(), found.next()) else {
        panic!("the record is there more than once");
    };
    drop(found);
    let mut batch = 0;
    loop {
        let length = u32::from_be_bytes(bytes[batch + 8..batch + 12].try_into().unwrap()) as usize;
        if at < batch + 12 + length {
            break;
        }
        batch += 12 + length;
    }
    let base = u64::from_be_bytes(bytes[batch..batch + 8].try_into().unwrap());
    bytes[at] ^= 1;
    let file = fs::File::options().write(true).open(segment).unwrap();
    // In place: the broker has the file open.
    std::os::unix::fs::FileExt::write_all_at(&file, &bytes[at..=at], at as u64).unwrap();
    base
}

/// Those of a province.
pub(super) fn settings(bootstrap: &str) -> Settings {
    Settings {
        bootstrap: bootstrap.split(',').map(String::from).collect(),
        tls: None,
        plaintext_beyond_loopback: false,
        linger: Duration::from_millis(2),
        request_timeout: Duration::from_secs(8),
        socket_timeout: Duration::from_secs(12),
        message_timeout: Duration::from_secs(20),
        queue_records_max: 20_000,
        queue_kib_max: 65_536,
    }
}

pub(super) fn impatient(bootstrap: &str) -> Settings {
    Settings {
        request_timeout: Duration::from_millis(500),
        socket_timeout: Duration::from_millis(1_500),
        message_timeout: Duration::from_millis(2_500),
        ..settings(bootstrap)
    }
}

/// Appends `count` records; the nth of a partition says so.
pub(super) async fn put(ledger: &Kafka, partition: u32, count: u64) {
    for nth in 0..count {
        let append = ledger.append(partition, text(partition, nth)).await;
        assert!(matches!(append, Append::Appended(_)), "{append:?}");
    }
}

pub(super) fn text(partition: u32, nth: u64) -> Bytes {
    Bytes::from(format!("record {nth} of partition {partition}."))
}

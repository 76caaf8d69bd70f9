//! A node that is started, stopped and killed on the same ledgers and the same folder.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lgsp_contract::Folder;
use lgsp_ledger::kafka::{self, Kafka};
use lgsp_ledger::{Ledger, Local, Reader, Tenure};
use lgsp_types::{Adapter, Clock, ContractRef, UnixMs};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::far::{Diary, Far, Say};
use super::trouble::Troubled;
use crate::tests::stage::{BEGIN_MS, limits, open_ledger, parts, start};
use crate::{Limits, PushLimits, Spine};

/// A node that takes longer over anything is stuck.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Who is in these schedules beside the two departments of the stage.
const REGISTRY: &str = r#"
format = 1
[[agency]]
id = "test.five"
kind = "department"
names = ["Five"]
codes = ["H44.05"]
[[system]]
id = "sys.five"
agency = "test.five"
speaks_for = ["H44.05"]
[[agency]]
id = "test.six"
kind = "department"
names = ["Six"]
codes = ["H44.06"]
[[system]]
id = "sys.six"
agency = "test.six"
speaks_for = ["H44.06"]
[[connector]]
id = "six"
system = "sys.six"
adapter = "edxml-vxp"
mode = "pull"
[[agency]]
id = "test.three"
kind = "department"
names = ["Three"]
codes = ["H44.03"]
[[agency]]
id = "test.old"
kind = "department"
to = 2025-06-30
names = ["Old"]
codes = ["H44.09"]
successors = ["test.three"]
[[system]]
id = "sys.three"
agency = "test.three"
speaks_for = ["H44.03"]
[[connector]]
id = "three"
system = "sys.three"
adapter = "far"
mode = "push"
retry_waits_ms = [0, 1, 1]
"#;
/// As the connector says.
pub(super) const TRIES: u32 = 3;

/// Where the ledgers lie.
#[derive(Clone, Debug)]
pub(super) enum Ground {
    Files,
    /// A topic of this name; the control ledger, which these schedules only begin with, in a file.
    Topic(String, kafka::Settings),
}

impl Ground {
    fn names(&self) -> [String; 2] {
        let data = match self {
            Self::Files => "test",
            Self::Topic(name, _) => name,
        };
        [data.to_owned(), format!("{data}.control")]
    }

    async fn open(&self, folder: &Path, partitions: u32, clock: &Clock) -> [Arc<dyn Ledger>; 2] {
        let [data, control] = self.names();
        let (path, control_path) = (file(folder, &data), file(folder, &control));
        let data = match self {
            Self::Files => open_ledger(&path, &data, partitions, clock) as Arc<dyn Ledger>,
            Self::Topic(_, settings) => {
                let manifest = manifest(&data, partitions);
                Kafka::create(&path, manifest, settings).await.unwrap();
                Arc::new(Kafka::open(&path, settings).await.unwrap())
            }
        };
        [data, open_ledger(&control_path, &control, 1, clock)]
    }
}

fn file(folder: &Path, ledger: &str) -> PathBuf {
    folder.join(format!("{ledger}.ledger"))
}

fn manifest(name: &str, partitions: u32) -> kafka::Manifest {
    kafka::Manifest {
        format: kafka::Manifest::FORMAT,
        name: name.to_owned(),
        partitions,
        replication: 1,
        min_insync: 1,
        retention_ms: -1,
        sync_each_write: false,
        compacted: false,
    }
}

/// Takes any letter: that of documents would cost more than all else that a schedule does.
fn contract() -> Folder {
    let schema = r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","title":"Thư","type":"object"}"#;
    let settings = "compatibility = \"backward\"\n[title]\nvi = \"Thư\"\nen = \"Letter\"\n";
    let contract = ContractRef::parse("vn.lgsp.document/1").unwrap();
    Folder::new(contract, schema.as_bytes(), settings.as_bytes())
}

/// In memory where there is such a place: a schedule syncs a hundred times, and no power is cut in it.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    folder.unwrap()
}

/// What outlives the node.
#[derive(Debug)]
pub(super) struct Stand {
    ground: Ground,
    partitions: u32,
    folder: TempDir,
    now: Arc<AtomicU64>,
    diary: Arc<Mutex<Diary>>,
}

/// One life of the node. Its tasks run while somebody waits for it.
pub(super) struct Life {
    runtime: Runtime,
    pub(super) spine: Arc<Spine>,
    pub(super) ledger: Arc<Troubled>,
    control: Arc<dyn Ledger>,
    pub(super) far: Arc<Far>,
}

impl Stand {
    pub(super) fn new(ground: Ground, partitions: u32) -> Self {
        Self {
            ground,
            partitions,
            folder: folder(),
            now: Arc::new(AtomicU64::new(BEGIN_MS)),
            diary: Arc::default(),
        }
    }

    pub(super) fn start(&self) -> Life {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let (spine, ledger, control, far) = runtime.block_on(async {
            let now = Arc::clone(&self.now);
            let clock: Clock = Arc::new(move || UnixMs(now.load(Ordering::Relaxed)));
            let [data, control] = self.ground.open(self.folder.path(), self.partitions, &clock).await;
            let ledger = Arc::new(Troubled::new(data));
            let [data_name, control_name] = self.ground.names();
            let data = Arc::clone(&ledger) as Arc<dyn Ledger>;
            let control_ledger = Arc::clone(&control);
            let parts = parts(self.folder.path(), (&data_name, data), (&control_name, control_ledger));
            let parts = parts.await;
            let limits = Limits {
                // The clock of these schedules jumps.
                seal_stop_after: Duration::MAX,
                ..limits()
            };
            let spine = start(parts, &Tenure::always(), (limits, clock), &[contract()])
                .await
                .unwrap();
            spine.import("schedules.toml", REGISTRY).await.unwrap();
            let far = Arc::new(Far::new(
                Arc::clone(&ledger) as Arc<dyn Ledger>,
                Arc::clone(&self.diary),
            ));
            let limits = PushLimits {
                tries_at_once_max: 4,
                answer_within: PATIENCE,
                probe_every: Duration::from_millis(5),
                switch_off_after: PATIENCE,
            };
            spine.push_through(Arc::clone(&far) as Arc<dyn Adapter>, limits);
            (spine, ledger, control, far)
        });
        Life {
            runtime,
            spine,
            ledger,
            control,
            far,
        }
    }

    pub(super) fn diary(&self) -> MutexGuard<'_, Diary> {
        self.diary.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves the clock, which may go back.
    pub(super) fn pass(&self, ms: i64) {
        let moved = |now: u64| Some(now.saturating_add_signed(ms));
        self.now
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, moved)
            .unwrap();
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The data ledger and the control ledger as an auditor reads them.
    pub(super) fn readers(&self) -> [Reader; 2] {
        let paths = self.ground.names().map(|name| file(self.folder.path(), &name));
        let [data, control] = paths.each_ref();
        let data = match &self.ground {
            Ground::Files => Local::open_read_only(data).unwrap(),
            Ground::Topic(_, settings) => {
                let runtime = Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(Kafka::open_read_only(data, settings)).unwrap()
            }
        };
        [data, Local::open_read_only(control).unwrap()]
    }
}

impl Life {
    /// Waits for this while the node runs.
    pub(super) fn wait<T>(&self, answer: impl Future<Output = T>) -> T {
        let answer = async { tokio::time::timeout(PATIENCE, answer).await };
        self.runtime.block_on(answer).expect("the node is stuck")
    }

    /// As an operator stops it; whoever waits for the far side is told to come again.
    pub(super) fn stop(self) {
        self.far.say_to_all(Say::Again);
        self.runtime.block_on(async {
            self.spine.stop(PATIENCE).await;
            self.ledger.close().await;
            self.control.close().await;
        });
    }

    /// Whatever it does ends where it stands, and nothing is closed.
    pub(super) fn kill(self) {
        drop(self.runtime);
    }
}

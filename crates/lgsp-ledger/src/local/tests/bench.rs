//! What the tests of the local ledger stand on: a folder with a ledger, records, and this program as a child.

use std::io::{BufRead, BufReader, Lines};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use tempfile::TempDir;

use super::super::*;
use crate::conformance::Bench;
use crate::ledger::Appended;

pub(super) const ALL: ReadLimit = ReadLimit {
    entries: usize::MAX,
    bytes: usize::MAX,
};
/// Tells a test that it was started by itself, and which ledger it is to write.
const CHILD: &str = "LGSP_LEDGER_CHILD";

pub(super) fn clock_at(ms: u64) -> Clock {
    Arc::new(move || ms)
}

/// A folder of one test; it goes with it.
pub(super) struct Folder {
    folder: TempDir,
    made: Mutex<u32>,
}

impl Folder {
    pub(super) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            made: Mutex::new(0),
        }
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The ledger that was made last.
    pub(super) fn path(&self) -> PathBuf {
        self.file(&format!("ledger-{}.db", self.made.lock().unwrap()))
    }

    pub(super) fn ledger(&self, partitions: u32) -> Local {
        self.ledger_with(partitions, clock_at(1))
    }

    pub(super) fn ledger_with(&self, partitions: u32, clock: Clock) -> Local {
        *self.made.lock().unwrap() += 1;
        Local::create(&self.path(), "test", partitions, 0).unwrap();
        Local::open(&self.path(), clock).unwrap()
    }

    pub(super) fn open(&self) -> Local {
        Local::open(&self.path(), clock_at(2)).unwrap()
    }
}

#[async_trait]
impl Bench for Folder {
    async fn fresh(&self, partitions: u32) -> Arc<dyn Ledger> {
        Arc::new(self.ledger(partitions))
    }

    async fn reopen(&self, ledger: Arc<dyn Ledger>) -> Arc<dyn Ledger> {
        assert_eq!(Arc::strong_count(&ledger), 1);
        drop(ledger);
        Arc::new(self.open())
    }
}

/// Appends `count` records of a few sizes; the nth says so.
pub(super) async fn put(ledger: &Local, partition: u32, count: u64) {
    for nth in 0..count {
        let append = ledger.append(partition, text(partition, nth)).await;
        assert!(matches!(append, Append::Appended(Appended { .. })), "{append:?}");
    }
}

pub(super) fn text(partition: u32, nth: u64) -> Bytes {
    let mut text = format!("record {nth} of {partition} ").into_bytes();
    text.resize(text.len() + usize::try_from(nth * 131 % 900).unwrap(), b'x');
    Bytes::from(text)
}

/// Every record of every partition, or the first thing that is wrong.
pub(super) fn scan(reader: &Reader) -> Result<Vec<Vec<Entry>>, ReadError> {
    (0..reader.partitions())
        .map(|partition| reader.entries(partition, 0)?.collect())
        .collect()
}

/// This test in a process of its own.
pub(super) struct Twin {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Twin {
    /// Starts `test` again through `command` with the ledger it is to write.
    pub(super) fn start(mut command: Command, test: &str, ledger: &Path) -> Self {
        command
            .args([test, "--exact", "--nocapture", "--test-threads=1"])
            .env(CHILD, ledger);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    pub(super) fn plain(test: &str, ledger: &Path) -> Self {
        Self::start(Command::new(std::env::current_exe().unwrap()), test, ledger)
    }

    /// The ledger that this process is to write, if it is the twin.
    pub(super) fn ledger() -> Option<PathBuf> {
        std::env::var_os(CHILD).map(PathBuf::from)
    }

    /// What the twin said next with `say`; `None` when it is dead.
    pub(super) fn said(&mut self) -> Option<String> {
        self.lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("> ").map(String::from))
    }

    /// SIGKILL; answers what it had still said.
    pub(super) fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        assert!(!status.success(), "the twin ended by itself before it was killed");
        std::iter::from_fn(|| self.said()).collect()
    }

    pub(super) fn ended_well(mut self) -> Vec<String> {
        let said = std::iter::from_fn(|| self.said()).collect();
        assert!(self.child.wait().unwrap().success(), "the twin failed: {said:?}");
        said
    }
}

/// Tells the test that started this process. One write: a kill cuts no line that was seen whole.
pub(super) fn say(text: &str) {
    println!("\n> {text}");
}

//! What the tests of the local ledger stand on: a folder with a ledger, records, and this program as a child.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use rusqlite::{Connection, params};
use tempfile::TempDir;

use super::super::*;
use super::bite;
use crate::conformance::{self, Bench, Trouble};
use crate::ledger::Appended;
pub(super) use crate::twin::{Twin, say, this_program};

pub(super) const ALL: ReadLimit = ReadLimit {
    entries: usize::MAX,
    bytes: usize::MAX,
};
/// How many pages the twin's ledger may have.
const PAGES: &str = "LGSP_LEDGER_PAGES";
/// The test that runs the suite, whose twins write for it.
const SUITE: &str = "local::tests::it_passes_the_conformance_suite";

pub(super) fn clock_at(ms: u64) -> Clock {
    Arc::new(move || ms)
}

/// A folder of one test; it goes with it.
pub(super) struct Folder {
    folder: TempDir,
    made: AtomicUsize,
    killed: AtomicUsize,
}

impl Folder {
    pub(super) fn new() -> Self {
        Self::at(tempfile::tempdir().unwrap())
    }

    /// For thousands of files whose durability nobody asks for.
    pub(super) fn in_memory() -> Self {
        Self::at(tempfile::tempdir_in("/dev/shm").unwrap())
    }

    fn at(folder: TempDir) -> Self {
        Self {
            folder,
            made: AtomicUsize::new(0),
            killed: AtomicUsize::new(0),
        }
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The ledger that was made last.
    pub(super) fn path(&self) -> PathBuf {
        self.file(&format!("ledger-{}.db", self.made.load(Ordering::Relaxed)))
    }

    pub(super) fn ledger(&self, partitions: u32) -> Local {
        self.ledger_with(partitions, clock_at(1))
    }

    pub(super) fn ledger_with(&self, partitions: u32, clock: Clock) -> Local {
        self.made.fetch_add(1, Ordering::Relaxed);
        Local::create(&self.path(), "test", partitions, 0).unwrap();
        Local::open(&self.path(), clock).unwrap()
    }

    pub(super) fn open(&self) -> Local {
        Local::open(&self.path(), clock_at(2)).unwrap()
    }

    /// The writer of the suite in a process of its own, on the ledger that was made last.
    pub(super) fn suite_twin(&self, command: Command) -> Twin {
        Twin::start(command, SUITE, &self.path())
    }
}

#[async_trait]
impl Bench for Folder {
    async fn fresh(&self, partitions: u32) -> Arc<dyn Ledger> {
        Arc::new(self.ledger(partitions))
    }

    async fn reopen(&self, ledger: Arc<dyn Ledger>) -> Arc<dyn Ledger> {
        close(ledger);
        Arc::new(self.open())
    }

    async fn suffer(&self, ledger: Arc<dyn Ledger>, trouble: Trouble) -> (Vec<String>, Arc<dyn Ledger>) {
        close(ledger);
        let mut command = this_program();
        let said = match trouble {
            Trouble::Killed => {
                let nth = self.killed.fetch_add(1, Ordering::Relaxed);
                command.env(bite::PLACE, bite::PLACES[nth % bite::PLACES.len()].0);
                self.suite_twin(command).bitten(bite::MARKER)
            }
            Trouble::Unsure => self.suite_twin(with_files_bounded()).ended_well(),
            Trouble::Full => {
                command.env(PAGES, "100");
                self.suite_twin(command).ended_well()
            }
        };
        (said, Arc::new(self.open()))
    }

    async fn damage(&self, ledger: Arc<dyn Ledger>, offset: u64) -> Option<(Arc<dyn Ledger>, u64)> {
        close(ledger);
        flip(&self.path(), offset);
        match Local::open(&self.path(), clock_at(2)) {
            Ok(ledger) => Some((Arc::new(ledger), offset)),
            Err(OpenError::Damaged {
                partition,
                offset: found,
                ..
            }) => {
                assert_eq!((partition, found), (Some(0), Some(offset)));
                None
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

fn close(ledger: Arc<dyn Ledger>) {
    assert_eq!(Arc::strong_count(&ledger), 1);
    drop(ledger);
}

/// Flips the lowest bit of the record's first byte.
fn flip(path: &Path, offset: u64) {
    let connection = Connection::open(path).unwrap();
    let offset = i64::try_from(offset).unwrap();
    let select = "SELECT record FROM record_0 WHERE \"offset\" = ?1";
    let mut record: Vec<u8> = connection.query_row(select, [offset], |row| row.get(0)).unwrap();
    record[0] ^= 1;
    let update = "UPDATE record_0 SET record = ?2 WHERE \"offset\" = ?1";
    assert_eq!(connection.execute(update, params![offset, record]).unwrap(), 1);
}

/// The shell bounds the size of files and ignores the signal: a write beyond fails with EFBIG, an I/O error that is not
/// a full disk.
fn with_files_bounded() -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 600; exec \"$0\" \"$@\""]);
    command.arg(std::env::current_exe().unwrap());
    command
}

/// This program in a mount namespace of its own, after `mounts` was run there by a shell with `$FOLDER` set: nobody's
/// mounts change, and no rights are needed where a user may have namespaces.
pub(super) fn behind_mounts(mounts: &str, folder: &Path) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-ec"]);
    command.arg(format!("{mounts}; exec \"$0\" \"$@\""));
    command.arg(std::env::current_exe().unwrap()).env("FOLDER", folder);
    command
}

/// If this process is a twin that is to write for the suite, it does, and answers so.
pub(super) async fn wrote_as_twin() -> bool {
    let Some(path) = Twin::ledger() else { return false };
    let pages_max = std::env::var(PAGES).ok().map(|pages| pages.parse().unwrap());
    let clock = clock_at(u64::from(std::process::id()));
    let ledger = Arc::new(Local::open_with(&path, clock, Settings { pages_max }).unwrap());
    conformance::write(Arc::clone(&ledger) as Arc<dyn Ledger>, say).await;
    ledger.close().await;
    true
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

//! What a node keeps of a Kafka ledger in files: what its topic has to be, and the last record it saw of each partition.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::ledger::Entry;

const FORMAT: u32 = 1;

/// What a Kafka ledger says of itself: one topic, which has to be as it says. None of it ever changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Of this file; 1.
    pub format: u32,
    /// Its name in positions and receipts, and that of its topic.
    pub name: String,
    /// How many partitions it has.
    pub partitions: u32,
    /// On how many brokers each record lies.
    pub replication: u32,
    /// So many of them have to hold a record before it is acknowledged.
    pub min_insync: u32,
    /// How long the topic keeps a record, milliseconds; -1: for ever.
    pub retention_ms: i64,
    /// Every write is synced to the brokers' disks before it is acknowledged: for brokers that one power cut can reach.
    pub sync_each_write: bool,
    /// Of each key the topic need only keep the last record: a lease, never a ledger.
    #[serde(default, skip_serializing_if = "is_false")]
    pub compacted: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it so")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Manifest {
    /// The format that is written now.
    pub const FORMAT: u32 = FORMAT;

    /// Reads it; `None` where there is no file.
    pub(super) fn read(path: &Path) -> io::Result<Option<Self>> {
        let Some(manifest): Option<Self> = read_json(path)? else {
            return Ok(None);
        };
        if manifest.format == FORMAT {
            return Ok(Some(manifest));
        }
        let what = format!("format {} of a manifest, this program knows {FORMAT}", manifest.format);
        Err(io::Error::new(io::ErrorKind::InvalidData, what))
    }

    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        write_json(path, self)
    }
}

/// The last record that this node saw of one partition: a log that does not hold it any more is another log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Seen {
    pub(super) offset: u64,
    /// SHA-256(u64be append_ms ‖ record) in hexadecimal digits.
    pub(super) sum: String,
}

impl Seen {
    pub(super) fn of(entry: &Entry) -> Self {
        let mut bytes = entry.append_ms.to_be_bytes().to_vec();
        bytes.extend_from_slice(&entry.record);
        let sum = digest(&SHA256, &bytes);
        Self {
            offset: entry.offset,
            sum: sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }

    pub(super) fn read(manifest: &Path) -> io::Result<Vec<Option<Self>>> {
        Ok(read_json(&beside(manifest))?.unwrap_or_default())
    }

    pub(super) fn write(manifest: &Path, seen: &[Option<Self>]) -> io::Result<()> {
        write_json(&beside(manifest), &seen)
    }
}

fn beside(manifest: &Path) -> PathBuf {
    manifest.with_added_extension("seen")
}

fn read_json<T: for<'a> Deserialize<'a>>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::from),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The whole file, synced, or what was there; one writer at a time.
fn write_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let draft = path.with_added_extension("new");
    let mut file = File::create(&draft)?;
    file.write_all(&serde_json::to_vec_pretty(value)?)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

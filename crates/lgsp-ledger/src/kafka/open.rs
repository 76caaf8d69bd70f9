//! Making and opening: nothing is appended to a topic that is not as the manifest says, or not the log it was.

use std::fmt::{self, Display};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::ahead::Ahead;
use super::beside::TopicLog;
use super::client::{self, Quiet};
use super::ends::Ends;
use super::manifest::{Manifest, Seen};
use super::reader::{self, Reader, Stop, Stretch};
use super::settings::{Mistake, Settings};
use super::tail::{Follower, Tail};
use super::topic::Topics;
use super::writer::Writer;
use super::{Kafka, READS_MAX};
use crate::ledger::{Cause, Entry, ReadLimit};
use crate::local::{Lock, PARTITIONS_MAX, is_ledger_name};
use crate::reader::Log;

/// What [`Kafka::create`] found to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// There was no topic of this name.
    Topic,
    /// The topic was there, as the manifest says; this node keeps the manifest now.
    Manifest,
    /// Both were there.
    Nothing,
}

/// One setting of a topic that is not as the manifest says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The topic.
    pub topic: String,
    /// Its setting, by Kafka's name; `partitions` and `replication.factor` are the topic's shape.
    pub setting: &'static str,
    /// What the manifest asks for.
    pub expected: String,
    /// What the topic has.
    pub found: String,
}

impl Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            topic,
            setting,
            expected,
            found,
        } = self;
        write!(
            f,
            "topic `{topic}`: {setting} is {found}, the manifest asks for {expected}"
        )
    }
}

/// Why a Kafka ledger was not opened or made. Nothing was appended.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Correct the settings.
    #[error("{}", lines(.0))]
    Settings(Vec<Mistake>),
    /// Choose a name of 1 to 64 characters out of `a-z`, `0-9`, `-` and `.`, and 1 to 256 partitions.
    #[error("a ledger has a name of a-z, 0-9, `-` and `.`, at most 64 long, and 1 to {PARTITIONS_MAX} partitions")]
    Shape,
    /// Run `lgsp ledger init`.
    #[error("there is no manifest of a ledger at {path}: `lgsp ledger init` makes it")]
    Missing { path: PathBuf },
    /// Correct the settings: what a manifest says never changes.
    #[error("the manifest at {path} says otherwise than the settings")]
    OtherManifest { path: PathBuf },
    /// Another process, or another part of this one, has this ledger open.
    #[error("another process holds {path}")]
    Locked { path: PathBuf },
    /// Restore the manifest, see to the disk or the rights.
    #[error("{path} cannot be used")]
    Io {
        path: PathBuf,
        #[source]
        source: Cause,
    },
    /// See to the brokers, the network, the certificates, then try again.
    #[error("the Kafka cluster could not be asked")]
    Unreachable {
        #[source]
        source: Cause,
    },
    /// Too few brokers, or no right to make topics.
    #[error("the topic `{topic}` could not be made")]
    NotMade {
        topic: String,
        #[source]
        source: Cause,
    },
    /// Stop. The manifest is here, so the topic was; it is never made again in its place.
    #[error("the topic `{topic}` of this ledger is gone")]
    TopicLost { topic: String },
    /// Correct the topic; for partitions and replication that needs a person who knows what the ledger holds.
    #[error("{}", lines(.0))]
    Mismatch(Vec<Mismatch>),
    /// Stop and call an operator: what the log holds is not what this node saw in it.
    #[error("the ledger is damaged: {what}, partition {partition}, offset {offset}")]
    Damaged {
        what: &'static str,
        partition: u32,
        offset: u64,
    },
}

fn lines(of: &[impl Display]) -> String {
    of.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

impl OpenError {
    pub(super) fn client(source: KafkaError) -> Self {
        Self::unreachable(source)
    }

    pub(super) fn unreachable(source: impl Into<Cause>) -> Self {
        Self::Unreachable { source: source.into() }
    }

    pub(super) fn io(path: &Path, source: impl Into<Cause>) -> Self {
        Self::Io {
            path: path.to_owned(),
            source: source.into(),
        }
    }
}

impl Kafka {
    /// Makes the topic of a ledger, and its manifest at `path`; what is there already is held against `manifest`.
    ///
    /// # Errors
    /// [`OpenError`]: what has to be corrected. It may be called again.
    pub async fn create(path: &Path, manifest: Manifest, settings: &Settings) -> Result<Made, OpenError> {
        let (path, settings, handle) = (path.to_owned(), settings.clone(), Handle::current());
        let making = spawn_blocking(move || create(&path, &manifest, &settings, handle));
        making.await.map_err(OpenError::unreachable)?
    }

    /// Opens the ledger whose manifest is at `path`: holds the topic against it, and each partition against the last
    /// record that this node saw of it.
    ///
    /// # Errors
    /// [`OpenError`]: nothing was appended.
    pub async fn open(path: &Path, settings: &Settings) -> Result<Self, OpenError> {
        let (path, settings, handle) = (path.to_owned(), settings.clone(), Handle::current());
        let opening = spawn_blocking(move || open(&path, &settings, handle));
        opening.await.map_err(OpenError::unreachable)?
    }

    /// Opens a ledger for reading, beside a node or without one; the topic is held against the manifest.
    ///
    /// # Errors
    /// [`OpenError`], never [`OpenError::Locked`].
    pub async fn open_read_only(path: &Path, settings: &Settings) -> Result<crate::Reader, OpenError> {
        let (path, settings, handle) = (path.to_owned(), settings.clone(), Handle::current());
        let opening = spawn_blocking(move || {
            let (manifest, reader) = looked_at(&path, &settings, handle)?;
            let manifest = crate::Manifest {
                name: manifest.name,
                partitions: manifest.partitions,
                created_ms: 0,
            };
            let patience = settings.socket_timeout;
            Ok(crate::Reader::new(manifest, Log::Topic(TopicLog { reader, patience })))
        });
        opening.await.map_err(OpenError::unreachable)?
    }
}

fn create(path: &Path, manifest: &Manifest, settings: &Settings, handle: Handle) -> Result<Made, OpenError> {
    without_mistakes(settings)?;
    if !is_ledger_name(&manifest.name) || !(1..=PARTITIONS_MAX).contains(&manifest.partitions) {
        return Err(OpenError::Shape);
    }
    let kept = Manifest::read(path).map_err(|source| OpenError::io(path, source))?;
    if kept.as_ref().is_some_and(|kept| kept != manifest) {
        return Err(OpenError::OtherManifest { path: path.to_owned() });
    }
    let topics = Topics::new(settings, handle)?;
    let found = match kept {
        Some(_) => topics.mismatches_of_known(manifest)?,
        None => topics.mismatches(manifest)?,
    };
    if found.is_none() && kept.is_some() {
        return Err(OpenError::TopicLost {
            topic: manifest.name.clone(),
        });
    }
    let was_there = found.is_some();
    if !was_there {
        topics.make(manifest)?;
    }
    // Also of one that was just made: the cluster may have rules of its own.
    as_the_manifest_says(&topics, manifest)?;
    if kept.is_none() {
        manifest.write(path).map_err(|source| OpenError::io(path, source))?;
    }
    Ok(match (was_there, kept) {
        (false, _) => Made::Topic,
        (true, None) => Made::Manifest,
        (true, Some(_)) => Made::Nothing,
    })
}

fn open(path: &Path, settings: &Settings, handle: Handle) -> Result<Kafka, OpenError> {
    let (manifest, reader) = looked_at(path, settings, handle)?;
    let lock = Lock::take(path).map_err(|error| match error {
        TryLockError::WouldBlock => OpenError::Locked { path: path.to_owned() },
        TryLockError::Error(source) => OpenError::io(path, source),
    })?;
    let seen = Seen::read(path).map_err(|source| OpenError::io(path, source))?;
    let mut bounds = Vec::new();
    let mut seen = seen.into_iter().map(Some).chain(std::iter::repeat(None));
    let mut still_seen = Vec::new();
    for partition in 0..manifest.partitions {
        let seen = seen.next().flatten().flatten();
        bounds.push(as_it_was_seen(&reader, partition, seen.as_ref(), settings)?);
        still_seen.push(seen);
    }
    join((path, lock), manifest, settings, reader, (bounds, still_seen))
}

/// The manifest, and a reader of a topic that is as it says.
pub(super) fn looked_at(path: &Path, settings: &Settings, handle: Handle) -> Result<(Manifest, Reader), OpenError> {
    without_mistakes(settings)?;
    let manifest = Manifest::read(path).map_err(|source| OpenError::io(path, source))?;
    let manifest = manifest.ok_or_else(|| OpenError::Missing { path: path.to_owned() })?;
    as_the_manifest_says(&Topics::new(settings, handle)?, &manifest)?;
    let reader = Reader::new(&manifest.name, settings).map_err(OpenError::client)?;
    Ok((manifest, reader))
}

/// Joins the parts of a ledger that was looked at.
fn join(
    (path, lock): (&Path, Lock),
    manifest: Manifest,
    settings: &Settings,
    reader: Reader,
    (bounds, seen): (Vec<(u64, u64)>, Vec<Option<Seen>>),
) -> Result<Kafka, OpenError> {
    let highs: Vec<_> = bounds.iter().map(|(_, high)| *high).collect();
    let ends = Arc::new(Ends::new(&highs));
    let tail = Arc::new(Tail::new(manifest.partitions));
    // From the last record on, so that it is known what the log ends with.
    let places = (0..)
        .zip(&bounds)
        .map(|(partition, (low, high))| (partition, high.saturating_sub(1).max(*low)));
    let places: Vec<(u32, u64)> = places.collect();
    for (partition, from) in &places {
        ends.follows_from(*partition, *from);
    }
    let consumer: BaseConsumer<Quiet> = client::consumer(settings)
        .create_with_context(Quiet)
        .map_err(OpenError::client)?;
    let assignment = reader::assignment(&manifest.name, places).map_err(OpenError::client)?;
    consumer.assign(&assignment).map_err(OpenError::client)?;
    let writer = Arc::new(Writer::new(&manifest.name, manifest.partitions, settings).map_err(OpenError::client)?);
    let reader = Arc::new(reader);
    let follower = Follower {
        tail: Arc::clone(&tail),
        topic: manifest.name.clone(),
        consumer,
        reader: Arc::clone(&reader),
        ends: Arc::clone(&ends),
        doubt: settings.message_timeout,
        manifest: path.to_owned(),
        seen,
    };
    let thread = thread::Builder::new()
        .name(String::from("ledger-tail"))
        .spawn(move || follower.run());
    let thread = thread.map_err(|source| OpenError::io(path, source))?;
    Ok(Kafka {
        manifest,
        writer,
        reader,
        ends,
        tail,
        ahead: Ahead::default(),
        turns: Arc::new(Semaphore::new(READS_MAX)),
        read_patience: settings.socket_timeout,
        doubt: settings.message_timeout,
        thread: Mutex::new(Some(thread)),
        lock: Mutex::new(Some(lock)),
    })
}

fn without_mistakes(settings: &Settings) -> Result<(), OpenError> {
    let mistakes = settings.mistakes();
    if !mistakes.is_empty() {
        return Err(OpenError::Settings(mistakes));
    }
    // The library would not name the file.
    let files = settings
        .tls
        .iter()
        .flat_map(|tls| [&tls.ca, &tls.certificate, &tls.key]);
    for path in files {
        File::open(path).map_err(|source| OpenError::io(path, source))?;
    }
    Ok(())
}

fn as_the_manifest_says(topics: &Topics, manifest: &Manifest) -> Result<(), OpenError> {
    match topics.mismatches_of_known(manifest)? {
        None => Err(OpenError::TopicLost {
            topic: manifest.name.clone(),
        }),
        Some(none) if none.is_empty() => Ok(()),
        Some(mismatches) => Err(OpenError::Mismatch(mismatches)),
    }
}

/// The bounds of a partition that still holds what was seen last.
fn as_it_was_seen(
    reader: &Reader,
    partition: u32,
    seen: Option<&Seen>,
    settings: &Settings,
) -> Result<(u64, u64), OpenError> {
    let bounds = reader
        .bounds(partition, settings.socket_timeout)
        .map_err(OpenError::unreachable)?;
    let (low, high) = bounds;
    let damaged = |what, offset| OpenError::Damaged {
        what,
        partition,
        offset,
    };
    let Some(seen) = seen else { return Ok(bounds) };
    if seen.offset >= high {
        return Err(damaged(
            "the log was truncated: it ends before a record that this node saw",
            high,
        ));
    }
    if seen.offset < low {
        // Older than what the topic keeps: nothing can be compared.
        return Ok(bounds);
    }
    match read_one(reader, partition, seen.offset, settings) {
        Ok(entry) if entry.as_ref().map(Seen::of).as_ref() == Some(seen) => Ok(bounds),
        Ok(_) => Err(damaged(
            "another record stands where this node saw the last",
            seen.offset,
        )),
        Err(Stop::Late { source }) => Err(OpenError::unreachable(source)),
        Err(Stop::Damaged { .. } | Stop::Gap { .. } | Stop::Nothing { .. }) => Err(damaged(
            "the last record that this node saw cannot be read",
            seen.offset,
        )),
    }
}

fn read_one(reader: &Reader, partition: u32, offset: u64, settings: &Settings) -> Result<Option<Entry>, Stop> {
    let stretch = Stretch {
        partition,
        from: offset,
        end: offset + 1,
        limit: ReadLimit {
            entries: 1,
            bytes: usize::MAX,
        },
    };
    Ok(reader.read(stretch, settings.socket_timeout)?.pop())
}

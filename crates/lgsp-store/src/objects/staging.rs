//! An object on its way in: hashed and written behind the caller, a quarter of a megabyte at a time.

use std::fs::File;
use std::io::{self, Write as _};
use std::mem;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use lgsp_types::{Cause, Digest, Unavailable, UploadError};
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, spawn_blocking};
use tracing::warn;

use super::folder::{self, Folder, StagingName};

/// Bytes that are gathered before they are written; as many again may be on their way to the disk.
const GATHERED_BYTES: usize = 256 * 1024;

/// Why an upload failed; what came of it is gone.
#[derive(Debug, Error)]
pub enum StageError {
    /// Send less.
    #[error("the object is larger than {limit_bytes} bytes")]
    TooLarge { limit_bytes: u64 },
    /// Try again when an operator made room.
    #[error("there is no room for the object")]
    Full,
    /// A mistake of the caller: this upload has failed before.
    #[error("the upload has ended with an error before")]
    Ended,
    /// See to the disk or the rights.
    #[error("the object cannot be written")]
    Io {
        #[source]
        source: Cause,
    },
}

impl From<io::Error> for StageError {
    fn from(error: io::Error) -> Self {
        if folder::is_full(&error) {
            return Self::Full;
        }
        Self::Io { source: error.into() }
    }
}

impl From<StageError> for UploadError {
    fn from(error: StageError) -> Self {
        match error {
            StageError::TooLarge { limit_bytes } => Self::TooLarge { limit_bytes },
            StageError::Full => Self::Full,
            other @ (StageError::Ended | StageError::Io { .. }) => Self::Unavailable(Unavailable::new(other)),
        }
    }
}

/// A finished upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Its staging name, for [`super::Objects::promote`] and [`super::Objects::discard`].
    pub name: String,
    pub size_bytes: u64,
    pub digest: Digest,
}

/// An upload. Dropped before it is finished, it leaves nothing behind.
#[derive(Debug)]
pub struct Staging {
    limit_bytes: u64,
    size_bytes: u64,
    gathered: Vec<u8>,
    draft: State,
}

#[derive(Debug)]
enum State {
    Idle(Draft),
    /// A part is on its way to the disk.
    Busy(JoinHandle<io::Result<Draft>>),
    Failed,
}

/// The file that is written to, removed when this is dropped.
struct Draft {
    folder: Arc<Folder>,
    random: [u8; 16],
    file: File,
    hash: Context,
    /// It has another name now.
    finished: bool,
}

impl Staging {
    pub(super) async fn begin(folder: Arc<Folder>, random: [u8; 16], limit_bytes: u64) -> Result<Self, StageError> {
        let draft = run(move || {
            let file = folder.create_draft(&random)?;
            Ok(Draft {
                folder,
                random,
                file,
                hash: Context::new(&SHA256),
                finished: false,
            })
        })
        .await?;
        Ok(Self {
            limit_bytes,
            size_bytes: 0,
            gathered: Vec::new(),
            draft: State::Idle(draft),
        })
    }

    /// Takes the next bytes. After an error, or when this future was dropped, the upload is of no use.
    ///
    /// # Errors
    /// [`StageError`].
    pub async fn write(&mut self, chunk: Bytes) -> Result<(), StageError> {
        if matches!(self.draft, State::Failed) {
            return Err(StageError::Ended);
        }
        self.size_bytes = self.size_bytes.saturating_add(chunk.len() as u64);
        if self.size_bytes > self.limit_bytes {
            self.fail();
            return Err(StageError::TooLarge {
                limit_bytes: self.limit_bytes,
            });
        }
        let mut rest = chunk.as_ref();
        while !rest.is_empty() {
            let room = GATHERED_BYTES.saturating_sub(self.gathered.len());
            let (part, behind) = rest.split_at_checked(room).unwrap_or((rest, &[]));
            self.gathered.extend_from_slice(part);
            rest = behind;
            if self.gathered.len() >= GATHERED_BYTES {
                self.pass_on().await?;
            }
        }
        Ok(())
    }

    /// Ends the object; its bytes are durable when this answers, its name once it is promoted.
    ///
    /// # Errors
    /// [`StageError`].
    pub async fn finish(mut self) -> Result<Finished, StageError> {
        let mut draft = self.settled().await?;
        let rest = mem::take(&mut self.gathered);
        let name = run(move || {
            draft.write(&rest)?;
            draft.finish()
        })
        .await?;
        Ok(Finished {
            name: name.text(),
            size_bytes: self.size_bytes,
            digest: name.digest,
        })
    }

    /// Hands what was gathered to a thread that may block, once that has written the part before.
    async fn pass_on(&mut self) -> Result<(), StageError> {
        let mut draft = self.settled().await?;
        let part = mem::replace(&mut self.gathered, Vec::with_capacity(GATHERED_BYTES));
        self.draft = State::Busy(spawn_blocking(move || draft.write(&part).map(|()| draft)));
        Ok(())
    }

    /// Waits for the part that is on its way.
    async fn settled(&mut self) -> Result<Draft, StageError> {
        match mem::replace(&mut self.draft, State::Failed) {
            State::Idle(draft) => Ok(draft),
            State::Busy(writing) => Ok(writing.await.map_err(broken)??),
            State::Failed => Err(StageError::Ended),
        }
    }

    /// Removing a large file takes a moment: not on a thread of the runtime.
    fn fail(&mut self) {
        self.gathered = Vec::new();
        let State::Idle(draft) = mem::replace(&mut self.draft, State::Failed) else {
            // A part on its way removes the file when it has ended, as nobody waits for it.
            return;
        };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || drop(draft))),
            Err(_) => drop(draft),
        }
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        self.fail();
    }
}

impl Draft {
    fn write(&mut self, part: &[u8]) -> io::Result<()> {
        self.hash.update(part);
        self.file.write_all(part)
    }

    fn finish(&mut self) -> io::Result<StagingName> {
        self.file.sync_all()?;
        let mut digest = [0; 32];
        let hash = self.hash.clone().finish();
        digest
            .iter_mut()
            .zip(hash.as_ref())
            .for_each(|(slot, byte)| *slot = *byte);
        let name = StagingName {
            random: self.random,
            digest: Digest::from_bytes(digest),
        };
        self.folder.finish(name)?;
        self.finished = true;
        Ok(name)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        if let Err(error) = folder::remove(&self.folder.draft(&self.random)) {
            warn!(
                error = &error as &dyn std::error::Error,
                "an upload that failed could not be removed"
            );
        }
    }
}

impl std::fmt::Debug for Draft {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Draft")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

async fn run<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, StageError> {
    Ok(spawn_blocking(work).await.map_err(broken)??)
}

fn broken(error: tokio::task::JoinError) -> StageError {
    StageError::Io { source: error.into() }
}

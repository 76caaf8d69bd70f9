//! Objects in a folder: staged under random names, kept under their digests, read with a check.
//!
//! `objects/<first 2 hex>/<64 hex>` and `staging/<random>-<digest>` under one root. A name that comes from outside is
//! parsed first and never part of a path as it came. Source: exchange.md section 1.

mod folder;
mod read;
mod staging;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use lgsp_types::{Attachment, Cause, ContentError, ContentStream, Digest, ObjectReader};
use thiserror::Error;
use tokio::task::spawn_blocking;
use tracing::warn;

pub use staging::{Finished, StageError, Staging};

use folder::{Folder, StagingName};

/// Where objects are, and how large they may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectSettings {
    /// The folder that holds `objects` and `staging`.
    pub root: PathBuf,
    /// Largest object, in bytes.
    pub object_max_bytes: u64,
}

/// The objects of one node. A clone is the same.
#[derive(Clone, Debug)]
pub struct Objects {
    folder: Arc<Folder>,
    object_max_bytes: u64,
    random: SystemRandom,
}

/// Why the folder did not do what it was asked.
#[derive(Debug, Error)]
pub enum ObjectError {
    /// There is no such finished upload with this digest: it was swept, discarded, or never finished.
    #[error("there is no finished upload of this name and digest")]
    NoSuchUpload,
    /// Try again when an operator made room.
    #[error("there is no room for objects")]
    Full,
    /// See to the disk or the rights.
    #[error("the folder of objects cannot be used")]
    Io {
        #[source]
        source: Cause,
    },
}

impl Objects {
    /// Opens the two folders under the root, or makes them.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub async fn open(settings: ObjectSettings) -> Result<Self, ObjectError> {
        let ObjectSettings { root, object_max_bytes } = settings;
        let folder = blocking(move || Folder::open(&root)).await?;
        Ok(Self {
            folder: Arc::new(folder),
            object_max_bytes,
            random: SystemRandom::new(),
        })
    }

    /// Begins an upload. What was written is gone unless it is finished and promoted.
    ///
    /// # Errors
    /// [`StageError`].
    pub async fn stage(&self) -> Result<Staging, StageError> {
        let mut random = [0; 16];
        self.random.fill(&mut random).map_err(|_| StageError::Io {
            source: "the system gives no random bytes".into(),
        })?;
        Staging::begin(Arc::clone(&self.folder), random, self.object_max_bytes).await
    }

    /// Moves a finished upload to its digest name, durably. An object that is there already is replaced by its equal;
    /// an upload that was promoted already is promoted.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub async fn promote(&self, staging: &str, digest: Digest) -> Result<(), ObjectError> {
        let name = StagingName::parse(staging).filter(|name| name.digest == digest);
        let name = name.ok_or(ObjectError::NoSuchUpload)?;
        let folder = Arc::clone(&self.folder);
        if blocking(move || folder.promote(name)).await? {
            return Ok(());
        }
        Err(ObjectError::NoSuchUpload)
    }

    /// Removes a finished upload that will not be promoted. One that is not there, or is no name of ours, is nothing to
    /// do; one that cannot be removed is logged, and swept later.
    pub async fn discard(&self, staging: &str) {
        let Some(name) = StagingName::parse(staging) else {
            return;
        };
        let folder = Arc::clone(&self.folder);
        if let Err(error) = blocking(move || folder.discard(name)).await {
            warn!(
                error = &error as &dyn std::error::Error,
                "an upload could not be removed"
            );
        }
    }

    /// Removes uploads, finished or not, that nobody wrote to for so long; answers how many.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub async fn sweep(&self, older_than: Duration) -> Result<u64, ObjectError> {
        let folder = Arc::clone(&self.folder);
        blocking(move || folder.sweep(older_than)).await
    }

    /// Reads an object. It is opened here; damage is told by the stream, before its last chunk.
    ///
    /// # Errors
    /// [`ContentError`].
    pub async fn read(&self, digest: Digest, size_bytes: u64) -> Result<ContentStream, ContentError> {
        read::open(self.folder.object(digest), digest, size_bytes).await
    }

    /// Whether there is an object of this digest; what it holds is not looked at.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub async fn contains(&self, digest: Digest) -> Result<bool, ObjectError> {
        let path = self.folder.object(digest);
        blocking(move || path.try_exists()).await
    }

    /// The digests that there are objects of, in order, whose first byte is `first`: a 256th of all.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub async fn digests(&self, first: u8) -> Result<Vec<Digest>, ObjectError> {
        let folder = Arc::clone(&self.folder);
        blocking(move || folder.digests(first)).await
    }
}

#[async_trait]
impl ObjectReader for Objects {
    async fn read(&self, object: &Attachment) -> Result<ContentStream, ContentError> {
        Self::read(self, object.digest, object.size_bytes).await
    }
}

impl From<io::Error> for ObjectError {
    fn from(error: io::Error) -> Self {
        if folder::is_full(&error) {
            return Self::Full;
        }
        Self::Io { source: error.into() }
    }
}

/// Runs file work on a thread that may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, ObjectError> {
    let done = spawn_blocking(work).await;
    Ok(done.map_err(|source| ObjectError::Io { source: source.into() })??)
}

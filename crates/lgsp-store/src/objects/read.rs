//! An object on its way out: hashed while it is read, its last chunk held back until every byte is known to be right.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use futures_util::stream;
use lgsp_types::{ContentError, ContentStream, Digest};
use tokio::task::{JoinError, spawn_blocking};

/// Bytes of one chunk; one is held back, and one more is being read.
const CHUNK_BYTES: usize = 256 * 1024;

/// Opens the file of an object; one that is shorter or longer than it should be is told at once.
pub(super) async fn open(path: PathBuf, digest: Digest, size_bytes: u64) -> Result<ContentStream, ContentError> {
    let opened = spawn_blocking(move || {
        let file = File::open(path)?;
        let found = file.metadata()?.len();
        Ok((file, found))
    });
    let (file, found) = settled(digest, opened.await)?;
    if found != size_bytes {
        return Err(ContentError::Damaged { digest });
    }
    let reading = Reading {
        file,
        digest,
        left_bytes: size_bytes,
        hash: Context::new(&SHA256),
        held: Bytes::new(),
    };
    Ok(Box::pin(stream::unfold(Some(reading), |reading| async {
        match reading?.next().await {
            Ok(None) => None,
            Ok(Some((chunk, reading))) => Some((Ok(chunk), Some(reading))),
            Err(error) => Some((Err(error), None)),
        }
    })))
}

struct Reading {
    file: File,
    digest: Digest,
    left_bytes: u64,
    hash: Context,
    /// The last chunk that was read; empty at the start and after the end.
    held: Bytes,
}

impl Reading {
    /// The chunk before the one that is read now. None: every byte was handed out, and was right.
    async fn next(self) -> Result<Option<(Bytes, Self)>, ContentError> {
        let digest = self.digest;
        settled(digest, spawn_blocking(move || self.step()).await)?
    }

    fn step(mut self) -> io::Result<Result<Option<(Bytes, Self)>, ContentError>> {
        let digest = self.digest;
        loop {
            let ended = self.left_bytes == 0;
            if ended && !self.is_right()? {
                return Ok(Err(ContentError::Damaged { digest }));
            }
            let fresh = if ended { Bytes::new() } else { self.chunk()? };
            if !ended && fresh.is_empty() {
                // It was cut since it was opened.
                return Ok(Err(ContentError::Damaged { digest }));
            }
            let chunk = std::mem::replace(&mut self.held, fresh);
            if !chunk.is_empty() {
                return Ok(Ok(Some((chunk, self))));
            }
            if ended {
                return Ok(Ok(None));
            }
        }
    }

    fn chunk(&mut self) -> io::Result<Bytes> {
        let wanted = self.left_bytes.min(CHUNK_BYTES as u64);
        let mut chunk = Vec::with_capacity(usize::try_from(wanted).unwrap_or(CHUNK_BYTES));
        let got = (&self.file).take(wanted).read_to_end(&mut chunk)?;
        self.hash.update(&chunk);
        self.left_bytes = self.left_bytes.saturating_sub(got as u64);
        Ok(Bytes::from(chunk))
    }

    /// Nothing behind the last byte, and the digest is the one that was accepted.
    fn is_right(&mut self) -> io::Result<bool> {
        let behind = (&self.file).read(&mut [0])?;
        let hash = self.hash.clone().finish();
        Ok(behind == 0 && hash.as_ref() == self.digest.as_bytes())
    }
}

fn settled<T>(digest: Digest, done: Result<io::Result<T>, JoinError>) -> Result<T, ContentError> {
    let done = done.map_err(|source| ContentError::Unreadable {
        digest,
        source: source.into(),
    })?;
    done.map_err(|source| ContentError::Unreadable {
        digest,
        source: source.into(),
    })
}

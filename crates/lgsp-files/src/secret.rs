//! Secrets: files under one folder that only their owner may read, or what a secrets manager mounts there.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use thiserror::Error;

use crate::{Stamp, open_to_others};

/// Largest secret file, in bytes.
const SECRET_MAX_BYTES: u64 = 4096;

/// Why a secret is not used; an operator must mend the file.
#[derive(Debug, Error)]
pub enum SecretError {
    #[error("the reference is no plain name of a folder")]
    Reference,
    #[error("the file leads out of the secrets folder")]
    Outside,
    #[error("the file is open to others: set its mode to 0600")]
    Open,
    #[error("the file is empty, larger than {SECRET_MAX_BYTES} bytes, or no file")]
    Content,
    #[error("the file cannot be read")]
    Unreadable(#[source] io::Error),
}

impl SecretError {
    /// There is no such file.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Unreadable(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

/// Reads the secret at `path`, somewhere below `folder`: its text as written, without the line end behind it.
///
/// # Errors
/// [`SecretError`].
pub fn read_secret(folder: &Path, path: &Path) -> Result<(Stamp, Vec<u8>), SecretError> {
    let target = path.canonicalize().map_err(SecretError::Unreadable)?;
    let folder = folder.canonicalize().map_err(SecretError::Unreadable)?;
    if !target.starts_with(&folder) {
        return Err(SecretError::Outside);
    }
    // Before it is opened: a pipe would never open.
    if !std::fs::metadata(&target).map_err(SecretError::Unreadable)?.is_file() {
        return Err(SecretError::Content);
    }
    let mut file = File::open(target).map_err(SecretError::Unreadable)?;
    let metadata = file.metadata().map_err(SecretError::Unreadable)?;
    if open_to_others(&metadata).is_some() {
        return Err(SecretError::Open);
    }
    if metadata.len() > SECRET_MAX_BYTES {
        return Err(SecretError::Content);
    }
    let mut secret = Vec::new();
    Read::by_ref(&mut file)
        .take(SECRET_MAX_BYTES)
        .read_to_end(&mut secret)
        .map_err(SecretError::Unreadable)?;
    if secret.ends_with(b"\n") {
        secret.pop();
    }
    if secret.ends_with(b"\r") {
        secret.pop();
    }
    if secret.is_empty() {
        return Err(SecretError::Content);
    }
    Ok((Stamp::of(&metadata), secret))
}

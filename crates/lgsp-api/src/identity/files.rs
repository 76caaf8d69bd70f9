//! Reads the PEM files of TLS: of bounded size, real files, a key that nobody else can read.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Largest PEM file, in bytes: a list of some ten thousand revoked certificates.
const FILE_MAX_BYTES: u64 = 4 * 1024 * 1024;

/// A file that cannot be used; an operator mends it.
#[derive(Debug, Error)]
pub enum FileError {
    #[error("{path} cannot be read")]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{path} is no file, or larger than {FILE_MAX_BYTES} bytes")]
    NoFile { path: PathBuf },
    #[error("{path} is open to others (mode {mode:o}): a key belongs to one user; run `chmod 600` on it")]
    OpenToOthers { path: PathBuf, mode: u32 },
}

/// The bytes of a file that anybody may read.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    read_if(path, |_| Ok(()))
}

/// The bytes of a file that only its owner may read.
pub(crate) fn read_secret(path: &Path) -> Result<Vec<u8>, FileError> {
    read_if(path, |file| match lgsp_files::open_to_others(file) {
        None => Ok(()),
        Some(mode) => Err(FileError::OpenToOthers {
            path: path.to_owned(),
            mode,
        }),
    })
}

fn read_if(path: &Path, allowed: impl Fn(&Metadata) -> Result<(), FileError>) -> Result<Vec<u8>, FileError> {
    let unreadable = |source| FileError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let no_file = || FileError::NoFile { path: path.to_owned() };
    // Before it is opened: a pipe would never open.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(no_file());
    }
    let mut file = File::open(path).map_err(unreadable)?;
    allowed(&file.metadata().map_err(unreadable)?)?;
    let mut bytes = Vec::new();
    Read::by_ref(&mut file)
        .take(FILE_MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > FILE_MAX_BYTES {
        return Err(no_file());
    }
    Ok(bytes)
}

//! Files that only their owner may read, written whole; and what a command says when something is in its way.

use std::error::Error;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lgsp_files::{Existing, write_whole};
use lgsp_types::{ReasonCode, Refusal};
use thiserror::Error;

use crate::hexadecimal::hexadecimal;

const FILE_UNUSABLE: ReasonCode = ReasonCode::new("FILE_UNUSABLE");
const FILE_EXISTS: ReasonCode = ReasonCode::new("FILE_EXISTS");

/// A command was not done: a stable code, where, what, what to do; and the machine's own word for it.
#[derive(Debug, Error)]
#[error("{refusal}")]
pub(crate) struct NotDone {
    pub(crate) refusal: Box<Refusal>,
    #[source]
    source: Option<Box<dyn Error>>,
}

impl NotDone {
    pub(crate) fn new(code: ReasonCode, path: impl Into<String>, what: impl Into<String>, mend: &str) -> Self {
        Self {
            refusal: Box::new(Refusal::new(code, path, what, mend)),
            source: None,
        }
    }

    pub(crate) fn because(mut self, source: impl Into<Box<dyn Error>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// A file that the machine does not give or take.
    pub(crate) fn file(path: &Path, source: io::Error) -> Self {
        let path = path.display().to_string();
        if source.kind() == io::ErrorKind::AlreadyExists {
            return Self::new(
                FILE_EXISTS,
                path,
                "it is there already",
                "choose another name, or remove it",
            );
        }
        let mend = "see that its folder exists and belongs to you";
        Self::new(FILE_UNUSABLE, path, "it cannot be used", mend).because(source)
    }
}

/// Writes a file of mode 0600: the whole of it, or the old one stays.
pub(crate) fn write(path: &Path, bytes: &[u8], existing: Existing) -> Result<(), NotDone> {
    write_whole(path, bytes, existing, 0o600).map_err(|source| NotDone::file(path, source))
}

/// As [`write`], for what anybody may read.
pub(crate) fn write_public(path: &Path, bytes: &[u8], existing: Existing) -> Result<(), NotDone> {
    write_whole(path, bytes, existing, 0o644).map_err(|source| NotDone::file(path, source))
}

/// A folder that only its owner may enter, with those above it.
pub(crate) fn folder(path: &Path) -> Result<(), NotDone> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| NotDone::file(path, source))
}

/// Random bytes for keys, serials and secrets.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], NotDone> {
    random_bytes().map_err(|source| NotDone::file(Path::new("/dev/random"), source))
}

/// As [`random`], for whoever has errors of its own.
pub(crate) fn random_bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| io::Error::other("no randomness"))?;
    Ok(bytes)
}

/// A secret nobody has seen: 32 random bytes as hexadecimal digits.
pub(crate) fn fresh_secret() -> Result<String, NotDone> {
    random::<32>().map(|bytes| hexadecimal(&bytes))
}

/// The same as Standard Webhooks write it.
pub(crate) fn fresh_webhook_secret() -> Result<String, NotDone> {
    random::<32>().map(|bytes| format!("whsec_{}", STANDARD.encode(bytes)))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_file_is_its_owners_and_is_replaced_only_when_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write(&path, b"one", Existing::Refuse).unwrap();
        let error = write(&path, b"two", Existing::Refuse).unwrap_err();
        assert_eq!(error.refusal.code, FILE_EXISTS);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        write(&path, b"three", Existing::Replace).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"three");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "a draft is left");
    }
}

//! The secrets of the systems: files that only the node's user may read, taken up anew when they change.
//!
//! `<folder>/<reference>/current` and `<folder>/<reference>/next`, both in force while a secret is rotated
//! (exchange.md section 4). The key is the file's text as written, without the line end behind it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::hmac;
use lgsp_files::{SecretError, Stamp};
use thiserror::Error;
use tracing::error;

/// A secret that is there and cannot be used.
#[derive(Debug, Error)]
#[error("the secret {path} cannot be used")]
pub struct UnusableSecret {
    pub path: PathBuf,
    #[source]
    pub source: SecretError,
}

/// The secrets folder, and what was read from it.
pub(super) struct Secrets {
    folder: PathBuf,
    known: Mutex<HashMap<PathBuf, Known>>,
    /// Verifies nothing: stands in where there is no secret, so that no answer comes quicker for it.
    nobody: hmac::Key,
}

#[derive(Clone)]
struct Known {
    stamp: Stamp,
    key: hmac::Key,
}

/// The keys in force for one system; those missing verify nothing.
#[derive(Debug)]
pub(super) struct Keys {
    pub(super) current: hmac::Key,
    pub(super) next: hmac::Key,
}

impl Secrets {
    /// The folder need not exist yet. `nobody` is random: whoever knew it could sign for systems without a secret.
    pub(super) fn new(folder: &Path, nobody: &[u8; 32]) -> Self {
        Self {
            folder: folder.to_owned(),
            known: Mutex::default(),
            nobody: hmac::Key::new(hmac::HMAC_SHA256, nobody),
        }
    }

    /// The keys under a reference. A call looks at two files' metadata, which a local folder gives in microseconds.
    ///
    /// A `next` that is there and cannot be used is an operator's to mend; `current` counts without it.
    ///
    /// # Errors
    /// [`SecretError`] of `current`.
    pub(super) fn keys(&self, reference: &str) -> Result<Keys, SecretError> {
        let plain = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'.' | b'_' | b'-');
        if !reference.bytes().all(plain) || reference.split('.').any(str::is_empty) {
            return Err(SecretError::Reference);
        }
        let folder = self.folder.join(reference);
        let current = self.key(&folder.join("current"))?;
        let next = self.key(&folder.join("next")).unwrap_or_else(|error| {
            if !error.is_absent() {
                error!(
                    secret.reference = reference,
                    error = &error as &dyn std::error::Error,
                    "next secret not used"
                );
            }
            self.nobody.clone()
        });
        Ok(Keys { current, next })
    }

    /// Looks at the secret under a reference as a call would; false: it is not there.
    ///
    /// # Errors
    /// [`UnusableSecret`].
    pub(super) fn check(&self, reference: &str) -> Result<bool, UnusableSecret> {
        match self.keys(reference) {
            Ok(_) => Ok(true),
            Err(error) if error.is_absent() => Ok(false),
            Err(source) => {
                let path = self.folder.join(reference).join("current");
                Err(UnusableSecret { path, source })
            }
        }
    }

    /// Keys that verify nothing.
    pub(super) fn nobody(&self) -> Keys {
        Keys {
            current: self.nobody.clone(),
            next: self.nobody.clone(),
        }
    }

    fn key(&self, path: &Path) -> Result<hmac::Key, SecretError> {
        let stamp = Stamp::of(&std::fs::metadata(path).map_err(SecretError::Unreadable)?);
        let known = self
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(path)
            .cloned();
        if let Some(known) = known.filter(|known| known.stamp == stamp) {
            return Ok(known.key);
        }
        let known = self.read(path)?;
        let key = known.key.clone();
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(path.to_owned(), known);
        Ok(key)
    }

    fn read(&self, path: &Path) -> Result<Known, SecretError> {
        let (stamp, written) = lgsp_files::read_secret(&self.folder, path)?;
        Ok(Known {
            stamp,
            key: hmac::Key::new(hmac::HMAC_SHA256, &written),
        })
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Secrets")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn write(&self, name: &str, secret: &str, mode: u32) -> PathBuf {
            let path = self.0.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, secret).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            path
        }

        fn secrets(&self) -> Secrets {
            Secrets::new(&self.0.path().join("secrets"), &[7; 32])
        }
    }

    fn signs(key: &hmac::Key, secret: &str) -> bool {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), b"text");
        hmac::verify(key, b"text", tag.as_ref()).is_ok()
    }

    #[test]
    fn a_secret_is_its_text_as_written_without_the_line_end() {
        let folder = Folder::new();
        for (written, secret) in [("a b", "a b"), (" khoá \n", " khoá "), ("x\r\n", "x"), ("x\n\n", "x\n")] {
            folder.write("secrets/s/current", written, 0o600);
            let keys = folder.secrets().keys("s").unwrap();
            assert!(signs(&keys.current, secret), "{written:?}");
            assert!(!signs(&keys.next, secret), "{written:?}");
        }
    }

    #[test]
    fn a_changed_secret_counts_at_once_and_both_count_while_rotating() {
        let folder = Folder::new();
        let secrets = folder.secrets();
        folder.write("secrets/s/current", "old", 0o600);
        assert!(signs(&secrets.keys("s").unwrap().current, "old"));
        let next = folder.write("secrets/s/next", "new", 0o400);
        let keys = secrets.keys("s").unwrap();
        assert!(signs(&keys.current, "old") && signs(&keys.next, "new"));
        std::fs::rename(next, folder.0.path().join("secrets/s/current")).unwrap();
        let keys = secrets.keys("s").unwrap();
        assert!(signs(&keys.current, "new") && !signs(&keys.next, "new"));
    }

    #[test]
    fn a_secret_that_others_may_read_is_not_used_even_if_it_was() {
        let folder = Folder::new();
        let secrets = folder.secrets();
        let path = folder.write("secrets/s/current", "x", 0o600);
        assert!(secrets.keys("s").is_ok());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(secrets.keys("s"), Err(SecretError::Open)));
    }

    #[test]
    fn a_link_may_not_lead_out_of_the_folder() {
        let folder = Folder::new();
        let outside = folder.write("elsewhere", "x", 0o600);
        folder.write("secrets/..data/current", "y", 0o600);
        std::fs::create_dir(folder.0.path().join("secrets/s")).unwrap();
        symlink(outside, folder.0.path().join("secrets/s/current")).unwrap();
        symlink("..data", folder.0.path().join("secrets/mounted")).unwrap();
        let secrets = folder.secrets();
        assert!(matches!(secrets.keys("s"), Err(SecretError::Outside)));
        assert!(
            signs(&secrets.keys("mounted").unwrap().current, "y"),
            "what a secrets manager mounts"
        );
    }

    #[test]
    fn what_cannot_be_a_secret_is_not_used() {
        let folder = Folder::new();
        let secrets = folder.secrets();
        for reference in ["", "..", "../elsewhere", "a/b", "/etc", ".x", "a..b", "a\0"] {
            assert!(
                matches!(secrets.keys(reference), Err(SecretError::Reference)),
                "{reference:?}"
            );
        }
        assert!(matches!(secrets.keys("none"), Err(SecretError::Unreadable(_))));
        folder.write("secrets/s/current", "\n", 0o600);
        assert!(matches!(secrets.keys("s"), Err(SecretError::Content)));
        folder.write("secrets/s/current", &"x".repeat(5000), 0o600);
        assert!(matches!(secrets.keys("s"), Err(SecretError::Content)));
        std::fs::create_dir_all(folder.0.path().join("secrets/d/current")).unwrap();
        std::fs::set_permissions(
            folder.0.path().join("secrets/d/current"),
            std::fs::Permissions::from_mode(0o700),
        )
        .unwrap();
        assert!(matches!(secrets.keys("d"), Err(SecretError::Content)));
    }
}

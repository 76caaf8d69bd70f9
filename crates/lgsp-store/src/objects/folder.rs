//! The two folders on disk: names, moves, what is swept. All of it blocks.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use lgsp_types::Digest;
use tracing::warn;

/// Hexadecimal digits of the random part of a staging name.
const RANDOM_DIGITS: usize = 32;

#[derive(Debug)]
pub(super) struct Folder {
    objects: PathBuf,
    staging: PathBuf,
}

/// Name of a finished upload: what was random, and the digest of what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StagingName {
    pub(super) random: [u8; 16],
    pub(super) digest: Digest,
}

impl StagingName {
    /// `<32 hex>-<64 hex>` in lower case and nothing else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (random, digest) = text.split_once('-')?;
        Some(Self {
            random: random_of(random)?,
            digest: Digest::parse(digest).ok()?,
        })
    }

    pub(super) fn text(&self) -> String {
        format!("{}-{}", random_text(&self.random), self.digest)
    }
}

fn random_text(random: &[u8; 16]) -> String {
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn random_of(text: &str) -> Option<[u8; 16]> {
    let digit = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    let good = text.len() == RANDOM_DIGITS && text.as_bytes().iter().all(digit);
    let number = good.then(|| u128::from_str_radix(text, 16).ok()).flatten()?;
    Some(number.to_be_bytes())
}

/// Whether an error says that there is no room.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl Folder {
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        let folder = Self {
            objects: root.join("objects"),
            staging: root.join("staging"),
        };
        make(&folder.objects)?;
        make(&folder.staging)?;
        sync(root)?;
        Ok(folder)
    }

    /// Where the object of this digest is, if it is there.
    pub(super) fn object(&self, digest: Digest) -> PathBuf {
        let name = digest.to_string();
        self.shard(digest).join(name)
    }

    fn shard(&self, digest: Digest) -> PathBuf {
        let [first, ..] = digest.as_bytes();
        self.objects.join(format!("{first:02x}"))
    }

    /// Where an upload is while it is written to.
    pub(super) fn draft(&self, random: &[u8; 16]) -> PathBuf {
        self.staging.join(random_text(random))
    }

    pub(super) fn create_draft(&self, random: &[u8; 16]) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.draft(random))
    }

    /// Gives a draft whose bytes are synced its finished name. The name may be lost with the power, and nobody was
    /// promised it: only [`Folder::promote`] makes one that lasts.
    pub(super) fn finish(&self, name: StagingName) -> io::Result<()> {
        fs::rename(self.draft(&name.random), self.staging.join(name.text()))
    }

    /// False: there is no such upload, and no such object either.
    pub(super) fn promote(&self, name: StagingName) -> io::Result<bool> {
        let staged = self.staging.join(name.text());
        let object = self.object(name.digest);
        let shard = self.shard(name.digest);
        if make(&shard)? {
            sync(&self.objects)?;
        }
        match fs::rename(staged, &object) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return object.try_exists(),
            Err(error) => return Err(error),
        }
        // A staging name that comes back with the power is swept: its folder needs no sync of its own.
        sync(&shard)?;
        Ok(true)
    }

    pub(super) fn discard(&self, name: StagingName) -> io::Result<()> {
        remove(&self.staging.join(name.text())).map(drop)
    }

    pub(super) fn sweep(&self, older_than: Duration) -> io::Result<u64> {
        let mut swept = 0;
        for entry in fs::read_dir(&self.staging)? {
            let entry = entry?;
            let name = entry.file_name();
            let ours = name
                .to_str()
                .is_some_and(|name| random_of(name).or_else(|| random_part(name)).is_some());
            if !ours {
                warn!(file = %entry.path().display(), "a file that is no upload lies in the staging folder");
                continue;
            }
            // It may have been promoted or discarded since the folder was listed.
            let Ok(metadata) = entry.metadata() else { continue };
            // A time in the future is no age.
            let age = metadata.modified()?.elapsed().unwrap_or_default();
            if age >= older_than && remove(&entry.path())? {
                swept += 1;
            }
        }
        Ok(swept)
    }

    pub(super) fn digests(&self, first: u8) -> io::Result<Vec<Digest>> {
        let entries = match fs::read_dir(self.objects.join(format!("{first:02x}"))) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut digests = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            let digest = name.to_str().and_then(|name| Digest::parse(name).ok());
            digests.extend(digest.filter(|digest| digest.as_bytes().first() == Some(&first)));
        }
        digests.sort_unstable();
        Ok(digests)
    }
}

fn random_part(name: &str) -> Option<[u8; 16]> {
    StagingName::parse(name).map(|name| name.random)
}

/// True: it was not there before.
fn make(folder: &Path) -> io::Result<bool> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// True: it was there before.
pub(super) fn remove(file: &Path) -> io::Result<bool> {
    match fs::remove_file(file) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

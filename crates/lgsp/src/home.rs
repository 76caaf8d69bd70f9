//! The data folder of a node: where everything lies, how it is made the first time, who may read it.

use std::fs::{DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use lgsp_audit::{KeyError, NoteKey};
use lgsp_files::{Existing, open_to_others, write_whole};
use lgsp_ledger::{CreateError, Local};
use lgsp_types::{IdKey, UnixMs};
use thiserror::Error;

use crate::private::random_bytes;

/// Paths below the data folder.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    root: PathBuf,
}

/// Why the data folder cannot be used.
#[derive(Debug, Error)]
pub(crate) enum HomeError {
    #[error("{path} cannot be used")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{path} is readable by others (mode {mode:o}): a key belongs to one user; run `chmod 600` on it")]
    Open { path: PathBuf, mode: u32 },
    #[error("{path} is no key of 32 bytes: restore it from where it was kept, the ledger cannot be used without it")]
    NoKey { path: PathBuf },
    #[error("a ledger cannot be made")]
    Ledger(#[from] CreateError),
    #[error("ledger fork: {path} is missing while its checkpoint is there: restore it from where it was kept")]
    LedgerLost { path: PathBuf },
    #[error("the node's keys cannot be made")]
    Key(#[from] KeyError),
    #[error("{path} is missing while the ledger is there: restore it from where it was kept")]
    KeyLost { path: PathBuf },
}

/// The secret keys of a node.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) ids: IdKey,
    /// Signs leaves and receipts.
    pub(crate) node: NoteKey,
    /// Signs checkpoints.
    pub(crate) log: NoteKey,
}

impl Home {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn data_ledger(&self) -> PathBuf {
        self.root.join("ledger/data.ledger")
    }

    pub(crate) fn control_ledger(&self) -> PathBuf {
        self.root.join("ledger/control.ledger")
    }

    /// What this node keeps of the topic of the data ledger.
    pub(crate) fn data_topic(&self) -> PathBuf {
        self.root.join("ledger/data.kafka")
    }

    pub(crate) fn control_topic(&self) -> PathBuf {
        self.root.join("ledger/control.kafka")
    }

    pub(crate) fn lease_topic(&self) -> PathBuf {
        self.root.join("ledger/lease.kafka")
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.root.join("store.sqlite")
    }

    pub(crate) fn audit(&self) -> PathBuf {
        self.root.join("audit")
    }

    pub(crate) fn secrets(&self) -> PathBuf {
        self.root.join("secrets")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.root.join("lgsp.sock")
    }

    /// What a running node says of itself.
    pub(crate) fn announcement(&self) -> PathBuf {
        self.root.join("node.json")
    }

    fn key(&self, name: &str) -> PathBuf {
        self.root.join("keys").join(name)
    }

    /// Makes what is missing: folders, keys. A folder that has a ledger but not its keys is refused.
    pub(crate) fn keys(&self, ledger: &str, node_id: &str) -> Result<Keys, HomeError> {
        for folder in ["", "ledger", "keys", "secrets", "audit"] {
            let path = self.root.join(folder);
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
            made.map_err(|source| HomeError::Io { path, source })?;
        }
        let ledgers = [
            self.data_ledger(),
            self.control_ledger(),
            self.data_topic(),
            self.control_topic(),
        ];
        let fresh = !ledgers.iter().any(|ledger| ledger.exists());
        let keys = Keys {
            ids: IdKey::new(&self.secret("id.key", fresh)?),
            node: NoteKey::from_seed(&format!("{node_id}.node"), &self.secret("node.key", fresh)?)?,
            log: NoteKey::from_seed(&format!("lgsp/{ledger}"), &self.secret("log.key", fresh)?)?,
        };
        self.publish_vkey("node.vkey", &keys.node)?;
        self.publish_vkey("log.vkey", &keys.log)?;
        Ok(keys)
    }

    /// Makes the local ledgers where they are missing.
    pub(crate) fn local_ledgers(&self, name: &str, partitions: u32, now: UnixMs) -> Result<(), HomeError> {
        // The control ledger first: a crash between the two leaves a data folder that the next start completes.
        for (path, name, partitions) in [
            (self.control_ledger(), format!("{name}.control"), 1),
            (self.data_ledger(), name.to_owned(), partitions),
        ] {
            if !path.exists() {
                self.not_lost(&path, &name)?;
                Local::create(&path, &name, partitions, now.0)?;
            }
        }
        Ok(())
    }

    /// A log is sealed, empty, before it is first written: where there is a checkpoint, there was a ledger.
    pub(crate) fn not_lost(&self, path: &Path, name: &str) -> Result<(), HomeError> {
        if !path.exists() && self.audit().join(format!("{name}-0.checkpoint")).exists() {
            return Err(HomeError::LedgerLost { path: path.to_owned() });
        }
        Ok(())
    }

    /// The id key of a folder that is in use.
    pub(crate) fn id_key(&self) -> Result<IdKey, HomeError> {
        Ok(IdKey::new(&read_secret(self.key("id.key"))?))
    }

    /// A key file of 32 random bytes, made only for a node that has no ledger yet.
    fn secret(&self, name: &str, make: bool) -> Result<[u8; 32], HomeError> {
        let path = self.key(name);
        if make && !path.exists() {
            write_secret(&path).map_err(|source| HomeError::Io {
                path: path.clone(),
                source,
            })?;
        }
        read_secret(path)
    }

    fn publish_vkey(&self, name: &str, key: &NoteKey) -> Result<(), HomeError> {
        let path = self.key(name);
        let text = format!("{}\n", key.vkey());
        write_whole(&path, text.as_bytes(), Existing::Replace, 0o644).map_err(|source| HomeError::Io { path, source })
    }
}

fn write_secret(path: &Path) -> io::Result<()> {
    write_whole(path, &random_bytes::<32>()?, Existing::Refuse, 0o600)
}

fn read_secret(path: PathBuf) -> Result<[u8; 32], HomeError> {
    let failed = |source: io::Error| {
        let path = path.clone();
        if source.kind() == io::ErrorKind::NotFound {
            HomeError::KeyLost { path }
        } else {
            HomeError::Io { path, source }
        }
    };
    let mut file = File::open(&path).map_err(failed)?;
    if let Some(mode) = open_to_others(&file.metadata().map_err(failed)?) {
        return Err(HomeError::Open { path, mode });
    }
    let mut bytes = Vec::with_capacity(33);
    (&mut file).take(33).read_to_end(&mut bytes).map_err(failed)?;
    bytes.try_into().map_err(|_| HomeError::NoKey { path })
}

//! The file of leaf hashes of one partition: 32 bytes a leaf, in offset order.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use lgsp_audit::Tree;
use lgsp_types::Digest;

const HASH_BYTES: u64 = 32;
/// Hashes read at a time.
const CHUNK_HASHES: usize = 8_192;

/// Leaf hashes on disk; only the sealer writes it.
#[derive(Debug)]
pub(crate) struct HashFile {
    path: PathBuf,
    file: File,
    size: u64,
}

impl HashFile {
    /// Opens or makes the file. Half a hash at its end, left by a crash, is cut off.
    pub(crate) fn open(path: PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)?;
        let size = file.metadata()?.len() / HASH_BYTES;
        file.set_len(size * HASH_BYTES)?;
        Ok(Self { path, file, size })
    }

    /// Opens the file for reading, beside the sealer.
    pub(crate) fn open_read_only(path: PathBuf) -> io::Result<Self> {
        let file = File::open(&path)?;
        let size = file.metadata()?.len() / HASH_BYTES;
        Ok(Self { path, file, size })
    }

    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// The tree over the first `size` hashes, at most all.
    pub(crate) fn tree(&self, size: u64) -> io::Result<Tree> {
        let mut tree = Tree::default();
        for from in (0..size.min(self.size)).step_by(CHUNK_HASHES) {
            let count = (size.min(self.size) - from).min(CHUNK_HASHES as u64);
            self.read_back(from, usize::try_from(count).unwrap_or(CHUNK_HASHES))?
                .into_iter()
                .for_each(|hash| tree.push(hash));
        }
        Ok(tree)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn get(&self, at: u64) -> io::Result<Option<Digest>> {
        if at >= self.size {
            return Ok(None);
        }
        let mut hash = [0; 32];
        self.file.read_exact_at(&mut hash, at * HASH_BYTES)?;
        Ok(Some(Digest::from_bytes(hash)))
    }

    /// Writes hashes from `from`, which is the size, and syncs them.
    pub(crate) fn append(&mut self, from: u64, hashes: &[Digest]) -> io::Result<()> {
        let bytes: Vec<u8> = hashes.iter().flat_map(|hash| *hash.as_bytes()).collect();
        self.file.write_all_at(&bytes, from * HASH_BYTES)?;
        self.file.sync_data()?;
        self.size = from + hashes.len() as u64;
        Ok(())
    }

    pub(crate) fn read_back(&self, from: u64, count: usize) -> io::Result<Vec<Digest>> {
        let mut bytes = vec![0; count * 32];
        self.file.read_exact_at(&mut bytes, from * HASH_BYTES)?;
        let hash = |chunk: &[u8]| <[u8; 32]>::try_from(chunk).map(Digest::from_bytes);
        bytes
            .chunks_exact(32)
            .map(|chunk| hash(chunk).map_err(io::Error::other))
            .collect()
    }
}

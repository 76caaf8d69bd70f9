//! Objects held against the digests that facts name.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use lgsp_types::{Digest, Fact, What};

/// Reads each named object once.
#[derive(Debug)]
pub(super) struct ObjectCheck {
    folder: PathBuf,
    seen: HashSet<Digest>,
    bytes: u64,
}

impl ObjectCheck {
    /// Of the folder that holds `objects`.
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.join("objects"),
            seen: HashSet::new(),
            bytes: 0,
        }
    }

    /// Objects and bytes read so far.
    pub(super) fn counted(&self) -> (u64, u64) {
        (self.seen.len() as u64, self.bytes)
    }

    /// What is wrong with the objects of this fact.
    pub(super) fn check(&mut self, fact: &Fact) -> Vec<(Digest, String)> {
        let What::Accepted(accepted) = &fact.what else {
            return Vec::new();
        };
        let mut wrong = Vec::new();
        for object in &accepted.objects {
            if !self.seen.insert(object.digest) {
                continue;
            }
            let name = object.digest.to_string();
            let path = self.folder.join(name.get(..2).unwrap_or_default()).join(&name);
            match super::hash_file(&path) {
                Ok(found) if found == (object.digest, object.size_bytes) => self.bytes += object.size_bytes,
                Ok((_, size)) => wrong.push((object.digest, format!("is not what was accepted ({size} bytes found)"))),
                Err(error) => wrong.push((object.digest, format!("cannot be read: {error}"))),
            }
        }
        wrong
    }
}

//! Checkpoints: the signed head of a partition's log.
//!
//! Source: C2SP tlog-checkpoint, with its three mandatory lines (origin, size, root) and the signed note around them.
//! Extension lines are allowed there, though advised against; we write none and refuse them.

use lgsp_types::Digest;
use thiserror::Error;

use crate::key::{NoteKey, VerifierKey};
use crate::note::{self, Note, NoteError};
use crate::text::{decimal, hash, hash_text};

/// The head of a log: the first `size` leaves have this root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log, see [`crate::origin`]; one line.
    pub origin: String,
    pub size: u64,
    pub root: Digest,
}

/// Why a text is no checkpoint, or is not to be believed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CheckpointError {
    #[error("the checkpoint cannot be believed")]
    Note(#[from] NoteError),
    /// Take the text from where it was made, whole.
    #[error("is not a checkpoint of three lines, origin, size and root")]
    Malformed,
}

impl Checkpoint {
    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, hash_text(&self.root))
    }

    /// The checkpoint as a note signed by the log's key.
    #[must_use]
    pub fn sign(&self, log_key: &NoteKey) -> String {
        note::write(&self.text(), &[log_key])
    }

    /// Reads a checkpoint that this key signed; whether it is of the log that was meant, its origin says.
    ///
    /// # Errors
    /// [`CheckpointError`]: nothing in it is to be believed.
    pub fn open(note: &str, log_key: &VerifierKey) -> Result<Self, CheckpointError> {
        let note = Note::parse(note)?;
        note.verify(&[log_key])?;
        Self::parse(&note.text).ok_or(CheckpointError::Malformed)
    }

    fn parse(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.strip_suffix('\n')?.split('\n').collect();
        let [origin, size, root] = lines.as_slice() else {
            return None;
        };
        (!origin.is_empty()).then_some(())?;
        Some(Self {
            origin: (*origin).to_owned(),
            size: decimal(size)?,
            root: hash(root)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            origin: crate::origin("test", 0),
            size: 20_852_163,
            root: Digest::of(b"root"),
        }
    }

    #[test]
    fn a_checkpoint_reads_back_and_looks_as_the_specification_shows() {
        let (key, other) = (sample::log_key(), sample::node_key());
        let note = checkpoint().sign(&key);
        assert!(note.starts_with("lgsp/test/0\n20852163\n"));
        assert_eq!(note.lines().count(), 5);
        assert_eq!(Checkpoint::open(&note, key.verifier()), Ok(checkpoint()));
        let error = Err(CheckpointError::Note(NoteError::NotSigned));
        assert_eq!(Checkpoint::open(&note, other.verifier()), error);
    }

    #[test]
    fn a_signed_text_of_another_form_is_no_checkpoint() {
        let key = sample::log_key();
        let good = checkpoint().text();
        for text in [
            good.replace("20852163", "020852163"),
            good.replace("20852163", "-1"),
            good.replace("20852163", "18446744073709551616"),
            good.replace("lgsp/test/0", ""),
            good.replace("=\n", "\n"),
            good.replace("=\n", "=\nextension\n"),
            good.replace("=\n", "=\n\n"),
            "lgsp/test/0\n7\n".into(),
            format!("\n{good}"),
        ] {
            let note = note::write(&text, &[&key]);
            assert_eq!(
                Checkpoint::open(&note, key.verifier()),
                Err(CheckpointError::Malformed),
                "{text}"
            );
        }
    }
}

//! The proof that a leaf is in a log, as a text that can be verified offline.
//!
//! Source: C2SP tlog-proof, whole: header line, optional `extra`, `index`, the inclusion proof, a blank line, the checkpoint
//! to the letter. Stricter than it asks: at most 63 hashes, no empty `extra`. Signatures of witnesses travel along in the
//! checkpoint and are for whoever knows those keys.

use lgsp_types::Digest;
use thiserror::Error;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::key::VerifierKey;
use crate::proof::{NotProven, PROOF_MAX_HASHES, verify_inclusion};
use crate::text::{base64, base64_text, decimal, hash, hash_text};

const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// Largest proof in bytes.
const TEXT_MAX_BYTES: usize = 512 * 1024;

/// A proof in its parts. Nothing in it is to be believed before [`TlogProof::verify`], and `extra` never.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// Whatever goes with the proof; nobody signs it. Not empty.
    pub extra: Option<Vec<u8>>,
    pub index: u64,
    /// From the leaf's sibling up to the root's child.
    pub hashes: Vec<Digest>,
    /// The signed note, to the letter.
    pub checkpoint: String,
}

/// Why a text is no proof, or proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TlogProofError {
    /// Take the text from where it was made, whole.
    #[error("is not a tlog-proof: {what}")]
    Malformed { what: &'static str },
    #[error("the proof's checkpoint cannot be believed")]
    Checkpoint(#[from] CheckpointError),
    /// Ask for a proof from the log that was meant.
    #[error("the proof is of the log `{found}`")]
    OtherLog { found: String },
    #[error("the leaf is not proven to be in the log")]
    NotProven(#[from] NotProven),
}

impl TlogProof {
    /// The proof as text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let extra = self
            .extra
            .as_ref()
            .map(|extra| format!("extra {}\n", base64_text(extra)));
        let hashes = self
            .hashes
            .iter()
            .map(|hash| hash_text(hash) + "\n")
            .collect::<String>();
        let extra = extra.unwrap_or_default();
        format!("{HEADER}\n{extra}index {}\n{hashes}\n{}", self.index, self.checkpoint)
    }

    /// Reads a proof strictly; it is not verified yet.
    ///
    /// # Errors
    /// [`TlogProofError::Malformed`].
    pub fn parse(text: &str) -> Result<Self, TlogProofError> {
        let malformed = |what| TlogProofError::Malformed { what };
        if text.len() > TEXT_MAX_BYTES {
            return Err(malformed("it is too large"));
        }
        let (head, checkpoint) = text.split_once("\n\n").ok_or(malformed("it has no blank line"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(malformed("its first line is another"));
        }
        let extra = lines.next_if(|line| line.starts_with("extra ")).map(extra);
        let extra = extra
            .map(|extra| extra.ok_or(malformed("its extra is no base64")))
            .transpose()?;
        let index = lines.next().and_then(|line| decimal(line.strip_prefix("index ")?));
        let index = index.ok_or(malformed("it has no index"))?;
        // One more than there may be is enough to know.
        let hashes = lines.take(PROOF_MAX_HASHES + 1).map(hash).collect::<Option<Vec<_>>>();
        let hashes = hashes.ok_or(malformed("a hash of it is none"))?;
        if hashes.len() > PROOF_MAX_HASHES {
            return Err(malformed("it has too many hashes"));
        }
        let checkpoint = checkpoint.to_owned();
        Ok(Self {
            extra,
            index,
            hashes,
            checkpoint,
        })
    }

    /// Verifies that the leaf of this hash is in the log of this origin, whose key signed; answers the log's head.
    ///
    /// # Errors
    /// [`TlogProofError`]: nothing is proven.
    pub fn verify(
        &self,
        leaf_hash: &Digest,
        origin: &str,
        log_key: &VerifierKey,
    ) -> Result<Checkpoint, TlogProofError> {
        let checkpoint = Checkpoint::open(&self.checkpoint, log_key)?;
        if checkpoint.origin != origin {
            return Err(TlogProofError::OtherLog {
                found: checkpoint.origin,
            });
        }
        verify_inclusion(leaf_hash, self.index, checkpoint.size, &self.hashes, &checkpoint.root)?;
        Ok(checkpoint)
    }
}

fn extra(line: &str) -> Option<Vec<u8>> {
    base64(line.strip_prefix("extra ")?).filter(|extra| !extra.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Tree, prove_inclusion, sample};

    fn leaf(at: u64) -> Digest {
        Digest::of(&at.to_be_bytes())
    }

    fn proof(index: u64, size: u64) -> TlogProof {
        let mut tree = Tree::default();
        tree.extend((0..size).map(leaf));
        let checkpoint = Checkpoint {
            origin: crate::origin("test", 0),
            size,
            root: tree.root(),
        };
        TlogProof {
            extra: None,
            index,
            hashes: prove_inclusion(index, size, |at| Ok::<_, ()>(leaf(at))).unwrap(),
            checkpoint: checkpoint.sign(&sample::log_key()),
        }
    }

    #[test]
    fn a_proof_verifies_against_leaf_origin_and_key() {
        let (key, origin) = (sample::log_key(), crate::origin("test", 0));
        let proof = TlogProof::parse(&proof(5, 11).to_text()).unwrap();
        let head = proof.verify(&leaf(5), &origin, key.verifier()).unwrap();
        assert_eq!(head.size, 11);
        assert_eq!(
            proof.verify(&leaf(4), &origin, key.verifier()),
            Err(TlogProofError::NotProven(NotProven))
        );
        let other = TlogProofError::OtherLog { found: origin.clone() };
        assert_eq!(
            proof.verify(&leaf(5), &crate::origin("test", 1), key.verifier()),
            Err(other)
        );
        let unsigned = proof.verify(&leaf(5), &origin, sample::node_key().verifier());
        assert!(matches!(unsigned, Err(TlogProofError::Checkpoint(_))));
        for changed in [
            TlogProof {
                index: 6,
                ..proof.clone()
            },
            TlogProof {
                index: 11,
                ..proof.clone()
            },
        ] {
            assert!(changed.verify(&leaf(5), &origin, key.verifier()).is_err());
        }
    }

    #[test]
    fn a_text_of_another_form_is_no_proof() {
        let good = TlogProof {
            extra: Some(b"salt".to_vec()),
            ..proof(5, 11)
        }
        .to_text();
        assert!(TlogProof::parse(&good).is_ok());
        let hash = hash_text(&leaf(0));
        for (text, why) in [
            (String::new(), "it has no blank line"),
            (good.replace("@v1", "@v2"), "its first line is another"),
            (good.replace("extra c2FsdA==", "extra c2FsdA"), "its extra is no base64"),
            (good.replace("extra c2FsdA==", "extra "), "its extra is no base64"),
            (good.replace("index 5", "index 05"), "it has no index"),
            (good.replace("index 5\n", ""), "it has no index"),
            (good.replace("index 5\n", "index 5\nindex 5\n"), "a hash of it is none"),
            (
                good.replace("index 5\n", &format!("index 5\n{}\n", &hash[1..])),
                "a hash of it is none",
            ),
            (
                good.replace("index 5\n", &format!("index 5\n{}", format!("{hash}\n").repeat(60))),
                "it has too many hashes",
            ),
            (good.replace('\n', "\r\n"), "it has no blank line"),
            ("x".repeat(TEXT_MAX_BYTES + 1), "it is too large"),
        ] {
            assert_eq!(
                TlogProof::parse(&text),
                Err(TlogProofError::Malformed { what: why }),
                "{text:.300}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_proof_reads_back(size in 1u64..80, index: prop::sample::Index, extra in prop::option::of(prop::collection::vec(any::<u8>(), 1..9))) {
            let index = index.index(usize::try_from(size).unwrap()) as u64;
            let proof = TlogProof { extra, ..proof(index, size) };
            prop_assert_eq!(TlogProof::parse(&proof.to_text()), Ok(proof.clone()));
            let verified = proof.verify(&leaf(index), &crate::origin("test", 0), sample::log_key().verifier());
            prop_assert!(verified.is_ok());
        }

        #[test]
        fn no_text_panics(text in "(c2sp.org/tlog-proof@v1\n)?(extra |index |[0-9]|.|\n){0,40}") {
            drop(TlogProof::parse(&text));
        }
    }
}

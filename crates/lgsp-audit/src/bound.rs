//! The bounds of everything that a leaf or a body holds; `leaf.cddl` states the same numbers.

use lgsp_types::{ADDRESSEES_MAX, ATTACHMENTS_MAX, KEY_MAX_BYTES, PAYLOAD_MAX_BYTES};
use thiserror::Error;

/// Largest leaf in bytes, its signature included. Source: exchange.md section 1.
pub const LEAF_MAX_BYTES: usize = 16 * 1024;
/// What of [`LEAF_MAX_BYTES`] is kept for key 31, whose path is as long as the group is large: 14 hashes at most.
const SIGNATURE_MAX_BYTES: usize = 600;

/// How many bytes or items something may have, in words of `what` for both directions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    pub(crate) what: &'static str,
    min: usize,
    max: usize,
}

impl Bound {
    pub(crate) const fn new(what: &'static str, min: usize, max: usize) -> Self {
        Self { what, min, max }
    }

    pub(crate) const fn holds(self, found: usize) -> bool {
        self.min <= found && found <= self.max
    }

    pub(crate) fn fit(self, found: usize) -> Result<(), Unfit> {
        if self.holds(found) {
            Ok(())
        } else {
            Err(Unfit { bound: self, found })
        }
    }
}

/// Why a fact cannot be written: nothing of it may be cut, so refuse what led to it and name the part.
#[derive(Clone, Copy, Debug, Error)]
#[error("{} (found {found}, bounds {} to {})", .bound.what, .bound.min, .bound.max)]
pub struct Unfit {
    bound: Bound,
    found: usize,
}

impl Unfit {
    /// What is out of its bound.
    #[must_use]
    pub const fn what(&self) -> &'static str {
        self.bound.what
    }

    /// How many bytes or items it has.
    #[must_use]
    pub const fn found(&self) -> usize {
        self.found
    }
}

macro_rules! bounds {
    ($($name:ident = $what:literal, $min:expr, $max:expr;)+) => {
        $(pub(crate) const $name: Bound = Bound::new($what, $min, $max);)+
    };
}

// Texts and byte strings in bytes, lists in items.
bounds! {
    UNSIGNED_LEAF = "the leaf is too large", 0, LEAF_MAX_BYTES - SIGNATURE_MAX_BYTES;
    ADDRESSEES = "the number of addressees is out of its bound", 1, ADDRESSEES_MAX;
    OBJECTS = "the number of objects is out of its bound", 1, ATTACHMENTS_MAX + 1;
    MEDIA_TYPE = "a media type is too long", 0, 127;
    PURPOSE = "the purpose is empty or too long", 1, 128;
    SUBJECT_TAGS = "the number of subject tags is out of its bound", 1, 32;
    BUILD = "the node's build is too long", 0, 64;
    EVIDENCE_KEY = "the id of the evidence's key is too long", 0, 64;
    EVIDENCE_PROOF = "the evidence's proof is too long", 0, 512;
    SOURCE = "the source of refusals is empty or too long", 1, 128;
    KEY_NAME = "the name of a key is empty or too long", 1, 128;
    PATH = "the number of hashes beside the signature is out of its bound", 0, 14;
    PAYLOAD = "the payload is too large", 0, PAYLOAD_MAX_BYTES;
    ORDER_KEY = "the order key is too long", 0, KEY_MAX_BYTES;
    IDEMPOTENCY_KEY = "the idempotency key is too long", 0, KEY_MAX_BYTES;
    CODES_WRITTEN = "the number of codes as written is out of its bound", 0, ADDRESSEES_MAX;
    DOCUMENTS = "the number of document references is out of its bound", 0, 256;
    DOCUMENT_TEXT = "a text of a document reference is too long", 0, 255;
    ACT = "the act is too long", 0, 16;
    OBJECT_NAME = "the name of an object is too long", 0, 255;
    OBJECT_NAMES = "the number of objects is out of its bound", 0, ATTACHMENTS_MAX + 1;
    FINDINGS = "the number of findings is out of its bound", 0, 256;
    FINDING_PATH = "the path of a finding is too long", 0, 512;
    SUBJECT = "the subject of a proposal is too long", 0, 512;
}

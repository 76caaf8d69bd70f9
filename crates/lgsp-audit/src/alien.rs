//! Why bytes in a ledger are no record of ours.

use thiserror::Error;

use crate::cbor::Malformed;

/// The bytes are no record of ours: never act on them. They keep their offset; raise an alarm and name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Alien {
    /// Format, seal or lengths of the frame.
    #[error("the frame is not a record's: {what}")]
    Frame { what: &'static str },
    /// The leaf is not deterministic CBOR, or a value is not of its key's type and bound.
    #[error("the leaf cannot be read: {what}, at its byte {at}")]
    Leaf { at: usize, what: &'static str },
    /// The leaf's kind has other keys.
    #[error("key {key} of the leaf {what}")]
    Key { key: u8, what: &'static str },
    /// Salt, clear part or payload of the body.
    #[error("the body cannot be read: {what}, at byte {at} of its clear part")]
    Body { at: usize, what: &'static str },
    /// The body is not the one that the leaf commits to.
    #[error("the body is not the one that the leaf commits to")]
    Payload,
    /// An object that the body names is not the one that the leaf commits to.
    #[error("object {index} of the body is not the one that the leaf commits to")]
    Object { index: usize },
}

impl Alien {
    pub(crate) const fn missing(key: u8) -> Self {
        Self::Key {
            key,
            what: "is missing",
        }
    }

    /// The fault's stable name, the same in every version.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Frame { .. } => "FRAME",
            Self::Leaf { .. } => "LEAF",
            Self::Key { .. } => "LEAF_KEY",
            Self::Body { .. } => "BODY",
            Self::Payload => "PAYLOAD_COMMITMENT",
            Self::Object { .. } => "OBJECT_COMMITMENT",
        }
    }
}

impl From<Malformed> for Alien {
    fn from(Malformed { at, what }: Malformed) -> Self {
        Self::Leaf { at, what }
    }
}

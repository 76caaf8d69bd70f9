//! Deterministic CBOR, the part of it that leaves use: unsigned integers, bytes, text, arrays, maps with integer keys.
//!
//! Source: RFC 8949 section 4.2.1. One meaning has one spelling: shortest heads, ascending keys without repeats,
//! definite lengths, UTF-8; negative integers, tags, floats and simple values do not occur. All else is refused.

mod decoder;
mod encoder;
#[cfg(test)]
mod tests;

use thiserror::Error;

pub(crate) use decoder::Decoder;
pub(crate) use encoder::{Encoder, Pairs, map_head};

const UINT: u8 = 0;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;

/// Where and why bytes are not the CBOR that was expected there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{what}, at byte {at}")]
pub(crate) struct Malformed {
    pub(crate) at: usize,
    pub(crate) what: &'static str,
}

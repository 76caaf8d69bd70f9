//! The record of a fact: what a ledger holds of it, made, signed and read back.
//!
//! `record = u8 format (1) ‖ u8 seal (0 = open) ‖ u32be leaf length ‖ leaf ‖ body`. Source: exchange.md section 7.

use std::collections::HashSet;

use bytes::Bytes;
use lgsp_types::{Digest, Fact};

use crate::alien::Alien;
use crate::body::{self, Body};
use crate::bound::Unfit;
use crate::cbor::Pairs;
use crate::group::{GROUP_MAX_LEAVES, LeafSignature, sign_group};
use crate::key::{NoteKey, VerifierKey};
use crate::leaf::{self, Leaf, Signed};
use crate::tree::hash_leaf;

/// The version of the record's frame.
const FORMAT: u8 = 1;
/// The body lies open; other seals come with sealed payloads.
const OPEN: u8 = 0;
const FRAME_BYTES: usize = 6;
/// The version of the entry under which a leaf stands in the tree.
const ENTRY: u8 = 1;

/// A record that lacks its node's signature.
#[derive(Clone, Debug)]
pub struct Unsigned {
    leaf: Pairs,
    body: Vec<u8>,
}

/// Makes the record of a fact, up to the signature.
///
/// `salt` is 32 fresh random bytes for each fact; kinds without a body do not use it.
///
/// # Errors
/// [`Unfit`]: the fact can never be written; refuse what led to it.
pub fn prepare(fact: &Fact, salt: [u8; 32]) -> Result<Unsigned, Unfit> {
    let body = body::write(&fact.what, &salt)?;
    let committed = body.as_deref().map(|body| (body::commit_body(body), &salt));
    let leaf = Leaf::of(fact, committed).write()?;
    Ok(Unsigned {
        leaf,
        body: body.unwrap_or_default(),
    })
}

/// Signs records, with one signature for as many as there are up to [`GROUP_MAX_LEAVES`]; answers them in their order.
#[must_use]
pub fn sign(records: Vec<Unsigned>, key: &NoteKey) -> Vec<Vec<u8>> {
    let mut signed = Vec::with_capacity(records.len());
    let (mut group, mut leaf_hashes) = (Vec::new(), Vec::new());
    let mut known = HashSet::new();
    for record in records {
        let leaf_hash = leaf::unsigned_hash(&record.leaf);
        // Between equal leaves the index in key 31 would be open to change, so they are signed apart.
        if group.len() == GROUP_MAX_LEAVES || !known.insert(leaf_hash) {
            signed.extend(finish_group(&mut group, &mut leaf_hashes, key));
            known = HashSet::from([leaf_hash]);
        }
        group.push(record);
        leaf_hashes.push(leaf_hash);
    }
    signed.extend(finish_group(&mut group, &mut leaf_hashes, key));
    signed
}

fn finish_group(group: &mut Vec<Unsigned>, leaf_hashes: &mut Vec<Digest>, key: &NoteKey) -> Vec<Vec<u8>> {
    let signatures = if group.is_empty() {
        Vec::new()
    } else {
        sign_group(leaf_hashes, key)
    };
    leaf_hashes.clear();
    group
        .drain(..)
        .zip(&signatures)
        .map(|(record, signature)| record.finish(signature))
        .collect()
}

impl Unsigned {
    fn finish(self, signature: &LeafSignature) -> Vec<u8> {
        let leaf = leaf::with_signature(self.leaf, signature);
        let mut record = Vec::with_capacity(FRAME_BYTES + leaf.len() + self.body.len());
        record.extend_from_slice(&[FORMAT, OPEN]);
        // A leaf has at most 16 KiB.
        record.extend_from_slice(&u32::try_from(leaf.len()).unwrap_or(u32::MAX).to_be_bytes());
        record.extend_from_slice(&leaf);
        record.extend_from_slice(&self.body);
        record
    }
}

/// A record that was read: canonical, of the keys its kind has, and its body is the one its leaf commits to.
///
/// Whether a node that is known signed it is [`Record::is_signed_by`]'s question.
#[derive(Clone, Debug)]
pub struct Record {
    /// What was written.
    pub fact: Fact,
    leaf: Bytes,
    signature: LeafSignature,
    unsigned_hash: Digest,
    salt: Option<[u8; 32]>,
}

impl Record {
    /// Reads a record; payloads are slices of `record`, nothing large is copied.
    ///
    /// # Errors
    /// [`Alien`]: never act on it.
    pub fn read(record: &Bytes) -> Result<Self, Alien> {
        let leaf = record.slice_ref(leaf_of(record)?);
        let rest = record.slice(FRAME_BYTES + leaf.len()..);
        let Signed {
            leaf: keys,
            signature,
            unsigned_hash,
        } = Signed::read(&leaf)?;
        let body = match keys.payload() {
            Some(commitment) => Some(Body::read(&rest, &commitment)?),
            None if rest.is_empty() => None,
            None => {
                return Err(Alien::Frame {
                    what: "there is a body where the kind has none",
                });
            }
        };
        let fact = keys.into_fact(body.as_ref())?;
        let salt = body.map(|body| body.salt);
        Ok(Self {
            fact,
            leaf,
            signature,
            unsigned_hash,
            salt,
        })
    }

    /// The leaf's bytes, its signature included.
    #[must_use]
    pub const fn leaf(&self) -> &Bytes {
        &self.leaf
    }

    /// The hash under which the leaf stands in its partition's tree.
    #[must_use]
    pub fn leaf_hash(&self, append_ms: u64) -> Digest {
        leaf_hash(append_ms, &self.leaf)
    }

    /// Key 31 of the leaf.
    #[must_use]
    pub const fn signature(&self) -> &LeafSignature {
        &self.signature
    }

    /// The salt of the body's commitments, where there is a body: shown to whom a payload or object is proven.
    #[must_use]
    pub const fn salt(&self) -> Option<&[u8; 32]> {
        self.salt.as_ref()
    }

    /// The root over the leaves signed together with this one; none if its path leads nowhere.
    pub(crate) fn group_root(&self) -> Option<Digest> {
        self.signature.root(&self.unsigned_hash)
    }

    /// Whether this key signed the leaf.
    #[must_use]
    pub fn is_signed_by(&self, key: &VerifierKey) -> bool {
        let signed = |root| crate::group::root_verifies(key, &root, &self.signature.signature);
        self.signature.key_id == key.id() && self.group_root().is_some_and(signed)
    }
}

/// The leaf's bytes in a record whose frame can be read; what they say is not looked at.
///
/// # Errors
/// [`Alien::Frame`].
pub fn leaf_of(record: &[u8]) -> Result<&[u8], Alien> {
    let frame = |what| Alien::Frame { what };
    let (head, rest) = record
        .split_first_chunk::<FRAME_BYTES>()
        .ok_or(frame("it is too short"))?;
    let [format, seal, length @ ..] = *head;
    if format != FORMAT {
        return Err(frame("its format is not known"));
    }
    if seal != OPEN {
        return Err(frame("its seal is not known"));
    }
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    rest.get(..length).ok_or(frame("the leaf is longer than the record"))
}

/// What stands in the tree for a leaf: `0x01 ‖ u64be append_ms ‖ leaf`.
#[must_use]
pub fn entry(append_ms: u64, leaf: &[u8]) -> Vec<u8> {
    [&[ENTRY], append_ms.to_be_bytes().as_slice(), leaf].concat()
}

/// The hash of that entry: SHA-256(0x00 ‖ entry).
#[must_use]
pub fn leaf_hash(append_ms: u64, leaf: &[u8]) -> Digest {
    hash_leaf(&[&[ENTRY], &append_ms.to_be_bytes(), leaf])
}

/// The hash under which any bytes of a ledger stand in its tree, so that alien ones keep their place too: that of the
/// leaf where the frame can be read, else that of all the bytes as if they were a leaf.
#[must_use]
pub fn entry_hash(append_ms: u64, record: &[u8]) -> Digest {
    leaf_hash(append_ms, leaf_of(record).unwrap_or(record))
}

#[cfg(test)]
mod tests;

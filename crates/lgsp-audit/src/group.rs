//! The node's signature over leaves signed together, and what of it stands in each of them (key 31).
//!
//! Source: exchange.md section 7: Ed25519 over "lgsp/leaf/v1" and the RFC 6962 root over the leaves without key 31.

use lgsp_types::Digest;

use crate::bound::PATH;
use crate::cbor::{Decoder, Encoder, Malformed};
use crate::key::{KeyId, NoteKey, VerifierKey};
use crate::tree::hash_node;

/// Most leaves under one signature.
pub const GROUP_MAX_LEAVES: usize = 1 << 14;

const CONTEXT: &[u8] = b"lgsp/leaf/v1";

/// Key 31 of a leaf.
///
/// Index and path say how the leaf's hash leads to the root that was signed. They do not say how many leaves were signed
/// together: a path of the same hashes under a greater index may lead there too, so where a leaf stood in its group is
/// worth nothing as evidence. That it was signed is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafSignature {
    pub key_id: KeyId,
    pub signature: [u8; 64],
    pub index: u64,
    pub path: Vec<Digest>,
}

impl LeafSignature {
    /// The root that this leaf leads to; none if the index does not fit its path.
    ///
    /// In RFC 6962 a node is a right child once for each bit that is set in the index, and at each level of the path
    /// where there is a choice the lowest bit says which; where only right turns remain, levels without a sibling are
    /// passed. So the size of the tree is not needed.
    pub(crate) fn root(&self, leaf_hash: &Digest) -> Option<Digest> {
        let (mut index, mut levels) = (self.index, self.path.len());
        let mut found = *leaf_hash;
        for sibling in &self.path {
            let right_turns = index.count_ones() as usize;
            if right_turns > levels {
                return None;
            }
            if right_turns == levels {
                index >>= index.trailing_zeros();
            }
            let is_right = index & 1 == 1;
            found = if is_right {
                hash_node(sibling, &found)
            } else {
                hash_node(&found, sibling)
            };
            (index, levels) = (index >> 1, levels - 1);
        }
        (index == 0).then_some(found)
    }

    pub(crate) fn write(&self, out: &mut Encoder) {
        out.array(4);
        out.bytes(&self.key_id);
        out.bytes(&self.signature);
        out.uint(self.index);
        out.array(self.path.len());
        self.path.iter().for_each(|hash| out.bytes(hash.as_bytes()));
    }

    pub(crate) fn read(from: &mut Decoder<'_>) -> Result<Self, Malformed> {
        from.tuple(4)?;
        Ok(Self {
            key_id: from.fixed()?,
            signature: from.fixed()?,
            index: from.below(GROUP_MAX_LEAVES as u64)?,
            path: from.list(PATH, |from| from.fixed().map(Digest::from_bytes))?,
        })
    }
}

/// Whether this key signed this root.
pub(crate) fn root_verifies(key: &VerifierKey, root: &Digest, signature: &[u8; 64]) -> bool {
    key.verifies(&message(root), signature)
}

fn message(root: &Digest) -> Vec<u8> {
    [CONTEXT, root.as_bytes()].concat()
}

/// Signs these leaf hashes together: one signature, one path each. At most [`GROUP_MAX_LEAVES`], at least one.
pub(crate) fn sign_group(leaf_hashes: &[Digest], key: &NoteKey) -> Vec<LeafSignature> {
    let mut paths = vec![Vec::new(); leaf_hashes.len()];
    let mut nodes = leaf_hashes.to_vec();
    let mut level = 0;
    while nodes.len() > 1 {
        for (index, path) in paths.iter_mut().enumerate() {
            // The last node of a level may have no sibling: it rises as it is.
            path.extend(nodes.get((index >> level) ^ 1));
        }
        nodes = nodes.chunks(2).map(parent).collect();
        level += 1;
    }
    let root = nodes.first().copied().unwrap_or_else(|| Digest::of(b""));
    let signature = key.sign(&message(&root));
    let signed = |(index, path)| LeafSignature {
        key_id: key.verifier().id(),
        signature,
        index,
        path,
    };
    (0..).zip(paths).map(signed).collect()
}

fn parent(pair: &[Digest]) -> Digest {
    match pair {
        [left, right] => hash_node(left, right),
        lone => lone.first().copied().unwrap_or_else(|| Digest::of(b"")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tree::tests::naive_root;

    fn key() -> NoteKey {
        NoteKey::from_seed("node.test", &[7; 32]).unwrap()
    }

    fn leaves(count: usize) -> Vec<Digest> {
        (0..count).map(|at| Digest::of(&at.to_be_bytes())).collect()
    }

    #[test]
    fn each_leaf_of_a_group_leads_to_the_one_signed_root() {
        for count in (1..70).chain([127, 128, 129, 1_000]) {
            let leaf_hashes = leaves(count);
            let root = naive_root(&leaf_hashes);
            let signatures = sign_group(&leaf_hashes, &key());
            assert_eq!(signatures.len(), count);
            assert!(root_verifies(key().verifier(), &root, &signatures[0].signature));
            for (leaf_hash, signature) in leaf_hashes.iter().zip(&signatures) {
                assert_eq!(signature.root(leaf_hash), Some(root), "{} of {count}", signature.index);
                assert_eq!(signature.signature, signatures[0].signature);
            }
        }
    }

    #[test]
    fn the_paths_are_those_of_the_rfc() {
        for count in 1..40 {
            let leaf_hashes = leaves(count);
            for (index, signature) in sign_group(&leaf_hashes, &key()).into_iter().enumerate() {
                let rfc = crate::proof::prove_inclusion(index as u64, count as u64, |at| {
                    Ok::<_, std::convert::Infallible>(leaf_hashes[usize::try_from(at).unwrap()])
                });
                assert_eq!(Ok(signature.path), rfc, "{index} of {count}");
            }
        }
    }

    #[test]
    fn one_bit_of_an_index_never_leads_to_the_same_root() {
        for count in 1..70 {
            let leaf_hashes = leaves(count);
            for (leaf_hash, signature) in leaf_hashes.iter().zip(sign_group(&leaf_hashes, &key())) {
                let root = signature.root(leaf_hash);
                for bit in 0..64 {
                    let changed = LeafSignature {
                        index: signature.index ^ (1 << bit),
                        ..signature.clone()
                    };
                    assert_ne!(
                        changed.root(leaf_hash),
                        root,
                        "bit {bit} of {} of {count}",
                        signature.index
                    );
                }
            }
        }
    }

    proptest! {
        #[test]
        fn no_index_panics(index: u64, count in 0usize..15) {
            let signature = LeafSignature { key_id: [0; 4], signature: [0; 64], index, path: leaves(count) };
            prop_assert!(signature.root(&Digest::of(b"")).is_none() || index.count_ones() as usize <= count);
        }
    }
}

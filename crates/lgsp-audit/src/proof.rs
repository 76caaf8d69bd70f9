//! Proofs over a log's tree: that a leaf is in it, and that it only grew.
//!
//! Source: RFC 6962 sections 2.1.1 and 2.1.2 for what a proof holds, RFC 9162 sections 2.1.3.2 and 2.1.4.2 for how it is
//! verified. A proof is a list of roots of ranges of leaves, so making one is reading those leaf hashes, in any order.

use std::ops::Range;

use lgsp_types::Digest;
use thiserror::Error;

use crate::tree::{Tree, hash_node};

/// A proof of a tree of 2^63 leaves has no more hashes.
pub(crate) const PROOF_MAX_HASHES: usize = 63;

/// Why a proof could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProofError<E> {
    /// A mistake of the caller: ask for a leaf or a size within the tree.
    #[error("there is nothing at {asked} in a tree of {size} leaves")]
    Outside { asked: u64, size: u64 },
    /// A leaf hash could not be read.
    #[error("a leaf hash could not be read")]
    Leaf(#[source] E),
}

/// The proof does not show what it should: treat what it came with as forged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the proof does not lead to the root")]
pub struct NotProven;

/// The proof that leaf `index` is in the tree of the first `size` leaves.
///
/// `leaf_hash` is asked for each of the other leaves once, in ascending order within each part of the proof.
///
/// # Errors
/// [`ProofError`].
pub fn prove_inclusion<E>(
    index: u64,
    size: u64,
    leaf_hash: impl FnMut(u64) -> Result<Digest, E>,
) -> Result<Vec<Digest>, ProofError<E>> {
    if index >= size {
        return Err(ProofError::Outside { asked: index, size });
    }
    roots(inclusion_ranges(index, size), leaf_hash)
}

/// The proof that the tree of the first `old` leaves is a beginning of that of the first `size` leaves.
///
/// # Errors
/// [`ProofError`].
pub fn prove_consistency<E>(
    old: u64,
    size: u64,
    leaf_hash: impl FnMut(u64) -> Result<Digest, E>,
) -> Result<Vec<Digest>, ProofError<E>> {
    if old > size {
        return Err(ProofError::Outside { asked: old, size });
    }
    roots(consistency_ranges(old, size), leaf_hash)
}

fn roots<E>(
    ranges: Vec<Range<u64>>,
    mut leaf_hash: impl FnMut(u64) -> Result<Digest, E>,
) -> Result<Vec<Digest>, ProofError<E>> {
    let root = |range: Range<u64>| {
        let mut tree = Tree::default();
        for index in range {
            tree.push(leaf_hash(index).map_err(ProofError::Leaf)?);
        }
        Ok(tree.root())
    };
    ranges.into_iter().map(root).collect()
}

/// Where a tree of at least two leaves parts: the largest power of two below its size.
const fn split(size: u64) -> u64 {
    1 << (63 - (size - 1).leading_zeros())
}

/// The siblings of a leaf on its way up, from its own to the root's child.
fn inclusion_ranges(index: u64, size: u64) -> Vec<Range<u64>> {
    let (mut from, mut to) = (0, size);
    let mut ranges = Vec::new();
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            ranges.push(middle..to);
            to = middle;
        } else {
            ranges.push(from..middle);
            from = middle;
        }
    }
    ranges.reverse();
    ranges
}

/// RFC 6962 section 2.1.2, SUBPROOF, with the recursion turned into a loop from the root down.
fn consistency_ranges(old: u64, size: u64) -> Vec<Range<u64>> {
    let (mut from, mut to) = (0, size);
    let mut ranges = Vec::new();
    if old == 0 {
        return ranges;
    }
    while old < to {
        let middle = from + split(to - from);
        if old <= middle {
            ranges.push(middle..to);
            to = middle;
        } else {
            ranges.push(from..middle);
            from = middle;
        }
    }
    // The old root itself is known to whoever verifies.
    if from > 0 {
        ranges.push(from..to);
    }
    ranges.reverse();
    ranges
}

/// Verifies that the leaf of this hash is at `index` in the tree of this size and root.
///
/// # Errors
/// [`NotProven`].
pub fn verify_inclusion(
    leaf_hash: &Digest,
    index: u64,
    size: u64,
    proof: &[Digest],
    root: &Digest,
) -> Result<(), NotProven> {
    let mut last = size.checked_sub(1).ok_or(NotProven)?;
    let mut at = index;
    if at > last {
        return Err(NotProven);
    }
    let mut found = *leaf_hash;
    for sibling in proof {
        if last == 0 {
            return Err(NotProven);
        }
        if at & 1 == 1 || at == last {
            found = hash_node(sibling, &found);
            skip_lone(&mut at, &mut last);
        } else {
            found = hash_node(&found, sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    if last == 0 && found == *root {
        Ok(())
    } else {
        Err(NotProven)
    }
}

/// Verifies that a log of size and root `old` is a beginning of the log of size and root `new`.
///
/// # Errors
/// [`NotProven`].
pub fn verify_consistency(old: (u64, &Digest), new: (u64, &Digest), proof: &[Digest]) -> Result<(), NotProven> {
    let ((old_size, old_root), (new_size, new_root)) = (old, new);
    if old_size > new_size {
        return Err(NotProven);
    }
    if old_size == new_size || old_size == 0 {
        let known = if old_size == 0 {
            Tree::default().root()
        } else {
            *new_root
        };
        let same_end = old_size != new_size || old_root == new_root;
        return if proof.is_empty() && *old_root == known && same_end {
            Ok(())
        } else {
            Err(NotProven)
        };
    }
    let (mut at, mut last) = (old_size - 1, new_size - 1);
    let skipped = at.trailing_ones();
    (at, last) = (at >> skipped, last >> skipped);
    let (first, rest) = match proof {
        rest if old_size.is_power_of_two() => (old_root, rest),
        [first, rest @ ..] => (first, rest),
        [] => return Err(NotProven),
    };
    let (mut found_old, mut found_new) = (*first, *first);
    for sibling in rest {
        if last == 0 {
            return Err(NotProven);
        }
        if at & 1 == 1 || at == last {
            found_old = hash_node(sibling, &found_old);
            found_new = hash_node(sibling, &found_new);
            skip_lone(&mut at, &mut last);
        } else {
            found_new = hash_node(&found_new, sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    let proven = last == 0 && found_old == *old_root && found_new == *new_root;
    if proven { Ok(()) } else { Err(NotProven) }
}

/// A last node that has no right sibling stands alone on these levels and meets nobody there.
fn skip_lone(at: &mut u64, last: &mut u64) {
    if *at & 1 == 0 {
        let levels = at.trailing_zeros().min(63);
        (*at, *last) = (*at >> levels, *last >> levels);
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;
    use crate::tree::tests::{naive_root, vector_leaves};

    fn position(index: u64) -> usize {
        usize::try_from(index).unwrap()
    }

    fn leaves(count: u64) -> Vec<Digest> {
        (0..count).map(|at| Digest::of(&at.to_be_bytes())).collect()
    }

    fn inclusion(leaves: &[Digest], index: u64) -> Vec<Digest> {
        prove_inclusion(index, leaves.len() as u64, |at| {
            Ok::<_, Infallible>(leaves[position(at)])
        })
        .unwrap()
    }

    fn consistency(leaves: &[Digest], old: u64) -> Vec<Digest> {
        prove_consistency(old, leaves.len() as u64, |at| Ok::<_, Infallible>(leaves[position(at)])).unwrap()
    }

    fn digests(texts: &[&str]) -> Vec<Digest> {
        texts.iter().map(|text| Digest::parse(text).unwrap()).collect()
    }

    #[test]
    fn proofs_are_those_of_certificate_transparency() {
        let all = vector_leaves();
        let a = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7";
        let b = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e";
        let c = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4";
        let d = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b";
        let e = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0";
        let f = "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7";
        let g = "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125";
        let h = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
        let i = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a";
        assert_eq!(inclusion(&all[..1], 0), []);
        assert_eq!(inclusion(&all, 0), digests(&[a, b, c]));
        assert_eq!(inclusion(&all, 5), digests(&[d, e, f]));
        assert_eq!(inclusion(&all[..3], 2), digests(&[g]));
        assert_eq!(inclusion(&all[..5], 1), digests(&[h, b, d]));
        assert_eq!(consistency(&all[..1], 1), []);
        assert_eq!(consistency(&all, 1), digests(&[a, b, c]));
        assert_eq!(consistency(&all, 6), digests(&[i, e, f]));
        assert_eq!(consistency(&all[..5], 2), digests(&[b, d]));
    }

    #[test]
    fn every_proof_of_a_small_tree_verifies_and_no_other_does() {
        let all = leaves(40);
        for size in 1..=40u64 {
            let leaves = &all[..position(size)];
            let root = naive_root(leaves);
            for index in 0..size {
                let proof = inclusion(leaves, index);
                let holds = |index, size, proof: &[Digest]| {
                    verify_inclusion(&all[position(index)], index, size, proof, &root) == Ok(())
                };
                assert!(holds(index, size, &proof), "{index} of {size}");
                assert!(!holds((index + 1) % 40, size, &proof));
                assert!(size == 1 || !holds(index, size, &proof[1..]));
                assert!(!holds(index, size, &[proof.clone(), vec![root]].concat()));
                assert!(!holds(index, 0, &proof));
            }
            for old in 0..=size {
                let proof = consistency(leaves, old);
                let (old_root, other) = (naive_root(&leaves[..position(old)]), Digest::of(b"other"));
                assert_eq!(
                    verify_consistency((old, &old_root), (size, &root), &proof),
                    Ok(()),
                    "{old} of {size}"
                );
                for (old, new) in [((old, &other), (size, &root)), ((old, &old_root), (size, &other))] {
                    // From nothing to anything is consistent whatever it is.
                    let anything = old.0 == 0 && *old.1 != other && size > 0;
                    assert_eq!(verify_consistency(old, new, &proof).is_ok(), anything);
                }
                let longer = [proof, vec![root]].concat();
                assert!(verify_consistency((old, &old_root), (size, &root), &longer).is_err());
            }
        }
    }

    #[test]
    fn there_is_no_proof_of_what_is_not_there() {
        let none = |_| Ok::<_, Infallible>(Digest::of(b""));
        assert_eq!(
            prove_inclusion(3, 3, none),
            Err(ProofError::Outside { asked: 3, size: 3 })
        );
        assert_eq!(
            prove_consistency(4, 3, none),
            Err(ProofError::Outside { asked: 4, size: 3 })
        );
        assert_eq!(prove_inclusion(0, 2, |_| Err("gone")), Err(ProofError::Leaf("gone")));
    }

    #[test]
    fn the_largest_sizes_do_not_overflow() {
        let root = Digest::of(b"");
        let long = vec![root; 70];
        for size in [u64::MAX, 1 << 63, (1 << 63) + 1] {
            for index in [0, 1, size - 1, size / 2] {
                assert!(verify_inclusion(&root, index, size, &long, &root).is_err());
                assert!(verify_consistency((index + 1, &root), (size, &root), &long).is_err());
            }
        }
    }

    proptest! {
        #[test]
        fn proofs_of_a_larger_tree_verify(size in 1u64..600, index: prop::sample::Index, old: prop::sample::Index) {
            let all = leaves(size);
            let (index, old) = (index.index(all.len()) as u64, old.index(all.len() + 1) as u64);
            let root = naive_root(&all);
            let proof = inclusion(&all, index);
            prop_assert_eq!(verify_inclusion(&all[position(index)], index, size, &proof, &root), Ok(()));
            let old_root = naive_root(&all[..position(old)]);
            let proof = consistency(&all, old);
            prop_assert_eq!(verify_consistency((old, &old_root), (size, &root), &proof), Ok(()));
        }

        #[test]
        fn random_proofs_never_panic(index: u64, size: u64, count in 0usize..70) {
            let (proof, root) = (leaves(count as u64), Digest::of(b"root"));
            prop_assert!(verify_inclusion(&root, index, size, &proof, &root).is_err() || (size == 1 && index == 0 && count == 0));
            let consistent = verify_consistency((index, &root), (size, &root), &proof).is_ok();
            prop_assert!(!consistent || (index == size && count == 0));
        }
    }
}

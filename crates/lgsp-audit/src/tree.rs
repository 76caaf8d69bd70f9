//! The Merkle tree of a log: hashes, and the part of the tree that is enough to grow it and to know its root.
//!
//! Source: RFC 6962 section 2.1 (the same in RFC 9162), with SHA-256.

use lgsp_types::Digest;

/// The hash of a leaf over these bytes, one part after the other.
pub(crate) fn hash_leaf(parts: &[&[u8]]) -> Digest {
    let mut all: Vec<&[u8]> = Vec::with_capacity(parts.len() + 1);
    all.push(&[0]);
    all.extend_from_slice(parts);
    Digest::of_parts(&all)
}

/// The hash of an inner node.
pub(crate) fn hash_node(left: &Digest, right: &Digest) -> Digest {
    Digest::of_parts(&[&[1], left.as_bytes(), right.as_bytes()])
}

/// A tree that only grows. It keeps one hash per full subtree: at most 64.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    size: u64,
    /// Roots of the full subtrees, the largest first; one per bit that is set in `size`.
    peaks: Vec<Digest>,
}

impl Tree {
    /// Adds the hash of the next leaf.
    pub fn push(&mut self, leaf_hash: Digest) {
        let mut node = leaf_hash;
        let mut full = self.size;
        while full & 1 == 1 {
            if let Some(left) = self.peaks.pop() {
                node = hash_node(&left, &node);
            }
            full >>= 1;
        }
        self.peaks.push(node);
        self.size += 1;
    }

    /// How many leaves it has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Its root; that of the empty tree is the SHA-256 of nothing.
    #[must_use]
    pub fn root(&self) -> Digest {
        let from_the_right = self.peaks.iter().rev().copied();
        from_the_right
            .reduce(|right, left| hash_node(&left, &right))
            .unwrap_or_else(|| Digest::of(b""))
    }
}

impl Extend<Digest> for Tree {
    fn extend<T: IntoIterator<Item = Digest>>(&mut self, leaf_hashes: T) {
        leaf_hashes.into_iter().for_each(|leaf_hash| self.push(leaf_hash));
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition in RFC 6962 section 2.1, to the letter.
    pub(crate) fn naive_root(leaf_hashes: &[Digest]) -> Digest {
        match leaf_hashes {
            [] => Digest::of(b""),
            [leaf_hash] => *leaf_hash,
            _ => {
                let split = leaf_hashes.len().next_power_of_two() / 2;
                let (left, right) = leaf_hashes.split_at(split);
                hash_node(&naive_root(left), &naive_root(right))
            }
        }
    }

    /// The leaves of the test vectors of Certificate Transparency.
    pub(crate) fn vector_leaves() -> Vec<Digest> {
        let leaves: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        leaves.iter().map(|leaf| hash_leaf(&[leaf])).collect()
    }

    #[test]
    fn roots_are_those_of_certificate_transparency() {
        let mut tree = Tree::default();
        for (size, root) in [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ]
        .into_iter()
        .enumerate()
        {
            assert_eq!((tree.size(), tree.root().to_string().as_str()), (size as u64, root));
            if let Some(leaf_hash) = vector_leaves().get(size) {
                tree.push(*leaf_hash);
            }
        }
    }

    proptest! {
        #[test]
        fn a_growing_tree_has_the_root_of_the_definition(count in 0usize..200) {
            let leaf_hashes: Vec<Digest> = (0..count).map(|at| Digest::of(&at.to_be_bytes())).collect();
            let mut tree = Tree::default();
            tree.extend(leaf_hashes.iter().copied());
            prop_assert_eq!(tree.size(), count as u64);
            prop_assert_eq!(tree.root(), naive_root(&leaf_hashes));
            prop_assert_eq!(tree.peaks.len(), count.count_ones() as usize);
        }
    }
}

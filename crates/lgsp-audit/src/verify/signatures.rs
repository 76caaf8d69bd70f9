//! Signatures of nodes, each verified once however many leaves were signed together.

use std::collections::HashSet;

use lgsp_types::Digest;

use super::fault::Flaw;
use crate::group::root_verifies;
use crate::key::VerifierKey;
use crate::record::Record;

/// So many verified signatures are remembered; then all are forgotten, which costs time and nothing else.
const REMEMBERED_MAX: usize = 16_384;

/// The signatures that were verified.
#[derive(Clone, Debug, Default)]
pub(super) struct Signatures {
    good: HashSet<([u8; 32], Digest, [u8; 64])>,
    verified: u64,
}

impl Signatures {
    /// How many were verified.
    pub(super) const fn verified(&self) -> u64 {
        self.verified
    }

    /// Whether one of these keys, those of the record's key id, signed the record.
    pub(super) fn check<'a>(
        &mut self,
        record: &Record,
        keys: impl IntoIterator<Item = &'a VerifierKey>,
    ) -> Result<(), Flaw> {
        let root = record.group_root().ok_or(Flaw::Signature)?;
        let mut flaw = Flaw::KeyUnknown;
        for key in keys {
            if self.is_good(key, root, record.signature().signature) {
                return Ok(());
            }
            flaw = Flaw::Signature;
        }
        Err(flaw)
    }

    fn is_good(&mut self, key: &VerifierKey, root: Digest, signature: [u8; 64]) -> bool {
        let signed = (key.public_key(), root, signature);
        if self.good.contains(&signed) {
            return true;
        }
        self.verified += 1;
        let good = root_verifies(key, &root, &signature);
        if good {
            if self.good.len() >= REMEMBERED_MAX {
                self.good.clear();
            }
            self.good.insert(signed);
        }
        good
    }
}

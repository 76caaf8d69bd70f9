//! The receipt of acceptance: a node's signed promise that a leaf stands where it says, and will be in the tree in time.
//!
//! Source: reliability.md 5.3. A receipt whose leaf is not under a checkpoint of later time proves misbehaviour or loss.

use lgsp_types::{Digest, LedgerPosition, MsgId, UnixMs};
use thiserror::Error;

use crate::key::{NoteKey, VerifierKey};
use crate::note::{self, Note, NoteError};
use crate::text::{decimal, hash, hash_text, origin, parse_origin};

/// The first line: no other text that our keys sign begins so.
const HEADER: &str = "lgsp/receipt/v1";
/// A checkpoint covers the leaf at most so many milliseconds after its append.
pub const INCLUSION_PROMISE_MS: u64 = 60_000;

/// What a receipt says: this message is this leaf, at this place, since this time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub position: LedgerPosition,
    /// The ledger's time of the append.
    pub append_ms: UnixMs,
    pub msg_id: MsgId,
    /// The leaf that stands in the tree at `position.offset`.
    pub leaf_hash: Digest,
}

/// Why a text is no receipt, or is not to be believed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReceiptError {
    #[error("the receipt cannot be believed")]
    Note(#[from] NoteError),
    /// Take the text from where it was made, whole.
    #[error("is not a receipt: {line} is missing or wrong")]
    Malformed { line: &'static str },
}

impl Receipt {
    /// When a checkpoint covers the leaf at the latest.
    #[must_use]
    pub const fn included_by(&self) -> UnixMs {
        UnixMs(self.append_ms.0.saturating_add(INCLUSION_PROMISE_MS))
    }

    fn text(&self) -> String {
        format!(
            "{HEADER}\norigin {}\noffset {}\nappend_ms {}\nmsg_id {}\nleaf_hash {}\nincluded_by_ms {}\n",
            origin(&self.position.ledger, self.position.partition),
            self.position.offset,
            self.append_ms.0,
            self.msg_id,
            hash_text(&self.leaf_hash),
            self.included_by().0,
        )
    }

    /// The receipt as a note signed by the node's key; the same for ever.
    #[must_use]
    pub fn sign(&self, node_key: &NoteKey) -> String {
        note::write(&self.text(), &[node_key])
    }

    /// Reads a receipt that one of these keys signed.
    ///
    /// # Errors
    /// [`ReceiptError`]: nothing in it is to be believed.
    pub fn open(note: &str, node_keys: &[&VerifierKey]) -> Result<Self, ReceiptError> {
        let note = Note::parse(note)?;
        note.verify(node_keys)?;
        Self::parse(&note.text)
    }

    fn parse(text: &str) -> Result<Self, ReceiptError> {
        let mut lines = text.split('\n');
        let malformed = |line| ReceiptError::Malformed { line };
        if lines.next() != Some(HEADER) {
            return Err(malformed("the first line"));
        }
        let mut value = |line: &'static str| {
            let value = lines.next().and_then(|text| text.strip_prefix(line)?.strip_prefix(' '));
            value.ok_or(malformed(line))
        };
        let (ledger, partition) = parse_origin(value("origin")?).ok_or(malformed("origin"))?;
        let offset = decimal(value("offset")?).ok_or(malformed("offset"))?;
        let append_ms = UnixMs(decimal(value("append_ms")?).ok_or(malformed("append_ms"))?);
        let msg_id = MsgId::parse(value("msg_id")?).map_err(|_| malformed("msg_id"))?;
        let leaf_hash = hash(value("leaf_hash")?).ok_or(malformed("leaf_hash"))?;
        let included_by = decimal(value("included_by_ms")?);
        let position = LedgerPosition {
            ledger,
            partition,
            offset,
        };
        let receipt = Self {
            position,
            append_ms,
            msg_id,
            leaf_hash,
        };
        if included_by != Some(receipt.included_by().0) {
            return Err(malformed("included_by_ms"));
        }
        if (lines.next(), lines.next()) != (Some(""), None) {
            return Err(malformed("the end"));
        }
        Ok(receipt)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sample;

    fn receipt() -> Receipt {
        Receipt {
            position: LedgerPosition {
                ledger: "test".into(),
                partition: 3,
                offset: 17,
            },
            append_ms: UnixMs(1_767_571_200_123),
            msg_id: MsgId::parse("563b1f85-601a-ac4f-4a08-9ab53715c903").unwrap(),
            leaf_hash: Digest::of(b"leaf"),
        }
    }

    #[test]
    fn a_receipt_is_seven_lines_and_a_signature() {
        let key = sample::node_key();
        let note = receipt().sign(&key);
        assert!(
            note.starts_with(
                "lgsp/receipt/v1\n\
                 origin lgsp/test/3\n\
                 offset 17\n\
                 append_ms 1767571200123\n\
                 msg_id 563b1f85-601a-ac4f-4a08-9ab53715c903\n\
                 leaf_hash n5EWH0NDPkmm3m22gNefYBWfLkrJFyYhoShGQoFYRAs=\n\
                 included_by_ms 1767571260123\n\n\u{2014} lgsp-1.node "
            ),
            "{note}"
        );
        assert_eq!(
            Receipt::open(&note, &[sample::log_key().verifier(), key.verifier()]),
            Ok(receipt())
        );
        let error = Err(ReceiptError::Note(NoteError::NotSigned));
        assert_eq!(Receipt::open(&note, &[sample::log_key().verifier()]), error);
    }

    #[test]
    fn a_signed_text_of_another_form_is_no_receipt() {
        let key = sample::node_key();
        let good = receipt().text();
        for (text, line) in [
            (good.replace("/v1", "/v2"), "the first line"),
            (good.replace("lgsp/test/3", "lgsp/test/03"), "origin"),
            (good.replace("origin lgsp/test/3\n", ""), "origin"),
            (good.replace("offset 17", "offset 017"), "offset"),
            (good.replace("append_ms 1", "append_ms x"), "append_ms"),
            (good.replace("msg_id 563b", "msg_id 563B"), "msg_id"),
            (good.replace("=\n", "\n"), "leaf_hash"),
            (good.replace("260123", "260124"), "included_by_ms"),
            (format!("{good}more\n"), "the end"),
            (format!("{good}\n"), "the end"),
        ] {
            let note = note::write(&text, &[&key]);
            let error = ReceiptError::Malformed { line };
            assert_eq!(Receipt::open(&note, &[key.verifier()]), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_receipt_reads_back(partition: u32, offset: u64, ms: u64, id: [u8; 16], leaf: [u8; 32], ledger in "[a-z0-9.-]{1,64}") {
            let (key, position) = (sample::node_key(), LedgerPosition { ledger, partition, offset });
            let (msg_id, leaf_hash) = (MsgId::from_bytes(id), Digest::from_bytes(leaf));
            let receipt = Receipt { position, append_ms: UnixMs(ms), msg_id, leaf_hash };
            prop_assert_eq!(Receipt::open(&receipt.sign(&key), &[key.verifier()]), Ok(receipt));
        }

        #[test]
        fn no_text_panics(text in "(lgsp/receipt/v1\n)?(origin |offset |[0-9]|.|\n){0,30}") {
            prop_assert!(Receipt::parse(&text).is_err());
        }
    }
}

//! The pieces that checkpoints, proofs and receipts are written of: origins, decimals, hashes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lgsp_types::Digest;

/// Longest name of a ledger, in bytes; the same as in lgsp-ledger.
const LEDGER_NAME_MAX_BYTES: usize = 64;

/// The origin of the log of one partition, `lgsp/<ledger>/<partition>`: what checkpoints and receipts name it by.
#[must_use]
pub fn origin(ledger: &str, partition: u32) -> String {
    format!("lgsp/{ledger}/{partition}")
}

/// Ledger and partition of an origin of ours, which has one spelling.
pub(crate) fn parse_origin(text: &str) -> Option<(String, u32)> {
    let (ledger, partition) = text.strip_prefix("lgsp/")?.split_once('/')?;
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    let named = (1..=LEDGER_NAME_MAX_BYTES).contains(&ledger.len()) && ledger.bytes().all(letter);
    let partition = u32::try_from(decimal(partition)?).ok()?;
    named.then(|| (ledger.to_owned(), partition))
}

/// A decimal number without sign or leading zeros.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

pub(crate) fn hash_text(hash: &Digest) -> String {
    STANDARD.encode(hash.as_bytes())
}

pub(crate) fn hash(text: &str) -> Option<Digest> {
    base64(text)?.try_into().ok().map(Digest::from_bytes)
}

/// Standard base64 with padding, in its one spelling.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

pub(crate) fn base64_text(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_reads_back_and_has_one_spelling() {
        assert_eq!(
            parse_origin(&origin("vinh-phuc.control", 7)),
            Some(("vinh-phuc.control".into(), 7))
        );
        for text in [
            "lgsp/a/01",
            "lgsp/a/+1",
            "lgsp/a/4294967296",
            "lgsp//1",
            "lgsp/A/1",
            "lgsp/a/b/1",
            "lgsp/a",
            "other/a/1",
            "lgsp/a/1\n",
            "",
        ] {
            assert_eq!(parse_origin(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_and_hashes_have_one_spelling() {
        assert_eq!(
            (decimal("0"), decimal("18446744073709551615")),
            (Some(0), Some(u64::MAX))
        );
        for text in ["", "00", "01", "+1", "-1", " 1", "1 ", "18446744073709551616", "٣"] {
            assert_eq!(decimal(text), None, "{text}");
        }
        let text = hash_text(&Digest::of(b""));
        assert_eq!(hash(&text), Some(Digest::of(b"")));
        // The last letter's unused bits are zero, and the padding is there.
        for other in [
            text.replace("FU=", "FV="),
            text.replace('=', ""),
            format!("{text}="),
            format!(" {text}"),
        ] {
            assert_eq!(hash(&other), None, "{other}");
        }
    }
}

//! The text form of certificates, keys and lists: RFC 7468, one item per text.
//!
//! Our own, as that of rcgen would bring a second base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

pub(super) const CERTIFICATE: &str = "CERTIFICATE";
pub(super) const KEY: &str = "PRIVATE KEY";
pub(super) const LIST: &str = "X509 CRL";

pub(super) fn write(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----");
    for (at, letter) in STANDARD.encode(der).chars().enumerate() {
        if at % 64 == 0 {
            text.push('\n');
        }
        text.push(letter);
    }
    text.push_str(&format!("\n-----END {label}-----\n"));
    text
}

/// What [`write`] wrote; none: it is something else.
pub(super) fn read(label: &str, text: &str) -> Option<Vec<u8>> {
    let inner = text
        .trim()
        .strip_prefix(&format!("-----BEGIN {label}-----"))?
        .strip_suffix(&format!("-----END {label}-----"))?;
    let letters: String = inner.split_ascii_whitespace().collect();
    STANDARD.decode(letters).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_and_nothing_else_does() {
        for length in [0, 1, 47, 48, 49, 200] {
            let der = vec![0xa5; length];
            let text = write(KEY, &der);
            assert!(text.lines().all(|line| line.len() <= 64), "{text}");
            assert_eq!(read(KEY, &text), Some(der));
            assert_eq!(read(CERTIFICATE, &text), None);
            assert_eq!(read(KEY, &text.replace("-----END", "END")), None);
        }
    }
}

//! What the SDK does to the `data` of a getEdoc answer on its way to disk: base64 that forgives, then UTF-8 that repairs.

use std::io::{self, Write};

/// Decodes base64 as commons-codec does: both alphabets, anything else skipped, padding ends it, a rest is kept.
pub(super) struct Base64Decoder<W> {
    out: W,
    bits: u32,
    digits: u8,
    ended: bool,
}

impl<W: Write> Base64Decoder<W> {
    pub(super) fn new(out: W) -> Self {
        Self {
            out,
            bits: 0,
            digits: 0,
            ended: false,
        }
    }

    /// Writes what an unpadded end leaves over.
    pub(super) fn finish(mut self) -> io::Result<W> {
        let [_, first, second, _] = (self.bits << (6 * (4 - u32::from(self.digits)))).to_be_bytes();
        match self.digits {
            2 => self.out.write_all(&[first])?,
            3 => self.out.write_all(&[first, second])?,
            _ => {}
        }
        Ok(self.out)
    }
}

impl<W: Write> Write for Base64Decoder<W> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 3);
        for &letter in text {
            self.ended |= letter == b'=';
            let Some(value) = digit(letter).filter(|_| !self.ended) else {
                continue;
            };
            self.bits = self.bits << 6 | value;
            self.digits += 1;
            if self.digits == 4 {
                let [_, first, second, third] = self.bits.to_be_bytes();
                bytes.extend_from_slice(&[first, second, third]);
                (self.bits, self.digits) = (0, 0);
            }
        }
        self.out.write_all(&bytes)?;
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn digit(letter: u8) -> Option<u32> {
    let value = match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

/// Replaces what is no UTF-8 by U+FFFD, across the borders of writes, and counts what it lets through.
pub(super) struct Utf8Repair<W> {
    out: W,
    rest: Vec<u8>,
    written_bytes: u64,
}

impl<W: Write> Utf8Repair<W> {
    pub(super) fn new(out: W) -> Self {
        Self {
            out,
            rest: Vec::new(),
            written_bytes: 0,
        }
    }

    /// Ends the text and says how many bytes were written.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        if !self.rest.is_empty() {
            self.give("\u{fffd}".as_bytes())?;
        }
        self.out.flush()?;
        Ok(self.written_bytes)
    }

    fn give(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written_bytes += bytes.len() as u64;
        self.out.write_all(bytes)
    }
}

impl<W: Write> Write for Utf8Repair<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut text = std::mem::take(&mut self.rest);
        text.extend_from_slice(bytes);
        for chunk in text.utf8_chunks() {
            self.give(chunk.valid().as_bytes())?;
            if chunk.invalid().is_empty() {
                continue;
            }
            let reached = chunk.invalid().as_ptr_range().end == text.as_ptr_range().end;
            if reached && unfinished(chunk.invalid()) {
                self.rest = chunk.invalid().to_vec();
            } else {
                self.give("\u{fffd}".as_bytes())?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Whether these last bytes may still become a letter.
fn unfinished(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(pieces: &[&str]) -> Vec<u8> {
        let mut decoder = Base64Decoder::new(Vec::new());
        for piece in pieces {
            decoder.write_all(piece.as_bytes()).unwrap();
        }
        decoder.finish().unwrap()
    }

    #[test]
    fn base64_is_read_whatever_stands_between() {
        assert_eq!(decoded(&["eA=="]), b"x");
        assert_eq!(decoded(&["e", "A"]), b"x");
        assert_eq!(decoded(&["YW\r\n*J", "j"]), b"abc");
        assert_eq!(decoded(&["YWI", "=", "YWJj"]), b"ab", "padding ends it");
        assert_eq!(decoded(&["-_8", "="]), [0xfb, 0xff]);
        assert_eq!(decoded(&["Y"]), b"");
    }

    #[test]
    fn utf8_survives_any_cut_and_other_bytes_are_damaged() {
        let repaired = |bytes: &[u8], piece: usize| {
            let mut out = Vec::new();
            let mut repair = Utf8Repair::new(&mut out);
            for part in bytes.chunks(piece) {
                repair.write_all(part).unwrap();
            }
            let written = repair.finish().unwrap();
            assert_eq!(written, out.len() as u64);
            out
        };
        for piece in 1..9 {
            assert_eq!(
                repaired("\u{feff}Đơn vị 😀\r\n".as_bytes(), piece),
                "\u{feff}Đơn vị 😀\r\n".as_bytes()
            );
            assert_eq!(repaired(b"a\xE9b\xC4", piece), "a\u{fffd}b\u{fffd}".as_bytes());
        }
    }

    proptest::proptest! {
        #[test]
        fn what_was_encoded_comes_back_from_any_pieces(bytes: Vec<u8>, piece in 1_usize..9) {
            use base64::Engine;
            let text = base64::engine::general_purpose::STANDARD.encode(&bytes);
            let pieces: Vec<&str> = text.as_bytes().chunks(piece).map(|part| std::str::from_utf8(part).unwrap()).collect();
            proptest::prop_assert_eq!(decoded(&pieces), bytes);
        }
    }
}

//! Decodes the base64 of an attachment while it streams in, strictly, in a few kilobytes.
//!
//! The standard alphabet only, padded, no bits left over: what decoders disagree on is refused. Blanks and line ends may
//! stand anywhere, also as character references, the form in which some vendors' XML writers put the CR of MIME lines.

use base64::engine::general_purpose::STANDARD;
use base64::{DecodeError, DecodeSliceError, Engine};
use memchr::{memchr2, memchr3};

/// Letters decoded at once; a multiple of 4.
const BLOCK: usize = 8192;
/// Longest reference that can stand for a blank, `&#x0000d;` and the like.
const REFERENCE_MAX: usize = 10;

/// Why a text is no base64, and at which of its letters, counted from 1 without the blanks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Junk {
    pub(super) letter: u64,
    pub(super) what: &'static str,
}

/// Where the decoder is.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    letters: Vec<u8>,
    decoded_letters: u64,
    /// A character reference that has begun.
    reference: Vec<u8>,
    ended: bool,
}

impl Decoder {
    /// Takes the next piece of text and hands out what it decodes to.
    ///
    /// # Errors
    /// [`Junk`]: the decoder is of no more use.
    pub(super) fn push(&mut self, text: &[u8], out: &mut impl FnMut(&[u8])) -> Result<(), Junk> {
        let mut rest = text;
        while !rest.is_empty() {
            if !self.reference.is_empty() {
                rest = self.refer(rest)?;
                continue;
            }
            let end = memchr3(b'\n', b'\r', b'&', rest).unwrap_or(rest.len());
            let (line, tail) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            self.line(line, out)?;
            rest = match tail.split_first() {
                Some((b'&', tail)) => {
                    self.reference.push(b'&');
                    tail
                }
                Some((_, tail)) => tail,
                None => tail,
            };
        }
        Ok(())
    }

    /// Letters so far.
    fn letters(&self) -> u64 {
        self.decoded_letters + self.letters.len() as u64
    }

    /// Is there no letter so far?
    pub(super) fn is_blank(&self) -> bool {
        self.letters() == 0 && self.reference.is_empty()
    }

    /// # Errors
    /// [`Junk`] when the text ends too early.
    pub(super) fn finish(&mut self, out: &mut impl FnMut(&[u8])) -> Result<(), Junk> {
        if !self.reference.is_empty() {
            return Err(self.junk("is a reference that does not end"));
        }
        let rest = self.letters.split_off(self.letters.len() / 4 * 4);
        self.decode(out)?;
        if rest.is_empty() {
            return Ok(());
        }
        if self.ended {
            return Err(self.junk("stands behind the padding"));
        }
        let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
        let wrong = rest.iter().position(|byte| !is_letter(byte));
        let what = "is the last one, and padding is missing: the letters are no multiple of four";
        Err(Junk {
            letter: self.letters() + wrong.map_or(rest.len(), |at| at + 1) as u64,
            what: wrong.map_or(what, |_| "is none of base64"),
        })
    }

    /// A run without line ends; blanks may split it further.
    fn line(&mut self, line: &[u8], out: &mut impl FnMut(&[u8])) -> Result<(), Junk> {
        let mut rest = line;
        while !rest.is_empty() {
            let end = memchr2(b' ', b'\t', rest).unwrap_or(rest.len());
            let (run, tail) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            self.run(run, out)?;
            rest = tail.get(1..).unwrap_or_default();
        }
        Ok(())
    }

    fn run(&mut self, run: &[u8], out: &mut impl FnMut(&[u8])) -> Result<(), Junk> {
        let mut rest = run;
        while !rest.is_empty() {
            if self.ended {
                return Err(self.junk("stands behind the padding"));
            }
            let (fits, tail) = rest.split_at_checked(BLOCK - self.letters.len()).unwrap_or((rest, &[]));
            self.letters.extend_from_slice(fits);
            rest = tail;
            if self.letters.len() == BLOCK {
                self.decode(out)?;
            }
        }
        Ok(())
    }

    fn decode(&mut self, out: &mut impl FnMut(&[u8])) -> Result<(), Junk> {
        let mut decoded = [0; BLOCK / 4 * 3];
        let length = STANDARD
            .decode_slice(&self.letters, &mut decoded)
            .map_err(|error| self.explain(&error))?;
        self.ended = self.letters.ends_with(b"=");
        self.decoded_letters += self.letters.len() as u64;
        self.letters.clear();
        out(decoded.get(..length).unwrap_or_default());
        Ok(())
    }

    fn explain(&self, error: &DecodeSliceError) -> Junk {
        let (at, what) = match error {
            DecodeSliceError::DecodeError(DecodeError::InvalidByte(at, _)) => (*at, "is none of base64"),
            DecodeSliceError::DecodeError(DecodeError::InvalidLastSymbol(at, _)) => (*at, "has bits left over"),
            DecodeSliceError::DecodeError(DecodeError::InvalidLength(_) | DecodeError::InvalidPadding)
            | DecodeSliceError::OutputSliceTooSmall => (self.letters.len(), "is not padded as it must be"),
        };
        Junk {
            letter: self.decoded_letters + at as u64 + 1,
            what,
        }
    }

    /// Goes on with a character reference; it may only stand for a blank.
    fn refer<'a>(&mut self, text: &'a [u8]) -> Result<&'a [u8], Junk> {
        let Some((byte, rest)) = text.split_first() else {
            return Ok(text);
        };
        self.reference.push(*byte);
        if *byte == b';' && is_blank(&self.reference) {
            self.reference.clear();
        } else if *byte == b';' || self.reference.len() >= REFERENCE_MAX {
            return Err(self.junk("is a reference to something else than a blank"));
        }
        Ok(rest)
    }

    /// The next letter is wrong.
    pub(super) fn junk(&self, what: &'static str) -> Junk {
        Junk {
            letter: self.letters() + 1,
            what,
        }
    }
}

fn is_blank(reference: &[u8]) -> bool {
    let number = reference
        .strip_prefix(b"&#")
        .and_then(|rest| rest.strip_suffix(b";"))
        .unwrap_or_default();
    let (digits, radix) = number.strip_prefix(b"x").map_or((number, 10), |hex| (hex, 16));
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
    let code = str::from_utf8(digits)
        .ok()
        .and_then(|digits| u32::from_str_radix(digits, radix).ok());
    is_number && matches!(code, Some(0x9 | 0xa | 0xd | 0x20))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(text: &[u8], size: usize) -> Result<Vec<u8>, Junk> {
        let (mut decoder, mut bytes) = (Decoder::default(), Vec::new());
        let mut out = |part: &[u8]| bytes.extend_from_slice(part);
        for piece in text.chunks(size) {
            decoder.push(piece, &mut out)?;
        }
        decoder.finish(&mut out)?;
        Ok(bytes)
    }

    #[test]
    fn blanks_and_references_to_blanks_may_stand_anywhere() {
        for text in ["QUJD", " Q\tU\r\nJD\n", "QU&#13;\nJD", "QU&#xD;\nJD&#x0a;", "&#32;QUJD"] {
            assert_eq!(decode(text.as_bytes(), 1).unwrap(), b"ABC", "{text}");
            assert_eq!(decode(text.as_bytes(), 99).unwrap(), b"ABC", "{text}");
        }
        assert_eq!(decode(b"", 1).unwrap(), b"");
        assert_eq!(decode(b" \r\n", 1).unwrap(), b"");
    }

    #[test]
    fn whatever_decoders_disagree_on_is_refused_with_its_place() {
        for (text, letter) in [
            ("${__StringFromFile(test.txt,,,)}", 1),
            ("QUJ", 3),
            ("QUJDQQ", 6),
            ("QQ", 2),
            ("QR==", 2),
            ("QQ==QQ==", 3),
            ("QQ==\nQUJD", 3),
            ("QU-_", 3),
            ("QUJD QU JÐ", 8),
            ("QUJD&lt;", 5),
            ("QUJD&#65;", 5),
            ("QUJD&#+13;", 5),
            ("QUJD&#13", 5),
            ("QUJD&", 5),
            ("====", 1),
            ("Q===", 2),
        ] {
            let junk = decode(text.as_bytes(), 99).unwrap_err();
            assert_eq!(junk.letter, letter, "{text}: {junk:?}");
        }
    }

    #[test]
    fn padding_at_the_end_of_a_block_ends_the_text() {
        let block = "A".repeat(BLOCK - 2) + "==";
        assert!(decode(block.as_bytes(), 1000).is_ok());
        let junk = decode((block + "QUJD").as_bytes(), 1000).unwrap_err();
        assert_eq!(
            (junk.letter, junk.what),
            (BLOCK as u64 + 1, "stands behind the padding")
        );
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded_however_it_is_broken_and_split(
            bytes in proptest::collection::vec(any::<u8>(), 0..20_000), column in 1usize..200, size in 1usize..9000,
        ) {
            let text = STANDARD.encode(&bytes);
            let lines: Vec<&[u8]> = text.as_bytes().chunks(column).collect();
            prop_assert_eq!(decode(&lines.join(&b"\r\n"[..]), size), Ok(bytes));
        }

        #[test]
        fn any_text_has_one_verdict_however_it_is_split(text in "[A-D=&#13; \n$]{0,60}", size in 1usize..60) {
            prop_assert_eq!(decode(text.as_bytes(), size), decode(text.as_bytes(), 1));
        }
    }
}

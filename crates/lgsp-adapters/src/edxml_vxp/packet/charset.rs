//! Lets only whole characters of UTF-8 through, however the bytes are split.

use std::str;

use lgsp_types::Refusal;

use super::reason::CHARSET;

/// The gate in front of the scanner.
#[derive(Debug, Default)]
pub(super) struct Gate {
    /// The beginning of a character whose end has not come, at most 3 bytes.
    held: Vec<u8>,
    passed_bytes: u64,
}

impl Gate {
    /// Hands what is whole to `take`.
    ///
    /// # Errors
    /// What `take` refuses, or `CHARSET` at the first byte that belongs to no character.
    pub(super) fn pass(
        &mut self,
        chunk: &[u8],
        mut take: impl FnMut(&str) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let mut rest = chunk;
        while !self.held.is_empty()
            && let Some((first, tail)) = rest.split_first()
        {
            self.held.push(*first);
            rest = tail;
            let held = std::mem::take(&mut self.held);
            self.pass_whole(&held, &mut take)?;
        }
        self.pass_whole(rest, &mut take)
    }

    fn pass_whole(&mut self, bytes: &[u8], take: &mut impl FnMut(&str) -> Result<(), Refusal>) -> Result<(), Refusal> {
        let error = match str::from_utf8(bytes) {
            Ok(text) => return self.pass_text(text, take),
            Err(error) => error,
        };
        let (valid, rest) = bytes.split_at_checked(error.valid_up_to()).unwrap_or((bytes, &[]));
        self.pass_text(str::from_utf8(valid).unwrap_or_default(), take)?;
        if error.error_len().is_some() {
            return Err(self.broken(rest));
        }
        self.held = rest.to_vec();
        Ok(())
    }

    fn pass_text(&mut self, text: &str, take: &mut impl FnMut(&str) -> Result<(), Refusal>) -> Result<(), Refusal> {
        let first = usize::try_from(2_u64.saturating_sub(self.passed_bytes)).unwrap_or_default();
        if text.bytes().take(first).any(|byte| byte == 0) {
            let what = "the packet begins as UTF-16 does";
            return Err(Refusal::new(CHARSET, "/", what, "send UTF-8"));
        }
        self.passed_bytes += text.len() as u64;
        take(text)
    }

    /// # Errors
    /// `CHARSET` when the bytes end inside a character.
    pub(super) fn finish(&self) -> Result<(), Refusal> {
        if self.held.is_empty() {
            Ok(())
        } else {
            Err(self.broken(&self.held))
        }
    }

    fn broken(&self, bytes: &[u8]) -> Refusal {
        let what = match (self.passed_bytes, bytes) {
            (0, [0xfe | 0xff, ..]) => "the packet begins with the mark of UTF-16".to_owned(),
            (at, _) => format!("byte {at} of the packet, counted from 0, is not UTF-8"),
        };
        Refusal::new(CHARSET, "/", what, "send UTF-8")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], size: usize) -> Result<String, Refusal> {
        let (mut gate, mut text) = (Gate::default(), String::new());
        for chunk in bytes.chunks(size) {
            gate.pass(chunk, |part| {
                text.push_str(part);
                Ok(())
            })?;
        }
        gate.finish().map(|()| text)
    }

    #[test]
    fn text_comes_through_whole_however_it_is_split() {
        let text = "Đơn vị 𝄞 \u{feff}.";
        for size in 1..text.len() {
            assert_eq!(read(text.as_bytes(), size).unwrap(), text);
        }
    }

    #[test]
    fn what_is_no_utf8_is_refused_with_its_place_however_it_is_split() {
        for (bytes, place) in [
            (b"ab\xc4".as_slice(), "byte 2 "),
            (b"ab\xff", "byte 2 "),
            (b"\xef\xbb\xbfa\xed\xa0\x80", "byte 4 "),
            (b"a\xf4\x90\x80\x80", "byte 1 "),
            (b"\xc0\x80", "byte 0 "),
            (b"\xff\xfe<\0", "UTF-16"),
            (b"\xfe\xff\0<", "UTF-16"),
            (b"<\0?\0", "UTF-16"),
            (b"\0<\0?", "UTF-16"),
        ] {
            for size in 1..=bytes.len() {
                let refusal = read(bytes, size).unwrap_err();
                assert!(refusal.code == CHARSET && refusal.what.contains(place), "{refusal}");
            }
        }
    }
}

//! Reading deterministic CBOR, and nothing else.

use super::{ARRAY, BYTES, MAP, Malformed, TEXT, UINT};
use crate::bound::Bound;

/// Reads items one after the other, refusing every form but the one [`Encoder`] writes.
#[derive(Clone, Debug)]
pub(crate) struct Decoder<'a> {
    pub(super) rest: &'a [u8],
    at: usize,
}

impl<'a> Decoder<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, at: 0 }
    }

    /// How many bytes have been read.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    pub(crate) const fn malformed(&self, what: &'static str) -> Malformed {
        Malformed { at: self.at, what }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(self.malformed("ends early"))?;
        self.rest = rest;
        self.at += count;
        Ok(taken)
    }

    fn number(&mut self, width: usize, least: u64) -> Result<u64, Malformed> {
        let at = self.at;
        let value = self
            .take(width)?
            .iter()
            .fold(0, |value, byte| value << 8 | u64::from(*byte));
        if value < least {
            let what = "a number is not in its shortest form";
            return Err(Malformed { at, what });
        }
        Ok(value)
    }

    fn head(&mut self, major: u8, what: &'static str) -> Result<u64, Malformed> {
        let first = *self.rest.first().ok_or(self.malformed("ends early"))?;
        if first >> 5 != major {
            return Err(self.malformed(what));
        }
        let reserved = self.malformed("a length is indefinite or reserved");
        self.take(1)?;
        match first & 0x1f {
            small @ 0..=23 => Ok(small.into()),
            24 => self.number(1, 24),
            25 => self.number(2, 0x100),
            26 => self.number(4, 0x1_0000),
            27 => self.number(8, 0x1_0000_0000),
            28.. => Err(reserved),
        }
    }

    pub(crate) fn uint(&mut self) -> Result<u64, Malformed> {
        self.head(UINT, "is no unsigned integer")
    }

    /// An unsigned integer of a narrower type.
    pub(crate) fn narrow<T: TryFrom<u64>>(&mut self) -> Result<T, Malformed> {
        let too_large = self.malformed("a number is too large");
        T::try_from(self.uint()?).map_err(|_| too_large)
    }

    /// This unsigned integer and no other.
    pub(crate) fn exactly(&mut self, value: u64) -> Result<(), Malformed> {
        let other = self.malformed("is another number than the one that has to stand there");
        if self.uint()? == value { Ok(()) } else { Err(other) }
    }

    /// An unsigned integer below a limit.
    pub(crate) fn below(&mut self, limit: u64) -> Result<u64, Malformed> {
        let too_large = self.malformed("a number is too large");
        let value = self.uint()?;
        if value < limit { Ok(value) } else { Err(too_large) }
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.head(BYTES, "is no byte string")?;
        self.string(length)
    }

    fn string(&mut self, length: u64) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(length).map_err(|_| self.malformed("ends early"))?;
        self.take(length)
    }

    /// Exactly so many bytes.
    pub(crate) fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let wrong = self.malformed("a byte string has the wrong length");
        self.bytes()?.try_into().map_err(|_| wrong)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Malformed> {
        let wrong = self.malformed("a text is not UTF-8");
        let length = self.head(TEXT, "is no text")?;
        std::str::from_utf8(self.string(length)?).map_err(|_| wrong)
    }

    pub(crate) fn bounded_text(&mut self, bound: Bound) -> Result<String, Malformed> {
        let wrong = self.malformed(bound.what);
        let text = self.text()?;
        if bound.holds(text.len()) {
            Ok(text.to_owned())
        } else {
            Err(wrong)
        }
    }

    pub(crate) fn bounded_bytes(&mut self, bound: Bound) -> Result<&'a [u8], Malformed> {
        let wrong = self.malformed(bound.what);
        let bytes = self.bytes()?;
        if bound.holds(bytes.len()) {
            Ok(bytes)
        } else {
            Err(wrong)
        }
    }

    /// A text that a type of the vocabulary reads.
    pub(crate) fn word<T, E>(
        &mut self,
        what: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, Malformed> {
        let wrong = self.malformed(what);
        parse(self.text()?).map_err(|_| wrong)
    }

    /// The head of an array of exactly so many items.
    pub(crate) fn tuple(&mut self, count: u64) -> Result<(), Malformed> {
        let wrong = self.malformed("an array has the wrong number of items");
        if self.head(ARRAY, "is no array")? == count {
            Ok(())
        } else {
            Err(wrong)
        }
    }

    /// A whole array within its bound.
    pub(crate) fn list<T>(
        &mut self,
        bound: Bound,
        item: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let wrong = self.malformed(bound.what);
        let count = usize::try_from(self.head(ARRAY, "is no array")?).map_err(|_| wrong)?;
        if !bound.holds(count) {
            return Err(wrong);
        }
        let mut items = Vec::with_capacity(count);
        let mut item = item;
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// The head of a map; its keys are read by [`MapKeys::next`].
    pub(crate) fn map(&mut self) -> Result<MapKeys, Malformed> {
        let left = self.head(MAP, "is no map")?;
        Ok(MapKeys {
            count: left,
            left,
            last: None,
        })
    }

    /// # Errors
    /// [`Malformed`] when something follows.
    pub(crate) fn end(&self) -> Result<(), Malformed> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.malformed("something follows"))
        }
    }
}

/// The keys of a map that is being read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MapKeys {
    /// How many pairs the map has.
    pub(crate) count: u64,
    left: u64,
    last: Option<u64>,
}

impl MapKeys {
    /// The next key; its value has to be read from the same decoder before the one after.
    pub(crate) fn next(&mut self, decoder: &mut Decoder<'_>) -> Result<Option<u64>, Malformed> {
        let Some(left) = self.left.checked_sub(1) else {
            return Ok(None);
        };
        let unsorted = decoder.malformed("keys do not ascend");
        let key = decoder.uint()?;
        if self.last.is_some_and(|last| last >= key) {
            return Err(unsorted);
        }
        (self.left, self.last) = (left, Some(key));
        Ok(Some(key))
    }

    /// The next key, which has to be this one.
    pub(crate) fn expect(&mut self, key: u64, decoder: &mut Decoder<'_>) -> Result<(), Malformed> {
        let other = decoder.malformed("a key is missing or not known");
        if self.next(decoder)? == Some(key) {
            Ok(())
        } else {
            Err(other)
        }
    }

    /// Whether so many pairs are still to come.
    pub(crate) const fn has_left(&self, count: u64) -> bool {
        self.left == count
    }

    /// # Errors
    /// [`Malformed`] when another pair is to come.
    pub(crate) fn end(&self, decoder: &Decoder<'_>) -> Result<(), Malformed> {
        if self.left == 0 {
            Ok(())
        } else {
            Err(decoder.malformed("a key is not known"))
        }
    }
}

//! Deterministic CBOR, the part of it that leaves use: unsigned integers, bytes, text, arrays, maps with integer keys.
//!
//! Source: RFC 8949 section 4.2.1. One meaning has one spelling: shortest heads, ascending keys without repeats,
//! definite lengths, UTF-8; negative integers, tags, floats and simple values do not occur. All else is refused.

use thiserror::Error;

use crate::bound::{Bound, Unfit};

const UINT: u8 = 0;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;

/// Where and why bytes are not the CBOR that was expected there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{what}, at byte {at}")]
pub(crate) struct Malformed {
    pub(crate) at: usize,
    pub(crate) what: &'static str,
}

/// Writes items one after the other; the caller keeps the counts it announced.
#[derive(Clone, Debug, Default)]
pub(crate) struct Encoder {
    out: Vec<u8>,
}

impl Encoder {
    fn head(&mut self, major: u8, value: u64) {
        let major = major << 5;
        match u8::try_from(value) {
            Ok(small @ 0..=23) => self.out.push(major | small),
            Ok(byte) => self.out.extend_from_slice(&[major | 24, byte]),
            Err(_) => self.long_head(major, value),
        }
    }

    fn long_head(&mut self, major: u8, value: u64) {
        if let Ok(value) = u16::try_from(value) {
            self.out.push(major | 25);
            self.out.extend_from_slice(&value.to_be_bytes());
        } else if let Ok(value) = u32::try_from(value) {
            self.out.push(major | 26);
            self.out.extend_from_slice(&value.to_be_bytes());
        } else {
            self.out.push(major | 27);
            self.out.extend_from_slice(&value.to_be_bytes());
        }
    }

    pub(crate) fn uint(&mut self, value: impl Into<u64>) {
        self.head(UINT, value.into());
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.head(BYTES, bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.head(TEXT, text.len() as u64);
        self.out.extend_from_slice(text.as_bytes());
    }

    pub(crate) fn bounded_text(&mut self, bound: Bound, text: &str) -> Result<(), Unfit> {
        bound.fit(text.len())?;
        self.text(text);
        Ok(())
    }

    pub(crate) fn bounded_bytes(&mut self, bound: Bound, bytes: &[u8]) -> Result<(), Unfit> {
        bound.fit(bytes.len())?;
        self.bytes(bytes);
        Ok(())
    }

    /// An item that is written already.
    pub(crate) fn raw(&mut self, item: &[u8]) {
        self.out.extend_from_slice(item);
    }

    /// Announces an array; `count` items have to follow.
    pub(crate) fn array(&mut self, count: usize) {
        self.head(ARRAY, count as u64);
    }

    /// A whole array within its bound.
    pub(crate) fn list<T>(&mut self, bound: Bound, items: &[T], write: impl Fn(&mut Self, &T)) -> Result<(), Unfit> {
        self.try_list(bound, items, |out, item| {
            write(out, item);
            Ok(())
        })
    }

    /// [`Self::list`] of items that may not fit.
    pub(crate) fn try_list<T>(
        &mut self,
        bound: Bound,
        items: &[T],
        write: impl Fn(&mut Self, &T) -> Result<(), Unfit>,
    ) -> Result<(), Unfit> {
        bound.fit(items.len())?;
        self.array(items.len());
        items.iter().try_for_each(|item| write(self, item))
    }

    /// Announces a map; `count` pairs with ascending keys have to follow.
    pub(crate) fn map(&mut self, count: usize) {
        self.head(MAP, count as u64);
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.out
    }
}

/// The pairs of a map whose number is known only at its end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pairs {
    count: usize,
    encoder: Encoder,
}

impl Pairs {
    /// Writes one pair if there is a value; keys have to ascend.
    pub(crate) fn put<T>(&mut self, key: u8, value: Option<T>, write: impl FnOnce(&mut Encoder, T)) {
        if let Some(value) = value {
            self.count += 1;
            self.encoder.uint(key);
            write(&mut self.encoder, value);
        }
    }

    /// [`Self::put`] for a value that may not fit.
    pub(crate) fn try_put<T>(
        &mut self,
        key: u8,
        value: Option<T>,
        write: impl FnOnce(&mut Encoder, T) -> Result<(), Unfit>,
    ) -> Result<(), Unfit> {
        let mut written = Ok(());
        self.put(key, value, |encoder, value| written = write(encoder, value));
        written
    }

    /// How many bytes the pairs take, their head apart.
    pub(crate) fn size(&self) -> usize {
        self.encoder.out.len()
    }

    /// Head and pairs apart, so that a last pair can still be added.
    pub(crate) fn parts(&self) -> (Vec<u8>, &[u8]) {
        (map_head(self.count), &self.encoder.out)
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        let mut out = map_head(self.count);
        out.extend_from_slice(&self.encoder.out);
        out
    }
}

/// The head of a map of so many pairs.
pub(crate) fn map_head(count: usize) -> Vec<u8> {
    let mut encoder = Encoder::default();
    encoder.map(count);
    encoder.into_bytes()
}

/// Reads items one after the other, refusing every form but the one [`Encoder`] writes.
#[derive(Clone, Debug)]
pub(crate) struct Decoder<'a> {
    rest: &'a [u8],
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Any item that deterministic CBOR of our kind can hold.
    #[derive(Clone, Debug, PartialEq)]
    enum Item {
        Uint(u64),
        Bytes(Vec<u8>),
        Text(String),
        Array(Vec<Item>),
        Map(Vec<(u64, Item)>),
    }

    fn write(item: &Item, out: &mut Encoder) {
        match item {
            Item::Uint(value) => out.uint(*value),
            Item::Bytes(bytes) => out.bytes(bytes),
            Item::Text(text) => out.text(text),
            Item::Array(items) => {
                out.array(items.len());
                items.iter().for_each(|item| write(item, out));
            }
            Item::Map(pairs) => {
                out.map(pairs.len());
                for (key, value) in pairs {
                    out.uint(*key);
                    write(value, out);
                }
            }
        }
    }

    fn written(item: &Item) -> Vec<u8> {
        let mut out = Encoder::default();
        write(item, &mut out);
        out.into_bytes()
    }

    fn item(from: &mut Decoder<'_>) -> Result<Item, Malformed> {
        match from.rest.first().map_or(UINT, |first| first >> 5) {
            BYTES => from.bytes().map(|bytes| Item::Bytes(bytes.to_vec())),
            TEXT => from.text().map(|text| Item::Text(text.to_owned())),
            ARRAY => from.list(Bound::new("items", 0, 1_000), item).map(Item::Array),
            MAP => {
                let mut keys = from.map()?;
                let mut pairs = Vec::new();
                while let Some(key) = keys.next(from)? {
                    pairs.push((key, item(from)?));
                }
                Ok(Item::Map(pairs))
            }
            _ => from.uint().map(Item::Uint),
        }
    }

    fn read(bytes: &[u8]) -> Result<Item, Malformed> {
        let mut from = Decoder::new(bytes);
        let item = item(&mut from)?;
        from.end().map(|()| item)
    }

    fn any_item() -> impl Strategy<Value = Item> {
        let leaf = prop_oneof![
            any::<u64>().prop_map(Item::Uint),
            (0u32..64).prop_map(|shift| Item::Uint(1 << shift)),
            prop::collection::vec(any::<u8>(), 0..40).prop_map(Item::Bytes),
            ".{0,12}".prop_map(Item::Text),
        ];
        leaf.prop_recursive(4, 40, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Item::Array),
                prop::collection::btree_map(any::<u64>(), inner, 0..8)
                    .prop_map(|pairs| Item::Map(pairs.into_iter().collect())),
            ]
        })
    }

    #[test]
    fn heads_are_those_of_the_rfc() {
        // RFC 8949, appendix A.
        for (value, bytes) in [
            (0u64, &[0u8][..]),
            (23, &[0x17]),
            (24, &[0x18, 0x18]),
            (100, &[0x18, 0x64]),
            (1_000, &[0x19, 0x03, 0xe8]),
            (1_000_000, &[0x1a, 0x00, 0x0f, 0x42, 0x40]),
            (u64::MAX, &[0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ] {
            assert_eq!(written(&Item::Uint(value)), bytes);
        }
        assert_eq!(written(&Item::Text("ü".into())), [0x62, 0xc3, 0xbc]);
        assert_eq!(written(&Item::Map(vec![])), [0xa0]);
    }

    #[test]
    fn every_other_form_is_refused() {
        for (bytes, why) in [
            (&[0x18u8, 0x17][..], "a number is not in its shortest form"),
            (&[0x19, 0x00, 0xff], "a number is not in its shortest form"),
            (&[0x1a, 0, 0, 0xff, 0xff], "a number is not in its shortest form"),
            (
                &[0x1b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
                "a number is not in its shortest form",
            ),
            (&[0x58, 0x01, 0x00], "a number is not in its shortest form"),
            (&[0x9f, 0xff], "a length is indefinite or reserved"),
            (&[0x5f, 0x41, 0x00, 0xff], "a length is indefinite or reserved"),
            (&[0x1c], "a length is indefinite or reserved"),
            (&[0x20], "is no unsigned integer"),
            (&[0xc0, 0x00], "is no unsigned integer"),
            (&[0xf4], "is no unsigned integer"),
            (&[0xf9, 0x3c, 0x00], "is no unsigned integer"),
            (&[0xa2, 0x02, 0x00, 0x01, 0x00], "keys do not ascend"),
            (&[0xa2, 0x01, 0x00, 0x01, 0x00], "keys do not ascend"),
            (&[0xa1, 0x61, 0x61, 0x00], "is no unsigned integer"),
            (&[0x61, 0xff], "a text is not UTF-8"),
            (&[0x00, 0x00], "something follows"),
            (&[0x42, 0x00], "ends early"),
            (&[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "ends early"),
            (&[], "ends early"),
        ] {
            assert_eq!(read(bytes).map_err(|error| error.what), Err(why), "{bytes:02x?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(item in any_item()) {
            prop_assert_eq!(read(&written(&item)), Ok(item));
        }

        #[test]
        fn what_reads_has_no_other_spelling(item in any_item(), at: prop::sample::Index, to: u8) {
            let mut bytes = written(&item);
            let at = at.index(bytes.len());
            bytes[at] = to;
            if let Ok(other) = read(&bytes) {
                prop_assert_eq!(written(&other), bytes);
            }
        }

        #[test]
        fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(item) = read(&bytes) {
                prop_assert_eq!(written(&item), bytes);
            }
        }
    }
}

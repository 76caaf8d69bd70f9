//! Writing deterministic CBOR.

use super::{ARRAY, BYTES, MAP, TEXT, UINT};
use crate::bound::{Bound, Unfit};

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

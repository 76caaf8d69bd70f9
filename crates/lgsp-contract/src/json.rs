//! The strict JSON reader: what it lets through, every reader of every language reads as the same.
//!
//! Beyond RFC 8259: no name twice, no number that 64 bits or 15 digits do not hold, whole characters only, no U+0000, at
//! most [`DEPTH_MAX`] levels. Texts and names come out in NFC, because that is how they are compared; the bytes that were
//! read stay what is hashed, kept and handed on. Source: RFC 8259, RFC 7493 (I-JSON).

mod number;

use std::borrow::Cow;

use serde_json::map::Entry;
use serde_json::{Map, Value};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use crate::catalogue;
use crate::catalogue::{
    Broken, CHARSET, JSON_BYTE_ORDER_MARK, JSON_DUPLICATE_KEY, JSON_MALFORMED, JSON_NUL, JSON_NUMBER_INEXACT,
    JSON_SURROGATE, JSON_TOO_DEEP, TOO_MANY_FINDINGS,
};
use crate::check::FINDINGS_MAX;

/// Objects and lists inside each other: the 64 elements that a packet may have, and its object, list and attributes.
/// Source: reliability.md 8.3, 8.4.
pub const DEPTH_MAX: usize = 64 + 3;

/// Reads one JSON text whole.
///
/// # Errors
/// Every broken rule; where the text stops being JSON the reading ends, and that is the last one told.
pub(crate) fn read(bytes: &[u8]) -> Result<Value, Vec<Broken>> {
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(vec![JSON_BYTE_ORDER_MARK.at("/", &[])]);
    }
    let text = std::str::from_utf8(bytes).map_err(|error| vec![CHARSET.at("/", &[&error.valid_up_to()])])?;
    let mut reader = Reader {
        text,
        at: 0,
        depth: 0,
        broken: Vec::new(),
    };
    let value = reader.whole();
    match value {
        Ok(value) if reader.broken.is_empty() => Ok(value),
        Ok(_) => Err(reader.broken),
        Err(Stop(stop)) => {
            reader.broken.push(*stop);
            Err(reader.broken)
        }
    }
}

/// The text is no JSON from here on.
struct Stop(Box<Broken>);

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    broken: Vec<Broken>,
}

impl<'a> Reader<'a> {
    fn whole(&mut self) -> Result<Value, Stop> {
        let value = self.value()?;
        self.blanks();
        if self.at == self.text.len() {
            Ok(value)
        } else {
            Err(self.malformed())
        }
    }

    fn value(&mut self) -> Result<Value, Stop> {
        self.blanks();
        match self.peek() {
            Some(b'{') => self.deeper(Self::object),
            Some(b'[') => self.deeper(Self::list),
            Some(b'"') => Ok(Value::String(self.string()?.into_owned())),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.malformed()),
        }
    }

    fn deeper(&mut self, read: impl Fn(&mut Self) -> Result<Value, Stop>) -> Result<Value, Stop> {
        if self.depth == DEPTH_MAX {
            return Err(Stop(Box::new(JSON_TOO_DEEP.at("/", &[&DEPTH_MAX]))));
        }
        self.depth += 1;
        self.at += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn object(&mut self) -> Result<Value, Stop> {
        let mut fields = Map::new();
        self.blanks();
        if self.take(b'}') {
            return Ok(Value::Object(fields));
        }
        loop {
            self.blanks();
            if self.peek() != Some(b'"') {
                return Err(self.malformed());
            }
            let known = self.broken.len();
            let name = self.string()?.into_owned();
            self.blanks();
            if !self.take(b':') {
                return Err(self.malformed());
            }
            let value = match self.value() {
                Ok(value) if self.broken.len() == known => value,
                value => self.within(known, &name, value)?,
            };
            match fields.entry(name) {
                Entry::Vacant(free) => {
                    free.insert(value);
                }
                Entry::Occupied(twice) => {
                    let mut broken = JSON_DUPLICATE_KEY.at("/", &[]);
                    broken.within(twice.key());
                    self.report(broken)?;
                }
            }
            self.blanks();
            match self.next() {
                Some(b',') => {}
                Some(b'}') => return Ok(Value::Object(fields)),
                _ => return Err(self.malformed_before()),
            }
        }
    }

    fn list(&mut self) -> Result<Value, Stop> {
        let mut items = Vec::new();
        self.blanks();
        if self.take(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            let known = self.broken.len();
            let value = match self.value() {
                Ok(value) if self.broken.len() == known => value,
                value => self.within(known, &items.len().to_string(), value)?,
            };
            items.push(value);
            self.blanks();
            match self.next() {
                Some(b',') => {}
                Some(b']') => return Ok(Value::Array(items)),
                _ => return Err(self.malformed_before()),
            }
        }
    }

    /// Tells all that was found since `known` as being inside of `step`.
    fn within(&mut self, known: usize, step: &str, value: Result<Value, Stop>) -> Result<Value, Stop> {
        for broken in self.broken.iter_mut().skip(known) {
            broken.within(step);
        }
        value.map_err(|Stop(mut stop)| {
            // What is no JSON lies at its line; the last of many is not told by place.
            if stop.code == JSON_TOO_DEEP.code || stop.code == JSON_MALFORMED.code {
                stop.within(step);
            }
            Stop(stop)
        })
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Stop> {
        self.at += 1;
        let begin = self.at;
        let mut decoded = String::new();
        let mut from = begin;
        loop {
            let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
            let plain = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
            self.at += plain.unwrap_or(rest.len());
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    decoded.push_str(self.slice(from, self.at));
                    let letter = self.escape()?;
                    decoded.push(letter);
                    from = self.at;
                }
                Some(_) | None => return Err(self.malformed()),
            }
        }
        let rest = self.slice(from, self.at);
        self.at += 1;
        if from == begin {
            if rest.is_ascii() || is_nfc_quick(rest.chars()) == IsNormalized::Yes {
                return Ok(Cow::Borrowed(rest));
            }
            return Ok(Cow::Owned(rest.nfc().collect()));
        }
        decoded.push_str(rest);
        Ok(Cow::Owned(decoded.nfc().collect()))
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Result<char, Stop> {
        self.at += 1;
        let letter = match self.next() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return Err(self.malformed_before()),
        };
        Ok(letter)
    }

    fn unicode(&mut self) -> Result<char, Stop> {
        let first = self.four_digits()?;
        let code = match first {
            0xd800..=0xdbff => {
                let back = self.at;
                let second = if self.take(b'\\') && self.take(b'u') {
                    self.four_digits()?
                } else {
                    0
                };
                if (0xdc00..=0xdfff).contains(&second) {
                    0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)
                } else {
                    self.at = back;
                    first
                }
            }
            other => other,
        };
        if code == 0 {
            self.found(&JSON_NUL)?;
        }
        match char::from_u32(code) {
            Some(letter) => Ok(letter),
            None => self.found(&JSON_SURROGATE).map(|()| char::REPLACEMENT_CHARACTER),
        }
    }

    fn four_digits(&mut self) -> Result<u32, Stop> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let code = digits.and_then(|_| u32::from_str_radix(self.slice(self.at, self.at + 4), 16).ok());
        let code = code.ok_or_else(|| self.malformed())?;
        self.at += 4;
        Ok(code)
    }

    fn number(&mut self) -> Result<Value, Stop> {
        let rest = self.slice(self.at, self.text.len());
        let length = number::length(rest).ok_or_else(|| self.malformed())?;
        let written = self.slice(self.at, self.at + length);
        self.at += length;
        match number::exact(written) {
            Some(number) => Ok(Value::Number(number)),
            None => self.found(&JSON_NUMBER_INEXACT).map(|()| Value::Null),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, Stop> {
        if !self.slice(self.at, self.text.len()).starts_with(word) {
            return Err(self.malformed());
        }
        self.at += word.len();
        Ok(value)
    }

    fn found(&mut self, entry: &catalogue::Entry) -> Result<(), Stop> {
        self.report(entry.at("/", &[]))
    }

    fn report(&mut self, broken: Broken) -> Result<(), Stop> {
        if self.broken.len() == FINDINGS_MAX {
            return Err(Stop(Box::new(TOO_MANY_FINDINGS.at("/", &[&FINDINGS_MAX]))));
        }
        self.broken.push(broken);
        Ok(())
    }

    fn malformed(&self) -> Stop {
        let before = self.text.get(..self.at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Stop(Box::new(JSON_MALFORMED.at("/", &[&line, &column])))
    }

    /// The byte that was just taken does not belong there.
    fn malformed_before(&mut self) -> Stop {
        self.at = self.at.min(self.text.len()).saturating_sub(1);
        while !self.text.is_char_boundary(self.at) {
            self.at -= 1;
        }
        self.malformed()
    }

    fn slice(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek();
        self.at += 1;
        byte
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests;

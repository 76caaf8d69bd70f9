//! One attachment as it streams by: size and digest of what its base64 decodes to, and what kind of zip it is.

use std::ops::Range;

use aws_lc_rs::digest::{Context, SHA256};
use lgsp_types::Digest;

use super::base64::{Decoder, Junk};
use super::names::is_blank;
use super::zip::{Report, Watch};

/// What became of one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Bytes of the packet that hold the base64 text, blanks among it.
    pub(super) range: Range<u64>,
    /// Decoded.
    pub(super) size_bytes: u64,
    /// Of the decoded bytes.
    pub(super) digest: Digest,
    /// It is no base64: size and digest are those of what came before.
    pub(super) junk: Option<Junk>,
    pub(super) zip: Report,
}

/// A part on its way in.
#[derive(Debug)]
pub(super) struct Intake {
    decoder: Decoder,
    content: Content,
    range: Range<u64>,
    junk: Option<Junk>,
    place: Place,
}

/// Where in the element the text that comes next stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Plain,
    Section,
    /// Behind the section: only blanks may follow.
    Behind,
}

struct Content {
    sha256: Context,
    size_bytes: u64,
    zip: Watch,
}

impl std::fmt::Debug for Content {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Content")
            .field("size_bytes", &self.size_bytes)
            .finish_non_exhaustive()
    }
}

impl Content {
    fn push(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        self.size_bytes += bytes.len() as u64;
        self.zip.push(bytes);
    }
}

impl Intake {
    /// Begins a part whose text begins at this byte of the packet.
    pub(super) fn new(offset: u64) -> Self {
        Self {
            decoder: Decoder::default(),
            content: Content {
                sha256: Context::new(&SHA256),
                size_bytes: 0,
                zip: Watch::default(),
            },
            range: offset..offset,
            junk: None,
            place: Place::Plain,
        }
    }

    /// Takes the next piece of its text.
    pub(super) fn push(&mut self, text: &str) {
        if self.place != Place::Behind {
            self.range.end += text.len() as u64;
        }
        if self.junk.is_some() {
            return;
        }
        match (self.place, text.split_once('&')) {
            (Place::Section, Some((before, _))) => {
                self.decode(before);
                self.spoil("is a `&`, which begins no reference in a CDATA section");
            }
            (Place::Behind, _) if is_blank(text) => {}
            (Place::Behind, _) => self.spoil("stands behind the CDATA section"),
            (Place::Plain | Place::Section, _) => self.decode(text),
        }
    }

    fn decode(&mut self, text: &str) {
        self.junk = self
            .decoder
            .push(text.as_bytes(), &mut |bytes| self.content.push(bytes))
            .err();
    }

    /// May a CDATA section that holds the whole text begin here?
    pub(super) fn may_begin_section(&self) -> bool {
        self.place == Place::Plain && self.junk.is_none() && self.decoder.is_blank()
    }

    /// The section begins; its text begins at this byte of the packet.
    pub(super) fn begin_section(&mut self, offset: u64) {
        self.place = Place::Section;
        self.range = offset..offset;
    }

    pub(super) fn end_section(&mut self) {
        self.place = Place::Behind;
    }

    pub(super) fn is_section(&self) -> bool {
        self.place != Place::Plain
    }

    /// Something stands in the text that is none.
    pub(super) fn spoil(&mut self, what: &'static str) {
        self.junk.get_or_insert(self.decoder.junk(what));
    }

    pub(super) fn finish(mut self) -> Found {
        if self.junk.is_none() {
            self.junk = self.decoder.finish(&mut |bytes| self.content.push(bytes)).err();
        }
        Found {
            range: self.range,
            size_bytes: self.content.size_bytes,
            digest: digest(self.content.sha256),
            junk: self.junk,
            zip: self.content.zip.finish(),
        }
    }
}

/// The digest of what a context has taken.
pub(super) fn digest(sha256: Context) -> Digest {
    let bytes = sha256.finish();
    Digest::from_bytes(bytes.as_ref().first_chunk().copied().unwrap_or_default())
}

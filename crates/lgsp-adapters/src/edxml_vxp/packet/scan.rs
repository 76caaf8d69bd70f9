//! Cuts a packet, as it streams in, into markup, text and base64: the last goes by, the rest is small.
//!
//! Only here is decided where a tag, comment, section or instruction ends. What is cut is at most
//! `TEXT_BYTES_MAX` long, all of it together `SKELETON_BYTES_MAX`, and the cuts are the same however the input is split.

use lgsp_types::Refusal;
use memchr::{memchr, memchr3};

use super::build::{Builder, Next};
use super::limits::{ATTRIBUTES_MAX, SKELETON_BYTES_MAX, TEXT_BYTES_MAX};
use super::names::is_name;
use super::part::Found;
use super::position::Position;
use super::reason::{PAYLOAD_TOO_LARGE, XML_TEXT_TOO_LONG};
use super::tree::Tree;

const MARK: char = '\u{feff}';
const COMMENT: &str = "<!--";
const SECTION: &str = "<![CDATA[";

/// Where the scanner stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Up to the next `<`.
    Text,
    /// Behind a `<`, until it is clear what begins.
    Markup,
    /// Up to the piece that ends with this, and is no shorter than this.
    Until { end: &'static str, least: usize },
    /// In a tag, perhaps between two quotes; so many values have ended.
    Tag { quote: Option<u8>, values: usize },
    /// In the text of an encoded element, up to the next `<`.
    Base64,
    /// In a CDATA section that holds the base64, up to the next `]`.
    Section,
    /// Behind a `]` there: only `]>` can follow.
    SectionEnd,
}

/// The scanner and what it builds.
#[derive(Debug)]
pub(super) struct Scanner {
    state: State,
    builder: Builder,
    at: Position,
    /// The piece that has begun, and where.
    piece: String,
    begun_at: Position,
    skeleton_bytes: usize,
}

impl Scanner {
    pub(super) fn new() -> Self {
        Self {
            state: State::Text,
            builder: Builder::default(),
            at: Position::start(0),
            piece: String::new(),
            begun_at: Position::start(0),
            skeleton_bytes: 0,
        }
    }

    /// Takes the next text of the packet.
    ///
    /// # Errors
    /// The refusal that ends the reading.
    pub(super) fn push(&mut self, text: &str) -> Result<(), Refusal> {
        let mut rest = text;
        if self.at.offset == 0
            && let Some(behind) = rest.strip_prefix(MARK)
        {
            self.at = Position::start(MARK.len_utf8() as u64);
            self.begun_at = self.at;
            rest = behind;
        }
        while !rest.is_empty() {
            rest = match self.state {
                State::Text => self.text(rest)?,
                State::Markup => self.markup(rest)?,
                State::Until { end, least } => self.until(rest, end, least)?,
                State::Tag { quote, values } => self.tag(rest, quote, values)?,
                State::Base64 => self.base64(rest)?,
                State::Section => self.section(rest),
                State::SectionEnd => self.section_end(rest)?,
            };
        }
        Ok(())
    }

    /// # Errors
    /// The refusal of a packet that ends too early.
    pub(super) fn finish(mut self) -> Result<(Tree, Vec<Found>), Refusal> {
        match self.state {
            State::Text => self.end_text()?,
            State::Markup | State::Until { .. } | State::Tag { .. } | State::Section | State::SectionEnd => {
                return Err(self
                    .builder
                    .malformed(self.begun_at, "a tag, comment or section begins and does not end"));
            }
            State::Base64 => {}
        }
        self.builder.finish(self.at)
    }

    fn text<'a>(&mut self, text: &'a str) -> Result<&'a str, Refusal> {
        let (before, rest) = cut(text, memchr(b'<', text.as_bytes()));
        if self.piece.is_empty() {
            self.begun_at = self.at;
        }
        self.take(before)?;
        if rest.is_empty() {
            return Ok(rest);
        }
        self.end_text()?;
        self.begin_markup(rest)
    }

    fn end_text(&mut self) -> Result<(), Refusal> {
        if !self.piece.is_empty() {
            self.builder.text(&self.piece, self.begun_at)?;
            self.piece.clear();
        }
        Ok(())
    }

    /// Takes the `<` that `text` begins with.
    fn begin_markup<'a>(&mut self, text: &'a str) -> Result<&'a str, Refusal> {
        let (bracket, rest) = cut(text, Some(1));
        self.begun_at = self.at;
        self.take(bracket)?;
        self.state = State::Markup;
        Ok(rest)
    }

    fn markup<'a>(&mut self, text: &'a str) -> Result<&'a str, Refusal> {
        let (letter, rest) = cut_letter(text);
        self.take(letter)?;
        self.state = match self.piece.as_str() {
            "</" => State::Until { end: ">", least: 0 },
            "<?" => State::Until { end: "?>", least: 4 },
            COMMENT => State::Until { end: "-->", least: 7 },
            SECTION => self.begin_section(),
            piece if COMMENT.starts_with(piece) || SECTION.starts_with(piece) => State::Markup,
            piece if piece.starts_with("<!") && letter.starts_with(|letter: char| letter.is_ascii_alphabetic()) => {
                return Err(self.builder.doctype(self.begun_at));
            }
            _ if is_name(letter) => State::Tag { quote: None, values: 0 },
            _ => return Err(self.builder.malformed(self.begun_at, "`<` begins no markup")),
        };
        Ok(rest)
    }

    fn begin_section(&mut self) -> State {
        match self.builder.part() {
            Some(part) if part.may_begin_section() => {
                part.begin_section(self.at.offset);
                self.piece.clear();
                State::Section
            }
            _ => State::Until { end: "]]>", least: 12 },
        }
    }

    fn until<'a>(&mut self, text: &'a str, end: &str, least: usize) -> Result<&'a str, Refusal> {
        let (part, rest) = cut(text, memchr(b'>', text.as_bytes()).map(|at| at + 1));
        self.take(part)?;
        if self.piece.len() >= least && self.piece.ends_with(end) {
            self.end_markup()?;
        }
        Ok(rest)
    }

    fn tag<'a>(&mut self, text: &'a str, quote: Option<u8>, values: usize) -> Result<&'a str, Refusal> {
        let found = match quote {
            Some(quote) => memchr(quote, text.as_bytes()),
            None => memchr3(b'"', b'\'', b'>', text.as_bytes()),
        };
        let (part, rest) = cut(text, found.map(|at| at + 1));
        self.take(part)?;
        match (quote, found.and_then(|at| text.as_bytes().get(at))) {
            (_, None) => {}
            (None, Some(b'>')) => self.end_markup()?,
            (None, Some(quote)) => {
                let quote = Some(*quote);
                self.state = State::Tag { quote, values };
            }
            (Some(_), Some(_)) if values == ATTRIBUTES_MAX => {
                return Err(self.builder.crowded(&self.piece, self.begun_at));
            }
            (Some(_), Some(_)) => {
                let values = values + 1;
                self.state = State::Tag { quote: None, values };
            }
        }
        Ok(rest)
    }

    fn end_markup(&mut self) -> Result<(), Refusal> {
        self.state = match self.builder.markup(&self.piece, self.begun_at)? {
            Next::Text => State::Text,
            Next::Base64 => State::Base64,
        };
        self.piece.clear();
        Ok(())
    }

    fn base64<'a>(&mut self, text: &'a str) -> Result<&'a str, Refusal> {
        let (encoded, rest) = cut(text, memchr(b'<', text.as_bytes()));
        self.pass(encoded);
        if rest.is_empty() {
            Ok(rest)
        } else {
            self.begin_markup(rest)
        }
    }

    fn section<'a>(&mut self, text: &'a str) -> &'a str {
        let (encoded, rest) = cut(text, memchr(b']', text.as_bytes()));
        self.pass(encoded);
        if !rest.is_empty() {
            self.begun_at = self.at;
            self.state = State::SectionEnd;
        }
        rest
    }

    fn section_end<'a>(&mut self, text: &'a str) -> Result<&'a str, Refusal> {
        let (letter, rest) = cut_letter(text);
        self.take(letter)?;
        match (self.piece.as_str(), self.builder.part()) {
            ("]" | "]]", _) => {}
            ("]]>", Some(part)) => {
                part.end_section();
                self.piece.clear();
                self.state = State::Base64;
            }
            // No base64, but well-formed: the rest is read as the section that it is.
            (_, part) => {
                if let Some(part) = part {
                    part.spoil("is a `]`");
                }
                self.piece.insert_str(0, SECTION);
                self.state = State::Until { end: "]]>", least: 12 };
            }
        }
        Ok(rest)
    }

    /// Lets base64 go by.
    fn pass(&mut self, encoded: &str) {
        self.at.advance(encoded);
        if let Some(part) = self.builder.part() {
            part.push(encoded);
        }
    }

    /// Adds to the piece that has begun.
    fn take(&mut self, text: &str) -> Result<(), Refusal> {
        let room = TEXT_BYTES_MAX.saturating_sub(self.piece.len());
        let skeleton_room = SKELETON_BYTES_MAX.saturating_sub(self.skeleton_bytes);
        if text.len() > room.min(skeleton_room) {
            return Err(if skeleton_room < room {
                self.too_large()
            } else {
                self.too_long()
            });
        }
        self.piece.push_str(text);
        self.skeleton_bytes += text.len();
        self.at.advance(text);
        Ok(())
    }

    fn too_long(&self) -> Refusal {
        let what = format!(
            "a text, tag or comment is longer than {TEXT_BYTES_MAX} bytes, at {}",
            self.begun_at
        );
        Refusal::new(
            XML_TEXT_TOO_LONG,
            self.builder.path(),
            what,
            "send long texts as attachments",
        )
    }

    fn too_large(&self) -> Refusal {
        let what = format!("the packet without its attachments is larger than {SKELETON_BYTES_MAX} bytes");
        Refusal::new(PAYLOAD_TOO_LARGE, "/", what, "send long texts as attachments")
    }
}

/// Cuts at this byte, or behind everything.
fn cut(text: &str, at: Option<usize>) -> (&str, &str) {
    at.and_then(|at| text.split_at_checked(at)).unwrap_or((text, ""))
}

fn cut_letter(text: &str) -> (&str, &str) {
    cut(text, text.chars().next().map(char::len_utf8))
}

//! Reads an edXML packet as it streams in: what it says, where its attachments are, and everything wrong with it.
//!
//! Bytes pass the [`charset`] gate, the [`scan`]ner cuts them, base64 goes by through [`part`], and the rest is [`build`]
//! into a small tree. At the end the tree is [`read`] and written as canonical [`json`]. A packet of any size costs a few
//! megabytes. Source: vietnam.md 1; vxp-wire.md 8; exchange.md 1, 5.3.

mod attachments;
mod base64;
mod build;
mod charset;
mod document;
mod findings;
mod from_json;
pub mod header;
mod json;
mod limits;
mod names;
mod part;
mod place;
mod pointer;
mod position;
mod publish;
mod read;
mod reason;
mod scan;
mod spell;
mod status;
#[cfg(test)]
mod tests;
mod tree;
mod write;
mod zip;

use std::io::{self, Read, Seek, Write};
use std::ops::Range;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use charset::Gate;
use header::Header;
use json::Original;
use lgsp_types::{Digest, DocumentDate, Refusal};
use reason::BODY_TOO_LARGE;
use scan::Scanner;
use tree::Tree;

/// What the operator limits; what the format limits is fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest packet, attachments and all.
    pub packet_bytes_max: u64,
}

/// The two kinds of packets, told apart by what their header holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Document,
    Status,
}

impl Kind {
    /// The contract of the canonical JSON.
    #[must_use]
    pub const fn contract(self) -> &'static str {
        match self {
            Self::Document => "vn.lgsp.document/1",
            Self::Status => "vn.lgsp.document-status/1",
        }
    }
}

/// An attachment inside the packet: a part of the original.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Without `cid:`.
    pub content_id: String,
    pub name: String,
    pub description: Option<String>,
    /// `application/octet-stream` where the packet does not say.
    pub media_type: String,
    /// Bytes of the original that hold the base64 text.
    pub range: Range<u64>,
    /// Decoded.
    pub size_bytes: u64,
    /// SHA-256 of the decoded bytes.
    pub digest: Digest,
}

/// A packet that was read and found in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    header: Header,
    parts: Vec<Part>,
    size_bytes: u64,
    digest: Digest,
    json: Bytes,
    tree: Tree,
}

impl Packet {
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The attachments, in the order of the packet.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Size of the original.
    #[must_use]
    pub const fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// SHA-256 of the original.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The payload: canonical JSON, at most `PAYLOAD_MAX_BYTES`.
    #[must_use]
    pub fn json(&self) -> Bytes {
        self.json.clone()
    }

    /// Reads a packet back from its canonical JSON.
    ///
    /// # Errors
    /// Everything that is wrong; at least one.
    pub fn from_json(json: &[u8]) -> Result<Self, Vec<Refusal>> {
        from_json::from_json(json)
    }

    /// Writes the packet as XML anew, for a receiver that cannot have the original bytes; reading it gives this packet
    /// again but for offsets, size and digest. The base64 is copied from `original`, the bytes this packet was read from.
    ///
    /// # Errors
    /// Reading or writing failed, or the original is shorter than the one that was read.
    pub fn write(&self, original: &mut (impl Read + Seek), out: &mut impl Write) -> io::Result<()> {
        write::write(&self.tree, &self.parts, original, out)
    }
}

/// Reads one packet, chunk by chunk, in bounded memory whatever comes.
#[derive(Debug)]
pub struct PacketReader {
    limits: Limits,
    gate: Gate,
    scanner: Scanner,
    sha256: Sha256,
    size_bytes: u64,
    failed: Option<Refusal>,
}

struct Sha256(Context);

impl std::fmt::Debug for Sha256 {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Sha256")
    }
}

impl PacketReader {
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            gate: Gate::default(),
            scanner: Scanner::new(),
            sha256: Sha256(Context::new(&SHA256)),
            size_bytes: 0,
            failed: None,
        }
    }

    /// Takes the next bytes of the packet, split anywhere.
    ///
    /// # Errors
    /// The refusal, as soon as nothing behind it can mend it: stop sending. Whatever is fed later gives it again.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        if let Some(refusal) = &self.failed {
            return Err(refusal.clone());
        }
        let fed = self.take(chunk);
        self.failed = fed.as_ref().err().cloned();
        fed
    }

    fn take(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        let room = usize::try_from(self.limits.packet_bytes_max - self.size_bytes).unwrap_or(usize::MAX);
        let (fits, beyond) = chunk.split_at_checked(room).unwrap_or((chunk, &[]));
        self.sha256.0.update(fits);
        self.size_bytes += fits.len() as u64;
        self.gate.pass(fits, |text| self.scanner.push(text))?;
        if beyond.is_empty() {
            Ok(())
        } else {
            Err(self.too_large())
        }
    }

    /// Ends the packet. `today` is the day in Vietnam, for dates that lie ahead.
    ///
    /// # Errors
    /// Everything that is wrong, as far as it could be read; at least one.
    pub fn finish(self, today: DocumentDate) -> Result<Packet, Vec<Refusal>> {
        if let Some(refusal) = self.failed {
            return Err(vec![refusal]);
        }
        let original = Original {
            size_bytes: self.size_bytes,
            sha256: part::digest(self.sha256.0),
        };
        let whole = self.gate.finish().and_then(|()| self.scanner.finish());
        let (tree, parts) = whole.map_err(|refusal| vec![refusal])?;
        let content = read::read(&tree, &parts, Some(today))?;
        let json = json::payload(&content.header, &content.parts, original, &tree).map_err(|refusal| vec![refusal])?;
        Ok(Packet {
            header: content.header,
            parts: content.parts,
            size_bytes: original.size_bytes,
            digest: original.sha256,
            json,
            tree,
        })
    }

    fn too_large(&self) -> Refusal {
        let what = format!("the packet is larger than {} bytes", self.limits.packet_bytes_max);
        Refusal::new(BODY_TOO_LARGE, "/", what, "send less, or several packets")
    }
}

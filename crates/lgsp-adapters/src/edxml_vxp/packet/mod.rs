//! Reads an edXML packet as it streams in: what it says, where its attachments are, and everything wrong with it.

pub mod header;
mod publish;

use std::ops::Range;

use bytes::Bytes;
use header::Header;
use lgsp_types::{Digest, DocumentDate, ReasonCode, Refusal};

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
}

/// Reads one packet, chunk by chunk, in bounded memory whatever comes.
#[derive(Debug)]
pub struct PacketReader {
    limits: Limits,
    size_bytes: u64,
}

impl PacketReader {
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self { limits, size_bytes: 0 }
    }

    /// Takes the next bytes of the packet, split anywhere.
    ///
    /// # Errors
    /// The refusal, as soon as nothing behind it can mend it: stop sending. Whatever is fed later gives it again.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        self.size_bytes += chunk.len() as u64;
        if self.size_bytes > self.limits.packet_bytes_max {
            return Err(Refusal::new(ReasonCode::new("BODY_TOO_LARGE"), "/", "", ""));
        }
        Ok(())
    }

    /// Ends the packet. `today` is the day in Vietnam, for dates that lie ahead.
    ///
    /// # Errors
    /// Everything that is wrong, as far as it could be read; at least one.
    pub fn finish(self, today: DocumentDate) -> Result<Packet, Vec<Refusal>> {
        let what = format!("not yet built ({today})");
        Err(vec![Refusal::new(ReasonCode::new("XML_MALFORMED"), "/", what, "")])
    }
}

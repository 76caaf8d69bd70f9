//! Writes edXML packets as the vendor's library does, attachments streamed, so that size costs no memory.
//!
//! Source: vxp-wire.md 8.3. Not written: `Signature`, which the library writes into a namespace where nothing verifies.

pub mod attachment;
mod document;
mod status;
mod wrapped;
mod xml;
mod zipped;

use std::io::{self, BufWriter, Write};

use attachment::{Attachment, Base64Lines};
use xml::Xml;

/// An organisation as `From` and `To` carry it; empty fields are left out.
#[derive(Clone, Debug, Default)]
pub struct Organ {
    pub organ_id: String,
    pub in_charge: String,
    pub name: String,
    pub address: String,
    pub email: String,
    pub telephone: String,
    pub fax: String,
    pub website: String,
}

impl Organ {
    /// An organisation with only its code and name.
    #[must_use]
    pub fn new(organ_id: &str, name: &str) -> Self {
        Self {
            organ_id: organ_id.to_owned(),
            name: name.to_owned(),
            ..Self::default()
        }
    }
}

/// What a packet answers.
#[derive(Clone, Debug, Default)]
pub struct ResponseFor {
    pub organ_id: String,
    /// Number and notation, `2451/STTTT-CNTT`.
    pub code: String,
    pub document_id: String,
    /// `yyyy/MM/dd`.
    pub promulgation_date: String,
}

/// The person at the sender's.
#[derive(Clone, Debug, Default)]
pub struct Staff {
    pub department: String,
    pub staff: String,
    pub email: String,
    pub mobile: String,
}

/// Who signed the document.
#[derive(Clone, Debug, Default)]
pub struct Signer {
    pub competence: String,
    pub position: String,
    pub full_name: String,
}

/// What is to be done with the document: new 0, revocation 1, update 2, replacement 3.
#[derive(Clone, Debug, Default)]
pub struct Business {
    pub doc_type: u8,
    pub reason: String,
    /// The document that is revoked, updated or replaced; this one's own id when empty.
    pub document_id: String,
    /// Documents replaced by this one and, for each, the organisations concerned.
    pub replaces: Vec<(String, Vec<String>)>,
    /// Receivers after an update, with their `ReceiverType`.
    pub receivers: Vec<(String, u8)>,
    pub staff: Staff,
}

/// A document with its attachments. All texts are trimmed when written, empty ones left out.
#[derive(Clone, Debug, Default)]
pub struct DocumentPacket {
    pub from: Organ,
    pub to: Vec<Organ>,
    /// `<organ>,<date>,<number>/<notation>` when empty.
    pub document_id: String,
    pub number: String,
    pub notation: String,
    pub place: String,
    /// `yyyy/MM/dd`.
    pub date: String,
    /// Name of the kind of document, e.g. `Công văn`; its `Type` is 1 and its `TypeDetail` 0.
    pub type_name: String,
    pub subject: String,
    /// The subject when empty.
    pub content: String,
    pub signer: Signer,
    /// `yyyy/MM/dd`.
    pub due_date: String,
    pub priority: u8,
    pub page_amount: u32,
    pub response_for: Vec<ResponseFor>,
    pub steering_type: i32,
    pub to_places: Vec<String>,
    pub business: Business,
    /// Organisation and `yyyy/MM/dd HH:mm:ss` of each earlier station.
    pub traces: Vec<(String, String)>,
    pub attachments: Vec<Attachment>,
    pub base64: Base64Lines,
}

impl DocumentPacket {
    /// Writes the packet. Attachments that are files are read while writing (twice, if they are zipped).
    ///
    /// # Errors
    /// The output or the file of an attachment failed; what was written is no packet.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let mut out = BufWriter::with_capacity(64 * 1024, out);
        document::write(self, &mut Xml::new(&mut out))?;
        out.flush()
    }

    /// The id written into the packet.
    #[must_use]
    pub fn id(&self) -> String {
        if self.document_id.is_empty() {
            format!("{},{},{}", self.from.organ_id, self.date, self.code())
        } else {
            self.document_id.clone()
        }
    }

    /// Number and notation as other packets refer to them.
    #[must_use]
    pub fn code(&self) -> String {
        format!("{}/{}", self.number, self.notation)
    }

    /// How a status or an answer refers to this document.
    #[must_use]
    pub fn referred_to(&self) -> ResponseFor {
        ResponseFor {
            organ_id: self.from.organ_id.clone(),
            code: self.code(),
            document_id: self.id(),
            promulgation_date: self.date.clone(),
        }
    }
}

/// A status about a document; its addressee is `response_for.organ_id`.
#[derive(Clone, Debug, Default)]
pub struct StatusPacket {
    pub from: Organ,
    pub response_for: ResponseFor,
    pub staff: Staff,
    /// `01` to `06`, `13`, `15`, `16`.
    pub status_code: String,
    pub description: String,
    /// `yyyy/MM/dd HH:mm:ss`.
    pub timestamp: String,
}

impl StatusPacket {
    /// Writes the packet.
    ///
    /// # Errors
    /// The output failed.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let mut out = BufWriter::new(out);
        status::write(self, &mut Xml::new(&mut out))?;
        out.flush()
    }
}

#[cfg(test)]
mod tests;

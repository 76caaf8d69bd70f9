//! What the header of a packet says, as types: the part of the canonical JSON that people and contracts read.

use lgsp_types::{AgencyCode, DocumentDate, DocumentNumber, DocumentTime, Notation};
use serde::{Serialize, Serializer};

/// The typed header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Header {
    Document(Box<Document>),
    Status(Box<Status>),
}

/// An official document on its way. Texts as written, blanks around codes and dates cut off; absent is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Document {
    /// `MessageHeader/DocumentId`; if it is missing, organ, date and code joined by commas.
    pub id: String,
    #[serde(skip_serializing_if = "Code::is_absent")]
    pub code: Code,
    #[serde(skip_serializing_if = "Promulgation::is_absent")]
    pub promulgation: Promulgation,
    #[serde(rename = "type", skip_serializing_if = "DocumentType::is_absent")]
    pub document_type: DocumentType,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    #[serde(skip_serializing_if = "Signer::is_absent")]
    pub signer: Signer,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<DocumentDate>,
    /// `OtherInfo/Priority`: 0 normal to 4 at a fixed hour, or a word. Source: vietnam.md 1.7.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    #[serde(skip_serializing_if = "OtherInformation::is_absent")]
    pub other: OtherInformation,
    /// An open list: 1 no instruction, 2 an instruction, 3 a report on one. Source: vietnam.md 1.8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steering_type: Option<i32>,
    pub from: Organ,
    pub to: Vec<Organ>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub to_places: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub response_for: Vec<Reference>,
    pub business: Business,
}

/// What a receiver or the sender says of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// `01` to `06`, `13`, `15`, `16`. Source: vietnam.md 1.12.
    pub status_code: String,
    pub response_for: Reference,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "iso_time")]
    pub timestamp: Option<DocumentTime>,
    #[serde(skip_serializing_if = "Staff::is_absent")]
    pub staff: Staff,
    pub from: Organ,
}

fn iso_time<S: Serializer>(time: &Option<DocumentTime>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serializer.serialize_str(&format!(
            "{}+07:00",
            time.to_string().replace('/', "-").replace(' ', "T")
        )),
        None => serializer.serialize_none(),
    }
}

macro_rules! absent_when_default {
    ($($type:ident),+) => {$(
        impl $type {
            fn is_absent(&self) -> bool {
                *self == Self::default()
            }
        }
    )+};
}
absent_when_default!(Code, Promulgation, DocumentType, Signer, OtherInformation, Staff);

/// Number and notation; `N/A`, which some vendors fill in, is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Code {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<DocumentNumber>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notation: Option<Notation>,
}

/// Where and when the document was issued.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Promulgation {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<DocumentDate>,
}

/// Kind of document: the name is trusted over the number, which two lists share. Source: vietnam.md 1.6.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DocumentType {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Who signed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Signer {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub competence: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full_name: Option<String>,
}

/// The rest of `OtherInfo`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OtherInformation {
    /// `SphereOfPromulgation`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sphere: Option<String>,
    /// `TyperNotation`: initials of who typed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub typist: Option<String>,
    /// `PromulgationAmount`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copies: Option<String>,
    /// `PageAmount`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pages: Option<String>,
    /// `Direction`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub appendixes: Vec<String>,
}

/// An organisation as the packet names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Organ {
    /// `OrganId`.
    pub code: AgencyCode,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_charge: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telephone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fax: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub website: Option<String>,
    /// Where the code stands in the packet.
    #[serde(skip)]
    pub path: String,
}

/// A document that a packet answers or reports on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reference {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organ: Option<AgencyCode>,
    /// Number and notation joined, as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<DocumentDate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Where the organ stands, or should stand, in the packet.
    #[serde(skip)]
    pub organ_path: String,
}

/// What the packet does. Source: vietnam.md 1.4, 1.5.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Business {
    /// 0 new, 1 revocation, 2 update, 3 replacement; 0 where the packet does not say.
    pub kind: u8,
    /// The document acted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// `1`: a paper copy is sent too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paper: Option<String>,
    /// Receivers that an update adds or drops.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub receivers: Vec<Receiver>,
    /// What a replacement replaces.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub replaces: Vec<Replaced>,
    #[serde(skip_serializing_if = "Staff::is_absent")]
    pub staff: Staff,
}

/// One receiver of an update.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Receiver {
    pub organ: AgencyCode,
    /// `ReceiverType`: `0` dropped, `1` added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
}

/// One document replaced, and for whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Replaced {
    pub document_id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub organs: Vec<AgencyCode>,
}

/// The clerk to turn to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Staff {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub staff: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mobile: Option<String>,
}

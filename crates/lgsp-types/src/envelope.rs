//! A message on its way in: what an adapter asks the exchange to publish, and what the exchange makes of it.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{AgencyCode, AgencyId, Digest, DocumentDate, SystemId};

/// Largest payload in bytes; more travels as an object. Source: exchange.md section 1.
pub const PAYLOAD_MAX_BYTES: usize = 256 * 1024;
/// Most addressees of one message. Source: exchange.md section 1.
pub const ADDRESSEES_MAX: usize = 200;
/// Most attachments and parts of one message. Source: exchange.md section 1.
pub const ATTACHMENTS_MAX: usize = 200;
/// Longest order key, idempotency key and case number, in bytes.
pub const KEY_MAX_BYTES: usize = 512;

/// A contract and its version, e.g. `vn.lgsp.document/1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContractRef {
    name: String,
    version: u32,
}

/// Why a text names no contract; write `name/version`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("is not a contract's name and version, as in `vn.lgsp.document/1`")]
pub struct ContractRefError;

impl ContractRef {
    /// Reads `name/version`: 1 to 64 of `a-z 0-9 - .`, then a version of 1 to 9999 without leading zeros.
    ///
    /// # Errors
    /// [`ContractRefError`].
    pub fn parse(text: &str) -> Result<Self, ContractRefError> {
        let (name, version) = text.split_once('/').ok_or(ContractRefError)?;
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
        crate::system::check_name(name, letter).map_err(|_| ContractRefError)?;
        let number: u32 = version.parse().map_err(|_| ContractRefError)?;
        if !(1..=9999).contains(&number) || number.to_string() != version {
            return Err(ContractRefError);
        }
        Ok(Self {
            name: name.to_owned(),
            version: number,
        })
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }
}

impl fmt::Display for ContractRef {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.name, self.version)
    }
}

impl TryFrom<String> for ContractRef {
    type Error = ContractRefError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<ContractRef> for String {
    fn from(contract: ContractRef) -> Self {
        contract.to_string()
    }
}

/// An agency code as the sender wrote it, and where, so that a refusal can point there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub code: AgencyCode,
    /// The exact place in what the sender sent, e.g. `/edXML/edXMLEnvelope/edXMLHeader/MessageHeader/To[2]/OrganId`.
    pub path: String,
}

/// What an object is to its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The very bytes of a record that came in a format of its own; at most one, and always the first.
    Original,
    /// A file beside the payload.
    Attachment,
}

/// One object of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    pub role: Role,
    /// As the sender wrote it, at most 255 bytes; never a path of ours.
    pub name: String,
    /// E.g. `application/pdf`, at most 127 bytes.
    pub media_type: String,
    pub size_bytes: u64,
    pub digest: Digest,
}

/// What a document reference says about this message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Relation {
    /// The message *is* this document.
    Is,
    /// It answers or reports on this document (`ResponseFor`).
    About,
    /// It acts on this document: revokes, updates (`Bussiness`).
    ActsOn,
    /// It replaces this document.
    Replaces,
}

/// A document as messages refer to it; texts as written, each at most 255 bytes, empty where absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentRef {
    pub relation: Relation,
    /// edXML `DocumentId`.
    pub id: String,
    /// Code of the agency that issued it.
    pub organ: String,
    /// Number and notation joined, `2451/STTTT-CNTT`.
    pub code: String,
    /// `yyyy/MM/dd`.
    pub date: String,
}

/// What an adapter asks the exchange to publish: read, bounded and checked for form, nothing more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    pub contract: ContractRef,
    pub from: Written,
    /// 1 to [`ADDRESSEES_MAX`], as written, repeats allowed.
    pub to: Vec<Written>,
    /// Code of the purpose, empty where the contract asks for none.
    pub purpose: String,
    /// Messages of one sender and order key are one sequence; the idempotency key where the sender gave none.
    pub order_key: String,
    pub idempotency_key: String,
    /// Number of the case this belongs to, empty if none; facts hold only its tag.
    pub case: String,
    /// The day that decides what a code means; none: the day of acceptance (exchange.md section 3).
    pub codes_as_of: Option<DocumentDate>,
    pub documents: Vec<DocumentRef>,
    /// What the message does to its document: a packet's kind `0` to `3`, or a status `01` to `16`.
    pub act: String,
    pub due: Option<DocumentDate>,
    /// JSON by contract, at most [`PAYLOAD_MAX_BYTES`].
    pub payload: Bytes,
    /// Finished uploads of this caller; the original first.
    pub objects: Vec<Staged>,
}

/// A finished upload: the object under its staging name, hashed while it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staged {
    /// Random, made by the exchange.
    pub staging: String,
    pub attachment: Attachment,
}

/// An agency in a message: its permanent id and the public code it has on the message's date.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Party {
    pub agency: AgencyId,
    pub code: AgencyCode,
}

/// A message that was let in: who sends what to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    pub contract: ContractRef,
    pub sender: Party,
    pub system: SystemId,
    /// De-duplicated by agency, in the sender's order.
    pub addressees: Vec<Party>,
    pub purpose: String,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_contract_is_named_with_its_version() {
        let contract = ContractRef::parse("vn.lgsp.document/1").unwrap();
        assert_eq!((contract.name(), contract.version()), ("vn.lgsp.document", 1));
        for bad in [
            "vn.lgsp.document",
            "a/0",
            "a/01",
            "a/+1",
            "a/10000",
            "A/1",
            "../a/1",
            "a/1/2",
            "/1",
            "",
        ] {
            assert!(ContractRef::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_contract_reads_back_as_written(text in "[a-z.]{1,9}/[0-9]{1,5}|.{0,20}") {
            if let Ok(contract) = ContractRef::parse(&text) {
                prop_assert_eq!(contract.to_string(), text);
            }
        }
    }
}

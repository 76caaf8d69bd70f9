//! What a sendEdoc says of its packet, in signed parameters, and the message the two make together.
//!
//! Source: exchange.md 5.1; vxp-wire.md 3.4, 5.

use lgsp_types::{
    ADDRESSEES_MAX, AgencyCode, AgencyCodeError, ContractRef, Digest, DocumentDate, KEY_MAX_BYTES, Publish, Refusal,
    Upload, Written,
};

use super::intake::Received;
use super::reason::{FIELD_MISSING, Failure, HASH_MISMATCH, PARAMETER_INVALID, Record, TOO_MANY_ADDRESSEES};
use super::signed::{self, Signed};
use crate::edxml_vxp::packet::{Kind, Packet};

/// What the call says of the packet.
#[derive(Debug)]
pub(super) struct Asked {
    kind: Kind,
    pub(super) from: AgencyCode,
    /// Empty: the packet says it.
    to: Vec<Written>,
    hash_file: String,
}

impl Asked {
    /// Reads the parameters of the call; all that are wrong are named.
    pub(super) fn read(signed: &Signed) -> Result<Self, Failure> {
        let mut wrong = Vec::new();
        let kind = kept(kind_of(signed), &mut wrong);
        let from = kept(from_of(signed), &mut wrong);
        let to = kept(to_of(signed), &mut wrong);
        let hash_file = kept(
            signed.required("hash-file").map_err(|refusal| vec![refusal]),
            &mut wrong,
        );
        match (kind, from, to, hash_file) {
            (Some(kind), Some(from), Some(to), Some(hash_file)) => Ok(Self {
                kind,
                from,
                to,
                hash_file: hash_file.to_owned(),
            }),
            _ => Err(Failure {
                refusals: wrong,
                record: Record::Signed,
            }),
        }
    }

    /// The packet that came in, if it is the one that was signed, and in order.
    pub(super) fn checked(
        &self,
        received: Received,
        today: DocumentDate,
    ) -> Result<(Packet, Box<dyn Upload>), Vec<Refusal>> {
        if !is_hash_of(&self.hash_file, received.digest) {
            return Err(vec![Refusal::new(
                HASH_MISMATCH,
                signed::path("hash-file"),
                "the body has another SHA-256",
                "send the file that was hashed, with CR LF behind it",
            )]);
        }
        let packet = received.reader.finish(today)?;
        let upload = received.stored.map_err(|refusal| vec![refusal])?;
        if packet.kind() != self.kind {
            return Err(vec![other_kind(self.kind)]);
        }
        Ok((packet, upload))
    }

    /// None if the contract's name is none, which a test rules out.
    pub(super) fn publish(&self, packet: &Packet) -> Option<Publish> {
        let to = if self.to.is_empty() {
            packet.to()
        } else {
            self.to.clone()
        };
        let idempotency_key = idempotency_key(self.kind, packet.digest(), &to);
        Some(Publish {
            contract: ContractRef::parse(packet.kind().contract()).ok()?,
            from: packet.from(),
            to,
            purpose: String::new(),
            order_key: Some(packet.order_key())
                .filter(|key| !key.is_empty())
                .unwrap_or_else(|| idempotency_key.clone()),
            idempotency_key,
            case: String::new(),
            codes_as_of: packet.codes_as_of(),
            documents: packet.documents(),
            act: packet.act(),
            due: packet.due(),
            payload: packet.json(),
            objects: Vec::new(),
        })
    }
}

/// The value; or none, and what is wrong with it is noted.
fn kept<T>(read: Result<T, Vec<Refusal>>, wrong: &mut Vec<Refusal>) -> Option<T> {
    read.map_err(|refusals| wrong.extend(refusals)).ok()
}

/// A packet of one kind that was sent as the other.
fn other_kind(asked: Kind) -> Refusal {
    let (missing, mend) = match asked {
        Kind::Document => ("To", "send a status with messagetype status"),
        Kind::Status => ("StatusCode", "send a document with messagetype edoc"),
    };
    let path = format!("/edXML/edXMLEnvelope/edXMLHeader/MessageHeader/{missing}");
    Refusal::new(FIELD_MISSING, path, "the packet is of the other kind", mend)
}

pub(super) const fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Document => "edoc",
        Kind::Status => "status",
    }
}

/// Which of the two kinds of packets a call is about.
pub(super) fn kind_of(signed: &Signed) -> Result<Kind, Vec<Refusal>> {
    let written = signed.required("messagetype").map_err(|refusal| vec![refusal])?;
    [Kind::Document, Kind::Status]
        .into_iter()
        .find(|kind| word(*kind) == written)
        .ok_or_else(|| {
            vec![Refusal::new(
                PARAMETER_INVALID,
                signed::path("messagetype"),
                "is neither `edoc` nor `status`",
                "write one of the two",
            )]
        })
}

fn from_of(signed: &Signed) -> Result<AgencyCode, Vec<Refusal>> {
    let written = signed.required("from").map_err(|refusal| vec![refusal])?;
    AgencyCode::parse(written).map_err(|error| vec![no_code("from", &error)])
}

fn no_code(name: &str, error: &AgencyCodeError) -> Refusal {
    Refusal::new(
        PARAMETER_INVALID,
        signed::path(name),
        error.to_string(),
        "write the agency's code",
    )
}

/// `to` is JSON text: a list of codes, or one code in quotes; where there is none the packet says it.
fn to_of(signed: &Signed) -> Result<Vec<Written>, Vec<Refusal>> {
    let Some(written) = signed.get("to") else {
        return Ok(Vec::new());
    };
    let path = signed::path("to");
    let codes: Vec<String> = serde_json::from_str(written)
        .or_else(|_| serde_json::from_str::<String>(written).map(|code| vec![code]))
        .unwrap_or_default();
    if codes.is_empty() {
        let what = "is neither a JSON list of codes nor one code in quotes";
        return Err(vec![Refusal::new(
            PARAMETER_INVALID,
            path,
            what,
            "write [\"<code>\", ...], or leave it out",
        )]);
    }
    if codes.len() > ADDRESSEES_MAX {
        let what = format!("{} addressees are more than {ADDRESSEES_MAX}", codes.len());
        return Err(vec![Refusal::new(
            TOO_MANY_ADDRESSEES,
            path,
            what,
            "send it in several calls",
        )]);
    }
    let mut to = Vec::new();
    let mut wrong = Vec::new();
    for code in &codes {
        match AgencyCode::parse(code) {
            Ok(code) => to.push(Written {
                code,
                path: path.clone(),
            }),
            Err(error) => wrong.push(no_code("to", &error)),
        }
    }
    if wrong.is_empty() { Ok(to) } else { Err(wrong) }
}

/// The vendor's hash has one digit for a byte below 0x10; the usual form is taken too. Source: vxp-wire.md 3.4.
fn is_hash_of(written: &str, digest: Digest) -> bool {
    let unpadded: String = digest.as_bytes().iter().map(|byte| format!("{byte:x}")).collect();
    written.eq_ignore_ascii_case(&unpadded) || written.eq_ignore_ascii_case(&digest.to_string())
}

/// The same packet to the same addressees is the same message, always. What is computed here is stored for ever.
///
/// `edoc:<SHA-256>:<codes>`, the codes as written, sorted, each once, joined by commas; a list that makes the key
/// longer than [`KEY_MAX_BYTES`] is `#` and its SHA-256 instead, which no code begins with.
/// Source: exchange.md 5.1.
fn idempotency_key(kind: Kind, packet: Digest, to: &[Written]) -> String {
    let mut codes: Vec<&str> = to.iter().map(|written| written.code.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    let codes = codes.join(",");
    let kind = word(kind);
    let key = format!("{kind}:{packet}:{codes}");
    if key.len() <= KEY_MAX_BYTES {
        return key;
    }
    format!("{kind}:{packet}:#{}", Digest::of(codes.as_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn to(codes: &[&str]) -> Vec<Written> {
        let written = |code: &&str| Written {
            code: AgencyCode::parse(code).unwrap(),
            path: String::new(),
        };
        codes.iter().map(written).collect()
    }

    /// A failure here means that every packet sent before would be taken for a new one when it is sent again.
    #[test]
    fn idempotency_keys_are_the_same_for_ever() {
        let packet = Digest::of(b"x");
        let hex = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
        assert_eq!(
            idempotency_key(Kind::Document, packet, &to(&["H62.14", "H62", "H62.14"])),
            format!("edoc:{hex}:H62,H62.14")
        );
        assert_eq!(
            idempotency_key(Kind::Status, packet, &to(&["000.00.11.H62"])),
            format!("status:{hex}:000.00.11.H62")
        );
        let many: Vec<String> = (0..100).map(|at| format!("H62.{at}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(
            idempotency_key(Kind::Document, packet, &to(&many)),
            format!("edoc:{hex}:#cd7a67d898177465c18cf3e20e1a2722af3f5a92416a1ea86129f9fd0f411d64")
        );
    }

    #[test]
    fn both_forms_of_the_file_hash_are_taken_and_no_other() {
        let digest = Digest::of(b"x");
        let unpadded = "2d711642b726b0441627ca9fbac32f5c853fb1903cc4db2258717921a4881";
        assert!(is_hash_of(unpadded, digest) && is_hash_of(&digest.to_string(), digest));
        assert!(!is_hash_of("", digest) && !is_hash_of(&unpadded[1..], digest));
        assert!(!is_hash_of(unpadded, Digest::of(b"y")));
    }

    proptest! {
        #[test]
        fn a_key_fits_and_knows_no_order(mut codes in prop::collection::vec("H[0-9]{2}(\\.[0-9]{1,5}){0,3}", 1..60)) {
            let key = |codes: &[String]| {
                let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
                idempotency_key(Kind::Document, Digest::of(b""), &to(&codes))
            };
            let before = key(&codes);
            prop_assert!(before.len() <= KEY_MAX_BYTES && before.bytes().all(|byte| byte.is_ascii_graphic()));
            codes.reverse();
            codes.push(codes[0].clone());
            prop_assert_eq!(key(&codes), before);
        }
    }
}

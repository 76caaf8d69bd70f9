//! sendEdoc: one packet comes in, is checked against what was signed, and is published.
//!
//! Source: exchange.md 5.1; vxp-wire.md 6.2.

use std::sync::Arc;

use hyper::body::{Body as _, Incoming};
use lgsp_types::{
    ADDRESSEES_MAX, AgencyCode, ContractRef, Digest, KEY_MAX_BYTES, Publish, PublishError, Receipt, Refusal, Role,
    Upload, UploadError, Written,
};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tracing::info;

use super::answer::{self, Answer};
use super::call::{Facade, Proven, not_now};
use super::intake::{self, Bounds, Received, not_stored};
use super::reason::{
    BUSY, Failure, HASH_MISMATCH, KEY_CONFLICT, OUTCOME_UNKNOWN, PARAMETER_INVALID, Record, TOO_MANY_ADDRESSEES,
};
use super::signed::{self, Signed};
use super::trace::Trace;
use crate::edxml_vxp::packet::{Kind, Packet};

/// How the original is called among a message's objects: a packet has no name of its own.
const ORIGINAL_NAME: &str = "edoc.edxml";
const ORIGINAL_MEDIA_TYPE: &str = "application/xml";

/// What the call says of the packet.
#[derive(Debug)]
struct Asked {
    kind: Kind,
    /// None: the packet says it.
    from: Option<AgencyCode>,
    /// Empty: the packet says it.
    to: Vec<Written>,
    hash_file: String,
}

impl Facade {
    pub(super) async fn send(&self, proven: &Proven, body: &mut Incoming, trace: &Trace) -> Result<Answer, Failure> {
        let bounds = Bounds {
            packet_max_bytes: self.settings.body_max_bytes,
            store_timeout: self.settings.answer_timeout(),
        };
        let asked = Asked::read(&proven.signed)?;
        if body
            .size_hint()
            .exact()
            .is_some_and(|body_bytes| bounds.is_over(body_bytes))
        {
            return Err(bounds.too_large());
        }
        let Ok(room) = Arc::clone(&self.sends).try_acquire_owned() else {
            return Err(Failure::again(BUSY, "too many packets are coming in"));
        };
        let upload = self.begin_upload(proven, bounds).await?;
        let received = intake::receive(body, upload, bounds).await?;
        let content = received.digest;
        let refused = |refusals| Failure {
            refusals,
            record: Record::Body(content),
        };
        let (packet, upload) = asked.checked(received, self.today()).map_err(refused)?;
        self.check_sender(&asked, &packet)
            .map_err(|refusal| refused(vec![refusal]))?;
        let publish = asked.publish(&packet).ok_or_else(Failure::unavailable)?;
        let receipt = self
            .publish(proven, upload, publish, room, bounds)
            .await
            .map_err(|error| match error {
                Unpublished::Told(failure) => failure,
                Unpublished::Conflict => refused(vec![Refusal::new(
                    KEY_CONFLICT,
                    "/",
                    "this packet was sent before, and stands for another message",
                    "send the packet of the message",
                )]),
            })?;
        trace.message(receipt.msg_id);
        info!(parent: trace.span(), repeat = receipt.repeat, "accepted");
        Ok(Answer::json(answer::sent(&receipt.msg_id.to_string())))
    }

    async fn begin_upload(&self, proven: &Proven, bounds: Bounds) -> Result<Box<dyn Upload>, Failure> {
        match timeout(bounds.store_timeout, self.exchange.upload(&proven.caller)).await {
            Ok(begun) => begun.map_err(|error| not_stored(&error, bounds)),
            Err(_) => Err(Failure::unavailable()),
        }
    }

    /// The sender that the call names is the packet's: the same code, or two codes of one agency.
    fn check_sender(&self, asked: &Asked, packet: &Packet) -> Result<(), Refusal> {
        let written = packet.from();
        let Some(from) = asked.from.as_ref().filter(|from| **from != written.code) else {
            return Ok(());
        };
        let names = |view: &lgsp_types::AgencyView, code: &AgencyCode| {
            view.code.as_ref() == Some(code) || view.old_code.as_ref() == Some(code)
        };
        let agencies = self.exchange.agencies(self.today());
        if agencies
            .iter()
            .any(|view| names(view, from) && names(view, &written.code))
        {
            return Ok(());
        }
        Err(Refusal::new(
            PARAMETER_INVALID,
            signed::path("from"),
            format!("the call is from {from}, the packet from {}", written.code),
            format!("name one sender in both; the packet's stands at {}", written.path),
        ))
    }

    /// From here on nothing stops half way when the caller goes away.
    async fn publish(
        &self,
        proven: &Proven,
        upload: Box<dyn Upload>,
        mut publish: Publish,
        room: OwnedSemaphorePermit,
        bounds: Bounds,
    ) -> Result<Receipt, Unpublished> {
        let exchange = Arc::clone(&self.exchange);
        let caller = proven.caller.clone();
        let published = self
            .ask(async move {
                let _room = room;
                let staged = upload
                    .finish(ORIGINAL_NAME, ORIGINAL_MEDIA_TYPE, Role::Original)
                    .await?;
                publish.objects.push(staged);
                Ok(exchange.publish(&caller, publish).await)
            })
            .await;
        match published.map_err(Unpublished::Told)? {
            Ok(Ok(receipt)) => Ok(receipt),
            Ok(Err(error)) => Err(Unpublished::from(error)),
            Err::<_, UploadError>(error) => Err(Unpublished::Told(not_stored(&error, bounds))),
        }
    }
}

/// Why there is no receipt.
enum Unpublished {
    Told(Failure),
    Conflict,
}

impl From<PublishError> for Unpublished {
    fn from(error: PublishError) -> Self {
        Self::Told(match error {
            PublishError::Conflict { .. } => return Self::Conflict,
            PublishError::Refused(refusals) if !refusals.is_empty() => Failure {
                refusals,
                record: Record::No,
            },
            PublishError::Refused(_) => Failure::unavailable(),
            PublishError::Busy => Failure::again(BUSY, "the exchange cannot accept now"),
            PublishError::Unknown => Failure::again(OUTCOME_UNKNOWN, "it is not known whether it was accepted"),
            PublishError::Unavailable(unavailable) => not_now(&unavailable),
        })
    }
}

impl Asked {
    /// Reads the parameters of the call; all that are wrong are named.
    fn read(signed: &Signed) -> Result<Self, Failure> {
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
    fn checked(
        &self,
        received: Received,
        today: lgsp_types::DocumentDate,
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
            return Err(vec![Refusal::new(
                PARAMETER_INVALID,
                signed::path("messagetype"),
                "the packet is of the other kind",
                "send documents as edoc and statuses as status",
            )]);
        }
        Ok((packet, upload))
    }

    /// None if the contract's name is none, which a test rules out.
    fn publish(&self, packet: &Packet) -> Option<Publish> {
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

fn from_of(signed: &Signed) -> Result<Option<AgencyCode>, Vec<Refusal>> {
    let Some(written) = signed.get("from").filter(|written| !written.is_empty()) else {
        return Ok(None);
    };
    let code = AgencyCode::parse(written);
    code.map(Some)
        .map_err(|error| vec![no_code(signed::path("from"), &error)])
}

fn no_code(path: String, error: &lgsp_types::AgencyCodeError) -> Refusal {
    Refusal::new(PARAMETER_INVALID, path, error.to_string(), "write the agency's code")
}

/// `to` is JSON text: a list of codes, or one code in quotes; an empty one leaves it to the packet.
fn to_of(signed: &Signed) -> Result<Vec<Written>, Vec<Refusal>> {
    let Some(written) = signed.get("to").filter(|written| !written.trim().is_empty()) else {
        return Ok(Vec::new());
    };
    let path = signed::path("to");
    let codes: Vec<String> = serde_json::from_str(written)
        .or_else(|_| serde_json::from_str::<String>(written).map(|code| vec![code]))
        .map_err(|_| {
            let what = "is neither a JSON list of codes nor one code in quotes";
            vec![Refusal::new(
                PARAMETER_INVALID,
                path.clone(),
                what,
                "write [\"<code>\", ...]",
            )]
        })?;
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
    for (at, code) in codes
        .iter()
        .enumerate()
        .filter(|(_, code)| codes.len() > 1 || !code.is_empty())
    {
        let path = format!("{path}[{}]", at + 1);
        match AgencyCode::parse(code) {
            Ok(code) => to.push(Written { code, path }),
            Err(error) => wrong.push(no_code(path, &error)),
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

//! What clients send, well and badly; and that what we write is what they read.

use lgsp_types::{
    AgencyId, Attachment, Digest, DocumentRef, LedgerPosition, Mark, MsgId, OpenDelivery, OrderKey, Outcome, Receipt,
    Refusal, Relation, Role, SystemId, UnixMs,
};
use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::{write_attachment, write_mark, write_receipt, write_summary};

fn message() -> v1::Message {
    v1::Message {
        contract: String::from("vn.lgsp.document/1"),
        from: String::from("H62.11"),
        to: vec![String::from("000.00.12.H62"), String::from("H62.13")],
        idempotency_key: String::from("1204-SKHCN"),
        codes_as_of: String::from("2025-06-30"),
        documents: vec![v1::DocumentReference {
            relation: WireRelation::Is.into(),
            code: String::from("1204/SKHCN-CĐS"),
            date: String::from("2025-06-30"),
            ..Default::default()
        }],
        act: String::from("0"),
        payload: Bytes::from_static(b"{}"),
        attachments: vec![v1::Upload {
            handle: String::from("a-b"),
        }],
        ..Default::default()
    }
}

/// Codes and paths of what is wrong with a message.
fn wrong(change: impl FnOnce(&mut v1::Message)) -> Vec<(String, String)> {
    let mut message = message();
    change(&mut message);
    told(read_message(Some(message), "message").unwrap_err())
}

fn told(refusals: Vec<Refusal>) -> Vec<(String, String)> {
    let told = refusals.into_iter();
    told.map(|refusal| {
        assert!(refusal.vietnamese().is_some(), "{refusal}");
        (refusal.code.to_string(), refusal.path)
    })
    .collect()
}

fn one(code: &str, path: &str) -> Vec<(String, String)> {
    vec![(code.to_owned(), path.to_owned())]
}

#[test]
fn a_message_is_read_as_it_was_meant() {
    let sent = read_message(Some(message()), "message").unwrap();
    assert_eq!(sent.uploads, ["a-b"]);
    assert_eq!(sent.publish.to[1].path, "message.to[1]");
    assert_eq!(sent.publish.codes_as_of.unwrap().iso_text(), "2025-06-30");
    let document = DocumentRef {
        relation: Relation::Is,
        id: String::new(),
        organ: String::new(),
        code: String::from("1204/SKHCN-CĐS"),
        date: String::from("2025/06/30"),
    };
    assert_eq!(sent.publish.documents, [document]);
    assert!(sent.publish.objects.is_empty() && sent.publish.due.is_none());
}

#[test]
fn an_absent_message_and_an_empty_one_say_what_they_lack() {
    assert_eq!(
        told(read_message(None, "message").unwrap_err()),
        one("FIELD_MISSING", "message")
    );
    let empty = told(read_message(Some(v1::Message::default()), "message").unwrap_err());
    let paths: Vec<&str> = empty.iter().map(|(_, path)| path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "message.to",
            "message.idempotency_key",
            "message.contract",
            "message.from"
        ]
    );
}

#[test]
fn each_wrong_field_is_named() {
    let code = "message.from";
    assert_eq!(
        wrong(|message| message.from = String::from("h62 ")),
        one("FIELD_INVALID", code)
    );
    let addressee = wrong(|message| message.to[1].clear());
    assert_eq!(addressee, one("FIELD_INVALID", "message.to[1]"));
    let contract = wrong(|message| message.contract = String::from("vn.lgsp.document"));
    assert_eq!(contract, one("FIELD_INVALID", "message.contract"));
    let day = wrong(|message| message.due = String::from("2025-02-30"));
    assert_eq!(day, one("FIELD_INVALID", "message.due"));
    let day = wrong(|message| message.documents[0].date = String::from("30/06/2025"));
    assert_eq!(day, one("FIELD_INVALID", "message.documents[0].date"));
    let relation = wrong(|message| message.documents[0].relation = 77);
    assert_eq!(relation, one("FIELD_MISSING", "message.documents[0].relation"));
    let trace = wrong(|message| message.traceparent = String::from("00-zz"));
    assert_eq!(trace, one("FIELD_INVALID", "message.traceparent"));
    let handle = wrong(|message| message.attachments[0].handle.clear());
    assert_eq!(handle, one("FIELD_INVALID", "message.attachments[0].handle"));
}

#[test]
fn what_is_too_long_or_too_many_is_refused_at_its_bound() {
    let many = wrong(|message| message.to = vec![String::from("H62.13"); ADDRESSEES_MAX + 1]);
    assert_eq!(many, one("TOO_MANY_ADDRESSEES", "message.to"));
    let many = wrong(|message| message.attachments = vec![message.attachments[0].clone(); ATTACHMENTS_MAX + 1]);
    assert_eq!(many, one("TOO_MANY_ATTACHMENTS", "message.attachments"));
    let many = wrong(|message| message.documents = vec![message.documents[0].clone(); DOCUMENTS_MAX + 1]);
    assert_eq!(many, one("TOO_MANY_DOCUMENTS", "message.documents"));
    let long = wrong(|message| message.order_key = "k".repeat(KEY_MAX_BYTES + 1));
    assert_eq!(long, one("FIELD_TOO_LONG", "message.order_key"));
    let large = wrong(|message| message.payload = vec![b' '; PAYLOAD_MAX_BYTES + 1].into());
    assert_eq!(large, one("PAYLOAD_TOO_LARGE", "message.payload"));
    let mut most = message();
    most.to = vec![String::from("H62.13"); ADDRESSEES_MAX];
    most.order_key = "k".repeat(KEY_MAX_BYTES);
    most.payload = vec![b' '; PAYLOAD_MAX_BYTES].into();
    assert!(read_message(Some(most), "message").is_ok());
}

#[test]
fn a_receivers_word_is_one_of_three() {
    let id = DeliveryId::from_bytes([7; 16]);
    let request = |outcome| v1::AcknowledgeDeliveryRequest {
        delivery_id: id.to_string(),
        outcome,
        evidence: Bytes::from_static(b"seen"),
    };
    let delivered = WireOutcome::Delivered(v1::acknowledge_delivery_request::Delivered {});
    let (read, outcome, evidence) = read_outcome(request(Some(delivered)), "").unwrap();
    assert_eq!(
        (read, outcome, &evidence.signed[..]),
        (id, Outcome::Delivered, &b"seen"[..])
    );
    let failed = |reason: &str| {
        let reason = reason.to_owned();
        WireOutcome::Failed(v1::acknowledge_delivery_request::Failed { reason })
    };
    let (_, outcome, _) = read_outcome(request(Some(failed("NO_ROOM"))), "").unwrap();
    assert_eq!(outcome, Outcome::Failed(ReasonCode::new("NO_ROOM")));
    let bad = |outcome| told(read_outcome(request(outcome), "").unwrap_err());
    assert_eq!(bad(Some(failed("no room"))), one("FIELD_INVALID", "failed.reason"));
    assert_eq!(bad(Some(WireOutcome::Mark(0))), one("FIELD_INVALID", "mark"));
    assert_eq!(bad(Some(WireOutcome::Mark(99))), one("FIELD_INVALID", "mark"));
    assert_eq!(bad(None), one("FIELD_MISSING", "outcome"));
    for mark in [
        Mark::Initial,
        Mark::Inbox,
        Mark::Processing,
        Mark::Acceptance,
        Mark::Rejection,
    ] {
        let (_, outcome, _) = read_outcome(request(Some(WireOutcome::Mark(write_mark(mark).into()))), "").unwrap();
        assert_eq!(outcome, Outcome::Mark(mark));
    }
}

#[test]
fn a_word_within_a_stream_is_named_with_its_place_there() {
    let refusals = read_outcome(v1::AcknowledgeDeliveryRequest::default(), "acknowledge").unwrap_err();
    let paths: Vec<String> = refusals.into_iter().map(|refusal| refusal.path).collect();
    assert_eq!(paths, ["acknowledge.delivery_id", "acknowledge.outcome"]);
    let long = read_contract_name("c".repeat(65), "begin.contract").unwrap_err();
    assert_eq!(long.path, "begin.contract");
}

#[test]
fn an_upload_says_what_it_is_before_it_comes() {
    let start = |change: &dyn Fn(&mut v1::upload_attachment_request::Start)| {
        let mut start = v1::upload_attachment_request::Start {
            name: String::from("Công văn.pdf"),
            media_type: String::from("application/pdf"),
            sha256: Bytes::from(vec![7; 32]),
            role: WireRole::Attachment.into(),
        };
        change(&mut start);
        read_upload_start(start)
    };
    let read = start(&|_| {}).unwrap();
    assert_eq!(
        (read.role, read.digest),
        (Role::Attachment, Some(Digest::from_bytes([7; 32])))
    );
    assert_eq!(start(&|start| start.sha256.clear()).unwrap().digest, None);
    let bad = |change: &dyn Fn(&mut v1::upload_attachment_request::Start)| told(start(change).unwrap_err());
    assert_eq!(
        bad(&|start| start.sha256.truncate(31)),
        one("FIELD_INVALID", "start.sha256")
    );
    assert_eq!(bad(&|start| start.role = 9), one("FIELD_MISSING", "start.role"));
    assert_eq!(bad(&|start| start.name.clear()), one("FIELD_MISSING", "start.name"));
    assert_eq!(
        bad(&|start| start.name = "a".repeat(256)),
        one("FIELD_TOO_LONG", "start.name")
    );
    assert_eq!(
        bad(&|start| start.media_type = "a".repeat(128)),
        one("FIELD_TOO_LONG", "start.media_type")
    );
}

#[test]
fn a_list_has_a_usual_length_and_a_longest() {
    let request = |page_size, after: &str| v1::ListDeliveriesRequest {
        page_size,
        after: after.to_owned(),
        ..Default::default()
    };
    let query = read_list_query(request(0, "")).unwrap();
    assert_eq!((query.limit, query.after, query.contract), (100, None, None));
    assert_eq!(read_list_query(request(1000, "")).unwrap().limit, 1000);
    assert_eq!(
        told(read_list_query(request(1001, "")).unwrap_err()),
        one("FIELD_INVALID", "page_size")
    );
    assert_eq!(
        told(read_list_query(request(1, "7")).unwrap_err()),
        one("FIELD_INVALID", "after")
    );
}

proptest! {
    #[test]
    fn any_bytes_are_a_message_that_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(request) = v1::PublishRequest::decode(bytes.as_slice())
            && let Err(refusals) = read_message(request.message, "message")
        {
            prop_assert!(!refusals.is_empty());
        }
    }

    #[test]
    fn what_we_write_says_what_it_was(bytes in any::<[u8; 16]>(), hash in any::<[u8; 32]>(), ms in 0..1u64 << 45, repeat in any::<bool>()) {
        let (msg_id, digest) = (MsgId::from_bytes(bytes), Digest::from_bytes(hash));
        let position = LedgerPosition { ledger: String::from("lgsp"), partition: 1, offset: ms };
        let note = String::from("note");
        let receipt = write_receipt(&Receipt { msg_id, position, append_ms: UnixMs(ms), leaf_hash: digest, note, repeat });
        let wire = v1::Receipt::decode(receipt.encode_to_vec().as_slice()).unwrap();
        prop_assert_eq!(read_message_id(&wire.message_id, "message_id").unwrap(), msg_id);
        let at = wire.appended_at.unwrap();
        prop_assert_eq!(at.seconds as u64 * 1000 + at.nanos as u64 / 1_000_000, ms);
        prop_assert_eq!((&wire.leaf_hash[..], wire.offset, wire.repeat), (&hash[..], ms, repeat));
        let delivery = DeliveryId::from_bytes(bytes);
        let summary = write_summary(&OpenDelivery {
            delivery,
            msg_id,
            contract: ContractRef::parse("a/1").unwrap(),
            from: AgencyCode::parse("H62.11").unwrap(),
            to: AgencyCode::parse("H62.13").unwrap(),
            order: OrderKey {
                system: SystemId::parse("s").unwrap(),
                key: String::from("k"),
                addressee: AgencyId::parse("a").unwrap(),
            },
            accepted_ms: UnixMs(ms),
            changed_ms: UnixMs(ms),
            state: lgsp_types::DeliveryState::Collected,
            mark: None,
        });
        prop_assert_eq!(read_delivery_id(&summary.delivery_id, "").unwrap(), delivery);
        prop_assert_eq!((summary.state(), summary.mark()), (v1::DeliveryState::Collected, v1::Mark::Unspecified));
        let attachment = write_attachment(&Attachment {
            role: Role::Original,
            name: String::from("a.edxml"),
            media_type: String::from("application/xml"),
            size_bytes: ms,
            digest,
        });
        prop_assert_eq!((attachment.role(), &attachment.sha256[..]), (v1::attachment::Role::Original, &hash[..]));
    }
}

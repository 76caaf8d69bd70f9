//! What one side writes is what the other reads; what no port could have said is refused with its path.

use std::time::Duration;

use bytes::Bytes;
use lgsp_types::{
    AcknowledgeError, AgencyCode, AgencyId, AgencyView, Answered, Attachment, CheckError, ConnectorId, ContentError,
    ContractRef, DeliveryId, DeliveryState, Digest, DocumentDate, DocumentRef, Evidence, EvidenceKind, Fate,
    FetchError, Fetched, LedgerPosition, Mark, MsgId, OpenDelivery, OpenQuery, OrderKey, Outcome, Publish,
    PublishError, Push, Pushed, Question, ReasonCode, Receipt, Refusal, Rejection, Relation, Role, SentDelivery,
    SentMessage, SystemId, SystemView, Traceparent, Unavailable, UnixMs, UploadError, WithdrawError, Withdrawal,
    Written,
};
use prost::Message;

use super::evidence::{read_evidence, write_evidence};
use super::*;
use crate::adapter::v1::{AdapterAnswer, ExchangeCall, adapter_answer, exchange_answer, exchange_call};
use crate::{write_attachment, write_content, write_receipt};

/// Over the wire and back.
fn sent<M: Message + Default>(message: &M) -> M {
    M::decode(message.encode_to_vec().as_slice()).unwrap()
}

fn code(text: &str) -> AgencyCode {
    AgencyCode::parse(text).unwrap()
}

fn contract() -> ContractRef {
    ContractRef::parse("vn.lgsp.document/1").unwrap()
}

fn reason(code: &'static str) -> ReasonCode {
    ReasonCode::new(code)
}

fn written(text: &str, path: &str) -> Written {
    Written {
        code: code(text),
        path: path.to_owned(),
    }
}

fn publish() -> Publish {
    Publish {
        contract: contract(),
        from: written("H62.11", "/edXML/From/OrganId"),
        to: vec![
            written("H62.14", "/edXML/To[1]/OrganId"),
            written("000.00.00.G22", "/XroadVnpt-to[1]"),
        ],
        purpose: String::from("p"),
        order_key: String::from("order"),
        idempotency_key: String::from("key"),
        case: String::from("case"),
        codes_as_of: Some(DocumentDate::parse("2026/11/25").unwrap()),
        documents: vec![
            DocumentRef {
                relation: Relation::Is,
                id: String::from("id"),
                organ: String::from("H62.11"),
                code: String::from("2451/THU-NGHIEM"),
                date: String::from("2026/11/25"),
            },
            DocumentRef {
                relation: Relation::Replaces,
                id: String::from("other"),
                organ: String::new(),
                code: String::new(),
                date: String::new(),
            },
        ],
        act: String::from("3"),
        due: Some(DocumentDate::parse("2026/12/01").unwrap()),
        payload: Bytes::from_static(b"{}"),
        objects: Vec::new(),
    }
}

fn attachment() -> Attachment {
    Attachment {
        role: Role::Original,
        name: String::from("edoc.edxml"),
        media_type: String::from("application/xml"),
        size_bytes: 7,
        digest: Digest::from_bytes([7; 32]),
    }
}

fn fetched() -> Fetched {
    Fetched {
        msg_id: MsgId::from_bytes([1; 16]),
        contract: contract(),
        payload: Bytes::from_static(b"{}"),
        objects: vec![attachment()],
        trace: Traceparent::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").ok(),
    }
}

fn receipt() -> Receipt {
    Receipt {
        msg_id: MsgId::from_bytes([1; 16]),
        position: LedgerPosition {
            ledger: String::from("lgsp"),
            partition: 2,
            offset: 3,
        },
        append_ms: UnixMs(1_795_594_503_999),
        leaf_hash: Digest::from_bytes([4; 32]),
        note: String::from("note"),
        repeat: true,
    }
}

fn evidence() -> Evidence {
    Evidence {
        kind: EvidenceKind::SharedSecret,
        key_id: String::from("k-11"),
        proof: Bytes::from_static(&[9; 32]),
        signed: Bytes::from_static(b"{\"XroadVnpt-status\":\"done\"}"),
    }
}

#[test]
fn a_message_is_published_as_the_adapter_meant_it() {
    let wire = write_publish(&publish(), vec![String::from("h")]);
    let read = read_publish(sent(&wire)).unwrap();
    assert_eq!(read.publish, publish());
    assert_eq!(read.uploads, ["h"]);
}

#[test]
fn a_code_without_a_path_is_named_by_its_field() {
    let mut wire = write_publish(&publish(), Vec::new());
    wire.to_paths = vec![String::from("/To")];
    wire.from_path.clear();
    let read = read_publish(wire).unwrap().publish;
    let paths: Vec<_> = read.to.iter().map(|to| to.path.as_str()).collect();
    assert_eq!(
        (read.from.path.as_str(), paths),
        ("message.from", vec!["/To", "message.to[1]"])
    );
}

fn told<T: std::fmt::Debug>(read: Result<T, Vec<Refusal>>) -> Vec<String> {
    let refusals = read.unwrap_err().into_iter();
    refusals
        .map(|refusal| format!("{} {}", refusal.code, refusal.path))
        .collect()
}

#[test]
fn what_no_port_could_have_said_is_refused_with_its_path() {
    let mut publish = write_publish(&publish(), Vec::new());
    publish.to_paths = vec![String::from("x"); 3];
    publish.from_path = "x".repeat(256);
    assert_eq!(
        told(read_publish(publish)),
        ["FIELD_TOO_LONG from_path", "FIELD_INVALID to_paths"]
    );
    let reject = exchange_call::Reject {
        sha256: Bytes::from_static(&[0; 31]),
        refusals: vec![Default::default()],
    };
    assert_eq!(
        told(read_reject(reject)),
        ["FIELD_INVALID sha256", "FIELD_INVALID refusals[0].code"]
    );
    assert_eq!(
        told(read_reject(Default::default())),
        ["FIELD_INVALID sha256", "FIELD_MISSING refusals"]
    );
    assert_eq!(told(read_open(Default::default())), ["FIELD_INVALID limit"]);
    assert_eq!(told(read_acknowledge(Default::default())), ["FIELD_MISSING word"]);
    let acknowledge = exchange_call::Acknowledge {
        word: Some(Default::default()),
        evidence: None,
    };
    assert_eq!(
        told(read_acknowledge(acknowledge)),
        [
            "FIELD_INVALID word.delivery_id",
            "FIELD_MISSING word.outcome",
            "FIELD_MISSING evidence"
        ]
    );
    let mut large = write_evidence(&evidence());
    large.signed = vec![0; 256 * 1024 + 1].into();
    large.proof = vec![0; 513].into();
    assert_eq!(
        told(read_evidence(Some(large), "")),
        ["FIELD_TOO_LONG proof", "FIELD_TOO_LONG signed"]
    );
    let answer = |answer| AdapterAnswer { call_id: 1, answer };
    assert_eq!(told(read_adapter_answer(answer(None))), ["FIELD_MISSING answer"]);
    let refused = adapter_answer::Answer::Refused(String::from("no code"));
    assert_eq!(
        told(read_adapter_answer(answer(Some(refused)))),
        ["FIELD_INVALID refused"]
    );
}

#[test]
fn rejections_queries_and_words_come_over_whole() {
    let rejection = Rejection {
        content: Digest::from_bytes([3; 32]),
        refusals: vec![Refusal::new(reason("CHARSET"), "/edXML", "is no UTF-8", "send UTF-8")],
    };
    assert_eq!(read_reject(sent(&write_reject(&rejection))).unwrap(), rejection);
    let query = OpenQuery {
        contract: Some(String::from("vn.lgsp.document")),
        limit: 5_000,
        after: Some(DeliveryId::from_bytes([2; 16])),
        dead_letters: true,
    };
    assert_eq!(read_open(sent(&write_open(&query))).unwrap(), query);
    let delivery = DeliveryId::from_bytes([5; 16]);
    for outcome in [
        Outcome::Delivered,
        Outcome::Failed(reason("RECEIVER_FAILED")),
        Outcome::Mark(Mark::Inbox),
    ] {
        let wire = write_acknowledge(delivery, &outcome, &evidence());
        assert_eq!(read_acknowledge(sent(&wire)).unwrap(), (delivery, outcome, evidence()));
    }
    let id = MsgId::from_bytes([6; 16]);
    assert_eq!(read_message_call(&sent(&write_get_message(id))).unwrap(), id);
    for to in [None, Some(AgencyCode::parse("H62.14").unwrap())] {
        let wire = sent(&write_withdraw(id, to.as_ref()));
        assert_eq!(crate::read_withdraw(&wire).unwrap(), (id, to));
    }
    let wrong = crate::read_withdraw(&crate::exchange::v1::WithdrawRequest {
        message_id: String::from("7"),
        to: String::from("h62"),
    });
    let paths: Vec<String> = wrong.unwrap_err().into_iter().map(|refusal| refusal.path).collect();
    assert_eq!(paths, ["message_id", "to"]);
}

#[test]
fn what_became_of_a_withdrawal_comes_back_as_the_exchange_gave_it() {
    let fates = [Fate::Withdrawn, Fate::Tried, Fate::TooLate];
    let states = [DeliveryState::Withdrawn, DeliveryState::Open, DeliveryState::Collected];
    let withdrawals = fates.into_iter().zip(states).map(|(fate, state)| Withdrawal {
        delivery: DeliveryId::from_bytes([5; 16]),
        to: AgencyCode::parse("H62.14").unwrap(),
        fate,
        state,
    });
    let withdrawals: Vec<_> = withdrawals.collect();
    let wire = sent(&crate::write_withdrawals(&withdrawals));
    assert_eq!(read_withdrawals(wire).unwrap(), withdrawals);
    for error in [WithdrawError::NotFound, WithdrawError::Unknown] {
        let told = read_withdraw_failure(sent(&write_withdraw_failure(&error)));
        assert_eq!(told.to_string(), error.to_string());
    }
}

#[test]
fn answers_come_back_as_the_exchange_gave_them() {
    assert_eq!(read_receipt(sent(&write_receipt(&receipt()))).unwrap(), receipt());
    assert_eq!(read_content(sent(&write_content(&fetched()))).unwrap(), fetched());
    let uploaded = exchange_answer::Uploaded {
        upload: Some(crate::exchange::v1::Upload {
            handle: String::from("h"),
        }),
        attachment: Some(write_attachment(&attachment())),
    };
    let staged = read_uploaded(sent(&uploaded)).unwrap();
    assert_eq!((staged.staging.as_str(), staged.attachment), ("h", attachment()));
    let open = OpenDelivery {
        delivery: DeliveryId::from_bytes([5; 16]),
        msg_id: MsgId::from_bytes([1; 16]),
        contract: contract(),
        from: code("H62.11"),
        to: code("H62.14"),
        order: OrderKey {
            system: SystemId::parse("vxp.test.11").unwrap(),
            key: String::from("order"),
            addressee: AgencyId::parse("test.so-tu-phap").unwrap(),
        },
        accepted_ms: UnixMs(1),
        changed_ms: UnixMs(1_001),
        state: DeliveryState::DeadLettered,
        mark: Some(Mark::Rejection),
    };
    let opened = read_opened(sent(&write_opened(std::slice::from_ref(&open)))).unwrap();
    assert_eq!(opened, [open]);
    let message = SentMessage {
        receipt: receipt(),
        deliveries: vec![SentDelivery {
            delivery: DeliveryId::from_bytes([5; 16]),
            to: code("H62.14"),
            state: DeliveryState::Withdrawn,
            late: true,
            reason: Some(reason("TAKEN_BACK")),
            mark: None,
            changed_ms: UnixMs(2),
        }],
    };
    let read = read_sent_message(sent(&write_sent_message(Some(&message)))).unwrap();
    assert_eq!(read, Some(message));
    assert_eq!(read_sent_message(sent(&write_sent_message(None))).unwrap(), None);
}

#[test]
fn a_view_shows_the_registry_as_the_node_does() {
    let view = ViewOf {
        systems: vec![SystemView {
            system: SystemId::parse("vxp.test.11").unwrap(),
            agency: AgencyId::parse("test.so-tttt").unwrap(),
            secret_ref: None,
            key_id: String::new(),
        }],
        agencies: vec![AgenciesOf {
            day: DocumentDate::parse("2026/11/25").unwrap(),
            agencies: vec![AgencyView {
                agency: AgencyId::parse("test.so-tttt").unwrap(),
                name: String::from("Sở"),
                parent: Some(AgencyId::parse("test.tinh").unwrap()),
                code: Some(code("H62.11")),
                old_code: Some(code("000.00.11.H62")),
                mail: String::new(),
                closed: true,
            }],
        }],
    };
    assert_eq!(read_view(sent(&write_view(&view))), Ok(view));
}

#[test]
fn calls_of_the_node_and_their_answers_come_over_whole() {
    let connector = ConnectorId::parse("c-1").unwrap();
    let push = Push {
        connector: connector.clone(),
        delivery: DeliveryId::from_bytes([5; 16]),
        attempt: 2,
        accepted_ms: UnixMs(5_005),
        from: code("H62.11"),
        to: code("H62.14"),
        content: fetched(),
    };
    assert_eq!(read_deliver(connector.clone(), sent(&write_deliver(&push))), Ok(push));
    let question = Question {
        connector: connector.clone(),
        msg_id: MsgId::from_bytes([1; 16]),
        contract: contract(),
        payload: Bytes::from_static(b"?"),
    };
    assert_eq!(read_ask(connector.clone(), sent(&write_ask(&question))), Ok(question));
    let answer = |answer| {
        let answer = Some(answer);
        read_adapter_answer(sent(&AdapterAnswer { call_id: 1, answer })).unwrap()
    };
    let (code, after) = (reason("FAR_SIDE_DOWN"), Some(Duration::from_millis(1_500)));
    assert_eq!(
        answer(write_pushed(Pushed::Done(evidence()))),
        Said::Pushed(Pushed::Done(evidence()))
    );
    assert_eq!(
        answer(write_pushed(Pushed::Refused(code.clone()))),
        Said::Refused(code.clone())
    );
    let again = Pushed::TryAgain {
        reason: code.clone(),
        after,
    };
    assert_eq!(answer(write_pushed(again)), Said::TryAgain { reason: code, after });
    for answered in [Answered::Record(Bytes::from_static(b"{}")), Answered::NotFound] {
        assert_eq!(answer(write_answered(answered.clone())), Said::Answered(answered));
    }
    assert_eq!(answer(write_checked(&Ok(()))), Said::Checked(Ok(())));
    let failed = Err(CheckError {
        connector,
        source: "no route".into(),
    });
    assert_eq!(
        answer(write_checked(&failed)),
        Said::Checked(Err(String::from("no route")))
    );
}

/// Every error says the same on the other side; the cause below it stays where it is.
#[test]
fn an_error_says_the_same_on_the_other_side() {
    let refusals = vec![Refusal::new(reason("ADDRESSEE_UNKNOWN"), "/To[1]", "nobody", "another")];
    let errors = [
        PublishError::Refused(refusals),
        PublishError::Conflict {
            msg_id: MsgId::from_bytes([1; 16]),
        },
        PublishError::Busy,
        PublishError::Unknown,
        PublishError::Unavailable(Unavailable::new("disk")),
    ];
    for error in errors {
        let read = read_publish_failure(sent(&write_publish_failure(&error)));
        assert_eq!(read.to_string(), error.to_string());
    }
    for error in [
        UploadError::TooLarge { limit_bytes: 7 },
        UploadError::Full,
        UploadError::Unavailable(Unavailable::new("disk")),
    ] {
        let read = read_upload_failure(sent(&write_upload_failure(&error)));
        assert_eq!(read.to_string(), error.to_string());
    }
    for error in [
        FetchError::NotFound,
        FetchError::Gone,
        FetchError::Unknown,
        FetchError::Unavailable(Unavailable::new("disk")),
    ] {
        let read = read_fetch_failure(sent(&write_fetch_failure(&error)));
        assert_eq!(read.to_string(), error.to_string());
    }
    for error in [
        AcknowledgeError::NotFound,
        AcknowledgeError::Unknown,
        AcknowledgeError::Unavailable(Unavailable::new("disk")),
    ] {
        let read = read_acknowledge_failure(sent(&write_acknowledge_failure(&error)));
        assert_eq!(read.to_string(), error.to_string());
    }
    let digest = Digest::from_bytes([7; 32]);
    for error in [
        ContentError::Damaged { digest },
        ContentError::Unreadable {
            digest,
            source: "disk".into(),
        },
    ] {
        let read = read_content_failure(sent(&write_content_failure(&error)), digest);
        assert_eq!(read.to_string(), error.to_string());
    }
}

#[test]
fn what_a_later_node_may_say_is_never_taken_for_done_or_refused() {
    let failure = || crate::adapter::v1::Failure { reason: None };
    assert!(matches!(read_publish_failure(failure()), PublishError::Unknown));
    assert!(matches!(read_fetch_failure(failure()), FetchError::Unknown));
    assert!(matches!(read_acknowledge_failure(failure()), AcknowledgeError::Unknown));
    let nothing = write_refused(&[]);
    assert!(matches!(read_publish_failure(nothing), PublishError::Unknown));
}

#[test]
fn a_long_refusal_is_cut_in_whole_characters() {
    let refusal = Refusal::new(reason("X"), "/", "đ".repeat(300), "m");
    let wire = write_refusal(&refusal);
    assert_eq!(wire.what, "đ".repeat(256));
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_a_call_that_is_read_or_refused(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        if let Ok(call) = ExchangeCall::decode(bytes.as_slice()) {
            match call.call {
                Some(exchange_call::Call::Publish(publish)) => drop(read_publish(publish)),
                Some(exchange_call::Call::Reject(reject)) => drop(read_reject(reject)),
                Some(exchange_call::Call::Acknowledge(acknowledge)) => drop(read_acknowledge(acknowledge)),
                Some(exchange_call::Call::Open(open)) => drop(read_open(open)),
                _ => {}
            }
        }
        if let Ok(answer) = AdapterAnswer::decode(bytes.as_slice()) {
            drop(read_adapter_answer(answer));
        }
    }
}

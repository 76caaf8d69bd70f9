//! The main job: a document crosses from one department's own software to others', and what became of it can be told.

mod evidence;
pub(crate) mod outcome;
pub(crate) mod repeat;
pub(crate) mod traced;

use std::collections::BTreeMap;

use lgsp_adapters::edxml_vxp::client::builder::DocumentPacket;
use lgsp_adapters::edxml_vxp::client::builder::attachment::{Attachment, Content};
use lgsp_adapters::edxml_vxp::client::{MessageType, SdkVersion};
use serde_json::{Value, json};

use crate::support::{Department, Home, INFORMATION, JUSTICE, Node, PROVINCE, Way, written, written_status};

/// A letter with a PDF that goes raw and a table that the vendor's library zips.
fn letter_with_two_files(number: &str, to: &[Department]) -> DocumentPacket {
    let mut letter = INFORMATION.letter(number, to);
    let table: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    let table = Attachment::new("2", "phụ lục.xlsx", Content::Bytes(table));
    letter.attachments.push(table);
    letter
}

fn status(from: Department, about: &DocumentPacket, code: &str) -> Vec<u8> {
    written_status(&from.status(about.referred_to(), code))
}

/// What `lgsp trace --json` tells.
fn traced(node: &Node, query: &str) -> Value {
    let ended = node.lgsp(&["trace", "--json", query]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let trace: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(trace["query"], query);
    trace
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().unwrap()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap()
}

/// The one message of this id in a trace.
fn message<'a>(trace: &'a Value, msg_id: &str) -> &'a Value {
    let found = |message: &&Value| message["msg_id"] == msg_id;
    let found: Vec<&Value> = list(trace, "messages").iter().filter(found).collect();
    assert_eq!(found.len(), 1, "{msg_id} in {trace}");
    found[0]
}

/// The state of each delivery, by the addressee's code.
fn states(message: &Value) -> BTreeMap<&str, &str> {
    let deliveries = list(message, "deliveries").iter();
    deliveries
        .map(|delivery| (text(&delivery["to"], "code"), text(delivery, "state")))
        .collect()
}

/// Kind and effect of each event, in the ledger's order.
fn events(message: &Value) -> Vec<(&str, &str)> {
    let events = list(message, "events").iter();
    events
        .map(|event| (text(event, "kind"), text(event, "effect")))
        .collect()
}

#[test]
pub(crate) fn a_document_crosses_to_two_departments_and_what_they_say_of_it_comes_back() {
    let node = Node::start(Home::new());
    let [mut sender, mut justice, mut province] = [INFORMATION, JUSTICE, PROVINCE].map(|one| one.desk(&node));
    let letter = letter_with_two_files("2451", &[JUSTICE, PROVINCE]);
    let packet = written(&letter);
    let doc_id = sender.send(&packet).unwrap();
    let item = justice.only_waiting(MessageType::Edoc);
    assert_eq!(sender.send(&packet).unwrap(), doc_id, "the same packet is one document");
    assert_eq!(
        states(message(&traced(&node, &doc_id), &doc_id)),
        BTreeMap::from([("H62", "open"), ("H62.14", "open")])
    );

    assert_eq!([&*item.from, &item.to], ["H62.11", "H62.14"]);
    assert_eq!(
        [&*item.status, &item.service_type, &item.message_type],
        ["initial", "eDoc", "edoc"]
    );
    assert!(
        justice.fetch(Way::GetEdoc, &item.doc_id).unwrap() == packet,
        "changed by getEdoc"
    );
    assert_eq!(
        justice.only_waiting(MessageType::Edoc),
        item,
        "that it was fetched does not show"
    );
    assert_eq!(
        states(message(&traced(&node, &doc_id), &doc_id)),
        BTreeMap::from([("H62", "open"), ("H62.14", "collected")])
    );
    justice.say(&item.doc_id, "done");
    assert_eq!(justice.waiting(MessageType::Edoc), []);

    let other = province.only_waiting(MessageType::Edoc);
    assert_eq!([&*other.from, &other.to], ["H62.11", "H62"]);
    assert_ne!(other.doc_id, item.doc_id, "each addressee has a delivery of its own");
    assert!(
        province.fetch(Way::DownloadEdoc, &other.doc_id).unwrap() == packet,
        "changed by downloadEdoc"
    );
    province.say(&other.doc_id, "done");
    assert_eq!(province.waiting(MessageType::Edoc), []);

    let statuses = [(JUSTICE, "01"), (JUSTICE, "03"), (PROVINCE, "01")].map(|(from, code)| status(from, &letter, code));
    justice.send_status(&statuses[0]).unwrap();
    justice.send_status(&statuses[1]).unwrap();
    province.send_status(&statuses[2]).unwrap();
    assert_eq!(sender.waiting(MessageType::Edoc), [], "a status is no document");
    assert!(
        sender.take(MessageType::Status, 3) == statuses,
        "the statuses came back changed"
    );
    assert_eq!(sender.waiting(MessageType::Status), []);
    it_is_told_by_every_name(&node, &letter, [&doc_id, &item.doc_id, &other.doc_id]);
}

fn it_is_told_by_every_name(node: &Node, letter: &DocumentPacket, [doc_id, delivery, other]: [&str; 3]) {
    let trace = traced(node, "2451/THU-NGHIEM");
    let told: Vec<_> = list(&trace, "messages")
        .iter()
        .map(|message| ["relation", "contract", "act", "document"].map(|name| text(message, name)))
        .collect();
    let about = |act| ["about", "vn.lgsp.document-status/1", act, "2451/THU-NGHIEM"];
    assert_eq!(
        told,
        [
            ["is", "vn.lgsp.document/1", "0", "2451/THU-NGHIEM"],
            about("01"),
            about("03"),
            about("01")
        ]
    );
    for message in &list(&trace, "messages")[1..] {
        assert_eq!(states(message), BTreeMap::from([("H62.11", "delivered")]));
    }

    let document = message(&trace, doc_id);
    assert_eq!(
        states(document),
        BTreeMap::from([("H62", "delivered"), ("H62.14", "delivered")])
    );
    assert_eq!(
        [text(&document["from"], "code"), text(document, "system")],
        ["H62.11", "vxp.test.11"]
    );
    let steps = ["Accepted", "Collected", "Delivered", "Collected", "Delivered"];
    assert_eq!(events(document), steps.map(|kind| (kind, "in force")));
    let of_whom: Vec<&Value> = list(document, "events")
        .iter()
        .map(|event| &event["delivery"])
        .collect();
    assert_eq!(
        of_whom,
        [
            &Value::Null,
            &json!(delivery),
            &json!(delivery),
            &json!(other),
            &json!(other)
        ]
    );

    let by_document_id = traced(node, &letter.id());
    assert_eq!(by_document_id["messages"], trace["messages"]);
    // By an id of ours the message itself is asked for, and the statuses are still about its document.
    for id in [doc_id, delivery, other] {
        let by_id = traced(node, id);
        let relations: Vec<&str> = list(&by_id, "messages")
            .iter()
            .map(|one| text(one, "relation"))
            .collect();
        assert_eq!(relations, ["", "about", "about", "about"], "{id}");
        assert_eq!(message(&by_id, doc_id)["events"], document["events"]);
    }

    let for_people = node.lgsp(&["trace", "2451/THU-NGHIEM"]);
    for words in ["Sở Tư pháp (thử) (H62.14): delivered", "status 03: registered", doc_id] {
        assert!(for_people.out.contains(words), "{words}: {for_people:?}");
    }
    let nothing = node.lgsp(&["trace", "2452/THU-NGHIEM"]);
    assert_eq!(nothing.code, Some(1), "{nothing:?}");
    assert!(nothing.err.contains("2452/THU-NGHIEM"), "{nothing:?}");
}

#[test]
pub(crate) fn both_versions_of_the_vendors_library_do_the_whole_job() {
    let node = Node::start(Home::new());
    for (number, version) in [("200", SdkVersion::V2_0_0), ("201", SdkVersion::V2_0_1)] {
        let [mut sender, mut receiver] = [INFORMATION, JUSTICE].map(|one| one.desk_of(&node, version));
        let letter = letter_with_two_files(number, &[JUSTICE]);
        let packet = written(&letter);
        assert_eq!(sender.send(&packet).unwrap(), sender.send(&packet).unwrap());
        let item = receiver.only_waiting(MessageType::Edoc);
        assert!(
            receiver.fetch(Way::GetEdoc, &item.doc_id).unwrap() == packet,
            "{version:?}"
        );
        if version == SdkVersion::V2_0_1 {
            assert!(receiver.fetch(Way::DownloadEdoc, &item.doc_id).unwrap() == packet);
        }
        receiver.say(&item.doc_id, "processing");
        let answer = receiver.service().update_status_lower(&item.doc_id, "done").unwrap();
        assert!(answer.is_ok(), "{answer:?}");
        let arrived = status(JUSTICE, &letter, "01");
        receiver.send_status(&arrived).unwrap();
        assert!(sender.take(MessageType::Status, 1) == [arrived], "{version:?}");
        let agencies = sender.service().agencies().unwrap();
        // Of this registry all but the two that are closed.
        assert_eq!(agencies.len(), 6, "{agencies:?}");
        assert_eq!(receiver.waiting(MessageType::Edoc), []);
    }
}

#[test]
pub(crate) fn what_is_for_a_closed_agency_reaches_the_one_that_followed_it() {
    let node = Node::start(Home::new());
    let [mut sender, mut receiver] = [INFORMATION, JUSTICE].map(|one| one.desk(&node));
    let closed = Department {
        code: "H62.91",
        name: "Sở đã sáp nhập",
        ..JUSTICE
    };
    let packet = written(&INFORMATION.letter("7", &[closed, PROVINCE]));
    let doc_id = sender.send(&packet).unwrap();
    let item = receiver.only_waiting(MessageType::Edoc);
    assert_eq!(item.to, "H62.91", "the code that the sender wrote");
    assert!(receiver.fetch(Way::DownloadEdoc, &item.doc_id).unwrap() == packet);
    receiver.say(&item.doc_id, "done");

    let trace = traced(&node, &doc_id);
    let message = message(&trace, &doc_id);
    assert_eq!(
        states(message),
        BTreeMap::from([("H62", "open"), ("H62.91", "delivered")])
    );
    assert_eq!(message["deliveries"][0]["to"]["agency"], "test.so-sap-nhap");
    for event in &list(message, "events")[1..] {
        assert_eq!(event["agency"], "test.so-tu-phap", "whoever had it: {event}");
    }
}

#[test]
pub(crate) fn a_letter_that_cannot_reach_everybody_reaches_nobody_and_names_whom_it_could_not() {
    let node = Node::start(Home::new());
    let [mut sender, mut receiver] = [INFORMATION, JUSTICE].map(|one| one.desk(&node));
    for (code, error_code, reason) in [
        ("H62.90", "23", "ADDRESSEE_CLOSED"),
        ("H62.92", "23", "ADDRESSEE_NO_ROUTE"),
        ("H62.99", "18", "ADDRESSEE_UNKNOWN"),
    ] {
        let out_of_reach = Department { code, ..JUSTICE };
        let packet = written(&INFORMATION.letter("8", &[JUSTICE, out_of_reach]));
        let refused = sender.send(&packet).unwrap_err();
        let answer = refused.refusal().unwrap_or_else(|| panic!("{refused:?}"));
        assert_eq!(answer.error_code, error_code, "{answer:?}");
        for words in [reason, code, "/To[2]/OrganId"] {
            assert!(answer.error_desc.contains(words), "{words}: {answer:?}");
        }
        assert_eq!(receiver.waiting(MessageType::Edoc), []);
    }
    let counts = node.fact_counts();
    assert_eq!((counts.get("Accepted"), counts.get("Rejected")), (None, Some(&3)));
    sender.send(&written(&INFORMATION.letter("8", &[JUSTICE]))).unwrap();
    receiver.only_waiting(MessageType::Edoc);
}

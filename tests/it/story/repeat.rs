//! What is sent again is one document, for ever; what differs is another.

use lgsp_adapters::edxml_vxp::client::source::Source;

use super::*;

#[test]
pub(crate) fn the_same_packet_has_one_doc_id_through_restarts_and_kills_and_is_delivered_once() {
    let mut node = Node::start(Home::new());
    let packet = written(&letter_with_two_files("10", &[JUSTICE]));
    let doc_id = INFORMATION.desk(&node).send(&packet).unwrap();
    node.stop();
    node.restart();
    JUSTICE.desk(&node).only_waiting(MessageType::Edoc);
    assert_eq!(INFORMATION.desk(&node).send(&packet).unwrap(), doc_id);
    assert!(JUSTICE.desk(&node).take(MessageType::Edoc, 1) == [packet.clone()]);
    node.kill();
    node.restart();
    assert_eq!(INFORMATION.desk(&node).send(&packet).unwrap(), doc_id);
    assert_eq!(
        JUSTICE.desk(&node).waiting(MessageType::Edoc),
        [],
        "it was delivered before"
    );
    let counts = node.fact_counts();
    let kinds = ["Accepted", "Collected", "Delivered"].map(|kind| counts.get(kind));
    assert_eq!(kinds, [Some(&1); 3]);
}

#[test]
pub(crate) fn the_same_number_with_other_bytes_is_another_document() {
    let node = Node::start(Home::new());
    let [mut sender, mut receiver] = [INFORMATION, JUSTICE].map(|one| one.desk(&node));
    let mut letter = INFORMATION.letter("11", &[JUSTICE]);
    let first = written(&letter);
    letter.subject.push_str(" (bản sửa)");
    let second = written(&letter);
    let doc_ids = [sender.send(&first).unwrap(), sender.send(&second).unwrap()];
    assert_ne!(doc_ids[0], doc_ids[1]);
    assert!(receiver.take(MessageType::Edoc, 2) == [first, second]);
    let trace = traced(&node, "11/THU-NGHIEM");
    let told: Vec<&str> = list(&trace, "messages").iter().map(|one| text(one, "msg_id")).collect();
    assert_eq!(told, doc_ids);
}

/// Source: exchange.md 5.1: addressees as written, de-duplicated and sorted.
#[test]
pub(crate) fn the_same_addressees_in_any_order_are_the_same_call_and_others_are_another() {
    let node = Node::start(Home::new());
    let packet = written(&INFORMATION.letter("12", &[JUSTICE]));
    // A new client for each call: the vendor's never forgets the addressees of an earlier one.
    let send = |to: Option<&[&str]>| {
        let mut desk = INFORMATION.desk(&node);
        let kind = MessageType::Edoc;
        let sent = desk.service().send_edoc("H62.11", to, kind, Source::Bytes(&packet));
        sent.unwrap().doc_id.unwrap()
    };
    let as_written = send(None);
    assert_eq!(send(Some(&["H62.14"])), as_written);
    let both = send(Some(&["H62.14", "H62"]));
    assert_ne!(both, as_written);
    assert_eq!(send(Some(&["H62", "H62.14", "H62"])), both);
    JUSTICE.desk(&node).waiting_for(MessageType::Edoc, 2);
    PROVINCE.desk(&node).waiting_for(MessageType::Edoc, 1);
}

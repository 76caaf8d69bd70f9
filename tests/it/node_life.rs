//! A node is told to stop and started again: whoever was answered finds everything as it was.

use lgsp_adapters::edxml_vxp::client::MessageType;
use lgsp_adapters::edxml_vxp::client::source::Source;

use crate::support::{Home, INFORMATION, JUSTICE, Node, written, written_status};

/// The letter that waits for the department of justice.
fn only_letter(node: &Node) -> String {
    let mut items = JUSTICE.wait_for(node, MessageType::Edoc, |items| !items.is_empty());
    assert_eq!(items.len(), 1);
    items.remove(0).doc_id
}

#[test]
fn a_node_that_is_told_to_stop_stops_well_and_starts_again_with_all_it_had() {
    let mut node = Node::start(Home::new());
    let letter = INFORMATION.letter("1", &[JUSTICE]);
    let status = written_status(&JUSTICE.status(letter.referred_to(), "01"));
    let letter = written(&letter);
    for (from, kind, packet) in [
        (INFORMATION, MessageType::Edoc, &letter),
        (JUSTICE, MessageType::Status, &status),
    ] {
        let sent = from
            .service(&node)
            .send_edoc(from.code, None, kind, Source::Bytes(packet));
        assert!(sent.unwrap().is_ok());
    }
    let before = only_letter(&node);
    let announcement = node.home().data().join("node.json");
    assert!(announcement.exists());

    node.stop();
    assert!(!announcement.exists(), "the folder says that somebody serves it");
    let verified = node.verify(&["--objects"]);
    assert_eq!(verified.code, Some(0), "{verified:?}");

    node.restart();
    assert_eq!(only_letter(&node), before);
    let mut fetched = Vec::new();
    JUSTICE.service(&node).download_edoc(&before, &mut fetched).unwrap();
    assert!(fetched == letter, "the letter came back changed");
    let statuses = INFORMATION.wait_for(&node, MessageType::Status, |items| !items.is_empty());
    assert_eq!(statuses.len(), 1);
}

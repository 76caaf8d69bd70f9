//! A node is stopped, killed and started again: whoever was answered finds everything as it was.

use std::thread;

use lgsp_adapters::edxml_vxp::client::answer::CallError;
use lgsp_adapters::edxml_vxp::client::source::Source;
use lgsp_adapters::edxml_vxp::client::{MessageType, Service};

use crate::support::{Home, INFORMATION, JUSTICE, Node};

fn letter(number: &str) -> Vec<u8> {
    let mut packet = Vec::new();
    INFORMATION.letter(number, &[JUSTICE]).write(&mut packet).unwrap();
    packet
}

fn status(number: &str, code: &str) -> Vec<u8> {
    let about = INFORMATION.letter(number, &[JUSTICE]).referred_to();
    let mut packet = Vec::new();
    JUSTICE.status(about, code).write(&mut packet).unwrap();
    packet
}

fn send(service: &mut Service, packet: &[u8]) -> Result<String, CallError> {
    let sent = service.send_edoc(INFORMATION.code, None, MessageType::Edoc, Source::Bytes(packet))?;
    Ok(sent.doc_id.unwrap())
}

/// What waits for the department of justice.
fn waiting(node: &Node) -> Vec<String> {
    let items = JUSTICE.service(node).received_list(MessageType::Edoc).unwrap();
    items.into_iter().map(|item| item.doc_id).collect()
}

#[test]
fn a_node_that_is_told_to_stop_stops_well_and_starts_again_with_all_it_had() {
    let mut node = Node::start(Home::new());
    send(&mut INFORMATION.service(&node), &letter("1")).unwrap();
    let about = status("1", "01");
    let sent = JUSTICE
        .service(&node)
        .send_edoc(JUSTICE.code, None, MessageType::Status, Source::Bytes(&about));
    assert!(sent.unwrap().is_ok());
    let before = waiting(&node);
    let announcement = node.home().data().join("node.json");
    assert!(announcement.exists());

    node.stop();
    assert!(!announcement.exists(), "the folder says that somebody serves it");

    node.restart();
    assert_eq!(waiting(&node), before);
    let mut fetched = Vec::new();
    JUSTICE.service(&node).download_edoc(&before[0], &mut fetched).unwrap();
    assert!(fetched == letter("1"), "the letter came back changed");
    let statuses = INFORMATION.service(&node).received_list(MessageType::Status).unwrap();
    assert_eq!(statuses.len(), 1);
}

#[test]
fn a_letter_accepted_right_before_a_kill_is_there_once_when_it_is_sent_again() {
    let mut node = Node::start_failing_at(Home::new(), "after-accept", 2);
    let first = send(&mut INFORMATION.service(&node), &letter("1")).unwrap();
    let mut service = INFORMATION.service(&node);
    let sender = thread::spawn(move || send(&mut service, &letter("2")));
    node.wait_marker();
    node.kill();
    let unanswered = sender.join().unwrap();
    assert!(
        matches!(unanswered, Err(CallError::NoAnswer { .. } | CallError::Cut { .. })),
        "{unanswered:?}"
    );

    node.restart();
    assert_eq!(waiting(&node).len(), 2);
    let again = send(&mut INFORMATION.service(&node), &letter("1")).unwrap();
    assert_eq!(again, first);
    send(&mut INFORMATION.service(&node), &letter("2")).unwrap();
    assert_eq!(waiting(&node).len(), 2);
    assert_eq!(node.fact_counts().get("Accepted"), Some(&2));
}

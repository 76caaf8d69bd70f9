//! The life of an adapter process: it waits for its node and finds it again, leaves in order, and may be killed.

use std::time::{Duration, Instant};

use lgsp_adapters::edxml_vxp::client::MessageType;
use lgsp_adapters::edxml_vxp::client::answer::CallError;
use serde_json::Value;

use crate::kill;
use crate::kill::town::Town;
use crate::support::{Home, INFORMATION, JUSTICE, Node, facade_outside, written};

fn node() -> Node {
    facade_outside(|| Node::start(Home::new()))
}

#[test]
fn it_is_killed_under_load_and_nothing_is_lost_or_doubled() {
    let mut node = facade_outside(|| Node::start(kill::home()));
    let town = Town::at_work(&node);
    let mut steps = 0;
    for _ in 0..3 {
        steps += 12;
        town.wait_for_steps(steps);
        node.take_outside().kill();
        node.start_outside();
    }
    kill::ends_well(node, town);
}

#[test]
fn process_and_node_are_killed_in_turn_under_load() {
    let mut node = facade_outside(|| Node::start(kill::home()));
    let town = Town::at_work(&node);
    kill::kill_in_turn(&mut node, &town);
    kill::ends_well(node, town);
}

#[test]
fn without_its_node_a_packet_is_to_be_sent_again_and_then_it_is_accepted() {
    let mut node = node();
    let packet = written(&INFORMATION.letter("7", &[JUSTICE]));
    let mut sender = INFORMATION.desk(&node);
    node.kill();
    match sender.send(&packet) {
        Err(CallError::Refused(answer)) => assert_eq!(answer.error_code, "20", "{answer:?}"),
        other => panic!("{other:?}"),
    }
    node.restart();
    sender.send(&packet).unwrap();
    let waiting = JUSTICE.wait_for(&node, MessageType::Edoc, |items| items.len() == 1);
    assert_eq!(waiting.len(), 1);
}

#[test]
fn it_leaves_in_order_and_both_say_so() {
    let mut node = node();
    INFORMATION
        .desk(&node)
        .send(&written(&INFORMATION.letter("8", &[JUSTICE])))
        .unwrap();
    let log = node.take_outside().stop();
    assert!(log.contains("detached from the node"), "{log}");
    node.wait_message("an adapter has left");
    let attached = node.log();
    let attached = attached
        .lines()
        .find(|line| line.contains("an adapter is attached"))
        .unwrap();
    let attached: Value = serde_json::from_str(attached).unwrap();
    assert_eq!(attached["adapter.id"], "vxp-1");
    assert_eq!(attached["adapter.kind"], "edxml-vxp");
    let version = concat!("lgsp ", env!("CARGO_PKG_VERSION"));
    assert_eq!(attached["program"], version);
}

#[test]
fn a_node_that_stops_takes_leave_of_it_at_once_and_is_found_again() {
    let mut node = node();
    // Whichever part of the node stops first: it waits for no limit.
    for _ in 0..3 {
        let told = Instant::now();
        node.stop();
        assert!(told.elapsed() < Duration::from_secs(10), "{}", node.log());
        node.restart();
        node.wait_message("an adapter is attached");
    }
    node.stop();
    assert!(node.log().contains("an adapter has left"), "{}", node.log());
    node.restart();
    node.wait_message("an adapter is attached");
    INFORMATION
        .desk(&node)
        .send(&written(&INFORMATION.letter("9", &[JUSTICE])))
        .unwrap();
}

#[test]
fn with_a_revoked_certificate_it_is_sent_away() {
    let node = node();
    let list: Value = serde_json::from_str(&node.home().ca(&["list", "--json"])).unwrap();
    let of_adapter = |row: &&Value| row["names"][0] == "lgsp://lgsp.test.vn/adapter/vxp-1";
    let rows = list["certificates"].as_array().unwrap();
    let serial = rows.iter().find(of_adapter).unwrap()["serial"].as_str().unwrap();
    node.home().ca(&["revoke", serial]);
    node.wait_message("the stream of an adapter has ended");
    let packet = written(&INFORMATION.letter("10", &[JUSTICE]));
    match INFORMATION.desk(&node).send(&packet) {
        Err(CallError::Refused(answer)) => assert_eq!(answer.error_code, "20", "{answer:?}"),
        other => panic!("{other:?}"),
    }
    node.outside().wait_message("no stream to the node; dialling again");
}

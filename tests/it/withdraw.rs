//! A sender takes a letter back at the command line: in time, and too late.

use lgsp_adapters::edxml_vxp::client::MessageType;
use serde_json::Value;

use crate::support::{Ended, INFORMATION, JUSTICE, Node, PROVINCE, run, to_lgsp, written};

fn withdraw(node: &Node, who: &str, arguments: &[&str]) -> Ended {
    let endpoint = node.endpoint(who);
    let (certificate, key) = endpoint.certificate.as_ref().unwrap();
    let mut command = to_lgsp(&["withdraw"]);
    command
        .args(arguments)
        .args(["--node", &endpoint.url, "--ca"])
        .arg(&endpoint.ca);
    command.arg("--cert").arg(certificate).arg("--key").arg(key);
    run(command)
}

#[test]
fn a_letter_is_taken_back_from_whoever_has_not_fetched_it_and_from_nobody_else() {
    let node = Node::start_with_grpc(|_| {});
    let letter = written(&INFORMATION.letter("7", &[JUSTICE, PROVINCE]));
    let id = INFORMATION.desk(&node).send(&letter).unwrap();
    JUSTICE.desk(&node).take(MessageType::Edoc, 1);
    let stranger = withdraw(&node, "system/vxp.test.14", &[&id]);
    assert_eq!(stranger.code, Some(1), "{stranger:?}");
    assert!(stranger.err.contains("NOT_FOUND"), "{stranger:?}");
    let one = withdraw(&node, "system/vxp.test.11", &[&id, "--to", "H62", "--json"]);
    let told: Value = serde_json::from_str(&one.out).unwrap();
    assert_eq!(
        (one.code, &told["to"], &told["outcome"]),
        (Some(0), &"H62".into(), &"withdrawn".into())
    );
    let all = withdraw(&node, "system/vxp.test.11", &[&id]);
    assert_eq!(all.code, Some(1), "{all:?}");
    let lines: Vec<&str> = all.out.lines().collect();
    let ends = |end: &str| lines.iter().any(|line| line.ends_with(end));
    assert!(
        ends("to H62.14  too late (delivered)") && ends("to H62  withdrawn"),
        "{all:?}"
    );
    assert!(all.err.contains("too late for 1 of 2"), "{all:?}");
    assert_eq!(
        PROVINCE.wait_for(&node, MessageType::Edoc, |_| true),
        [],
        "it is on nobody's list"
    );
    let trace = node.lgsp(&["trace", &id]);
    assert!(trace.out.contains("withdrawn (WITHDRAWN_BY_SENDER)"), "{trace:?}");
    let facts = node.fact_counts();
    assert_eq!((facts["Withdrawn"], facts["Delivered"]), (1, 1));
}

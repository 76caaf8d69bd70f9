//! What examples/ shows an integrator works as it stands there: the very sources, against a real node.

#[expect(dead_code, reason = "its `main` is for people")]
#[rustfmt::skip]
#[path = "../../examples/rust/publish.rs"]
mod publish;
#[expect(dead_code, reason = "its `main` is for people")]
#[rustfmt::skip]
#[path = "../../examples/rust/receive.rs"]
mod receive;

use lgsp_api::Endpoint;
use serde_json::{Value, json};

use crate::support::{Ended, Node, python, run, subject};

const INFORMATION: &str = "system/vxp.test.11";
const JUSTICE: &str = "system/vxp.test.14";

fn node() -> Node {
    Node::start_with_grpc(|_| {})
}

/// Certificate and key of a caller, as commands take them.
fn papers(endpoint: &Endpoint) -> [&str; 2] {
    let (certificate, key) = endpoint.certificate.as_ref().unwrap();
    [certificate.to_str().unwrap(), key.to_str().unwrap()]
}

/// An example in Python for this caller.
fn run_python(name: &str, endpoint: &Endpoint, more: &[&str]) -> Ended {
    let mut arguments = vec![endpoint.url.as_str(), endpoint.ca.to_str().unwrap()];
    arguments.extend(papers(endpoint));
    arguments.extend(more);
    run(python(name, &arguments))
}

#[track_caller]
fn done(ended: Ended) -> String {
    assert_eq!((ended.code, ended.late), (Some(0), false), "{ended:?}");
    ended.out
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_in_rust_send_two_letters_and_take_them() {
    let node = node();
    let sender = node.endpoint(INFORMATION);
    for name in ["1", "2", "2"] {
        let receipt = publish::publish(&sender, "H62.11", "H62.14", name).await.unwrap();
        assert!(receipt.note.contains(&receipt.message_id));
    }
    let error = publish::publish(&sender, "H62.11", "H62.77", "3").await.unwrap_err();
    assert!(error.to_string().contains("ADDRESSEE_UNKNOWN"), "{error}");
    let mut kept = Vec::new();
    let keep = |id: &str, payload: &[u8]| kept.push((id.to_owned(), payload.to_vec()));
    receive::receive(&node.endpoint(JUSTICE), 2, keep).await.unwrap();
    assert_eq!(kept.len(), 2);
    assert!(kept[0].0 != kept[1].0 && subject(&kept[0].1) == "V/v họp giao ban");
    let facts = node.fact_counts();
    assert_eq!((facts["Accepted"], facts["Rejected"], facts["Delivered"]), (2, 1, 2));
}

#[test]
fn the_examples_in_python_send_two_letters_and_take_them() {
    let node = node();
    let sender = node.endpoint(INFORMATION);
    for name in ["1", "2", "2"] {
        let note = done(run_python("publish.py", &sender, &["H62.11", "H62.14", name]));
        assert!(note.contains("lgsp"), "{note}");
    }
    let refused = run_python("publish.py", &sender, &["H62.11", "H62.77", "3"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.err.contains("INVALID_ARGUMENT: ADDRESSEE_UNKNOWN"),
        "{refused:?}"
    );
    let received = done(run_python("receive.py", &node.endpoint(JUSTICE), &["2"]));
    assert_eq!(received.matches("giao ban").count(), 2, "{received}");
    let facts = node.fact_counts();
    assert_eq!((facts["Accepted"], facts["Rejected"], facts["Delivered"]), (2, 1, 2));
}

/// It has no .proto file: only what the node says of itself.
#[test]
fn a_stranger_learns_from_the_node_alone_how_to_send_and_to_receive() {
    let node = node();
    let (sender, receiver) = (node.endpoint(INFORMATION), node.endpoint(JUSTICE));
    let [certificate, key] = papers(&receiver);
    let more = [certificate, key, "H62.11", "H62.14", "2451"];
    let told: Value = serde_json::from_str(&done(run_python("reflection.py", &sender, &more))).unwrap();
    let services: Vec<&str> = told["services"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    for service in [
        "grpc.health.v1.Health",
        "lgsp.audit.v1.Audit",
        "lgsp.exchange.v1.Exchange",
        "lgsp.operations.v1.Operations",
        "lgsp.registry.v1.Registry",
    ] {
        assert!(services.contains(&service), "{service} is not in {services:?}");
    }
    assert_eq!(told["handed"], told["message"]);
    assert_eq!(told["subject"], "V/v họp giao ban");
    assert_eq!(told["states"], json!(["DELIVERY_STATE_DELIVERED"]));
    let facts = node.fact_counts();
    assert_eq!((facts["Accepted"], facts["Collected"], facts["Delivered"]), (1, 1, 1));
}

#[test]
fn an_example_is_read_on_one_page() {
    for (text, most) in [
        (include_str!("../../examples/rust/publish.rs"), 40),
        (include_str!("../../examples/rust/receive.rs"), 40),
        (include_str!("../../examples/python/publish.py"), 40),
        (include_str!("../../examples/python/receive.py"), 40),
        (include_str!("../../examples/python/reflection.py"), 60),
    ] {
        let lines = text.lines().count();
        let first = text.lines().next();
        assert!(lines <= most, "{first:?}: {lines} lines, at most {most}");
    }
}

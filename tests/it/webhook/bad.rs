//! Bad receivers: each has its code, which the operator sees, and what it was sent is not lost.

use std::sync::Arc;

use lgsp_adapters::webhook::simulator::{Manner, Receiver};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use serde_json::Value;

use super::TIME_LIMIT;
use super::town::{SECRET, home_that_tries_once, send, until_facts};
use crate::support::Node;

/// Sends a letter; what `lgsp trace` says of the try, and `lgsp status` of the line.
#[track_caller]
fn tried(node: &Node, number: &str, dead: u64, code: &str) {
    let id = send(node, number);
    until_facts(node, "DeadLettered", dead);
    let trace = node.lgsp(&["trace", &id]);
    let tells = |line: &str| line.contains("attemptfailed") && line.ends_with(&format!(" ({code})"));
    assert!(trace.out.lines().any(tells), "{code}: {trace:?}");
    assert!(trace.out.contains("dead-lettered (TRIES_EXHAUSTED)"), "{trace:?}");
    let status = node.lgsp(&["status"]);
    assert!(
        status.out.contains(&format!("last failure {code}")),
        "{code}: {status:?}"
    );
}

#[test]
fn every_bad_receiver_is_told_by_its_code_and_once_it_is_mended_all_letters_come() {
    let receiver = Receiver::start(SECRET, None).unwrap();
    let elsewhere = Receiver::start(SECRET, None).unwrap();
    let node = Node::start(home_that_tries_once(&receiver.url()));
    let page = String::from("<html>Hệ thống đang bảo trì</html>");
    let location = vec![format!("location: {}", elsewhere.url())];
    let manners = [
        (Manner::Answer(307, location, String::new()), "REDIRECTED"),
        (Manner::EndlessBody, "ANSWER_TOO_LARGE"),
        (Manner::Answer(200, Vec::new(), page), "ANSWER_UNKNOWN"),
        (Manner::Garbage, "ANSWER_BROKEN"),
        (Manner::Hang, "ANSWER_LATE"),
        (Manner::TakeAndCut, "ANSWER_BROKEN"),
        (Manner::Answer(500, Vec::new(), String::new()), "HTTP_500"),
    ];
    let letters = manners.len() as u64;
    for (dead, (manner, code)) in (1..).zip(manners) {
        receiver.behave(manner);
        tried(&node, &dead.to_string(), dead, code);
    }
    receiver.behave(Manner::Refuse(String::from("FORM_UNKNOWN")));
    let refused = send(&node, "refused");
    until_facts(&node, "DeadLettered", letters + 1);
    let trace = node.lgsp(&["trace", &refused]);
    assert!(trace.out.contains("dead-lettered (FORM_UNKNOWN)"), "{trace:?}");
    receiver.behave(Manner::Take);
    let redriven = node.lgsp(&["redrive", "--all", "--json"]);
    assert_eq!(redriven.code, Some(0), "{redriven:?}");
    let seen = receiver
        .wait(TIME_LIMIT, |seen| seen.inbox.len() as u64 == letters + 1)
        .unwrap();
    until_facts(&node, "Delivered", letters + 1);
    assert!(
        seen.inbox.iter().any(|letter| letter.times == 2),
        "one had been taken before"
    );
    assert_eq!(elsewhere.seen().tries.len(), 0, "nobody was sent on");
    let log = node.log();
    assert!(!log.contains("bảo trì"), "nothing of a far side is in the log");
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let pushed = lines.filter(|line| line["message"] == "pushed").count() as u64;
    assert!(pushed > 2 * letters, "{pushed} lines");
}

#[test]
fn a_receiver_with_a_certificate_of_nobody_gets_nothing() {
    let key = rcgen::generate_simple_self_signed([String::from("127.0.0.1")]).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], key.signing_key.into())
        .unwrap();
    let receiver = Receiver::start(SECRET, Some(Arc::new(config))).unwrap();
    let node = Node::start(home_that_tries_once(&receiver.url()));
    tried(&node, "1", 1, "TLS_CERTIFICATE");
    assert_eq!(receiver.seen().tries.len(), 0);
}

#[test]
fn an_address_inside_is_not_called_whatever_the_registry_says() {
    let receiver = Receiver::start(SECRET, None).unwrap();
    let mut home = home_that_tries_once(&receiver.url());
    home.set("webhook", "networks", vec!["10.0.0.0/8"]);
    let node = Node::start(home);
    tried(&node, "1", 1, "ADDRESS_FORBIDDEN");
    let mut home = home_that_tries_once("http://elsewhere.example.vn/");
    home.set("webhook", "networks", vec!["127.0.0.0/8"]);
    let node = Node::start(home);
    tried(&node, "1", 1, "HOST_NOT_ALLOWED");
    assert_eq!(receiver.seen().tries.len(), 0);
}

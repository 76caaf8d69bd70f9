//! A department's HTTP service that is called: away, back, killed in between, and every way in which it can be bad.

mod bad;
mod canary;
pub(crate) mod town;

use std::io::BufRead as _;
use std::io::BufReader;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lgsp_adapters::webhook::simulator::{Manner, Receiver};
use serde_json::Value;

use crate::support::{INFORMATION, Node, written};
use town::{SECRET, home, letter, send, until_facts, until_status};

/// Longest wait for something to come.
const TIME_LIMIT: Duration = Duration::from_secs(60);

#[test]
fn what_was_sent_while_the_receiver_was_away_comes_when_it_is_back_nothing_lost_nothing_doubled() {
    let receiver = Receiver::start(SECRET, None).unwrap();
    receiver.go_away();
    let node = Node::start(home(&receiver.url()));
    let mut desk = INFORMATION.desk(&node);
    let packets: Vec<Vec<u8>> = ["1", "2", "3"].map(|number| written(&letter(number))).to_vec();
    for packet in &packets {
        desk.send(packet).unwrap();
    }
    node.wait_message("the far side fails again and again: it is left alone");
    let line = "0 under way, 3 waiting, last failure CONNECT_FAILED; left alone until it can be reached";
    until_status(&node, line);
    let failed = node.fact_counts()["AttemptFailed"];
    // Two have their effect without a good answer.
    receiver.behave_next([Manner::TakeAndCut, Manner::TakeAndHalfAnswer]);
    receiver.come_back().unwrap();
    let seen = receiver.wait(TIME_LIMIT, |seen| seen.inbox.len() == 3).unwrap();
    until_facts(&node, "Delivered", 3);
    let facts = node.fact_counts();
    assert_eq!(
        facts["AttemptFailed"],
        failed + 2,
        "as long as it was away it cost no more tries"
    );
    assert_eq!(facts.get("DeadLettered"), None);
    assert_eq!((receiver.seen().inbox.len(), receiver.seen().tries.len()), (3, 5));
    // What was sent is what came, byte for byte.
    let mut came: Vec<Vec<u8>> = seen.inbox.iter().map(|letter| original(&letter.body)).collect();
    came.sort();
    let mut sent = packets;
    sent.sort();
    assert!(came == sent);
}

/// The bytes of the original in a letter.
fn original(body: &[u8]) -> Vec<u8> {
    let body: Value = serde_json::from_slice(body).unwrap();
    let file = &body["data"]["files"][0];
    assert_eq!(file["role"], "original");
    STANDARD.decode(file["content"].as_str().unwrap()).unwrap()
}

#[test]
fn a_node_that_was_killed_when_the_receiver_had_answered_pushes_again_and_the_inbox_holds_it_once() {
    let receiver = Receiver::start(SECRET, None).unwrap();
    let mut node = Node::start_failing_at(home(&receiver.url()), "after-push", 1);
    send(&node, "1");
    node.wait_marker();
    node.kill();
    assert_eq!(receiver.seen().inbox.len(), 1);
    node.restart();
    until_facts(&node, "Delivered", 1);
    let seen = receiver.seen();
    assert_eq!((seen.inbox.len(), seen.inbox[0].times), (1, 2));
}

/// Killed when it is dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // Already ended is as good.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn the_receiver_in_the_readme_works_as_it_stands_there() {
    let readme = include_str!("../../crates/lgsp-adapters/src/webhook/README.md");
    let code = readme.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let node = Node::start(home(&format!("http://127.0.0.1:{port}/")));
    let root = node.home().root();
    let mut python = Command::new("python3");
    python.args(["-c", code, &port.to_string()]);
    python
        .arg(node.home().secret_of(town::SYSTEM))
        .arg(root.join("inbox.db"));
    let mut python = Killed(python.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    for number in ["1", "2"] {
        send(&node, number);
    }
    let mut told = BufReader::new(python.0.stdout.take().unwrap());
    for _ in 0..2 {
        let mut line = String::new();
        told.read_line(&mut line).unwrap();
        assert!(line.ends_with(" vn.lgsp.document/1\n"), "{line}");
    }
    until_facts(&node, "Delivered", 2);
}

#[test]
fn a_receiver_that_is_away_for_too_long_is_switched_off_and_an_operator_resumes_it() {
    let receiver = Receiver::start(SECRET, None).unwrap();
    receiver.go_away();
    let mut home = home(&receiver.url());
    home.set("push", "switch_off_after_ms", 1_000);
    let node = Node::start(home);
    send(&node, "1");
    until_status(&node, "; switched off until `lgsp resume`");
    receiver.come_back().unwrap();
    let unknown = node.lgsp(&["resume", "nobody"]);
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
    assert_eq!(receiver.seen().tries.len(), 0, "nobody looked");
    let resumed = node.lgsp(&["resume", "app-94"]);
    assert_eq!(
        (resumed.code, resumed.out.as_str()),
        (Some(0), "app-94  resumed"),
        "{resumed:?}"
    );
    until_facts(&node, "Delivered", 1);
    assert_eq!(receiver.seen().inbox.len(), 1);
}

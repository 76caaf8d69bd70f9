//! Any language will do: the example in Python, made from the proto alone, attaches to a real node.

use std::fs;
use std::io::BufRead as _;
use std::io::BufReader;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use lgsp_proto::exchange::v1;
use lgsp_types::{
    Adapter as _, AgencyCode, Answered, ConnectorId, ContractRef, DeliveryId, EvidenceKind, Fetched, MsgId, Push,
    Pushed, Question, Traceparent, UnixMs,
};
use serde_json::Value;

use super::host::{CONNECTOR, Host, SYSTEM};
use crate::support::{self, Home, Node, data, python};

/// An agency whose software has a push connector, and the adapter that serves it.
const REGISTRY: &str = r#"
format = 1
[[agency]]
id = "test.so-python"
kind = "department"
names = ["Sở dùng Python (thử)"]
codes = ["H62.93"]
[[system]]
id = "folder.test.93"
agency = "test.so-python"
speaks_for = ["H62.93"]
[[connector]]
id = "folder-93"
system = "folder.test.93"
adapter = "folder"
mode = "push"
retry_waits_ms = [0, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20]
[[adapter]]
id = "python-1"
speaks_as = ["folder.test.93"]
"#;

/// Killed when it is dropped.
struct Example(Child);

impl Drop for Example {
    fn drop(&mut self) {
        // Already ended is as good.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn node() -> Node {
    Node::start(home())
}

fn home() -> Home {
    let mut home = Home::new();
    home.serve_grpc();
    home.set("push", "probe_interval_ms", 100);
    let file = home.root().join("python.toml");
    fs::write(&file, REGISTRY).unwrap();
    let files = [data("registry/test.toml"), file].map(|path| path.to_str().unwrap().to_owned());
    home.set("registry", "files", files.to_vec());
    home
}

/// Starts the example for the node at this address; what it prints is read.
fn start(url: &str, endpoint: &lgsp_api::Endpoint, folder: &str) -> Example {
    let (certificate, key) = endpoint.certificate.as_ref().unwrap();
    let path = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let arguments = [
        ("--node", url.trim_start_matches("https://").to_owned()),
        ("--name", String::from("127.0.0.1")),
        ("--ca", path(&endpoint.ca)),
        ("--certificate", path(certificate)),
        ("--key", path(key)),
        ("--system", String::from(SYSTEM)),
        ("--folder", folder.to_owned()),
        ("--from", String::from("H62.93")),
        ("--to", String::from("H62.14")),
    ];
    let arguments: Vec<&str> = arguments
        .iter()
        .flat_map(|(flag, value)| [*flag, value.as_str()])
        .collect();
    let mut command = python("adapter.py", &arguments);
    Example(command.stdout(Stdio::piped()).spawn().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_made_from_the_proto_alone_attaches_publishes_and_is_checked() {
    let node = node();
    let folder = node.home().root().join("in");
    fs::create_dir(&folder).unwrap();
    let mut example = start(
        node.grpc(),
        &node.endpoint("adapter/python-1"),
        folder.to_str().unwrap(),
    );
    node.wait_message("the far side can be used");
    let mut told = BufReader::new(example.0.stdout.take().unwrap());
    let mut message_id = String::new();
    told.read_line(&mut message_id).unwrap();
    let mut receiver = node.exchange("system/vxp.test.14").await;
    let waiting = loop {
        let request = v1::ListDeliveriesRequest::default();
        let list = receiver.list_deliveries(request).await.unwrap().into_inner().deliveries;
        if !list.is_empty() {
            break list;
        }
    };
    assert_eq!(
        (waiting.len(), waiting[0].message_id.as_str()),
        (1, message_id.trim_end())
    );
    assert_eq!(waiting[0].from, "H62.93");
    let attached = node.log();
    let attached = attached
        .lines()
        .find(|line| line.contains("an adapter is attached"))
        .unwrap();
    let attached: Value = serde_json::from_str(attached).unwrap();
    assert_eq!(
        (&attached["adapter.id"], &attached["program"]),
        (&"python-1".into(), &"adapter.py 1".into())
    );

    // Its folder is gone: at its next coming the operator is told.
    drop(example);
    fs::remove_dir(&folder).unwrap();
    let _example = start(
        node.grpc(),
        &node.endpoint("adapter/python-1"),
        folder.to_str().unwrap(),
    );
    node.wait_message("the far side cannot be used");
}

/// A letter to the agency whose software the example serves.
async fn send(node: &Node, number: &str) -> String {
    let letter = v1::Message {
        contract: String::from("vn.lgsp.document/1"),
        from: String::from("H62.11"),
        to: vec![String::from("H62.93")],
        idempotency_key: number.to_owned(),
        order_key: String::from("one after another"),
        payload: support::letter(number).to_string().into_bytes().into(),
        ..v1::Message::default()
    };
    let request = v1::PublishRequest { message: Some(letter) };
    let answer = node
        .exchange("system/vxp.test.11")
        .await
        .publish(request)
        .await
        .unwrap();
    answer.into_inner().receipt.unwrap().message_id
}

/// What the example wrote, in the order in which it came.
fn written(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let whole = files.filter(|file| file.extension().is_some_and(|ending| ending == "json"));
    let mut whole: Vec<_> = whole
        .map(|file| (fs::metadata(&file).unwrap().modified().unwrap(), file))
        .collect();
    whole.sort();
    whole
        .into_iter()
        .map(|(_, file)| fs::read_to_string(file).unwrap())
        .collect()
}

fn until_written(folder: &Path, letters: usize) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let written = written(folder);
        if written.len() >= letters {
            return written;
        }
        assert!(Instant::now() < deadline, "{written:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn until_facts(node: &Node, kind: &str, count: u64) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while node.fact_counts().get(kind).copied().unwrap_or(0) < count {
        assert!(Instant::now() < deadline, "{:?}", node.fact_counts());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_are_pushed_in_order_once_their_far_side_is_there_and_it_was_left_alone_until_then() {
    let node = Node::start(home());
    let folder = node.home().root().join("in");
    fs::create_dir(&folder).unwrap();
    let first = send(&node, "1").await;
    send(&node, "2").await;
    send(&node, "3").await;
    node.wait_message("the far side fails again and again: it is left alone");
    assert_eq!(node.fact_counts()["AttemptFailed"], 10, "the first in line, ten times");
    let status = node.lgsp(&["status"]);
    let line =
        "push         folder-93: 0 under way, 3 waiting, last failure ADAPTER_AWAY; left alone until it can be reached";
    assert!(
        status.code == Some(0) && status.out.lines().any(|told| told == line),
        "{status:?}"
    );
    assert!(
        status.out.contains("3 accepted, 0 repeats") && status.out.contains("3 open"),
        "{status:?}"
    );
    let papers = node.endpoint("adapter/python-1");
    let _example = start(node.grpc(), &papers, folder.to_str().unwrap());
    let letters = until_written(&folder, 3);
    assert_eq!(
        letters,
        ["1", "2", "3"].map(|number| support::letter(number).to_string())
    );
    until_facts(&node, "Delivered", 3);
    let facts = node.fact_counts();
    assert_eq!(
        (facts["AttemptFailed"], facts.get("DeadLettered")),
        (10, None),
        "{facts:?}"
    );
    let request = v1::GetMessageRequest { message_id: first };
    let told = node
        .exchange("system/vxp.test.11")
        .await
        .get_message(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(told.deliveries[0].state(), v1::DeliveryState::Delivered);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_whose_push_was_answered_when_the_node_was_killed_comes_again_and_is_written_once() {
    let mut node = Node::start_failing_at(home(), "after-push", 1);
    let folder = node.home().root().join("in");
    fs::create_dir(&folder).unwrap();
    let papers = node.endpoint("adapter/python-1");
    let example = start(node.grpc(), &papers, folder.to_str().unwrap());
    node.wait_message("the far side can be used");
    send(&node, "1").await;
    node.wait_marker();
    node.kill();
    drop(example);
    assert_eq!(written(&folder).len(), 1, "its far side has it");
    node.restart();
    let _example = start(
        node.grpc(),
        &node.endpoint("adapter/python-1"),
        folder.to_str().unwrap(),
    );
    until_facts(&node, "Delivered", 1);
    assert_eq!(written(&folder).len(), 1, "under the id of its delivery");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_found_by_its_reason_and_redriven_when_its_far_side_was_mended() {
    let home = home();
    let file = home.root().join("python.toml");
    let waits = "retry_waits_ms = [0, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20]";
    fs::write(&file, REGISTRY.replace(waits, "retry_waits_ms = [0]")).unwrap();
    let node = Node::start(home);
    let folder = node.home().root().join("in");
    let papers = node.endpoint("adapter/python-1");
    let _example = start(node.grpc(), &papers, folder.to_str().unwrap());
    node.wait_message("the far side cannot be used");
    send(&node, "1").await;
    send(&node, "2").await;
    until_facts(&node, "DeadLettered", 2);
    let shown = node.lgsp(&["redrive", "--dry-run", "--reason", "TRIES_EXHAUSTED"]);
    assert_eq!((shown.code, shown.out.lines().count()), (Some(0), 2), "{shown:?}");
    assert!(
        shown
            .out
            .lines()
            .all(|line| line.contains("TRIES_EXHAUSTED  to H62.93")),
        "{shown:?}"
    );
    let usage = node.lgsp(&["redrive"]);
    assert_eq!(usage.code, Some(2), "{usage:?}");
    let none = node.lgsp(&["redrive", "--reason", "FORM_UNKNOWN"]);
    assert_eq!(none.code, Some(1), "{none:?}");
    fs::create_dir(&folder).unwrap();
    let latest = shown.out.split_whitespace().next().unwrap();
    let one = node.lgsp(&["redrive", latest, "--json"]);
    let told: Value = serde_json::from_str(&one.out).unwrap();
    assert_eq!((one.code, &told["generation"]), (Some(0), &1.into()), "{one:?}");
    until_written(&folder, 1);
    let rest = node.lgsp(&["redrive", "--all"]);
    assert_eq!((rest.code, rest.out.lines().count()), (Some(0), 1), "{rest:?}");
    until_written(&folder, 2);
    until_facts(&node, "Delivered", 2);
    let again = node.lgsp(&["redrive", latest]);
    assert_eq!(again.code, Some(1), "{again:?}");
}

/// Of the one push.
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn push(attempt: u32) -> Push {
    Push {
        connector: ConnectorId::parse(CONNECTOR).unwrap(),
        delivery: DeliveryId::from_bytes([7; 16]),
        attempt,
        accepted_ms: UnixMs(5),
        from: AgencyCode::parse("H62.11").unwrap(),
        to: AgencyCode::parse("H62.93").unwrap(),
        content: Fetched {
            msg_id: MsgId::from_bytes([1; 16]),
            contract: ContractRef::parse("vn.lgsp.document/1").unwrap(),
            payload: (&b"{\"number\":\"7\"}"[..]).into(),
            objects: Vec::new(),
            trace: Traceparent::parse(TRACEPARENT).ok(),
        },
    }
}

/// As long as the process is on its way.
async fn attached(host: &Host) {
    let connector = ConnectorId::parse(CONNECTOR).unwrap();
    let checked = async {
        while host.gateway.check(&connector).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), checked)
        .await
        .expect("the example attaches");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_writes_what_is_pushed_once_however_often_it_comes_and_asks_for_more_time_when_it_cannot() {
    let tasks = tokio_util::task::TaskTracker::new();
    let host = Host::start(&tasks).await;
    let folder = tempfile::tempdir().unwrap();
    let _example = start(&host.url, &host.endpoint(), folder.path().to_str().unwrap());
    attached(&host).await;
    for attempt in 1..=2 {
        let Pushed::Done(evidence) = host.gateway.deliver(push(attempt)).await else {
            panic!("not done")
        };
        assert_eq!(evidence.kind, EvidenceKind::Answer);
    }
    let written: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    let [letter, trace] = ["json", "traceparent"].map(|ending| {
        let mut files = written
            .iter()
            .filter(|file| file.extension().is_some_and(|it| it == ending));
        fs::read_to_string(files.next().unwrap()).unwrap()
    });
    assert_eq!(written.len(), 2, "{written:?}");
    assert_eq!((letter.as_str(), trace.as_str()), ("{\"number\":\"7\"}", TRACEPARENT));
    let question = Question {
        connector: ConnectorId::parse(CONNECTOR).unwrap(),
        msg_id: MsgId::from_bytes([1; 16]),
        contract: ContractRef::parse("a/1").unwrap(),
        payload: (&b"?"[..]).into(),
    };
    let Answered::Refused(reason) = host.gateway.answer(question).await else {
        panic!("not refused")
    };
    assert_eq!(reason.as_str(), "QUESTIONS_NOT_ANSWERED");
    drop(folder);
    let Pushed::TryAgain { reason, after } = host.gateway.deliver(push(3)).await else {
        panic!("not told")
    };
    assert_eq!(
        (reason.as_str(), after),
        ("FOLDER_TROUBLE", Some(Duration::from_secs(30)))
    );
    let failed = host
        .gateway
        .check(&ConnectorId::parse(CONNECTOR).unwrap())
        .await
        .unwrap_err();
    assert!(
        failed.source.to_string().contains("there is no folder"),
        "{}",
        failed.source
    );
}

//! Any language will do: the example in Python, made from the proto alone, attaches to a real node.

use std::fs;
use std::io::BufRead as _;
use std::io::BufReader;
use std::process::{Child, Stdio};
use std::time::Duration;

use lgsp_proto::exchange::v1;
use lgsp_types::{
    Adapter as _, AgencyCode, Answered, ConnectorId, ContractRef, DeliveryId, EvidenceKind, Fetched, MsgId, Push,
    Pushed, Question, UnixMs,
};
use serde_json::Value;

use super::host::{CONNECTOR, Host, SYSTEM};
use crate::support::{Home, Node, data, python};

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
    let mut home = Home::new();
    home.serve_grpc();
    let file = home.root().join("python.toml");
    fs::write(&file, REGISTRY).unwrap();
    let files = [data("registry/test.toml"), file].map(|path| path.to_str().unwrap().to_owned());
    home.set("registry", "files", files.to_vec());
    Node::start(home)
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
    assert_eq!(written.len(), 1, "{written:?}");
    assert_eq!(fs::read(&written[0]).unwrap(), b"{\"number\":\"7\"}");
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

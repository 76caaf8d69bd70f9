//! Any language will do: the example in Python, made from the proto alone, attaches to a real node.

use std::fs;
use std::io::BufRead as _;
use std::io::BufReader;
use std::process::{Child, Stdio};

use lgsp_proto::exchange::v1;
use serde_json::Value;

use crate::support::{Home, Node, data, python};

const SYSTEM: &str = "folder.test.93";

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
pub(super) struct Example(pub(super) Child);

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
pub(super) fn start(url: &str, endpoint: &lgsp_api::Endpoint, folder: &str) -> Example {
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

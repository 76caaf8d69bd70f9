//! A node on a real Kafka: what it accepts lies in the topics, and its store and its proofs come from there.

mod brokers;
mod killed;
mod pair;
mod standby;

use std::fs;
use std::path::Path;

use lgsp_adapters::edxml_vxp::client::MessageType;
use lgsp_ledger::kafka::Cluster;
use serde_json::{Value, json};

use crate::support::{Ended, Home, INFORMATION, JUSTICE, Node, run, to_lgsp, written};

/// Settings for a node on this cluster that does not wait long for a broker that is away.
fn home(cluster: &Cluster) -> Home {
    on(cluster, Home::new())
}

fn on(cluster: &Cluster, mut home: Home) -> Home {
    home.set("ledger", "kind", "kafka");
    home.set("ledger", "partitions", 3);
    home.set("kafka", "bootstrap", vec![cluster.bootstrap()]);
    for name in ["replication", "min_insync"] {
        home.set("kafka", name, 1);
    }
    home.set("kafka", "request_timeout_ms", 1_000);
    home.set("kafka", "socket_timeout_ms", 3_000);
    home.set("kafka", "message_timeout_ms", 5_000);
    home.set("kafka", "lease_ms", 6_000);
    home
}

fn lgsp(home: &Home, arguments: &[&str]) -> Ended {
    let mut command = to_lgsp(arguments);
    command.arg("--config").arg(home.settings_file());
    run(command)
}

/// What `lgsp ledger init` says it made.
fn init(home: &Home) -> Vec<Value> {
    let ended = lgsp(home, &["ledger", "init", "--json"]);
    let told: Value = serde_json::from_str(&ended.out).unwrap_or_else(|_| panic!("no report: {ended:?}"));
    let row = |row: &Value| json!([row["topic"], row["partitions"], row["made"]]);
    told["topics"].as_array().unwrap().iter().map(row).collect()
}

fn verify(node: &Node) -> Value {
    let data = node.home().data();
    let key = fs::read_to_string(data.join("keys/log.vkey")).unwrap();
    let ended = node.lgsp(&["verify", "--json", "--key", key.trim(), "--data", text(&data)]);
    serde_json::from_str(&ended.out).unwrap_or_else(|_| panic!("no report: {ended:?}"))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The tables of the store in use are those that the topic gives.
fn rebuilds_the_same(node: &Node) {
    let ended = node.lgsp(&["rebuild", "--json"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let report: Value = serde_json::from_str(&ended.out).unwrap();
    let tables = report["tables"].as_array().unwrap();
    assert!(tables.len() > 3, "{report}");
    assert!(
        tables.iter().all(|table| table["rebuilt"] == table["in_use"]),
        "{report}"
    );
}

#[test]
fn a_document_crosses_over_kafka_and_its_proof_comes_from_the_topic() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::start(1, folder.path()).unwrap();
    let home = home(&cluster);
    let early = lgsp(&home, &["serve"]);
    assert_eq!(early.code, Some(3), "{early:?}");
    assert!(early.err.contains("lgsp ledger init"), "{early:?}");
    let topics = |made: &str| {
        [("lgsp.control", 1), ("lgsp.lease", 1), ("lgsp", 3)]
            .map(|(topic, partitions)| json!([topic, partitions, made]))
    };
    assert_eq!(init(&home), topics("topic"));
    assert_eq!(init(&home), topics("nothing"));

    let mut node = Node::start(home);
    let (mut sender, mut receiver) = (INFORMATION.desk(&node), JUSTICE.desk(&node));
    for number in ["1", "2", "3", "4"] {
        sender.send(&written(&INFORMATION.letter(number, &[JUSTICE]))).unwrap();
    }
    receiver.take(MessageType::Edoc, 4);
    let traced = node.lgsp(&["trace", "--json", "3/THU-NGHIEM"]);
    assert!(traced.code == Some(0) && traced.out.contains("Delivered"), "{traced:?}");

    // The broker goes: nothing is accepted, and whoever asks again is told what became of it.
    cluster.kill(1).unwrap();
    let late = written(&INFORMATION.letter("5", &[JUSTICE]));
    assert_eq!(sender.send(&late).unwrap_err().error_code(), Some("20"));
    // For longer than the lease: that ends no node while no other is there.
    node.wait_message("the lease was not renewed in time: nothing is accepted or handed out until it is");
    cluster.start_again().unwrap();
    while sender.send(&late).is_err() {}
    receiver.take(MessageType::Edoc, 1);

    node.kill();
    rebuilds_the_same(&node);
    node.restart();
    rebuilds_the_same(&node);
    let report = verify(&node);
    assert_eq!(report["findings"], json!([]), "{report}");
    assert!(report["facts"]["Accepted"].as_u64().unwrap() >= 5, "{report}");
    assert!(receiver_is_done(&node), "a document is there again");
    node.stop();
    let replaced = node.lgsp(&["rebuild", "--replace"]);
    assert_eq!(replaced.code, Some(0), "{replaced:?}");
    node.restart();
    assert!(receiver_is_done(&node), "a document is there again");
}

fn receiver_is_done(node: &Node) -> bool {
    JUSTICE.desk(node).waiting(MessageType::Edoc).is_empty()
}

#[test]
fn a_wrong_setting_of_kafka_is_refused_with_its_rule() {
    let mut home = Home::new();
    home.set("ledger", "kind", "kafka");
    home.set("kafka", "bootstrap", vec!["kafka.example:9092"]);
    home.set("kafka", "socket_timeout_ms", 8_000);
    home.set("kafka", "message_timeout_ms", 60_000);
    home.set("kafka", "min_insync", 4);
    let ended = lgsp(&home, &["config", "--check"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    for told in [
        "kafka.bootstrap",
        "plaintext",
        "keep request_timeout_ms < socket_timeout_ms < message_timeout_ms",
        "60000 ms is not less than vxp.answer_timeout_ms",
        "4 is more than kafka.replication",
    ] {
        assert!(ended.err.contains(told), "`{told}` is not in {}", ended.err);
    }
    home.set("ledger", "kind", "local");
    let local = lgsp(&home, &["ledger", "init"]);
    assert!(local.code == Some(2) && local.err.contains("ledger.kind"), "{local:?}");
}

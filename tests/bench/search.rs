//! Finding documents among very many. `LGSP_BENCH_DOCUMENTS` says among how many; filling a million takes some minutes.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use futures_util::stream;
use lgsp_proto::exchange::v1;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::support::{Home, Node, letter};

const SENDER: &str = "system/vxp.test.11";
const ROUNDS: usize = 50;
/// Words of subjects; each letter has three of them, and a number of its own.
const WORDS: [&str; 12] = [
    "đô thị",
    "kế hoạch",
    "báo cáo",
    "họp",
    "đầu tư",
    "giáo dục",
    "y tế",
    "giao thông",
    "đất đai",
    "cải cách",
    "dữ liệu",
    "an ninh",
];

pub(super) fn measure() {
    let count = std::env::var("LGSP_BENCH_DOCUMENTS").map_or(20_000, |count| count.parse().unwrap());
    let mut home = Home::new();
    home.serve_grpc();
    for setting in ["calls_per_second", "calls_burst"] {
        home.set("grpc", setting, 1_000_000);
    }
    home.set("seal", "stop_after_ms", 86_400_000);
    let node = Node::start(home);
    let start = Instant::now();
    Runtime::new().unwrap().block_on(fill(&node, count));
    let last = format!("{}/THU-NGHIEM", count - 1);
    while found(&node, &json!({"number": (count - 1).to_string()})) == 0 {
        assert!(start.elapsed() < Duration::from_hours(2), "{last} is not found");
    }
    println!(
        "\n{count} documents accepted and filed in {:.0} s; then, a page of 20 as the socket answers it:",
        start.elapsed().as_secs_f64()
    );
    for (what, query) in [
        ("by number", json!({"number": (count / 2).to_string()})),
        ("by one common word", json!({"words": "DO THI"})),
        ("by three words", json!({"words": "do thi ke hoach bao cao"})),
        ("by words that nobody wrote", json!({"words": "khong co"})),
        ("by agency and state", json!({"agency": "H62.14", "state": "sent"})),
    ] {
        let mut waits: Vec<Duration> = (0..ROUNDS)
            .map(|_| {
                let start = Instant::now();
                found(&node, &query);
                start.elapsed()
            })
            .collect();
        waits.sort_unstable();
        let at = |share: usize| waits[waits.len() * share / 100].as_secs_f64() * 1e3;
        println!(
            "  search {what}: p50 {:.1} ms, p98 {:.1} ms, {} found",
            at(50),
            at(98),
            found(&node, &query)
        );
    }
}

async fn fill(node: &Node, count: usize) {
    let mut client = node.exchange(SENDER).await;
    let messages = (0..count).map(|number| v1::PublishStreamRequest {
        message: Some(document(number)),
    });
    let mut answers = client
        .publish_stream(stream::iter(messages))
        .await
        .unwrap()
        .into_inner();
    for _ in 0..count {
        answers.message().await.unwrap().unwrap();
    }
}

fn document(number: usize) -> v1::Message {
    let word = |step: usize| WORDS[(number / step) % WORDS.len()];
    let mut payload = letter(&format!("V/v {} {} {} số {number}", word(1), word(12), word(144)));
    let id = format!("H62.11,2026/11/24,{number}/THU-NGHIEM");
    payload["id"] = id.as_str().into();
    payload["code"] = json!({"number": number.to_string(), "notation": "THU-NGHIEM"});
    v1::Message {
        contract: "vn.lgsp.document/1".to_owned(),
        from: "H62.11".to_owned(),
        to: vec!["H62.14".to_owned()],
        idempotency_key: number.to_string(),
        act: "0".to_owned(),
        documents: vec![v1::DocumentReference {
            relation: v1::document_reference::Relation::Is.into(),
            id,
            organ: "H62.11".to_owned(),
            code: format!("{number}/THU-NGHIEM"),
            date: "2026-11-24".to_owned(),
        }],
        payload: payload.to_string().into_bytes().into(),
        ..v1::Message::default()
    }
}

/// How many documents the node's answer lists: the socket is asked by hand, so that no process is measured.
fn found(node: &Node, query: &Value) -> usize {
    let encoded: String = query.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect();
    let mut socket = UnixStream::connect(node.home().data().join("lgsp.sock")).unwrap();
    write!(socket, "GET /v1/search?query={encoded} HTTP/1.1\r\nhost: node\r\n\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
    let told: Value = serde_json::from_str(body).unwrap();
    told["documents"].as_array().unwrap().len()
}

//! People and integrators at the command line: `lgsp send`, `publish`, `receive` and `tail` over the public interface alone.

use std::fs;
use std::path::Path;

use lgsp_api::Endpoint;
use serde_json::{Value, json};

use crate::support::{self, Ended, Node, run, to_lgsp};

const INFORMATION: &str = "system/vxp.test.11";
const JUSTICE: &str = "system/vxp.test.14";

/// Written as no program of ours would: what comes out must be these very bytes.
const ODD_LETTER: &str = r#"{"subject":"V/v th\u1eed","id":"1", "code":{"number":"12","notation":"A"},
 "promulgation":{"date":"2026-11-24"},"type":{"name":"Công văn"},"signer":{"full_name":"Nguyễn Văn Mẫu"},
 "from":{"code":"H62.11"},"to":[{"code":"H62.14"}],"business":{"kind":0.0e1}}"#;

fn node() -> Node {
    Node::start_with_grpc(|_| {})
}

/// One command of this caller.
fn call(endpoint: &Endpoint, arguments: &[&str]) -> Ended {
    let mut command = to_lgsp(arguments);
    command.args(["--node", &endpoint.url, "--ca"]).arg(&endpoint.ca);
    if let Some((certificate, key)) = &endpoint.certificate {
        command.arg("--cert").arg(certificate).arg("--key").arg(key);
    }
    if let Some(token) = &endpoint.token {
        command.arg("--token-file").arg(token);
    }
    run(command)
}

fn lines(ended: &Ended) -> Vec<Value> {
    ended
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn put(node: &Node, name: &str, bytes: &[u8]) -> String {
    let path = node.home().root().join(name);
    fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_person_sends_a_letter_with_a_file_and_another_one_takes_it_into_a_folder() {
    let node = node();
    let letter = put(&node, "letter.json", ODD_LETTER.as_bytes());
    let file = put(&node, "Phụ lục 1.pdf", b"%PDF-1.4");
    let sender = node.endpoint(INFORMATION);
    let sending = [
        "send",
        "--from",
        "H62.11",
        "--to",
        "H62.14",
        "--idempotency-key",
        "12",
        "--attach",
        &file,
        &letter,
    ];
    let sent = call(&sender, &sending);
    assert_eq!(sent.code, Some(0), "{sent:?}");
    let again = call(&sender, &[&sending[..], &["--json"]].concat());
    let again: Value = serde_json::from_str(&again.out).unwrap();
    assert_eq!(again["repeat"], true);
    assert!(sent.out.starts_with(again["message_id"].as_str().unwrap()), "{sent:?}");
    assert!(
        sent.out.ends_with(again["note"].as_str().unwrap().trim_end()),
        "{sent:?}"
    );

    let receiver = node.endpoint_by_token(JUSTICE, "receive");
    let inbox = node.home().root().join("inbox");
    let receiving = ["receive", "--once", "--out", inbox.to_str().unwrap()];
    let got = call(&receiver, &receiving);
    let got = &lines(&got)[0];
    let folder = Path::new(got["folder"].as_str().unwrap());
    assert_eq!(
        fs::read(folder.join("payload.json")).unwrap(),
        fs::read(&letter).unwrap()
    );
    assert_eq!(fs::read(folder.join("01-Phụ lục 1.pdf")).unwrap(), b"%PDF-1.4");
    let about: Value = serde_json::from_slice(&fs::read(folder.join("delivery.json")).unwrap()).unwrap();
    assert_eq!(
        (&about["message_id"], &about["from"]),
        (&again["message_id"], &json!("H62.11"))
    );
    let nothing = call(&receiver, &receiving);
    assert_eq!((nothing.code, nothing.out.as_str()), (Some(0), ""));

    let told = call(&sender, &["tail", "--receipts", "--limit", "2", "--json"]);
    let kinds: Vec<Value> = lines(&told).into_iter().map(|line| line["kind"].clone()).collect();
    assert_eq!(kinds, ["Accepted", "Collected"]);
    let cursor = lines(&told)[1]["cursor"].as_str().unwrap().to_owned();
    let told = call(&sender, &["tail", "--receipts", "--from", &cursor, "--limit", "1"]);
    assert!(
        told.out.contains("Delivered") && told.out.contains("by vxp.test.14"),
        "{told:?}"
    );
}

#[test]
fn an_integrator_publishes_a_file_of_messages_and_reads_what_became_of_each() {
    let node = node();
    let line = |key: u32, to: &str| {
        json!({
            "contract": "vn.lgsp.document/1", "from": "H62.11", "to": [to],
            "idempotency_key": key.to_string(), "payload": support::letter(&key.to_string()),
        })
        .to_string()
    };
    let messages: Vec<String> = (0..50)
        .map(|key| line(key, if key == 20 { "H62.77" } else { "H62.14" }))
        .collect();
    let file = put(&node, "messages.ndjson", messages.join("\n").as_bytes());
    let ended = call(&node.endpoint(INFORMATION), &["publish", &file]);
    assert_eq!(ended.code, Some(1), "one was refused: {ended:?}");
    let answers = lines(&ended);
    assert_eq!(answers.len(), 50);
    for (index, answer) in answers.iter().enumerate() {
        assert_eq!(answer["index"], index);
        if index == 20 {
            assert_eq!(answer["error"]["fields"][0]["path"], "message.to[0]");
        } else {
            assert_eq!(answer["repeat"], false);
        }
    }
    let ended = call(&node.endpoint(JUSTICE), &["receive", "--limit", "49"]);
    let mut keys: Vec<u64> = lines(&ended)
        .iter()
        .map(|line| line["payload"]["subject"].as_str().unwrap().parse().unwrap())
        .collect();
    keys.sort_unstable();
    assert_eq!(keys, (0..50).filter(|key| *key != 20).collect::<Vec<_>>());
    let facts = node.fact_counts();
    assert_eq!((facts["Accepted"], facts["Delivered"]), (49, 49));

    let broken = put(
        &node,
        "broken.ndjson",
        format!("{}\n{{\"to\": 5}}\n", messages[0]).as_bytes(),
    );
    let ended = call(&node.endpoint(INFORMATION), &["publish", &broken]);
    assert_eq!(ended.code, Some(1));
    assert_eq!(lines(&ended)[0]["repeat"], true, "what stood before it was sent");
    assert!(ended.err.contains("line 2"), "{ended:?}");
}

#[test]
fn a_command_that_is_not_done_says_why_and_what_to_do() {
    let mut node = node();
    let letter = put(&node, "letter.json", support::letter("thử").to_string().as_bytes());
    let send = |endpoint: &Endpoint, from: &str| {
        let sending = [
            "send",
            "--from",
            from,
            "--to",
            "H62.14",
            "--idempotency-key",
            "1",
            "--tries",
            "1",
            &letter,
        ];
        call(endpoint, &sending)
    };
    let sender = node.endpoint(INFORMATION);
    let ended = send(&sender, "H62");
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.err.contains("SENDER_NOT_SPOKEN_FOR") && ended.err.contains("message.from"),
        "{ended:?}"
    );
    let ended = send(&node.endpoint_of_nobody(), "H62.11");
    assert!(ended.err.contains("CREDENTIAL_MISSING"), "{ended:?}");
    let ended = send(&node.endpoint_by_token(INFORMATION, "receive"), "H62.11");
    assert!(ended.err.contains("TOKEN_SCOPE"), "{ended:?}");
    let other = Endpoint {
        ca: sender.certificate.clone().unwrap().0,
        ..sender.clone()
    };
    let ended = send(&other, "H62.11");
    assert_eq!(ended.code, Some(3));
    assert!(
        ended.err.contains("cannot be reached") && ended.err.contains("certificate"),
        "{ended:?}"
    );
    let ended = send(
        &Endpoint {
            url: String::from("http://127.0.0.1:1"),
            ..sender.clone()
        },
        "H62.11",
    );
    assert!(ended.err.contains("is no address of a node"), "{ended:?}");
    node.stop();
    let ended = send(&sender, "H62.11");
    assert_eq!(ended.code, Some(3));
    assert!(ended.err.contains("cannot be reached"), "{ended:?}");
}

//! What receivers get, and what is made of their answers.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lgsp_types::{EvidenceKind, Pushed};
use serde_json::{Value, json};

use super::stage::{NEXT_SECRET, SECRET, Stage, TRACEPARENT, again, refused, settings};
use crate::webhook::simulator::{Manner, Receiver};

fn stage() -> (Receiver, Stage) {
    let receiver = Receiver::start(SECRET, None).unwrap();
    let stage = Stage::new(&receiver.url(), settings());
    (receiver, stage)
}

#[tokio::test]
async fn a_receiver_gets_the_delivery_signed_and_its_own_word_is_the_evidence() {
    let (receiver, stage) = stage();
    let Pushed::Done(evidence) = stage.push(3).await else {
        panic!("not done")
    };
    let id = "07070707-0707-0707-0707-070707070707";
    let word = format!(r#"{{"delivery_id":"{id}","outcome":"done"}}"#);
    assert_eq!(
        (evidence.kind, &evidence.signed[..]),
        (EvidenceKind::Answer, word.as_bytes())
    );
    let seen = receiver.seen();
    assert_eq!((seen.inbox.len(), seen.unverified), (1, 0));
    let letter = &seen.inbox[0];
    assert_eq!(letter.id, id);
    let body: Value = serde_json::from_slice(&letter.body).unwrap();
    let expected = json!({
        "type": "vn.lgsp.document/1",
        "timestamp": "2026-11-25T16:46:40.000+07:00",
        "data": {
            "delivery_id": id,
            "attempt": 3,
            "message_id": "01010101-0101-0101-0101-010101010101",
            "from": "H62.11",
            "to": "H62.93",
            "payload": {"subject": "Về việc \"họp\""},
            "files": [],
        },
    });
    assert_eq!(body, expected);
    assert_eq!(seen.last_head[0], "POST /lgsp/in?box=1 HTTP/1.1");
    for line in [
        "content-type: application/json",
        "webhook-timestamp: 1795600000",
        "connection: close",
        &format!("traceparent: {TRACEPARENT}"),
    ] {
        assert!(
            seen.last_head.iter().any(|told| told == line),
            "{line}: {:?}",
            seen.last_head
        );
    }
}

#[tokio::test]
async fn files_come_whole_in_the_document_whatever_their_size() {
    let large: Vec<u8> = (0..3_000_001_u32)
        .map(|n| n.to_be_bytes()[3] ^ n.to_be_bytes()[2])
        .collect();
    let files: [(&str, &[u8]); 4] = [
        ("gốc.edxml", b"<edXML/>"),
        ("a\"b.pdf", &large),
        ("empty", b""),
        ("one", b"1"),
    ];
    let receiver = Receiver::start(SECRET, None).unwrap();
    let stage = Stage::with_files(&receiver.url(), settings(), &files);
    assert!(matches!(stage.push(1).await, Pushed::Done(_)));
    let seen = receiver.seen();
    assert_eq!(seen.unverified, 0, "what was signed is what was sent");
    let body: Value = serde_json::from_slice(&seen.inbox[0].body).unwrap();
    let told = body["data"]["files"].as_array().unwrap();
    assert_eq!(told.len(), files.len());
    for (((name, bytes), told), known) in files.iter().zip(told).zip(&stage.files) {
        assert_eq!(told["name"], *name);
        assert_eq!(told["sha256"], known.digest.to_string());
        assert_eq!(told["size_bytes"], bytes.len());
        assert!(
            STANDARD.decode(told["content"].as_str().unwrap()).unwrap() == *bytes,
            "{name}"
        );
    }
    assert_eq!(
        (&told[0]["role"], &told[1]["role"]),
        (&json!("original"), &json!("attachment"))
    );
}

#[tokio::test]
async fn what_cannot_be_told_to_a_webhook_is_refused_and_what_we_cannot_read_is_tried_again() {
    let (receiver, mut stage) = stage();
    for payload in ["", "not json", "{\"a\":1} x", "\u{feff}{}"] {
        assert_eq!(
            refused(stage.push_payload(1, payload).await),
            "PAYLOAD_NOT_JSON",
            "{payload}"
        );
    }
    let mut small = settings();
    small.files_max_bytes = 4;
    let files: [(&str, &[u8]); 2] = [("a", b"12"), ("b", b"345")];
    let large = Stage::with_files(&receiver.url(), small.clone(), &files);
    assert_eq!(refused(large.push(1).await), "FILES_TOO_LARGE");
    let fits = Stage::with_files(&receiver.url(), small, &files[..1]);
    assert!(matches!(fits.push(1).await, Pushed::Done(_)));
    let before = receiver.seen().tries.len();
    stage.files = fits.files;
    assert_eq!(
        again(stage.push(1).await),
        "CONTENT_UNREADABLE",
        "its object is not there"
    );
    assert_eq!(receiver.seen().tries.len(), before, "nothing half is sent");
}

#[tokio::test]
async fn every_bad_receiver_has_its_code_and_nothing_but_its_word_counts() {
    let (receiver, stage) = stage();
    let page = "<html><title>Đăng nhập</title></html>".to_owned();
    for (manner, code) in [
        (Manner::Answer(200, Vec::new(), page), "ANSWER_UNKNOWN"),
        (Manner::Answer(204, Vec::new(), String::new()), "ANSWER_UNKNOWN"),
        (Manner::TakeAnother, "ANSWER_UNKNOWN"),
        (Manner::EndlessBody, "ANSWER_TOO_LARGE"),
        (Manner::EndlessHead, "ANSWER_BROKEN"),
        (Manner::Garbage, "ANSWER_BROKEN"),
        (Manner::TakeAndCut, "ANSWER_BROKEN"),
        (Manner::TakeAndHalfAnswer, "ANSWER_BROKEN"),
        (Manner::Hang, "ANSWER_LATE"),
        (Manner::TakeLate(Duration::from_secs(3)), "ANSWER_LATE"),
        (Manner::Answer(500, Vec::new(), String::from("x")), "HTTP_500"),
        (Manner::Answer(404, Vec::new(), String::new()), "HTTP_404"),
    ] {
        receiver.behave(manner.clone());
        assert_eq!(again(stage.push(1).await), code, "{manner:?}");
    }
    for (manner, code) in [
        (Manner::Refuse(String::from("FORM_UNKNOWN")), "FORM_UNKNOWN"),
        (Manner::Answer(410, Vec::new(), String::new()), "HTTP_410"),
        (Manner::Answer(422, Vec::new(), String::new()), "HTTP_422"),
    ] {
        receiver.behave(manner.clone());
        assert_eq!(refused(stage.push(1).await), code, "{manner:?}");
    }
    receiver.behave(Manner::Answer(
        503,
        vec![String::from("Retry-After: 40")],
        String::new(),
    ));
    let pushed = stage.push(1).await;
    let after = Some(Duration::from_secs(40));
    assert!(
        matches!(&pushed, Pushed::TryAgain { reason, after: told } if reason.as_str() == "HTTP_503" && *told == after),
        "{pushed:?}"
    );
}

#[tokio::test]
async fn a_redirect_is_never_followed() {
    let (receiver, stage) = stage();
    let elsewhere = Receiver::start(SECRET, None).unwrap();
    for status in [301, 302, 303, 307, 308] {
        let location = format!("Location: {}", elsewhere.url());
        receiver.behave(Manner::Answer(status, vec![location], String::new()));
        assert_eq!(again(stage.push(1).await), "REDIRECTED");
    }
    assert_eq!(elsewhere.seen().tries.len(), 0);
}

#[tokio::test]
async fn what_was_taken_and_not_answered_comes_again_under_its_id_and_is_in_the_inbox_once() {
    let (receiver, stage) = stage();
    receiver.behave_next([Manner::TakeAndCut, Manner::TakeAndHalfAnswer]);
    for attempt in 1..=2 {
        assert_eq!(again(stage.push(attempt).await), "ANSWER_BROKEN");
    }
    assert!(matches!(stage.push(3).await, Pushed::Done(_)));
    let seen = receiver.seen();
    assert_eq!((seen.tries.len(), seen.inbox.len(), seen.inbox[0].times), (3, 1, 3));
}

#[tokio::test]
async fn while_a_secret_is_rotated_receivers_with_the_old_and_with_the_new_one_are_served() {
    let (receiver, stage) = stage();
    receiver.trust(&[NEXT_SECRET]);
    assert_eq!(again(stage.push(1).await), "HTTP_401", "another secret than ours");
    stage.secret("next", NEXT_SECRET);
    assert!(matches!(stage.push(2).await, Pushed::Done(_)));
    receiver.trust(&[SECRET]);
    assert!(matches!(stage.push(3).await, Pushed::Done(_)));
    stage.secret("current", NEXT_SECRET);
    assert_eq!(again(stage.push(4).await), "HTTP_401");
    for unusable in ["5d41402abc4b2a76b9719d911017c592", "whsec_c2hvcnQ=", ""] {
        stage.secret("current", unusable);
        assert_eq!(again(stage.push(5).await), "SECRET_UNUSABLE", "{unusable}");
    }
}

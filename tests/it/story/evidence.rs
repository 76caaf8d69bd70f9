//! What proves to anybody that a document was accepted: receipt, entry and inclusion proof, checked without the node.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use lgsp_audit::{Receipt, TlogProof, VerifierKey, origin};
use lgsp_types::Digest;

use super::*;

/// Longest wait for the checkpoint over a record.
const SEALED_WITHIN: Duration = Duration::from_secs(20);

/// The files of `lgsp trace --evidence`, once the record is sealed.
struct Evidence {
    receipt: String,
    entry: Vec<u8>,
    proof: TlogProof,
}

impl Evidence {
    fn of(node: &Node, doc_id: &str, folder: &Path) -> Self {
        let deadline = Instant::now() + SEALED_WITHIN;
        let read = |ending: &str| fs::read_to_string(folder.join(format!("{doc_id}.{ending}")));
        loop {
            let ended = node.lgsp(&["trace", doc_id, "--evidence", folder.to_str().unwrap()]);
            assert_eq!(ended.code, Some(0), "{ended:?}");
            if let Ok(proof) = read("tlog-proof") {
                return Self {
                    receipt: read("receipt").unwrap(),
                    entry: bytes(&read("entry.hex").unwrap()),
                    proof: TlogProof::parse(&proof).unwrap(),
                };
            }
            assert!(Instant::now() < deadline, "there is no proof");
        }
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2));
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}

/// Source: RFC 6962, 2.1.
fn leaf_hash(entry: &[u8]) -> Digest {
    Digest::of(&[&[0], entry].concat())
}

fn key(node: &Node, name: &str) -> VerifierKey {
    let text = fs::read_to_string(node.home().data().join("keys").join(name)).unwrap();
    VerifierKey::parse(text.trim()).unwrap()
}

/// A node that seals often, and three letters in it.
fn node_with_letters() -> (Node, [String; 3]) {
    let mut home = Home::new();
    home.set("seal", "interval_ms", 100);
    let node = Node::start(home);
    let mut sender = INFORMATION.desk(&node);
    let letters =
        ["13", "14", "15"].map(|number| sender.send(&written(&INFORMATION.letter(number, &[JUSTICE]))).unwrap());
    (node, letters)
}

#[test]
fn a_proof_shows_offline_that_the_document_is_in_the_log() {
    let (node, letters) = node_with_letters();
    let folder = node.home().root().join("evidence");
    let (log_key, node_key) = (key(&node, "log.vkey"), key(&node, "node.vkey"));
    for (index, doc_id) in (0..).zip(&letters) {
        let evidence = Evidence::of(&node, doc_id, &folder);
        let leaf = leaf_hash(&evidence.entry);
        assert_eq!(evidence.proof.index, index);
        let head = evidence.proof.verify(&leaf, &origin("lgsp", 0), &log_key).unwrap();
        assert!(head.size > index);

        let receipt = Receipt::open(&evidence.receipt, &[&node_key]).unwrap();
        assert_eq!((receipt.leaf_hash, receipt.msg_id.to_string()), (leaf, doc_id.clone()));
        assert_eq!(receipt.position.offset, index);

        let mut other = evidence.entry.clone();
        *other.last_mut().unwrap() ^= 1;
        let wrong = evidence.proof.verify(&leaf_hash(&other), &origin("lgsp", 0), &log_key);
        assert!(wrong.is_err(), "it proves an entry that was changed: {wrong:?}");
        assert!(evidence.proof.verify(&leaf, &origin("lgsp", 0), &node_key).is_err());
    }
}

#[test]
fn verify_holds_a_receipt_against_the_ledger() {
    let (node, letters) = node_with_letters();
    let folder = node.home().root().join("evidence");
    let evidence = Evidence::of(&node, &letters[1], &folder);
    let kept = folder.join(format!("{}.receipt", letters[1]));
    let held = node.verify(&["--objects", "--receipt", kept.to_str().unwrap()]);
    assert_eq!(held.code, Some(0), "{held:?}");
    let report: Value = serde_json::from_str(&held.out).unwrap();
    assert_eq!((&report["findings"], &report["receipts"]), (&json!([]), &json!(1)));
    assert_eq!(report["objects"][0], 3, "every packet was read");

    let forged = folder.join("forged.receipt");
    fs::write(&forged, evidence.receipt.replace("offset 1\n", "offset 2\n")).unwrap();
    let held = node.verify(&["--receipt", forged.to_str().unwrap()]);
    assert_eq!(held.code, Some(1), "{held:?}");
    let report: Value = serde_json::from_str(&held.out).unwrap();
    assert_eq!(list(&report, "findings").len(), 1, "{report}");

    // A true receipt of another log: nothing here is what it promises.
    let (other, others) = node_with_letters();
    Evidence::of(&other, &others[0], &folder);
    let foreign = folder.join(format!("{}.receipt", others[0]));
    let held = node.verify(&["--receipt", foreign.to_str().unwrap()]);
    assert_eq!(held.code, Some(1), "{held:?}");
}

#[test]
fn verify_finds_nothing_wrong_beside_a_node_at_work() {
    let (node, _) = node_with_letters();
    let mut sender = INFORMATION.desk(&node);
    thread::scope(|scope| {
        let sending = scope.spawn(move || {
            for number in 100..250 {
                let packet = written(&INFORMATION.letter(&number.to_string(), &[JUSTICE]));
                sender.send(&packet).unwrap();
            }
        });
        let mut rounds = 0;
        while !sending.is_finished() || rounds == 0 {
            let verified = node.verify(&["--objects"]);
            assert_eq!(verified.code, Some(0), "{verified:?}");
            rounds += 1;
        }
        sending.join().unwrap();
    });
    assert_eq!(node.fact_counts()["Accepted"], 153);
}

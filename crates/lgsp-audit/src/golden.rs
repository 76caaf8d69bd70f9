//! Golden records: one of each kind, made once and kept for ever under golden/.
//!
//! A failure here means that ledgers in the field would read differently, or that their receipts could not be made again.
//! Never change a file there: find what changed. For a new kind, `LGSP_GOLDEN=write cargo test -p lgsp-audit golden` writes
//! the file that is missing, and no other.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use lgsp_types::{Digest, Kind, LedgerPosition, UnixMs};

use crate::{Checkpoint, NoteKey, Receipt, Record, VerifierKey, origin, prepare, sample, sign};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name)
}

/// The golden text of this name, which is `made` if it never was before.
fn golden(name: &str, made: &str) -> String {
    let path = path(name);
    if !path.exists() {
        assert!(
            std::env::var("LGSP_GOLDEN").is_ok_and(|what| what == "write"),
            "{name} is missing"
        );
        File::create_new(&path).unwrap().write_all(made.as_bytes()).unwrap();
    }
    fs::read_to_string(path).unwrap()
}

/// Records in hexadecimal digits, 80 a line, a blank line between them.
fn hex(records: &[Vec<u8>]) -> String {
    let record = |record: &Vec<u8>| {
        let lines = record
            .chunks(40)
            .map(|line| line.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n");
        lines.collect::<String>()
    };
    records.iter().map(record).collect::<Vec<_>>().join("\n")
}

fn unhex(text: &str) -> Vec<Bytes> {
    let byte = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap();
    let record = |text: &str| text.replace('\n', "").as_bytes().chunks(2).map(byte).collect();
    text.split("\n\n").map(record).collect()
}

fn written(kinds: &[Kind]) -> Vec<Vec<u8>> {
    let unsigned = kinds
        .iter()
        .map(|kind| prepare(&sample::fact(*kind), sample::SALT).unwrap())
        .collect();
    sign(unsigned, &sample::node_key())
}

fn check(name: &str, kinds: &[Kind]) {
    let made = written(kinds);
    let text = golden(name, &hex(&made));
    let records = unhex(&text);
    assert_eq!(records.len(), kinds.len(), "{name}");
    for (record, kind) in records.iter().zip(kinds) {
        let read = Record::read(record).unwrap_or_else(|alien| panic!("{name}: {alien}"));
        assert_eq!(read.fact, sample::fact(*kind), "{name} reads differently");
        assert!(read.is_signed_by(sample::node_key().verifier()), "{name}");
    }
    assert_eq!(hex(&made), text, "{name} is written differently");
}

#[test]
fn the_golden_record_of_each_kind_reads_and_is_written_as_ever() {
    for kind in Kind::ALL {
        let name = format!("{:02}-{}.hex", kind.number(), kind.name());
        check(&name, &[*kind]);
    }
}

#[test]
fn the_golden_group_reads_and_is_written_as_ever() {
    check(
        "group-of-5.hex",
        &[
            Kind::Accepted,
            Kind::Collected,
            Kind::Delivered,
            Kind::Rejected,
            Kind::Configured,
        ],
    );
}

#[test]
fn golden_keys_receipt_and_checkpoint_read_and_are_written_as_ever() {
    let (node, log) = (sample::node_key(), sample::log_key());
    let accepted = Bytes::from(written(&[Kind::Accepted]).remove(0));
    let read = Record::read(&accepted).unwrap();
    let append_ms = 1_767_571_200_321;
    let receipt = Receipt {
        position: LedgerPosition {
            ledger: "test".into(),
            partition: 0,
            offset: 17,
        },
        append_ms: UnixMs(append_ms),
        msg_id: read.fact.what.msg_id().unwrap(),
        leaf_hash: read.leaf_hash(append_ms),
    };
    let checkpoint = Checkpoint {
        origin: origin("test", 0),
        size: 21,
        root: Digest::of(b"root"),
    };
    let key = |key: &NoteKey, name: &str| {
        let text = golden(name, &format!("{}\n", key.vkey()));
        assert_eq!(text, format!("{}\n", key.vkey()));
        VerifierKey::parse(text.trim_end()).unwrap()
    };
    let (node_key, log_key) = (key(&node, "node.vkey"), key(&log, "log.vkey"));

    let text = golden("receipt.note", &receipt.sign(&node));
    assert_eq!(text, receipt.sign(&node));
    assert_eq!(Receipt::open(&text, &[&node_key]), Ok(receipt));
    let text = golden("checkpoint.note", &checkpoint.sign(&log));
    assert_eq!(text, checkpoint.sign(&log));
    assert_eq!(Checkpoint::open(&text, &log_key), Ok(checkpoint));
}

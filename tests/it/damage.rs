//! Whatever befalls the files of a node is found and named, and nothing wrong is ever handed out.

mod flip;
mod scene;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use lgsp_adapters::edxml_vxp::client::answer::CallError;
use lgsp_adapters::edxml_vxp::client::builder::DocumentPacket;
use lgsp_adapters::edxml_vxp::client::builder::attachment::{Attachment, Content};
use lgsp_adapters::edxml_vxp::client::source::Source;
use lgsp_adapters::edxml_vxp::client::{MessageType, Service};
use lgsp_audit::{Control, ControlVerifier, Expected, LedgerEntry, PartitionVerifier, Record};
use lgsp_ledger::{Entry, Local};
use serde_json::Value;

use crate::support::{INFORMATION, JUSTICE, Node};
use flip::{Copy, Seen, Whole, look};

const LEDGERS: [&str; 2] = ["control", "data"];

fn ledger(node: &Node, name: &str) -> PathBuf {
    node.home().data().join(format!("ledger/{name}.ledger"))
}

/// The offset of the first record of each kind.
fn kinds(whole: &Whole) -> BTreeMap<&'static str, usize> {
    let mut kinds = BTreeMap::new();
    for (offset, entry) in whole.records.iter().enumerate() {
        let kind = Record::read(&entry.record).unwrap().fact.what.kind().name();
        let known = kinds.entry(kind).or_insert(offset);
        if entry.record.len() < whole.records[*known].record.len() {
            *known = offset;
        }
    }
    kinds
}

/// SplitMix64, so that a failing flip can be had again.
fn random(state: &mut u64) -> usize {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    usize::try_from((z ^ (z >> 31)) >> 1).unwrap()
}

#[test]
fn every_flipped_bit_of_a_record_of_each_kind_is_found_with_its_offset() {
    let node = scene::after_a_day();
    let [control, data] = LEDGERS.map(|name| Whole::read(&ledger(&node, name)));
    let found: Vec<_> = [&control, &data].into_iter().flat_map(kinds).collect();
    let names: Vec<_> = found.iter().map(|(name, _)| *name).collect();
    let expected = [
        "Configured",
        "KeyEvent",
        "Accepted",
        "Collected",
        "DeadLettered",
        "Delivered",
        "Rejected",
    ];
    assert_eq!(names, expected);
    let flips = thread::scope(|scope| {
        // Each thread takes every other byte of one file.
        let flipping = [(&control, 0), (&control, 1), (&data, 0), (&data, 1)]
            .map(|(whole, first)| scope.spawn(move || every_other_bit_is_found_in_the_file(whole, first)));
        flipping.map(|flipping| flipping.join().unwrap()).iter().sum::<usize>()
    });
    let bits = |whole: &Whole| -> usize {
        let kinds = kinds(whole).into_values();
        kinds.map(|offset| whole.records[offset].record.len() * 8).sum()
    };
    assert_eq!(flips, bits(&control) + bits(&data));
    let again = every_bit_is_found_without_the_files_sums(&control, &data);
    assert_eq!(again, flips);
}

/// As a reader of the file meets them. One bit is flipped in each of the records at a time: each has to be found by itself.
fn every_other_bit_is_found_in_the_file(whole: &Whole, first: usize) -> usize {
    let copy = Copy::of(whole);
    let records: Vec<_> = kinds(whole)
        .into_values()
        .map(|offset| (offset, whole.places(offset)))
        .collect();
    let longest = records.iter().map(|(_, places)| places.len()).max().unwrap();
    let mut flips = 0;
    for nth in (first..longest).step_by(2) {
        let flipped: Vec<_> = records
            .iter()
            .filter_map(|(offset, places)| Some((*offset, *places.get(nth)?)))
            .collect();
        let places: Vec<_> = flipped.iter().map(|(_, place)| *place).collect();
        for bit in 0..8 {
            let unnamed = copy.flipped(&places, bit, |path| {
                let reader = Local::open_read_only(path).unwrap();
                flipped.iter().find(|(offset, _)| !flip::names(&reader, *offset))
            });
            assert_eq!(unnamed, None, "byte {nth}, bit {bit}: not found in this record");
            flips += places.len();
        }
    }
    flips
}

/// In what the verifier is given, as if whoever flipped them had made the file's own sums right again.
fn every_bit_is_found_without_the_files_sums(control: &Whole, data: &Whole) -> usize {
    let mut verifier = ControlVerifier::new(Expected::of("lgsp.control", 0));
    let mut flips = 0;
    let first = kinds(control);
    for (offset, entry) in control.records.iter().enumerate() {
        if first.values().any(|first| *first == offset) {
            flips += each_flip(entry, |flipped| verifier.clone().check(&as_read(flipped)).map(drop));
        }
        verifier.check(&as_read(entry)).unwrap();
    }
    let rules: Control = verifier.finish().0;
    let mut verifier = PartitionVerifier::new(&rules, Expected::of("lgsp", 0));
    let first = kinds(data);
    for (offset, entry) in data.records.iter().enumerate() {
        if first.values().any(|first| *first == offset) {
            flips += each_flip(entry, |flipped| verifier.clone().check(&as_read(flipped)).map(drop));
        }
        verifier.check(&as_read(entry)).unwrap();
    }
    flips
}

fn each_flip(entry: &Entry, check: impl Fn(&Entry) -> Result<(), lgsp_audit::Fault>) -> usize {
    for place in 0..entry.record.len() {
        for bit in 0..8 {
            let mut record = entry.record.to_vec();
            record[place] ^= 1 << bit;
            let flipped = Entry {
                record: record.into(),
                ..entry.clone()
            };
            let fault = check(&flipped).expect_err("a flipped bit verifies");
            assert_eq!(fault.offset, Some(entry.offset), "byte {place}, bit {bit}: {fault}");
        }
    }
    entry.record.len() * 8
}

fn as_read(entry: &Entry) -> LedgerEntry<'_> {
    LedgerEntry {
        offset: entry.offset,
        append_ms: entry.append_ms,
        record: &entry.record,
        sealed_hash: None,
    }
}

#[test]
fn two_thousand_flips_anywhere_end_in_damaged_or_in_the_same_records() {
    let node = scene::after_a_day();
    let mut state = 2_027;
    let mut found = 0;
    for whole in LEDGERS.map(|name| Whole::read(&ledger(&node, name))) {
        let copy = Copy::of(&whole);
        for _ in 0..1_000 {
            let (place, bit) = (
                random(&mut state) % whole.bytes.len(),
                u8::try_from(random(&mut state) % 8).unwrap(),
            );
            match copy.flipped(&[place], bit, look) {
                Seen::NotOpened => found += 1,
                Seen::Damaged(before, at) => {
                    found += 1;
                    assert!(whole.records.starts_with(&before) && at <= whole.records.len() as u64);
                }
                Seen::Records(records) => assert!(records == whole.records, "place {place}, bit {bit}"),
            }
        }
    }
    assert!(found > 200, "only {found} flips were seen");
}

#[test]
fn the_command_names_a_flipped_record_and_never_breaks() {
    let node = scene::after_a_day();
    let sound = verify(&node, &[]);
    assert_eq!(sound.code, 0, "{sound:?}");
    let mut state = 1_945;
    for name in LEDGERS {
        let path = ledger(&node, name);
        let whole = Whole::read(&path);
        for offset in kinds(&whole).into_values() {
            let places = whole.places(offset);
            for _ in 0..3 {
                let place = places[random(&mut state) % places.len()];
                let verified = flipped(&path, place, 1 << (random(&mut state) % 8), || verify(&node, &[]));
                assert_eq!(verified.code, 1, "{verified:?}");
                assert!(verified.finds("DAMAGED", Some(offset)), "offset {offset}: {verified:?}");
            }
        }
        for _ in 0..10 {
            let place = random(&mut state) % whole.bytes.len();
            let verified = flipped(&path, place, 1 << (random(&mut state) % 8), || verify(&node, &[]));
            let same = verified.code == 0 && verified.told["logs"] == sound.told["logs"];
            assert!(same || verified.code == 1, "place {place}: {verified:?}");
        }
    }
    assert_eq!(verify(&node, &[]).told, sound.told);
}

/// What `lgsp verify` said.
#[derive(Debug)]
struct Verified {
    code: i32,
    /// Null: it could not even begin.
    told: Value,
    errors: String,
}

impl Verified {
    fn finds(&self, flaw: &str, offset: Option<usize>) -> bool {
        let findings = self.told["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
        findings
            .iter()
            .any(|finding| finding["flaw"] == flaw && offset.is_none_or(|offset| finding["offset"] == offset))
    }
}

fn verify(node: &Node, arguments: &[&str]) -> Verified {
    let ended = node.verify(arguments);
    assert!(!ended.err.contains("panicked"), "{ended:?}");
    Verified {
        code: ended.code.unwrap_or_else(|| panic!("ended by a signal: {ended:?}")),
        told: serde_json::from_str(&ended.out).unwrap_or_default(),
        errors: ended.err,
    }
}

/// Does something while a byte of a file is another.
fn flipped<T>(path: &Path, place: usize, mask: u8, doing: impl FnOnce() -> T) -> T {
    let whole = fs::read(path).unwrap();
    let mut changed = whole.clone();
    changed[place] ^= mask;
    fs::write(path, changed).unwrap();
    let done = doing();
    fs::write(path, whole).unwrap();
    done
}

#[test]
fn a_flipped_bit_of_an_object_is_found_before_its_packet_is_whole() {
    let mut node = scene::node();
    let mut letter = INFORMATION.letter("1", &[JUSTICE]);
    let filling: Vec<u8> = (0..=255).cycle().take(1024 * 1024).collect();
    let small = written(&letter);
    letter
        .attachments
        .push(Attachment::new("2", "ban-do.pdf", Content::Bytes(filling)));
    let large = written(&letter);
    for packet in [&small, &large] {
        let sent =
            INFORMATION
                .service(&node)
                .send_edoc(INFORMATION.code, None, MessageType::Edoc, Source::Bytes(packet));
        assert!(sent.unwrap().is_ok());
    }
    let mut justice = JUSTICE.service(&node);
    let items = JUSTICE.wait_for(&node, MessageType::Edoc, |items| items.len() == 2);
    for (offset, (item, packet)) in items.iter().zip([&small, &large]).enumerate() {
        let object = object(&node, packet);
        for place in [0, packet.len() / 2, packet.len() - 1] {
            let (verified, told) = flipped(&object, place, 0x10, || {
                for fetch in [get, download] {
                    let (answer, bytes) = fetch(&mut justice, &item.doc_id);
                    assert!(answer.is_err(), "byte {place} of {}", packet.len());
                    assert!(bytes.len() < packet.len(), "byte {place} of {}", packet.len());
                }
                let verified = verify(&node, &["--objects"]);
                let told = verified.told["findings"].to_string();
                (verified, told)
            });
            assert_eq!(verified.code, 1, "{verified:?}");
            assert!(verified.finds("OBJECT", Some(offset)), "{verified:?}");
            assert!(told.contains(object.file_name().unwrap().to_str().unwrap()), "{told}");
        }
        for fetch in [get, download] {
            let (answer, bytes) = fetch(&mut justice, &item.doc_id);
            assert!(
                answer.is_ok() && bytes == *packet,
                "made whole again, it is not handed out"
            );
        }
    }
    node.stop();
    assert_eq!(verify(&node, &["--objects"]).code, 0);
}

fn written(letter: &DocumentPacket) -> Vec<u8> {
    let mut packet = Vec::new();
    letter.write(&mut packet).unwrap();
    packet
}

/// The file of the object with these bytes.
fn object(node: &Node, packet: &[u8]) -> PathBuf {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, packet);
    let name: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    node.home().data().join("objects").join(&name[..2]).join(&name)
}

type Fetched = (Result<(), CallError>, Vec<u8>);

fn get(service: &mut Service, doc_id: &str) -> Fetched {
    let mut bytes = Vec::new();
    (service.get_edoc(doc_id, &mut bytes).map(drop), bytes)
}

fn download(service: &mut Service, doc_id: &str) -> Fetched {
    let mut bytes = Vec::new();
    (service.download_edoc(doc_id, &mut bytes).map(drop), bytes)
}

#[test]
fn what_is_no_ledger_any_more_is_not_served_and_not_touched() {
    let node = scene::after_a_day();
    for name in LEDGERS {
        let path = ledger(&node, name);
        let whole = fs::read(&path).unwrap();
        let foreign = fs::read(node.home().data().join("store.sqlite")).unwrap();
        let cut = |length: usize| whole[..length].to_vec();
        let others = [
            Vec::new(),
            cut(1),
            cut(100),
            cut(4096),
            cut(whole.len() / 2),
            // Less would only cut what pads the last page.
            cut(whole.len() - 1_000),
            foreign,
            b"a text".repeat(9_000),
        ];
        for other in others {
            fs::write(&path, &other).unwrap();
            let served = node.lgsp(&["serve"]);
            assert_eq!(served.code, Some(3), "{name}, {} bytes: {served:?}", other.len());
            assert!(served.err.contains(path.to_str().unwrap()), "{served:?}");
            let verified = verify(&node, &[]);
            assert_eq!(verified.code, 1, "{name}, {} bytes: {verified:?}", other.len());
            let says = verified.errors.contains("ledger") || verified.finds("DAMAGED", None);
            assert!(says, "{name}, {} bytes: {verified:?}", other.len());
            assert!(
                fs::read(&path).unwrap() == other,
                "{name}, {} bytes: it was changed",
                other.len()
            );
        }
        fs::write(&path, whole).unwrap();
    }
    assert_eq!(verify(&node, &[]).code, 0);
}

#[test]
fn a_tail_that_was_cut_behind_a_checkpoint_is_found() {
    let mut node = scene::after_a_day();
    let path = ledger(&node, "data");
    let yesterday = fs::read(&path).unwrap();
    node.restart();
    scene::send(&mut INFORMATION.service(&node), "4", JUSTICE).unwrap();
    node.stop();
    let today = fs::read(&path).unwrap();

    fs::write(&path, &yesterday).unwrap();
    let verified = verify(&node, &[]);
    assert_eq!(verified.code, 1, "{verified:?}");
    assert!(verified.finds("CHECKPOINT_AHEAD", None), "{verified:?}");
    is_a_fork(&node);
    // Nobody forgets by making the store anew, or the ledger.
    for left in ["store.sqlite", "ledger/data.ledger"] {
        fs::remove_file(node.home().data().join(left)).unwrap();
        is_a_fork(&node);
    }

    fs::write(&path, &today).unwrap();
    node.restart();
    node.stop();
    assert_eq!(verify(&node, &[]).code, 0);
}

fn is_a_fork(node: &Node) {
    let served = node.lgsp(&["serve"]);
    assert_eq!(served.code, Some(3), "{served:?}");
    assert!(served.err.contains("ledger fork"), "{served:?}");
}

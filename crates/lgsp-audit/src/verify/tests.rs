//! A sound ledger verifies; what the tests of this folder change, they change in this one.

mod rules;
mod tamper;

use bytes::Bytes;
use lgsp_types::{Digest, Fact, KeyUse, Kind, LedgerPosition, Rules, UnixMs, What};
use proptest::prelude::*;

use super::*;
use crate::{Checkpoint, NoteKey, Receipt, Record, Tree, entry_hash, leaf_of, origin, prepare, sample, sign, strategy};

const START_MS: u64 = 1_767_571_200_000;

/// A log as a ledger holds it.
#[derive(Clone, Debug, Default)]
struct Log {
    entries: Vec<(u64, Bytes)>,
}

impl Log {
    fn append(&mut self, record: Vec<u8>) {
        self.entries
            .push((START_MS + self.entries.len() as u64, Bytes::from(record)));
    }

    fn hashes(&self) -> Vec<Digest> {
        self.entries
            .iter()
            .map(|(append_ms, record)| entry_hash(*append_ms, record))
            .collect()
    }

    fn rules(&self) -> Rules {
        let mut tree = Tree::default();
        tree.extend(self.hashes());
        Rules {
            control_size: tree.size(),
            control_root: tree.root(),
        }
    }

    fn checkpoint(&self, ledger: &str, partition: u32, size: usize) -> String {
        let mut tree = Tree::default();
        tree.extend(self.hashes().into_iter().take(size));
        let origin = origin(ledger, partition);
        Checkpoint {
            origin,
            size: tree.size(),
            root: tree.root(),
        }
        .sign(&sample::log_key())
    }

    fn receipt(&self, offset: usize) -> Receipt {
        let (append_ms, record) = &self.entries[offset];
        let msg_id = Record::read(record).unwrap().fact.what.msg_id().unwrap();
        Receipt {
            position: LedgerPosition {
                ledger: "test".into(),
                partition: 0,
                offset: offset as u64,
            },
            append_ms: UnixMs(*append_ms),
            msg_id,
            leaf_hash: entry_hash(*append_ms, record),
        }
    }
}

fn record(what: What, rules: Rules, key: &NoteKey, nth: u64) -> Vec<u8> {
    let mut fact = sample::fact(what.kind());
    fact.what = what;
    fact.rules = rules;
    fact.node.node_ms.0 += nth;
    sign(vec![prepare(&fact, sample::SALT).unwrap()], key).remove(0)
}

fn key_event(usage: KeyUse, key: &NoteKey, begins: bool) -> What {
    What::KeyEvent(sample::key_event(usage, key, begins))
}

/// A control log that announces both keys and configures something.
fn control_log() -> Log {
    let (mut log, node) = (Log::default(), sample::node_key());
    for what in [
        key_event(KeyUse::Node, &node, true),
        key_event(KeyUse::Log, &sample::log_key(), true),
        sample::what(Kind::Configured),
    ] {
        let rules = log.rules();
        log.append(record(what, rules, &node, 0));
    }
    log
}

/// A data log of one fact of each kind, in groups of three under one signature.
fn data_log() -> Log {
    let (mut log, rules) = (Log::default(), control_log().rules());
    let facts: Vec<Fact> = Kind::ALL
        .iter()
        .map(|kind| Fact {
            rules,
            ..sample::fact(*kind)
        })
        .collect();
    for group in facts.chunks(3) {
        let unsigned = group.iter().map(|fact| prepare(fact, sample::SALT).unwrap()).collect();
        sign(unsigned, &sample::node_key())
            .into_iter()
            .for_each(|record| log.append(record));
    }
    log
}

fn verify_control(log: &Log) -> (Control, Verified, Vec<Fault>) {
    let mut verifier = ControlVerifier::new(Expected::of("test.control", 0));
    let mut faults = Vec::new();
    for (offset, (append_ms, record)) in (0..).zip(&log.entries) {
        faults.extend(
            verifier
                .check(&LedgerEntry {
                    offset,
                    append_ms: *append_ms,
                    record,
                    sealed_hash: None,
                })
                .err(),
        );
    }
    let (control, verified) = verifier.finish();
    (control, verified, faults)
}

/// Verifies a data log, against the hashes of its sealer if there are any.
fn verify(log: &Log, expected: Expected, sealed: Option<&[Digest]>) -> (Verified, Vec<Fault>) {
    let (control, _, faults) = verify_control(&control_log());
    assert_eq!(faults, []);
    let mut verifier = PartitionVerifier::new(&control, expected);
    let mut faults = Vec::new();
    for (offset, (append_ms, record)) in (0..).zip(&log.entries) {
        let sealed_hash = sealed.and_then(|sealed| sealed.get(usize::try_from(offset).unwrap()).copied());
        faults.extend(
            verifier
                .check(&LedgerEntry {
                    offset,
                    append_ms: *append_ms,
                    record,
                    sealed_hash,
                })
                .err(),
        );
    }
    (verifier.finish(), faults)
}

fn expected() -> Expected {
    Expected::of("test", 0)
}

/// Names and offsets of the faults, those of what is missing last.
fn found(log: &Log, expected: Expected, sealed: Option<&[Digest]>) -> Vec<(&'static str, Option<u64>)> {
    let (verified, faults) = verify(log, expected, sealed);
    faults
        .iter()
        .chain(&verified.missing)
        .map(|fault| (fault.name(), fault.offset))
        .collect()
}

fn expecting(notes: &[&str]) -> Expected {
    let mut expected = expected();
    for note in notes {
        expected.checkpoint(note, sample::log_key().verifier()).unwrap();
    }
    expected
}

#[test]
fn a_sound_ledger_verifies_with_all_that_was_kept_of_it() {
    let (control_log, log) = (control_log(), data_log());
    let (control, verified, faults) = verify_control(&control_log);
    assert_eq!((faults, verified.missing, verified.size), (vec![], vec![], 3));
    assert_eq!(
        (control.size(), control.root_at(3)),
        (3, Some(control_log.rules().control_root))
    );
    assert_eq!(control.root_at(4), None);
    assert_eq!(control.node_keys().collect::<Vec<_>>(), [sample::node_key().verifier()]);
    assert_eq!(control.log_keys().collect::<Vec<_>>(), [sample::log_key().verifier()]);

    let sizes = [0, 1, 7, 21, 21];
    let notes = sizes.map(|size| log.checkpoint("test", 0, size));
    let mut expected = expecting(&notes.each_ref().map(String::as_str));
    for offset in [0, 3, 9] {
        let receipt = log.receipt(offset);
        assert_eq!(
            expected.receipt(&receipt.sign(&sample::node_key()), &control),
            Ok(receipt)
        );
    }
    let (verified, faults) = verify(&log, expected, Some(&log.hashes()));
    assert_eq!((faults, verified.missing), (vec![], vec![]));
    // 21 leaves, seven groups: each signature once.
    assert_eq!((verified.size, verified.signatures), (21, 7));
    assert_eq!(verified.root, log.rules().control_root);
}

#[test]
fn a_control_log_is_held_against_its_checkpoint() {
    let log = control_log();
    let mut expected = Expected::of("test.control", 0);
    expected
        .checkpoint(&log.checkpoint("test.control", 0, 3), sample::log_key().verifier())
        .unwrap();
    let mut verifier = ControlVerifier::new(expected);
    for (offset, (append_ms, record)) in (0..).zip(&log.entries).take(2) {
        verifier
            .check(&LedgerEntry {
                offset,
                append_ms: *append_ms,
                record,
                sealed_hash: None,
            })
            .unwrap();
    }
    let (_, verified) = verifier.finish();
    assert_eq!(verified.missing[0].flaw, Flaw::CheckpointAhead { size: 3 });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn any_bytes_are_checked_without_a_panic_and_keep_their_place(
        bytes in prop::collection::vec(any::<u8>(), 0..80), offset: u64, append_ms: u64,
    ) {
        let (control, ..) = verify_control(&control_log());
        let mut verifier = PartitionVerifier::new(&control, expected());
        let record = Bytes::from(bytes);
        let entry = LedgerEntry { offset, append_ms, record: &record, sealed_hash: None };
        prop_assert!(verifier.check(&entry).is_err());
        prop_assert_eq!(verifier.finish().size, 1);
    }

    #[test]
    fn any_fact_signed_by_a_known_key_verifies(fact in strategy::fact()) {
        let fact = Fact { rules: control_log().rules(), ..fact };
        let mut log = Log::default();
        log.append(sign(vec![prepare(&fact, sample::SALT).unwrap()], &sample::node_key()).remove(0));
        prop_assert_eq!(found(&log, expected(), None), []);
    }
}

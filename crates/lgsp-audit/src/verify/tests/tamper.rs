//! The tamper suite (reliability.md 5.8): each change to a sound ledger is found, by its name and at its place.

use super::*;

#[test]
fn one_bit_anywhere_in_the_log_is_found_at_its_entry() {
    let log = data_log();
    let rounds = log
        .entries
        .iter()
        .enumerate()
        .flat_map(|(at, (_, record))| [(at, record.len() / 3), (at, record.len() - 1)]);
    for (at, byte) in rounds {
        let mut changed = log.clone();
        let mut record = changed.entries[at].1.to_vec();
        record[byte] ^= 1;
        changed.entries[at].1 = Bytes::from(record);
        let faults = found(&changed, expected(), None);
        assert_eq!(
            faults.first().map(|fault| fault.1),
            Some(Some(at as u64)),
            "byte {byte}: {faults:?}"
        );
        assert_eq!(faults.len(), 1, "{faults:?}");
    }
}

#[test]
fn a_changed_time_is_found_against_hashes_or_a_checkpoint() {
    let log = data_log();
    let (hashes, checkpoint) = (log.hashes(), log.checkpoint("test", 0, 21));
    let mut changed = log.clone();
    changed.entries[5].0 -= 1;
    assert_eq!(found(&changed, expected(), None), []);
    assert_eq!(found(&changed, expected(), Some(&hashes)), [("LEAF_HASH", Some(5))]);
    assert_eq!(
        found(&changed, expecting(&[&checkpoint]), None),
        [("CHECKPOINT_ROOT", Some(20))]
    );
}

#[test]
fn a_leaf_removed_inserted_or_swapped_is_found() {
    let log = data_log();
    let (hashes, checkpoint) = (log.hashes(), log.checkpoint("test", 0, 21));
    let mut removed = log.clone();
    removed.entries.remove(4);
    let mut inserted = log.clone();
    inserted.entries.insert(4, log.entries[2].clone());
    let mut swapped = log.clone();
    swapped.entries.swap(4, 9);
    for changed in [&removed, &inserted, &swapped] {
        // The entries are sound each for itself.
        assert_eq!(found(changed, expected(), None), []);
        assert_eq!(found(changed, expected(), Some(&hashes))[0], ("LEAF_HASH", Some(4)));
    }
    assert_eq!(
        found(&removed, expecting(&[&checkpoint]), None),
        [("CHECKPOINT_AHEAD", Some(20))]
    );
    assert_eq!(
        found(&inserted, expecting(&[&checkpoint]), None),
        [("CHECKPOINT_ROOT", Some(20))]
    );
    assert_eq!(
        found(&swapped, expecting(&[&checkpoint]), None),
        [("CHECKPOINT_ROOT", Some(20))]
    );
}

#[test]
fn a_tail_that_was_cut_is_found_by_whoever_kept_more() {
    let log = data_log();
    let (old, new) = (log.checkpoint("test", 0, 10), log.checkpoint("test", 0, 21));
    let (control, ..) = verify_control(&control_log());
    let mut cut = log.clone();
    cut.entries.truncate(9);
    assert_eq!(
        found(&cut, expecting(&[&old, &new]), None),
        [("CHECKPOINT_AHEAD", Some(9)), ("CHECKPOINT_AHEAD", Some(9))]
    );
    let mut kept = expected();
    kept.receipt(&log.receipt(9).sign(&sample::node_key()), &control)
        .unwrap();
    assert_eq!(found(&cut, kept, None), [("RECEIPT_AHEAD", Some(9))]);
}

#[test]
fn a_history_written_anew_with_the_right_keys_is_found_by_an_old_checkpoint() {
    let log = data_log();
    let (old, mut anew) = (log.checkpoint("test", 0, 8), log.clone());
    let mut fact = sample::fact(Kind::Collected);
    (fact.rules, fact.node.node_ms) = (control_log().rules(), UnixMs(7));
    let forged = sign(vec![prepare(&fact, sample::SALT).unwrap()], &sample::node_key()).remove(0);
    anew.entries[4].1 = Bytes::from(forged);
    let new = anew.checkpoint("test", 0, 21);
    assert_eq!(found(&anew, expecting(&[&new]), None), []);
    assert_eq!(
        found(&anew, expecting(&[&old, &new]), None),
        [("CHECKPOINT_ROOT", Some(7))]
    );
}

#[test]
fn two_checkpoints_of_one_size_cannot_both_hold() {
    let log = data_log();
    let mut other = log.clone();
    other.entries[2].0 += 1;
    let notes = [log.checkpoint("test", 0, 12), other.checkpoint("test", 0, 12)];
    assert_eq!(
        found(&log, expecting(&[&notes[0], &notes[1]]), None),
        [("CHECKPOINT_ROOT", Some(11))]
    );
}

#[test]
fn a_checkpoint_of_another_key_or_log_is_not_believed() {
    let (log, mut expected) = (data_log(), expected());
    let good = log.checkpoint("test", 0, 21);
    let fault = expected.checkpoint(&good, sample::node_key().verifier()).unwrap_err();
    assert_eq!((fault.name(), fault.offset), ("CHECKPOINT", None));
    for other in [log.checkpoint("test", 1, 21), log.checkpoint("other", 0, 21)] {
        let fault = expected.checkpoint(&other, sample::log_key().verifier()).unwrap_err();
        assert_eq!(fault.name(), "CHECKPOINT_ORIGIN");
    }
    let nothing = Checkpoint {
        origin: origin("test", 0),
        size: 0,
        root: Digest::of(b"x"),
    }
    .sign(&sample::log_key());
    let fault = expected.checkpoint(&nothing, sample::log_key().verifier()).unwrap_err();
    assert_eq!(fault.name(), "CHECKPOINT_ROOT");
    assert_eq!(found(&log, expected, None), []);
}

#[test]
fn non_canonical_cbor_of_the_same_meaning_is_alien() {
    let mut log = data_log();
    let record = log.entries[0].1.clone();
    let leaf = leaf_of(&record).unwrap();
    // Key 0 with its value 1 in a longer form: the same map to a lenient reader.
    let longer = [&leaf[..2], &[0x18, 1], &leaf[3..]].concat();
    let frame = [&[1, 0][..], &u32::try_from(longer.len()).unwrap().to_be_bytes()].concat();
    log.entries[0].1 = Bytes::from([&frame, &longer, &record[6 + leaf.len()..]].concat());
    assert_eq!(found(&log, expected(), None), [("LEAF", Some(0))]);
}

#[test]
fn a_sound_leaf_of_a_foreign_node_is_found() {
    let (mut log, rules) = (data_log(), control_log().rules());
    let foreign = NoteKey::from_seed("lgsp-2.node", &[9; 32]).unwrap();
    log.entries[3].1 = record(sample::what(Kind::Collected), rules, &foreign, 0).into();
    // The right name and id do not help without the right key: here a signature of another leaf.
    let mut stolen = log.entries[8].1.to_vec();
    let at = stolen.len() - 40;
    stolen[at] ^= 0x10;
    log.entries[8].1 = stolen.into();
    let faults = found(&log, expected(), None);
    assert_eq!(faults[0], ("KEY_UNKNOWN", Some(3)));
    assert_eq!(faults[1].1, Some(8));
}

#[test]
fn receipts_are_held_against_the_entry_they_name() {
    let (log, key) = (data_log(), sample::node_key());
    let (control, ..) = verify_control(&control_log());
    let good = log.receipt(3);
    let wrong = [
        Receipt {
            leaf_hash: Digest::of(b"other"),
            ..good.clone()
        },
        Receipt {
            append_ms: UnixMs(good.append_ms.0 + 1),
            ..good.clone()
        },
        Receipt {
            msg_id: lgsp_types::MsgId::from_bytes([0; 16]),
            ..good.clone()
        },
        Receipt {
            position: LedgerPosition {
                offset: 4,
                ..good.position.clone()
            },
            ..good.clone()
        },
    ];
    for receipt in wrong {
        let mut expected = expected();
        let offset = receipt.position.offset;
        expected.receipt(&receipt.sign(&key), &control).unwrap();
        assert_eq!(found(&log, expected, None), [("RECEIPT_LEAF", Some(offset))]);
    }
    let mut expected = expected();
    let forged = expected.receipt(&good.sign(&sample::log_key()), &control).unwrap_err();
    assert_eq!((forged.name(), forged.position()), ("RECEIPT", None));
    let elsewhere = Receipt {
        position: LedgerPosition {
            partition: 1,
            ..good.position.clone()
        },
        ..good
    };
    assert_eq!(
        expected.receipt(&elsewhere.sign(&key), &control).unwrap_err().name(),
        "RECEIPT_ORIGIN"
    );
}

#[test]
fn offsets_are_dense() {
    let (control, ..) = verify_control(&control_log());
    let log = data_log();
    let mut verifier = PartitionVerifier::new(&control, expected());
    let mut check = |at: usize, offset| {
        let (append_ms, record) = &log.entries[at];
        let entry = LedgerEntry {
            offset,
            append_ms: *append_ms,
            record,
            sealed_hash: None,
        };
        verifier
            .check(&entry)
            .map(|_| ())
            .map_err(|fault| (fault.flaw, fault.offset))
    };
    assert_eq!(check(0, 0), Ok(()));
    assert_eq!(check(1, 2), Err((Flaw::Gap { expected: 1 }, Some(2))));
    assert_eq!(check(2, 3), Ok(()));
    assert_eq!(check(2, 3), Err((Flaw::Gap { expected: 4 }, Some(3))));
}

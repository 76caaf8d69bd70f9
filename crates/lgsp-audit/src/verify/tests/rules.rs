//! Rules and keys are those that the control log announced.

use super::*;

#[test]
fn rules_are_those_of_the_control_log() {
    let (mut log, rules, key) = (Log::default(), control_log().rules(), sample::node_key());
    let root = rules.control_root;
    for rules in [
        rules,
        Rules {
            control_size: 2,
            control_root: root,
        },
        Rules {
            control_size: 4,
            control_root: root,
        },
        Rules {
            control_size: u64::MAX,
            control_root: root,
        },
    ] {
        log.append(record(sample::what(Kind::Collected), rules, &key, 0));
    }
    assert_eq!(
        found(&log, expected(), None),
        [
            ("RULES_ROOT", Some(1)),
            ("RULES_UNKNOWN", Some(2)),
            ("RULES_UNKNOWN", Some(3))
        ]
    );
    let (_, faults) = verify(&log, expected(), None);
    assert_eq!(faults[1].to_string(), "RULES_UNKNOWN in test/0 at offset 2");
    assert_eq!(
        faults[1].flaw.to_string(),
        "the entry names a control log of 4 entries, there are 3"
    );
}

#[test]
fn a_key_is_in_force_from_its_announcement_to_its_end() {
    let (mut control_log, node) = (control_log(), sample::node_key());
    let second = NoteKey::from_seed("lgsp-2.node", &[9; 32]).unwrap();
    let mut sizes = Vec::new();
    for (what, signer) in [
        (key_event(KeyUse::Node, &second, true), &node),
        (key_event(KeyUse::Node, &node, false), &second),
        (sample::what(Kind::Configured), &second),
    ] {
        sizes.push(control_log.rules());
        let rules = control_log.rules();
        control_log.append(record(what, rules, signer, 0));
    }
    let (control, _, faults) = verify_control(&control_log);
    assert_eq!(faults, []);
    let mut verifier = PartitionVerifier::new(&control, expected());
    let mut check = |offset, rules, key: &NoteKey| {
        let record = Bytes::from(record(sample::what(Kind::Collected), rules, key, offset));
        let entry = LedgerEntry {
            offset,
            append_ms: 0,
            record: &record,
            sealed_hash: None,
        };
        verifier.check(&entry).map(|_| ()).map_err(|fault| fault.name())
    };
    let (announced, ended) = (sizes[1], sizes[2]);
    assert_eq!(check(0, sizes[0], &second), Err("KEY_UNKNOWN"));
    assert_eq!(check(1, announced, &second), Ok(()));
    assert_eq!(check(2, announced, &node), Ok(()));
    assert_eq!(check(3, ended, &node), Err("KEY_UNKNOWN"));
    assert_eq!(check(4, ended, &second), Ok(()));
    // A receipt of a key that has ended holds all the same.
    assert_eq!(control.node_keys().count(), 2);
}

#[test]
fn a_key_may_vouch_for_itself_only_if_it_is_the_first_or_known_under_another_name() {
    let (mut log, node) = (control_log(), sample::node_key());
    let renamed = NoteKey::from_seed("lgsp-1b.node", b"the seed of the node's test key!").unwrap();
    let intruder = NoteKey::from_seed("lgsp-2.node", &[9; 32]).unwrap();
    let bad_name = What::KeyEvent(lgsp_types::KeyEvent {
        usage: KeyUse::Log,
        name: "two words".into(),
        public_key: [1; 32],
        begins: true,
    });
    for (what, signer) in [
        (key_event(KeyUse::Node, &intruder, true), &intruder),
        (key_event(KeyUse::Node, &renamed, true), &renamed),
        (key_event(KeyUse::Node, &renamed, true), &node),
        (key_event(KeyUse::Node, &intruder, false), &node),
        (key_event(KeyUse::Log, &node, false), &node),
        (bad_name, &node),
        (sample::what(Kind::Configured), &renamed),
        (sample::what(Kind::Configured), &intruder),
    ] {
        let rules = log.rules();
        log.append(record(what, rules, signer, 0));
    }
    let (_, _, faults) = verify_control(&log);
    let faults: Vec<_> = faults.iter().map(|fault| (fault.name(), fault.offset)).collect();
    assert_eq!(
        faults,
        [
            ("KEY_UNKNOWN", Some(3)),
            ("KEY_EVENT", Some(6)),
            ("KEY_EVENT", Some(7)),
            ("KEY_EVENT", Some(8)),
            ("KEY_UNKNOWN", Some(10)),
        ]
    );
    // Nor does an empty log believe a key that somebody else signs for.
    let mut log = Log::default();
    log.append(record(
        key_event(KeyUse::Node, &node, true),
        Log::default().rules(),
        &intruder,
        0,
    ));
    assert_eq!(verify_control(&log).2[0].name(), "KEY_UNKNOWN");
}

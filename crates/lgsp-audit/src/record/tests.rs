//! Records read back as written, in one spelling only; one changed bit anywhere is found by the record itself.

use bytes::Bytes;
use lgsp_types::{Digest, Fact, Kind, What};
use proptest::prelude::*;

use super::*;
use crate::bound::LEAF_MAX_BYTES;
use crate::{sample, strategy};

fn written(fact: &Fact) -> Bytes {
    let unsigned = prepare(fact, sample::SALT).unwrap();
    Bytes::from(sign(vec![unsigned], &sample::node_key()).remove(0))
}

/// What a reader writes who takes the record apart and puts it together again.
fn rewritten(record: &Record) -> Vec<u8> {
    let salt = record.salt.unwrap_or_default();
    prepare(&record.fact, salt).unwrap().finish(&record.signature)
}

#[test]
fn every_kind_reads_back_as_it_was() {
    for kind in Kind::ALL {
        let fact = sample::fact(*kind);
        assert_eq!(fact.what.kind(), *kind);
        let record = Record::read(&written(&fact)).unwrap();
        assert_eq!(record.fact, fact);
        assert!(record.is_signed_by(sample::node_key().verifier()));
        assert!(!record.is_signed_by(sample::log_key().verifier()));
        assert_eq!(
            record.salt().is_some(),
            record.leaf().len() + FRAME_BYTES < written(&fact).len()
        );
    }
}

#[test]
fn records_signed_together_read_back_one_by_one() {
    let facts: Vec<Fact> = Kind::ALL.iter().map(|kind| sample::fact(*kind)).collect();
    let unsigned = facts.iter().map(|fact| prepare(fact, sample::SALT).unwrap()).collect();
    let records = sign(unsigned, &sample::node_key());
    let mut signatures: Vec<[u8; 64]> = Vec::new();
    for (fact, record) in facts.iter().zip(records) {
        let record = Record::read(&Bytes::from(record)).unwrap();
        assert_eq!(record.fact, *fact);
        assert!(record.is_signed_by(sample::node_key().verifier()));
        signatures.push(record.signature().signature);
    }
    signatures.dedup();
    assert_eq!(signatures.len(), 1);
    assert!(sign(Vec::new(), &sample::node_key()).is_empty());
}

#[test]
fn more_than_a_group_is_signed_in_groups() {
    let nth = |at: usize| {
        let mut fact = sample::fact(Kind::SealAlarm);
        fact.node.node_ms.0 += at as u64;
        prepare(&fact, sample::SALT).unwrap()
    };
    let records = sign((0..GROUP_MAX_LEAVES + 2).map(nth).collect(), &sample::node_key());
    assert_eq!(records.len(), GROUP_MAX_LEAVES + 2);
    for (at, path) in [
        (0, 14),
        (GROUP_MAX_LEAVES - 1, 14),
        (GROUP_MAX_LEAVES, 1),
        (GROUP_MAX_LEAVES + 1, 1),
    ] {
        let record = Record::read(&Bytes::copy_from_slice(&records[at])).unwrap();
        assert_eq!(record.signature().path.len(), path);
        assert!(record.leaf().len() <= LEAF_MAX_BYTES);
        assert!(record.is_signed_by(sample::node_key().verifier()));
    }
}

#[test]
fn equal_leaves_are_signed_apart() {
    let unsigned = |kind| prepare(&sample::fact(kind), sample::SALT).unwrap();
    let group = [
        Kind::Collected,
        Kind::SealAlarm,
        Kind::SealAlarm,
        Kind::Collected,
        Kind::Act,
        Kind::Collected,
    ];
    let records = sign(group.map(unsigned).into(), &sample::node_key());
    let indices = records.into_iter().zip(group).map(|(record, kind)| {
        let record = Record::read(&Bytes::from(record)).unwrap();
        assert_eq!(record.fact.what.kind(), kind);
        assert!(record.is_signed_by(sample::node_key().verifier()));
        record.signature().index
    });
    assert_eq!(indices.collect::<Vec<_>>(), [0, 1, 0, 1, 2, 0]);
}

/// Leaf, signature, salt, clear part, payload and frame: nothing outside the record is asked.
fn every_flipped_bit_is_found(kinds: &[Kind]) {
    let key = sample::node_key();
    for kind in kinds {
        // A second leaf gives the signature a path.
        let beside = if *kind == Kind::SealAlarm {
            Kind::Shredded
        } else {
            Kind::SealAlarm
        };
        let facts = [sample::fact(*kind), sample::fact(beside)];
        let unsigned = facts.iter().map(|fact| prepare(fact, sample::SALT).unwrap()).collect();
        let whole = sign(unsigned, &key).remove(0);
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let found = match Record::read(&Bytes::from(flipped)) {
                Ok(record) => !record.is_signed_by(key.verifier()),
                Err(_) => true,
            };
            assert!(
                found,
                "{kind:?}: bit {} of byte {} of {}",
                bit % 8,
                bit / 8,
                whole.len()
            );
        }
    }
}

#[test]
fn every_flipped_bit_of_kinds_1_to_7_is_found() {
    every_flipped_bit_is_found(&Kind::ALL[..7]);
}

#[test]
fn every_flipped_bit_of_kinds_8_to_14_is_found() {
    every_flipped_bit_is_found(&Kind::ALL[7..14]);
}

#[test]
fn every_flipped_bit_of_kinds_15_to_21_is_found() {
    every_flipped_bit_is_found(&Kind::ALL[14..]);
}

#[test]
fn every_shorter_or_longer_record_is_alien() {
    for kind in Kind::ALL {
        let whole = written(&sample::fact(*kind));
        for length in 0..whole.len() {
            assert!(
                Record::read(&whole.slice(..length)).is_err(),
                "{kind:?} cut to {length}"
            );
        }
        let longer = Bytes::from([&whole[..], &[0]].concat());
        assert!(Record::read(&longer).is_err(), "{kind:?}");
    }
}

#[test]
fn what_is_wrong_with_a_record_is_named() {
    let whole = written(&sample::fact(Kind::Accepted));
    let changed = |at: usize, to: u8| {
        let mut bytes = whole.to_vec();
        bytes[at] = to;
        Record::read(&Bytes::from(bytes))
            .map(|record| record.fact.what.kind())
            .unwrap_err()
    };
    assert_eq!(
        changed(0, 2),
        Alien::Frame {
            what: "its format is not known"
        }
    );
    assert_eq!(
        changed(1, 1),
        Alien::Frame {
            what: "its seal is not known"
        }
    );
    assert_eq!(
        changed(2, 1),
        Alien::Frame {
            what: "the leaf is longer than the record"
        }
    );
    assert_eq!(changed(whole.len() - 1, 0), Alien::Payload);
    // Byte 10 holds the kind: 6 of the frame, map head, key 0, value 1, key 1.
    assert_eq!(whole[10], 1);
    let what = "does not belong to a leaf of this kind";
    assert_eq!(changed(10, 9), Alien::missing(16));
    assert_eq!(changed(10, 21), Alien::Key { key: 3, what });
    assert!(matches!(
        changed(10, 22),
        Alien::Leaf {
            at: 4,
            what: "the kind is not known"
        }
    ));
    assert_eq!(changed(6, 0xb3).name(), "LEAF");
}

#[test]
fn a_foreign_object_under_a_fitting_body_is_found() {
    let fact = sample::fact(Kind::Accepted);
    let body = body::write(&fact.what, &sample::SALT).unwrap().unwrap();
    let mut other = sample::fact(Kind::Accepted);
    if let What::Accepted(accepted) = &mut other.what {
        accepted.objects[1].digest = Digest::of(b"another file");
    }
    // Body and leaf of one author who lies about the second object.
    let other_body = body::write(&other.what, &sample::SALT).unwrap().unwrap();
    let leaf = Leaf::of(&fact, Some((body::commit_body(&other_body), &sample::SALT)))
        .write()
        .unwrap();
    let lie = sign(vec![Unsigned { leaf, body: other_body }], &sample::node_key()).remove(0);
    assert_eq!(
        Record::read(&Bytes::from(lie)).map(|_| ()),
        Err(Alien::Object { index: 1 })
    );
    assert_ne!(body, Vec::<u8>::new());
}

#[test]
fn a_fact_out_of_its_bounds_is_refused_whole() {
    let accepted = |change: fn(&mut lgsp_types::Accepted)| {
        let mut fact = sample::fact(Kind::Accepted);
        if let What::Accepted(accepted) = &mut fact.what {
            change(accepted);
        }
        prepare(&fact, sample::SALT)
            .map(|_| ())
            .map_err(|unfit| (unfit.what(), unfit.found()))
    };
    assert_eq!(accepted(|_| ()), Ok(()));
    assert_eq!(
        accepted(|accepted| accepted.payload = vec![0; 262_145].into()),
        Err(("the payload is too large", 262_145))
    );
    assert_eq!(accepted(|accepted| accepted.payload = vec![0; 262_144].into()), Ok(()));
    assert_eq!(
        accepted(|accepted| accepted.envelope.addressees.clear()),
        Err(("the number of addressees is out of its bound", 0))
    );
    assert_eq!(
        accepted(|accepted| accepted.clear.order_key = "x".repeat(513)),
        Err(("the order key is too long", 513))
    );
    let crowded = accepted(|accepted| {
        let mut party = accepted.envelope.addressees[0].clone();
        party.agency = lgsp_types::AgencyId::parse(&"x".repeat(64)).unwrap();
        party.code = lgsp_types::AgencyCode::parse(&"X".repeat(35)).unwrap();
        accepted.envelope.addressees = vec![party; 200];
    });
    assert!(
        matches!(crowded, Err(("the leaf is too large", 20_000..22_000))),
        "{crowded:?}"
    );
}

#[test]
fn the_largest_leaf_has_room_for_the_longest_signature() {
    let fact = |addressees: usize, purpose: usize| {
        let mut fact = sample::fact(Kind::Accepted);
        if let What::Accepted(accepted) = &mut fact.what {
            let party = accepted.envelope.addressees[0].clone();
            accepted.envelope.addressees = vec![party; addressees];
            accepted.objects[0].media_type = "x".repeat(127);
            accepted.objects = vec![accepted.objects[0].clone(); 70];
            accepted.envelope.purpose = "x".repeat(purpose);
        }
        fact
    };
    let fits = |fact: &Fact| prepare(fact, sample::SALT).is_ok();
    let addressees = (1..=200).rev().find(|addressees| fits(&fact(*addressees, 1))).unwrap();
    let purpose = (1..=128)
        .rev()
        .find(|purpose| fits(&fact(addressees, *purpose)))
        .unwrap();
    assert!(
        addressees < 200 && purpose < 128,
        "the leaf's own bound is what ends both"
    );
    let largest = fact(addressees, purpose);
    let signature = LeafSignature {
        key_id: [0xff; 4],
        signature: [0xff; 64],
        index: GROUP_MAX_LEAVES as u64 - 1,
        path: vec![Digest::of(b"sibling"); 14],
    };
    let record = Bytes::from(prepare(&largest, sample::SALT).unwrap().finish(&signature));
    let read = Record::read(&record).unwrap();
    assert_eq!(read.fact, largest);
    assert!(
        (LEAF_MAX_BYTES - 64..=LEAF_MAX_BYTES).contains(&read.leaf().len()),
        "{}",
        read.leaf().len()
    );
}

#[test]
fn an_entry_and_its_hash_are_those_of_the_design() {
    let leaf = [0xa0];
    assert_eq!(entry(0x0102, &leaf), [1, 0, 0, 0, 0, 0, 0, 1, 2, 0xa0]);
    let hashed = [&[0][..], &entry(0x0102, &leaf)].concat();
    assert_eq!(leaf_hash(0x0102, &leaf), Digest::of(&hashed));
    let record = written(&sample::fact(Kind::Collected));
    let read = Record::read(&record).unwrap();
    assert_eq!(entry_hash(7, &record), read.leaf_hash(7));
    assert_ne!(entry_hash(8, &record), read.leaf_hash(7));
    // Bytes that are no record at all still have their place in the tree.
    assert_eq!(entry_hash(7, b"alien"), leaf_hash(7, b"alien"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_fact_reads_back_equal(fact in strategy::fact(), salt: [u8; 32], beside in 0usize..9) {
        let mut unsigned = vec![prepare(&fact, salt).unwrap()];
        unsigned.resize(beside + 1, prepare(&sample::fact(Kind::SealAlarm), salt).unwrap());
        for record in sign(unsigned, &sample::node_key()).into_iter().take(1) {
            let record = Bytes::from(record);
            let read = Record::read(&record).unwrap();
            prop_assert_eq!(&read.fact, &fact);
            prop_assert!(read.is_signed_by(sample::node_key().verifier()));
            prop_assert_eq!(rewritten(&read), record);
        }
    }

    #[test]
    fn a_changed_record_is_alien_or_has_one_spelling(
        fact in strategy::fact(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..3),
    ) {
        let unsigned = prepare(&fact, sample::SALT).unwrap();
        let mut record = sign(vec![unsigned], &sample::node_key()).remove(0);
        // Within the leaf: what the body may be is for its commitment to say.
        let leaf_length = leaf_of(&record).unwrap().len();
        for (at, to) in changes {
            record[FRAME_BYTES + at.index(leaf_length)] = to;
        }
        let record = Bytes::from(record);
        if let Ok(read) = Record::read(&record) {
            prop_assert_eq!(rewritten(&read), record);
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let framed = [&[FORMAT, OPEN, 0, 0, 0, u8::try_from(bytes.len() / 2).unwrap()][..], &bytes].concat();
        prop_assert!(Record::read(&Bytes::from(bytes)).is_err());
        prop_assert!(Record::read(&Bytes::from(framed)).is_err());
    }

    #[test]
    fn no_body_panics(bytes in prop::collection::vec(any::<u8>(), 0..120), length in 0u32..100) {
        let body = Bytes::from([&bytes[..], &sample::SALT, &length.to_be_bytes(), &bytes].concat());
        for body in [body.slice(bytes.len()..), body] {
            let commitment = body::commit_body(&body);
            if let Ok(body) = body::Body::read(&body, &commitment) {
                drop((body.findings(), body.proposal(), body.payload_alone(), body.clear_of_accepted()));
            }
        }
    }
}

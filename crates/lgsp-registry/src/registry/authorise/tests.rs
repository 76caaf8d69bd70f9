//! Who is let in, who is refused, and with which words.

use std::sync::Arc;

use bytes::Bytes;
use lgsp_types::ContractRef;

use super::*;
use crate::sample::{PROVINCE, agency, code, control, day, noon, system};

fn registry() -> Arc<Registry> {
    control(&[("province.toml", PROVINCE)]).registry()
}

fn publish(from: &str, to: &[&str], codes_as_of: Option<&str>) -> Publish {
    let written = |path: String, text: &str| Written { code: code(text), path };
    Publish {
        contract: ContractRef::parse("vn.lgsp.document/1").unwrap(),
        from: written("/From".to_owned(), from),
        to: to
            .iter()
            .enumerate()
            .map(|(at, text)| written(format!("/To[{}]", at + 1), text))
            .collect(),
        purpose: "office".to_owned(),
        order_key: String::new(),
        idempotency_key: "k".to_owned(),
        case: String::new(),
        codes_as_of: codes_as_of.map(day),
        documents: Vec::new(),
        act: "0".to_owned(),
        due: None,
        payload: Bytes::from_static(b"{}"),
        objects: Vec::new(),
    }
}

fn refusals(caller_id: &str, publish: Publish, now: &str) -> Vec<Refusal> {
    registry()
        .authorise(&system(caller_id), publish, noon(now))
        .unwrap_err()
}

fn codes_and_paths(refusals: &[Refusal]) -> Vec<(&str, &str)> {
    refusals
        .iter()
        .map(|refusal| {
            assert!(refusal.vietnamese().is_some(), "{refusal}");
            (refusal.code.as_str(), refusal.path.as_str())
        })
        .collect()
}

#[test]
fn the_envelope_names_agencies_for_ever_and_each_once() {
    let to = ["000.00.14.H62", "H62", "H62.14", "000.00.00.H62"];
    let publish = publish("000.00.11.H62", &to, Some("2025-02-01"));
    let authorised = registry()
        .authorise(&system("khcn.dms"), publish.clone(), noon("2025-02-28"))
        .unwrap();
    let party = |id: &str, text: &str| Party {
        agency: agency(id),
        code: code(text),
    };
    let envelope = authorised.envelope();
    assert_eq!(envelope.sender, party("vp.tttt", "H62.11"));
    assert_eq!(envelope.addressees, [party("vp.tp", "H62.14"), party("vp", "H62")]);
    assert_eq!(
        (envelope.system.as_str(), envelope.purpose.as_str()),
        ("khcn.dms", "office")
    );
    assert_eq!(authorised.agency(), &agency("pt.khcn"));
    assert_eq!(authorised.publish(), &publish, "what the sender wrote is kept as it is");
    assert_eq!(
        authorised.clone().into_parts(),
        (publish, envelope.clone(), agency("pt.khcn"))
    );
}

#[test]
fn where_no_public_code_was_valid_the_one_that_was_written_stands() {
    let authorise = |as_of, now| {
        let publish = publish("H44.10", &["000.00.11.H62"], as_of);
        registry().authorise(&system("khcn.dms"), publish, noon(now))
    };
    let today = authorise(None, "2025-07-01").unwrap();
    assert_eq!(
        today.envelope().addressees[0].code,
        code("000.00.11.H62"),
        "closed: it has no code today"
    );
    let late = publish("000.00.11.H62", &["H62.14"], Some("2018-05-01"));
    let late = registry()
        .authorise(&system("khcn.dms"), late, noon("2025-02-28"))
        .unwrap();
    assert_eq!(
        late.envelope().sender.code,
        code("000.00.11.H62"),
        "H62.11 was issued later"
    );
}

#[test]
fn a_closed_addressee_is_reached_through_its_successors() {
    for now in ["2025-06-30", "2025-07-01"] {
        let publish = publish("H62.14", &["H62.11"], Some("2025-02-01"));
        let authorised = registry().authorise(&system("tp.dms"), publish, noon(now)).unwrap();
        assert_eq!(
            authorised.envelope().addressees[0].agency,
            agency("vp.tttt"),
            "as addressed, not as delivered"
        );
    }
}

/// `caller from codes-as-of now`, the reason code, and what stands in the text.
fn expect_refused(rows: &[(&str, &str, &str)], path: &str) {
    for (call, reason, text) in rows {
        let [caller, from, as_of, now] = call.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{call}")
        };
        let as_of = (as_of != "-").then_some(as_of);
        let refusals = refusals(caller, publish(from, &["H62"], as_of), now);
        assert_eq!(codes_and_paths(&refusals), [(*reason, path)], "{call}");
        assert!(refusals[0].to_string().contains(text), "{call}: {}", refusals[0]);
    }
}

#[test]
fn an_unknown_system_sends_nothing() {
    let rows = [
        (
            "stranger H62.14 - 2025-06-30",
            "SENDER_UNKNOWN",
            "the system `stranger` is not registered",
        ),
        ("office H44 - 2027-01-01", "SENDER_UNKNOWN", "not active on 2027-01-01"),
    ];
    expect_refused(&rows, "/");
}

#[test]
fn a_system_sends_for_its_own_agencies_only() {
    let rows = [
        (
            "tp.dms H62.77 - 2025-06-30",
            "SENDER_UNKNOWN",
            "the sender `H62.77` is the code of no agency",
        ),
        (
            "tp.dms H44.14 - 2025-06-30",
            "SENDER_UNKNOWN",
            "it is one since 2025-07-01",
        ),
        (
            "tp.dms H62.11 - 2025-02-28",
            "SENDER_NOT_SPOKEN_FOR",
            "`tp.dms` does not speak for the sender `H62.11`",
        ),
        (
            "tp.dms H44.10 - 2025-07-01",
            "SENDER_NOT_SPOKEN_FOR",
            "`tp.dms` does not speak for the sender `H44.10`",
        ),
        // Software of the successor speaks for the predecessor only if it was told to.
        (
            "khcn.dms H62.14 - 2025-06-30",
            "SENDER_NOT_SPOKEN_FOR",
            "have it registered",
        ),
    ];
    expect_refused(&rows, "/From");
}

#[test]
fn a_closed_agency_is_told_who_follows_it() {
    let rows = [
        (
            "khcn.dms H62.11 - 2025-03-01",
            "SENDER_CLOSED",
            "(Sở Thông tin và Truyền thông) could send until 2025-02-28",
        ),
        (
            "khcn.dms H62.11 - 2025-03-01",
            "SENDER_CLOSED",
            "send as its successor `H62.10` (Sở Khoa học và Công nghệ)",
        ),
        (
            "khcn.dms H62.11 2025-02-01 2025-07-01",
            "SENDER_CLOSED",
            "`H44.10` (Sở Khoa học và Công nghệ tỉnh Phú Thọ)",
        ),
        (
            "tp.dms H62.14 - 2025-08-01",
            "SENDER_CLOSED",
            "until 2025-07-31; send as its successor `H44.14`",
        ),
        (
            "office H62.99 - 2025-07-01",
            "SENDER_CLOSED",
            "until 2025-06-30; nobody follows this agency",
        ),
        // The document's date says what the code means, not that it may be sent.
        (
            "tp.dms H44.14 2025-07-01 2025-06-30",
            "SENDER_CLOSED",
            "begins on 2025-07-01; send from that day on",
        ),
    ];
    expect_refused(&rows, "/From");
}

#[test]
fn a_closed_agency_sends_until_its_last_day() {
    for (caller_id, from, now) in [
        ("khcn.dms", "H62.11", "2025-02-28"),
        ("tp.dms", "H62.14", "2025-06-30"),
        ("tp.dms", "000.00.14.H62", "2025-07-01"),
        ("tp.dms", "H62.14", "2025-07-31"),
        ("office", "H62.99", "2025-06-30"),
    ] {
        let authorised = registry().authorise(&system(caller_id), publish(from, &["H62"], None), noon(now));
        assert!(authorised.is_ok(), "{from} on {now}: {authorised:?}");
    }
}

#[test]
fn every_addressee_that_cannot_be_reached_is_named_and_the_message_refused_whole() {
    let to = ["H62.14", "H62.77", "H62.99", "H44.90.01", "H62.77"];
    let refusals = refusals("khcn.dms", publish("H62.77", &to, None), "2025-07-01");
    assert_eq!(
        codes_and_paths(&refusals),
        [
            ("SENDER_UNKNOWN", "/From"),
            ("ADDRESSEE_UNKNOWN", "/To[2]"),
            ("ADDRESSEE_CLOSED", "/To[3]"),
            ("ADDRESSEE_NO_ROUTE", "/To[4]"),
            ("ADDRESSEE_UNKNOWN", "/To[5]"),
        ]
    );
    for (refusal, text) in refusals[1..]
        .iter()
        .zip(["`H62.77`", "`H62.99`", "`H44.90.01`", "`H62.77`"])
    {
        assert!(refusal.what.contains(text), "{refusal}");
    }
    // On the day before, the one without a successor was still there, but nobody receives for it.
    let before = self::refusals("khcn.dms", publish("H62.10", &["H62.99"], None), "2025-06-30");
    assert_eq!(codes_and_paths(&before), [("ADDRESSEE_NO_ROUTE", "/To[1]")]);
    let early = self::refusals(
        "khcn.dms",
        publish("H62.10", &["H44.14"], Some("2025-07-01")),
        "2025-06-30",
    );
    assert_eq!(codes_and_paths(&early), [("ADDRESSEE_CLOSED", "/To[1]")]);
    assert!(early[0].what.contains("begins on 2025-07-01"), "{}", early[0]);
}

#[test]
fn addressees_are_one_to_two_hundred() {
    let many = vec!["H62"; ADDRESSEES_MAX + 1];
    let taken = registry().authorise(
        &system("tp.dms"),
        publish("H62.14", &many[1..], None),
        noon("2025-06-30"),
    );
    assert_eq!(taken.unwrap().envelope().addressees.len(), 1);
    let refused = refusals("tp.dms", publish("H62.14", &many, None), "2025-06-30");
    assert_eq!(codes_and_paths(&refused), [("TOO_MANY_ADDRESSEES", "/To[201]")]);
    let none = refusals("tp.dms", publish("H62.14", &[], None), "2025-06-30");
    assert_eq!(codes_and_paths(&none), [("FIELD_MISSING", "/")]);
}

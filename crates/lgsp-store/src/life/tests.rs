//! Lives of documents, told by hand; and that no order and no repeat changes one.

use lgsp_types::{AgencyCode, AgencyId, DocumentDate, MsgId, Party, UnixMs};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;

const KEY: &str = "H62.11,2026/01/05,12/QĐ-UBND";

fn agency(name: &str) -> AgencyId {
    AgencyId::parse(name).unwrap()
}

fn code(text: &str) -> AgencyCode {
    AgencyCode::parse(text).unwrap()
}

/// `a` has the code `H62.1` and so on.
fn recipient(name: &str) -> Recipient {
    let number = name.as_bytes()[0] - b'`';
    let code = code(&format!("H62.{number}"));
    Recipient {
        party: Party {
            agency: agency(name),
            code: code.clone(),
        },
        written: code,
        received_by: Vec::new(),
        withdrawn: false,
    }
}

/// Said at this hour, accepted a minute after.
fn saying(number: u8, sender: &str, to: &[&str], hour: u64, what: Said) -> Saying {
    Saying {
        message: MsgId::from_bytes([number; 16]),
        sender: agency(sender),
        accepted_ms: UnixMs(hour * 3_600_000 + 60_000),
        said_ms: UnixMs(hour * 3_600_000),
        to: to.iter().map(|name| recipient(name)).collect(),
        what,
    }
}

fn document(number: u8, to: &[&str]) -> Saying {
    let what = Said::Is {
        content: "one".to_owned(),
        due: None,
        urgent: false,
        acts: false,
    };
    saying(number, "issuer", to, 1, what)
}

fn status(number: u8, sender: &str, hour: u64, code: &str) -> Saying {
    let what = Said::Status(StatusCode::from_name(code).unwrap());
    saying(number, sender, &["issuer"], hour, what)
}

fn take_back(number: u8, to: &[&str], hour: u64) -> Saying {
    saying(number, "issuer", to, hour, Said::Status(StatusCode::TakeBack))
}

fn stands(life: &Life) -> Vec<(&str, &str)> {
    let lines = life.lines.iter();
    lines
        .map(|line| (line.party.agency.as_str(), line.stand.name()))
        .collect()
}

fn flags(life: &Life) -> Vec<(u8, &str)> {
    let flags = life.flags.iter();
    flags
        .map(|(message, flag)| (message.as_bytes()[0], flag.name()))
        .collect()
}

/// What is still waited for at an addressee.
fn owed(life: &Life, name: &str) -> Vec<&'static str> {
    let line = life
        .lines
        .iter()
        .find(|line| line.party.agency == agency(name))
        .unwrap();
    let owed = line.duties.iter().filter(|duty| duty.met_ms.is_none());
    owed.map(|duty| duty.kind.name()).collect()
}

#[test]
fn each_addressee_stands_where_its_own_statuses_say_in_whatever_order_they_came() {
    let mut all = vec![document(1, &["a", "b", "c"])];
    let sent = life(KEY, &all);
    assert_eq!(stands(&sent), [("a", "sent"), ("b", "sent"), ("c", "sent")]);
    assert_eq!(owed(&sent, "a"), ["arrive", "register"]);
    all.extend([
        status(2, "a", 9, "06"),
        status(3, "a", 2, "01"),
        status(4, "b", 2, "01"),
        status(5, "c", 3, "02"),
        status(6, "a", 3, "03"),
    ]);
    let told = life(KEY, &all);
    assert_eq!(stands(&told), [("a", "done"), ("b", "arrived"), ("c", "refused")]);
    assert_eq!(flags(&told), [], "late is not out of order");
    assert_eq!(
        [owed(&told, "a"), owed(&told, "b"), owed(&told, "c")],
        [vec![], vec!["register"], vec![]]
    );
    all.reverse();
    assert_eq!(life(KEY, &all), told);
}

#[test]
fn what_does_not_fit_is_flagged_and_nothing_is_lost_by_it() {
    let told = life(
        KEY,
        &[
            document(1, &["a", "b"]),
            status(2, "stranger", 2, "03"),
            status(3, "a", 4, "06"),
            status(4, "a", 5, "03"), // by its own time after it was done
            status(5, "b", 2, "03"),
            status(6, "b", 3, "02"), // refused after all
            status(7, "a", 6, "15"),
            saying(8, "stranger", &["a"], 2, Said::Status(StatusCode::TakeBack)),
            saying(9, "stranger", &["a"], 2, Said::Recalls),
            saying(10, "issuer", &["z"], 2, Said::Recalls),
        ],
    );
    assert_eq!(stands(&told), [("a", "done"), ("b", "refused")]);
    assert_eq!(
        flags(&told),
        [
            (2, "STATUS_OF_STRANGER"),
            (4, "STATUS_OUT_OF_ORDER"),
            (6, "STATUSES_CONTRADICT"),
            (7, "ANSWER_WITHOUT_QUESTION"),
            (8, "TAKE_BACK_OF_ANOTHERS"),
            (9, "RECALL_OF_ANOTHERS"),
            (10, "ASKS_A_STRANGER"),
        ]
    );
}

#[test]
fn of_a_document_that_nobody_sent_all_that_is_said_is_flagged() {
    let told = life(
        KEY,
        &[status(2, "a", 2, "01"), saying(3, "issuer", &["a"], 3, Said::Recalls)],
    );
    assert_eq!((told.issuer.clone(), stands(&told)), (None, vec![]));
    assert_eq!(flags(&told), [(2, "DOCUMENT_NOT_SEEN"), (3, "DOCUMENT_NOT_SEEN")]);
}

#[test]
fn an_answer_to_a_document_that_came_another_way_is_nothing_odd() {
    let told = life(KEY, &[saying(1, "a", &["issuer"], 1, Said::Answers)]);
    assert_eq!((flags(&told), &told.issuer), (vec![], &None));
}

#[test]
fn a_document_asked_back_is_gone_when_the_addressee_agrees_and_stands_as_before_when_not() {
    let asked = [
        document(1, &["a", "b", "c"]),
        status(2, "a", 2, "03"),
        status(3, "b", 2, "03"),
        take_back(4, &["a"], 5),
        take_back(5, &["b", "c"], 5),
    ];
    let waiting = life(KEY, &asked);
    assert_eq!(
        stands(&waiting),
        [("a", "asked-back"), ("b", "asked-back"), ("c", "asked-back")]
    );
    assert_eq!(owed(&waiting, "a"), ["answer"]);
    let answers = [status(6, "a", 6, "15"), status(7, "b", 6, "16")];
    let told = life(KEY, &[&asked[..], &answers].concat());
    assert_eq!(
        stands(&told),
        [("a", "taken-back"), ("b", "registered"), ("c", "asked-back")]
    );
    // An answer that gives itself an earlier time than the question is still the answer to it.
    let early = life(KEY, &[&asked[..], &[status(8, "c", 4, "15")]].concat());
    assert_eq!(stands(&early)[2], ("c", "taken-back"));
    // Asked again after a refusal, it is waited for again.
    let again = life(KEY, &[&asked[..], &answers, &[take_back(9, &["b"], 8)]].concat());
    assert_eq!(stands(&again)[1], ("b", "asked-back"));
}

#[test]
fn an_update_adds_and_drops_receivers_and_tells_the_others() {
    let update = Said::Updates {
        dropped: vec![code("H62.2")],
        added: vec![code("000.00.03.H62"), code("H62.4")],
    };
    let all = [
        document(1, &["a", "b"]),
        status(2, "a", 2, "03"),
        saying(3, "issuer", &["a", "b", "c"], 3, update),
    ];
    let told = life(KEY, &all);
    assert_eq!(stands(&told), [("a", "registered"), ("b", "asked-back"), ("c", "sent")]);
    assert_eq!(flags(&told), [(3, "ADDED_WITHOUT_PACKET")]);
    assert_eq!(
        [owed(&told, "a"), owed(&told, "c")],
        [vec!["answer"], vec!["arrive", "register"]]
    );
    let answered = [
        status(4, "a", 4, "15"),
        status(5, "b", 4, "15"),
        status(6, "c", 4, "01"),
    ];
    let told = life(KEY, &[&all[..], &answered].concat());
    assert_eq!(
        stands(&told),
        [("a", "registered"), ("b", "taken-back"), ("c", "arrived")]
    );
}

#[test]
fn a_replacement_is_for_all_or_for_those_it_names_and_never_by_itself_or_by_another() {
    let replaces = |number, sender, by: &str, organs: &[&str]| {
        let organs = organs.iter().map(|organ| code(organ)).collect();
        let what = Said::Replaces {
            by: by.to_owned(),
            organs,
        };
        saying(number, sender, &["a"], 3, what)
    };
    let with = |one| life(KEY, &[document(1, &["a", "b"]), one]);
    let for_all = with(replaces(2, "issuer", "new", &[]));
    assert_eq!(stands(&for_all), [("a", "replaced"), ("b", "replaced")]);
    assert_eq!(for_all.replaced_by.iter().collect::<Vec<_>>(), ["new"]);
    assert_eq!(owed(&for_all, "a"), Vec::<&str>::new());
    let for_one = with(replaces(2, "issuer", "new", &["000.00.02.H62"]));
    assert_eq!(stands(&for_one), [("a", "sent"), ("b", "replaced")]);
    for (sender, by, flag) in [
        ("issuer", KEY, "REPLACES_ITSELF"),
        ("stranger", "new", "REPLACEMENT_OF_ANOTHERS"),
    ] {
        let told = with(replaces(2, sender, by, &[]));
        assert_eq!((stands(&told)[0].1, flags(&told)), ("sent", vec![(2, flag)]));
        assert!(told.replaced_by.is_empty());
    }
}

#[test]
fn who_received_for_a_closed_addressee_speaks_for_it() {
    let mut letter = document(1, &["a", "b"]);
    letter.to[0].received_by = vec![agency("successor")];
    let told = life(KEY, &[letter, status(2, "successor", 2, "03")]);
    assert_eq!(stands(&told), [("a", "registered"), ("b", "sent")]);
    assert_eq!(flags(&told), []);
}

#[test]
fn what_was_withdrawn_before_anybody_had_it_is_taken_back_and_owes_nothing() {
    let mut letter = document(1, &["a", "b"]);
    letter.to[0].withdrawn = true;
    let told = life(KEY, &[letter.clone()]);
    assert_eq!(stands(&told), [("a", "taken-back"), ("b", "sent")]);
    assert_eq!(owed(&told, "a"), Vec::<&str>::new());
    let again = document(2, &["a"]);
    assert_eq!(stands(&life(KEY, &[letter, again]))[0].1, "sent", "sent once more");
}

#[test]
fn another_content_under_the_same_id_is_flagged_and_both_have_their_addressees() {
    let other = |number, sender, to: &[&str], content: &str| {
        let mut other = document(number, to);
        other.sender = agency(sender);
        other.accepted_ms = UnixMs(u64::from(number) * 3_600_000);
        let Said::Is { content: is, .. } = &mut other.what else {
            panic!()
        };
        content.clone_into(is);
        other
    };
    let told = life(
        KEY,
        &[
            other(5, "stranger", &["z"], "one"),
            other(4, "issuer", &["c"], "two"),
            other(3, "issuer", &["b"], "one"),
            document(1, &["a"]),
        ],
    );
    assert_eq!(stands(&told), [("a", "sent"), ("b", "sent"), ("c", "sent")]);
    assert_eq!(flags(&told), [(4, "NUMBER_USED_TWICE"), (5, "NUMBER_USED_TWICE")]);
}

#[test]
fn a_document_with_a_due_day_has_to_be_done_by_its_end_and_an_urgent_one_registered_at_once() {
    let mut letter = document(1, &["a"]);
    letter.what = Said::Is {
        content: "one".to_owned(),
        due: Some(DocumentDate::parse("2026/01/07").unwrap()),
        urgent: true,
        acts: false,
    };
    let told = life(KEY, &[letter.clone(), status(2, "a", 2, "03")]);
    assert_eq!(owed(&told, "a"), ["complete"]);
    let duties = &told.lines[0].duties;
    assert_eq!(duties[1].kind, DutyKind::RegisterAtOnce);
    assert_eq!(duties[1].met_ms, Some(UnixMs(2 * 3_600_000 + 60_000)), "by ledger time");
    assert_eq!(duties[2].since_ms.iso_text(), "2026-01-08T00:00:00.000+07:00");
    assert_eq!(
        owed(&life(KEY, &[letter, status(2, "a", 2, "06")]), "a"),
        Vec::<&str>::new()
    );
}

/// Anything that may be said of a document, by anybody, at one of few times.
fn anything(number: u8) -> impl Strategy<Value = Saying> {
    let who = || select(vec!["issuer", "a", "b", "c", "stranger"]);
    let is = |content: &'static str, acts| Said::Is {
        content: content.to_owned(),
        due: None,
        urgent: false,
        acts,
    };
    let statuses = StatusCode::ALL.iter().map(|code| Said::Status(*code));
    let others = [
        is("one", false),
        is("two", false),
        is("one", true),
        Said::Recalls,
        Said::Answers,
        Said::HasItsNumber,
        Said::Updates {
            dropped: vec![code("H62.1")],
            added: vec![code("H62.3")],
        },
        Said::Replaces {
            by: "new".to_owned(),
            organs: vec![code("H62.2")],
        },
        Said::Replaces {
            by: KEY.to_owned(),
            organs: Vec::new(),
        },
    ];
    let what = select(statuses.chain(others).collect::<Vec<_>>());
    let to = proptest::sample::subsequence(vec!["a", "b", "c"], 0..=3);
    (who(), to, 1u64..5, 1u64..5, what).prop_map(move |(sender, to, said, accepted, what)| {
        let mut saying = saying(number, sender, &to, said, what);
        saying.accepted_ms = UnixMs(accepted * 3_600_000);
        saying
    })
}

proptest! {
    #[test]
    fn no_order_and_no_repeat_changes_where_a_document_stands(
        sayings in (0u8..12).prop_flat_map(|count| (0..count).map(anything).collect::<Vec<_>>()),
        (shuffled, turn) in any::<(Index, u8)>(),
        repeats in proptest::collection::vec(any::<Index>(), 0..6),
        letter in any::<bool>(),
    ) {
        let mut sayings = sayings;
        if letter {
            sayings.push(document(99, &["a", "b"]));
        }
        let told = life(KEY, &sayings);
        let mut other = sayings.clone();
        if !sayings.is_empty() {
            other.extend(repeats.iter().map(|index| sayings[index.index(sayings.len())].clone()));
            let from = shuffled.index(other.len());
            other.rotate_left(from);
            other.sort_by_key(|saying| saying.message.as_bytes()[0].wrapping_mul(31).wrapping_add(turn));
        }
        prop_assert_eq!(&life(KEY, &other), &told);
        other.reverse();
        prop_assert_eq!(life(KEY, &other), told);
    }
}

//! The life of a document as departments live it and operators see it: kinds 0 to 3, every status, and what does not fit.

mod search;

use lgsp_adapters::edxml_vxp::client::builder::{Business, DocumentPacket, ResponseFor, StatusPacket};
use serde_json::Value;

use crate::support::{Department, Home, INFORMATION, JUSTICE, Node, OUTSIDE, PROVINCE, written, written_status};

/// A letter of the information department to others, sent.
fn send(node: &Node, letter: &DocumentPacket) -> String {
    INFORMATION.desk(node).send(&written(letter)).unwrap()
}

/// A status of an addressee, at this time of the day.
fn say(node: &Node, from: Department, letter: &DocumentPacket, code: &str, time: &str) -> String {
    let status = StatusPacket {
        timestamp: format!("2026/11/25 {time}"),
        ..from.status(letter.referred_to(), code)
    };
    from.desk(node).send_status(&written_status(&status)).unwrap()
}

/// The issuer asks one addressee to give a letter back.
fn ask_back(node: &Node, letter: &DocumentPacket, addressee: Department, time: &str) {
    let about = ResponseFor {
        organ_id: addressee.code.to_owned(),
        ..letter.referred_to()
    };
    let status = StatusPacket {
        timestamp: format!("2026/11/25 {time}"),
        ..INFORMATION.status(about, "13")
    };
    INFORMATION.desk(node).send_status(&written_status(&status)).unwrap();
}

/// A packet of kind 1 to 3 of a department, which acts on another document.
fn acting(from: Department, number: &str, to: &[Department], business: Business) -> DocumentPacket {
    DocumentPacket {
        business: Business {
            reason: "Sai nội dung".to_owned(),
            ..business
        },
        ..from.letter(number, to)
    }
}

fn of_kind(doc_type: u8, document_id: String) -> Business {
    Business {
        doc_type,
        document_id,
        ..Business::default()
    }
}

/// The documents that `lgsp trace --json` tells of.
fn lives(node: &Node, query: &str) -> Vec<Value> {
    let ended = node.lgsp(&["trace", "--json", query]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let trace: Value = serde_json::from_str(&ended.out).unwrap();
    trace["documents"].as_array().unwrap().clone()
}

/// The one document of this number, once all that was accepted is told of it.
fn life(node: &Node, number: &str, messages: usize) -> Value {
    let code = format!("{number}/THU-NGHIEM");
    let mut patience = 1_000;
    loop {
        let found = lives(node, &code)
            .into_iter()
            .find(|life| life["document"] == code.as_str());
        let life = found.unwrap_or_else(|| panic!("{code} is not told of"));
        patience -= 1;
        if life["said"].as_array().unwrap().len() >= messages || patience == 0 {
            assert_eq!(life["said"].as_array().unwrap().len(), messages, "{life:#}");
            return life;
        }
    }
}

/// Code and state of each addressee.
fn states(life: &Value) -> Vec<(&str, &str)> {
    let addressees = life["addressees"].as_array().unwrap().iter();
    addressees
        .map(|one| (one["to"]["code"].as_str().unwrap(), one["state"].as_str().unwrap()))
        .collect()
}

/// Who said what, and which of it is flagged with what.
fn flagged(life: &Value) -> Vec<(&str, &str, &str)> {
    let mut flagged = Vec::new();
    for saying in life["said"].as_array().unwrap() {
        for flag in saying["flags"].as_array().unwrap() {
            let texts = [&saying["from"]["agency"], &saying["what"], flag].map(|text| text.as_str().unwrap());
            flagged.push(texts.into());
        }
    }
    flagged
}

#[test]
fn what_addressees_say_tells_where_a_document_stands_also_when_it_comes_late_or_in_another_order() {
    let node = Node::start(Home::new());
    let letter = INFORMATION.letter("61", &[JUSTICE, PROVINCE]);
    // The receiver's outbox was quicker than the sender's: a status of what nobody has seen is taken, and flagged.
    say(&node, JUSTICE, &letter, "01", "08:00:01");
    let early = life(&node, "61", 1);
    assert_eq!((states(&early), early["issuer"].is_null()), (vec![], true));
    assert_eq!(flagged(&early), [("test.so-tu-phap", "01", "DOCUMENT_NOT_SEEN")]);
    send(&node, &letter);
    assert_eq!(states(&life(&node, "61", 2)), [("H62.14", "arrived"), ("H62", "sent")]);
    say(&node, JUSTICE, &letter, "06", "10:00:00");
    say(&node, JUSTICE, &letter, "03", "08:30:00");
    let refused = StatusPacket {
        description: "Tệp phụ lục không mở được".to_owned(),
        ..PROVINCE.status(letter.referred_to(), "02")
    };
    PROVINCE.desk(&node).send_status(&written_status(&refused)).unwrap();
    let told = life(&node, "61", 5);
    assert_eq!(states(&told), [("H62.14", "done"), ("H62", "refused")]);
    assert_eq!(flagged(&told), []);
    // By their own times these two come behind what is further on, and against what was said.
    say(&node, JUSTICE, &letter, "05", "11:00:00");
    say(&node, PROVINCE, &letter, "03", "07:00:00");
    let odd = life(&node, "61", 7);
    assert_eq!(states(&odd), states(&told));
    assert_eq!(
        flagged(&odd),
        [
            ("test.tinh", "02", "STATUSES_CONTRADICT"),
            ("test.so-tu-phap", "05", "STATUS_OUT_OF_ORDER"),
        ]
    );
    let for_people = node.lgsp(&["trace", "61/THU-NGHIEM"]);
    for words in [
        "at Sở Tư pháp (thử) (H62.14): done",
        "02 refused, từ chối tiếp nhận",
        "[STATUSES_CONTRADICT]",
    ] {
        assert!(for_people.out.contains(words), "{words}: {for_people:?}");
    }
}

#[test]
fn a_letter_that_is_asked_back_is_taken_back_or_stays_as_the_addressee_answers() {
    let node = Node::start(Home::new());
    let letter = INFORMATION.letter("62", &[JUSTICE, PROVINCE]);
    send(&node, &letter);
    say(&node, PROVINCE, &letter, "03", "08:30:00");
    for addressee in [JUSTICE, PROVINCE] {
        ask_back(&node, &letter, addressee, "09:00:00");
    }
    assert_eq!(
        states(&life(&node, "62", 4)),
        [("H62.14", "asked-back"), ("H62", "asked-back")]
    );
    say(&node, JUSTICE, &letter, "15", "09:10:00");
    say(&node, PROVINCE, &letter, "16", "09:10:00");
    let answered = life(&node, "62", 6);
    assert_eq!(states(&answered), [("H62.14", "taken-back"), ("H62", "registered")]);
    assert_eq!(flagged(&answered), []);
    // A recall is a packet of its own, and answered under its own id as well as under the letter's.
    let recall = acting(INFORMATION, "63", &[PROVINCE], of_kind(1, letter.id()));
    send(&node, &recall);
    assert_eq!(states(&life(&node, "62", 7))[1].1, "asked-back");
    say(&node, PROVINCE, &recall, "15", "10:00:00");
    assert_eq!(states(&life(&node, "62", 8))[1].1, "taken-back");
}

#[test]
fn an_update_adds_and_drops_receivers() {
    let node = Node::start(Home::new());
    let letter = INFORMATION.letter("64", &[JUSTICE, PROVINCE]);
    send(&node, &letter);
    let business = Business {
        receivers: vec![(JUSTICE.code.to_owned(), 0), ("000.00.00.G22".to_owned(), 1)],
        ..of_kind(2, letter.id())
    };
    send(
        &node,
        &acting(INFORMATION, "65", &[JUSTICE, PROVINCE, OUTSIDE], business),
    );
    let told = life(&node, "64", 2);
    assert_eq!(
        states(&told),
        [("H62.14", "asked-back"), ("H62", "sent"), ("G22", "sent")]
    );
    say(&node, JUSTICE, &letter, "15", "09:00:00");
    say(&node, OUTSIDE, &letter, "01", "09:00:00");
    let told = life(&node, "64", 4);
    assert_eq!(
        states(&told),
        [("H62.14", "taken-back"), ("H62", "sent"), ("G22", "arrived")]
    );
    assert_eq!(flagged(&told), []);
}

#[test]
fn a_replaced_letter_and_the_new_one_are_told_from_either_number() {
    let node = Node::start(Home::new());
    let replacing = |number: &str, old: &DocumentPacket| {
        let business = Business {
            replaces: vec![(old.id(), Vec::new())],
            ..of_kind(3, String::new())
        };
        acting(INFORMATION, number, &[JUSTICE], business)
    };
    let first = INFORMATION.letter("66", &[JUSTICE]);
    let second = replacing("67", &first);
    let third = replacing("68", &second);
    for letter in [&first, &second, &third] {
        send(&node, letter);
    }
    say(&node, JUSTICE, &third, "03", "09:00:00");
    life(&node, "68", 2);
    for number in ["66", "67", "68"] {
        let chain = lives(&node, &format!("{number}/THU-NGHIEM"));
        let told: Vec<_> = chain
            .iter()
            .map(|life| (life["document"].as_str().unwrap(), states(life)[0].1))
            .collect();
        assert_eq!(
            told,
            [
                ("66/THU-NGHIEM", "replaced"),
                ("67/THU-NGHIEM", "replaced"),
                ("68/THU-NGHIEM", "registered")
            ],
            "from {number}"
        );
        assert_eq!(chain[1]["replaces"][0], "66/THU-NGHIEM");
        assert_eq!(chain[1]["replaced_by"][0], "68/THU-NGHIEM");
    }
    let for_people = node.lgsp(&["trace", "66/THU-NGHIEM"]);
    assert!(
        for_people.out.contains("is replaced by 67/THU-NGHIEM"),
        "{for_people:?}"
    );
    assert!(
        for_people.out.contains("03 registered"),
        "the newest is told, too: {for_people:?}"
    );
}

#[test]
fn who_may_not_say_it_changes_nothing_and_is_flagged() {
    let node = Node::start(Home::new());
    let letter = INFORMATION.letter("71", &[JUSTICE]);
    send(&node, &letter);
    say(&node, PROVINCE, &letter, "03", "08:30:00");
    let recall = acting(PROVINCE, "72", &[JUSTICE], of_kind(1, letter.id()));
    let replaces = Business {
        replaces: vec![(letter.id(), Vec::new())],
        ..of_kind(3, String::new())
    };
    let replacement = acting(PROVINCE, "73", &[JUSTICE], replaces);
    for packet in [&recall, &replacement] {
        PROVINCE.desk(&node).send(&written(packet)).unwrap();
    }
    let mut itself = INFORMATION.letter("74", &[JUSTICE]);
    itself.business = Business {
        reason: "Sai".to_owned(),
        replaces: vec![(itself.id(), Vec::new())],
        ..of_kind(3, String::new())
    };
    send(&node, &itself);
    let told = life(&node, "71", 4);
    assert_eq!(states(&told), [("H62.14", "sent")]);
    assert_eq!(
        flagged(&told),
        [
            ("test.tinh", "03", "STATUS_OF_STRANGER"),
            ("test.tinh", "recalls", "RECALL_OF_ANOTHERS"),
            ("test.tinh", "replaces", "REPLACEMENT_OF_ANOTHERS"),
        ]
    );
    let told = life(&node, "74", 2);
    assert_eq!((states(&told)[0].1, flagged(&told)[0].2), ("sent", "REPLACES_ITSELF"));

    // Another content under the same number is taken, and flagged.
    let mut again = INFORMATION.letter("71", &[JUSTICE]);
    again.subject = "V/v khác".to_owned();
    send(&node, &again);
    let told = life(&node, "71", 5);
    assert_eq!(flagged(&told).last().unwrap().2, "NUMBER_USED_TWICE");

    // Only a code that nobody knows is refused.
    let unknown = JUSTICE.status(letter.referred_to(), "07");
    let refused = JUSTICE.desk(&node).send_status(&written_status(&unknown)).unwrap_err();
    assert_eq!(refused.error_code(), Some("22"), "{refused}");
}

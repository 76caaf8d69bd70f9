//! What a receiver says of a delivery, at any time and in any order; and that nobody else can.

use super::*;

/// A node, a letter that waits for the department of justice, its DocId and the delivery's id.
fn letter_waiting() -> (Node, String, String) {
    let node = Node::start(Home::new());
    let packet = written(&INFORMATION.letter("9", &[JUSTICE]));
    let doc_id = INFORMATION.desk(&node).send(&packet).unwrap();
    let delivery = JUSTICE.desk(&node).only_waiting(MessageType::Edoc).doc_id;
    (node, doc_id, delivery)
}

#[test]
pub(crate) fn a_failed_delivery_stays_listed_and_is_delivered_late() {
    let (node, doc_id, delivery) = letter_waiting();
    let mut justice = JUSTICE.desk(&node);
    justice.say(&delivery, "fail");
    let item = justice.only_waiting(MessageType::Edoc);
    assert_eq!([&*item.doc_id, &item.status], [&*delivery, "fail"]);
    let trace = traced(&node, &doc_id);
    let told = &message(&trace, &doc_id)["deliveries"][0];
    assert_eq!([&told["state"], &told["reason"]], ["dead-lettered", "RECEIVER_FAILED"]);
    assert_eq!(told["late"], false);
    justice.say(&delivery, "fail");

    assert!(justice.fetch(Way::GetEdoc, &delivery).unwrap() == written(&INFORMATION.letter("9", &[JUSTICE])));
    justice.say(&delivery, "done");
    assert_eq!(justice.waiting(MessageType::Edoc), []);
    let trace = traced(&node, &doc_id);
    let message = message(&trace, &doc_id);
    let told = &message["deliveries"][0];
    assert_eq!((&told["state"], &told["late"]), (&json!("delivered"), &json!(true)));
    assert_eq!(
        events(message),
        [
            ("Accepted", "in force"),
            ("DeadLettered", "in force"),
            ("Delivered", "late")
        ]
    );
}

#[test]
pub(crate) fn after_done_every_word_is_taken_and_changes_nothing() {
    let (node, doc_id, delivery) = letter_waiting();
    let mut justice = JUSTICE.desk(&node);
    justice.say(&delivery, "done");
    let (trace, facts) = (traced(&node, &doc_id), node.fact_counts());
    assert_eq!(
        states(message(&trace, &doc_id)),
        BTreeMap::from([("H62.14", "delivered")])
    );
    for word in [
        "processing",
        "initial",
        "inbox",
        "acceptance",
        "rejection",
        "fail",
        "done",
    ] {
        justice.say(&delivery, word);
    }
    assert_eq!(traced(&node, &doc_id), trace);
    assert_eq!(node.fact_counts(), facts);
    assert_eq!(justice.waiting(MessageType::Edoc), []);
}

#[test]
pub(crate) fn a_soft_mark_shows_in_the_list_and_is_no_fact() {
    let (node, doc_id, delivery) = letter_waiting();
    let mut justice = JUSTICE.desk(&node);
    let facts = node.fact_counts();
    for word in [
        "inbox",
        "processing",
        "acceptance",
        "rejection",
        "initial",
        "processing",
    ] {
        justice.say(&delivery, word);
        let item = justice.only_waiting(MessageType::Edoc);
        assert_eq!([&*item.doc_id, &item.status], [&*delivery, word]);
    }
    let trace = traced(&node, &doc_id);
    let told = &message(&trace, &doc_id)["deliveries"][0];
    assert_eq!([&told["state"], &told["mark"]], ["open", "processing"]);
    assert_eq!(node.fact_counts(), facts);
}

#[test]
pub(crate) fn a_word_that_the_axis_does_not_know_is_refused_and_changes_nothing() {
    let (node, doc_id, delivery) = letter_waiting();
    let mut justice = JUSTICE.desk(&node);
    let before = traced(&node, &doc_id);
    for word in ["Done", "delivered", "01"] {
        let refused = justice.service().update_status(&delivery, word).unwrap_err();
        let answer = refused.refusal().unwrap_or_else(|| panic!("{refused:?}"));
        assert_eq!(answer.status, "FAIL");
        assert!(answer.error_desc.contains("PARAMETER_INVALID"), "{answer:?}");
    }
    assert_eq!(traced(&node, &doc_id), before);
    assert_eq!(justice.only_waiting(MessageType::Edoc).status, "initial");
}

#[test]
pub(crate) fn anothers_delivery_is_refused_like_one_that_nobody_has() {
    let (node, doc_id, delivery) = letter_waiting();
    let nobodys = "00000000-0000-4000-8000-000000000000";
    let before = traced(&node, &doc_id);
    for other in [PROVINCE, INFORMATION] {
        let mut desk = other.desk(&node);
        assert_eq!(desk.waiting(MessageType::Edoc), []);
        let [theirs, unknown] = [&*delivery, nobodys].map(|id| {
            let mut refusals = vec![desk.service().update_status(id, "done").unwrap_err()];
            refusals.extend([Way::GetEdoc, Way::DownloadEdoc].map(|way| desk.fetch(way, id).unwrap_err()));
            refusals
        });
        for (theirs, unknown) in theirs.iter().zip(&unknown) {
            let answer = theirs.refusal().unwrap_or_else(|| panic!("{theirs:?}"));
            assert_eq!(Some(answer), unknown.refusal(), "they can be told apart");
        }
        // downloadEdoc has no place for a code: its empty body is 100 in the library.
        let codes: Vec<_> = theirs.iter().map(|refused| refused.error_code().unwrap()).collect();
        assert_eq!(codes, ["18", "18", "100"]);
    }
    assert_eq!(traced(&node, &doc_id), before);
    JUSTICE.desk(&node).say(&delivery, "done");
}

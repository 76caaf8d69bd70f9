//! What receivers and operators are shown: lists, marks, codes as written, refusals, objects.

use lgsp_types::{ContractRef, DeliveryState, Finding, Mark, OpenQuery, ReasonCode, Role, SystemId, UnixMs, What};

use super::facts::*;
use crate::claim::RECEIVER_FAILED;
use crate::rows::RefusalKind;
use crate::store::Store;

#[tokio::test]
async fn refusals_are_found_the_latest_first() {
    let (shelf, mut book) = (Shelf::new(2), Book::new(2));
    let store = shelf.open().await;
    let findings = vec![
        Finding {
            code: ReasonCode::new("FIELD_MISSING"),
            path: String::from("/edXML/a"),
        },
        Finding {
            code: ReasonCode::new("CHARSET"),
            path: String::from("/"),
        },
    ];
    let reason = ReasonCode::new("FIELD_MISSING");
    let rejected = What::Rejected {
        reason: reason.clone(),
        request_tag: tag(9),
        findings: findings.clone(),
    };
    let position = book.append(rejected);
    let summary = What::RejectSummary {
        source: String::from("loud"),
        minute: 29,
        count: u64::MAX,
    };
    book.append_to(1, 1_000, summary);
    book.project(&store).await;
    book.project_some(&store, 1, 10).await;
    let refusals = store.refusals(10).await.unwrap();
    let many = u64::from(u32::MAX);
    let source = String::from("loud");
    assert_eq!(
        refusals[0].what,
        RefusalKind::Summary {
            source,
            minute: 29,
            count: many
        }
    );
    assert_eq!((refusals[1].position, refusals.len()), (position, 2));
    let system = SystemId::parse("qlvb.so-a").unwrap();
    assert_eq!(
        refusals[1].what,
        RefusalKind::Call {
            system,
            reason,
            request_tag: tag(9),
            findings
        }
    );
    assert_eq!(store.refusals(1).await.unwrap().len(), 1);
    let counts = store.counts().await.unwrap();
    assert_eq!(
        (counts.refusals, counts.refusals_summarised, counts.events),
        (1, many, 0)
    );
}

#[tokio::test]
async fn a_mark_is_shown_and_changes_no_state() {
    let (shelf, mut book) = (Shelf::new(1), Book::new(1));
    let store = shelf.open().await;
    book.append(boxed(accepted(1, &["b"])));
    book.project(&store).await;
    let before = store.table_hashes().await.unwrap();
    let id = delivery(1, "b").id();
    let at = UnixMs(START_MS + 60_000);
    assert!(store.set_mark(id, Mark::Inbox, UnixMs(START_MS)).await.unwrap());
    assert!(store.set_mark(id, Mark::Processing, at).await.unwrap());
    assert!(
        !store.set_mark(delivery(2, "b").id(), Mark::Inbox, at).await.unwrap(),
        "no such delivery"
    );
    let open = store
        .open_deliveries(&[agency("b")], &asked(None, None, 10), &[])
        .await
        .unwrap();
    assert_eq!(
        (open[0].mark, open[0].changed_ms, open[0].state),
        (Some(Mark::Processing), at, DeliveryState::Open)
    );
    assert_eq!(row(&store, 1, "b").await.mark, Some((Mark::Processing, at)));
    assert_eq!(store.table_hashes().await.unwrap(), before, "a mark is soft");
}

#[tokio::test]
async fn a_fetch_shows_in_no_list_and_a_failure_does() {
    let (shelf, mut book) = (Shelf::new(1), Book::new(1));
    let store = shelf.open().await;
    book.append(boxed(accepted(1, &["b"])));
    let mut listed = Vec::new();
    for what in [collected(delivery(1, "b")), dead(delivery(1, "b"), RECEIVER_FAILED)] {
        book.append(what);
        book.project(&store).await;
        let open = store
            .open_deliveries(&[agency("b")], &asked(None, None, 10), &[])
            .await
            .unwrap();
        listed.push((open[0].state, open[0].changed_ms.0 - open[0].accepted_ms.0));
    }
    assert_eq!(
        listed,
        [(DeliveryState::Collected, 0), (DeliveryState::DeadLettered, 2_000)]
    );
    let living = OpenQuery {
        dead_letters: false,
        ..asked(None, None, 10)
    };
    assert_eq!(store.open_deliveries(&[agency("b")], &living, &[]).await.unwrap(), []);
}

#[tokio::test]
async fn what_stands_behind_a_dead_letter_of_its_order_is_left_out_where_the_contract_blocks() {
    let (shelf, mut book) = (Shelf::new(1), Book::new(1));
    let store = shelf.open().await;
    let of = |number: u8, order_key: &str, contract: &str| {
        let mut message = accepted(number, &["b", "c"]);
        message.clear.order_key = order_key.to_owned();
        message.envelope.contract = ContractRef::parse(contract).unwrap();
        boxed(message)
    };
    let document = "vn.lgsp.document/1";
    let mut stranger = accepted(6, &["b"]);
    stranger.clear.order_key = String::from("case");
    stranger.envelope.system = SystemId::parse("qlvb.so-c").unwrap();
    for what in [
        of(1, "case", document),
        of(2, "case", document),
        of(3, "case", document),
        of(4, "other", document),
        of(5, "case", "vn.lgsp.document/11"),
        boxed(stranger),
        dead(delivery(2, "b"), RECEIVER_FAILED),
    ] {
        book.append(what);
    }
    book.project(&store).await;
    let next = OpenQuery {
        dead_letters: false,
        ..asked(None, None, 10)
    };
    let open = async |to: &str, blocking: &[&str]| -> Vec<u8> {
        let blocking: Vec<_> = blocking.iter().map(|text| ContractRef::parse(text).unwrap()).collect();
        let open = store.open_deliveries(&[agency(to)], &next, &blocking).await.unwrap();
        open.iter().map(|open| open.msg_id.as_bytes()[0]).collect()
    };
    assert_eq!(open("b", &[]).await, [1, 3, 4, 5, 6]);
    assert_eq!(
        open("b", &["vn.lgsp.status/1", document]).await,
        [1, 4, 5, 6],
        "only what came after it, by a contract that blocks, from the same system, in the same order"
    );
    assert_eq!(
        open("c", &[document]).await,
        [1, 2, 3, 4, 5],
        "and to the same addressee"
    );
    book.append(redriven(delivery(2, "b"), 1));
    book.project(&store).await;
    assert_eq!(open("b", &[document]).await, [1, 2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn a_list_is_read_page_by_page_in_ledger_order() {
    let (shelf, mut book) = (Shelf::new(3), Book::new(3));
    let store = shelf.open().await;
    for number in 0..30_u8 {
        let addressees: &[&str] = if number % 2 == 0 { &["b", "c"] } else { &["c", "x"] };
        let mut message = accepted(number, addressees);
        if number % 5 == 0 {
            message.envelope.contract = ContractRef::parse("vn.lgsp.status/2").unwrap();
        }
        book.append_to(u32::from(number % 3), 1_000, boxed(message));
    }
    for partition in 0..3 {
        book.project_some(&store, partition, usize::MAX).await;
    }
    let agencies = [agency("b"), agency("c"), agency("c"), agency("nobody")];
    let mut pages = Vec::new();
    let mut after = None;
    loop {
        let page = store
            .open_deliveries(&agencies, &asked(None, after, 7), &[])
            .await
            .unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 7);
        after = Some(last.delivery);
        pages.extend(page);
    }
    let numbers: Vec<u8> = pages.iter().map(|open| open.msg_id.as_bytes()[0]).collect();
    let expected: Vec<u8> = (0..30)
        .flat_map(|number| if number % 2 == 0 { vec![number; 2] } else { vec![number] })
        .collect();
    assert_eq!(numbers, expected);
    assert_eq!((pages[0].to.as_str(), pages[1].to.as_str()), ("H62.B", "H62.C"));
    assert_eq!(pages[0].from, code("000.00.11.H62"), "as the sender wrote it");

    let statuses = store
        .open_deliveries(&agencies, &asked(Some("vn.lgsp.status"), None, 100), &[])
        .await
        .unwrap();
    let numbers: Vec<u8> = statuses.iter().map(|open| open.msg_id.as_bytes()[0]).collect();
    assert_eq!(numbers, [0, 0, 5, 10, 10, 15, 20, 20, 25]);
    assert!(statuses.iter().all(|open| open.contract.version() == 2));
    let stranger = Some(delivery(99, "b").id());
    assert_eq!(
        store
            .open_deliveries(&agencies, &asked(None, stranger, 100), &[])
            .await
            .unwrap(),
        pages,
        "nothing is hidden"
    );
    assert!(
        store
            .open_deliveries(&agencies, &asked(None, None, 0), &[])
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        store
            .open_deliveries(&[], &asked(None, None, 9), &[])
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn the_code_that_the_sender_wrote_is_kept_for_each_addressee() {
    let (shelf, mut book) = (Shelf::new(1), Book::new(1));
    let store = shelf.open().await;
    let mut message = accepted(1, &["b"]);
    message.envelope.addressees = vec![party("b", "H62.11"), party("c", "H62.14"), party("d", "H62.15")];
    // The old and the new code of one agency, a repeat, and a code that no formula leads to.
    message.clear.to_written = ["000.00.11.H62", "H62.11", "H62.14", "H62.14", "77.G99"]
        .map(code)
        .to_vec();
    book.append(boxed(message));
    let mut plain = accepted(2, &["b"]);
    plain.envelope.addressees = vec![party("b", "H62.11"), party("c", "H62.14")];
    plain.clear.to_written = ["77.G98", "77.G99", "77.G98"].map(code).to_vec();
    book.append(boxed(plain));
    book.project(&store).await;
    for (number, name, written) in [
        (1, "b", "000.00.11.H62"),
        (1, "c", "H62.14"),
        (1, "d", "H62.15"),
        (2, "b", "77.G98"),
        (2, "c", "77.G99"),
    ] {
        assert_eq!(
            row(&store, number, name).await.written,
            code(written),
            "{number} {name}"
        );
    }
}

#[tokio::test]
async fn every_object_that_a_fact_names_is_known() {
    let (shelf, mut book) = (Shelf::new(1), Book::new(1));
    let store = shelf.open().await;
    for number in 0..5 {
        let mut message = accepted(number, &["b"]);
        message.objects.push(object(200, Role::Attachment));
        book.append(boxed(message));
    }
    book.project(&store).await;
    let mut digests: Vec<_> = [0, 1, 2, 3, 4, 200]
        .map(|number| object(number, Role::Original).digest)
        .to_vec();
    digests.sort_unstable();
    let first = store.object_digests(None, 4).await.unwrap();
    let rest = store.object_digests(first.last().copied(), 4).await.unwrap();
    assert_eq!([first, rest].concat(), digests);
    let asked = [digests[3], object(201, Role::Original).digest, digests[0], digests[3]];
    assert_eq!(store.objects_named(&asked).await.unwrap(), [digests[0], digests[3]]);
}

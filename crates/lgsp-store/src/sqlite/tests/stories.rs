//! What becomes of a message: told by facts, asked of the store.

use lgsp_types::{DeliveryState, DocumentDate, Kind, ReasonCode, Role, UnixMs, What};

use super::facts::*;
use crate::claim::{Effect, RECEIVER_FAILED};
use crate::rows::{Admitted, Changed, Conflict, Counts, Position};
use crate::sqlite::SqliteStore;
use crate::store::{Store, StoreError};

/// Deliveries as the list shows them: message and addressee.
async fn listed(store: &SqliteStore, names: &[&str]) -> Vec<String> {
    let agencies: Vec<_> = names.iter().map(|name| agency(name)).collect();
    let open = store
        .open_deliveries(&agencies, &asked(None, None, 100), &[])
        .await
        .unwrap();
    let text = |number: u8, to: &str| format!("{number} {to}");
    open.iter()
        .map(|open| text(open.msg_id.as_bytes()[0], open.to.as_str()))
        .collect()
}

#[tokio::test]
async fn a_message_is_answered_as_it_was_accepted() {
    let (shelf, mut book) = (Shelf::new(1), Book::new(1));
    let mut message = accepted(1, &["b", "c"]);
    message.clear.due = Some(DocumentDate::parse("2026/02/01").unwrap());
    message.objects.push(object(9, Role::Attachment));
    let position = book.append(boxed(message.clone()));
    let store = shelf.open().await;
    let applied = book.project(&store).await;
    let agencies = vec![agency("b"), agency("c")];
    assert_eq!(
        applied.accepted,
        [Admitted {
            msg_id: msg(1),
            addressees: agencies
        }]
    );
    assert!(applied.conflicts.is_empty() && applied.changed.is_empty());

    let found = store.message(msg(1)).await.unwrap().unwrap();
    let record = &book.partitions[0][0];
    assert_eq!((found.position, found.append_ms), (position, record.append_ms));
    assert_eq!(
        (found.accepted_ms, found.leaf_hash),
        (record.append_ms, record.leaf_hash)
    );
    assert_eq!(
        (found.request_tag, &found.contract),
        (message.request_tag, &message.envelope.contract)
    );
    assert_eq!(
        (&found.sender, &found.system),
        (&message.envelope.sender, &message.envelope.system)
    );
    assert_eq!(
        (found.from_written, found.to_written),
        (message.clear.from_written, message.clear.to_written)
    );
    assert_eq!(
        (found.order_key, found.idempotency_key),
        (message.clear.order_key, message.clear.idempotency_key)
    );
    assert_eq!((found.act, found.due), (message.clear.act, message.clear.due));
    assert_eq!(
        (found.documents, found.objects),
        (message.clear.documents, message.objects)
    );
    assert!(store.message(msg(2)).await.unwrap().is_none());
}

#[tokio::test]
async fn each_addressee_has_a_state_of_its_own() {
    let (shelf, mut book) = (Shelf::new(1), Book::new(1));
    let store = shelf.open().await;
    let first = book.append(boxed(accepted(1, &["b", "c"])));
    let taken = book.append(collected(delivery(1, "b")));
    let applied = book.project(&store).await;
    let (from, to) = (DeliveryState::Open, DeliveryState::Collected);
    let changed = Changed {
        delivery: delivery(1, "b").id(),
        addressee: agency("b"),
        from,
        to,
    };
    assert_eq!(applied.changed, [changed]);
    let (b, c) = (row(&store, 1, "b").await, row(&store, 1, "c").await);
    assert_eq!((b.state, b.handed_out, c.state, c.handed_out), (to, true, from, false));
    assert_eq!((b.accepted, b.last, c.last), (first, taken, first));
    assert_eq!(b.last_event, delivery(1, "b").event_id(Kind::Collected));
    assert_eq!((b.changed_ms.0, c.changed_ms.0), (START_MS + 2_000, START_MS + 1_000));

    book.append(delivered(delivery(1, "b")));
    book.append(dead(delivery(1, "c"), NO_ROUTE));
    book.project(&store).await;
    let (b, c) = (row(&store, 1, "b").await, row(&store, 1, "c").await);
    assert_eq!((b.state, b.reason, b.late), (DeliveryState::Delivered, None, false));
    assert_eq!((c.state, c.reason), (DeliveryState::DeadLettered, Some(NO_ROUTE)));
    let counts = store.counts().await.unwrap();
    let expected = Counts {
        accepted: 1,
        delivered: 1,
        dead_lettered: 1,
        events: 4,
        ..Counts::default()
    };
    assert_eq!(counts, expected);
}

#[tokio::test]
async fn a_repeat_counts_in_nothing_and_stands_in_the_timeline() {
    let (shelf, mut book) = (Shelf::new(1), Book::new(1));
    let store = shelf.open().await;
    let first = book.append(boxed(accepted(1, &["b"])));
    book.append(collected(delivery(1, "b")));
    book.append(boxed(accepted(1, &["b"])));
    book.append(collected(delivery(1, "b")));
    let applied = book.project(&store).await;
    assert_eq!(
        (applied.accepted.len(), applied.changed.len(), applied.conflicts.len()),
        (1, 1, 0)
    );
    assert_eq!(store.message(msg(1)).await.unwrap().unwrap().position, first);
    let timeline = store.timeline(msg(1)).await.unwrap().unwrap();
    let effects: Vec<_> = timeline.events.iter().map(|event| event.effect).collect();
    assert_eq!(
        effects,
        [Effect::InForce, Effect::InForce, Effect::Repeat, Effect::Repeat]
    );
    assert!(timeline.complete);
    let counts = store.counts().await.unwrap();
    assert_eq!(
        (counts.accepted, counts.repeats, counts.open, counts.collected),
        (1, 1, 0, 1)
    );
}

#[tokio::test]
async fn the_first_of_two_requests_with_one_id_is_delivered_the_other_ends_in_conflict() {
    let (shelf, mut book) = (Shelf::new(1), Book::new(1));
    let store = shelf.open().await;
    book.append(boxed(accepted(1, &["b"])));
    let mut other = accepted(1, &["b", "c"]);
    other.request_tag = tag(77);
    other.objects = vec![object(77, Role::Original)];
    let position = book.append(boxed(other));
    let loser = Conflict {
        msg_id: msg(1),
        position,
        request_tag: tag(77),
    };
    assert_eq!(book.project(&store).await.conflicts, std::slice::from_ref(&loser));
    assert_eq!(store.pending_conflicts().await.unwrap(), [loser]);
    assert!(
        store.delivery(delivery(1, "c").id()).await.unwrap().is_none(),
        "never a delivery"
    );
    let named = object(77, Role::Original).digest;
    assert_eq!(
        store.objects_named(&[named]).await.unwrap(),
        [named],
        "a fact names it all the same"
    );

    for (tag, effect) in [
        (tag(1), Effect::NoEffect),
        (tag(77), Effect::InForce),
        (tag(77), Effect::Repeat),
    ] {
        let Position { partition, offset } = position;
        book.append(What::Conflict {
            msg_id: msg(1),
            partition,
            offset,
            request_tag: tag,
        });
        assert!(book.project(&store).await.conflicts.is_empty());
        let timeline = store.timeline(msg(1)).await.unwrap().unwrap();
        assert_eq!(timeline.events.last().unwrap().effect, effect);
    }
    assert!(store.pending_conflicts().await.unwrap().is_empty());
    assert_eq!(store.counts().await.unwrap().conflicts, 1);
}

#[tokio::test]
async fn a_conflict_that_is_settled_in_the_batch_that_found_it_asks_for_nothing() {
    let (shelf, mut book) = (Shelf::new(1), Book::new(1));
    book.append(boxed(accepted(1, &["b"])));
    let mut other = accepted(1, &["b"]);
    other.request_tag = tag(77);
    let Position { partition, offset } = book.append(boxed(other));
    book.append(What::Conflict {
        msg_id: msg(1),
        partition,
        offset,
        request_tag: tag(77),
    });
    let store = shelf.open().await;
    assert!(book.project(&store).await.conflicts.is_empty());
    assert!(store.pending_conflicts().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_dead_letter_is_redriven_and_delivered_in_its_second_round() {
    let (shelf, mut book) = (Shelf::new(1), Book::new(1));
    let store = shelf.open().await;
    book.append(boxed(accepted(1, &["b"])));
    book.append(failed(delivery(1, "b"), 1));
    book.append(failed(delivery(1, "b"), 2));
    book.project(&store).await;
    let tried = row(&store, 1, "b").await;
    assert_eq!(
        (tried.state, tried.attempts, tried.last.offset),
        (DeliveryState::Open, 2, 2)
    );
    assert_eq!(
        tried.changed_ms, tried.accepted_ms,
        "a try is no change that lists show"
    );
    book.append(dead(delivery(1, "b"), NO_ROUTE));
    book.project(&store).await;
    book.append(redriven(delivery(1, "b"), 1));
    book.append(redriven(delivery(1, "b"), 1));
    book.append(dead(delivery(1, "b"), NO_ROUTE));
    book.project(&store).await;
    let again = row(&store, 1, "b").await;
    assert_eq!(
        (again.state, again.generation, again.attempts),
        (DeliveryState::Open, 1, 0)
    );
    assert_eq!(again.reason, None);
    assert_eq!(again.standing().state, DeliveryState::Open);
    book.append(withdrawn(redrive_of("b")));
    book.append(delivered(redrive_of("b")));
    let applied = book.project(&store).await;
    assert_eq!(applied.changed.len(), 1, "it was tried, so it cannot be withdrawn");
    assert_eq!(row(&store, 1, "b").await.state, DeliveryState::Delivered);
}

fn redrive_of(addressee: &str) -> lgsp_types::Delivery {
    lgsp_types::Delivery {
        generation: 1,
        ..delivery(1, addressee)
    }
}

#[tokio::test]
async fn what_comes_late_counts_and_is_flagged() {
    let (shelf, mut book) = (Shelf::new(1), Book::new(1));
    let store = shelf.open().await;
    book.append(boxed(accepted(1, &["b", "c", "d"])));
    book.append(dead(delivery(1, "b"), RECEIVER_FAILED));
    book.append(withdrawn(delivery(1, "c")));
    book.project(&store).await;
    assert_eq!(
        listed(&store, &["b", "c", "d"]).await,
        ["1 H62.B", "1 H62.D"],
        "the receiver's own failure is listed"
    );
    for name in ["b", "c", "d", "b"] {
        book.append(delivered(delivery(1, name)));
    }
    book.project(&store).await;
    for (name, late) in [("b", true), ("c", true), ("d", false)] {
        let row = row(&store, 1, name).await;
        assert_eq!(
            (row.state, row.late, row.reason),
            (DeliveryState::Delivered, late, None),
            "{name}"
        );
    }
    let timeline = store.timeline(msg(1)).await.unwrap().unwrap();
    let effects: Vec<_> = timeline.events.iter().skip(3).map(|event| event.effect).collect();
    assert_eq!(effects, [Effect::Late, Effect::Late, Effect::InForce, Effect::Repeat]);
    assert!(listed(&store, &["b", "c", "d"]).await.is_empty());
}

#[tokio::test]
async fn a_fact_about_nothing_known_has_no_effect_and_is_kept() {
    let (shelf, mut book) = (Shelf::new(2), Book::new(2));
    let store = shelf.open().await;
    book.append(collected(delivery(1, "b")));
    book.append(boxed(accepted(1, &["b"])));
    book.append(collected(delivery(1, "c")));
    book.append_to(1, 0, collected(delivery(1, "b")));
    book.project(&store).await;
    book.project_some(&store, 1, 1).await;
    assert_eq!(
        row(&store, 1, "b").await.state,
        DeliveryState::Open,
        "neither before it nor from another partition"
    );
    let timeline = store.timeline(msg(1)).await.unwrap().unwrap();
    let effects: Vec<_> = timeline.events.iter().map(|event| event.effect).collect();
    assert_eq!(
        effects,
        [Effect::NoEffect, Effect::InForce, Effect::NoEffect, Effect::NoEffect]
    );
}

#[tokio::test]
async fn ledger_time_never_goes_back() {
    let (shelf, mut book) = (Shelf::new(1), Book::new(1));
    book.append(boxed(accepted(1, &["b"])));
    book.append_to(0, -500, collected(delivery(1, "b")));
    book.append_to(0, 100, boxed(accepted(2, &["b"])));
    let store = shelf.open().await;
    for _ in 0..3 {
        book.project_some(&store, 0, 1).await;
    }
    let timeline = store.timeline(msg(1)).await.unwrap().unwrap();
    let times: Vec<_> = timeline
        .events
        .iter()
        .map(|event| (event.append_ms.0, event.ledger_ms.0))
        .collect();
    assert_eq!(
        times,
        [(START_MS + 1_000, START_MS + 1_000), (START_MS + 500, START_MS + 1_000)]
    );
    assert_eq!(
        store.message(msg(2)).await.unwrap().unwrap().accepted_ms,
        UnixMs(START_MS + 1_000)
    );
}

#[tokio::test]
async fn a_timeline_says_who_did_what() {
    let (shelf, mut book) = (Shelf::new(1), Book::new(1));
    let store = shelf.open().await;
    book.append(boxed(accepted(1, &["b"])));
    book.append(failed(delivery(1, "b"), 1));
    let act = ReasonCode::new("VIEWED");
    book.append(What::Act {
        act: act.clone(),
        msg_id: Some(msg(2)),
        purpose: String::from("check"),
    });
    book.project(&store).await;
    let timeline = store.timeline(msg(1)).await.unwrap().unwrap();
    assert_eq!(timeline.deliveries, [row(&store, 1, "b").await]);
    let [accepted, failed] = timeline.events.as_slice() else {
        panic!("{:?}", timeline.events)
    };
    assert_eq!(
        (accepted.kind, accepted.delivery, &accepted.connector),
        (Kind::Accepted, None, &None)
    );
    assert_eq!(accepted.agency, Some(agency("so-a")));
    assert_eq!(failed.delivery, Some(delivery(1, "b").id()));
    assert_eq!((&failed.agency, failed.attempt), (&Some(agency("b")), 1));
    assert_eq!(failed.connector.as_ref().unwrap().as_str(), "vxp.doc");
    assert_eq!(failed.reason.as_ref().unwrap().as_str(), "TIMEOUT");
    assert_eq!(failed.system.as_str(), "qlvb.so-a");
    let only_an_act = store.timeline(msg(2)).await.unwrap().unwrap();
    assert!(only_an_act.message.is_none() && only_an_act.deliveries.is_empty());
    assert_eq!(only_an_act.events[0].reason, Some(act));
    assert!(store.timeline(msg(3)).await.unwrap().is_none());
}

#[tokio::test]
async fn a_record_that_is_none_of_ours_takes_its_offset_and_is_counted() {
    let (shelf, mut book) = (Shelf::new(1), Book::new(1));
    let store = shelf.open().await;
    book.append_alien(0);
    book.append(boxed(accepted(1, &["b"])));
    book.project(&store).await;
    assert_eq!(store.next_offset(0).await.unwrap(), 2);
    assert_eq!(store.counts().await.unwrap().aliens, 1);
    assert_eq!(store.message(msg(1)).await.unwrap().unwrap().position.offset, 1);
}

#[tokio::test]
async fn a_batch_begins_where_the_last_one_ended_or_is_refused_whole() {
    let (shelf, mut book) = (Shelf::new(1), Book::new(1));
    let store = shelf.open().await;
    for number in 0..3 {
        book.append(boxed(accepted(number, &["b"])));
    }
    let records = &book.partitions[0];
    let out_of_step = |next, got| move |error: StoreError| matches!(error, StoreError::OutOfStep { partition: 0, next: at, got: found } if (at, found) == (next, got));
    assert!(
        store
            .apply(0, 1, records[1..].to_vec())
            .await
            .is_err_and(out_of_step(0, 1))
    );
    let gap = vec![records[0].clone(), records[2].clone()];
    assert!(store.apply(0, 0, gap).await.is_err_and(out_of_step(1, 2)));
    assert_eq!(store.next_offset(0).await.unwrap(), 0);
    assert_eq!(store.counts().await.unwrap(), Counts::default());
    book.project(&store).await;
    assert!(
        store.apply(0, 0, records.clone()).await.is_err_and(out_of_step(3, 0)),
        "not twice"
    );
    let missing = store.apply(1, 0, Vec::new()).await;
    assert!(matches!(missing, Err(StoreError::NoSuchPartition { partition: 1 })));
    assert!(matches!(
        store.next_offset(1).await,
        Err(StoreError::NoSuchPartition { partition: 1 })
    ));
}

//! The spine over a real local ledger, store and folder: what its callers are promised.

mod configure;
mod dispatch;
mod documents;
mod schedules;
mod stage;
mod stranded;
mod tenure;
mod traces;
mod withdraw;

use futures_util::StreamExt as _;
use lgsp_audit::{Receipt as ReceiptNote, TlogProof};
use lgsp_types::{
    AcknowledgeError, Acknowledged, DeliveryState, Exchange, FetchError, Kind, Operations, Outcome, PublishError,
    ReasonCode, UnixMs,
};

use stage::{Stage, evidence, letter, publish};

#[tokio::test]
async fn whoever_holds_the_receipt_can_prove_that_the_message_is_in_the_ledger() {
    let stage = Stage::open().await;
    let receipt = stage.accepted("a", "1", "one").await;
    let note = ReceiptNote::open(&receipt.note, &[stage.node_key().verifier()]).unwrap();
    assert_eq!(
        (note.msg_id, note.leaf_hash, &note.position),
        (receipt.msg_id, receipt.leaf_hash, &receipt.position)
    );
    let proof = stage.sealed_proof(receipt.msg_id).await;
    let proof = TlogProof::parse(&proof).unwrap();
    let head = proof
        .verify(&receipt.leaf_hash, "lgsp/test/0", stage.log_key().verifier())
        .unwrap();
    assert!(head.size > receipt.position.offset);
    stage.close().await;
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_also_after_a_restart_and_is_delivered_once() {
    let mut stage = Stage::open().await;
    let first = stage.accepted("a", "1", "one").await;
    stage.projected().await;
    let again = stage.accepted("a", "1", "one").await;
    assert_eq!(
        (again.msg_id, &again.note, again.repeat),
        (first.msg_id, &first.note, true)
    );
    stage = stage.reopen().await;
    let later = stage.accepted("a", "1", "one").await;
    assert_eq!(later.note, first.note);
    assert_eq!(stage.open_for_receiver().await.len(), 1);
    assert_eq!(stage.kinds().await, [Kind::Accepted]);
    stage.close().await;
}

#[tokio::test]
async fn the_same_key_for_other_content_is_a_conflict_and_is_never_delivered() {
    let stage = Stage::open().await;
    let first = stage.accepted("a", "1", "one").await;
    stage.projected().await;
    let error = stage
        .spine
        .publish(&stage.sender(), publish("a", "1", "two"))
        .await
        .unwrap_err();
    assert!(
        matches!(error, PublishError::Conflict { msg_id } if msg_id == first.msg_id),
        "{error}"
    );
    assert_eq!(stage.open_for_receiver().await.len(), 1);
    stage.close().await;
}

/// Two calls of one key may both be accepted before either is projected: the first in the log wins, the other ends as
/// a Conflict fact.
#[tokio::test]
async fn of_two_racing_contents_the_first_in_the_log_is_delivered_and_the_other_ends_as_a_conflict() {
    let stage = Stage::open().await;
    let sender = stage.sender();
    let (one, two) = tokio::join!(
        stage.spine.publish(&sender, publish("a", "1", "one")),
        stage.spine.publish(&sender, publish("a", "1", "two")),
    );
    let accepted = [&one, &two].into_iter().filter(|answer| answer.is_ok()).count();
    if accepted == 2 {
        stage.until_kind(Kind::Conflict).await;
        assert_eq!(stage.kinds().await, [Kind::Accepted, Kind::Accepted, Kind::Conflict]);
    }
    let open = stage.open_for_receiver().await;
    assert_eq!(open.len(), 1);
    let winner = [one, two]
        .into_iter()
        .flatten()
        .min_by_key(|receipt| receipt.position.offset)
        .unwrap();
    let fetched = stage.spine.fetch(&stage.receiver(), open[0].delivery).await.unwrap();
    assert_eq!(fetched.msg_id, winner.msg_id);
    stage.close().await;
}

#[tokio::test]
async fn a_message_with_one_unknown_addressee_is_refused_whole_and_recorded_once_a_minute() {
    let stage = Stage::open().await;
    let mut wrong = publish("a", "1", "one");
    wrong.to.push(stage::written("H44.99", "/to[2]"));
    wrong.to.push(stage::written("H44.98", "/to[3]"));
    for _ in 0..3 {
        let error = stage.spine.publish(&stage.sender(), wrong.clone()).await.unwrap_err();
        let PublishError::Refused(refusals) = error else {
            panic!("{error}")
        };
        let named: Vec<_> = refusals
            .iter()
            .map(|refusal| (refusal.code.as_str(), refusal.path.as_str()))
            .collect();
        assert_eq!(
            named,
            [("ADDRESSEE_UNKNOWN", "/to[2]"), ("ADDRESSEE_UNKNOWN", "/to[3]")]
        );
    }
    assert_eq!(stage.kinds().await, [Kind::Rejected]);
    assert!(stage.open_for_receiver().await.is_empty());
    // The refusal is final for that call, not for its key.
    stage.accepted("a", "1", "one").await;
    stage.close().await;
}

#[tokio::test]
async fn the_record_that_names_the_receiver_is_in_the_ledger_before_the_bytes_leave() {
    let stage = Stage::open().await;
    stage.accepted("a", "1", "one").await;
    let delivery = stage.open_for_receiver().await[0].delivery;
    let fetched = stage.spine.fetch(&stage.receiver(), delivery).await.unwrap();
    assert_eq!(stage.kinds().await, [Kind::Accepted, Kind::Collected]);
    assert_eq!(fetched.payload, letter("one"));
    // Fetching again is no news.
    stage.spine.fetch(&stage.receiver(), delivery).await.unwrap();
    assert_eq!(stage.kinds().await, [Kind::Accepted, Kind::Collected]);
    let done = |outcome| stage.spine.acknowledge(&stage.receiver, delivery, outcome, evidence());
    assert_eq!(done(Outcome::Delivered).await.unwrap(), Acknowledged::Done);
    assert_eq!(done(Outcome::Delivered).await.unwrap(), Acknowledged::Already);
    assert_eq!(
        done(Outcome::Failed(ReasonCode::new("RECEIVER_FAILED"))).await.unwrap(),
        Acknowledged::Already
    );
    assert_eq!(stage.kinds().await, [Kind::Accepted, Kind::Collected, Kind::Delivered]);
    assert!(stage.open_for_receiver().await.is_empty());
    stage.close().await;
}

#[tokio::test]
async fn a_delivery_of_somebody_else_is_not_told_from_none() {
    let stage = Stage::open().await;
    stage.accepted("a", "1", "one").await;
    let delivery = stage.open_for_receiver().await[0].delivery;
    let fetched = stage.spine.fetch(&stage.sender(), delivery).await;
    assert!(matches!(fetched, Err(FetchError::NotFound)));
    let said = stage
        .spine
        .acknowledge(&stage.sender(), delivery, Outcome::Delivered, evidence())
        .await;
    assert!(matches!(said, Err(AcknowledgeError::NotFound)));
    assert_eq!(stage.kinds().await, [Kind::Accepted]);
    stage.close().await;
}

#[tokio::test]
async fn what_the_receiver_could_not_take_stays_listed_and_a_later_done_is_late() {
    let stage = Stage::open().await;
    let receipt = stage.accepted("a", "1", "one").await;
    let delivery = stage.open_for_receiver().await[0].delivery;
    let failed = Outcome::Failed(lgsp_store::RECEIVER_FAILED);
    stage
        .spine
        .acknowledge(&stage.receiver(), delivery, failed, evidence())
        .await
        .unwrap();
    let listed = stage.open_for_receiver().await;
    assert_eq!(listed[0].state, DeliveryState::DeadLettered);
    stage
        .spine
        .acknowledge(&stage.receiver(), delivery, Outcome::Delivered, evidence())
        .await
        .unwrap();
    let trace = stage.spine.trace(None, &receipt.msg_id.to_string()).await.unwrap();
    let told = &trace.messages[0].deliveries[0];
    assert_eq!((told.state, told.late), ("delivered", true));
    stage.close().await;
}

#[tokio::test]
async fn when_records_wait_too_long_for_their_checkpoint_nothing_more_is_accepted() {
    let stage = Stage::open().await;
    stage.accepted("a", "1", "one").await;
    stage.sealer_stands_still().await;
    stage.advance(UnixMs(stage::SEAL_STOP_AFTER_MS + 1));
    let error = stage
        .spine
        .publish(&stage.sender(), publish("a", "2", "two"))
        .await
        .unwrap_err();
    assert!(matches!(error, PublishError::Busy), "{error}");
    stage.close().await;
}

#[tokio::test]
async fn a_store_that_knows_more_than_its_ledger_is_a_fork_and_the_node_does_not_start() {
    let stage = Stage::open().await;
    stage.accepted("a", "1", "one").await;
    stage.projected().await;
    let folder = stage.close().await;
    std::fs::remove_file(folder.path().join("data.ledger")).unwrap();
    std::fs::remove_dir_all(folder.path().join("audit")).unwrap();
    let error = Stage::try_open(folder).await.unwrap_err();
    assert!(error.contains("ledger fork"), "{error}");
}

#[tokio::test]
async fn a_ledger_that_is_shorter_than_its_checkpoint_is_a_fork_and_the_node_does_not_start() {
    let stage = Stage::open().await;
    let receipt = stage.accepted("a", "1", "one").await;
    stage.sealed_proof(receipt.msg_id).await;
    let folder = stage.close().await;
    std::fs::remove_file(folder.path().join("data.ledger")).unwrap();
    std::fs::remove_file(folder.path().join("store.sqlite")).unwrap();
    let error = Stage::try_open(folder).await.unwrap_err();
    assert!(error.contains("ledger fork"), "{error}");
}

#[tokio::test]
async fn a_sender_sees_where_its_message_stands_and_nobody_elses() {
    let stage = Stage::open().await;
    let receipt = stage.accepted("a", "1", "one").await;
    let sent = stage
        .spine
        .sent(&stage.sender(), receipt.msg_id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((&sent.receipt.note, sent.receipt.repeat), (&receipt.note, true));
    let [delivery] = sent.deliveries.as_slice() else {
        panic!("{sent:?}")
    };
    assert_eq!((delivery.state, &delivery.reason), (DeliveryState::Open, &None));
    let refused = Outcome::Failed(ReasonCode::new("NO_ROOM"));
    let word = stage
        .spine
        .acknowledge(&stage.receiver(), delivery.delivery, refused, evidence())
        .await;
    assert_eq!(word.unwrap(), Acknowledged::Done);
    let sent = stage
        .spine
        .sent(&stage.sender(), receipt.msg_id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(sent.deliveries[0].state, DeliveryState::DeadLettered);
    assert_eq!(sent.deliveries[0].reason, Some(ReasonCode::new("NO_ROOM")));
    assert_eq!(stage.spine.sent(&stage.receiver(), receipt.msg_id).await.unwrap(), None);
    stage.close().await;
}

#[tokio::test]
async fn whoever_waits_for_arrivals_is_told_of_each_and_of_the_end() {
    let stage = Stage::open().await;
    let mut arrivals = stage.spine.arrivals();
    for number in ["1", "2"] {
        let before = stage.open_for_receiver().await.len();
        stage.accepted("a", number, number).await;
        while stage.open_for_receiver().await.len() == before {
            arrivals.next().await.unwrap();
        }
    }
    stage.close().await;
    while arrivals.next().await.is_some() {}
}

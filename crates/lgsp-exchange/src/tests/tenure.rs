//! A node that does not hold the ledger, and one that loses it in the middle of an append.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use lgsp_audit::TlogProof;
use lgsp_ledger::{Append, Entry, Ledger, Local, ReadError, ReadLimit, Tenure};
use lgsp_types::{
    AcknowledgeError, Exchange, FetchError, Kind, OpenQuery, Operations, Outcome, PublishError, SystemId,
};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::stage::{Stage, evidence, publish};
use crate::scribe::{Scribe, WriteError};

#[tokio::test]
async fn a_node_that_does_not_hold_the_ledger_accepts_lists_and_hands_out_nothing() {
    let stage = Stage::open().await;
    stage.accepted("a", "1", "one").await;
    let delivery = stage.open_for_receiver().await[0].delivery;
    stage.tenure.release().await;
    let (spine, sender, receiver) = (&stage.spine, stage.sender(), stage.receiver());
    for (key, text) in [("1", "one"), ("2", "two")] {
        let answer = spine.publish(&sender, publish("a", key, text)).await;
        assert!(matches!(answer, Err(PublishError::Unavailable(_))), "{answer:?}");
    }
    let query = OpenQuery {
        contract: None,
        limit: 100,
        after: None,
        dead_letters: true,
    };
    spine.open(&receiver, query).await.unwrap_err();
    let fetched = spine.fetch(&receiver, delivery).await;
    assert!(matches!(fetched, Err(FetchError::Unavailable(_))), "{fetched:?}");
    let settled = spine
        .acknowledge(&receiver, delivery, Outcome::Delivered, evidence())
        .await;
    assert!(matches!(settled, Err(AcknowledgeError::Unavailable(_))), "{settled:?}");
    let status = spine.status().await.unwrap();
    assert_eq!((status.epoch, status.holder), (0, None));
    assert_eq!(stage.kinds().await, [Kind::Accepted]);
    stage.close().await;
}

#[tokio::test]
async fn who_stood_by_has_projected_and_hashed_what_came_and_seals_it_when_its_turn_comes() {
    let mut stage = Stage::open().await;
    let first = stage.accepted("a", "1", "one").await;
    for number in ["2", "3"] {
        stage.accepted("a", number, "more").await;
    }
    stage = stage.reopen_elsewhere().await;
    let again = stage.accepted("a", "1", "one").await;
    assert_eq!((again.note, again.repeat), (first.note, true));
    let proof = TlogProof::parse(&stage.sealed_proof(first.msg_id).await).unwrap();
    let log = stage.log_key();
    proof.verify(&first.leaf_hash, "lgsp/test/0", log.verifier()).unwrap();
    assert_eq!(stage.open_for_receiver().await.len(), 3);
    stage.close().await;
}

/// A ledger that another node takes over while it appends.
#[derive(Debug)]
struct TakenOver<'a> {
    ledger: &'a Local,
    tenure: Tenure,
}

#[async_trait]
impl Ledger for TakenOver<'_> {
    fn partitions(&self) -> u32 {
        self.ledger.partitions()
    }

    async fn append(&self, partition: u32, record: Bytes) -> Append {
        let append = self.ledger.append(partition, record).await;
        self.tenure.release().await;
        append
    }

    async fn read(&self, partition: u32, from: u64, limit: ReadLimit) -> Result<Vec<Entry>, ReadError> {
        self.ledger.read(partition, from, limit).await
    }

    async fn end(&self, partition: u32) -> Result<u64, ReadError> {
        self.ledger.end(partition).await
    }

    async fn grown(&self, partition: u32, past: u64) -> Result<u64, ReadError> {
        self.ledger.grown(partition, past).await
    }

    async fn close(&self) {
        self.ledger.close().await;
    }
}

#[tokio::test]
async fn what_is_appended_while_the_ledger_is_lost_is_unknown_and_the_next_is_not_appended() {
    let stage = Stage::open().await;
    let tenure = Tenure::always();
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let node = SystemId::parse("node").unwrap();
    let node = (node, "test".to_owned(), tenure.clone());
    let scribe = Scribe::start(Arc::new(stage.node_key()), node, stage.clock(), 16, &tasks, stop);
    let ledger = TakenOver {
        ledger: stage.data_ledger(),
        tenure,
    };
    let fact = stage.spine.own_fact(
        lgsp_types::EventId::of(Kind::SealAlarm, &[b"once"]),
        lgsp_types::What::SealAlarm {
            reason: lgsp_types::ReasonCode::new("SEAL_LATE"),
        },
    );
    let first = scribe.write(&ledger, 0, &fact).await;
    assert!(matches!(first, Err(WriteError::Unknown)), "{first:?}");
    let second = scribe.write(&ledger, 0, &fact).await;
    assert!(matches!(second, Err(WriteError::Busy)), "{second:?}");
    assert_eq!(stage.kinds().await, [Kind::SealAlarm]);
    stage.close().await;
}

//! Several nodes on one ledger, each with its lease on a real broker: one holds it, whoever waits follows.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rdkafka::producer::{FutureProducer, FutureRecord};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::super::*;
use super::stage::{self, Stage};
use crate::tenure::{Lost, Tenure};

/// Longest wait for what has to come.
const PATIENCE: Duration = Duration::from_secs(30);
const TTL: Duration = Duration::from_secs(2);

/// Makes the topic of a lease.
async fn topic(stage: &Stage) {
    let manifest = Manifest {
        compacted: true,
        ..stage.next_manifest(1)
    };
    let path = stage.path();
    let made = Kafka::create(&path, manifest, &stage.settings()).await.unwrap();
    assert_eq!(made, Made::Topic);
}

async fn lease(stage: &Stage, node: &str) -> Lease {
    let claimant = Claimant {
        node: node.to_owned(),
        ttl: TTL,
        keys: String::from("same"),
    };
    Lease::open(&stage.path(), &stage.settings(), claimant).await.unwrap()
}

async fn held(lease: &Lease) -> Tenure {
    let tenure = timeout(PATIENCE, lease.held()).await;
    tenure.expect("it is never held").unwrap()
}

/// Nobody holds it after so long.
async fn is_not_held(lease: &Lease, long: Duration) {
    let tenure = timeout(long, lease.held()).await;
    assert!(tenure.is_err(), "{tenure:?}");
}

/// A node of which only the words are there.
struct Ghost {
    producer: FutureProducer,
    topic: String,
}

impl Ghost {
    fn new(stage: &Stage) -> Self {
        let producer = super::super::client::producer(&stage.settings()).create().unwrap();
        let topic = stage.name();
        Self { producer, topic }
    }

    async fn says(&self, act: &str, epoch: u64, rest: &str) {
        let word = format!(
            r#"{{"act":"{act}","epoch":{epoch},"holder":"ghost","process":"00","number":1,"ttl_ms":2000{rest}}}"#
        );
        let record = FutureRecord::to(&self.topic).partition(0).key("lease").payload(&word);
        self.producer.send(record, PATIENCE).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_two_holds_it_renews_it_and_its_release_lets_the_other_hold_it_at_once() {
    let stage = stage::one().await;
    topic(&stage).await;
    let first = lease(&stage, "first").await;
    let ours = held(&first).await;
    assert!(ours.holds());
    assert_eq!(ours.epoch(), 1);
    let second = lease(&stage, "second").await;
    is_not_held(&second, TTL * 2).await;
    assert!(ours.holds(), "it was not renewed");

    let begin = Instant::now();
    ours.release().await;
    assert!(!ours.holds());
    assert_eq!(ours.lost().await, Lost::GivenBack);
    let theirs = held(&second).await;
    assert!(begin.elapsed() < TTL, "it took {:?}", begin.elapsed());
    assert_eq!((theirs.epoch(), theirs.holds()), (2, true));
    // Whoever ends while it waits has nothing to give back.
    let third = lease(&stage, "third").await;
    third.close().await;
    assert!(third.held().await.is_err());
    assert!(theirs.holds());
    second.close().await;
    assert!(!theirs.holds());
    first.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_holder_of_whom_nothing_is_heard_is_followed_after_its_time_and_a_word_from_it_ends_nothing() {
    let stage = stage::one().await;
    topic(&stage).await;
    let ghost = Ghost::new(&stage);
    ghost.says("claim", 7, r#","keys":"same""#).await;
    let begin = Instant::now();
    let lease = lease(&stage, "node").await;
    is_not_held(&lease, TTL / 2).await;
    ghost.says("renewal", 7, r#","keys":"same""#).await;
    let tenure = held(&lease).await;
    assert!(begin.elapsed() >= TTL + TTL / 2, "it took {:?}", begin.elapsed());
    assert_eq!(tenure.epoch(), 8);
    // It wakes up.
    ghost.says("renewal", 7, r#","keys":"same""#).await;
    ghost.says("release", 7, r#","keys":"same""#).await;
    // A claim that did not see the renewals since.
    ghost.says("claim", 9, r#","keys":"same","after":1"#).await;
    assert!(timeout(TTL, tenure.lost()).await.is_err());
    assert!(tenure.holds());
    // Something comes that is no word, and then a claim in view of all there is.
    let record = FutureRecord::to(&ghost.topic).partition(0).key("lease").payload("?");
    let (_, place) = (0, ghost.producer.send(record, PATIENCE).await.unwrap());
    let rest = format!(r#","keys":"same","after":{}"#, place.offset + 1_000);
    ghost.says("claim", 12, &rest).await;
    let lost = timeout(PATIENCE, tenure.lost()).await.unwrap();
    let holder = String::from("ghost");
    assert_eq!(lost, Lost::TakenOver { holder, epoch: 12 });
    assert!(!tenure.holds());
    lease.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_eight_that_claim_at_once_one_holds_it_at_a_time_and_everybody_has_its_turn() {
    let stage = stage::one().await;
    topic(&stage).await;
    let holders = Arc::new(AtomicUsize::new(0));
    let mut nodes = JoinSet::new();
    for node in 0..8 {
        let lease = lease(&stage, &format!("node-{node}")).await;
        let holders = Arc::clone(&holders);
        nodes.spawn(async move {
            let tenure = held(&lease).await;
            assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0, "two hold it");
            assert!(tenure.holds());
            holders.fetch_sub(1, Ordering::SeqCst);
            lease.close().await;
            tenure.epoch()
        });
    }
    let mut epochs = nodes.join_all().await;
    epochs.sort_unstable();
    epochs.dedup();
    assert_eq!(epochs.len(), 8, "{epochs:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn while_the_broker_is_frozen_for_longer_nobody_holds_it_and_then_one_does() {
    let mut stage = stage::one().await;
    topic(&stage).await;
    let first = lease(&stage, "first").await;
    let ours = held(&first).await;
    let second = lease(&stage, "second").await;
    stage.cluster.freeze(1).unwrap();
    let begin = Instant::now();
    while ours.holds() {
        assert!(begin.elapsed() < TTL, "it holds for longer than its lease");
        sleep(Duration::from_millis(5)).await;
    }
    is_not_held(&second, TTL * 2).await;
    assert!(!ours.holds());
    stage.cluster.thaw(1).unwrap();
    // Whose word comes first decides: it is renewed, or the other holds it. Never both.
    let thawed = Instant::now();
    let theirs = timeout(PATIENCE, async {
        loop {
            if let Ok(theirs) = timeout(Duration::from_millis(5), second.held()).await {
                return Some(theirs.unwrap());
            }
            if ours.holds() {
                return None;
            }
        }
    });
    match theirs
        .await
        .unwrap_or_else(|_| panic!("nobody holds it {:?} after", thawed.elapsed()))
    {
        Some(theirs) => {
            assert!(theirs.holds());
            let lost = timeout(PATIENCE, ours.lost()).await.unwrap();
            assert!(matches!(lost, Lost::TakenOver { holder, epoch: 2 } if holder == "second"));
        }
        None => {
            assert_eq!(ours.epoch(), 1);
            is_not_held(&second, TTL).await;
        }
    }
    first.close().await;
    second.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn with_other_keys_nothing_is_claimed_and_the_holder_is_named() {
    let stage = stage::one().await;
    topic(&stage).await;
    let ghost = Ghost::new(&stage);
    ghost.says("claim", 1, r#","keys":"others""#).await;
    ghost.says("release", 1, r#","keys":"others""#).await;
    let lease = lease(&stage, "node").await;
    let refused = timeout(PATIENCE, lease.held()).await.unwrap();
    assert!(
        matches!(&refused, Err(LeaseError::OtherKeys { holder }) if holder == "ghost"),
        "{refused:?}"
    );
    lease.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_topic_of_a_ledger_is_no_topic_of_a_lease() {
    let stage = stage::one().await;
    let ledger = stage.ledger(1).await;
    ledger.close().await;
    let manifest = Manifest {
        compacted: true,
        ..ledger.manifest().clone()
    };
    let path = stage.path().with_added_extension("of-a-lease");
    let refused = Kafka::create(&path, manifest, &stage.settings()).await.unwrap_err();
    let told = refused.to_string();
    assert!(
        told.contains("cleanup.policy is delete, the manifest asks for compact"),
        "{told}"
    );
    assert!(told.contains("segment.bytes"), "{told}");
}

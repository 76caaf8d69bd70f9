//! SIGKILL under load on Kafka: document systems by a façade in a process of its own, others by gRPC, all the time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use lgsp_api::{Link, Told};
use lgsp_ledger::kafka::Cluster;
use lgsp_proto::exchange::v1;
use lgsp_proto::exchange::v1::acknowledge_delivery_request::{Delivered, Outcome};
use lgsp_proto::exchange::v1::exchange_client::ExchangeClient;
use tokio::task::{JoinSet, block_in_place};
use tokio::time::{sleep, timeout};

use super::lgsp;
use crate::kill;
use crate::kill::town::Town;
use crate::support::{self, Node, facade_outside};

/// Longest work of one caller; a node that never comes back fails the test.
const TIME_LIMIT: Duration = Duration::from_secs(90);
/// What a polite client waits before it asks again.
const PAUSE: Duration = Duration::from_millis(15);
const SENDERS: usize = 2;

/// What the callers of gRPC counted.
#[derive(Debug, Default)]
struct Counted {
    /// Message id of each letter, by its key.
    sent: BTreeMap<String, String>,
    /// What the inbox took, by message id.
    took: BTreeMap<String, String>,
}

/// Departments that send and receive by gRPC until they are told that the day is over.
struct Grpc {
    senders: JoinSet<BTreeMap<String, String>>,
    receiver: JoinSet<BTreeMap<String, String>>,
    over: Arc<AtomicBool>,
    sent: Arc<AtomicUsize>,
}

impl Grpc {
    async fn at_work(node: &Node) -> Self {
        let sender = node.exchange("system/vxp.test.11").await;
        let receiver = node.exchange("system/vxp.test.outside").await;
        let (over, sent) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let mut grpc = Self {
            senders: JoinSet::new(),
            receiver: JoinSet::new(),
            over,
            sent,
        };
        for nth in 0..SENDERS {
            let (sender, over, sent) = (sender.clone(), Arc::clone(&grpc.over), Arc::clone(&grpc.sent));
            grpc.senders.spawn(timely(send(sender, nth, over, sent)));
        }
        let (over, sent) = (Arc::clone(&grpc.over), Arc::clone(&grpc.sent));
        grpc.receiver.spawn(timely(receive(receiver, over, sent)));
        grpc
    }

    /// No more letters; those that were sent are received.
    async fn work_to_the_end(self) -> Counted {
        self.over.store(true, Ordering::Release);
        let sent = self.senders.join_all().await.into_iter().flatten().collect();
        let took = self.receiver.join_all().await.remove(0);
        Counted { sent, took }
    }
}

async fn timely<T>(work: impl Future<Output = T>) -> T {
    timeout(TIME_LIMIT, work).await.expect("this went on for too long")
}

/// One letter after the other; `sent` counts those that are begun.
async fn send(
    mut client: ExchangeClient<Link>,
    nth: usize,
    over: Arc<AtomicBool>,
    sent: Arc<AtomicUsize>,
) -> BTreeMap<String, String> {
    let mut ids = BTreeMap::new();
    for number in 0.. {
        if over.load(Ordering::Acquire) {
            break;
        }
        sent.fetch_add(1, Ordering::AcqRel);
        let key = format!("{nth}/{number}");
        let message = v1::Message {
            contract: String::from("vn.lgsp.document/1"),
            from: String::from("H62.11"),
            to: vec![String::from("G22")],
            idempotency_key: key.clone(),
            payload: support::letter(&key).to_string().into_bytes().into(),
            ..v1::Message::default()
        };
        let receipt = loop {
            let message = Some(message.clone());
            match client.publish(v1::PublishRequest { message }).await {
                Ok(answer) => break answer.into_inner().receipt.unwrap(),
                Err(status) => reckon(&Told::of(&status)).await,
            }
        };
        ids.insert(key, receipt.message_id);
        sleep(PAUSE).await;
    }
    ids
}

/// An inbox keyed on the message: what came once is acknowledged again and not taken again. In the end nothing waits any more.
async fn receive(
    mut client: ExchangeClient<Link>,
    over: Arc<AtomicBool>,
    sent: Arc<AtomicUsize>,
) -> BTreeMap<String, String> {
    let mut inbox = BTreeMap::new();
    loop {
        // In this order: what was begun before the list was asked for may be in it.
        let ends = over.load(Ordering::Acquire) && inbox.len() >= sent.load(Ordering::Acquire);
        let rows = match client.list_deliveries(v1::ListDeliveriesRequest::default()).await {
            Ok(answer) => answer.into_inner().deliveries,
            Err(status) => {
                reckon(&Told::of(&status)).await;
                continue;
            }
        };
        if rows.is_empty() && ends {
            return inbox;
        }
        for row in rows {
            let delivery_id = row.delivery_id;
            let content = loop {
                let delivery_id = delivery_id.clone();
                match client.fetch_delivery(v1::FetchDeliveryRequest { delivery_id }).await {
                    Ok(answer) => break answer.into_inner().content.unwrap(),
                    Err(status) => reckon(&Told::of(&status)).await,
                }
            };
            let key = support::subject(&content.payload);
            let first = inbox.insert(content.message_id, key.clone());
            assert!(first.is_none_or(|first| first == key), "it came again with other bytes");
            let word = v1::AcknowledgeDeliveryRequest {
                delivery_id,
                outcome: Some(Outcome::Delivered(Delivered {})),
                ..v1::AcknowledgeDeliveryRequest::default()
            };
            while let Err(status) = client.acknowledge_delivery(word.clone()).await {
                reckon(&Told::of(&status)).await;
            }
        }
        sleep(PAUSE).await;
    }
}

/// An answer that says no for good ends the test.
async fn reckon(told: &Told) {
    let again = ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "UNKNOWN", "CANCELLED", "INTERNAL"];
    assert!(again.contains(&told.status.as_str()), "{told:?}");
    sleep(told.retry_after.unwrap_or(PAUSE).min(PAUSE)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_and_adapter_process_are_killed_in_turn_under_load_by_both_ways() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = block_in_place(|| Cluster::start(1, folder.path()).unwrap());
    let mut node = block_in_place(|| {
        facade_outside(|| {
            let mut home = super::on(&cluster, kill::home());
            home.set("kafka", "lease_ms", 1_500);
            assert_eq!(lgsp(&home, &["ledger", "init"]).code, Some(0));
            Node::start(home)
        })
    });
    let grpc = Grpc::at_work(&node).await;
    let town = block_in_place(|| Town::at_work(&node));
    block_in_place(|| kill::kill_in_turn(&mut node, &town));
    let counted = grpc.work_to_the_end().await;
    assert!(counted.sent.len() > 10, "{counted:?}");
    let mut owed: Vec<(&String, &String)> = counted.sent.iter().map(|(key, id)| (id, key)).collect();
    owed.sort_unstable();
    let took: Vec<(&String, &String)> = counted.took.iter().collect();
    assert_eq!(owed, took, "what was sent is not what came");
    let ours = counted.sent.len() as u64;
    // A word that was in doubt is said again, and may stand in the ledger twice: it counts once.
    block_in_place(|| kill::ends_well_counting(node, town, |delivered, own| delivered >= own + ours));
}

//! Three brokers under a node: one dies, all die; a department that sends by gRPC is owed every receipt it holds.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lgsp_api::{Link, Told};
use lgsp_ledger::kafka::Cluster;
use lgsp_proto::exchange::v1;
use lgsp_proto::exchange::v1::exchange_client::ExchangeClient;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{lgsp, rebuilds_the_same, verify};
use crate::support::{self, Home, Node};

/// How long a client of the story waits for a receipt.
const DEADLINE: Duration = Duration::from_secs(20);
/// Longest wait for brokers that were all started anew.
const BACK: Duration = Duration::from_secs(60);
const CALLERS: usize = 8;
const EACH: usize = 25;

fn node(cluster: &Cluster) -> Node {
    let mut home = Home::new();
    home.serve_grpc();
    home.set("ledger", "kind", "kafka");
    home.set("ledger", "partitions", 3);
    let brokers: Vec<String> = cluster.bootstrap().split(',').map(str::to_owned).collect();
    home.set("kafka", "bootstrap", brokers);
    let ended = lgsp(&home, &["ledger", "init"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    Node::start(home)
}

pub(super) fn letter(key: &str) -> v1::Message {
    v1::Message {
        contract: String::from("vn.lgsp.document/1"),
        from: String::from("H62.11"),
        to: vec![String::from("H62.14")],
        idempotency_key: key.to_owned(),
        payload: support::letter(key).to_string().into_bytes().into(),
        ..v1::Message::default()
    }
}

/// Publishes once, and again as the node says, until there is a receipt.
async fn publish(client: &mut ExchangeClient<Link>, key: &str) -> v1::Receipt {
    loop {
        let message = Some(letter(key));
        let told = match client.publish(v1::PublishRequest { message }).await {
            Ok(answer) => return answer.into_inner().receipt.unwrap(),
            Err(status) => Told::of(&status),
        };
        let passes = matches!(told.status.as_str(), "UNAVAILABLE" | "RESOURCE_EXHAUSTED");
        assert!(passes, "{told:?}");
        tokio::time::sleep(told.retry_after.unwrap()).await;
    }
}

/// Several callers at once, each with its letters; `half` is called when half of the receipts are there.
async fn everybody_sends(
    node: &Node,
    run: &str,
    patience: Duration,
    half: impl FnOnce() + Send + 'static,
) -> BTreeSet<String> {
    let client = node.exchange("system/vxp.test.11").await;
    let done = Arc::new(AtomicUsize::new(0));
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let (mut client, done, run) = (client.clone(), Arc::clone(&done), run.to_owned());
        callers.spawn(async move {
            let mut ids = Vec::new();
            for number in 0..EACH {
                let key = format!("{run}/{caller}/{number}");
                let receipt = timeout(patience, publish(&mut client, &key)).await;
                ids.push(
                    receipt
                        .unwrap_or_else(|_| panic!("{key}: no receipt in {patience:?}"))
                        .message_id,
                );
                done.fetch_add(1, Ordering::Relaxed);
            }
            ids
        });
    }
    while done.load(Ordering::Relaxed) < CALLERS * EACH / 2 {
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::task::spawn_blocking(half).await.unwrap();
    callers.join_all().await.into_iter().flatten().collect()
}

/// All that waits for the receiver, page by page.
pub(super) async fn waiting(mut receiver: ExchangeClient<Link>) -> Vec<String> {
    let (mut ids, mut after) = (Vec::new(), String::new());
    loop {
        let request = v1::ListDeliveriesRequest {
            page_size: 1000,
            after,
            ..v1::ListDeliveriesRequest::default()
        };
        let rows = receiver.list_deliveries(request).await.unwrap().into_inner().deliveries;
        let Some(last) = rows.last() else { return ids };
        after = last.delivery_id.clone();
        ids.extend(rows.into_iter().map(|row| row.message_id));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_dies_unnoticed_and_when_all_die_nothing_accepted_is_lost_or_doubled() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(3, folder.path()).unwrap();
    let node = node(&cluster);
    let cluster = Arc::new(std::sync::Mutex::new(cluster));

    // Each partition has its leader on another broker: whichever dies leads one of them.
    let dying = Arc::clone(&cluster);
    let one = move || dying.lock().unwrap().kill(1).unwrap();
    let mut accepted = everybody_sends(&node, "one", DEADLINE, one).await;
    assert_eq!(accepted.len(), CALLERS * EACH);

    let dying = Arc::clone(&cluster);
    let all = move || {
        let mut cluster = dying.lock().unwrap();
        for broker in [2, 3] {
            cluster.kill(broker).unwrap();
        }
        cluster.start_again().unwrap();
    };
    accepted.extend(everybody_sends(&node, "all", BACK, all).await);
    assert_eq!(accepted.len(), 2 * CALLERS * EACH);

    let listed = waiting(node.exchange("system/vxp.test.14").await).await;
    let distinct: BTreeSet<String> = listed.iter().cloned().collect();
    assert_eq!(listed.len(), distinct.len(), "a message is listed twice");
    assert_eq!(distinct, accepted);
    tokio::task::spawn_blocking(move || {
        let report = verify(&node);
        assert_eq!(report["findings"], serde_json::json!([]), "{report}");
        rebuilds_the_same(&node);
    })
    .await
    .unwrap();
    drop(cluster);
}

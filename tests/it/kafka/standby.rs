//! One node serves, another stands by: it takes over when the first is killed, stands still or stops; nothing is lost,
//! nothing comes twice, and two never serve.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use lgsp_adapters::edxml_vxp::client::MessageType;
use lgsp_api::connect;
use lgsp_ledger::kafka::Cluster;
use lgsp_proto::exchange::v1;
use lgsp_proto::exchange::v1::exchange_client::ExchangeClient;
use lgsp_proto::operations::v1::GetStatusRequest;
use lgsp_proto::operations::v1::operations_client::OperationsClient;
use serde_json::json;
use tokio::task::{JoinSet, block_in_place};
use tokio::time::timeout;

use super::brokers::{letter, waiting};
use super::pair::{Caller, Load, Pair};
use super::{home, lgsp, rebuilds_the_same, verify};
use crate::support::{INFORMATION, Node, PROVINCE, written};

const LEASE_MS: i64 = 4_000;
/// Longest time from the end of one node to the service of the other: half as long again as a lease, as 15 s are to 10
/// (reliability.md G15), and what a slow machine takes.
const TAKE_OVER_MAX: Duration = Duration::from_millis(6_000 + 3_000);
/// Less than the lease by far: whoever stops says so.
const HAND_OVER_MAX: Duration = Duration::from_millis(2_500);
const EACH: usize = 30;

/// Whoever forgot to copy them is told before anything is written or projected.
fn with_keys_of_its_own_a_node_is_sent_away(cluster: &Cluster) {
    let home = home(cluster);
    assert_eq!(lgsp(&home, &["ledger", "init"]).code, Some(0));
    let ended = lgsp(&home, &["serve"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.err.contains("copy keys/ from it"), "{ended:?}");
}

/// What waits is what was accepted, each once.
async fn holds_each_once(node: &Node, pair: &Pair, accepted: &BTreeMap<String, v1::Receipt>) {
    let [first, second] = pair.endpoints("system/vxp.test.14");
    let endpoint = if first.url == node.grpc() { first } else { second };
    let listed = waiting(ExchangeClient::new(connect(&endpoint).await.unwrap())).await;
    let distinct: BTreeSet<&str> = listed.iter().map(String::as_str).collect();
    assert_eq!(listed.len(), distinct.len(), "a message is listed twice");
    let owed: BTreeSet<&str> = accepted.values().map(|receipt| receipt.message_id.as_str()).collect();
    assert_eq!(distinct, owed);
}

/// Whoever sends once more gets the receipt that it has, wherever it asks.
async fn answers_repeats(pair: &Pair, accepted: &BTreeMap<String, v1::Receipt>) {
    let mut caller = Caller::new(pair.endpoints("system/vxp.test.11"));
    for (key, first) in accepted {
        let again = caller.publish(key).await;
        assert!(again.repeat, "{key}");
        assert_eq!(
            (&again.message_id, again.partition, again.offset, &again.leaf_hash),
            (&first.message_id, first.partition, first.offset, &first.leaf_hash)
        );
    }
}

/// The epoch, and who holds it.
async fn status(pair: &Pair, nth: usize) -> (u64, String) {
    let endpoint = &pair.endpoints("operator/lan")[nth];
    let mut operations = OperationsClient::new(connect(endpoint).await.unwrap());
    let status = operations.get_status(GetStatusRequest {}).await.unwrap().into_inner();
    (status.epoch, status.holder)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_serves_soon_after_a_kill_and_at_once_after_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = block_in_place(|| Cluster::start(1, folder.path()).unwrap());
    let mut pair = block_in_place(|| Pair::start(&cluster, LEASE_MS));
    assert_eq!(status(&pair, 0).await, (1, String::from("lgsp-1")));
    let said = pair.nodes[1].log();
    let said = said.lines().find(|line| line.contains("standing by")).unwrap();
    assert!(
        said.contains(r#""holder":"lgsp-1""#) && said.contains(r#""epoch":1"#),
        "{said}"
    );

    block_in_place(|| with_keys_of_its_own_a_node_is_sent_away(&cluster));

    let packet = written(&INFORMATION.letter("1", &[PROVINCE]));
    block_in_place(|| INFORMATION.desk(&pair.nodes[0]).send(&packet).unwrap());
    let load = Load::start(&pair, "kill", EACH);
    load.wait_for(50).await;
    let checkpoint = |node: &Node| node.home().data().join("audit/lgsp-0.checkpoint").exists();
    assert!(
        checkpoint(&pair.nodes[0]) && !checkpoint(&pair.nodes[1]),
        "only the holder signs"
    );
    pair.nodes[0].kill();
    let killed = Instant::now();
    block_in_place(|| pair.nodes[1].wait_serving());
    assert!(killed.elapsed() < TAKE_OVER_MAX, "{:?}", killed.elapsed());
    let mut accepted = load.end().await;
    answers_repeats(&pair, &accepted).await;
    assert_eq!(status(&pair, 1).await, (2, String::from("lgsp-2")));
    // What the first kept of a packet, the second hands out.
    assert_eq!(pair.objects(), 1);
    let taken = block_in_place(|| PROVINCE.desk(&pair.nodes[1]).take(MessageType::Edoc, 1));
    assert_eq!(taken, [packet]);
    holds_each_once(&pair.nodes[1], &pair, &accepted).await;

    // The killed one comes back, and its turn comes when the other is stopped.
    block_in_place(|| pair.nodes[0].restart_standing_by());
    let load = Load::start(&pair, "stop", EACH);
    load.wait_for(50).await;
    let told = Instant::now();
    block_in_place(|| pair.nodes[1].stop());
    block_in_place(|| pair.nodes[0].wait_serving());
    assert!(told.elapsed() < HAND_OVER_MAX, "{:?}", told.elapsed());
    accepted.extend(load.end().await);
    holds_each_once(&pair.nodes[0], &pair, &accepted).await;
    assert_eq!(status(&pair, 0).await, (3, String::from("lgsp-1")));
    block_in_place(|| {
        let node = &pair.nodes[0];
        rebuilds_the_same(node);
        let report = verify(node);
        assert_eq!(report["findings"], json!([]), "{report}");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stood_still_for_longer_than_its_lease_answers_nothing_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = block_in_place(|| Cluster::start(1, folder.path()).unwrap());
    let mut pair = block_in_place(|| Pair::start(&cluster, LEASE_MS));
    // They have a connection to the first, and wait for its answer however long it takes.
    let mut patient = Vec::new();
    for _ in 0..4 {
        let link = connect(&pair.endpoints("system/vxp.test.11")[0]).await.unwrap();
        patient.push(ExchangeClient::new(link));
    }
    let load = Load::start(&pair, "still", EACH);
    load.wait_for(50).await;
    pair.nodes[0].freeze();
    let frozen = Instant::now();
    let mut unanswered = JoinSet::new();
    for (nth, mut client) in patient.into_iter().enumerate() {
        unanswered.spawn(async move {
            let message = Some(letter(&format!("patient/{nth}")));
            client.publish(v1::PublishRequest { message }).await
        });
    }
    block_in_place(|| pair.nodes[1].wait_serving());
    assert!(frozen.elapsed() < TAKE_OVER_MAX, "{:?}", frozen.elapsed());
    let mut accepted = load.end().await;
    assert!(
        unanswered.try_join_next().is_none(),
        "a process that stands still answers"
    );

    pair.nodes[0].thaw();
    for answer in timeout(Duration::from_secs(30), unanswered.join_all()).await.unwrap() {
        assert!(
            answer.is_err(),
            "accepted by a node that does not hold the ledger: {answer:?}"
        );
    }
    assert_eq!(block_in_place(|| pair.nodes[0].wait_exit()), Some(4));
    let log = pair.nodes[0].log();
    assert!(log.contains("the ledger is lost to another node"), "{log}");
    assert!(log.contains("`lgsp-2` took over with epoch 2"), "{log}");

    let mut caller = Caller::new(pair.endpoints("system/vxp.test.11"));
    for nth in 0..4 {
        let key = format!("patient/{nth}");
        let receipt = caller.publish(&key).await;
        accepted.insert(key, receipt);
    }
    answers_repeats(&pair, &accepted).await;
    holds_each_once(&pair.nodes[1], &pair, &accepted).await;
    // As its supervisor does.
    block_in_place(|| pair.nodes[0].restart_standing_by());
    block_in_place(|| {
        let node = &pair.nodes[1];
        rebuilds_the_same(node);
        let report = verify(node);
        assert_eq!(report["findings"], json!([]), "{report}");
        pair.nodes[0].stop();
    });
}

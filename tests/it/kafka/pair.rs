//! Two nodes on one ledger: same keys, same objects, a folder of its own each; and callers who turn to the other when one
//! does not answer.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lgsp_api::{Endpoint, Link, Told, connect};
use lgsp_ledger::kafka::Cluster;
use lgsp_proto::exchange::v1;
use lgsp_proto::exchange::v1::exchange_client::ExchangeClient;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::brokers::letter;
use super::lgsp;
use crate::support::{Home, Node};

/// A node that says nothing for so long is left for the other.
const CALL_MAX: Duration = Duration::from_secs(2);
/// Longest time without a receipt.
const PATIENCE: Duration = Duration::from_secs(60);
/// Before the other node is asked.
const PAUSE: Duration = Duration::from_millis(20);
const CALLERS: usize = 6;

/// One serves, the other stands by.
pub(super) struct Pair {
    pub(super) nodes: [Node; 2],
    objects: TempDir,
}

impl Pair {
    /// Starts both; the first serves.
    pub(super) fn start(cluster: &Cluster, lease_ms: i64) -> Self {
        let objects = tempfile::tempdir().unwrap();
        let [mut first, mut second] = [(); 2].map(|()| super::home(cluster));
        first.serve_grpc();
        for (home, id) in [(&mut first, "lgsp-1"), (&mut second, "lgsp-2")] {
            home.set("node", "id", id);
            home.set("kafka", "lease_ms", lease_ms);
            home.set("objects", "dir", objects.path().to_str().unwrap());
        }
        second.serve_grpc_as(&first);
        for home in [&mut first, &mut second] {
            // Where callers find it, whoever serves.
            let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            home.set("grpc", "listen", free.to_string());
        }
        let init = |home: &Home| assert_eq!(lgsp(home, &["ledger", "init"]).code, Some(0));
        init(&first);
        let keys = second.data().join("keys");
        fs::DirBuilder::new().mode(0o700).create(&keys).unwrap();
        for key in ["id.key", "node.key", "log.key"] {
            // With its mode.
            fs::copy(first.data().join("keys").join(key), keys.join(key)).unwrap();
        }
        init(&second);
        let nodes = [Node::start(first), Node::start_standing_by(second)];
        Self { nodes, objects }
    }

    /// How many objects both have.
    pub(super) fn objects(&self) -> usize {
        let shards = fs::read_dir(self.objects.path().join("objects")).unwrap();
        shards
            .map(|shard| fs::read_dir(shard.unwrap().path()).unwrap().count())
            .sum()
    }

    /// How this caller reaches either.
    pub(super) fn endpoints(&self, who: &str) -> [Endpoint; 2] {
        let papers = self.nodes[0].endpoint(who);
        [0, 1].map(|nth: usize| Endpoint {
            url: self.nodes[nth].grpc_address(),
            ..papers.clone()
        })
    }
}

/// A department's software: it asks one node until that does not answer, then the other.
pub(super) struct Caller {
    endpoints: [Endpoint; 2],
    at: usize,
    client: Option<ExchangeClient<Link>>,
}

impl Caller {
    pub(super) fn new(endpoints: [Endpoint; 2]) -> Self {
        Self {
            endpoints,
            at: 0,
            client: None,
        }
    }

    /// Sends one letter until there is a receipt.
    pub(super) async fn publish(&mut self, key: &str) -> v1::Receipt {
        let insisting = async {
            loop {
                if let Some(receipt) = self.try_publish(key).await {
                    return receipt;
                }
                (self.at, self.client) = (1 - self.at, None);
                sleep(PAUSE).await;
            }
        };
        let receipt = timeout(PATIENCE, insisting).await;
        receipt.unwrap_or_else(|_| panic!("{key}: no receipt in {PATIENCE:?}"))
    }

    async fn try_publish(&mut self, key: &str) -> Option<v1::Receipt> {
        if self.client.is_none() {
            let link = timeout(CALL_MAX, connect(&self.endpoints[self.at])).await.ok()?.ok()?;
            self.client = Some(ExchangeClient::new(link));
        }
        let client = self.client.as_mut()?;
        let message = Some(letter(key));
        match timeout(CALL_MAX, client.publish(v1::PublishRequest { message }))
            .await
            .ok()?
        {
            Ok(answer) => answer.into_inner().receipt,
            Err(status) => {
                let told = Told::of(&status);
                let final_ones = [
                    "INVALID_ARGUMENT",
                    "PERMISSION_DENIED",
                    "UNAUTHENTICATED",
                    "ALREADY_EXISTS",
                ];
                assert!(!final_ones.contains(&told.status.as_str()), "{key}: {told:?}");
                None
            }
        }
    }
}

/// Callers at work.
pub(super) struct Load {
    callers: JoinSet<Vec<(String, v1::Receipt)>>,
    done: Arc<AtomicUsize>,
}

impl Load {
    /// Each of several callers sends so many letters, one after the other.
    pub(super) fn start(pair: &Pair, run: &str, each: usize) -> Self {
        let done = Arc::new(AtomicUsize::new(0));
        let endpoints = pair.endpoints("system/vxp.test.11");
        let mut callers = JoinSet::new();
        for caller in 0..CALLERS {
            let (run, done) = (run.to_owned(), Arc::clone(&done));
            let mut sender = Caller::new(endpoints.clone());
            callers.spawn(async move {
                let mut receipts = Vec::new();
                for number in 0..each {
                    let key = format!("{run}/{caller}/{number}");
                    let receipt = sender.publish(&key).await;
                    receipts.push((key, receipt));
                    done.fetch_add(1, Ordering::Relaxed);
                }
                receipts
            });
        }
        Self { callers, done }
    }

    /// Waits until there are so many receipts.
    pub(super) async fn wait_for(&self, receipts: usize) {
        let waiting = async {
            while self.done.load(Ordering::Relaxed) < receipts {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, waiting).await.unwrap();
    }

    /// The receipt of every letter, by its key.
    pub(super) async fn end(self) -> BTreeMap<String, v1::Receipt> {
        self.callers.join_all().await.into_iter().flatten().collect()
    }
}

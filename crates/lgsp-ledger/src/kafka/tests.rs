//! The Kafka ledger passes the suite on one real broker and on three; what it does beyond is in the modules.

mod away;
mod bench;
mod lease;
mod many;
mod reach;
mod stage;
mod topic;

use bench::{Trial, wrote_as_twin};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_passes_the_conformance_suite_on_one_broker() {
    if wrote_as_twin().await {
        return;
    }
    let mut stage = stage::one().await;
    let suite = "kafka::tests::it_passes_the_conformance_suite_on_one_broker";
    crate::conformance::run(&Trial::new(&mut stage, suite)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_passes_the_conformance_suite_on_three_brokers() {
    if wrote_as_twin().await {
        return;
    }
    let mut stage = stage::three().await;
    let suite = "kafka::tests::it_passes_the_conformance_suite_on_three_brokers";
    crate::conformance::run(&Trial::new(&mut stage, suite)).await;
}

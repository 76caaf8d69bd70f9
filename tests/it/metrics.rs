//! What an operator's Prometheus reads of a node, and what must never be in it.

use std::collections::BTreeMap;

use lgsp_proto::exchange::v1;

use crate::support::{Node, http_get, letter};

const INFORMATION: &str = "system/vxp.test.11";
const JUSTICE: &str = "system/vxp.test.14";
const CANARY: &str = "canary-7f3a";

/// Every series with its value.
fn series(text: &str) -> BTreeMap<&str, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(name, value)| (name, value.parse().unwrap()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitoring_system_sees_what_was_accepted_refused_and_delivered_and_nothing_of_a_message() {
    let node = Node::start_with_grpc(|home| home.set("metrics", "listen", "127.0.0.1:0"));
    let (mut sender, mut receiver) = (node.exchange(INFORMATION).await, node.exchange(JUSTICE).await);
    for (key, subject) in [("1", CANARY), ("1", CANARY), ("2", "[MẬT] canary-7f3a")] {
        let message = v1::Message {
            contract: "vn.lgsp.document/1".to_owned(),
            from: "H62.11".to_owned(),
            to: vec!["H62.14".to_owned()],
            idempotency_key: format!("{key} {CANARY}"),
            payload: letter(subject).to_string().into_bytes().into(),
            ..v1::Message::default()
        };
        let answer = sender.publish(v1::PublishRequest { message: Some(message) }).await;
        assert_eq!(answer.is_ok(), key == "1", "{answer:?}");
    }
    let list = receiver
        .list_deliveries(v1::ListDeliveriesRequest::default())
        .await
        .unwrap();
    let delivery_id = list.into_inner().deliveries.remove(0).delivery_id;
    let fetch = v1::FetchDeliveryRequest { delivery_id };
    receiver.fetch_delivery(fetch).await.unwrap();

    let (status, text) = http_get(&node.metrics(), "/metrics");
    assert_eq!(status, 200);
    assert!(text.ends_with("# EOF\n") && !text.contains(CANARY), "{text}");
    let seen = series(&text);
    for (name, value) in [
        ("lgsp_calls_total{operation=\"publish\",outcome=\"ok\"}", 1.0),
        ("lgsp_calls_total{operation=\"publish\",outcome=\"repeat\"}", 1.0),
        ("lgsp_calls_total{operation=\"publish\",outcome=\"refused\"}", 1.0),
        ("lgsp_calls_total{operation=\"fetch\",outcome=\"ok\"}", 1.0),
        ("lgsp_call_duration_seconds_count{operation=\"publish\"}", 3.0),
        ("lgsp_refusals_total{reason=\"SECRECY_MARK\"}", 1.0),
        ("lgsp_messages{state=\"accepted\"}", 1.0),
        ("lgsp_messages{state=\"refused\"}", 1.0),
        ("lgsp_deliveries{state=\"collected\"}", 1.0),
        ("lgsp_projection_lag_records{partition=\"0\"}", 0.0),
        ("lgsp_ledger_held", 1.0),
    ] {
        assert_eq!(seen.get(name), Some(&value), "{name} in\n{text}");
    }
    assert!(
        seen["process_resident_memory_bytes"] > 1e6 && seen["process_cpu_seconds_total"] > 0.0,
        "{text}"
    );
    assert_eq!(http_get(&node.metrics(), "/health/live").0, 200);
    assert_eq!(
        http_get(&node.metrics(), "/health/ready"),
        (200, "accepts and hands out\n".to_owned())
    );
    assert_eq!(http_get(&node.metrics(), "/payloads").0, 404);
}

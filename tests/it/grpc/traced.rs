//! One trace from the sender's call to the receiver's software, in headers, in the ledger and in what a collector gets; and a
//! collector that is away, slow or hangs, which nobody but its operator notices.

use std::time::{Duration, Instant};

use futures_util::stream;
use lgsp_adapters::webhook::simulator::Receiver;
use lgsp_api::Told;
use lgsp_proto::exchange::v1;
use serde_json::Value;

use super::letter::{INFORMATION, JUSTICE, letter, listed};
use super::wire::{Ended, GRPC, PUBLISH, Wire, framed};
use super::{TIME_LIMIT, node_with};
use crate::support::{Collector, Manner, Node, Span, SpanKind, http_get, says};
use crate::webhook::town::{SECRET, home};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER_SPAN: &str = "00f067aa0ba902b7";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Publishes with this header.
async fn publish(wire: &Wire, message: v1::Message, traceparent: &str) -> Ended {
    let request = v1::PublishRequest { message: Some(message) };
    let [kind, trailers] = GRPC;
    let headers = [kind, trailers, ("traceparent", traceparent)];
    wire.begin(PUBLISH, &headers, framed(&request), true)
        .await
        .ended()
        .await
}

/// The message of an idempotency key, as `lgsp trace` tells its trace.
fn told(node: &Node, message: &str) -> String {
    let told = node.lgsp(&["trace", message, "--json"]);
    let told: Value = serde_json::from_str(&told.out).unwrap_or_else(|_| panic!("{told:?}"));
    told["messages"][0]["trace_id"].as_str().unwrap().to_owned()
}

/// Message id and content of the one delivery that waits.
async fn fetched(node: &Node) -> (String, v1::Content) {
    let mut receiver = node.exchange(JUSTICE).await;
    let delivery_id = listed(&mut receiver, 1).await.remove(0).delivery_id;
    let request = v1::FetchDeliveryRequest {
        delivery_id: delivery_id.clone(),
    };
    let content = receiver
        .fetch_delivery(request)
        .await
        .unwrap()
        .into_inner()
        .content
        .unwrap();
    let done = super::letter::delivered(&delivery_id);
    receiver.acknowledge_delivery(done).await.unwrap();
    (content.message_id.clone(), content)
}

/// The spans of this name in this trace.
fn named<'a>(spans: &'a [Span], name: &str, trace: &str) -> Vec<&'a Span> {
    let here = spans.iter().filter(|span| hex(&span.trace_id) == trace);
    here.filter(|span| span.name == name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_goes_from_the_senders_call_through_the_ledger_to_both_receivers_and_the_collector() {
    let (collector, receiver) = (Collector::start(Manner::Take), Receiver::start(SECRET, None).unwrap());
    let mut home = home(&receiver.url());
    home.serve_grpc();
    home.set("traces", "endpoint", collector.url());
    let node = Node::start(home);
    let wire = Wire::open(&node, INFORMATION).await;
    let header = format!("00-{TRACE}-{CALLER_SPAN}-01");
    let sent = publish(&wire, letter("1", &["H62.14", "H62.94"]), &header).await;
    assert_eq!(sent.told.unwrap().status, "OK");

    let seen = receiver.wait(TIME_LIMIT, |seen| seen.inbox.len() == 1).unwrap();
    let pushed = seen
        .last_head
        .iter()
        .find_map(|line| line.strip_prefix("traceparent: "));
    let pushed = pushed.unwrap().to_owned();
    let (message, content) = fetched(&node).await;
    assert_eq!(told(&node, &message), TRACE);

    let spans = collector.wait(|spans| {
        let count = |name| named(spans, name, TRACE).len();
        count("publish") == 1 && count("push") == 1 && count("hand out") == 1
    });
    let only = |name| named(&spans, name, TRACE)[0];
    let (accepted, push, handed) = (only("publish"), only("push"), only("hand out"));
    assert_eq!(hex(&accepted.parent_span_id), CALLER_SPAN);
    for (span, given) in [(push, pushed), (handed, content.traceparent)] {
        assert_eq!(
            given,
            format!("00-{TRACE}-{}-01", hex(&span.span_id)),
            "as it was given out"
        );
        assert_eq!(span.parent_span_id, accepted.span_id);
        assert_eq!(says(span, "messaging.message.id"), Some(message.clone()));
        assert_eq!(says(span, "lgsp.outcome"), Some(String::from("ok")));
    }
    assert_eq!(
        [accepted, push, handed].map(|span| span.kind()),
        [SpanKind::Server, SpanKind::Client, SpanKind::Producer]
    );
    assert!(accepted.start_time_unix_nano <= accepted.end_time_unix_nano);
    assert_eq!(says(accepted, "lgsp.system.id"), Some(String::from("vxp.test.11")));
    assert_eq!(
        says(accepted, "lgsp.contract"),
        Some(String::from("vn.lgsp.document/1"))
    );
    assert_eq!(says(push, "lgsp.connector.id"), Some(String::from("app-94")));
    assert_eq!(says(push, "lgsp.attempt"), Some(String::from("1")));

    // The receiver's call has a trace of its own, which leads to the message's.
    let spans = collector.wait(|spans| spans.iter().any(|span| span.name == "acknowledge"));
    let fetch = spans.iter().find(|span| span.name == "fetch").unwrap();
    assert!(hex(&fetch.trace_id) != TRACE && fetch.parent_span_id.is_empty());
    assert_eq!(fetch.links.len(), 1);
    assert_eq!(
        (&fetch.links[0].trace_id, &fetch.links[0].span_id),
        (&handed.trace_id, &handed.span_id)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_has_a_trace_whatever_its_sender_says_of_one() {
    let collector = Collector::start(Manner::Take);
    let mut node = node_with(|home| home.set("traces", "endpoint", collector.url()));
    let wire = Wire::open(&node, INFORMATION).await;
    let mut sender = node.exchange(INFORMATION).await;

    // None: it gets one, which begins with its acceptance.
    let request = v1::PublishRequest {
        message: Some(letter("1", &["H62.14"])),
    };
    sender.publish(request).await.unwrap();
    let (message, content) = fetched(&node).await;
    let own = told(&node, &message);
    assert!(
        content.traceparent.starts_with(&format!("00-{own}-")),
        "{}",
        content.traceparent
    );
    let spans = collector.wait(|spans| !named(spans, "publish", &own).is_empty());
    assert!(named(&spans, "publish", &own)[0].parent_span_id.is_empty());

    // What is none does not count in a header, and is wrong in a field.
    let sent = publish(&wire, letter("2", &["H62.14"]), "00-no-trace-01").await;
    assert_eq!(sent.told.unwrap().status, "OK");
    let (message, _) = fetched(&node).await;
    assert_eq!(told(&node, &message).len(), TRACE.len());
    let mut wrong = letter("3", &["H62.14"]);
    wrong.traceparent = String::from("00-no-trace-01");
    let request = v1::PublishRequest { message: Some(wrong) };
    let refused = Told::of(&sender.publish(request).await.unwrap_err());
    assert_eq!(refused.status, "INVALID_ARGUMENT");
    assert_eq!(refused.fields[0].0, "message.traceparent");

    // Many messages of one call, each in a trace of its own.
    let traces = ["1", "2"].map(|digit| digit.repeat(32));
    let letters = traces.clone().into_iter().map(|trace| {
        let mut message = letter(&trace, &["H62.14"]);
        message.traceparent = format!("00-{trace}-{CALLER_SPAN}-00");
        v1::PublishStreamRequest { message: Some(message) }
    });
    let mut answers = sender.publish_stream(stream::iter(letters)).await.unwrap().into_inner();
    for trace in &traces {
        let answer = answers.message().await.unwrap().unwrap().outcome.unwrap();
        let v1::publish_stream_response::Outcome::Receipt(receipt) = answer else {
            panic!("{answer:?}")
        };
        assert_eq!(&told(&node, &receipt.message_id), trace);
    }
    // Their sender records nothing, so neither does the node; a stop sends all that there is.
    node.stop();
    let spans = collector.wait(|_| true);
    assert!(traces.iter().all(|trace| named(&spans, "publish", trace).is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_hangs_costs_spans_and_nothing_else_and_is_used_again_when_it_answers() {
    let collector = Collector::start(Manner::Hang);
    let mut node = node_with(|home| {
        home.set("traces", "endpoint", collector.url());
        home.set("traces", "queue_spans_max", 16);
        home.set("traces", "timeout_ms", 2_000);
        home.set("metrics", "listen", "127.0.0.1:0");
    });
    let mut sender = node.exchange(INFORMATION).await;
    let mut send = async |number: u32| {
        let request = v1::PublishRequest {
            message: Some(letter(&number.to_string(), &["H62.14"])),
        };
        sender.publish(request).await.unwrap();
    };
    send(0).await;
    collector.wait_tries(1);
    for number in 1..=100 {
        send(number).await;
    }
    node.wait_message("spans are lost");
    let lost = http_get(&node.metrics(), "/metrics").1;
    let lost = lost
        .lines()
        .find_map(|line| line.strip_prefix("lgsp_spans_lost_total "));
    assert!(lost.unwrap().parse::<u64>().unwrap() >= 50, "{lost:?}");
    collector.behave(Manner::Take);
    node.wait_message("spans are sent again");
    send(101).await;
    collector.wait(|spans| spans.iter().any(|span| span.name == "publish"));

    collector.behave(Manner::Hang);
    send(102).await;
    let stopping = Instant::now();
    node.stop();
    assert!(stopping.elapsed() < Duration::from_secs(15), "{:?}", stopping.elapsed());
    // Whichever comes first: the end of the batch's time, or of the stop's.
    let (log, lost) = (node.log(), "spans are lost");
    let told = log.contains("the stop did not wait for the collector of spans") || log.matches(lost).count() == 2;
    assert!(told, "{log}");
    assert_eq!(node.fact_counts()["Accepted"], 103);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_or_refuses_is_told_of_once() {
    let collector = Collector::start(Manner::Answer(400));
    let mut node = node_with(|home| home.set("traces", "endpoint", collector.url()));
    let mut sender = node.exchange(INFORMATION).await;
    for number in 0..3 {
        let request = v1::PublishRequest {
            message: Some(letter(&number.to_string(), &["H62.14"])),
        };
        sender.publish(request).await.unwrap();
        collector.wait_tries(number + 1);
    }
    node.stop();
    let lost = node
        .log()
        .lines()
        .filter(|line| line.contains("spans are lost"))
        .count();
    assert_eq!(lost, 1, "{}", node.log());
}

//! Systems that speak gRPC, as fast as they can: what they send, and how long it takes.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::stream;
use lgsp_api::Link;
use lgsp_proto::exchange::v1;
use lgsp_proto::exchange::v1::acknowledge_delivery_request::{Delivered, Outcome};
use lgsp_proto::exchange::v1::exchange_client::ExchangeClient;
use lgsp_proto::exchange::v1::publish_stream_response::Outcome as Answer;
use lgsp_proto::exchange::v1::receive_request::{Begin, Request};
use lgsp_proto::exchange::v1::receive_response::Response;
use tokio::sync::mpsc;

use super::support::{self, Node};

const SENDER: &str = "system/vxp.test.11";
const RECEIVER: &str = "system/vxp.test.14";
/// Its agency.
pub(super) const JUSTICE: &str = "H62.14";
pub(super) const DOCUMENT: &str = "vn.lgsp.document/1";
/// Of the benchmark alone: it asks for nothing but JSON.
pub(super) const ANYTHING: &str = "vn.lgsp.document/2";
/// Credit of a receiver, which it gives again as it acknowledges.
const CREDIT: u32 = 64;
/// Letters of the lines that fill a letter; the contract takes up to 1,000 in each of up to 200.
const LINE_CHARS: usize = 600;

/// A letter of about this size, whose subject says when it was sent: microseconds since `start`.
fn payload(bytes: usize, start: Instant) -> Vec<u8> {
    let mut letter = support::letter(&start.elapsed().as_micros().to_string());
    let short = letter.to_string().len();
    let lines = vec!["x".repeat(LINE_CHARS); bytes.saturating_sub(short) / (LINE_CHARS + 3)];
    letter["to_places"] = lines.into();
    letter.to_string().into_bytes()
}

/// A message with such a letter, by the contract of documents, to who receives.
fn message(key: String, bytes: usize, start: Instant) -> v1::Message {
    v1::Message {
        contract: String::from(DOCUMENT),
        from: String::from("H62.11"),
        to: vec![String::from(JUSTICE)],
        idempotency_key: key,
        payload: payload(bytes, start).into(),
        ..v1::Message::default()
    }
}

/// What is sent in several streams at once, of which each has its share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) streams: usize,
    pub(super) each: usize,
    /// Of one payload.
    pub(super) bytes: usize,
    pub(super) contract: &'static str,
    pub(super) to: &'static str,
}

/// Sends it, until the last answer. What is sent was written before the first is sent: who produces bare writes nothing.
pub(super) async fn streams(node: &Node, run: &str, load: Load) -> Duration {
    let clients = join_all((0..load.streams).map(|_| node.exchange(SENDER))).await;
    let streams: Vec<_> = (0..load.streams)
        .map(|stream| requests(&format!("{run}/{stream}"), load))
        .collect();
    let start = Instant::now();
    let sending = clients.into_iter().zip(streams);
    let sending = sending.map(|(client, requests)| tokio::spawn(send_stream(client, requests)));
    for sent in join_all(sending).await {
        sent.unwrap();
    }
    start.elapsed()
}

/// What goes in one stream.
fn requests(run: &str, load: Load) -> Vec<v1::PublishStreamRequest> {
    let start = Instant::now();
    let request = |number| {
        let mut message = message(format!("{run}/{number}"), load.bytes, start);
        load.contract.clone_into(&mut message.contract);
        message.to = vec![load.to.to_owned()];
        v1::PublishStreamRequest { message: Some(message) }
    };
    (0..load.each).map(request).collect()
}

async fn send_stream(mut client: ExchangeClient<Link>, requests: Vec<v1::PublishStreamRequest>) {
    let count = requests.len();
    let sending = client.publish_stream(stream::iter(requests));
    let mut answers = sending.await.unwrap().into_inner();
    for _ in 0..count {
        let answer = answers.message().await.unwrap().unwrap();
        assert!(matches!(answer.outcome, Some(Answer::Receipt(_))), "{answer:?}");
    }
}

/// So many callers at once on a few connections, each of which waits for its answer.
pub(super) async fn callers(node: &Node, run: &str, callers: usize, each: usize, bytes: usize) -> Duration {
    let clients = join_all((0..4).map(|_| node.exchange(SENDER))).await;
    let start = Instant::now();
    let calling = (0..callers).map(|caller| {
        let (mut client, run) = (clients[caller % clients.len()].clone(), run.to_owned());
        tokio::spawn(async move {
            for number in 0..each {
                let message = Some(message(format!("{run}/{caller}/{number}"), bytes, start));
                client.publish(v1::PublishRequest { message }).await.unwrap();
            }
        })
    });
    for called in join_all(calling).await {
        called.unwrap();
    }
    start.elapsed()
}

/// A receiver that acknowledges what it gets, on a stream of its own.
pub(super) struct Receiver {
    answers: mpsc::Receiver<(Duration, u64)>,
}

impl Receiver {
    /// It has its first credit when this returns; latencies are counted from `start`.
    pub(super) async fn open(node: &Node, start: Instant) -> Self {
        let mut client = node.exchange(RECEIVER).await;
        let (say, requests) = mpsc::channel(256);
        for request in [Request::Begin(Begin::default()), Request::Credit(CREDIT)] {
            put(&say, request).await;
        }
        let requests = stream::unfold(requests, |mut requests| async {
            let request = requests.recv().await?;
            Some((request, requests))
        });
        let mut stream = client.receive(requests).await.unwrap().into_inner();
        let (tell, answers) = mpsc::channel(1024);
        tokio::spawn(async move {
            while let Ok(Some(answer)) = stream.message().await {
                if let Some(Response::Delivery(handed)) = answer.response {
                    let payload = handed.content.unwrap().payload;
                    let sent = support::subject(&payload).parse().unwrap();
                    let word = v1::AcknowledgeDeliveryRequest {
                        delivery_id: handed.summary.unwrap().delivery_id,
                        outcome: Some(Outcome::Delivered(Delivered {})),
                        ..v1::AcknowledgeDeliveryRequest::default()
                    };
                    let arrived = start.elapsed();
                    put(&say, Request::Acknowledge(word)).await;
                    put(&say, Request::Credit(1)).await;
                    if tell.send((arrived, sent)).await.is_err() {
                        return;
                    }
                }
            }
        });
        Self { answers }
    }

    /// The time from sending to arrival of the next so many.
    pub(super) async fn take(&mut self, count: usize) -> Vec<Duration> {
        let mut latencies = Vec::with_capacity(count);
        for _ in 0..count {
            let (arrived, sent) = self.answers.recv().await.expect("the stream goes on");
            latencies.push(arrived.saturating_sub(Duration::from_micros(sent)));
        }
        latencies
    }
}

async fn put(say: &mpsc::Sender<v1::ReceiveRequest>, request: Request) {
    let request = Some(request);
    // A stream that has ended shows in the answers.
    drop(say.send(v1::ReceiveRequest { request }).await);
}

/// Sends at this rate, each message by a call of its own.
pub(super) async fn at_rate(node: &Node, run: &str, per_second: u32, count: usize, bytes: usize, start: Instant) {
    let client = node.exchange(SENDER).await;
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / per_second);
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..count {
        ticks.tick().await;
        let (mut client, key) = (client.clone(), format!("{run}/{number}"));
        calls.spawn(async move {
            let message = Some(message(key, bytes, start));
            client.publish(v1::PublishRequest { message }).await.unwrap();
        });
    }
    calls.join_all().await;
}

/// Streams that send and never read, so many; they stay open as long as what is returned.
pub(super) async fn slow(node: &Node, count: usize) -> Vec<mpsc::Sender<v1::PublishStreamRequest>> {
    let mut senders = Vec::new();
    let start = Instant::now();
    for stream in 0..count {
        let mut client = node.exchange(SENDER).await;
        let (send, requests) = mpsc::channel(1);
        let requests = stream::unfold(requests, |mut requests| async {
            let request = requests.recv().await?;
            Some((request, requests))
        });
        let feed = send.clone();
        tokio::spawn(async move {
            let answers = client.publish_stream(requests).await;
            feed.closed().await;
            drop((answers, client));
        });
        for number in 0..1000 {
            let message = Some(message(format!("slow/{stream}/{number}"), 2048, start));
            let sending = send.send(v1::PublishStreamRequest { message });
            // The node takes no more when its answers are not read.
            if tokio::time::timeout(Duration::from_millis(100), sending).await.is_err() {
                break;
            }
        }
        senders.push(send);
    }
    senders
}

//! Callers that want too much at one time: each limit is told with the time to come again, and is nobody else's.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, FuturesUnordered};
use lgsp_api::{Link, Told};
use lgsp_proto::exchange::v1;
use lgsp_proto::exchange::v1::exchange_client::ExchangeClient;
use lgsp_proto::exchange::v1::receive_request::{Begin, Request};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::letter::{INFORMATION, JUSTICE, PROVINCE, letter};
use super::rude::neighbour;
use super::wire::{
    Frames, GRPC, PUBLISH, PUBLISH_STREAM, RECEIVE, UPLOAD, Wire, frame, framed, headers, kind, with_prefix,
};
use super::{TIME_LIMIT, node, node_with};
use crate::support::{self, Node};

const MIB: u64 = 1024 * 1024;
/// Most bytes of a payload.
const PAYLOAD_MAX: usize = 256 * 1024;

/// What a limit says: its code, and when to come again.
#[track_caller]
fn limited(told: &Told, reason: &str) -> Duration {
    assert_eq!(
        (told.status.as_str(), told.reason.as_str()),
        ("RESOURCE_EXHAUSTED", reason),
        "{told:?}"
    );
    told.retry_after.expect("a time to come again")
}

async fn list(client: &mut ExchangeClient<Link>) -> Result<(), Told> {
    let answer = client.list_deliveries(v1::ListDeliveriesRequest::default()).await;
    answer.map(|_| ()).map_err(|status| Told::of(&status))
}

/// Opens a stream of deliveries that stays open for as long as its end is kept.
async fn receive(client: &mut ExchangeClient<Link>) -> Result<mpsc::Sender<v1::ReceiveRequest>, Told> {
    let (say, mut requests) = mpsc::channel(1);
    let request = Some(Request::Begin(Begin::default()));
    say.send(v1::ReceiveRequest { request }).await.unwrap();
    let requests = stream::poll_fn(move |context| requests.poll_recv(context));
    let answer = client.receive(requests).await;
    answer.map(|_| say).map_err(|status| Told::of(&status))
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_hundred_streams_on_four_connections_of_one_caller_a_hundred_are_told_to_come_again() {
    let node = node();
    let (mut open, mut refused) = (Vec::new(), 0);
    let mut greedy = Vec::new();
    for _ in 0..4 {
        let mut client = node.exchange(JUSTICE).await;
        for _ in 0..50 {
            match receive(&mut client).await {
                Ok(stream) => open.push(stream),
                Err(told) => {
                    limited(&told, "LIMIT_STREAMS");
                    refused += 1;
                }
            }
        }
        greedy.push(client);
    }
    assert_eq!((open.len(), refused), (100, 100));
    let mut neighbour = node.exchange(PROVINCE).await;
    receive(&mut neighbour).await.unwrap();
    list(&mut greedy[0]).await.expect("single calls are no streams");
    // Places are free again as streams end.
    drop(open);
    let free = timeout(TIME_LIMIT, async {
        while let Err(told) = receive(&mut greedy[3]).await {
            sleep(limited(&told, "LIMIT_STREAMS")).await;
        }
    });
    free.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_calls_too_often_is_told_when_to_come_again_and_nobody_else_is() {
    let node = node_with(|home| {
        home.set("grpc", "calls_per_second", 2);
        home.set("grpc", "calls_burst", 4);
    });
    let mut greedy = node.exchange(JUSTICE).await;
    let mut neighbour = node.exchange(PROVINCE).await;
    let mut after = None;
    for _ in 0..20 {
        if let Err(told) = list(&mut greedy).await {
            after = Some(limited(&told, "LIMIT_RATE"));
        }
    }
    let after = after.expect("20 calls at once are too many");
    assert!(after <= Duration::from_millis(500), "{after:?}");
    list(&mut neighbour).await.expect("the neighbour is not touched");
    sleep(after).await;
    list(&mut greedy).await.expect("the time to come again was true");
}

/// A letter that is as long as one may be.
fn largest() -> Vec<u8> {
    let mut payload = support::letter("long").to_string().into_bytes();
    payload.resize(PAYLOAD_MAX, b' ');
    payload
}

/// A letter of the department of justice with the largest payload.
fn large(number: usize) -> v1::Message {
    v1::Message {
        from: String::from("H62.14"),
        payload: largest().into(),
        ..letter(&format!("large-{number}"), &["H62.11"])
    }
}

/// A call, or a part of a stream, that sends it.
fn framed_large(number: usize) -> Bytes {
    let message = Some(large(number));
    framed(&v1::PublishRequest { message })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_caller_has_in_flight_has_a_bound_and_is_given_back() {
    let node = node_with(|home| home.set("grpc", "bytes_in_flight_max", i64::try_from(2 * MIB).unwrap()));
    let wire = Wire::open(&node, JUSTICE).await;
    // Twelve letters of 256 KiB that lack their last byte: seven of them are less than 2 MiB.
    let (mut bodies, mut answers) = (Vec::new(), FuturesUnordered::new());
    for number in 0..12 {
        let body = framed_large(number);
        let call = wire.begin(PUBLISH, &GRPC, body.slice(..body.len() - 1), false).await;
        bodies.push((call.body, body.slice(body.len() - 1..)));
        answers.push(call.answer.ended());
    }
    for _ in 0..5 {
        limited(&answers.next().await.unwrap().told.unwrap(), "LIMIT_BYTES");
    }
    let mut neighbour = node.exchange(PROVINCE).await;
    let message = Some(letter("grpc", &["H62.14"]));
    neighbour.publish(v1::PublishRequest { message }).await.unwrap();
    for (mut body, last) in bodies {
        // Those that were refused take nothing more.
        drop(body.send_data(last, true));
    }
    while let Some(ended) = answers.next().await {
        assert_eq!(ended.told.unwrap().status, "OK");
    }
    for number in 0..12 {
        let told = wire.call(PUBLISH, framed_large(number)).await.told.unwrap();
        assert_eq!(told.status, "OK", "all is given back");
    }
    assert_eq!(node.fact_counts()["Accepted"], 13);
}

/// A node that loses patience in a second.
fn impatient() -> Node {
    node_with(|home| home.set("grpc", "no_progress_timeout_ms", 1000))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_begun_and_does_not_come_is_ended_in_its_time() {
    let node = impatient();
    let wire = Wire::open(&node, JUSTICE).await;
    let half = framed(&v1::PublishRequest {
        message: Some(letter("1", &["H62.14"])),
    })
    .slice(..9);
    let start = v1::UploadAttachmentRequest {
        part: Some(v1::upload_attachment_request::Part::Start(
            v1::upload_attachment_request::Start {
                name: String::from("a.pdf"),
                media_type: String::from("application/pdf"),
                role: v1::attachment::Role::Attachment.into(),
                ..v1::upload_attachment_request::Start::default()
            },
        )),
    };
    let begun = [
        ("a call without a byte", PUBLISH, Bytes::new()),
        ("half a message", PUBLISH, half),
        ("an upload without its start", UPLOAD, Bytes::new()),
        ("an upload without its end", UPLOAD, framed(&start)),
        ("a stream of deliveries that does not begin", RECEIVE, Bytes::new()),
    ];
    let sent = neighbour(&node, async {
        let began = Instant::now();
        for (case, path, body) in begun {
            let ended = wire.begin(path, &GRPC, body, false).await.ended().await;
            let told = ended.told.unwrap();
            assert_eq!(
                (told.status.as_str(), told.reason.as_str()),
                ("DEADLINE_EXCEEDED", "STREAM_IDLE"),
                "{case}"
            );
        }
        assert!(began.elapsed() >= Duration::from_secs(4), "each has its second");
        // A byte now and then is no progress.
        let mut slow = wire.begin(PUBLISH, &GRPC, with_prefix(0, Some(1000), b""), false).await;
        let dripping = async {
            while slow.body.send_data(Bytes::from_static(b"."), false).is_ok() {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(Duration::from_secs(5), dripping).await.expect("an end in time");
    })
    .await;
    assert_eq!(node.fact_counts()["Accepted"], sent, "nothing of that");
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_that_are_begun_on_a_hundred_streams_and_never_whole_are_bounded_as_well() {
    let node = impatient();
    let most_of_2_mib = with_prefix(0, Some(2 * 1024 * 1024), &vec![0; 1_900_000]);
    let sent = neighbour(&node, async {
        let wire = Wire::open(&node, JUSTICE).await;
        let (mut bodies, mut answers) = (Vec::new(), FuturesUnordered::new());
        for _ in 0..100 {
            let call = wire.begin(PUBLISH_STREAM, &GRPC, most_of_2_mib.clone(), false).await;
            bodies.push(call.body);
            answers.push(call.answer.ended());
        }
        let mut told = BTreeSet::new();
        while let Some(ended) = answers.next().await {
            told.insert(ended.told.unwrap().reason);
        }
        assert_eq!(told, BTreeSet::from(["LIMIT_BYTES", "STREAM_IDLE"].map(String::from)));
    })
    .await;
    assert_eq!(node.fact_counts()["Accepted"], sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_comes_byte_by_byte_ends_its_connection() {
    let node = node();
    let sent = neighbour(&node, async {
        let mut frames = Frames::open(&node, JUSTICE).await;
        let begin = frame(kind::HEADERS, kind::END_HEADERS, 1, &headers(PUBLISH, &[]));
        let prefix = frame(kind::DATA, 0, 1, &with_prefix(0, Some(2 * 1024 * 1024), b""));
        assert!(frames.send(&[begin, prefix].concat()).await);
        // As many as the window of a stream lets through.
        let bytes = frame(kind::DATA, 0, 1, &[0]).repeat(1000);
        for _ in 0..250 {
            if !frames.send(&bytes).await {
                break;
            }
        }
        frames.cut_off().await;
    })
    .await;
    assert_eq!(node.fact_counts()["Accepted"], sent);
}

/// Streams of one caller that ask and ask, and never take an answer.
async fn deaf(node: &Node) -> Wire {
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(0).initial_connection_window_size(65_535);
    Wire::open_with(node, JUSTICE, &builder).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_letters_that_takes_no_answer_is_not_read_and_is_cut_off() {
    let node = impatient();
    let sent = neighbour(&node, async {
        let mut wire = deaf(&node).await;
        let mut calls = Vec::new();
        for stream in 0..50 {
            let letters: Vec<u8> = (0..12).flat_map(|number| framed_large(stream * 100 + number)).collect();
            // The first ones may be cut off before the last one has begun.
            calls.extend(wire.try_begin(PUBLISH_STREAM, &GRPC, letters.into(), false).await);
        }
        let ended = timeout(Duration::from_secs(20), &mut wire.ended).await;
        drop(ended.expect("the node cuts it off").unwrap());
    })
    .await;
    assert!(node.fact_counts()["Accepted"] >= sent);
    node.wait_message("a far side that takes nothing is cut off");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_takes_nothing_is_cut_off_and_its_deliveries_come_again() {
    let node = impatient();
    let mut sender = node.exchange(INFORMATION).await;
    for number in 0..20 {
        let mut message = letter(&number.to_string(), &["H62.14"]);
        message.payload = largest().into();
        sender
            .publish(v1::PublishRequest { message: Some(message) })
            .await
            .unwrap();
    }
    let said = |request| framed(&v1::ReceiveRequest { request: Some(request) });
    let first = [said(Request::Begin(Begin::default())), said(Request::Credit(64))].concat();
    let sent = neighbour(&node, async {
        let mut wire = deaf(&node).await;
        let mut calls = Vec::new();
        for _ in 0..50 {
            calls.extend(wire.try_begin(RECEIVE, &GRPC, first.clone().into(), false).await);
        }
        let ended = timeout(Duration::from_secs(20), &mut wire.ended).await;
        drop(ended.expect("the node cuts it off").unwrap());
    })
    .await;
    assert_eq!(node.fact_counts()["Accepted"], 20 + sent);
    // Nothing was said of any of them: all are there for who reads.
    let (say, mut requests) = mpsc::channel(2);
    for request in [Request::Begin(Begin::default()), Request::Credit(20)] {
        say.send(v1::ReceiveRequest { request: Some(request) }).await.unwrap();
    }
    let requests = stream::poll_fn(move |context| requests.poll_recv(context));
    let mut receiver = node.exchange(JUSTICE).await;
    let mut answers = receiver.receive(requests).await.unwrap().into_inner();
    for number in 0..20 {
        let next = timeout(TIME_LIMIT, answers.message()).await;
        let next = next.unwrap_or_else(|_| panic!("{number} does not come"));
        assert!(next.unwrap().is_some());
    }
}

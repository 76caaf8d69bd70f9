//! Far sides that do not speak as they should: every connection of theirs has an end, and nobody else notices.

use std::cell::Cell;
use std::time::{Duration, Instant};

use bytes::Bytes;
use lgsp_proto::exchange::v1;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::letter::{INFORMATION, JUSTICE, letter};
use super::wire::{Frames, PREFACE, PUBLISH, REFUSED_STREAM, address, frame, headers, kind, shake};
use super::wire::{GRPC, RECEIVE, Wire, framed};
use super::{TIME_LIMIT, node, node_with};
use crate::support::Node;

/// Longest wait of a good caller for an answer, whatever others do on these two cores.
const CALM: Duration = Duration::from_secs(5);
/// What any abuse may cost in memory. Source: reliability.md 7.6.
const MEMORY_MAX_KB: u64 = 64 * 1024;
const ABUSES: u32 = 20_000;

/// Tells a story in which nothing is accepted, while a department sends letters: those are in the ledger, and nothing else.
async fn beside(node: &Node, story: impl Future<Output = ()>) {
    let sent = neighbour(node, story).await;
    assert_eq!(node.fact_counts()["Accepted"], sent);
}

/// Tells a story while a department sends letters: each is answered in time, and the node's memory has its bound.
pub(super) async fn neighbour(node: &Node, story: impl Future<Output = ()>) -> u64 {
    let mut sender = node.exchange(INFORMATION).await;
    let over = Cell::new(false);
    let before_kb = node.vm_hwm_kb();
    let telling = async {
        story.await;
        over.set(true);
    };
    let sending = async {
        let mut sent = 0;
        while !over.get() || sent == 0 {
            let message = Some(letter(&format!("beside-{sent}"), &["H62.14"]));
            let answer = timeout(CALM, sender.publish(v1::PublishRequest { message }));
            answer.await.expect("an answer in time").unwrap();
            sent += 1;
        }
        sent
    };
    let ((), sent) = tokio::join!(telling, sending);
    let grown_kb = node.vm_hwm_kb() - before_kb;
    assert!(grown_kb <= MEMORY_MAX_KB, "{grown_kb} KiB more");
    sent
}

/// Reads to the end that the far side makes; a reset is an end as well.
async fn to_end(stream: &mut (impl AsyncReadExt + Unpin)) -> Vec<u8> {
    let mut answer = Vec::new();
    let end = timeout(TIME_LIMIT, stream.read_to_end(&mut answer));
    drop(end.await.expect("an end in time"));
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http_2_over_tls_is_closed_and_answered_nothing() {
    let node = node_with(|home| home.set("grpc", "handshake_timeout_ms", 500));
    beside(&node, async {
        for bytes in [&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], PREFACE, b"\x16\x03\x01", b""] {
            let mut tcp = TcpStream::connect(address(&node)).await.unwrap();
            tcp.write_all(bytes).await.unwrap();
            let answer = to_end(&mut tcp).await;
            assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
        }
        let error = shake(&node, JUSTICE, &[b"http/1.1"]).await.unwrap_err();
        assert!(error.to_string().contains("NoApplicationProtocol"), "{error}");
        // Who says `h2` and then speaks something else.
        for bytes in [&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], &[0; 64], &[0xff; 64]] {
            let mut tls = shake(&node, JUSTICE, &[b"h2"]).await.unwrap();
            tls.write_all(bytes).await.unwrap();
            let answer = to_end(&mut tls).await;
            assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_hundred_streams_on_one_connection_a_hundred_are_refused() {
    let node = node();
    beside(&node, async {
        let mut frames = Frames::open(&node, JUSTICE).await;
        let settings = frames.next().await.unwrap();
        assert_eq!(settings.kind, kind::SETTINGS);
        let most = settings.payload.chunks(6).find(|setting| setting[..2] == [0, 3]);
        assert_eq!(most.unwrap()[2..], [0, 0, 0, 100], "it says how many");
        for stream in (1..400).step_by(2) {
            let begin = frame(kind::HEADERS, kind::END_HEADERS, stream, &headers(RECEIVE, &[]));
            assert!(frames.send(&begin).await);
        }
        let mut refused = Vec::new();
        while refused.len() < 100 {
            let frame = frames.next().await.unwrap();
            assert_ne!(frame.kind, kind::GOAWAY, "{frame:?}");
            if frame.kind == kind::RST_STREAM {
                assert_eq!(frame.error(), REFUSED_STREAM);
                refused.push(frame.stream);
            }
        }
        assert_eq!(
            refused,
            (201..400).step_by(2).collect::<Vec<u32>>(),
            "those that came first are served"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_are_taken_back_at_once_by_the_thousand_hold_up_nobody() {
    let node = node();
    beside(&node, async {
        let mut frames = Frames::open(&node, JUSTICE).await;
        let begin = headers(PUBLISH, &[]);
        for stream in (1..ABUSES * 2).step_by(2) {
            let both = [
                frame(kind::HEADERS, kind::END_HEADERS, stream, &begin),
                frame(kind::RST_STREAM, 0, stream, &8_u32.to_be_bytes()),
            ];
            if !frames.send(&both.concat()).await {
                break;
            }
        }
        frames.cut_off().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_without_an_end_and_headers_too_large_are_cut_off() {
    let node = node();
    beside(&node, async {
        let mut frames = Frames::open(&node, JUSTICE).await;
        let mut sent = frames.send(&frame(kind::HEADERS, 0, 1, &headers(PUBLISH, &[]))).await;
        let (more, mut count) = (frame(kind::CONTINUATION, 0, 1, &[]), 0);
        while sent && count < ABUSES {
            sent = frames.send(&more).await;
            count += 1;
        }
        frames.cut_off().await;

        // One header of 17 KiB: this call is refused, the next on the same connection is not.
        let wire = Wire::open(&node, JUSTICE).await;
        let long = "x".repeat(17 * 1024);
        let headers = [GRPC[0], ("x-long", long.as_str())];
        let ended = wire.begin(PUBLISH, &headers, Bytes::new(), true);
        assert_eq!(ended.await.ended().await.http, 431);
        let ended = wire.call(
            "/lgsp.exchange.v1.Exchange/ListDeliveries",
            framed(&v1::ListDeliveriesRequest::default()),
        );
        assert_eq!(ended.await.told.unwrap().status, "OK");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_only_make_work_cost_the_node_no_memory() {
    let node = node();
    let empty = frame(kind::DATA, 0, 1, &[]);
    let begin = frame(kind::HEADERS, kind::END_HEADERS, 1, &headers(PUBLISH, &[]));
    for (case, first, flood) in [
        ("settings", Vec::new(), frame(kind::SETTINGS, 0, 0, &[])),
        ("pings", Vec::new(), frame(kind::PING, 0, 0, &[0; 8])),
        ("empty data", begin, empty),
        ("frames of no kind", Vec::new(), frame(0x42, 0, 0, &[0; 64])),
    ] {
        let before_kb = node.vm_hwm_kb();
        let mut frames = Frames::open(&node, JUSTICE).await;
        frames.send(&first).await;
        let (began, many) = (Instant::now(), flood.repeat(100));
        // Nothing is read meanwhile: what cannot be answered is not read any more, or the connection ends.
        for _ in 0..ABUSES / 100 {
            match timeout(Duration::from_millis(500), frames.0.write_all(&many)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => break,
            }
        }
        let grown_kb = node.vm_hwm_kb() - before_kb;
        assert!(grown_kb <= MEMORY_MAX_KB, "{case}: {grown_kb} KiB more");
        let mut neighbour = node.exchange(INFORMATION).await;
        let list = neighbour.list_deliveries(v1::ListDeliveriesRequest::default());
        timeout(CALM, list).await.expect("an answer in time").unwrap();
        assert!(began.elapsed() < TIME_LIMIT, "{case}");
    }
}

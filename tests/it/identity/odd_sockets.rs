//! What knocks on the door and is no client of ours: half a handshake, plain HTTP, old TLS, too many.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lgsp_api::{ListenSettings, Listener};
use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::door::{Door, HANDSHAKE_TIMEOUT_MS, PATIENCE};
use super::paper::Paper;

/// Half handshakes at one time: as many as the door lets in, so that each is timed from its own beginning.
const AT_ONE_TIME: usize = 64;

/// Sends bytes and waits for the end; what was answered, and how long it took.
async fn knock(door: &Door, bytes: &[u8]) -> (Vec<u8>, Duration) {
    let began = Instant::now();
    let mut tcp = TcpStream::connect(door.address).await.unwrap();
    tcp.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A reset is an end as well.
    let ended = tokio::time::timeout(PATIENCE, tcp.read_to_end(&mut answer)).await;
    drop(ended.expect("the door never closed it"));
    (answer, began.elapsed())
}

fn hello(door: &Door) -> Vec<u8> {
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = ClientConnection::new(door.client(None, b"h2"), name).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

#[tokio::test]
async fn a_handshake_that_stops_after_any_part_is_closed_in_its_time() {
    let paper = Paper::new();
    let door = Door::open_unwatched(&paper).await;
    let hello = hello(&door);
    // Every byte of the headers and first fields, then steps; the whole too.
    let lengths: Vec<usize> = (0..48)
        .chain((48..hello.len()).step_by(97))
        .chain([hello.len()])
        .collect();
    for lengths in lengths.chunks(AT_ONE_TIME) {
        let knocks = lengths.iter().map(|length| knock(&door, &hello[..*length]));
        let mut knocks: Vec<_> = knocks.map(Box::pin).collect();
        for (length, knock) in lengths.iter().zip(join_all(&mut knocks).await) {
            let least = Duration::from_millis(HANDSHAKE_TIMEOUT_MS);
            assert!(
                knock.1 >= least / 2,
                "{length}: closed at once, it was no half handshake"
            );
            assert!(knock.1 < least * 5, "{length}: {:?}", knock.1);
        }
    }
    let mut call = door.connect(Some(&paper.issue("system/stp.01"))).await.unwrap();
    assert_eq!(call.ask("publish").await, "system/stp.01");
    door.close().await;
}

/// All at one time, in their order.
async fn join_all<F: Future + Unpin>(futures: &mut [F]) -> Vec<F::Output> {
    let mut outputs: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, output) in futures.iter_mut().zip(&mut outputs) {
            if output.is_none()
                && let std::task::Poll::Ready(ready) = std::pin::Pin::new(future).poll(context)
            {
                *output = Some(ready);
            }
        }
        if outputs.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    outputs.into_iter().flatten().collect()
}

#[tokio::test]
async fn what_is_no_tls_is_closed_at_once() {
    let paper = Paper::new();
    let door = Door::open_unwatched(&paper).await;
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        &[0xff; 64],
        // A record that claims 64 KiB.
        &[0x16, 3, 1, 0xff, 0xff, 1],
    ] {
        let (answer, took) = knock(&door, bytes).await;
        assert!(took < Duration::from_millis(HANDSHAKE_TIMEOUT_MS), "{took:?}");
        assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    }
    // Reset in the middle of it.
    let tcp = TcpStream::connect(door.address).await.unwrap();
    tcp.set_zero_linger().unwrap();
    drop(tcp);
    assert!(door.connect(None).await.is_ok());
    door.close().await;
}

#[tokio::test]
async fn tls_1_2_and_other_protocols_than_h2_are_refused() {
    let paper = Paper::new();
    let door = Door::open_unwatched(&paper).await;
    let (answer, _) = knock(&door, &hello_of_tls_1_2()).await;
    assert_eq!(answer.first(), Some(&0x15), "no alert: {answer:?}");
    assert_eq!(answer.last(), Some(&70), "not protocol_version: {answer:?}");
    let error = door.connect_as(door.client(None, b"http/1.1")).await.err().unwrap();
    assert!(error.to_string().contains("NoApplicationProtocol"), "{error}");
    door.close().await;
}

/// RFC 5246, 7.4.1.2: a ClientHello without `supported_versions`.
fn hello_of_tls_1_2() -> Vec<u8> {
    let part = |bytes: &[u8]| [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat();
    let extension = |number: u16, body: &[u8]| [&number.to_be_bytes()[..], &part(body)].concat();
    let groups = extension(10, &part(&[0, 23, 0, 29]));
    let signatures = extension(13, &part(&[4, 3, 8, 4]));
    let body = [
        &[3, 3][..],
        &[7; 32],
        &[0],
        &part(&[0xc0, 0x2b, 0xc0, 0x2f]),
        &[1, 0],
        &part(&[groups, signatures].concat()),
    ]
    .concat();
    let handshake = [&[1, 0][..], &part(&body)].concat();
    [&[0x16, 3, 1][..], &part(&handshake)].concat()
}

#[tokio::test]
async fn more_connections_than_places_wait_outside_until_one_ends() {
    let paper = Paper::new();
    let door = Arc::new(Door::open_with(&paper, 2).await);
    let (first, _second) = (door.connect(None).await.unwrap(), door.connect(None).await.unwrap());
    let outside = Arc::clone(&door);
    let mut third = Box::pin(async move { outside.connect(None).await });
    let early = tokio::time::timeout(Duration::from_millis(200), &mut third).await;
    assert!(early.is_err(), "it was let in beside two others");
    drop(first);
    assert_eq!(third.await.unwrap().ask("trace").await, "CREDENTIAL_MISSING");
    Arc::into_inner(door).unwrap().close().await;
}

#[tokio::test]
async fn a_stop_waits_for_no_connection_that_nobody_takes() {
    let paper = Paper::new();
    let mut door = Door::open_unwatched(&paper).await;
    // The same door, with nobody behind it.
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let front = std::mem::replace(&mut door.address, tcp.local_addr().unwrap());
    let (sender, untaken) = mpsc::channel(1);
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let limits = ListenSettings {
        connections_max: 8,
        handshakes_max: 8,
    };
    tasks.spawn(Listener::new(tcp, door.tls.clone(), limits).run(sender, tasks.clone(), stop.clone()));
    let hello = hello(&door);
    let mut far_sides = Vec::new();
    for _ in 0..3 {
        let name = ServerName::try_from("localhost").unwrap();
        let tcp = TcpStream::connect(door.address).await.unwrap();
        let client = TlsConnector::from(door.client(None, b"h2"));
        far_sides.push(client.connect(name, tcp).await.unwrap());
    }
    // One more in the middle of its handshake.
    let mut half = TcpStream::connect(door.address).await.unwrap();
    half.write_all(&hello[..9]).await.unwrap();
    stop.cancel();
    tasks.close();
    let limit = Duration::from_millis(HANDSHAKE_TIMEOUT_MS / 2);
    tokio::time::timeout(limit, tasks.wait()).await.expect("the stop waits");
    drop((untaken, far_sides, half));
    door.address = front;
    door.close().await;
}

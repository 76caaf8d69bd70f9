//! What is pushed: from a sender's call to a receiver's inbox, and dead letters sent once more.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lgsp_adapters::webhook::simulator::{Manner, Receiver};
use tokio::runtime::Runtime;

use super::stream::{self, DOCUMENT, Load};
use super::support::{Home, Node, WEBHOOK_SECRET as SECRET};
use super::tell;

const RECEIVER: &str = "H62.94";
const ROUNDS: usize = 3;
const EACH: usize = 1_000;
const ALONE: usize = 200;
const BYTES: usize = 2048;
/// As many tries as a connector has at one time.
const AT_ONCE: usize = 16;
const PATIENCE: Duration = Duration::from_secs(120);

fn node(url: &str) -> Node {
    let mut home = Home::new();
    home.serve_grpc();
    home.add_webhook(url, "");
    for setting in ["calls_per_second", "calls_burst"] {
        home.set("grpc", setting, 1_000_000);
    }
    Node::start(home)
}

pub(super) fn measure() {
    let receiver = Receiver::start(SECRET, None).unwrap();
    let node = node(&receiver.url());
    let runtime = Runtime::new().unwrap();
    println!("\npushed to a webhook on this machine; {BYTES} bytes a message");
    let load = Load {
        streams: 4,
        each: EACH / 4,
        bytes: BYTES,
        contract: DOCUMENT,
        to: RECEIVER,
    };
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    let mut came = 0;
    for round in 0..=ROUNDS {
        bare.push(EACH as f64 / posts(&receiver.url()).as_secs_f64());
        let start = Instant::now();
        runtime.block_on(stream::streams(&node, &format!("push/{round}"), load));
        came += EACH;
        receiver.wait(PATIENCE, |seen| seen.inbox.len() >= came).unwrap();
        ours.push(EACH as f64 / start.elapsed().as_secs_f64());
    }
    tell(
        "publish to the receiver's inbox: /s",
        &ours[1..],
        "bare POST",
        &bare[1..],
    );

    let one = Load {
        streams: 1,
        each: 1,
        ..load
    };
    let mut waits: Vec<_> = (0..ALONE)
        .map(|number| {
            let start = Instant::now();
            runtime.block_on(stream::streams(&node, &format!("alone/{number}"), one));
            came += 1;
            receiver.wait(PATIENCE, |seen| seen.inbox.len() >= came).unwrap();
            start.elapsed()
        })
        .collect();
    waits.sort_unstable();
    let at = |share: usize| waits[waits.len() * share / 100].as_secs_f64() * 1e3;
    println!(
        "publish -> in the inbox, one after the other, connection and all: p50 {:.1} ms, p99 {:.1} ms",
        at(50),
        at(99)
    );

    receiver.behave(Manner::Refuse("FORM_UNKNOWN".to_owned()));
    runtime.block_on(stream::streams(&node, "dead", load));
    until(&node, "\"dead_lettered\": 1000");
    receiver.behave(Manner::Take);
    let start = Instant::now();
    let ended = node.lgsp(&["redrive", "--all"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let asked = start.elapsed();
    came += EACH;
    receiver.wait(PATIENCE, |seen| seen.inbox.len() >= came).unwrap();
    println!(
        "lgsp redrive --all of {EACH} dead letters: {:.0} /s asked, {:.0} /s in the inbox",
        EACH as f64 / asked.as_secs_f64(),
        EACH as f64 / start.elapsed().as_secs_f64()
    );
}

fn until(node: &Node, told: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let status = node.lgsp(&["status", "--json"]);
        if status.out.contains(told) {
            return;
        }
        assert!(Instant::now() < deadline, "{status:?}");
    }
}

/// The same calls without a platform: a connection each, as the platform makes one, of which the receiver takes none.
fn posts(url: &str) -> Duration {
    let (host, path) = url.trim_start_matches("http://").split_once('/').unwrap();
    let body = "x".repeat(BYTES + 512);
    let head = format!(
        "POST /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    let request = format!("{head}webhook-id: 1\r\nwebhook-timestamp: 1\r\nwebhook-signature: v1,x\r\n\r\n{body}");
    let left = AtomicUsize::new(EACH);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let taken = |left: usize| left.checked_sub(1);
                while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).is_ok() {
                    let mut stream = TcpStream::connect(host).unwrap();
                    stream.write_all(request.as_bytes()).unwrap();
                    let mut answer = String::new();
                    stream.read_to_string(&mut answer).unwrap();
                    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
                }
            });
        }
    });
    start.elapsed()
}

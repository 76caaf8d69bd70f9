//! `make bench`: what the platform costs, as ratios to bare appends, bare writes and bare reads of the same run.
//!
//! A real node as a process of its own, the departments' software before it. Rounds of the two sides of a ratio take
//! turns, so that a machine that slows down slows both. It judges nothing; it fails if a call is answered wrongly.

mod bare;
mod facade;
mod kafka;
mod push;
mod search;
mod stream;
#[path = "../it/support/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "the stories' support: not all of it is measured with"
)]
mod support;

use std::time::{Duration, Instant};

use lgsp_adapters::edxml_vxp::client::MessageType;
use lgsp_ledger::Local;
use support::{Home, INFORMATION, JUSTICE, Node, PROVINCE};

const ROUNDS: usize = 5;
const ALONE: usize = 60;
const TOGETHER: usize = 64;
const EACH: usize = 12;
const LATENCIES: usize = 200;

#[test]
fn what_the_platform_costs() {
    let mut node = Node::start(Home::new());
    let idle_kb = node.status_kb("VmRSS:");
    println!(
        "{} cores; medians of {ROUNDS} rounds, least and most beside them",
        std::thread::available_parallelism().unwrap()
    );
    let folder = tempfile::tempdir().unwrap();
    let packets = facade::Packets::default();
    let record = facade::record_size(&node, &packets);
    println!(
        "packet {} bytes, its record in the ledger {record} bytes\n",
        packets.size()
    );

    for (callers, each) in [(1, ALONE), (TOGETHER, EACH)] {
        let (mut bare, mut through) = (Vec::new(), Vec::new());
        for round in 0..=ROUNDS {
            let appended = bare::appends(folder.path(), record, callers, each);
            let accepted = facade::accepts(&node, &packets, callers, each);
            // The first round warms up.
            if round > 0 {
                bare.push((callers * each) as f64 / appended.as_secs_f64());
                through.push((callers * each) as f64 / accepted.as_secs_f64());
            }
        }
        tell(
            &format!("accept, {callers} callers: /s"),
            &through,
            "bare append",
            &bare,
        );
    }

    let large = facade::large_packet(folder.path());
    let (mut sent, mut written, mut hashed) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let size = std::fs::metadata(large.path(round)).unwrap().len() as f64 / 1e6;
        let rate = |took: Duration| size / took.as_secs_f64();
        written.push(rate(bare::write(folder.path(), &large.path(round), false)));
        hashed.push(rate(bare::write(folder.path(), &large.path(round), true)));
        sent.push(rate(facade::send(&node, &large.path(round))));
    }
    tell(
        "sendEdoc of 30 MB attached: MB/s",
        &sent[1..],
        "bare write and fsync",
        &written[1..],
    );
    tell(
        "sendEdoc of 30 MB attached: MB/s",
        &sent[1..],
        "the same with SHA-256",
        &hashed[1..],
    );

    let mut waits = facade::collect(&node, &packets, LATENCIES);
    waits.sort_unstable();
    let at = |share: usize| waits[(waits.len() * share / 100).min(waits.len() - 1)].as_secs_f64() * 1e3;
    println!(
        "accepted -> collected, one after the other: p50 {:.1} ms, p99 {:.1} ms",
        at(50),
        at(99)
    );

    println!(
        "memory of the node: {idle_kb} KiB idle, {} KiB now, {} KiB at most",
        node.status_kb("VmRSS:"),
        node.vm_hwm_kb()
    );
    // Verify holds the ledger against its last checkpoint: let there be one of all that came.
    node.stop();
    node.restart();
    let ledger = node.home().data().join("ledger/data.ledger");
    let (mut verified, mut read) = (Vec::new(), Vec::new());
    let mut leaves = 0;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let ended = node.verify(&[]);
        verified.push(began.elapsed());
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let began = Instant::now();
        leaves = Local::open_read_only(&ledger)
            .unwrap()
            .entries(0, 0)
            .unwrap()
            .map(Result::unwrap)
            .count();
        read.push(began.elapsed());
    }
    let rate = |took: &Vec<Duration>| {
        took.iter()
            .map(|took| leaves as f64 / took.as_secs_f64())
            .collect::<Vec<_>>()
    };
    tell(
        "lgsp verify, a process: leaves/s",
        &rate(&verified),
        "bare read with sums",
        &rate(&read),
    );

    assert!(JUSTICE.service(&node).received_list(MessageType::Edoc).is_ok());
    assert!(INFORMATION.service(&node).agencies().is_ok() && PROVINCE.service(&node).agencies().is_ok());
}

#[test]
fn what_grpc_and_kafka_cost_as_shipped() {
    kafka::measure_as_shipped();
}

#[test]
fn what_grpc_and_kafka_cost() {
    kafka::measure();
}

#[test]
fn what_pushing_and_redriving_cost() {
    push::measure();
}

#[test]
fn how_soon_a_document_is_found() {
    search::measure();
}

/// Median, least and most.
fn spread(values: &[f64]) -> (f64, f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    (sorted[sorted.len() / 2], sorted[0], sorted[sorted.len() - 1])
}

/// One row: medians, spread, ratio of the medians.
fn tell(what: &str, ours: &[f64], floor: &str, theirs: &[f64]) {
    let ((median, least, most), (floor_median, floor_least, floor_most)) = (spread(ours), spread(theirs));
    println!(
        "{what:<34} {median:>9.0} ({least:.0}-{most:.0})   {floor:<22} {floor_median:>9.0} ({floor_least:.0}-{floor_most:.0})   ratio {:.2}",
        median / floor_median
    );
}

//! What sending and receiving by gRPC costs on a real broker, against the same records produced and consumed bare.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use lgsp_ledger::kafka::floor::Floor;
use lgsp_ledger::kafka::{Cluster, Kafka, Manifest, Settings};
use tokio::runtime::Runtime;

use super::stream::{self, ANYTHING, DOCUMENT, JUSTICE, Load, Receiver};
use super::support::{Home, Node, repository, run, to_lgsp};
use super::{spread, tell};

const ROUNDS: usize = 3;
const BYTES: usize = 2048;
const LARGE_BYTES: usize = 100_000;
const STREAMS: usize = 4;
const EACH: usize = 2_500;
const CALLERS: usize = 64;
const CALLS: usize = 40;
const RATE: u32 = 1_000;
const LATENCIES: usize = 5_000;
const SLOW_STREAMS: usize = 200;
/// How long the projector has to keep up with a steady load.
const STEADY: Duration = Duration::from_mins(5);
const STEADY_RATE: u32 = 300;

/// One broker, the bare clients and a node on it.
struct Bench {
    runtime: Runtime,
    cluster: Cluster,
    floor: Floor,
    folder: tempfile::TempDir,
}

impl Bench {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cluster = Cluster::start(1, &folder.path().join("kafka")).unwrap();
        let runtime = Runtime::new().unwrap();
        let settings = settings(&cluster);
        let manifest = Manifest {
            format: Manifest::FORMAT,
            name: String::from("floor"),
            partitions: 1,
            replication: 1,
            min_insync: 1,
            retention_ms: -1,
            sync_each_write: false,
            compacted: false,
        };
        let kept = folder.path().join("floor.topic");
        runtime.block_on(Kafka::create(&kept, manifest, &settings)).unwrap();
        let floor = {
            // Its consumer lives on the runtime.
            let _within = runtime.enter();
            Floor::new(&settings, "floor").unwrap()
        };
        Self {
            runtime,
            cluster,
            floor,
            folder,
        }
    }

    /// The folder of a contract that takes any JSON: what a sender by it costs is all but the check of its payload.
    fn any_contract(&self) -> PathBuf {
        let folder = self.folder.path().join("contracts");
        let version = folder.join(ANYTHING);
        std::fs::create_dir_all(&version).unwrap();
        let schema = r#"{"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Bất kỳ"}"#;
        std::fs::write(version.join("schema.json"), schema).unwrap();
        let settings = "compatibility = \"none\"\n[title]\nvi = \"Bất kỳ\"\nen = \"Anything\"\n";
        std::fs::write(version.join("contract.toml"), settings).unwrap();
        folder
    }

    /// A node with topics of its own on this broker, and limits that a benchmark does not meet.
    fn node(&self, name: &str, fail_point: Option<&str>) -> Node {
        let mut home = Home::new();
        home.serve_grpc();
        home.set("ledger", "kind", "kafka");
        home.set("ledger", "name", name);
        home.set("kafka", "bootstrap", vec![self.cluster.bootstrap()]);
        for (setting, value) in [("replication", 1), ("min_insync", 1)] {
            home.set("kafka", setting, value);
        }
        // As the floor's topic: what our part costs shows best where the brokers cost least.
        home.set("kafka", "sync_each_write", false);
        let contracts = [repository("config/contracts"), self.any_contract()];
        let contracts = contracts.map(|folder| folder.to_str().unwrap().to_owned());
        home.set("contracts", "folders", contracts.to_vec());
        for (setting, value) in [
            ("calls_per_second", 1_000_000_i64),
            ("calls_burst", 1_000_000),
            ("bytes_in_flight_max", 1 << 30),
            ("node_bytes_in_flight_max", 1 << 31),
            ("streams_max", 1_000),
        ] {
            home.set("grpc", setting, value);
        }
        let mut init = to_lgsp(&["ledger", "init", "--config"]);
        init.arg(home.settings_file());
        assert_eq!(run(init).code, Some(0));
        match fail_point {
            Some(point) => Node::start_failing_at(home, point, 1),
            None => Node::start(home),
        }
    }
}

pub(super) fn measure() {
    let bench = Bench::start();
    println!("\non one Kafka broker, everything on this machine; {BYTES} bytes a message");
    sending(&bench, "paused", Some("inside-projection"));
    let node = bench.node("whole", None);
    println!("memory of the node: {} KiB idle", node.status_kb("VmRSS:"));
    receiving(&bench, &node);
    latency(&bench, &node);
    steady(&bench, &node);
    println!("memory of the node: {} KiB at most, under full load", node.vm_hwm_kb());
    let slow = bench.runtime.block_on(stream::slow(&node, SLOW_STREAMS));
    println!(
        "memory of the node: {} KiB with {} slow streams",
        node.status_kb("VmRSS:"),
        slow.len()
    );
}

/// Processor time that the node uses for each message of `work`, in microseconds: other work on the machine changes it little.
fn cost<T>(node: &Node, messages: usize, work: impl FnOnce() -> T) -> (T, f64) {
    let before = node.cpu_time();
    let done = work();
    let spent = node.cpu_time() - before;
    (done, spent.as_secs_f64() * 1e6 / messages as f64)
}

/// Letters of the usual size, so many in each stream.
const fn load(each: usize) -> Load {
    Load {
        streams: STREAMS,
        each,
        bytes: BYTES,
        contract: DOCUMENT,
        to: JUSTICE,
    }
}

/// Sent as fast as it goes, with the projection paused: the accept path alone.
fn sending(bench: &Bench, name: &str, fail_point: Option<&str>) {
    let node = bench.node(name, fail_point);
    let record = vec![7; BYTES];
    let (mut ours, mut bare, mut unary, mut waiting, mut large) = (vec![], vec![], vec![], vec![], vec![]);
    let mut unchecked = vec![];
    let mut costs = vec![];
    for round in 0..=ROUNDS {
        let count = STREAMS * EACH;
        let took = bench.runtime.block_on(bench.floor.produce(&record, count)).unwrap();
        bare.push(per_second(count, took));
        let run = format!("{name}/stream/{round}");
        let (took, each) = cost(&node, count, || {
            bench.runtime.block_on(stream::streams(&node, &run, load(EACH)))
        });
        ours.push(per_second(count, took));
        costs.push(each);
        let any = Load {
            contract: ANYTHING,
            ..load(EACH)
        };
        let run = format!("{name}/any/{round}");
        let took = bench.runtime.block_on(stream::streams(&node, &run, any));
        unchecked.push(per_second(count, took));
        let took = bench
            .runtime
            .block_on(bench.floor.produce_and_wait(&record, CALLERS, CALLS))
            .unwrap();
        waiting.push(per_second(CALLERS * CALLS, took));
        let run = format!("{name}/unary/{round}");
        let took = bench
            .runtime
            .block_on(stream::callers(&node, &run, CALLERS, CALLS, BYTES));
        unary.push(per_second(CALLERS * CALLS, took));
        let run = format!("{name}/large/{round}");
        let large_load = Load {
            bytes: LARGE_BYTES,
            ..load(250)
        };
        let took = bench.runtime.block_on(stream::streams(&node, &run, large_load));
        large.push(per_second(STREAMS * 250, took));
    }
    let all = bench
        .runtime
        .block_on(bench.floor.produce(&vec![7; LARGE_BYTES], STREAMS * 250))
        .unwrap();
    tell(
        "streamed publish, projection paused: /s",
        &ours[1..],
        "bare produce",
        &bare[1..],
    );
    tell(
        "the same by the contract of documents: /s",
        &ours[1..],
        "by one that takes any JSON",
        &unchecked[1..],
    );
    tell(
        "unary publish, 64 callers: /s",
        &unary[1..],
        "bare, 64 that wait",
        &waiting[1..],
    );
    println!(
        "  of it the node's processor time: {:.0} us a message",
        spread(&costs[1..]).0
    );
    let large_bare = [per_second(STREAMS * 250, all)];
    tell(
        "streamed publish of 100 KB: /s",
        &large[1..],
        "bare produce",
        &large_bare,
    );
}

/// The same with the projection and a receiver that keep up, all on the same cores.
fn receiving(bench: &Bench, node: &Node) {
    let record = vec![7; BYTES];
    let (mut ours, mut bare, mut costs) = (vec![], vec![], vec![]);
    for round in 0..=ROUNDS {
        let count = STREAMS * EACH / 4;
        let took = bench.runtime.block_on(bench.floor.produce(&record, count)).unwrap();
        bare.push(per_second(count, took));
        let exchanging = async {
            let start = Instant::now();
            let mut receiver = Receiver::open(node, start).await;
            let run = format!("receive/{round}");
            let (_, received) = tokio::join!(stream::streams(node, &run, load(EACH / 4)), receiver.take(count));
            assert_eq!(received.len(), count);
            start.elapsed()
        };
        let (took, each) = cost(node, count, || bench.runtime.block_on(exchanging));
        ours.push(per_second(count, took));
        costs.push(each);
    }
    tell(
        "streamed publish to acknowledged: /s",
        &ours[1..],
        "bare produce",
        &bare[1..],
    );
    println!(
        "  of it the node's processor time: {:.0} us a message",
        spread(&costs[1..]).0
    );
}

fn latency(bench: &Bench, node: &Node) {
    let bare = bench
        .runtime
        .block_on(bench.floor.latencies(&vec![7; BYTES], RATE, LATENCIES))
        .unwrap();
    for rate in [100, STEADY_RATE, RATE] {
        let count = LATENCIES.min(rate as usize * 5);
        let ours = bench.runtime.block_on(async {
            let start = Instant::now();
            let mut receiver = Receiver::open(node, start).await;
            let run = format!("latency/{rate}");
            tokio::join!(
                stream::at_rate(node, &run, rate, count, BYTES, start),
                receiver.take(count)
            )
            .1
        });
        let ([p50, p99], [bare50, bare99]) = (percentiles(ours), percentiles(bare.clone()));
        println!(
            "publish -> received at {rate}/s: p50 {p50:.1} ms, p99 {p99:.1} ms; bare produce -> consume at {RATE}/s: p50 \
             {bare50:.1} ms, p99 {bare99:.1} ms; ratios {:.1}, {:.1}",
            p50 / bare50,
            p99 / bare99
        );
    }
}

/// Whether what waits grows under a load that does not change.
fn steady(bench: &Bench, node: &Node) {
    let count = STEADY_RATE as usize * STEADY.as_secs() as usize;
    let latencies = bench.runtime.block_on(async {
        let start = Instant::now();
        let mut receiver = Receiver::open(node, start).await;
        tokio::join!(
            stream::at_rate(node, "steady", STEADY_RATE, count, BYTES, start),
            receiver.take(count)
        )
        .1
    });
    let (first, last) = (&latencies[..count / 4], &latencies[count * 3 / 4..]);
    let ([first, _], [last, _]) = (percentiles(first.to_vec()), percentiles(last.to_vec()));
    println!(
        "publish -> received at {STEADY_RATE}/s for {} s: median {first:.1} ms in the first quarter, {last:.1} ms in the last",
        STEADY.as_secs()
    );
}

fn settings(cluster: &Cluster) -> Settings {
    Settings {
        bootstrap: vec![cluster.bootstrap()],
        tls: None,
        plaintext_beyond_loopback: false,
        linger: Duration::from_millis(2),
        request_timeout: Duration::from_secs(8),
        socket_timeout: Duration::from_secs(12),
        message_timeout: Duration::from_secs(20),
        queue_records_max: 20_000,
        queue_kib_max: 65_536,
    }
}

fn per_second(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

/// p50 and p99 in milliseconds.
fn percentiles(mut latencies: Vec<Duration>) -> [f64; 2] {
    latencies.sort_unstable();
    [50, 99].map(|share| latencies[(latencies.len() * share / 100).min(latencies.len() - 1)].as_secs_f64() * 1e3)
}

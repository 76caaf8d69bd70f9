//! What sending and receiving by gRPC costs on a real broker, against the same records produced and consumed bare.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use lgsp_ledger::kafka::floor::Floor;
use lgsp_ledger::kafka::{Cluster, Kafka, Manifest, Settings};
use tokio::runtime::Runtime;

use super::stream::{self, ANYTHING, DOCUMENT, JUSTICE, Load, Receiver};
use super::support::{Home, Node, http_get, repository, run, to_lgsp};
use super::{spread, tell};

const ROUNDS: usize = 5;
const BYTES: usize = 2048;
const LARGE_BYTES: usize = 100_000;
const STREAMS: usize = 8;
const EACH: usize = 1_248;
const COUNT: usize = STREAMS * EACH;
const LARGE_EACH: usize = 125;
const CALLERS: usize = 64;
const CALLS: usize = 40;
const RATE: u32 = 1_000;
const LATENCIES: usize = 5_000;
const SLOW_STREAMS: usize = 200;
/// How long the projector has to keep up with a steady load.
const STEADY: Duration = Duration::from_mins(5);
const STEADY_RATE: u32 = 300;

/// What a ledger's topics ask of their brokers.
#[derive(Clone, Copy, Debug)]
struct Brokers {
    count: u32,
    min_insync: u32,
    sync_each_write: bool,
}

/// As `config/lgsp.toml` has it.
const AS_SHIPPED: Brokers = Brokers {
    count: 3,
    min_insync: 2,
    sync_each_write: true,
};
/// What our part costs shows best where the brokers cost least.
const LEAST: Brokers = Brokers {
    count: 1,
    min_insync: 1,
    sync_each_write: false,
};

/// Brokers, the bare clients and nodes on them.
struct Bench {
    brokers: Brokers,
    runtime: Runtime,
    cluster: Cluster,
    floor: Floor,
    folder: tempfile::TempDir,
}

impl Bench {
    fn start(brokers: Brokers) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cluster = Cluster::start(brokers.count as usize, &folder.path().join("kafka")).unwrap();
        let runtime = Runtime::new().unwrap();
        let settings = settings(&cluster);
        let manifest = Manifest {
            format: Manifest::FORMAT,
            name: String::from("floor"),
            partitions: 1,
            replication: brokers.count,
            min_insync: brokers.min_insync,
            retention_ms: -1,
            sync_each_write: brokers.sync_each_write,
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
            brokers,
            runtime,
            cluster,
            floor,
            folder,
        }
    }

    /// Records of the same size that a producer of our settings gets acknowledged in a second.
    fn bare(&self) -> f64 {
        let took = self
            .runtime
            .block_on(self.floor.produce(&vec![7; BYTES], COUNT))
            .unwrap();
        per_second(COUNT, took)
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

    /// A node with topics of its own on these brokers, and limits that a benchmark does not meet.
    fn node(&self, name: &str, fail_point: Option<&str>) -> Node {
        let mut home = Home::new();
        home.serve_grpc();
        home.set("ledger", "kind", "kafka");
        home.set("ledger", "name", name);
        home.set("kafka", "bootstrap", addresses(&self.cluster));
        home.set("kafka", "replication", i64::from(self.brokers.count));
        home.set("kafka", "min_insync", i64::from(self.brokers.min_insync));
        home.set("kafka", "sync_each_write", self.brokers.sync_each_write);
        home.set("metrics", "listen", "127.0.0.1:0");
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

/// With the settings that we ship.
pub(super) fn measure_as_shipped() {
    let bench = Bench::start(AS_SHIPPED);
    println!("\non three Kafka brokers that flush each write, everything on this machine; {BYTES} bytes a message");
    accepting(&bench, "paused");
    projecting(&bench, "projected");
    receiving(&bench, &bench.node("whole", None));
}

pub(super) fn measure() {
    let bench = Bench::start(LEAST);
    println!("\non one Kafka broker that flushes nothing, everything on this machine; {BYTES} bytes a message");
    accepting(&bench, "paused");
    sending(&bench, "sending");
    projecting(&bench, "projected");
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

/// A fail point at which a node's projection stands still: what is left is the way to a receipt.
const PROJECTION_PAUSED: Option<&str> = Some("inside-projection");

/// Sent as fast as it goes, with the projection paused: the accept path alone.
fn accepting(bench: &Bench, name: &str) {
    let node = bench.node(name, PROJECTION_PAUSED);
    let (mut ours, mut bare, mut costs) = (vec![], vec![], vec![]);
    let (mut unchecked, mut unchecked_costs) = (vec![], vec![]);
    for round in 0..=ROUNDS {
        bare.push(bench.bare());
        let run = format!("{name}/stream/{round}");
        let (took, each) = cost(&node, COUNT, || {
            bench.runtime.block_on(stream::streams(&node, &run, load(EACH)))
        });
        ours.push(per_second(COUNT, took));
        costs.push(each);
        let any = Load {
            contract: ANYTHING,
            ..load(EACH)
        };
        let run = format!("{name}/any/{round}");
        let (took, each) = cost(&node, COUNT, || {
            bench.runtime.block_on(stream::streams(&node, &run, any))
        });
        unchecked.push(per_second(COUNT, took));
        unchecked_costs.push(each);
    }
    tell(
        "streamed publish, projection paused: /s",
        &ours[1..],
        "bare produce",
        &bare[1..],
    );
    tell_cost("it", &costs);
    tell(
        "the same by the contract of documents: /s",
        &ours[1..],
        "by one that takes any JSON",
        &unchecked[1..],
    );
    tell_cost("the latter", &unchecked_costs);
}

/// The same until the last one is projected: it can be listed, searched and traced.
fn projecting(bench: &Bench, name: &str) {
    let node = bench.node(name, None);
    let (mut accepted, mut ours, mut bare, mut costs) = (vec![], vec![], vec![], vec![]);
    for round in 0..=ROUNDS {
        bare.push(bench.bare());
        let (run, end) = (format!("{name}/{round}"), projected(&node) + COUNT);
        let (took, each) = cost(&node, COUNT, || {
            let start = Instant::now();
            let took = bench.runtime.block_on(stream::streams(&node, &run, load(EACH)));
            accepted.push(per_second(COUNT, took));
            while projected(&node) < end {
                std::thread::sleep(Duration::from_millis(5));
            }
            start.elapsed()
        });
        ours.push(per_second(COUNT, took));
        costs.push(each);
    }
    tell(
        "streamed publish beside its projection: /s",
        &accepted[1..],
        "bare produce",
        &bare[1..],
    );
    tell(
        "streamed publish to projected: /s",
        &ours[1..],
        "bare produce",
        &bare[1..],
    );
    tell_cost("it", &costs);
}

/// How many messages are projected.
fn projected(node: &Node) -> usize {
    let (_, metrics) = http_get(&node.metrics(), "/metrics");
    let name = r#"lgsp_messages{state="accepted"} "#;
    let count = metrics.lines().find_map(|line| line.strip_prefix(name));
    count.unwrap().parse().unwrap()
}

/// Single calls and large messages, with the projection paused.
fn sending(bench: &Bench, name: &str) {
    let node = bench.node(name, PROJECTION_PAUSED);
    let (record, large_record) = (vec![7; BYTES], vec![7; LARGE_BYTES]);
    let (mut unary, mut waiting, mut large, mut large_bare) = (vec![], vec![], vec![], vec![]);
    for round in 0..=ROUNDS {
        let calling = bench.floor.produce_and_wait(&record, CALLERS, CALLS);
        let took = bench.runtime.block_on(calling).unwrap();
        waiting.push(per_second(CALLERS * CALLS, took));
        let run = format!("{name}/unary/{round}");
        let calling = stream::callers(&node, &run, CALLERS, CALLS, BYTES);
        unary.push(per_second(CALLERS * CALLS, bench.runtime.block_on(calling)));
        let producing = bench.floor.produce(&large_record, STREAMS * LARGE_EACH);
        let took = bench.runtime.block_on(producing).unwrap();
        large_bare.push(per_second(STREAMS * LARGE_EACH, took));
        let run = format!("{name}/large/{round}");
        let large_load = Load {
            bytes: LARGE_BYTES,
            ..load(LARGE_EACH)
        };
        let took = bench.runtime.block_on(stream::streams(&node, &run, large_load));
        large.push(per_second(STREAMS * LARGE_EACH, took));
    }
    tell(
        "unary publish, 64 callers: /s",
        &unary[1..],
        "bare, 64 that wait",
        &waiting[1..],
    );
    tell(
        "streamed publish of 100 KB: /s",
        &large[1..],
        "bare produce",
        &large_bare[1..],
    );
}

/// The same with a receiver that keeps up.
fn receiving(bench: &Bench, node: &Node) {
    let (mut ours, mut bare, mut costs) = (vec![], vec![], vec![]);
    for round in 0..=ROUNDS {
        let count = COUNT / 4;
        bare.push(bench.bare());
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
    tell_cost("it", &costs);
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

fn tell_cost(of: &str, costs: &[f64]) {
    println!(
        "  of {of} the node's processor time: {:.0} us a message",
        spread(&costs[1..]).0
    );
}

fn addresses(cluster: &Cluster) -> Vec<String> {
    cluster.bootstrap().split(',').map(String::from).collect()
}

fn settings(cluster: &Cluster) -> Settings {
    Settings {
        bootstrap: addresses(cluster),
        tls: None,
        plaintext_beyond_loopback: false,
        linger: Duration::from_millis(5),
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

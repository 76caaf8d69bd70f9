//! Three brokers: one killed, all killed, too few left; nothing acknowledged is lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::super::*;
use super::stage::{self, ALL, Stage, text};
use crate::ledger::Appended;

const PARTITIONS: u32 = 3;
const WRITERS: u32 = 24;
/// What a client waits at most (reliability.md 3.4).
const DEADLINE: Duration = Duration::from_secs(20);

/// What a writer was told of each of its records.
type Answers = Vec<(u32, Bytes, Append)>;

/// Writers that append one record after the other until they are told to stop.
struct Stream {
    writers: JoinSet<Answers>,
    over: Arc<AtomicBool>,
    answered: Arc<(AtomicU64, Notify)>,
}

impl Stream {
    fn start(ledger: &Arc<Kafka>) -> Self {
        let mut stream = Self {
            writers: JoinSet::new(),
            over: Arc::default(),
            answered: Arc::default(),
        };
        for writer in 0..WRITERS {
            let (ledger, over, answered) = (
                Arc::clone(ledger),
                Arc::clone(&stream.over),
                Arc::clone(&stream.answered),
            );
            stream.writers.spawn(async move {
                let partition = writer % PARTITIONS;
                let mut answers = Answers::new();
                for nth in 0.. {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    let record = text(writer, nth);
                    let append = timeout(DEADLINE, ledger.append(partition, record.clone())).await;
                    answers.push((partition, record, append.expect("no answer within the deadline")));
                    answered.0.fetch_add(1, Ordering::Relaxed);
                    answered.1.notify_one();
                }
                answers
            });
        }
        stream
    }

    /// Until so many more appends were answered.
    async fn more(&self, count: u64) {
        let enough = self.answered.0.load(Ordering::Relaxed) + count;
        while self.answered.0.load(Ordering::Relaxed) < enough {
            self.answered.1.notified().await;
        }
    }

    async fn end(self) -> Answers {
        self.over.store(true, Ordering::Relaxed);
        self.writers.join_all().await.into_iter().flatten().collect()
    }
}

/// Offsets are dense; what was acknowledged is where it was said to be; what is unknown is there or not; nothing else is.
async fn holds(ledger: &Kafka, answers: &Answers) {
    let mut log = BTreeMap::<(u32, Bytes), Vec<(u64, u64)>>::new();
    for partition in 0..PARTITIONS {
        let (end, mut next) = (ledger.end(partition).await.unwrap(), 0);
        while next < end {
            for entry in ledger.read(partition, next, ALL).await.unwrap() {
                assert_eq!(entry.offset, next, "a gap in partition {partition}");
                let places = log.entry((partition, entry.record)).or_default();
                places.push((entry.offset, entry.append_ms));
                next += 1;
            }
        }
    }
    for (partition, record, append) in answers {
        let places = log.remove(&(*partition, record.clone())).unwrap_or_default();
        match append {
            Append::Appended(Appended { offset, append_ms }) => {
                assert!(
                    places.contains(&(*offset, *append_ms)),
                    "lost: {record:?} at {offset}, found {places:?}"
                );
            }
            Append::Unknown => {}
            Append::Refused(refusal) => panic!("{record:?} was refused: {refusal}"),
        }
    }
    assert_eq!(log.len(), 0, "nobody appended {:?}", log.keys().next());
}

fn unknown(answers: &Answers) -> usize {
    answers
        .iter()
        .filter(|(_, _, append)| *append == Append::Unknown)
        .count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_three_brokers_one_is_killed_in_the_middle_of_a_stream_and_no_append_fails() {
    let mut stage = stage::three().await;
    let ledger = Arc::new(stage.ledger(PARTITIONS).await);
    let stream = Stream::start(&ledger);
    stream.more(500).await;
    stage.cluster.kill(2).unwrap();
    // Every writer goes on, those whose partition was led by the dead broker too.
    stream.more(u64::from(WRITERS) * 50).await;
    let answers = stream.end().await;
    assert_eq!(unknown(&answers), 0, "a client with a deadline of 20 s notices nothing");
    holds(&ledger, &answers).await;
    ledger.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_brokers_are_killed_and_started_again_and_nothing_acknowledged_is_lost() {
    let mut stage = stage::three().await;
    let ledger = Arc::new(stage.ledger(PARTITIONS).await);
    let stream = Stream::start(&ledger);
    stream.more(500).await;
    kill(&mut stage, [1, 2, 3]);
    stage.cluster.start_again().unwrap();
    stream.more(u64::from(WRITERS) * 10).await;
    let answers = stream.end().await;
    holds(&ledger, &answers).await;
    ledger.close().await;
    // A client that starts anew finds the same.
    holds(&stage.open().await, &answers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn too_few_brokers_make_an_append_unknown_and_later_ones_go_on() {
    let mut stage = stage::three().await;
    drop(stage.ledger(PARTITIONS).await);
    let ledger = Arc::new(Kafka::open(&stage.path(), &stage.impatient()).await.unwrap());
    stage::put(&ledger, 0, 3).await;
    kill(&mut stage, [1, 3]);
    let alone = ledger.append(0, Bytes::from_static(b"alone")).await;
    assert_eq!(alone, Append::Unknown);
    stage.cluster.start_again().unwrap();
    let mut back = ledger.append(0, Bytes::from_static(b"back")).await;
    while back == Append::Unknown {
        back = ledger.append(0, Bytes::from_static(b"back")).await;
    }
    assert!(
        matches!(back, Append::Appended(appended) if appended.offset >= 3),
        "{back:?}"
    );
    let entries = ledger.read(0, 0, ALL).await.unwrap();
    assert!(entries.iter().map(|entry| entry.offset).eq(0..entries.len() as u64));
    ledger.close().await;
}

fn kill<const N: usize>(stage: &mut Stage, nodes: [usize; N]) {
    for node in nodes {
        stage.cluster.kill(node).unwrap();
    }
}

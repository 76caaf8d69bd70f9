//! Three brokers: one killed, too few left, all killed; nothing acknowledged is lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::super::*;
use super::stage::{self, ALL, text};
use crate::ledger::Appended;

const PARTITIONS: u32 = 3;
const WRITERS: u32 = 24;
/// Whoever handles a call waits so long for an append, which itself is given up after 20 s (reliability.md 3.4).
const HANDLER_LIMIT: Duration = Duration::from_secs(25);
/// A stream that stands still for so long does not go on.
const STANDSTILL_MAX: Duration = Duration::from_secs(90);

/// No two writers of this process append the same.
static STARTED: AtomicU32 = AtomicU32::new(0);

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
        let begin = STARTED.fetch_add(WRITERS, Ordering::Relaxed);
        for writer in begin..begin + WRITERS {
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
                    let append = timeout(HANDLER_LIMIT, ledger.append(partition, record.clone())).await;
                    answers.push((partition, record, append.expect("no answer within the limit")));
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
            let answered = timeout(STANDSTILL_MAX, self.answered.1.notified()).await;
            answered.expect("no append is answered any more");
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
async fn brokers_are_killed_one_after_the_other_and_nothing_acknowledged_is_lost() {
    let mut stage = stage::three().await;
    let ledger = Arc::new(stage.ledger(PARTITIONS).await);
    // As another node has it.
    let other = stage.path().with_added_extension("of-another-node");
    Kafka::create(&other, ledger.manifest().clone(), &stage.settings())
        .await
        .unwrap();
    let impatient = Kafka::open(&other, &stage.impatient()).await.unwrap();
    let stream = Stream::start(&ledger);
    stream.more(500).await;
    stage.cluster.kill(2).unwrap();
    // Every writer goes on, those whose partition was led by the dead broker too.
    stream.more(u64::from(WRITERS) * 20).await;
    let mut answers = stream.end().await;
    assert_eq!(unknown(&answers), 0, "a client with a deadline of 20 s notices nothing");
    holds(&ledger, &answers).await;

    // One broker alone holds a record on too few disks: it is not acknowledged.
    let stream = Stream::start(&ledger);
    stream.more(100).await;
    stage.cluster.kill(1).unwrap();
    let alone = Bytes::from_static(b"alone");
    answers.push((0, alone.clone(), impatient.append(0, alone).await));
    assert_eq!(unknown(&answers), 1);

    stage.cluster.kill(3).unwrap();
    stage.cluster.start_again().unwrap();
    stream.more(u64::from(WRITERS) * 10).await;
    answers.extend(stream.end().await);
    holds(&ledger, &answers).await;
    tokio::join!(ledger.close(), impatient.close());
    // Whoever starts anew finds the same.
    holds(&stage.open().await, &answers).await;
}

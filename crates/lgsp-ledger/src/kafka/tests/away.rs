//! Brokers that are not there: at the start, in between, for good; and what a closed ledger answers.

use std::net::TcpStream;
use std::time::Instant;

use super::super::*;
use super::stage::{self, ALL, put, text};
use crate::twin::{Twin, say};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_broker_that_is_away_at_the_start_is_said_to_be_and_later_it_opens() {
    let mut stage = stage::one().await;
    drop(stage.ledger(1).await);
    stage.cluster.kill(1).unwrap();
    let begin = Instant::now();
    let away = Kafka::open(&stage.path(), &stage.impatient()).await;
    assert!(matches!(away, Err(OpenError::Unreachable { .. })), "{away:?}");
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    stage.cluster.start_again().unwrap();
    let ledger = stage.open().await;
    put(&ledger, 0, 1).await;
    ledger.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_broker_that_goes_and_comes_back_loses_nothing_and_wakes_who_waits() {
    let mut stage = stage::one().await;
    drop(stage.ledger(1).await);
    let ledger = Kafka::open(&stage.path(), &stage.impatient()).await.unwrap();
    put(&ledger, 0, 5).await;
    stage.cluster.kill(1).unwrap();
    let (append, end) = tokio::join!(ledger.append(0, Bytes::from_static(b"into the dark")), ledger.end(0));
    assert_eq!(append, Append::Unknown);
    assert!(matches!(end, Err(ReadError::Unavailable { .. })), "{end:?}");
    let waits = ledger.grown(0, 6);
    let back = async {
        stage.cluster.start_again().unwrap();
        // Which of them got in is not known.
        while !matches!(ledger.append(0, Bytes::from_static(b"back")).await, Append::Appended(_)) {}
        while ledger.end(0).await.unwrap() < 7 {
            put(&ledger, 0, 1).await;
        }
    };
    let (grown, ()) = tokio::join!(waits, back);
    assert!(grown.unwrap() > 6);
    let entries = ledger.read(0, 0, ALL).await.unwrap();
    assert!(entries.iter().map(|entry| entry.offset).eq(0..entries.len() as u64));
    assert!((0..5).all(|nth| entries[nth].record == text(0, nth as u64)));
    ledger.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn closing_answers_what_is_in_flight_and_then_refuses() {
    let stage = stage::one().await;
    let ledger = Arc::new(stage.ledger(1).await);
    let mut appends = tokio::task::JoinSet::new();
    for nth in 0..200 {
        let ledger = Arc::clone(&ledger);
        appends.spawn(async move { ledger.append(0, text(0, nth)).await });
    }
    let (waited, ()) = tokio::join!(ledger.grown(0, 1_000), async {
        let first = appends.join_next().await.unwrap().unwrap();
        assert!(matches!(first, Append::Appended(_)), "{first:?}");
        ledger.close().await;
    });
    assert!(matches!(waited, Err(ReadError::Closed)), "{waited:?}");
    let answers = appends.join_all().await;
    let told = |append: &Append| matches!(append, Append::Appended(_) | Append::Refused(Refusal::NotReady));
    assert!(answers.iter().all(told), "{answers:?}");
    assert_eq!(ledger.append(0, Bytes::new()).await, Append::Refused(Refusal::NotReady));
    assert!(matches!(ledger.read(0, 0, ALL).await, Err(ReadError::Closed)));
    assert!(matches!(ledger.end(0).await, Err(ReadError::Closed)));
    ledger.close().await;
    let appended = answers
        .iter()
        .filter(|append| matches!(append, Append::Appended(_)))
        .count();
    let again = stage.open().await;
    assert_eq!(again.end(0).await.unwrap(), appended as u64 + 1);
    again.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_record_that_is_taken_and_no_longer_waited_for_is_in_the_log_all_the_same() {
    let stage = stage::one().await;
    let ledger = stage.ledger(1).await;
    put(&ledger, 0, 1).await;
    for nth in 0..50 {
        drop(timeout(Duration::ZERO, ledger.append(0, text(9, nth))).await);
    }
    ledger.close().await;
    let again = stage.open().await;
    assert_eq!(again.end(0).await.unwrap(), 51, "closing flushes what nobody waits for");
    again.close().await;
}

/// The twin is killed; its broker has nobody to end it but its watcher.
#[test]
fn a_broker_ends_with_the_process_that_started_it() {
    if let Some(folder) = Twin::ledger() {
        let cluster = Cluster::start(1, &folder).unwrap();
        say(&cluster.bootstrap());
        loop {
            std::thread::park();
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let name = "kafka::tests::away::a_broker_ends_with_the_process_that_started_it";
    let mut twin = Twin::plain(name, folder.path());
    let address = twin.said().unwrap();
    let mut connection = TcpStream::connect(&address).unwrap();
    twin.kill();
    // The connection ends with the broker.
    connection.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let end = std::io::Read::read(&mut connection, &mut [0; 1]);
    let reset = |error: &std::io::Error| error.kind() == std::io::ErrorKind::ConnectionReset;
    assert!(
        end.as_ref().is_ok_and(|read| *read == 0) || end.as_ref().is_err_and(reset),
        "{end:?}"
    );
    // Then nobody listens any more.
    let begin = Instant::now();
    while TcpStream::connect(&address).is_ok() {
        assert!(
            begin.elapsed() < Duration::from_secs(20),
            "somebody listens at {address}"
        );
    }
}

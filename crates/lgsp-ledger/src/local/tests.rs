//! The local ledger passes the suite; what it does beyond: reopening, closing, refusing, telling what is not a ledger.

mod bench;
pub(super) mod bite;
mod crash;
mod damage;
mod full;
mod reading;

use bytes::Bytes;

use super::*;
use bench::{Folder, clock_at, put};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_passes_the_conformance_suite() {
    if bench::wrote_as_twin().await {
        return;
    }
    crate::conformance::run(&Folder::new()).await;
}

#[tokio::test]
async fn a_group_carries_the_writers_clock() {
    let folder = Folder::new();
    let ledger = folder.ledger_with(1, clock_at(1_751_328_000_123));
    let Append::Appended(appended) = ledger.append(0, Bytes::from_static(b"one")).await else {
        panic!("not appended");
    };
    assert_eq!(appended.append_ms, 1_751_328_000_123);
    let limit = ReadLimit { entries: 1, bytes: 1 };
    assert_eq!(ledger.read(0, 0, limit).await.unwrap()[0].append_ms, 1_751_328_000_123);
}

#[tokio::test]
async fn a_clock_beyond_the_files_range_is_answered_as_it_is_stored() {
    let folder = Folder::new();
    let ledger = folder.ledger_with(1, clock_at(u64::MAX));
    let Append::Appended(appended) = ledger.append(0, Bytes::from_static(b"one")).await else {
        panic!("not appended");
    };
    let limit = ReadLimit { entries: 1, bytes: 1 };
    assert_eq!(ledger.read(0, 0, limit).await.unwrap()[0].append_ms, appended.append_ms);
}

#[tokio::test]
async fn a_closed_ledger_refuses_and_lets_the_next_writer_in() {
    let folder = Folder::new();
    let ledger = folder.ledger(1);
    put(&ledger, 0, 10).await;
    let (waited, ()) = tokio::join!(ledger.grown(0, 10), ledger.close());
    assert!(matches!(waited, Err(ReadError::Closed)));
    assert_eq!(ledger.append(0, Bytes::new()).await, Append::Refused(Refusal::NotReady));
    assert!(matches!(ledger.read(0, 0, bench::ALL).await, Err(ReadError::Closed)));
    assert!(
        !file::beside(&folder.path(), "-wal").exists(),
        "a clean close leaves one file"
    );
    let next = folder.open();
    ledger.close().await;
    assert_eq!(next.end(0).await.unwrap(), 10);
}

#[tokio::test]
async fn what_is_queued_when_it_is_dropped_is_answered() {
    let folder = Folder::new();
    let ledger = folder.ledger(1);
    let mut answers = Vec::new();
    for nth in 0..100_u8 {
        let (answer, answered) = oneshot::channel();
        ledger
            .inlet
            .offer(Waiting {
                partition: 0,
                record: Bytes::from(vec![nth]),
                answer,
            })
            .unwrap();
        answers.push(answered);
    }
    drop(ledger);
    for (offset, answered) in (0..).zip(answers) {
        assert!(matches!(answered.await, Ok(Append::Appended(appended)) if appended.offset == offset));
    }
}

#[test]
fn a_full_queue_refuses_and_takes_again_when_it_was_emptied() {
    let (inlet, outlet) = queue::queue();
    let offer = |bytes| {
        let (answer, _) = oneshot::channel();
        inlet.offer(Waiting {
            partition: 0,
            record: Bytes::from(vec![0; bytes]),
            answer,
        })
    };
    for _ in 0..64 {
        offer(RECORD_BYTES_MAX).unwrap();
    }
    assert_eq!(offer(1), Err(Refusal::NotReady), "64 MiB wait");
    while outlet
        .group()
        .is_some_and(|group| group.iter().any(|waiting| waiting.record.len() > 1))
    {
        offer(1).unwrap();
    }
    let taken = (0..10_000).take_while(|_| offer(0).is_ok()).count();
    assert_eq!(offer(0), Err(Refusal::NotReady), "{taken} records wait");
    assert!(taken <= 4_096);
}

#[test]
fn a_ledger_is_made_once_and_from_good_names_only() {
    let folder = Folder::new();
    Local::create(&folder.path(), "data-2027", 3, 9).unwrap();
    let again = Local::create(&folder.path(), "data-2027", 3, 9);
    assert!(matches!(again, Err(CreateError::Exists { path }) if path == folder.path()));
    let ledger = folder.open();
    let manifest = Manifest {
        name: String::from("data-2027"),
        partitions: 3,
        created_ms: 9,
    };
    assert_eq!(ledger.manifest(), &manifest);
    assert_eq!(Local::open_read_only(&folder.path()).unwrap().manifest(), &manifest);
    let other = folder.file("other");
    for name in ["", "Data", "data 2027", "../data", "sổ-cái", &"a".repeat(65)] {
        assert!(
            matches!(Local::create(&other, name, 1, 0), Err(CreateError::Name)),
            "{name}"
        );
    }
    for partitions in [0, PARTITIONS_MAX + 1, u32::MAX] {
        assert!(matches!(
            Local::create(&other, "a", partitions, 0),
            Err(CreateError::Partitions { .. })
        ));
    }
    assert!(!other.exists());
    Local::create(&other, &"a".repeat(64), PARTITIONS_MAX, 0).unwrap();
    assert_eq!(Local::open(&other, clock_at(1)).unwrap().partitions(), PARTITIONS_MAX);
}

#[test]
fn a_log_left_by_a_deleted_file_is_not_played_into_a_new_ledger() {
    let folder = Folder::new();
    std::fs::write(file::beside(&folder.path(), "-wal"), b"of another file").unwrap();
    assert!(matches!(
        Local::create(&folder.path(), "a", 1, 0),
        Err(CreateError::Exists { .. })
    ));
}

#[test]
fn what_a_crash_while_creating_left_is_in_nobodys_way() {
    let folder = Folder::new();
    std::fs::write(file::beside(&folder.path(), ".new"), b"half").unwrap();
    std::fs::write(file::beside(&folder.path(), ".new-journal"), b"half").unwrap();
    drop(folder.ledger(1));
}

#[test]
fn a_second_writer_is_locked_out_and_a_reader_is_not() {
    let folder = Folder::new();
    let ledger = folder.ledger(1);
    assert!(matches!(
        Local::open(&folder.path(), clock_at(1)),
        Err(OpenError::Locked { .. })
    ));
    assert_eq!(Local::open_read_only(&folder.path()).unwrap().end(0).unwrap(), 0);
    drop(ledger);
    drop(folder.open());
}

#[test]
fn a_lock_is_given_back_although_a_process_that_is_being_started_holds_our_files() {
    let folder = Folder::new();
    let lock = file::Lock::take(&folder.path()).unwrap();
    let of_the_other = lock.file.try_clone().unwrap();
    assert!(file::Lock::take(&folder.path()).is_err());
    drop(lock);
    drop(file::Lock::take(&folder.path()).unwrap());
    drop(of_the_other);
}

//! What a crash leaves: a process killed at any moment, a log cut anywhere. The suite kills in the middle of a group.

use std::fs;

use super::super::*;
use super::bench::{ALL, Folder, clock_at, text, this_program};
use crate::conformance::{self, Leeway};

#[tokio::test]
async fn a_kill_at_any_moment_loses_nothing_acknowledged() {
    for lines in [1, 63, 200, 777, 1_500, 3_000] {
        let folder = Folder::new();
        drop(folder.ledger(3));
        let mut twin = folder.suite_twin(this_program());
        let mut said: Vec<_> = (0..lines).map(|_| twin.said().unwrap()).collect();
        said.extend(twin.kill());
        let log = fs::metadata(file::beside(&folder.path(), "-wal")).unwrap().len();
        assert!(log > 0, "the kill left nothing to recover");
        let reopened: Arc<dyn Ledger> = Arc::new(folder.open());
        let count = conformance::holds(&reopened, &said, Leeway::default()).await;
        assert_eq!(count.appended, said.len(), "the twin had trouble of its own");
    }
}

#[tokio::test]
async fn a_log_cut_anywhere_opens_to_a_dense_prefix() {
    let folder = Folder::in_memory();
    let ledger = folder.ledger(2);
    for nth in 0..30 {
        for partition in 0..2 {
            assert!(matches!(
                ledger.append(partition, text(partition, nth)).await,
                Append::Appended(_)
            ));
        }
    }
    let whole = fs::read(file::beside(&folder.path(), "-wal")).unwrap();
    let mut ends = Vec::new();
    for length in (0..=whole.len()).step_by(whole.len() / 150) {
        let cut = folder.file(&format!("cut-{length}.db"));
        fs::copy(folder.path(), &cut).unwrap();
        fs::write(file::beside(&cut, "-wal"), &whole[..length]).unwrap();
        let opened = Local::open(&cut, clock_at(1)).unwrap();
        let found = [
            opened.read(0, 0, ALL).await.unwrap(),
            opened.read(1, 0, ALL).await.unwrap(),
        ];
        for (partition, entries) in (0..).zip(&found) {
            for (nth, entry) in (0..).zip(entries) {
                assert_eq!(
                    (entry.offset, &entry.record),
                    (nth, &text(partition, nth)),
                    "cut at {length}"
                );
            }
        }
        ends.push(found[0].len() + found[1].len());
    }
    assert!(ends.is_sorted(), "more of the log, fewer records: {ends:?}");
    assert!(
        ends.first() == Some(&0) && ends.iter().any(|end| (20..40).contains(end)),
        "{ends:?}"
    );
}

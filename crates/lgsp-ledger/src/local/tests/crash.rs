//! What a crash leaves: a killed process, a log cut anywhere, a commit that failed in the middle.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use super::super::*;
use super::bench::{ALL, Folder, Twin, clock_at, put, say, scan, text};
use crate::ledger::Appended;

const PARTITIONS: u32 = 3;

/// Appends from 64 tasks and says what was acknowledged, until it is killed.
fn write_for_ever(path: &Path) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    let ledger = Arc::new(Local::open(path, clock_at(u64::from(std::process::id()))).unwrap());
    runtime.block_on(async {
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..64_u32 {
            let ledger = Arc::clone(&ledger);
            writers.spawn(async move {
                for nth in 0_u64.. {
                    let record = text(writer, nth);
                    let partition = writer % PARTITIONS;
                    let Append::Appended(Appended { offset, .. }) = ledger.append(partition, record).await else {
                        panic!("not appended");
                    };
                    say(&format!("{partition} {offset} {writer} {nth}"));
                }
            });
        }
        writers.join_all().await
    });
}

/// (partition, offset) -> the record acknowledged there.
fn acknowledged(line: &str) -> Option<((u32, u64), Bytes)> {
    let numbers: Option<Vec<u64>> = line.split(' ').map(|number| number.parse().ok()).collect();
    let [partition, offset, writer, nth] = <[u64; 4]>::try_from(numbers?).ok()?;
    Some((
        (u32::try_from(partition).ok()?, offset),
        text(u32::try_from(writer).ok()?, nth),
    ))
}

#[test]
fn a_kill_in_the_middle_of_a_group_loses_nothing_acknowledged() {
    if let Some(path) = Twin::ledger() {
        return write_for_ever(&path);
    }
    let folder = Folder::new();
    drop(folder.ledger(PARTITIONS));
    let mut promised = BTreeMap::new();
    for lines in [1, 63, 200, 777, 1_500, 3_000] {
        let name = "local::tests::crash::a_kill_in_the_middle_of_a_group_loses_nothing_acknowledged";
        let mut twin = Twin::plain(name, &folder.path());
        for _ in 0..lines {
            promised.extend(acknowledged(&twin.said().unwrap()));
        }
        // The last line may be cut by the kill.
        promised.extend(twin.kill().iter().filter_map(|line| acknowledged(line)));
        assert!(promised.len() > lines);
        let log = fs::metadata(file::beside(&folder.path(), "-wal")).unwrap().len();
        assert!(log > 0, "the kill left nothing to recover");
        let reopened = folder.open();
        holds(&folder, &promised);
        drop(reopened);
    }
}

fn holds(folder: &Folder, promised: &BTreeMap<(u32, u64), Bytes>) {
    let found = scan(&Local::open_read_only(&folder.path()).unwrap()).unwrap();
    for (partition, entries) in (0_u32..).zip(&found) {
        assert!(entries.iter().map(|entry| entry.offset).eq(0..entries.len() as u64));
        assert!(!entries.is_empty(), "nothing in partition {partition}");
    }
    for ((partition, offset), record) in promised {
        let entry = found[*partition as usize].get(usize::try_from(*offset).unwrap());
        assert_eq!(entry.map(|entry| &entry.record), Some(record), "{partition}/{offset}");
    }
}

#[tokio::test]
async fn a_log_cut_anywhere_opens_to_a_dense_prefix() {
    let folder = Folder::new();
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

/// Appends until a commit failed, then goes on; says what became of each append.
fn write_through_failures(path: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let ledger = Local::open(path, clock_at(1)).unwrap();
    runtime.block_on(async {
        let mut nth = 0;
        let mut unknown = 0;
        while unknown < 3 && nth < 5_000 {
            match ledger.append(0, text(0, nth)).await {
                Append::Appended(Appended { offset, .. }) => say(&format!("appended {offset} {nth}")),
                Append::Unknown => {
                    unknown += 1;
                    say(&format!("unknown {nth}"));
                }
                refused @ Append::Refused(_) => panic!("{refused:?}"),
            }
            nth += 1;
        }
        put(&ledger, 0, 1).await;
    });
}

/// The shell bounds the size of a file and ignores the signal: a write beyond it fails with EFBIG, an I/O error that is
/// not a full disk.
#[test]
fn after_a_failed_commit_the_outcome_is_unknown_and_the_file_is_read_again() {
    if let Some(path) = Twin::ledger() {
        return write_through_failures(&path);
    }
    let folder = Folder::new();
    drop(folder.ledger(1));
    let mut bounded = Command::new("sh");
    bounded
        .args(["-c", "trap '' XFSZ; ulimit -f 600; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap());
    let name = "local::tests::crash::after_a_failed_commit_the_outcome_is_unknown_and_the_file_is_read_again";
    let said = Twin::start(bounded, name, &folder.path()).ended_well();
    let unknown: Vec<_> = said
        .iter()
        .filter_map(|line| line.strip_prefix("unknown ")?.parse().ok())
        .collect();
    assert_eq!(unknown.len(), 3, "commits that failed");
    let after = said
        .iter()
        .skip_while(|line| !line.starts_with("unknown"))
        .filter(|line| line.starts_with("appended"));
    assert!(after.count() > 10, "appends went on after the first");

    let mut found = scan(&Local::open_read_only(&folder.path()).unwrap()).unwrap().remove(0);
    assert_eq!(
        found.pop().unwrap().record,
        text(0, 0),
        "the append after the last failure"
    );
    for line in said.iter().filter_map(|line| line.strip_prefix("appended ")) {
        let (offset, nth) = line.split_once(' ').unwrap();
        let entry = &found[offset.parse::<usize>().unwrap()];
        assert_eq!(entry.record, text(0, nth.parse().unwrap()), "{line}");
    }
    let appended = said.len() - unknown.len();
    assert!(
        (appended..=said.len()).contains(&found.len()),
        "records that nobody appended"
    );
    for nth in unknown {
        let times = found.iter().filter(|entry| entry.record == text(0, nth)).count();
        assert!(times <= 1, "an unknown record is there {times} times");
    }
}

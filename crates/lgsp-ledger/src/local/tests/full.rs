//! A full ledger refuses whole groups, keeps what it holds, and goes on when there is room.

use std::fs;
use std::process::Command;

use super::super::*;
use super::bench::{ALL, Folder, Twin, behind_mounts, clock_at, put, say, text};
use crate::ledger::Appended;

fn open(folder: &Folder, pages_max: Option<u32>) -> Local {
    Local::open_with(&folder.path(), clock_at(1), Settings { pages_max }).unwrap()
}

async fn fill(ledger: &Local) -> u64 {
    for nth in 0.. {
        match ledger.append(0, text(0, nth)).await {
            Append::Appended(Appended { offset, .. }) => assert_eq!(offset, nth),
            other @ (Append::Refused(_) | Append::Unknown) => {
                assert_eq!(other, Append::Refused(Refusal::Full));
                return nth;
            }
        }
    }
    unreachable!()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_ledger_refuses_keeps_what_it_holds_and_goes_on_with_more_room() {
    let folder = Folder::new();
    drop(folder.ledger(1));
    let ledger = open(&folder, Some(40));
    let appended = fill(&ledger).await;
    assert!(appended > 50, "{appended}");
    let large = Bytes::from(vec![1; 8_192]);
    for _ in 0..20 {
        assert_eq!(ledger.append(0, large.clone()).await, Append::Refused(Refusal::Full));
    }
    assert_eq!(ledger.end(0).await.unwrap(), appended);
    let held = ledger.read(0, 0, ALL).await.unwrap();
    drop(ledger);

    let still_full = open(&folder, Some(40));
    assert_eq!(still_full.read(0, 0, ALL).await.unwrap(), held);
    assert_eq!(
        still_full.append(0, large.clone()).await,
        Append::Refused(Refusal::Full)
    );
    drop(still_full);

    let larger = open(&folder, Some(80));
    let next = larger.append(0, large.clone()).await;
    assert_eq!(
        next,
        Append::Appended(Appended {
            offset: appended,
            append_ms: 1
        })
    );
    assert_eq!(
        larger
            .read(
                0,
                0,
                ReadLimit {
                    entries: held.len(),
                    bytes: usize::MAX
                }
            )
            .await
            .unwrap(),
        held
    );
    drop(larger);
    assert_eq!(open(&folder, None).end(0).await.unwrap(), appended + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_does_not_fit_is_refused_whole() {
    let folder = Folder::new();
    drop(folder.ledger(2));
    let ledger = open(&folder, Some(60));
    let mut answers = Vec::new();
    // One record that does not fit stands among small ones: no answer may say refused of a record that is there.
    for nth in 0..200_u64 {
        let record = if nth == 50 {
            Bytes::from(vec![0; 300_000])
        } else {
            text(1, nth)
        };
        let (answer, answered) = oneshot::channel();
        ledger
            .inlet
            .offer(Waiting {
                partition: 1,
                record: record.clone(),
                answer,
            })
            .unwrap();
        answers.push((answered, record));
    }
    let (mut appended, mut refused) = (Vec::new(), 0);
    for (answered, record) in answers {
        match answered.await.unwrap() {
            Append::Appended(_) => appended.push(record),
            other @ (Append::Refused(_) | Append::Unknown) => {
                assert_eq!(other, Append::Refused(Refusal::Full));
                refused += 1;
            }
        }
    }
    let held: Vec<_> = ledger
        .read(1, 0, ALL)
        .await
        .unwrap()
        .into_iter()
        .map(|entry| entry.record)
        .collect();
    assert_eq!(held, appended);
    assert!(refused > 0);
    assert_eq!(ledger.end(1).await.unwrap(), held.len() as u64);
}

#[test]
fn a_full_disk_refuses_keeps_what_it_holds_and_goes_on_when_there_is_room() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    if let Some(path) = Twin::ledger() {
        return runtime.block_on(on_a_small_disk(&path));
    }
    let folder = Folder::new();
    let disk = folder.file("disk");
    fs::create_dir(&disk).unwrap();
    let command = behind_mounts("mount -t tmpfs -o size=2m lgsp \"$FOLDER\"", &disk);
    let name = "local::tests::full::a_full_disk_refuses_keeps_what_it_holds_and_goes_on_when_there_is_room";
    let said = Twin::start(command, name, &disk.join("ledger.db")).ended_well();
    assert_eq!(said, ["full", "opened full", "went on"]);
    assert_eq!(
        fs::read_dir(&disk).unwrap().count(),
        0,
        "it was not written to the small disk"
    );
}

async fn on_a_small_disk(path: &Path) {
    Local::create(path, "test", 1, 0).unwrap();
    let ledger = Local::open(path, clock_at(1)).unwrap();
    let appended = fill(&ledger).await;
    say("full");
    assert_eq!(ledger.end(0).await.unwrap(), appended);
    let held = ledger.read(0, 0, ALL).await.unwrap();
    assert_eq!(held.len() as u64, appended);
    drop(ledger);

    let ballast = path.with_file_name("ballast");
    fs::write(&ballast, vec![0; 4 << 20]).unwrap_err();
    let ledger = Local::open(path, clock_at(2)).unwrap();
    assert_eq!(ledger.read(0, 0, ALL).await.unwrap(), held);
    assert_eq!(ledger.append(0, text(0, 7)).await, Append::Refused(Refusal::Full));
    say("opened full");

    fs::remove_file(&ballast).unwrap();
    let room = Command::new("mount")
        .args(["-o", "remount,size=4m"])
        .arg(path.parent().unwrap())
        .status();
    assert!(room.unwrap().success());
    put(&ledger, 0, 100).await;
    let after = ledger.read(0, 0, ALL).await.unwrap();
    assert_eq!(after[..held.len()], held);
    assert_eq!(after.len(), held.len() + 100);
    ledger.close().await;
    assert_eq!(
        Local::open(path, clock_at(3)).unwrap().end(0).await.unwrap(),
        appended + 100
    );
    say("went on");
}

//! Readers: limits against a model, beside a live writer in another process, and from a file at rest.

use std::fs;

use proptest::prelude::*;

use super::super::*;
use super::bench::{ALL, Folder, Twin, behind_mounts, clock_at, put, say, scan, text};

#[test]
fn a_reader_follows_a_live_writer_in_another_process() {
    if let Some(path) = Twin::ledger() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let ledger = Local::open(&path, clock_at(1)).unwrap();
        return runtime.block_on(async {
            for nth in 0.. {
                assert!(matches!(ledger.append(0, text(0, nth)).await, Append::Appended(_)));
                say(&nth.to_string());
            }
        });
    }
    let folder = Folder::new();
    drop(folder.ledger(1));
    let name = "local::tests::reading::a_reader_follows_a_live_writer_in_another_process";
    let mut twin = Twin::plain(name, &folder.path());
    twin.said().unwrap();
    let reader = Local::open_read_only(&folder.path()).unwrap();
    let mut seen = 0;
    while seen < 3_000 {
        let acknowledged: u64 = twin.said().unwrap().parse().unwrap();
        if acknowledged.is_multiple_of(50) {
            let from = acknowledged.saturating_sub(30);
            let scanned: Result<Vec<_>, _> = reader.entries(0, from).unwrap().collect();
            let scanned = scanned.unwrap();
            assert!(
                scanned.last().unwrap().offset >= acknowledged,
                "an acknowledged record is not seen"
            );
            for (offset, entry) in (from..).zip(&scanned) {
                assert_eq!((entry.offset, &entry.record), (offset, &text(0, offset)));
            }
            seen = acknowledged;
        }
    }
    assert!(matches!(
        Local::open(&folder.path(), clock_at(1)),
        Err(OpenError::Locked { .. })
    ));
    twin.kill();
    let left = reader.end(0).unwrap();
    assert_eq!(
        scan(&reader).unwrap()[0].len() as u64,
        left,
        "after the writer was killed"
    );
    let fresh = Local::open_read_only(&folder.path()).unwrap();
    assert_eq!(fresh.end(0).unwrap(), left);
    assert_eq!(folder.open().manifest(), reader.manifest());
}

#[tokio::test]
async fn reading_a_ledger_at_rest_leaves_its_file_as_it_was() {
    let folder = Folder::new();
    let ledger = folder.ledger(2);
    put(&ledger, 0, 40).await;
    put(&ledger, 1, 3).await;
    ledger.close().await;
    let before = fs::read(folder.path()).unwrap();
    let reader = Local::open_read_only(&folder.path()).unwrap();
    let lengths: Vec<_> = scan(&reader).unwrap().iter().map(Vec::len).collect();
    assert_eq!(lengths, [40, 3]);
    drop(reader);
    assert!(fs::read(folder.path()).unwrap() == before);
    assert_eq!(folder.open().end(1).await.unwrap(), 3);
}

#[test]
fn a_ledger_in_a_read_only_folder_is_read_as_it_lies() {
    if let Some(path) = Twin::ledger() {
        let reader = Local::open_read_only(&path).unwrap();
        assert_eq!(scan(&reader).unwrap()[0].len(), 5);
        fs::write(path.with_file_name("new"), b"").unwrap_err();
        // With records in a log that cannot be read, an answer from the file alone would be short.
        let with_log = Local::open_read_only(&path.with_file_name("with-log.db"));
        assert!(matches!(with_log, Err(OpenError::Io { .. })), "{with_log:?}");
        return say("read");
    }
    let folder = Folder::new();
    let ledger = folder.ledger(1);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        put(&ledger, 0, 5).await;
        ledger.close().await;
    });
    let with_log = folder.file("with-log.db");
    fs::copy(folder.path(), &with_log).unwrap();
    fs::write(file::beside(&with_log, "-wal"), [1; 100]).unwrap();
    let read_only = "mount --bind \"$FOLDER\" \"$FOLDER\"; mount -o remount,bind,ro \"$FOLDER\"";
    let command = behind_mounts(read_only, folder.path().parent().unwrap());
    let name = "local::tests::reading::a_ledger_in_a_read_only_folder_is_read_as_it_lies";
    assert_eq!(Twin::start(command, name, &folder.path()).ended_well(), ["read"]);
}

#[test]
fn a_path_with_any_characters_can_be_read_as_it_lies() {
    let folder = Folder::new();
    let path = folder.file("sổ cái 100%?mode=rw#x.db");
    Local::create(&path, "a", 1, 0).unwrap();
    fs::create_dir(file::beside(&path, "-shm")).unwrap();
    assert_eq!(Local::open_read_only(&path).unwrap().end(0).unwrap(), 0);
}

#[tokio::test]
async fn a_scan_ends_where_the_partition_ended_when_it_began() {
    let folder = Folder::new();
    let ledger = folder.ledger(1);
    put(&ledger, 0, 600).await;
    let reader = Local::open_read_only(&folder.path()).unwrap();
    let mut entries = reader.entries(0, 10).unwrap();
    assert_eq!(entries.next().unwrap().unwrap().offset, 10);
    put(&ledger, 0, 5).await;
    assert_eq!(entries.end(), 600);
    assert_eq!(entries.last().unwrap().unwrap().offset, 599);
    assert_eq!(reader.end(0).unwrap(), 605);
}

/// What a read has to answer, by the text of [`ReadLimit`].
fn model(sizes: &[usize], from: usize, limit: ReadLimit) -> usize {
    let mut bytes = 0;
    let mut entries = 0;
    for size in sizes.iter().skip(from).take(limit.entries) {
        bytes += size;
        if entries > 0 && bytes > limit.bytes {
            break;
        }
        entries += 1;
    }
    entries
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_read_answers_as_much_as_its_limit_allows(
        sizes in prop::collection::vec(0_usize..9_000, 1..40),
        asked in prop::collection::vec((0_usize..45, 0_usize..50, 0_usize..60_000), 30),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let folder = Folder::new();
        let ledger = folder.ledger(1);
        runtime.block_on(async {
            for size in &sizes {
                prop_assert!(matches!(ledger.append(0, Bytes::from(vec![3; *size])).await, Append::Appended(_)));
            }
            for (from, entries, bytes) in asked {
                let limit = ReadLimit { entries, bytes };
                let read = ledger.read(0, from as u64, limit).await.unwrap();
                let found: Vec<_> = read.iter().map(|entry| entry.record.len()).collect();
                let expected: Vec<_> = sizes.iter().copied().skip(from).take(model(&sizes, from, limit)).collect();
                prop_assert_eq!(found, expected);
            }
            prop_assert_eq!(ledger.read(0, 0, ALL).await.unwrap().len(), sizes.len());
            Ok(())
        })?;
    }
}

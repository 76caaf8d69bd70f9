//! Damage is named, never repaired, never a crash: cut files, zeroed headers, flipped bytes, changed rows.

use std::fs;

use rusqlite::{Connection, params};

use super::super::*;
use super::bench::{ALL, Folder, clock_at, put, scan};

/// A closed ledger of two partitions in one file, and what it holds.
async fn closed(folder: &Folder, records: u64) -> (PathBuf, Vec<Vec<Entry>>) {
    let ledger = folder.ledger(2);
    put(&ledger, 0, records).await;
    put(&ledger, 1, records / 2).await;
    ledger.close().await;
    let path = folder.path();
    assert!(!file::beside(&path, "-wal").exists());
    let held = scan(&Local::open_read_only(&path).unwrap()).unwrap();
    (path, held)
}

/// What a file looks like to those who open it.
#[derive(Debug, PartialEq)]
enum Seen {
    Damaged,
    NotALedger,
    Records(Vec<Vec<Entry>>),
}

fn seen_at_open(error: OpenError) -> Seen {
    if matches!(error, OpenError::NotALedger { .. }) {
        return Seen::NotALedger;
    }
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
    Seen::Damaged
}

fn seen_by_reading(read: Result<Vec<Vec<Entry>>, ReadError>) -> Seen {
    read.map_or_else(
        |error| {
            assert!(matches!(error, ReadError::Damaged { .. }), "{error:?}");
            Seen::Damaged
        },
        Seen::Records,
    )
}

fn seen_by_writer(path: &Path, runtime: &tokio::runtime::Runtime) -> Seen {
    let ledger = match Local::open(path, clock_at(1)) {
        Ok(ledger) => ledger,
        Err(error) => return seen_at_open(error),
    };
    seen_by_reading(runtime.block_on(async {
        let mut all = Vec::new();
        for partition in 0..ledger.partitions() {
            let end = ledger.end(partition).await?;
            let mut entries = Vec::new();
            while (entries.len() as u64) < end {
                entries.extend(ledger.read(partition, entries.len() as u64, ALL).await?);
            }
            all.push(entries);
        }
        Ok(all)
    }))
}

fn seen_by_reader(path: &Path) -> Seen {
    match Local::open_read_only(path) {
        Ok(reader) => seen_by_reading(scan(&reader)),
        Err(error) => seen_at_open(error),
    }
}

/// Writes `bytes` as a ledger of its own and looks at it with the reader first, as the writer may change the file.
fn look(folder: &Folder, bytes: &[u8], runtime: &tokio::runtime::Runtime) -> [Seen; 2] {
    let copy = folder.file("copy.db");
    for suffix in ["-wal", "-shm"] {
        drop(fs::remove_file(file::beside(&copy, suffix)));
    }
    fs::write(&copy, bytes).unwrap();
    [seen_by_reader(&copy), seen_by_writer(&copy, runtime)]
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

/// SplitMix64, so that a failing flip can be had again.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Flips the byte at each place and counts how often the damage showed.
fn flip_all(places: impl Iterator<Item = (usize, u8)>) -> (usize, usize) {
    let (folder, runtime) = (Folder::in_memory(), runtime());
    let (path, held) = runtime.block_on(closed(&folder, 60));
    let whole = fs::read(&path).unwrap();
    let (mut shown, mut flips) = (0, 0);
    for (place, mask) in places {
        let place = place % whole.len();
        let mut flipped = whole.clone();
        flipped[place] ^= mask;
        for (who, seen) in ["reader", "writer"].iter().zip(look(&folder, &flipped, &runtime)) {
            match seen {
                Seen::Records(records) => assert!(records == held, "{who}: byte {place} ^ {mask:#x} changed records"),
                Seen::Damaged | Seen::NotALedger => shown += 1,
            }
        }
        flips += 1;
    }
    (shown, flips)
}

#[test]
fn two_thousand_random_flips_end_in_damaged_or_in_the_same_records() {
    let mut state = 2_027;
    let places = std::iter::from_fn(move || {
        let place = usize::try_from(random(&mut state) >> 1).unwrap();
        let mask = u8::try_from(random(&mut state) % 255).unwrap() + 1;
        Some((place, mask))
    });
    let (shown, flips) = flip_all(places.take(2_000));
    assert!(flips == 2_000 && shown > flips / 4, "{shown} shown by two of {flips}");
}

#[test]
fn every_flip_in_the_files_header_ends_in_damaged_or_in_the_same_records() {
    let places = (0..108).flat_map(|place| [(place, 0x01), (place, 0x80), (place, 0xFF)]);
    assert!(flip_all(places).0 > 0);
}

#[test]
fn a_file_cut_anywhere_is_not_opened() {
    let (folder, runtime) = (Folder::in_memory(), runtime());
    let (path, _) = runtime.block_on(closed(&folder, 60));
    let whole = fs::read(&path).unwrap();
    for length in (0..whole.len())
        .step_by(whole.len() / 40)
        .chain([1, 99, 100, 511, whole.len() - 1])
    {
        for seen in look(&folder, &whole[..length], &runtime) {
            assert!(!matches!(seen, Seen::Records(_)), "cut at {length}: {seen:?}");
        }
    }
}

#[test]
fn what_never_was_a_ledger_is_told_so_and_left_alone() {
    let (folder, runtime) = (Folder::in_memory(), runtime());
    let (path, _) = runtime.block_on(closed(&folder, 10));
    let mut zeroed = fs::read(&path).unwrap();
    zeroed[..100].fill(0);
    let other = folder.file("other.db");
    Connection::open(&other)
        .unwrap()
        .execute_batch("CREATE TABLE a (b); PRAGMA journal_mode = wal")
        .unwrap();
    for bytes in [zeroed, Vec::new(), b"a text".repeat(1_000), fs::read(&other).unwrap()] {
        assert_eq!(look(&folder, &bytes, &runtime), [Seen::NotALedger, Seen::NotALedger]);
        assert!(fs::read(folder.file("copy.db")).unwrap() == bytes, "it was changed");
    }
    let missing = folder.file("missing.db");
    assert!(matches!(
        Local::open(&missing, clock_at(1)),
        Err(OpenError::Missing { .. })
    ));
    assert!(matches!(
        Local::open_read_only(&missing),
        Err(OpenError::Missing { .. })
    ));
    assert!(!missing.exists() && !file::beside(&missing, ".lock").exists());
    let folder_itself = Local::open(folder.path().parent().unwrap(), clock_at(1));
    assert!(matches!(folder_itself, Err(OpenError::NotALedger { .. })));
}

/// Changes a copy by SQL and answers where the writer and the reader say the damage is.
async fn changed(folder: &Folder, sql: &str, row: impl rusqlite::Params) -> [Option<(u32, u64)>; 2] {
    let copy = folder.file("changed.db");
    fs::copy(folder.path(), &copy).unwrap();
    let connection = Connection::open(&copy).unwrap();
    assert!(connection.execute(sql, row).unwrap() > 0);
    connection.close().unwrap();
    let at_open = match Local::open(&copy, clock_at(1)) {
        Err(OpenError::Damaged {
            partition: Some(partition),
            offset: Some(offset),
            ..
        }) => Some((partition, offset)),
        Err(OpenError::Damaged { .. }) | Ok(_) => None,
        Err(other) => panic!("{other:?}"),
    };
    let read = Local::open_read_only(&copy).map(|reader| scan(&reader));
    let by_reading = match read {
        Ok(Err(ReadError::Damaged { partition, offset, .. })) => Some((partition, offset)),
        Ok(Ok(_)) | Err(OpenError::Damaged { .. }) => None,
        other => panic!("{other:?}"),
    };
    [at_open, by_reading]
}

#[tokio::test]
async fn every_flipped_bit_of_a_record_is_named_with_its_place() {
    let folder = Folder::in_memory();
    let (_, held) = closed(&folder, 4).await;
    let mut flips = 0;
    for (partition, entry) in (0_u32..)
        .zip(&held)
        .flat_map(|(p, entries)| entries.iter().map(move |e| (p, e)))
    {
        let sql = format!("UPDATE record_{partition} SET record = ?2 WHERE \"offset\" = ?1");
        // Every bit of the shortest record; of the longer ones as many, and those of the last byte.
        let bytes = (0..14).chain([entry.record.len() - 1]);
        for (byte, bit) in bytes.flat_map(|byte| (0..8).map(move |bit| (byte, bit))) {
            let mut record = entry.record.to_vec();
            record[byte] ^= 1 << bit;
            let place = Some((partition, entry.offset));
            let row = params![i64::try_from(entry.offset).unwrap(), record];
            assert_eq!(
                changed(&folder, &sql, row).await,
                [place, place],
                "byte {byte}, bit {bit}"
            );
            flips += 1;
        }
    }
    assert_eq!(flips, 6 * 15 * 8);
}

#[tokio::test]
async fn a_record_that_is_gone_moved_or_late_is_named() {
    let folder = Folder::new();
    closed(&folder, 40).await;
    let named = |place| [Some(place), Some(place)];
    let cases = [
        ("DELETE FROM record_0 WHERE \"offset\" = 7", (0, 7)),
        ("DELETE FROM record_0 WHERE \"offset\" = 0", (0, 0)),
        ("DELETE FROM record_1 WHERE \"offset\" >= 15", (1, 15)),
        ("DELETE FROM record_1", (1, 0)),
        ("UPDATE record_0 SET \"offset\" = 40 WHERE \"offset\" = 39", (0, 40)),
        ("UPDATE record_0 SET append_ms = 2 WHERE \"offset\" = 5", (0, 5)),
        ("UPDATE record_0 SET append_ms = -1 WHERE \"offset\" = 5", (0, 5)),
        ("UPDATE record_0 SET sum = x'00' WHERE \"offset\" = 5", (0, 5)),
        ("UPDATE head SET next = 39 WHERE partition = 0", (0, 39)),
        ("UPDATE head SET next = next + 1 WHERE partition = 0", (0, 40)),
        ("UPDATE head SET sum = zeroblob(32) WHERE partition = 1", (1, 20)),
        ("DELETE FROM head WHERE partition = 1", (1, 0)),
    ];
    for (sql, place) in cases {
        assert_eq!(changed(&folder, sql, []).await, named(place), "{sql}");
    }
    assert_eq!(
        changed(&folder, "UPDATE start SET times = 9", []).await,
        [None, None],
        "what is no record"
    );
}

#[tokio::test]
async fn records_of_one_partition_do_not_pass_for_those_of_another() {
    let folder = Folder::new();
    let ledger = folder.ledger(2);
    for partition in 0..2 {
        for nth in 0..3_u8 {
            let append = ledger
                .append(partition, Bytes::from(format!("{partition} {nth}")))
                .await;
            assert!(matches!(append, Append::Appended(_)));
        }
    }
    ledger.close().await;
    let swap = "UPDATE record_0 SET record = b.record, sum = b.sum FROM record_1 b \
                WHERE record_0.\"offset\" = b.\"offset\"";
    assert_eq!(changed(&folder, swap, []).await, [Some((0, 3)), Some((0, 3))]);
}

#[tokio::test]
async fn what_somebody_put_into_the_file_is_damage() {
    let folder = Folder::new();
    closed(&folder, 5).await;
    for sql in [
        "CREATE TRIGGER t AFTER INSERT ON record_0 BEGIN DELETE FROM record_0; END",
        "CREATE VIEW v AS SELECT 1",
        "CREATE INDEX i ON record_0 (append_ms)",
        "UPDATE meta SET name = 'other'",
        "UPDATE meta SET partitions = 1",
        "UPDATE meta SET created_ms = 77",
        "DROP TABLE record_1",
        "PRAGMA journal_mode = delete",
    ] {
        let copy = folder.file("changed.db");
        fs::copy(folder.path(), &copy).unwrap();
        Connection::open(&copy).unwrap().execute_batch(sql).unwrap();
        let opened = Local::open(&copy, clock_at(1));
        assert!(matches!(opened, Err(OpenError::Damaged { .. })), "{sql}: {opened:?}");
    }
}

#[tokio::test]
async fn a_newer_format_is_not_damage() {
    let folder = Folder::new();
    closed(&folder, 5).await;
    let sum = sums::of_manifest(2, 2, 0, b"test");
    Connection::open(folder.path())
        .unwrap()
        .execute("UPDATE meta SET format = 2, sum = ?1", [sum])
        .unwrap();
    assert!(matches!(
        Local::open(&folder.path(), clock_at(1)),
        Err(OpenError::Format { format: 2 })
    ));
    assert!(matches!(
        Local::open_read_only(&folder.path()),
        Err(OpenError::Format { format: 2 })
    ));
}

/// Deep in a long partition, out of reach of the check at the start: sound records are answered, the damage stops there.
#[tokio::test]
async fn damage_beyond_the_check_at_the_start_stops_the_reading_there() {
    let folder = Folder::new();
    let ledger = folder.ledger(1);
    for nth in 0..1_200_u32 {
        let (answer, _) = oneshot::channel();
        let record = Bytes::from(nth.to_be_bytes().to_vec());
        ledger
            .inlet
            .offer(Waiting {
                partition: 0,
                record,
                answer,
            })
            .unwrap();
    }
    ledger.close().await;
    let sql = "UPDATE record_0 SET record = x'00' WHERE \"offset\" = 100";
    Connection::open(folder.path()).unwrap().execute(sql, []).unwrap();
    let ledger = folder.open();
    assert_eq!(ledger.read(0, 0, ALL).await.unwrap().len(), 100);
    let damaged = ledger.read(0, 100, ALL).await;
    assert!(
        matches!(
            damaged,
            Err(ReadError::Damaged {
                partition: 0,
                offset: 100,
                ..
            })
        ),
        "{damaged:?}"
    );
    assert_eq!(ledger.read(0, 101, ALL).await.unwrap().len(), 1_099);
}

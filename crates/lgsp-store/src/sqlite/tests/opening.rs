//! Opening, reopening, fencing, closing, replacing; and what is no store of ours.

use std::fs;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};

use futures_util::FutureExt as _;
use lgsp_types::{Mark, UnixMs};
use rusqlite::Connection;

use super::facts::*;
use crate::sqlite::{OpenError, SqliteStore};
use crate::store::{Store, StoreError};

#[tokio::test]
async fn whoever_had_the_store_before_can_project_no_more() {
    let (shelf, mut book) = (Shelf::new(1), Book::new(1));
    book.append(boxed(accepted(1, &["b"])));
    book.append(collected(delivery(1, "b")));
    let zombie = shelf.open().await;
    book.project_some(&zombie, 0, 1).await;
    let heir = shelf.open().await;
    assert_eq!((zombie.epoch(), heir.epoch()), (1, 2));
    let before = heir.table_hashes().await.unwrap();
    let records = book.partitions[0][1..].to_vec();
    let refused = zombie.apply(0, 1, records.clone()).await.unwrap_err();
    assert!(matches!(
        refused,
        StoreError::Fenced {
            partition: 0,
            epoch: 1,
            by: 2
        }
    ));
    assert!(refused.to_string().contains("taken over"), "{refused}");
    assert_eq!(heir.table_hashes().await.unwrap(), before);
    heir.apply(0, 1, records).await.unwrap();
    assert_eq!(zombie.next_offset(0).await.unwrap(), 2, "reading harms nobody");
}

#[tokio::test]
async fn a_batch_that_nobody_waits_for_is_projected_whole() {
    let (shelf, mut book) = (Shelf::new(1), Book::new(1));
    for number in 0..50 {
        book.append(boxed(accepted(number, &["b", "c"])));
    }
    let store = shelf.open().await;
    // Somebody else has the file's lock, so that it cannot be done before it is dropped.
    let other = Connection::open(shelf.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let begun = store.apply(0, 0, book.partitions[0].clone()).now_or_never();
    assert!(begun.is_none(), "it is under way, and dropped");
    other.execute_batch("ROLLBACK").unwrap();
    // The next who writes waits for its turn.
    assert!(
        store
            .set_mark(delivery(49, "c").id(), Mark::Inbox, UnixMs(1))
            .await
            .unwrap()
    );
    assert_eq!(store.next_offset(0).await.unwrap(), 50);
}

#[tokio::test]
async fn a_closed_store_leaves_one_file_and_answers_no_more() {
    let (shelf, mut book) = (Shelf::new(1), Book::new(1));
    book.append(boxed(accepted(1, &["b"])));
    let store = shelf.open().await;
    book.project(&store).await;
    store.close().await;
    store.close().await;
    assert!(matches!(store.next_offset(0).await, Err(StoreError::Closed)));
    assert!(matches!(store.apply(0, 1, Vec::new()).await, Err(StoreError::Closed)));
    let files: Vec<_> = fs::read_dir(shelf.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(files, ["store.sqlite"]);
    assert_eq!(fs::metadata(shelf.path()).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(shelf.open().await.counts().await.unwrap().accepted, 1);
}

#[tokio::test]
async fn a_store_that_was_only_read_closes_to_one_file_too() {
    let shelf = Shelf::new(1);
    let store = shelf.open().await;
    store.counts().await.unwrap();
    store.close().await;
    assert_eq!(fs::read_dir(shelf.folder.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_store_of_another_version_is_left_as_it_is_and_says_what_to_do() {
    let shelf = Shelf::new(1);
    shelf.open().await.close().await;
    let connection = Connection::open(shelf.path()).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let before = fs::read(shelf.path()).unwrap();
    let refused = SqliteStore::open(&shelf.path(), LEDGER, ID_KEY, 1).await.unwrap_err();
    assert!(
        matches!(refused, OpenError::OtherVersion { found: 99, .. }),
        "{refused}"
    );
    assert!(refused.to_string().contains("lgsp rebuild"));
    assert_eq!(fs::read(shelf.path()).unwrap(), before);
}

#[tokio::test]
async fn a_store_of_another_ledger_is_refused() {
    let shelf = Shelf::new(1);
    shelf.open().await.close().await;
    for (ledger, id_key, partitions) in [
        ("data-2027", ID_KEY, 1),
        (LEDGER, "ffffffffffffffff", 1),
        (LEDGER, ID_KEY, 3),
    ] {
        let refused = SqliteStore::open(&shelf.path(), ledger, id_key, partitions)
            .await
            .unwrap_err();
        assert!(matches!(refused, OpenError::OtherLedger { .. }), "{refused}");
        let text = refused.to_string();
        assert!(
            text.contains("lgsp rebuild") && text.contains(LEDGER) && text.contains(id_key),
            "{text}"
        );
    }
    assert_eq!(shelf.open().await.epoch(), 2, "a refused start is none");
}

#[tokio::test]
async fn what_is_no_store_is_refused_and_not_written_to() {
    let shelf = Shelf::new(1);
    let other = |name: &str| shelf.folder.path().join(name);
    fs::write(
        other("text"),
        "not a database, but long enough to have a header".repeat(100),
    )
    .unwrap();
    let foreign = Connection::open(other("foreign")).unwrap();
    foreign.execute_batch("CREATE TABLE a (b)").unwrap();
    drop(foreign);
    fs::create_dir(other("folder")).unwrap();
    for (name, told) in [
        ("text", "lgsp rebuild"),
        ("foreign", "lgsp rebuild"),
        ("folder", "cannot be opened"),
    ] {
        let before = fs::read(other(name)).ok();
        let refused = SqliteStore::open(&other(name), LEDGER, ID_KEY, 1).await.unwrap_err();
        assert!(refused.to_string().contains(told), "{name}: {refused}");
        assert_eq!(fs::read(other(name)).ok(), before, "{name}");
    }
    let nowhere = SqliteStore::open(&other("no/such/folder"), LEDGER, ID_KEY, 1)
        .await
        .unwrap_err();
    assert!(matches!(nowhere, OpenError::Unavailable { .. }));
}

#[tokio::test]
async fn a_store_without_one_of_its_indexes_is_damaged() {
    let shelf = Shelf::new(1);
    shelf.open().await.close().await;
    let connection = Connection::open(shelf.path()).unwrap();
    connection.execute_batch("DROP INDEX delivery_listed").unwrap();
    drop(connection);
    let refused = SqliteStore::open(&shelf.path(), LEDGER, ID_KEY, 1).await.unwrap_err();
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
}

#[tokio::test]
async fn a_file_that_was_never_filled_becomes_a_store() {
    let shelf = Shelf::new(1);
    fs::write(shelf.path(), b"").unwrap();
    assert_eq!(shelf.open().await.epoch(), 1);
}

/// Each page of a store overwritten in turn: an error that says so, or the right answer; never anything else.
#[tokio::test]
async fn a_damaged_page_is_told_or_harms_nothing() {
    let (shelf, mut book) = (Shelf::new(1), Book::new(1));
    for number in 0..20 {
        book.append(boxed(accepted(number, &["b", "c"])));
    }
    let store = shelf.open().await;
    book.project(&store).await;
    let right = store.table_hashes().await.unwrap();
    store.close().await;
    let whole = fs::read(shelf.path()).unwrap();
    let mut told = 0;
    for page in 0..whole.len() as u64 / 4_096 {
        fs::write(shelf.path(), &whole).unwrap();
        let file = fs::File::options().write(true).open(shelf.path()).unwrap();
        file.write_all_at(&[0xa5; 512], page * 4_096).unwrap();
        drop(file);
        let answer = match SqliteStore::open(&shelf.path(), LEDGER, ID_KEY, 1).await {
            Ok(store) => store.table_hashes().await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match answer {
            Ok(hashes) => assert_eq!(hashes, right, "page {page}"),
            Err(text) => {
                assert!(text.contains("lgsp rebuild"), "page {page}: {text}");
                told += 1;
            }
        }
    }
    assert!(told > 5, "{told}");
}

#[tokio::test]
async fn a_rebuilt_store_takes_the_place_of_the_old_one() {
    let (shelf, mut book) = (Shelf::new(1), Book::new(1));
    for number in 0..20 {
        book.append(boxed(accepted(number, &["b"])));
    }
    let old = shelf.open().await;
    book.project(&old).await;
    let hashes = old.table_hashes().await.unwrap();
    old.close().await;
    fs::write(shelf.path().with_extension("sqlite-wal"), b"left by a crash").unwrap();
    let draft = shelf.folder.path().join("store.new");
    let rebuilt = SqliteStore::open(&draft, LEDGER, ID_KEY, 1).await.unwrap();
    book.project(&rebuilt).await;
    assert_eq!(rebuilt.table_hashes().await.unwrap(), hashes);
    let open = SqliteStore::replace(&draft, &shelf.path()).unwrap_err();
    assert!(open.to_string().contains("still open"), "{open}");
    rebuilt.close().await;
    SqliteStore::replace(&draft, &shelf.path()).unwrap();
    assert_eq!(shelf.open().await.table_hashes().await.unwrap(), hashes);
    assert!(!draft.exists());
    SqliteStore::erase(&draft).unwrap();
}

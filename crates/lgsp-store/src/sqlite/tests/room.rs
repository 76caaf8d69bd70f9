//! When there is no room: refused whole, and as if nothing had been when there is room again.

use super::facts::*;
use crate::sqlite::{OpenError, Settings, SqliteStore};
use crate::store::{Store, StoreError};

fn pages(pages: u32) -> Settings {
    Settings { pages_max: Some(pages) }
}

#[tokio::test]
async fn a_full_store_refuses_whole_batches_and_goes_on_when_there_is_room() {
    let (shelf, mut book) = (Shelf::new(1), Book::new(1));
    for number in 0..200 {
        book.append(boxed(accepted(number, &["b", "c", "d"])));
    }
    let store = shelf.open_with(pages(100)).await;
    let records = &book.partitions[0];
    let mut next = 0;
    let refused = loop {
        let batch = records.iter().skip(next).take(10).cloned().collect();
        match store.apply(0, next as u64, batch).await {
            Ok(_) => next += 10,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, StoreError::Full), "{refused}");
    assert!(next > 0 && next < 200, "{next}");
    assert_eq!(store.next_offset(0).await.unwrap(), next as u64);
    let at_refusal = store.table_hashes().await.unwrap();
    let again = store.apply(0, next as u64, records[next..next + 10].to_vec()).await;
    assert!(matches!(again, Err(StoreError::Full)));
    assert_eq!(
        store.table_hashes().await.unwrap(),
        at_refusal,
        "nothing is half written"
    );
    assert_eq!(
        store.counts().await.unwrap().open,
        3 * next as u64,
        "and it still answers"
    );

    let other = Shelf::new(1);
    let untouched = other.open().await;
    untouched.apply(0, 0, records[..next].to_vec()).await.unwrap();
    assert_eq!(untouched.table_hashes().await.unwrap(), at_refusal);

    store
        .writer
        .with(|connection| Ok(connection.pragma_update_and_check(None, "max_page_count", 100_000, |_| Ok(()))?))
        .await
        .unwrap();
    book.project(&store).await;
    untouched.apply(0, next as u64, records[next..].to_vec()).await.unwrap();
    assert_eq!(
        store.table_hashes().await.unwrap(),
        untouched.table_hashes().await.unwrap()
    );
}

#[tokio::test]
async fn a_store_that_does_not_fit_is_not_made() {
    let shelf = Shelf::new(1);
    let refused = SqliteStore::open_with(&shelf.path(), LEDGER, ID_KEY, 1, pages(5))
        .await
        .unwrap_err();
    assert!(matches!(refused, OpenError::Full { .. }), "{refused}");
    assert_eq!(shelf.open().await.epoch(), 1, "with room it is made");
}

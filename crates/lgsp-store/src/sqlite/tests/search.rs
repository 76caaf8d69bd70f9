//! Finding messages by what people have in hand.

use lgsp_types::{DeliveryId, Relation};

use super::facts::*;
use crate::rows::Search;
use crate::sqlite::SqliteStore;
use crate::store::Store;

/// Number and relations of what is found.
async fn found(store: &SqliteStore, search: Search, limit: u32) -> Vec<(u8, Vec<Relation>)> {
    let found = store.find_messages(&search, limit).await.unwrap();
    found
        .into_iter()
        .map(|found| (found.message.msg_id.as_bytes()[0], found.relations))
        .collect()
}

/// 1 is a document, 2 reports on it by its id, 3 by its number alone, 4 replaces it and is another document, 5 has
/// another document of the same number, 6 refers to that one.
async fn library(shelf: &Shelf) -> SqliteStore {
    let mut book = Book::new(1);
    for (number, documents) in [
        (1, vec![is("H62.11,2026/01/05,12/QĐ-UBND", "12/QĐ-UBND")]),
        (2, vec![reference(Relation::About, "h62.11,2026/01/05,12/qđ-ubnd ", "")]),
        (3, vec![reference(Relation::About, "", "12/qđ-ubnd")]),
        (
            4,
            vec![
                is("other", "13/QĐ-UBND"),
                reference(Relation::Replaces, "H62.11,2026/01/05,12/QĐ-UBND", "12/QĐ-UBND"),
                reference(Relation::ActsOn, "H62.11,2026/01/05,12/QĐ-UBND", "12/QĐ-UBND"),
            ],
        ),
        (5, vec![is("H62.14,2026/01/09,12/QĐ-UBND", "12/QĐ-UBND")]),
        (
            6,
            vec![reference(Relation::About, "H62.14,2026/01/09,12/QĐ-UBND", "12/QĐ-UBND")],
        ),
        (7, vec![is("", "")]),
    ] {
        let mut message = accepted(number, &["b"]);
        message.clear.documents = documents;
        book.append(boxed(message));
    }
    let store = shelf.open().await;
    book.project(&store).await;
    store
}

#[tokio::test]
async fn a_document_is_found_by_its_number_in_any_spelling_with_what_is_about_it() {
    let shelf = Shelf::new(1);
    let store = library(&shelf).await;
    let all = [
        (6, vec![Relation::About]),
        (5, vec![Relation::Is]),
        (4, vec![Relation::ActsOn, Relation::Replaces]),
        (3, vec![Relation::About]),
        (1, vec![Relation::Is]),
    ];
    for spelling in ["12/QĐ-UBND", " 12/qđ-ubnd", "12/QĐ-ubnd\u{20}"] {
        let code = String::from(spelling);
        assert_eq!(found(&store, Search::DocumentCode(code), 10).await, all, "{spelling}");
    }
    assert_eq!(
        found(&store, Search::DocumentCode(String::from("12/QĐ-UBND")), 2).await,
        all[..2]
    );
    for none in ["", "12", "12/QD-UBND", "%", "12/QĐ-UBND' OR ''='"] {
        assert!(
            found(&store, Search::DocumentCode(String::from(none)), 10)
                .await
                .is_empty(),
            "{none}"
        );
    }
}

#[tokio::test]
async fn a_document_is_found_by_its_id() {
    let shelf = Shelf::new(1);
    let store = library(&shelf).await;
    let by_id = found(
        &store,
        Search::DocumentId(String::from("h62.11,2026/01/05,12/QĐ-UBND")),
        10,
    )
    .await;
    assert_eq!(
        by_id,
        [
            (4, vec![Relation::ActsOn, Relation::Replaces]),
            (2, vec![Relation::About]),
            (1, vec![Relation::Is]),
        ]
    );
    assert!(found(&store, Search::DocumentId(String::new()), 10).await.is_empty());
}

#[tokio::test]
async fn a_message_is_found_with_what_refers_to_its_document_and_to_no_other_of_the_same_number() {
    let shelf = Shelf::new(1);
    let store = library(&shelf).await;
    let around = [
        (4, vec![Relation::ActsOn, Relation::Replaces]),
        (3, vec![Relation::About]),
        (2, vec![Relation::About]),
        (1, vec![]),
    ];
    assert_eq!(found(&store, Search::Message(msg(1)), 10).await, around);
    assert_eq!(found(&store, Search::Delivery(delivery(1, "b").id()), 10).await, around);
    let short = found(&store, Search::Message(msg(1)), 2).await;
    assert_eq!(
        short,
        [(4, vec![Relation::ActsOn, Relation::Replaces]), (1, vec![])],
        "the asked one is never left out"
    );
    assert_eq!(found(&store, Search::Message(msg(7)), 10).await, [(7, vec![])]);
    assert!(found(&store, Search::Message(msg(99)), 10).await.is_empty());
    let nobody = DeliveryId::of(msg(1), &agency("nobody"));
    assert!(found(&store, Search::Delivery(nobody), 10).await.is_empty());
}

#[tokio::test]
async fn a_document_that_lost_in_a_conflict_is_found_by_its_number() {
    let (shelf, mut book) = (Shelf::new(1), Book::new(1));
    let store = shelf.open().await;
    book.append(boxed(accepted(1, &["b"])));
    let mut other = accepted(1, &["b"]);
    other.request_tag = tag(77);
    other.clear.documents = vec![is("lost", "99/TB")];
    book.append(boxed(other));
    book.project(&store).await;
    let lost = Search::DocumentCode(String::from("99/TB"));
    assert_eq!(found(&store, lost, 10).await, [(1, vec![Relation::Is])]);
    let message = store.message(msg(1)).await.unwrap().unwrap();
    assert_eq!(
        message.documents,
        [is("id-1", "1/STTTT-CNTT")],
        "but it is not the message's own"
    );
}

//! Documents and what is said of them, from facts to where they stand; and that they are found.

use std::collections::BTreeSet;

use lgsp_types::{AgencyCode, DocumentDate, DocumentRef, Kind, Party, Relation, UnixMs, What, words};

use super::facts::*;
use crate::life::{DutyKind, Flag, Stand};
use crate::rows::{Filter, Reading};
use crate::sqlite::{SqliteStore, lives};
use crate::store::Store;

const LETTER: &str = "H62.11,2026/01/05,12/QĐ-UBND";
const SECOND: &str = "H62.11,2026/01/06,13/QĐ-UBND";

/// A message from an agency about a document, with what its payload says.
struct Said {
    number: u8,
    from: &'static str,
    to: &'static [&'static str],
    act: &'static str,
    documents: Vec<DocumentRef>,
    reading: Reading,
}

impl Said {
    fn new(number: u8, from: &'static str, to: &'static [&'static str], act: &'static str) -> Self {
        Self {
            number,
            from,
            to,
            act,
            documents: Vec::new(),
            reading: Reading::default(),
        }
    }

    fn that(mut self, relation: Relation, id: &str) -> Self {
        let code = id.rsplit(',').next().unwrap();
        let date = id.split(',').nth(1).unwrap_or_default();
        self.documents.push(DocumentRef {
            date: date.to_owned(),
            ..reference(relation, id, code)
        });
        self
    }

    fn reading(mut self, change: impl Fn(&mut Reading)) -> Self {
        change(&mut self.reading);
        self
    }

    fn what(&self) -> What {
        let mut message = accepted(self.number, self.to);
        message.envelope.sender = party(self.from, "H62.11");
        message.envelope.addressees = self.to.iter().map(|name| of(name)).collect();
        message.clear.to_written = message
            .envelope
            .addressees
            .iter()
            .map(|party| party.code.clone())
            .collect();
        message.clear.act = self.act.to_owned();
        message.clear.documents = self.documents.clone();
        boxed(message)
    }
}

/// `b` has the code `H62.2`.
fn of(name: &str) -> Party {
    let code = format!("H62.{}", name.as_bytes()[0] - b'`');
    party(name, &code)
}

fn letter(number: u8, id: &str, texts: &[&str]) -> Said {
    let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
    let letter = Said::new(number, "so-a", &["b", "c"], "0").that(Relation::Is, id);
    letter.reading(|reading| reading.texts.clone_from(&texts))
}

fn status(number: u8, from: &'static str, act: &'static str, id: &str) -> Said {
    Said::new(number, from, &["so-a"], act).that(Relation::About, id)
}

fn write(book: &mut Book, partition: u32, said: &Said) {
    write_later(book, partition, 1_000, said);
}

fn write_later(book: &mut Book, partition: u32, later_ms: i64, said: &Said) {
    book.append_to(partition, later_ms, said.what());
    let record = book.partitions[partition as usize].last_mut().unwrap();
    record.reading = said.reading.clone();
}

async fn told(shelf: &Shelf, all: &[Said]) -> SqliteStore {
    let mut book = Book::new(1);
    all.iter().for_each(|said| write(&mut book, 0, said));
    let store = shelf.open().await;
    book.project(&store).await;
    store
}

/// State at each addressee, as the life says; and flags by message.
async fn of_document(store: &SqliteStore, message: u8, key: &str) -> (Vec<Stand>, Vec<(u8, Flag)>) {
    let documents = store.documents(&[msg(message)], 50).await.unwrap();
    let found = documents.iter().find(|document| document.life.key == key).unwrap();
    let flags = found
        .life
        .flags
        .iter()
        .map(|(message, flag)| (message.as_bytes()[0], *flag));
    (
        found.life.lines.iter().map(|line| line.stand).collect(),
        flags.collect(),
    )
}

async fn numbers(store: &SqliteStore, filter: Filter) -> Vec<u8> {
    let page = store.search(&filter, None, 100).await.unwrap();
    page.found.iter().map(|row| row.msg_id.as_bytes()[0]).collect()
}

#[tokio::test]
async fn what_is_said_of_a_document_is_put_together_by_its_id_or_by_its_number() {
    let shelf = Shelf::new(1);
    let mut by_number = status(4, "c", "03", LETTER);
    // Another spelling of the id, as a receiver with the old codes writes it.
    by_number.documents[0].id = LETTER.replace("H62.11", "000.00.11.H62");
    let mut without_id = status(5, "c", "06", LETTER);
    without_id.documents[0].id = String::new();
    let store = told(
        &shelf,
        &[
            status(1, "b", "01", &LETTER.to_lowercase()),
            letter(2, LETTER, &[]),
            status(3, "b", "02", LETTER),
            by_number,
            without_id,
            status(6, "d", "03", LETTER),
            status(7, "b", "03", "H62.11,2026/01/05,99/QĐ-UBND"),
        ],
    )
    .await;
    let (stands, flags) = of_document(&store, 2, &lgsp_types::fold(LETTER)).await;
    assert_eq!(stands, [Stand::Refused, Stand::Done]);
    assert_eq!(flags, [(6, Flag::StatusOfStranger)]);
    for speaks in [1, 3, 4, 5, 6] {
        assert_eq!(
            of_document(&store, speaks, &lgsp_types::fold(LETTER)).await.0,
            stands,
            "{speaks}"
        );
    }
    let unseen = store.documents(&[msg(7)], 50).await.unwrap();
    assert_eq!(unseen.len(), 1);
    assert_eq!(unseen[0].document.code, "99/QĐ-UBND");
    assert_eq!(unseen[0].life.flags, BTreeSet::from([(msg(7), Flag::DocumentNotSeen)]));
    assert_eq!(numbers(&store, stand(Stand::Refused)).await, [2]);
}

fn stand(stand: Stand) -> Filter {
    Filter {
        stand: Some(stand),
        ..Filter::default()
    }
}

#[tokio::test]
async fn replacements_are_followed_both_ways_and_an_answer_to_a_recall_counts_for_what_it_recalls() {
    let shelf = Shelf::new(1);
    let third = "H62.11,2026/01/07,14/QĐ-UBND";
    let recall = "H62.11,2026/01/08,15/TB";
    let store = told(
        &shelf,
        &[
            letter(1, LETTER, &[]),
            letter(2, SECOND, &[]).that(Relation::Replaces, LETTER),
            letter(3, third, &[])
                .that(Relation::Replaces, SECOND)
                .that(Relation::Replaces, third),
            Said::new(4, "so-a", &["b", "c"], "1")
                .that(Relation::Is, recall)
                .that(Relation::ActsOn, third),
            status(5, "b", "15", recall),
        ],
    )
    .await;
    for asked in 1..=3 {
        let documents = store.documents(&[msg(asked)], 50).await.unwrap();
        let chain: Vec<&str> = documents
            .iter()
            .map(|document| document.document.code.as_str())
            .collect();
        assert_eq!(chain, ["12/QĐ-UBND", "13/QĐ-UBND", "14/QĐ-UBND"], "from {asked}");
        assert_eq!(documents[1].replaces, BTreeSet::from([lgsp_types::fold(LETTER)]));
    }
    assert_eq!(store.documents(&[msg(1)], 2).await.unwrap().len(), 2, "bounded");
    let (stands, flags) = of_document(&store, 3, &lgsp_types::fold(third)).await;
    assert_eq!(stands, [Stand::TakenBack, Stand::AskedBack]);
    assert_eq!(flags, [(3, Flag::ReplacesItself)]);
    assert_eq!(numbers(&store, stand(Stand::Replaced)).await, [2, 1]);
    assert_eq!(of_document(&store, 4, recall).await.1, [], "the recall is the question");
}

#[tokio::test]
async fn a_successor_that_has_it_in_hand_speaks_for_the_addressee_even_if_it_spoke_first() {
    let shelf = Shelf::new(1);
    let mut book = Book::new(1);
    let store = shelf.open().await;
    write(&mut book, 0, &letter(1, LETTER, &[]));
    write(&mut book, 0, &status(2, "z", "03", LETTER));
    book.project(&store).await;
    assert_eq!(of_document(&store, 1, LETTER).await.1, [(2, Flag::StatusOfStranger)]);
    let delivery = delivery(1, "b");
    let receiver = receiver("z");
    book.append(What::Collected { delivery, receiver });
    book.project(&store).await;
    assert_eq!(
        of_document(&store, 1, LETTER).await,
        (vec![Stand::Registered, Stand::Sent], vec![])
    );
    assert_eq!(numbers(&store, stand(Stand::Registered)).await, [1]);
    assert_eq!(Kind::Collected.number(), 5, "the number in the question");
}

#[tokio::test]
async fn a_delivery_that_is_withdrawn_owes_nothing_any_more() {
    let shelf = Shelf::new(1);
    let mut book = Book::new(1);
    let store = shelf.open().await;
    write(&mut book, 0, &letter(1, LETTER, &[]));
    book.project(&store).await;
    book.append(withdrawn(delivery(1, "b")));
    book.project(&store).await;
    assert_eq!(of_document(&store, 1, LETTER).await.0, [Stand::TakenBack, Stand::Sent]);
    assert_eq!(numbers(&store, stand(Stand::TakenBack)).await, [1]);
    book.append(delivered(delivery(1, "b")));
    book.project(&store).await;
    assert_eq!(
        numbers(&store, stand(Stand::TakenBack)).await,
        Vec::<u8>::new(),
        "it was too late"
    );
}

#[tokio::test]
async fn two_contents_or_two_ids_under_one_number_are_flagged() {
    let shelf = Shelf::new(1);
    let other = |number| letter(number, LETTER, &[]);
    let mut by_uuid = letter(3, LETTER, &[]);
    by_uuid.documents[0].id = String::from("0b6e0ad6-5f0c-4ad3-8d53-5b1c3a0f9a10");
    // The objects of the facts differ by number.
    let store = told(&shelf, &[other(1), other(2), by_uuid]).await;
    let twice = |number| (number, Flag::NumberUsedTwice);
    assert_eq!(of_document(&store, 1, LETTER).await.1, [twice(2), twice(3)]);
}

/// A question with what is changed in it.
fn by(change: impl FnOnce(&mut Filter)) -> Filter {
    let mut filter = Filter::default();
    change(&mut filter);
    filter
}

/// 1 and 2 are of `so-a`, 3 of `b`; the first is registered at `b` and done at `c`, the second is urgent.
async fn archive(shelf: &Shelf) -> SqliteStore {
    let all = [
        letter(1, LETTER, &["Về việc đô thị hóa", "Công văn"]),
        letter(2, SECOND, &["Báo cáo ĐÔ THỊ"]).reading(|reading| reading.urgent = true),
        Said::new(3, "b", &["d"], "0").that(Relation::Is, "H62.2,2026/01/06,12/BC-STP"),
        status(4, "b", "03", LETTER),
        status(5, "c", "06", LETTER),
        Said::new(6, "so-a", &["b"], ""), // no document, no words: not filed
    ];
    told(shelf, &all).await
}

#[tokio::test]
async fn documents_are_found_by_number_agency_date_time_and_words() {
    let shelf = Shelf::new(1);
    let store = archive(&shelf).await;
    let at = |second: u64| Some(UnixMs(START_MS + second * 1_000));
    let code = |number: &str, notation: &str| {
        by(|filter| (filter.number, filter.notation) = (Some(words(number)), Some(words(notation))))
    };
    let said = |text: &str| by(|filter| filter.words = words(text));
    let of_agencies = |names: &[&str]| by(|filter| filter.agencies = names.iter().map(|name| agency(name)).collect());
    let sixth = DocumentDate::parse("2026/01/06").unwrap();
    for (what, filter, found) in [
        ("all", Filter::default(), vec![3, 2, 1]),
        ("number", by(|filter| filter.number = Some(words("12"))), vec![3, 1]),
        ("number and notation", code("12", "qd-ubnd"), vec![1]),
        (
            "notation",
            by(|filter| filter.notation = Some(words("QĐ-UBND"))),
            vec![2, 1],
        ),
        ("a sender and addressee", of_agencies(&["b"]), vec![3, 2, 1]),
        ("an addressee", of_agencies(&["d"]), vec![3]),
        ("two agencies", of_agencies(&["c", "d"]), vec![3, 2, 1]),
        ("nobody", of_agencies(&["nobody"]), vec![]),
        ("a date", by(|filter| filter.dated = Some(sixth)), vec![3, 2]),
        ("from", by(|filter| filter.from_ms = at(2)), vec![3, 2]),
        ("before", by(|filter| filter.before_ms = at(3)), vec![2, 1]),
        ("words", said("Do thi"), vec![2, 1]),
        ("words of two fields", said("hóa văn"), vec![1]),
        (
            "words and a number",
            Filter {
                words: words("đô"),
                ..code("13", "qd ubnd")
            },
            vec![2],
        ),
        ("words that are not there", said("đô thành"), vec![]),
        ("half a word", said("th"), vec![]),
    ] {
        assert_eq!(numbers(&store, filter).await, found, "{what}");
    }
}

#[tokio::test]
async fn documents_are_found_by_where_they_stand_and_by_what_is_late() {
    let shelf = Shelf::new(1);
    let store = archive(&shelf).await;
    let done = |name| Filter {
        agencies: vec![agency(name)],
        ..stand(Stand::Done)
    };
    let late = |kinds: &[(DutyKind, u64)]| {
        let late = kinds
            .iter()
            .map(|(kind, second)| (*kind, UnixMs(START_MS + second * 1_000)));
        by(|filter| filter.late = late.collect())
    };
    for (what, filter, found) in [
        ("a state", stand(Stand::Sent), vec![3, 2]),
        ("a state at an addressee", done("c"), vec![1]),
        ("a state, but at another", done("b"), vec![]),
        ("a state anywhere, for the sender", done("so-a"), vec![1]),
        ("late", late(&[(DutyKind::Register, 4)]), vec![3]),
        ("late at once", late(&[(DutyKind::RegisterAtOnce, 3)]), vec![2]),
        ("not late yet", late(&[(DutyKind::RegisterAtOnce, 2)]), vec![]),
        (
            "late in several ways",
            late(&[(DutyKind::Arrive, 3), (DutyKind::Register, 4)]),
            vec![3, 2],
        ),
    ] {
        assert_eq!(numbers(&store, filter).await, found, "{what}");
    }
}

#[tokio::test]
async fn pages_follow_each_other_without_a_gap_or_a_repeat() {
    let (shelf, mut book) = (Shelf::new(1), Book::new(1));
    for number in 1..=25 {
        let id = format!("H62.11,2026/01/05,{number}/QĐ");
        let said = letter(number, &id, &["Công văn"]);
        // Many within one millisecond, and a clock that was set back.
        write_later(&mut book, 0, if number == 20 { -5_000 } else { 0 }, &said);
    }
    let store = shelf.open().await;
    book.project(&store).await;
    let ever = DutyKind::ALL.iter().map(|kind| (*kind, UnixMs(u64::MAX / 2)));
    for filter in [
        Filter::default(),
        stand(Stand::Sent),
        by(|filter| filter.words = words("công văn")),
        by(|filter| filter.agencies = vec![agency("b"), agency("c")]),
        by(|filter| filter.late = ever.collect()),
    ] {
        let (mut all, mut after, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = store.search(&filter, after, 10).await.unwrap();
            all.extend(page.found.iter().map(|row| row.msg_id.as_bytes()[0]));
            pages += 1;
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!((pages, all), (3, (1..=25).rev().collect()), "{filter:?}");
    }
    let page = store.search(&Filter::default(), None, 25).await.unwrap();
    assert_eq!((page.found.len(), page.next), (25, None), "just full is the last");
    assert_eq!(page.found[0].title, "Công văn");
}

#[tokio::test]
async fn in_whatever_batches_and_order_of_partitions_the_same_is_kept_and_no_hash_knows() {
    let mut book = Book::new(3);
    for (partition, said) in [
        (0, status(1, "b", "01", LETTER)),
        (1, letter(2, LETTER, &["Công văn"])),
        (2, status(3, "b", "03", LETTER)),
        (0, status(4, "c", "02", LETTER)),
        (2, letter(5, SECOND, &[]).that(Relation::Replaces, LETTER)),
        (1, status(6, "so-a", "13", SECOND)),
        (0, status(7, "b", "15", SECOND)),
    ] {
        write(&mut book, partition, &said);
    }
    let mut seen = Vec::new();
    for (order, batch) in [([0, 1, 2], 100), ([2, 1, 0], 100), ([1, 2, 0], 1), ([2, 0, 1], 2)] {
        let shelf = Shelf::new(3);
        let store = shelf.open().await;
        for _ in 0..4 {
            for partition in order {
                book.project_some(&store, partition, batch).await;
            }
        }
        let connection = rusqlite::Connection::open(shelf.path()).unwrap();
        let kept = [LETTER, SECOND].map(|key| lives::kept(&connection, key).unwrap());
        let lives = store.documents(&[msg(2)], 50).await.unwrap();
        seen.push((kept, lives, store.table_hashes().await.unwrap()));
    }
    let stands: Vec<&str> = seen[0].0[0].iter().map(|row| row[1].as_str()).collect();
    assert_eq!(stands, ["replaced", "replaced"]);
    assert!(seen.iter().all(|one| *one == seen[0]));
}

#[tokio::test]
async fn who_is_named_by_code_in_an_update_or_a_replacement_is_read_from_the_payload() {
    let shelf = Shelf::new(1);
    let code = |text| AgencyCode::parse(text).unwrap();
    let update = Said::new(2, "so-a", &["b", "d"], "2")
        .that(Relation::Is, SECOND)
        .that(Relation::ActsOn, LETTER);
    let update = update.reading(|reading| {
        reading.dropped = vec![code("H62.3")];
        reading.added = vec![code("H62.4")];
    });
    let new = letter(3, "H62.11,2026/01/09,20/QĐ", &[]).that(Relation::Replaces, LETTER);
    let new = new.reading(|reading| reading.replaced = vec![(LETTER.to_lowercase(), vec![code("H62.4")])]);
    let store = told(&shelf, &[letter(1, LETTER, &[]), update, new]).await;
    let (stands, flags) = of_document(&store, 1, LETTER).await;
    assert_eq!(stands, [Stand::Sent, Stand::AskedBack, Stand::Replaced]);
    assert_eq!(flags, []);
}

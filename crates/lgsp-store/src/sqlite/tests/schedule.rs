//! Random schedules of facts: the store agrees with the model, and with itself however it got there.

use lgsp_types::{Delivery, Finding, ReasonCode, What};
use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::facts::*;
use super::model::Model;
use crate::claim::{RECEIVER_FAILED, is_listed};
use crate::rows::{Conflict, Position};
use crate::sqlite::SqliteStore;
use crate::store::Store;

const MESSAGES: u8 = 4;
const ADDRESSEES: [&str; 3] = ["b", "c", "d"];

#[derive(Clone, Debug)]
enum Step {
    Accept {
        message: u8,
        other: bool,
    },
    Claim {
        which: u8,
        message: u8,
        addressee: usize,
        generation: u32,
        attempt: u32,
    },
    /// Settles the conflict that stands at this offset, if one does.
    Settle {
        message: u8,
        offset: u64,
        other: bool,
    },
    Refuse {
        partition: u32,
    },
    Alien {
        partition: u32,
    },
    Act {
        message: u8,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let generation = prop_oneof![6 => Just(0_u32), 3 => Just(1), 1 => Just(2)];
    prop_oneof![
        4 => (0..MESSAGES, prop::bool::weighted(0.3)).prop_map(|(message, other)| Step::Accept { message, other }),
        12 => (0..7_u8, 0..MESSAGES, 0..ADDRESSEES.len(), generation, 0..4_u32).prop_map(
            |(which, message, addressee, generation, attempt)| {
                Step::Claim { which, message, addressee, generation, attempt }
            }
        ),
        2 => (0..MESSAGES, 0..20_u64, any::<bool>())
            .prop_map(|(message, offset, other)| Step::Settle { message, offset, other }),
        1 => (0..3_u32).prop_map(|partition| Step::Refuse { partition }),
        1 => (0..3_u32).prop_map(|partition| Step::Alien { partition }),
        1 => (0..MESSAGES).prop_map(|message| Step::Act { message }),
    ]
}

/// A message has the first addressee, or the first two, or all three.
fn addressees(message: u8) -> &'static [&'static str] {
    &ADDRESSEES[..1 + usize::from(message) % 3]
}

/// What the steps write into a ledger of so many partitions; all about one message into one of them.
fn book(steps: &[(Step, i64)], partitions: u32) -> Book {
    let mut book = Book::new(partitions as usize);
    for (step, later_ms) in steps {
        let (home, what) = said(step, |message| u32::from(message) % partitions);
        match what {
            Some(what) => book.append_to(home % partitions, *later_ms, what),
            None => book.append_alien(home % partitions),
        };
    }
    book
}

/// Where a step goes and what it says; none: nothing of ours.
fn said(step: &Step, home: impl Fn(u8) -> u32) -> (u32, Option<What>) {
    match *step {
        Step::Accept { message, other } => {
            let mut accepted = accepted(message, addressees(message));
            if other {
                accepted.request_tag = tag(100 + message);
            }
            (home(message), Some(boxed(accepted)))
        }
        Step::Claim {
            which,
            message,
            addressee,
            generation,
            attempt,
        } => {
            let about = Delivery {
                generation,
                attempt,
                ..delivery(message, ADDRESSEES[addressee])
            };
            (home(message), Some(claim(which, about)))
        }
        Step::Settle { message, offset, other } => {
            let request_tag = if other { tag(100 + message) } else { tag(message) };
            let (msg_id, partition) = (msg(message), home(message));
            (
                partition,
                Some(What::Conflict {
                    msg_id,
                    partition,
                    offset,
                    request_tag,
                }),
            )
        }
        Step::Refuse { partition } => {
            let reason = ReasonCode::new("CHARSET");
            let findings = vec![Finding {
                code: reason.clone(),
                path: String::from("/"),
            }];
            (
                partition,
                Some(What::Rejected {
                    reason,
                    request_tag: tag(9),
                    findings,
                }),
            )
        }
        Step::Alien { partition } => (partition, None),
        Step::Act { message } => {
            let act = ReasonCode::new("VIEWED");
            (
                home(message),
                Some(What::Act {
                    act,
                    msg_id: Some(msg(message)),
                    purpose: String::new(),
                }),
            )
        }
    }
}

fn claim(which: u8, about: Delivery) -> What {
    let (generation, attempt) = (about.generation, about.attempt);
    match which {
        0 => collected(about),
        1 => delivered(about),
        2 => dead(about, if attempt % 2 == 0 { RECEIVER_FAILED } else { NO_ROUTE }),
        3 => redriven(about, generation),
        4 => withdrawn(about),
        5 => failed(about, attempt),
        _ => What::AttemptStarted {
            receiver: receiver(about.addressee.as_str()),
            delivery: about,
        },
    }
}

/// Projects all of it, in batches of these sizes, partition after partition or in turns.
async fn project(book: &Book, store: &SqliteStore, sizes: &[usize], in_turns: bool) {
    let mut sizes = sizes.iter().copied().cycle();
    if in_turns {
        let mut left = true;
        while left {
            left = false;
            for (partition, records) in (0_u32..).zip(&book.partitions) {
                book.project_some(store, partition, sizes.next().unwrap()).await;
                left |= store.next_offset(partition).await.unwrap() < records.len() as u64;
            }
        }
        return;
    }
    for (partition, records) in (0_u32..).zip(&book.partitions) {
        while store.next_offset(partition).await.unwrap() < records.len() as u64 {
            book.project_some(store, partition, sizes.next().unwrap()).await;
        }
    }
}

async fn agrees(store: &SqliteStore, model: &Model) {
    assert_eq!(store.counts().await.unwrap(), model.counts());
    for number in 0..MESSAGES {
        let found = store.message(msg(number)).await.unwrap();
        let found = found.map(|message| (message.position, message.request_tag));
        assert_eq!(found, model.messages.get(&msg(number)).copied());
        for name in ADDRESSEES {
            let row = store.delivery(delivery(number, name).id()).await.unwrap();
            let row = row.map(|row| super::model::Standing {
                state: row.state.name(),
                generation: row.generation,
                attempts: row.attempts,
                handed_out: row.handed_out,
                late: row.late,
                reason: row.reason,
                last: row.last,
            });
            assert_eq!(
                row.as_ref(),
                model.deliveries.get(&(msg(number), agency(name))),
                "{number} {name}"
            );
        }
        if let Some(timeline) = store.timeline(msg(number)).await.unwrap() {
            for event in timeline.events {
                assert_eq!(model.effects.get(&event.position), Some(&event.effect), "{event:?}");
            }
        }
    }
    let pending: Vec<Conflict> = model
        .conflicts
        .iter()
        .filter(|(_, (_, _, settled))| !settled)
        .map(pending)
        .collect();
    assert_eq!(store.pending_conflicts().await.unwrap(), pending);
    let listed = store
        .open_deliveries(&ADDRESSEES.map(agency), &asked(None, None, 100), &[])
        .await
        .unwrap();
    let expected = model.deliveries.values().filter(|standing| {
        let state = lgsp_types::DeliveryState::from_name(standing.state).unwrap();
        is_listed(state, standing.reason.as_ref())
    });
    assert_eq!(listed.len(), expected.count());
}

fn pending((position, (msg_id, request_tag, _)): (&Position, &(lgsp_types::MsgId, lgsp_types::Tag, bool))) -> Conflict {
    Conflict {
        msg_id: *msg_id,
        position: *position,
        request_tag: *request_tag,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn the_store_agrees_with_the_model_and_with_every_other_way_to_the_same_ledger(
        steps in prop::collection::vec((step(), -200_i64..2_000), 0..90),
        three in any::<bool>(),
        sizes in prop::collection::vec(2_usize..40, 1..5),
        reopen_after in 0_usize..40,
    ) {
        let partitions = if three { 3 } else { 1 };
        let book = book(&steps, partitions);
        let mut model = Model::default();
        for (partition, records) in (0..).zip(&book.partitions) {
            records.iter().for_each(|record| model.take(partition, record));
        }
        Runtime::new().unwrap().block_on(async {
            let (first, second) = (Shelf::new(partitions), Shelf::new(partitions));
            let at_once = first.open().await;
            project(&book, &at_once, &[usize::MAX], false).await;
            agrees(&at_once, &model).await;

            let interrupted = second.open().await;
            book.project_some(&interrupted, partitions - 1, reopen_after).await;
            interrupted.close().await;
            let in_pieces = second.open().await;
            project(&book, &in_pieces, &sizes, true).await;
            assert_eq!(in_pieces.table_hashes().await.unwrap(), at_once.table_hashes().await.unwrap());
            agrees(&in_pieces, &model).await;
        });
    }
}

#[tokio::test]
async fn a_hash_tells_any_change_of_a_fact() {
    let hashes = async |change: fn(&mut Book)| {
        let mut book = Book::new(1);
        book.append(boxed(accepted(1, &["b"])));
        book.append(collected(delivery(1, "b")));
        change(&mut book);
        let shelf = Shelf::new(1);
        let store = shelf.open().await;
        book.project(&store).await;
        store.table_hashes().await.unwrap()
    };
    let right = hashes(|_| {}).await;
    assert_eq!(hashes(|_| {}).await, right);
    type Change = (&'static str, fn(&mut Book));
    let changes: [Change; 4] = [
        ("event", |book| book.partitions[0][1].append_ms.0 += 1),
        ("message", |book| {
            book.partitions[0][0].leaf_hash = lgsp_types::Digest::of(b"other")
        }),
        ("alien", |book| _ = book.append_alien(0)),
        ("delivery", |book| {
            book.partitions[0][1].fact = Some(fact(delivered(delivery(1, "b"))))
        }),
    ];
    for (table, change) in changes {
        let changed = hashes(change).await;
        let differs = |at: usize| changed[at].1 != right[at].1;
        let at = right.iter().position(|(name, _)| name == table).unwrap();
        assert!(differs(at), "{table}");
        let objects = right.iter().position(|(name, _)| name == "object").unwrap();
        assert!(!differs(objects), "{table}");
    }
}

/// The same facts in one partition and in three: another ledger, other positions, but the same state of everything.
#[tokio::test]
async fn how_facts_are_spread_changes_no_state() {
    let mut steps = Vec::new();
    for message in 0..MESSAGES {
        steps.push((Step::Accept { message, other: false }, 10));
        for which in [0, 5, 2, 3, 1] {
            let generation = u32::from(which == 3 || which == 1);
            steps.push((
                Step::Claim {
                    which,
                    message,
                    addressee: 0,
                    generation,
                    attempt: 1,
                },
                10,
            ));
        }
    }
    let mut seen = Vec::new();
    for partitions in [1, 3] {
        let shelf = Shelf::new(partitions);
        let store = shelf.open().await;
        project(&book(&steps, partitions), &store, &[7], true).await;
        let mut states = Vec::new();
        for message in 0..MESSAGES {
            for name in addressees(message) {
                let row = store.delivery(delivery(message, name).id()).await.unwrap().unwrap();
                states.push((row.standing(), row.reason, row.last_event));
            }
        }
        seen.push((
            states,
            store.counts().await.unwrap(),
            store.object_digests(None, 100).await.unwrap(),
        ));
    }
    assert_eq!(seen[0], seen[1]);
}

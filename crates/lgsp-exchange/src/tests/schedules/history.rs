//! What has to be true in the end of all that was answered, handed out and written down.

use std::collections::{BTreeMap, BTreeSet};

use lgsp_audit::{Control, ControlVerifier, Expected, LedgerEntry, PartitionVerifier, Receipt as Note, VerifierKey};
use lgsp_ledger::Reader;
use lgsp_store::SqliteStore;
use lgsp_types::{DeliveryId, DeliveryState, Digest, Exchange as _, MsgId};

use super::far::{Event, Seen};
use super::model::{Id, Place, Request, Way};
use super::stand::{Stand, TRIES};
use super::town::{Answer, PUSHED_TO, Town};
use crate::tests::stage::{caller, log_key, node_key};

/// One call of a sender, and its answer.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) step: usize,
    pub(super) id: Id,
    pub(super) request: Request,
    pub(super) answer: Answer,
}

impl Call {
    fn receipt(&self) -> Option<&lgsp_types::Receipt> {
        match &self.answer {
            Answer::Accepted(receipt) => Some(receipt),
            Answer::Conflict | Answer::Refused | Answer::Not | Answer::Unknown | Answer::Cut => None,
        }
    }
}

impl Town {
    /// Everything that exchange.md promises of a schedule whose end has come.
    pub(super) fn holds(self) {
        self.accepted_is_in_the_ledger_once_in_effect();
        self.a_repeat_gets_the_first_receipt();
        self.what_was_not_accepted_is_not_there();
        self.pushes_keep_their_order();
        self.each_inbox_has_each_message_once();
        self.the_store_says_the_same();
        self.everything_has_ended();
        let notes = self
            .calls
            .iter()
            .filter_map(Call::receipt)
            .map(|receipt| receipt.note.clone());
        let notes: BTreeSet<String> = notes.collect();
        let tables = self.life.wait(self.life.spine.store.table_hashes()).unwrap();
        let Self { stand, life, .. } = self;
        life.stop();
        rebuilds(&stand, &tables);
        verifies(&stand, &notes);
    }

    /// How often what came about: schedules in which nothing of it does would show nothing.
    pub(super) fn came_about(&self) -> BTreeMap<&'static str, usize> {
        let (calls, ways) = (&self.calls, &self.model.ways);
        let called = |is: fn(&Answer) -> bool| calls.iter().filter(|call| is(&call.answer)).count();
        let stood = |did: fn(&Way) -> bool| ways.values().filter(|way| did(way)).count();
        let copies = self.model.messages.values().map(|message| message.copies.len() - 1);
        let diary = self.stand.diary();
        let came = diary.events.iter().filter_map(|event| match event {
            Event::Came(seen) => Some(seen.delivery),
            Event::Over(_) => None,
        });
        let once: BTreeSet<DeliveryId> = came.clone().collect();
        BTreeMap::from([
            (
                "a repeat is answered",
                called(|answer| matches!(answer, Answer::Accepted(receipt) if receipt.repeat)),
            ),
            (
                "a conflict is told",
                called(|answer| matches!(answer, Answer::Conflict)),
            ),
            ("a call is refused", called(|answer| matches!(answer, Answer::Refused))),
            (
                "an append is in doubt",
                called(|answer| matches!(answer, Answer::Unknown)),
            ),
            ("a caller leaves", called(|answer| matches!(answer, Answer::Cut))),
            ("a message is in the log twice", copies.sum()),
            ("a loser is found behind the door", self.model.losers.len()),
            (
                "a dead letter stays one",
                stood(|way| way.now().state == DeliveryState::DeadLettered),
            ),
            ("a delivery has another round", stood(|way| way.now().generation > 0)),
            (
                "a delivery is taken back",
                stood(|way| way.now().state == DeliveryState::Withdrawn),
            ),
            ("a delivery is late", stood(|way| way.now().late)),
            ("a letter goes to a successor", stood(|way| way.now().started > 0)),
            ("a push comes again", came.count() - once.len()),
            ("the node starts again", self.lives as usize - 2),
        ])
    }

    fn accepted_is_in_the_ledger_once_in_effect(&self) {
        for call in &self.calls {
            let Some(receipt) = call.receipt() else { continue };
            let at: Place = (receipt.position.partition, receipt.position.offset);
            let (msg_id, first) = self.model.find(&call.id).expect("what was accepted is in the ledger");
            assert_eq!(receipt.msg_id, msg_id);
            if first.request == call.request {
                assert_eq!(first.copies.get(&at), Some(&receipt.leaf_hash), "{call:?}");
                continue;
            }
            // Two that raced: the later in the log has its end as a Conflict, and is nothing else.
            let (loser, request, settled) = self.model.losers.get(&at).expect("it is there");
            assert_eq!((loser, request, settled), (&msg_id, &call.request, &true));
            let mut told = self
                .calls
                .iter()
                .filter(|other| other.step < call.step && other.id == call.id);
            let known = told.any(|other| other.request == first.request && other.receipt().is_some());
            assert!(!known, "the first was answered before this one was sent: {call:?}");
        }
    }

    /// Bit for bit. Two calls at the same moment may have had two receipts: then one of those, or that of the first in the
    /// log.
    fn a_repeat_gets_the_first_receipt(&self) {
        let mut texts: BTreeMap<Place, &str> = BTreeMap::new();
        for call in &self.calls {
            let Some(receipt) = call.receipt() else { continue };
            let at = (receipt.position.partition, receipt.position.offset);
            let text = *texts.entry(at).or_insert(&receipt.note);
            assert_eq!(text, receipt.note, "one receipt for one record");
            let note = Note::open(&receipt.note, &[node_key().verifier()]).unwrap();
            assert_eq!((note.msg_id, note.position), (receipt.msg_id, receipt.position.clone()));
        }
        for call in &self.calls {
            let first = self.model.find(&call.id).map(|(_, first)| first);
            let Some(first) = first.filter(|first| first.request == call.request) else {
                continue;
            };
            let same = |other: &&Call| (&other.id, &other.request) == (&call.id, &call.request);
            let earlier = self.calls.iter().filter(|other| other.step < call.step).filter(same);
            let mut answered: BTreeSet<Place> = earlier
                .filter_map(Call::receipt)
                .map(|receipt| (receipt.position.partition, receipt.position.offset))
                .collect();
            if answered.is_empty() {
                continue;
            }
            answered.insert(first.place());
            match &call.answer {
                Answer::Accepted(again) => {
                    let at = (again.position.partition, again.position.offset);
                    assert!(
                        again.repeat && answered.contains(&at),
                        "{again:?} is none of {answered:?}"
                    );
                }
                Answer::Cut => {}
                other @ (Answer::Conflict | Answer::Refused | Answer::Not | Answer::Unknown) => {
                    panic!("a repeat of {:?} was answered {other:?}", call.id)
                }
            }
        }
    }

    /// A definite no is final, and says nothing in the ledger.
    fn what_was_not_accepted_is_not_there(&self) {
        let mut there: BTreeMap<(&Id, &Request), usize> = BTreeMap::new();
        for message in self.model.messages.values() {
            *there.entry((&message.id, &message.request)).or_default() += message.copies.len();
        }
        for (msg_id, request, _) in self.model.losers.values() {
            *there.entry((&self.model.messages[msg_id].id, request)).or_default() += 1;
        }
        let mut written: BTreeMap<(&Id, &Request), (BTreeSet<Place>, usize)> = BTreeMap::new();
        for call in &self.calls {
            let (certain, perhaps) = written.entry((&call.id, &call.request)).or_default();
            match &call.answer {
                Answer::Accepted(receipt) => {
                    let new = certain.insert((receipt.position.partition, receipt.position.offset));
                    assert!(new || receipt.repeat, "two calls wrote one record");
                }
                Answer::Unknown | Answer::Cut => *perhaps += 1,
                Answer::Conflict | Answer::Refused | Answer::Not => {}
            }
            if matches!(call.answer, Answer::Conflict) {
                let (_, first) = self.model.find(&call.id).expect("it conflicts with something");
                assert_ne!(first.request, call.request, "what is in force was called a conflict");
            }
        }
        for (what, count) in there {
            let (certain, perhaps) = written.get(&what).expect("nobody sent it");
            let at_most = certain.len() + perhaps;
            assert!(
                count <= at_most,
                "{what:?} is there {count} times, {at_most} calls can have written it"
            );
        }
    }

    /// Of one sending system, order key and addressee one at a time goes out, in the order of the ledger.
    fn pushes_keep_their_order(&self) {
        let diary = self.stand.diary();
        let mut under_way: BTreeSet<DeliveryId> = BTreeSet::new();
        for event in &diary.events {
            let seen = match event {
                Event::Over(delivery) => {
                    under_way.remove(delivery);
                    continue;
                }
                Event::Came(seen) => seen,
            };
            let way = self
                .model
                .ways
                .get(&seen.delivery)
                .expect("what was pushed was accepted");
            let busy = under_way
                .iter()
                .any(|other| self.model.ways[other].line() == way.line());
            assert!(!busy, "two of one line at a time: {seen:?}");
            under_way.insert(seen.delivery);
            self.push_is_allowed(seen, way);
        }
    }

    fn push_is_allowed(&self, seen: &Seen, way: &Way) {
        let message = &self.model.messages[&way.msg_id];
        assert_eq!((seen.msg_id, &seen.payload), (way.msg_id, &message.request.payload));
        let end = seen.ends[way.rank.1.0 as usize];
        let then = way.seen_by(end).expect("it was accepted before it was pushed");
        assert!(then.waits(), "it had ended: {seen:?} {then:?}");
        assert_eq!(seen.attempt, then.failed + 1, "tries are counted");
        assert!(seen.attempt <= TRIES + self.lives, "so often: {seen:?}");
        if way.addressee.as_str() == "test.old" {
            assert!(
                then.started >= seen.attempt,
                "its successor was not written down before: {seen:?}"
            );
        }
        for before in self.model.before(way) {
            assert!(before.had_ended_by(end), "{seen:?} overtook {before:?}");
        }
    }

    /// An inbox keyed on the delivery has the effect of each message once.
    fn each_inbox_has_each_message_once(&self) {
        let diary = self.stand.diary();
        let mut effects: BTreeSet<(MsgId, &str)> = BTreeSet::new();
        let pushed = diary.inbox.iter().map(|(delivery, took)| {
            assert_eq!(took.len(), 1, "one delivery, several contents");
            let (msg_id, payload) = took.first().unwrap();
            (delivery, *msg_id, payload)
        });
        let pulled = self
            .inboxes
            .iter()
            .map(|(delivery, fetched)| (delivery, fetched.msg_id, &fetched.payload));
        for (delivery, msg_id, payload) in pushed.chain(pulled) {
            let way = self.model.ways.get(delivery).expect("what came was accepted");
            assert_eq!(way.msg_id, msg_id);
            assert_eq!(
                &self.model.messages[&msg_id].request.payload, payload,
                "another's content"
            );
            assert!(
                effects.insert((msg_id, way.addressee.as_str())),
                "two deliveries of one message to one addressee"
            );
        }
        for (delivery, way) in &self.model.ways {
            let has = diary.inbox.contains_key(delivery) || self.inboxes.contains_key(delivery);
            let said = way.now().state == DeliveryState::Delivered;
            // By pull a receiver may say that it has what it never fetched.
            let by_push = PUSHED_TO.contains(&way.addressee.as_str());
            assert!(has || !said || !by_push, "{way:?} is delivered, and nobody has it");
        }
    }

    fn the_store_says_the_same(&self) {
        let (spine, model) = (&self.life.spine, &self.model);
        for (id, way) in &model.ways {
            let row = self
                .life
                .wait(spine.store.delivery(*id))
                .unwrap()
                .expect("it is projected");
            let now = way.now();
            assert_eq!(
                (row.state, row.generation, row.attempts, row.late, row.reason.as_ref()),
                (now.state, now.generation, now.failed, now.late, now.reason.as_ref()),
                "{way:?}"
            );
        }
        let counts = self.life.wait(spine.store.counts()).unwrap();
        let copies: usize = model.messages.values().map(|message| message.copies.len() - 1).sum();
        assert_eq!(
            (counts.accepted, counts.repeats, counts.conflicts, counts.refusals),
            (
                model.messages.len() as u64,
                copies as u64,
                model.losers.len() as u64,
                model.refusals
            )
        );
        let states = [
            (DeliveryState::Open, counts.open),
            (DeliveryState::Collected, counts.collected),
            (DeliveryState::Delivered, counts.delivered),
            (DeliveryState::DeadLettered, counts.dead_lettered),
            (DeliveryState::Withdrawn, counts.withdrawn),
        ];
        for (state, count) in states {
            assert_eq!(count, model.in_state(state), "{state:?}");
        }
        for (msg_id, message) in &model.messages {
            let sender = caller(&message.id.system);
            let sent = self
                .life
                .wait(spine.sent(&sender, *msg_id))
                .unwrap()
                .expect("its sender sees it");
            let at = (sent.receipt.position.partition, sent.receipt.position.offset);
            assert_eq!(at, message.place(), "the receipt is that of the first in the log");
        }
    }

    /// Accepted times addressees are ends; nothing is on its way, no loser without its end.
    fn everything_has_ended(&self) {
        let waits = self.model.ways.values().find(|way| way.now().waits());
        assert!(waits.is_none(), "{waits:?}");
        let unsettled = self.model.losers.values().find(|(_, _, settled)| !settled);
        assert!(unsettled.is_none(), "{unsettled:?}");
    }
}

/// The store made again from the ledger alone is the one in use.
fn rebuilds(stand: &Stand, tables: &[(String, Digest)]) {
    let [data, control] = stand.readers();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let rebuilt = runtime.block_on(async {
        let ids = lgsp_types::IdKey::new(&[1; 32]);
        let draft = stand.folder().join("rebuilt.sqlite");
        let (name, partitions) = (data.manifest().name.clone(), data.partitions());
        let store = SqliteStore::open(&draft, &name, ids.id(), partitions).await.unwrap();
        let store = std::sync::Arc::new(store);
        let rebuilt = crate::rebuild((data, control), store, &[], |_| {}).await.unwrap();
        rebuilt.tables
    });
    assert_eq!(rebuilt, tables);
}

/// As `lgsp verify` does, with every receipt that anybody was given and every checkpoint.
fn verifies(stand: &Stand, notes: &BTreeSet<String>) {
    let [data, control] = stand.readers();
    let log = log_key();
    let checkpoint = |reader: &Reader, partition| {
        let name = format!("audit/{}-{partition}.checkpoint", reader.manifest().name);
        std::fs::read_to_string(stand.folder().join(name)).unwrap()
    };
    let mut expected = Expected::of(&control.manifest().name, 0);
    expected.checkpoint(&checkpoint(&control, 0), log.verifier()).unwrap();
    let mut verifier = ControlVerifier::new(expected);
    for entry in control.entries(0, 0).unwrap() {
        let entry = entry.unwrap();
        verifier.check(&ledger_entry(&entry)).unwrap();
    }
    let (rules, verified) = verifier.finish();
    assert_eq!(verified.missing, []);
    for partition in 0..data.partitions() {
        let expected = Expected::of(&data.manifest().name, partition);
        partition_verifies(
            &data,
            &rules,
            (expected, partition),
            (&checkpoint(&data, partition), log.verifier()),
            notes,
        );
    }
}

fn partition_verifies(
    data: &Reader,
    rules: &Control,
    (mut expected, partition): (Expected, u32),
    (checkpoint, log): (&str, &VerifierKey),
    notes: &BTreeSet<String>,
) {
    let sealed = expected.checkpoint(checkpoint, log).unwrap();
    assert_eq!(
        sealed.size,
        data.end(partition).unwrap(),
        "all of it is sealed at a stop"
    );
    for note in notes {
        let of = Note::open(note, &[node_key().verifier()]).unwrap().position.partition;
        if of == partition {
            expected.receipt(note, rules).unwrap();
        }
    }
    let mut verifier = PartitionVerifier::new(rules, expected);
    for entry in data.entries(partition, 0).unwrap() {
        let entry = entry.unwrap();
        verifier.check(&ledger_entry(&entry)).unwrap();
    }
    assert_eq!(verifier.finish().missing, []);
}

fn ledger_entry(entry: &lgsp_ledger::Entry) -> LedgerEntry<'_> {
    LedgerEntry {
        offset: entry.offset,
        append_ms: entry.append_ms,
        record: &entry.record,
        sealed_hash: None,
    }
}

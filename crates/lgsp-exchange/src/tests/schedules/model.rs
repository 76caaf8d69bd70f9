//! What a ledger means, in the plainest words there are: which message is in force, and where each of its deliveries
//! stands. Written from exchange.md sections 2, 5 and 6, not from our code.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a model says what happens, and nothing else happens"
)]

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use lgsp_audit::Record;
use lgsp_ledger::Entry;
use lgsp_types::{Accepted, AgencyId, Delivery, DeliveryId, DeliveryState, Digest, Fact, MsgId, ReasonCode, Tag, What};

use DeliveryState::{Collected, DeadLettered, Delivered, Open, Withdrawn};

/// Partition and offset.
pub(super) type Place = (u32, u64);

/// What names a message: the sending system, the order key (not given: the idempotency key), the idempotency key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id {
    pub(super) system: String,
    pub(super) order: String,
    pub(super) key: String,
}

/// What else a call says: the same of the same id is a repeat, another a conflict.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Request {
    /// Without repeats.
    pub(super) to: BTreeSet<String>,
    pub(super) payload: Bytes,
}

/// A message in force: the first Accepted fact of its id.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) id: Id,
    pub(super) request: Request,
    /// Every Accepted fact that says the same, with its leaf hash; the first is in force.
    pub(super) copies: BTreeMap<Place, Digest>,
}

impl Message {
    pub(super) fn place(&self) -> Place {
        *self.copies.first_key_value().unwrap().0
    }
}

/// Where a delivery stands after a fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) state: DeliveryState,
    /// Counts its rounds: one more with each Redriven.
    pub(super) generation: u32,
    /// Failed tries of this round.
    pub(super) failed: u32,
    /// Tries of this round that were announced by an AttemptStarted.
    pub(super) started: u32,
    /// Somebody may have had it.
    pub(super) had: bool,
    /// Delivered after it had ended otherwise.
    pub(super) late: bool,
    pub(super) reason: Option<ReasonCode>,
}

impl Standing {
    pub(super) fn waits(&self) -> bool {
        matches!(self.state, Open | Collected)
    }
}

/// One message to one addressee.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) msg_id: MsgId,
    pub(super) id: Id,
    pub(super) addressee: AgencyId,
    /// Where it stands in lists: ledger time, place, number of the addressee.
    pub(super) rank: (u64, Place, usize),
    /// What became of it, from each offset on.
    story: Vec<(u64, Standing)>,
}

impl Way {
    pub(super) fn now(&self) -> &Standing {
        &self.story.last().unwrap().1
    }

    /// Where it stood for whoever had read the log as far as this; none: it was not there.
    pub(super) fn seen_by(&self, end: u64) -> Option<&Standing> {
        let known = self.story.iter().take_while(|(offset, _)| *offset < end);
        known.last().map(|(_, standing)| standing)
    }

    /// Whether it had ended, then or before.
    pub(super) fn had_ended_by(&self, end: u64) -> bool {
        let mut known = self.story.iter().take_while(|(offset, _)| *offset < end);
        known.any(|(_, standing)| !standing.waits())
    }

    /// Of those with the same line a later one waits until the earlier has ended.
    pub(super) fn line(&self) -> (&str, &str, &AgencyId) {
        (&self.id.system, &self.id.order, &self.addressee)
    }

    /// Listed for its receiver until it has it; what the receiver said it could not take too.
    pub(super) fn is_listed(&self) -> bool {
        let now = self.now();
        let could_not = now
            .reason
            .as_ref()
            .is_some_and(|reason| reason.as_str() == "RECEIVER_FAILED");
        now.waits() || now.state == DeadLettered && could_not
    }
}

/// A ledger, read so far.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// Read up to here, of each partition.
    pub(super) ends: BTreeMap<u32, u64>,
    ledger_ms: BTreeMap<u32, u64>,
    pub(super) messages: BTreeMap<MsgId, Message>,
    pub(super) ways: BTreeMap<DeliveryId, Way>,
    /// Accepted facts behind another of their id that says otherwise; true: their end is written.
    pub(super) losers: BTreeMap<Place, (MsgId, Request, bool)>,
    ids: BTreeMap<Id, MsgId>,
    tags: BTreeMap<(MsgId, Request), Tag>,
    pub(super) refusals: u64,
}

impl Model {
    pub(super) fn find(&self, id: &Id) -> Option<(MsgId, &Message)> {
        let msg_id = self.ids.get(id)?;
        self.messages.get(msg_id).map(|message| (*msg_id, message))
    }

    /// Those before it in its line.
    pub(super) fn before<'a>(&'a self, way: &'a Way) -> impl Iterator<Item = &'a Way> {
        self.ways
            .values()
            .filter(move |other| other.line() == way.line() && other.rank.1 < way.rank.1)
    }

    /// Reads the next record of a partition.
    pub(super) fn take(&mut self, partition: u32, entry: &Entry) {
        let end = self.ends.entry(partition).or_default();
        assert_eq!(entry.offset, *end, "offsets are dense");
        *end += 1;
        let ledger_ms = self.ledger_ms.entry(partition).or_default();
        *ledger_ms = entry.append_ms.max(*ledger_ms);
        let (ledger_ms, place) = (*ledger_ms, (partition, entry.offset));
        let fact = Record::read(&entry.record).unwrap().fact;
        if let What::Accepted(accepted) = &fact.what {
            let leaf_hash = lgsp_audit::entry_hash(entry.append_ms, &entry.record);
            self.accept((place, ledger_ms, leaf_hash), &fact, accepted);
        } else if let What::Conflict {
            msg_id,
            partition,
            offset,
            ..
        } = &fact.what
        {
            let loser = self
                .losers
                .get_mut(&(*partition, *offset))
                .expect("it lost against an earlier one");
            assert_eq!(loser.0, *msg_id);
            loser.2 = true;
        } else if let What::Rejected { .. } = &fact.what {
            self.refusals += 1;
        } else if let Some(about) = fact.what.delivery() {
            let way = self
                .ways
                .get_mut(&about.id())
                .expect("a fact about a delivery that there is");
            assert_eq!(way.rank.1.0, partition, "facts about a message share its partition");
            if let Some(after) = claimed(way.now(), &fact.what, about) {
                way.story.push((entry.offset, after));
            }
        }
    }

    fn accept(&mut self, (place, ledger_ms, leaf_hash): (Place, u64, Digest), fact: &Fact, accepted: &Accepted) {
        let clear = &accepted.clear;
        let id = Id {
            system: fact.actor.system.as_str().to_owned(),
            order: clear.order_key.clone(),
            key: clear.idempotency_key.clone(),
        };
        let request = Request {
            to: clear.to_written.iter().map(|code| code.as_str().to_owned()).collect(),
            payload: accepted.payload.clone(),
        };
        let msg_id = accepted.msg_id;
        let known = *self.ids.entry(id.clone()).or_insert(msg_id);
        assert_eq!(known, msg_id, "one id for ever");
        let tag = self
            .tags
            .entry((msg_id, request.clone()))
            .or_insert(accepted.request_tag);
        assert_eq!(*tag, accepted.request_tag, "the same request has one tag");
        let of_message = self.tags.iter().filter(|((other, _), _)| *other == msg_id);
        let same = of_message.filter(|(_, tag)| **tag == accepted.request_tag);
        assert_eq!(same.count(), 1, "another request has another tag");
        match self.messages.get_mut(&msg_id) {
            None => {
                let copies = BTreeMap::from([(place, leaf_hash)]);
                let message = Message {
                    id: id.clone(),
                    request,
                    copies,
                };
                self.messages.insert(msg_id, message);
                self.open((place, ledger_ms), &id, accepted);
            }
            Some(first) if first.request == request => drop(first.copies.insert(place, leaf_hash)),
            Some(_) => drop(self.losers.insert(place, (msg_id, request, false))),
        }
    }

    fn open(&mut self, (place, ledger_ms): (Place, u64), id: &Id, accepted: &Accepted) {
        for (ordinal, addressee) in accepted.envelope.addressees.iter().enumerate() {
            let delivery = Delivery {
                msg_id: accepted.msg_id,
                addressee: addressee.agency.clone(),
                generation: 0,
                attempt: 0,
            };
            let standing = Standing {
                state: Open,
                generation: 0,
                failed: 0,
                started: 0,
                had: false,
                late: false,
                reason: None,
            };
            let way = Way {
                msg_id: accepted.msg_id,
                id: id.clone(),
                addressee: addressee.agency.clone(),
                rank: (ledger_ms, place, ordinal),
                story: vec![(place.1, standing)],
            };
            self.ways.insert(delivery.id(), way);
        }
    }

    pub(super) fn in_state(&self, state: DeliveryState) -> u64 {
        self.ways.values().filter(|way| way.now().state == state).count() as u64
    }
}

/// The claims rule: what a fact makes of a delivery; none: nothing, as its state does not allow it.
fn claimed(before: &Standing, what: &What, about: &Delivery) -> Option<Standing> {
    let now = about.generation == before.generation;
    let after = before.clone();
    match what {
        What::Collected { .. } if now && before.state == Open => Some(Standing {
            state: Collected,
            had: true,
            ..after
        }),
        What::Delivered { .. } if before.state != Delivered => Some(Standing {
            state: Delivered,
            had: true,
            late: matches!(before.state, DeadLettered | Withdrawn),
            reason: None,
            ..after
        }),
        What::DeadLettered { reason, .. } if now && before.waits() => Some(Standing {
            state: DeadLettered,
            reason: Some(reason.clone()),
            ..after
        }),
        What::Redriven { .. } if before.state == DeadLettered && about.generation == before.generation + 1 => {
            Some(Standing {
                state: Open,
                generation: about.generation,
                failed: 0,
                started: 0,
                reason: None,
                ..after
            })
        }
        What::Withdrawn { reason, .. } if now && before.state == Open && !before.had => Some(Standing {
            state: Withdrawn,
            reason: Some(reason.clone()),
            ..after
        }),
        What::AttemptStarted { .. } if now && before.waits() => Some(Standing {
            started: before.started.max(about.attempt),
            had: true,
            ..after
        }),
        What::AttemptFailed { .. } if now && before.waits() => Some(Standing {
            failed: before.failed.max(about.attempt),
            had: true,
            ..after
        }),
        _ => None,
    }
}

//! The far side of the push connectors: it answers as it is told to, and writes down all that it sees.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use lgsp_ledger::Ledger;
use lgsp_types::{Adapter, Answered, CheckError, ConnectorId, DeliveryId, MsgId, Push, Pushed, Question, ReasonCode};
use tokio::sync::watch;

use crate::tests::stage::evidence;

/// What it does with what is pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Say {
    /// It has it, and says so.
    Done,
    /// It never takes it.
    Refuse,
    /// It does not take it now.
    Again,
    /// It has it, and its answer is lost on the way.
    Lost,
}

/// What it saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) delivery: DeliveryId,
    pub(super) msg_id: MsgId,
    pub(super) attempt: u32,
    pub(super) payload: Bytes,
    /// How far each partition of the ledger reached at that moment.
    pub(super) ends: Vec<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Came(Seen),
    /// It answered, or nobody waits for its answer any more.
    Over(DeliveryId),
}

/// What the far side keeps, whatever becomes of the node.
#[derive(Debug, Default)]
pub(super) struct Diary {
    pub(super) events: Vec<Event>,
    /// Its inbox: what it took, under the delivery's id.
    pub(super) inbox: BTreeMap<DeliveryId, BTreeSet<(MsgId, Bytes)>>,
}

/// How it knows what to say.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    /// The next answers; whoever comes when there is none waits for one.
    Each(VecDeque<Say>),
    All(Say),
}

/// The far side as one start of the node has it.
#[derive(Debug)]
pub(super) struct Far {
    ledger: Arc<dyn Ledger>,
    diary: Arc<Mutex<Diary>>,
    told: watch::Sender<Told>,
}

/// Says that a push is over, however it ends.
struct Over<'a>(&'a Far, DeliveryId);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.diary().events.push(Event::Over(self.1));
    }
}

impl Far {
    pub(super) fn new(ledger: Arc<dyn Ledger>, diary: Arc<Mutex<Diary>>) -> Self {
        let told = watch::Sender::new(Told::Each(VecDeque::new()));
        Self { ledger, diary, told }
    }

    pub(super) fn diary(&self) -> MutexGuard<'_, Diary> {
        self.diary.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says this to the next that comes.
    pub(super) fn say(&self, say: Say) {
        self.told.send_modify(|told| {
            if let Told::Each(next) = told {
                next.push_back(say);
            }
        });
    }

    /// Says this from now on.
    pub(super) fn say_to_all(&self, say: Say) {
        self.told.send_replace(Told::All(say));
    }

    /// Until all that it was told to say is said.
    pub(super) async fn has_said_all(&self) {
        let mut told = self.told.subscribe();
        let all = told.wait_for(|told| !matches!(told, Told::Each(next) if !next.is_empty()));
        all.await.unwrap();
    }

    async fn next(&self) -> Say {
        let mut told = self.told.subscribe();
        loop {
            let mut say = None;
            self.told.send_if_modified(|told| match told {
                Told::All(all) => {
                    say = Some(*all);
                    false
                }
                Told::Each(next) => {
                    say = next.pop_front();
                    say.is_some()
                }
            });
            match say {
                Some(say) => return say,
                None => told.changed().await.unwrap(),
            }
        }
    }
}

#[async_trait]
impl Adapter for Far {
    async fn check(&self, _: &ConnectorId) -> Result<(), CheckError> {
        Ok(())
    }

    async fn deliver(&self, push: Push) -> Pushed {
        let mut ends = Vec::new();
        for partition in 0..self.ledger.partitions() {
            ends.push(self.ledger.end(partition).await.unwrap());
        }
        let (delivery, content) = (push.delivery, push.content);
        let (msg_id, payload) = (content.msg_id, content.payload);
        self.diary().events.push(Event::Came(Seen {
            delivery,
            msg_id,
            attempt: push.attempt,
            payload: payload.clone(),
            ends,
        }));
        let _over = Over(self, delivery);
        let say = self.next().await;
        if matches!(say, Say::Done | Say::Lost) {
            self.diary()
                .inbox
                .entry(delivery)
                .or_default()
                .insert((msg_id, payload));
        }
        let again = |reason| Pushed::TryAgain { reason, after: None };
        match say {
            Say::Done => Pushed::Done(evidence()),
            Say::Refuse => Pushed::Refused(ReasonCode::new("FORM_UNKNOWN")),
            Say::Again => again(ReasonCode::new("FAR_TROUBLE")),
            Say::Lost => again(ReasonCode::new("ANSWER_LATE")),
        }
    }

    async fn answer(&self, _: Question) -> Answered {
        Answered::NotFound
    }
}

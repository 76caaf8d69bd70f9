//! A far side that letters are pushed to, with an inbox keyed on the delivery, and what it thinks of each letter.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use lgsp_api::{Endpoint, Remote, RemoteSettings};
use lgsp_types::{
    Adapter, Answered, CheckError, ConnectorId, DeliveryId, Evidence, EvidenceKind, Push, Pushed, Question, ReasonCode,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::support::subject;

/// What a letter's subject begins with.
pub(super) mod thinks {
    /// It takes it.
    pub(crate) const WELL: &str = "well";
    /// It takes it at the second time.
    pub(crate) const LATER: &str = "later";
    /// It refuses it until it was mended.
    pub(crate) const NEVER: &str = "never";
    /// It cannot take it now, until it was mended.
    pub(crate) const TIRED: &str = "tired";
}

/// One thing after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Came(String),
    /// It has its effect.
    Took(String),
}

#[derive(Debug, Default)]
struct Kept {
    events: Vec<Event>,
    inbox: BTreeMap<DeliveryId, String>,
    /// What came before.
    seen: BTreeSet<DeliveryId>,
    mended: bool,
}

/// Whether it keeps somebody waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    Nobody,
    WhoeverComes,
    Somebody,
}

/// Outlives nodes: it finds them again.
#[derive(Clone, Debug)]
pub(super) struct Inbox {
    kept: Arc<Mutex<Kept>>,
    hold: watch::Sender<Hold>,
}

impl Inbox {
    pub(super) fn new() -> Self {
        Self {
            kept: Arc::default(),
            hold: watch::Sender::new(Hold::Nobody),
        }
    }

    /// Dials the node at this address, again and again, until `stop`.
    pub(super) fn attach(&self, node: Endpoint, tasks: &TaskTracker, stop: CancellationToken) {
        let settings = RemoteSettings {
            program: String::from("inbox 1"),
            kind: String::from("inbox"),
            systems: Vec::new(),
            connect_wait: Duration::from_secs(5),
            answer_timeout: Duration::from_secs(30),
            retry_first: Duration::from_millis(20),
            retry_max: Duration::from_millis(100),
        };
        let remote = Remote::new(node, settings, Some(Arc::new(self.clone())));
        tasks.spawn(async move { remote.run(stop, Duration::from_secs(5)).await });
    }

    /// Whatever it would not take it takes from now on, or not yet.
    pub(super) fn is_mended(&self, mended: bool) {
        self.kept().mended = mended;
    }

    /// The next letter that comes gets no answer until [`Self::lets_go`].
    pub(super) fn holds_the_next(&self) {
        self.hold.send_replace(Hold::WhoeverComes);
    }

    /// Waits until a letter has come that gets no answer.
    pub(super) async fn holds_one(&self) {
        self.until(Hold::Somebody).await;
    }

    pub(super) fn lets_go(&self) {
        self.hold.send_replace(Hold::Nobody);
    }

    async fn until(&self, hold: Hold) {
        let mut held = self.hold.subscribe();
        held.wait_for(|held| *held == hold).await.unwrap();
    }

    /// All that happened so far.
    pub(super) fn events(&self) -> Vec<Event> {
        self.kept().events.clone()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn thinks(&mut self, delivery: DeliveryId, subject: &str) -> Pushed {
        let again = |reason| Pushed::TryAgain { reason, after: None };
        let is_new = self.seen.insert(delivery);
        if subject.starts_with(thinks::LATER) && is_new || subject.starts_with(thinks::TIRED) && !self.mended {
            return again(ReasonCode::new("INBOX_TIRED"));
        }
        if subject.starts_with(thinks::NEVER) && !self.mended {
            return Pushed::Refused(ReasonCode::new("FORM_UNKNOWN"));
        }
        if self.inbox.insert(delivery, subject.to_owned()).is_none() {
            self.events.push(Event::Took(subject.to_owned()));
        }
        Pushed::Done(Evidence {
            kind: EvidenceKind::Answer,
            key_id: String::new(),
            proof: Bytes::new(),
            signed: Bytes::from(subject.to_owned()),
        })
    }
}

#[async_trait]
impl Adapter for Inbox {
    async fn check(&self, _: &ConnectorId) -> Result<(), CheckError> {
        Ok(())
    }

    async fn deliver(&self, push: Push) -> Pushed {
        let subject = subject(&push.content.payload);
        self.kept().events.push(Event::Came(subject.clone()));
        let held = self.hold.send_if_modified(|hold| {
            let comes = *hold == Hold::WhoeverComes;
            if comes {
                *hold = Hold::Somebody;
            }
            comes
        });
        if held {
            self.until(Hold::Nobody).await;
        }
        self.kept().thinks(push.delivery, &subject)
    }

    async fn answer(&self, _: Question) -> Answered {
        Answered::NotFound
    }
}

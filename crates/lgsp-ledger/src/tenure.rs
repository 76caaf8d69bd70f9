//! A node's right to a ledger: whoever writes, lists or hands out asks it first, and again before it answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// Held until it is given back.
const ALWAYS: u64 = u64::MAX;
/// Not held.
const NEVER: u64 = 0;

/// The right of one node to a ledger. A clone is the same.
///
/// A local ledger has its lock file, so its tenure always holds ([`Tenure::always`]); that of a Kafka ledger comes from
/// [`crate::kafka::Lease`]. It may lapse, when nothing is heard of the brokers for too long, and hold again; once it is lost to
/// another node, or given back, it never does.
#[derive(Clone, Debug)]
pub struct Tenure {
    shared: Arc<Shared>,
}

/// To whom a tenure was lost, or why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// Another node took over.
    #[error("`{holder}` took over with epoch {epoch}")]
    TakenOver { holder: String, epoch: u64 },
    /// What is in the topic of the lease is not what this node saw in it.
    #[error("the topic of the lease is not the log it was")]
    Topic,
    /// The node gave it back itself.
    #[error("it was given back")]
    GivenBack,
}

/// How a node stands to a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It does not know yet whether somebody holds it.
    Reading,
    /// It is waiting for its turn.
    Waiting,
    /// What every holder has to share is another's: nothing is claimed.
    Stranger {
        holder: String,
    },
    Held,
    Lost(Lost),
}

#[derive(Debug)]
pub(crate) struct Shared {
    epoch: AtomicU64,
    begin: Instant,
    /// In milliseconds since `begin`.
    until_ms: AtomicU64,
    give_back: AtomicBool,
    standing: watch::Sender<Standing>,
    /// Somebody keeps it: to give it back takes a word to others.
    is_kept: bool,
}

impl Tenure {
    /// The tenure of a ledger that no other process can open: it holds until it is given back. Its epoch is 0.
    #[must_use]
    pub fn always() -> Self {
        let shared = Shared::new(false, Standing::Held);
        shared.until_ms.store(ALWAYS, Ordering::Release);
        Self {
            shared: Arc::new(shared),
        }
    }

    pub(crate) fn of(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::clone(shared),
        }
    }

    /// Counts the tenures of a ledger, from 1; 0: of a ledger that needs none.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.shared.epoch.load(Ordering::Acquire)
    }

    /// Whether this node holds the ledger at this moment, by the machine's monotonic clock. Costs nanoseconds.
    ///
    /// That clock stands still while a whole machine is suspended: then it is wrong until the first word of the new holder is
    /// read. What is accepted in between is in the ledger like anything else; a list may be old.
    #[must_use]
    pub fn holds(&self) -> bool {
        match self.shared.until_ms.load(Ordering::Acquire) {
            ALWAYS => true,
            until => self.shared.now_ms() < until,
        }
    }

    /// Waits until the tenure is over for good, and says why; one that lapsed may still hold again.
    ///
    /// Cancel safe: a dropped wait loses nothing.
    pub async fn lost(&self) -> Lost {
        let mut standing = self.shared.standing.subscribe();
        let over = standing
            .wait_for(|standing| matches!(standing, Standing::Lost(_)))
            .await;
        match over.as_deref() {
            Ok(Standing::Lost(lost)) => lost.clone(),
            Ok(Standing::Reading | Standing::Waiting | Standing::Stranger { .. } | Standing::Held) | Err(_) => {
                Lost::GivenBack
            }
        }
    }

    /// Why the tenure is over for good; none: it is not.
    #[must_use]
    pub fn ended(&self) -> Option<Lost> {
        match &*self.shared.standing.borrow() {
            Standing::Lost(lost) => Some(lost.clone()),
            Standing::Reading | Standing::Waiting | Standing::Stranger { .. } | Standing::Held => None,
        }
    }

    /// Gives the ledger back, so that another node may take over at once: call it when nothing is written any more. It does
    /// not hold from this call on. Answers when the others were told, or could not be told for some seconds. Again: does
    /// nothing.
    pub async fn release(&self) {
        self.shared.give_back();
        self.lost().await;
    }
}

impl Shared {
    pub(crate) fn new(is_kept: bool, standing: Standing) -> Self {
        Self {
            epoch: AtomicU64::new(0),
            begin: Instant::now(),
            until_ms: AtomicU64::new(NEVER),
            give_back: AtomicBool::new(false),
            standing: watch::Sender::new(standing),
            is_kept,
        }
    }

    fn now_ms(&self) -> u64 {
        ms(self.begin.elapsed())
    }

    pub(crate) fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// What others said was read.
    pub(crate) fn wait(&self) {
        self.standing.send_if_modified(|standing| {
            let read = *standing == Standing::Reading;
            if read {
                *standing = Standing::Waiting;
            }
            read
        });
    }

    /// It is held from now on, with this epoch, until then; true: not for the first time.
    pub(crate) fn take(&self, epoch: u64, until: Instant) -> bool {
        self.epoch.store(epoch, Ordering::Release);
        self.prolong(until);
        self.standing.send_replace(Standing::Held) == Standing::Held
    }

    pub(crate) fn prolong(&self, until: Instant) {
        let until_ms = ms(until.saturating_duration_since(self.begin));
        self.until_ms.store(until_ms, Ordering::Release);
        // Whoever gives back does not get it again by a renewal that was under way.
        if self.gives_back() {
            self.until_ms.store(NEVER, Ordering::Release);
        }
    }

    pub(crate) fn lose(&self, lost: Lost) {
        self.until_ms.store(NEVER, Ordering::Release);
        self.standing.send_replace(Standing::Lost(lost));
    }

    pub(crate) fn refuse(&self, holder: String) {
        self.standing.send_replace(Standing::Stranger { holder });
    }

    pub(crate) fn give_back(&self) {
        self.give_back.store(true, Ordering::Release);
        self.until_ms.store(NEVER, Ordering::Release);
        if !self.is_kept {
            self.lose(Lost::GivenBack);
        }
    }

    pub(crate) fn gives_back(&self) -> bool {
        self.give_back.load(Ordering::Acquire)
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_tenure_that_always_holds_ends_when_it_is_given_back() {
        let tenure = Tenure::always();
        assert_eq!((tenure.holds(), tenure.epoch()), (true, 0));
        let other = tenure.clone();
        tenure.release().await;
        assert!(!other.holds());
        assert_eq!(other.lost().await, Lost::GivenBack);
    }

    #[test]
    fn it_holds_until_its_time_and_no_renewal_brings_back_what_is_given_back() {
        let shared = Arc::new(Shared::new(true, Standing::Waiting));
        let tenure = Tenure::of(&shared);
        assert!(!tenure.holds());
        assert!(!shared.take(3, Instant::now() + Duration::from_secs(60)));
        assert_eq!((tenure.holds(), tenure.epoch()), (true, 3));
        shared.prolong(Instant::now());
        assert!(!tenure.holds(), "its time is over");
        shared.prolong(Instant::now() + Duration::from_secs(60));
        assert!(tenure.holds(), "it was renewed in time by everybody's clock");
        shared.give_back();
        shared.prolong(Instant::now() + Duration::from_secs(60));
        assert!(!tenure.holds());
    }
}

//! The thread of a lease: reads the topic as it grows, claims when its turn has come, renews, gives back.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{FutureProducer, FutureRecord};
use tracing::{info, warn};

use super::super::client::{self, Quiet};
use super::super::reader;
use super::super::settings::Settings;
use super::super::tail::is_gone;
use super::Claimant;
use super::course::{Act, Course, Word};
use crate::tenure::{Lost, Shared};

/// All words have one key, so that compaction leaves the last.
const KEY: &str = "lease";
/// So many of the last records are read at the start: enough to know who holds it.
const LOOK_BACK: u64 = 64;
/// The longest time until it is noticed that somebody gives back.
const LOOK_UP: Duration = Duration::from_millis(100);
/// The longest wait for one's own release to be in the topic.
const LEAVE_MAX: Duration = Duration::from_secs(2);
/// When the words of which numbers were sent; those before are too old to prolong anything.
const SENT_MAX: usize = 32;

/// What the thread works with.
pub(super) struct Keeper {
    topic: String,
    consumer: BaseConsumer<Quiet>,
    producer: FutureProducer<Quiet>,
    claimant: Claimant,
    shared: Arc<Shared>,
    /// Random: two processes of one node are not one.
    process: String,
    course: Course,
    /// Has the topic been read to its end?
    at_end: bool,
    /// When a record was last read.
    heard: Instant,
    number: u64,
    sent: VecDeque<(u64, Instant)>,
    /// No claim or renewal before.
    next: Instant,
    role: Role,
}

/// Where this node is.
#[derive(Debug, PartialEq, Eq)]
enum Role {
    /// `told` names whom the log was told of.
    Waiting {
        told: Option<(String, u64)>,
    },
    /// `until`: what was renewed so far.
    Holding {
        epoch: u64,
        until: Instant,
        lapsed: bool,
    },
    Leaving {
        epoch: u64,
        since: Instant,
    },
    Over,
}

impl Keeper {
    pub(super) fn new(
        topic: &str,
        (low, high): (u64, u64),
        settings: &Settings,
        claimant: Claimant,
        shared: Arc<Shared>,
    ) -> Result<Self, KafkaError> {
        let consumer: BaseConsumer<Quiet> = client::consumer(settings).create_with_context(Quiet)?;
        let from = high.saturating_sub(LOOK_BACK).max(low);
        consumer.assign(&reader::assignment(topic, [(0, from)])?)?;
        let producer = client::for_lease(settings, claimant.ttl).create_with_context(Quiet)?;
        let mut process = [0; 8];
        SystemRandom::new()
            .fill(&mut process)
            .map_err(|_| KafkaError::ClientCreation(String::from("the system gives no random bytes")))?;
        let now = Instant::now();
        Ok(Self {
            topic: topic.to_owned(),
            consumer,
            producer,
            course: Course::new(claimant.ttl),
            claimant,
            shared,
            process: process.iter().map(|byte| format!("{byte:02x}")).collect(),
            at_end: false,
            heard: now,
            number: 0,
            sent: VecDeque::new(),
            next: now,
            role: Role::Waiting { told: None },
        })
    }

    /// Runs until the lease is lost or given back.
    pub(super) fn run(mut self) {
        while self.role != Role::Over {
            match self.consumer.poll(self.pause()) {
                Some(Ok(message)) => {
                    let (offset, word) = (
                        message.offset(),
                        serde_json::from_slice(message.payload().unwrap_or(b"")),
                    );
                    drop(message);
                    if let Ok(offset) = u64::try_from(offset) {
                        self.hear(offset, word);
                    }
                }
                Some(Err(KafkaError::PartitionEOF(_))) => self.at_end = true,
                Some(Err(error)) if is_another_log(&error) => self.doubt(&error),
                Some(Err(_)) | None => {}
            }
            self.act();
        }
    }

    /// Until something is due.
    fn pause(&self) -> Duration {
        let due = match &self.role {
            Role::Waiting { .. } if self.at_end => {
                let turn = self.course.patience(self.heard.elapsed());
                turn.max(self.next.saturating_duration_since(Instant::now()))
            }
            Role::Holding { until, lapsed, .. } => {
                let renewal = self.next.saturating_duration_since(Instant::now());
                let end = until.saturating_duration_since(Instant::now());
                if *lapsed { renewal } else { renewal.min(end) }
            }
            Role::Waiting { .. } | Role::Leaving { .. } | Role::Over => LOOK_UP,
        };
        due.clamp(Duration::from_millis(1), LOOK_UP)
    }

    /// Takes a record of the topic.
    fn hear(&mut self, offset: u64, word: Result<Word, serde_json::Error>) {
        if let Err(error) = &word {
            warn!(
                offset,
                error = error as &dyn std::error::Error,
                topic = self.topic,
                "a foreign record"
            );
        }
        let word = word.ok();
        let number = word
            .as_ref()
            .filter(|word| word.process == self.process)
            .map(|word| word.number);
        if !self.course.take(offset, word) {
            return;
        }
        self.heard = Instant::now();
        let ours = self.course.is_held_by(&self.process);
        let sent = number.and_then(|number| self.sent_at(number));
        match &mut self.role {
            Role::Waiting { .. } if ours => {
                let epoch = self.course.in_force().map_or(0, |word| word.epoch);
                self.role = Role::Holding {
                    epoch,
                    until: self.heard,
                    lapsed: true,
                };
                info!(epoch, topic = self.topic, "this node holds the ledger");
                self.prolong(sent);
            }
            Role::Waiting { .. } => self.next = self.heard,
            Role::Holding { .. } if ours => self.prolong(sent),
            Role::Holding { .. } => self.lose(),
            // Its own release, or another's claim, which is as good.
            Role::Leaving { .. } if !ours => self.end(),
            Role::Leaving { .. } | Role::Over => {}
        }
    }

    fn sent_at(&self, number: u64) -> Option<Instant> {
        let (_, sent) = self.sent.iter().find(|(sent, _)| *sent == number)?;
        Some(*sent)
    }

    /// A word of ours is in the topic. It is good from **before** it was sent, less a margin for clocks that do not run alike;
    /// one that was long under way may be good for nothing, or for a moment, and the next is due at once.
    fn prolong(&mut self, sent: Option<Instant>) {
        let Role::Holding { epoch, until, lapsed } = &mut self.role else {
            return;
        };
        let ttl = self.claimant.ttl;
        let end = sent.map_or(self.heard, |sent| sent + (ttl - ttl / 10));
        let due = sent.map_or(self.heard, |sent| sent + ttl / 3);
        *until = end.max(*until);
        if *until <= self.heard {
            self.next = self.next.min(due.max(self.heard));
        } else if *lapsed {
            (*lapsed, self.next) = (false, due);
            if self.shared.take(*epoch, *until) {
                info!(
                    topic = self.topic,
                    "the lease is renewed: this node holds the ledger again"
                );
            }
        } else {
            self.shared.prolong(*until);
        }
    }

    /// Another holds it.
    fn lose(&mut self) {
        let word = self.course.in_force();
        let lost = Lost::TakenOver {
            holder: word.map_or_else(String::new, |word| word.holder.clone()),
            epoch: word.map_or(0, |word| word.epoch),
        };
        self.shared.lose(lost);
        self.role = Role::Over;
    }

    fn end(&mut self) {
        self.shared.lose(Lost::GivenBack);
        self.role = Role::Over;
    }

    /// Something is wrong with the place that is read. A broker that was just started may not know the topic yet, which
    /// passes; a topic that is shorter than it was, or lacks what was not read, is another log: whoever holds the ledger
    /// does no longer, whoever waits begins anew at its end.
    fn doubt(&mut self, error: &KafkaError) {
        let next = self.course.next_offset();
        let bounds = self
            .consumer
            .fetch_watermarks(&self.topic, 0, LOOK_UP.saturating_mul(5));
        let bounds = bounds
            .ok()
            .and_then(|(low, high)| u64::try_from(low).ok().zip(u64::try_from(high).ok()));
        let place = match bounds {
            Some((low, high)) if !(low..=high).contains(&next) && next > 0 => {
                warn!(
                    error = error as &dyn std::error::Error,
                    topic = self.topic,
                    "the topic of the lease is not the log it was"
                );
                if matches!(self.role, Role::Holding { .. } | Role::Leaving { .. }) {
                    self.shared.lose(Lost::Topic);
                    self.role = Role::Over;
                    return;
                }
                self.course = Course::new(self.claimant.ttl);
                (self.at_end, self.heard) = (false, Instant::now());
                high
            }
            Some((low, _)) => next.max(low),
            None => {
                std::thread::sleep(LOOK_UP);
                next
            }
        };
        let place = reader::assignment(&self.topic, [(0, place)]);
        drop(place.and_then(|place| self.consumer.assign(&place)));
    }

    /// Does what is due.
    fn act(&mut self) {
        let now = Instant::now();
        if self.shared.gives_back() {
            return self.leave(now);
        }
        match &mut self.role {
            Role::Waiting { .. } if self.at_end => self.wait(now),
            Role::Holding { until, lapsed, .. } => {
                if *until <= now && !*lapsed {
                    *lapsed = true;
                    warn!(
                        topic = self.topic,
                        "the lease was not renewed in time: nothing is accepted or handed out until it is"
                    );
                }
                let (until, lapsed) = (*until, *lapsed);
                if self.next <= now {
                    self.renew(until, lapsed, now);
                }
            }
            Role::Waiting { .. } | Role::Leaving { .. } | Role::Over => {}
        }
    }

    /// Claims when its turn has come.
    fn wait(&mut self, now: Instant) {
        let last = self.course.last_holder();
        if let Some(stranger) = last.filter(|word| word.keys != self.claimant.keys) {
            self.shared.refuse(stranger.holder.clone());
            self.role = Role::Over;
            return;
        }
        self.shared.wait();
        if self.course.patience(self.heard.elapsed()).is_zero() {
            if self.next <= now {
                let (epoch, after) = self.course.next();
                self.say(Act::Claim, epoch, after);
                // Not answered in time: the same again, of which at most one is in force.
                self.next = now + self.claimant.ttl;
            }
            return;
        }
        let held = self.course.in_force().map(|word| (word.holder.clone(), word.epoch));
        if let Role::Waiting { told } = &mut self.role
            && held.is_some()
            && *told != held
        {
            if let Some((holder, epoch)) = &held {
                info!(holder, epoch, topic = self.topic, "standing by");
            }
            *told = held;
        }
    }

    /// A node whose renewals come into the topic, but not back to it, must not keep others from claiming: once the lease has
    /// lapsed it asks more seldom than they wait.
    fn renew(&mut self, until: Instant, lapsed: bool, now: Instant) {
        if let Role::Holding { epoch, .. } = self.role {
            self.say(Act::Renewal, epoch, None);
        }
        let ttl = self.claimant.ttl;
        let pause = if lapsed || until <= now { ttl + ttl / 2 } else { ttl / 3 };
        self.next = now + pause;
    }

    fn leave(&mut self, now: Instant) {
        match self.role {
            Role::Holding { epoch, .. } => {
                self.say(Act::Release, epoch, None);
                self.role = Role::Leaving { epoch, since: now };
            }
            Role::Leaving { epoch, since } if now.saturating_duration_since(since) > LEAVE_MAX => {
                warn!(
                    epoch,
                    topic = self.topic,
                    "the others could not be told: they wait for the lease's end"
                );
                self.end();
            }
            Role::Waiting { .. } => self.end(),
            Role::Leaving { .. } | Role::Over => {}
        }
    }

    /// Sends a word; whether it came into the topic is seen there, and nowhere else.
    fn say(&mut self, act: Act, epoch: u64, after: Option<u64>) {
        self.number += 1;
        let ttl = self.claimant.ttl;
        let word = Word {
            act,
            epoch,
            holder: self.claimant.node.clone(),
            process: self.process.clone(),
            number: self.number,
            ttl_ms: u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX),
            after,
            keys: self.claimant.keys.clone(),
        };
        let Ok(word) = serde_json::to_vec(&word) else { return };
        let message = FutureRecord::to(&self.topic).partition(0).key(KEY).payload(&word);
        self.sent.push_back((self.number, Instant::now()));
        if self.sent.len() > SENT_MAX {
            self.sent.pop_front();
        }
        if let Err((error, _)) = self.producer.send_result(message) {
            warn!(
                error = &error as &dyn std::error::Error,
                topic = self.topic,
                "a word of the lease was not taken"
            );
        }
    }
}

/// Is this about the log, not about a connection?
fn is_another_log(error: &KafkaError) -> bool {
    let place = Some(RDKafkaErrorCode::AutoOffsetReset) == error.rdkafka_error_code()
        || Some(RDKafkaErrorCode::OffsetOutOfRange) == error.rdkafka_error_code();
    place || is_gone(error)
}

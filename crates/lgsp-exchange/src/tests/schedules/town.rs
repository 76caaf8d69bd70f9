//! Those who send, receive and operate in a schedule: each step is done, and its answer held against the model.

use std::collections::BTreeMap;
use std::pin::pin;
use std::task::Poll;

use futures_util::future::join_all;
use lgsp_types::{
    AcknowledgeError, Acknowledged, AgencyCode, Caller, DeliveryId, DeliveryState, Exchange as _, Fate, FetchError,
    Fetched, MsgId, OpenDelivery, OpenQuery, Outcome, Publish, PublishError, ReasonCode, Receipt, WithdrawError,
};
use tokio::task::yield_now;
use tokio::time::timeout;

use super::history::Call;
use super::model::{Model, Standing};
use super::stand::{Ground, Life, Stand};
use super::trouble::Trouble;
use super::{Act, Letter, Step, Word};
use crate::tests::stage::{caller, evidence};
use crate::{RedriveError, Spine};
use lgsp_ledger::Ledger as _;

/// Who receives by pull: its system, and its agency.
const RECEIVERS: [(&str, &str); 2] = [("sys.two", "test.two"), ("sys.six", "test.six")];
/// Which agencies have their deliveries pushed.
pub(super) const PUSHED_TO: [&str; 2] = ["test.three", "test.old"];
/// What the far side was told to say is given so long to be said; nothing may have come to be answered.
const MOMENT: std::time::Duration = std::time::Duration::from_millis(10);

/// What a sender was answered.
#[derive(Debug)]
pub(super) enum Answer {
    Accepted(Receipt),
    Conflict,
    Refused,
    /// Certainly not accepted.
    Not,
    Unknown,
    /// It did not wait for the answer.
    Cut,
}

pub(super) struct Town {
    pub(super) stand: Stand,
    pub(super) life: Life,
    pub(super) model: Model,
    pub(super) calls: Vec<Call>,
    /// Counts steps: calls of one step are made at the same time.
    step: usize,
    pub(super) lives: u32,
    /// Somebody left before an answer: until the node's end his record may still come.
    in_doubt: bool,
    /// What the receivers have in their inboxes.
    pub(super) inboxes: BTreeMap<DeliveryId, Fetched>,
}

impl Town {
    pub(super) fn open(ground: Ground, partitions: u32) -> Self {
        let stand = Stand::new(ground, partitions);
        let life = stand.start();
        Self {
            stand,
            life,
            model: Model::default(),
            calls: Vec::new(),
            step: 0,
            lives: 1,
            in_doubt: false,
            inboxes: BTreeMap::new(),
        }
    }

    pub(super) fn take(mut self, step: &Step) -> Self {
        self.step += 1;
        match step {
            Step::Publish { letter, hasty } => self.publish(letter, *hasty),
            Step::Race(letters) => self.race(letters),
            Step::Cut { letter, polls } => self.publish_and_leave(letter, *polls),
            Step::List { page } => self.list(*page),
            Step::Fetch { which } => self.fetch(*which),
            Step::Acknowledge { which, word } => self.acknowledge(*which, *word),
            Step::AcknowledgeAndLeave { which, polls } => self.acknowledge_and_leave(*which, *polls),
            Step::Clerks { which, acts, held } => {
                if *held {
                    self.life.ledger.expect(Trouble::Held);
                }
                self.clerks(*which, acts);
            }
            Step::Say { say, times } => {
                (0..*times).for_each(|_| self.life.far.say(*say));
                // It may have nothing to answer.
                self.life
                    .wait(async { timeout(MOMENT, self.life.far.has_said_all()).await.ok() });
            }
            Step::Redrive { which } => self.redrive(*which),
            Step::Withdraw { which, all } => self.withdraw(*which, *all),
            Step::Trouble(trouble) => self.life.ledger.expect(*trouble),
            Step::Pass { ms } => self.stand.pass(*ms),
            Step::Restart { clean } => return self.restart(*clean),
        }
        self
    }

    pub(super) fn restart(mut self, clean: bool) -> Self {
        if clean {
            self.life.stop();
        } else {
            self.life.kill();
        }
        self.life = self.stand.start();
        self.lives += 1;
        self.in_doubt = false;
        self
    }

    /// Reads the ledger to an end that the node has projected, where no more comes for the moment.
    pub(super) fn settle(&mut self) {
        let (life, model) = (&self.life, &mut self.model);
        life.wait(async {
            loop {
                let before = ends(life).await;
                for (partition, end) in (0..).zip(&before) {
                    if let Some(last) = end.checked_sub(1) {
                        life.spine.projection.passed(partition, last).await.unwrap();
                    }
                }
                if ends(life).await != before {
                    continue;
                }
                for (partition, end) in (0..).zip(before) {
                    let from = model.ends.get(&partition).copied().unwrap_or_default();
                    let limit = lgsp_ledger::ReadLimit {
                        entries: usize::try_from(end - from).unwrap(),
                        bytes: usize::MAX,
                    };
                    let entries = life.ledger.read(partition, from, limit).await.unwrap();
                    assert_eq!(entries.len() as u64, end - from);
                    entries.iter().for_each(|entry| model.take(partition, entry));
                }
                return;
            }
        });
    }

    fn publish(&mut self, letter: &Letter, hasty: bool) {
        if hasty {
            let answer = self.life.wait(send(&self.life.spine, letter));
            self.remember(letter, answer);
            return;
        }
        self.settle();
        let met = self.life.ledger.met();
        let answer = self.life.wait(send(&self.life.spine, letter));
        let calm = met == self.life.ledger.met();
        let first = self.model.find(&letter.id());
        let as_expected = match (&answer, first) {
            (Answer::Accepted(receipt), Some((_, first))) => {
                let at = (receipt.position.partition, receipt.position.offset);
                receipt.repeat && first.request == letter.request() && first.copies.contains_key(&at)
            }
            (Answer::Accepted(receipt), None) => !receipt.repeat && !letter.goes_nowhere(),
            (Answer::Conflict, Some((_, first))) => first.request != letter.request(),
            (Answer::Refused, None) => letter.goes_nowhere(),
            (Answer::Not | Answer::Unknown, _) => !calm,
            (Answer::Conflict | Answer::Refused | Answer::Cut, _) => false,
        };
        assert!(as_expected || self.in_doubt, "{letter:?}: {answer:?}, first {first:?}");
        self.remember(letter, answer);
    }

    fn remember(&mut self, letter: &Letter, answer: Answer) {
        self.calls.push(Call {
            step: self.step,
            id: letter.id(),
            request: letter.request(),
            answer,
        });
    }

    fn race(&mut self, letters: &[Letter]) {
        let spine = &self.life.spine;
        let answers = self
            .life
            .wait(join_all(letters.iter().map(|letter| send(spine, letter))));
        for (letter, answer) in letters.iter().zip(answers) {
            self.remember(letter, answer);
        }
    }

    fn publish_and_leave(&mut self, letter: &Letter, polls: u32) {
        let answer = self.life.wait(cut(send(&self.life.spine, letter), polls));
        self.in_doubt |= answer.is_none();
        self.remember(letter, answer.unwrap_or(Answer::Cut));
    }

    /// Each receiver's list is what waits for it, in ledger order, however it is paged.
    fn list(&mut self, page: u32) {
        for (system, agency) in RECEIVERS {
            let (listed, model) = loop {
                self.settle();
                let before = self.model.ends.clone();
                let listed = self.life.wait(list(&self.life.spine, &caller(system), page));
                self.settle();
                if self.model.ends == before {
                    break (listed, &self.model);
                }
            };
            let mut expected: Vec<_> = model
                .ways
                .iter()
                .filter(|(_, way)| way.addressee.as_str() == agency && way.is_listed())
                .collect();
            expected.sort_by_key(|(_, way)| way.rank);
            let expected: Vec<_> = expected.iter().map(|(id, way)| (**id, way.now().state)).collect();
            let listed: Vec<_> = listed.iter().map(|row| (row.delivery, row.state)).collect();
            assert_eq!(listed, expected, "what waits for {system}");
        }
    }

    /// One of the deliveries that receivers pull.
    fn pulled(&mut self, which: u8) -> Option<(DeliveryId, Caller)> {
        self.settle();
        let system = |agency: &str| {
            RECEIVERS
                .iter()
                .find(|(_, known)| *known == agency)
                .map(|(system, _)| *system)
        };
        let ways = self.model.ways.iter();
        let ways: Vec<_> = ways
            .filter_map(|(id, way)| Some((*id, caller(system(way.addressee.as_str())?))))
            .collect();
        let at = usize::from(which).checked_rem(ways.len())?;
        ways.get(at).cloned()
    }

    fn fetch(&mut self, which: u8) {
        let Some((id, receiver)) = self.pulled(which) else {
            return;
        };
        let before = self.model.ways[&id].now().clone();
        let met = self.life.ledger.met();
        let fetched = self.life.wait(self.life.spine.fetch(&receiver, id));
        let calm = met == self.life.ledger.met();
        self.settle();
        let way = &self.model.ways[&id];
        match fetched {
            Ok(fetched) => {
                let message = &self.model.messages[&way.msg_id];
                assert_eq!(
                    (fetched.msg_id, &fetched.payload),
                    (way.msg_id, &message.request.payload)
                );
                let first = before.state == DeliveryState::Open;
                let state = if first { DeliveryState::Collected } else { before.state };
                assert!(way.now().state == state || self.in_doubt, "{before:?}: {way:?}");
                assert_ne!(before.state, DeliveryState::Withdrawn);
                self.keep(id, fetched);
            }
            Err(FetchError::Unknown | FetchError::Unavailable(_)) => assert!(!calm, "{id} was not handed out"),
            Err(FetchError::Gone) => assert_eq!(way.now().state, DeliveryState::Withdrawn),
            Err(error @ FetchError::NotFound) => panic!("{id}: {error}"),
        }
    }

    fn acknowledge(&mut self, which: u8, word: Word) {
        let Some((id, receiver)) = self.pulled(which) else {
            return;
        };
        let before = self.model.ways[&id].now().clone();
        let met = self.life.ledger.met();
        let said = self.life.spine.acknowledge(&receiver, id, word.outcome(), evidence());
        let said = self.life.wait(said);
        let calm = met == self.life.ledger.met();
        self.settle();
        let after = self.model.ways[&id].now();
        match said {
            Ok(said) => {
                let expected = becomes(&before, word);
                let told = if expected.is_some() {
                    Acknowledged::Done
                } else {
                    Acknowledged::Already
                };
                let state = expected.flatten().unwrap_or(before.state);
                assert!(
                    (said, after.state) == (told, state) || self.in_doubt,
                    "{before:?} {word:?}: {said:?} {after:?}"
                );
            }
            Err(AcknowledgeError::Unknown | AcknowledgeError::Unavailable(_)) => assert!(!calm, "{id}: {word:?}"),
            Err(error @ AcknowledgeError::NotFound) => panic!("{id}: {error}"),
        }
    }

    fn acknowledge_and_leave(&mut self, which: u8, polls: u32) {
        let Some((id, receiver)) = self.pulled(which) else {
            return;
        };
        let word = Word::Done.outcome();
        let said = self.life.spine.acknowledge(&receiver, id, word, evidence());
        self.in_doubt |= self.life.wait(cut(said, polls)).is_none();
    }

    fn clerks(&mut self, which: u8, acts: &[Vec<Act>]) {
        let Some((id, receiver)) = self.pulled(which) else {
            return;
        };
        let spine = &self.life.spine;
        let way = &self.model.ways[&id];
        let (sender, msg_id) = (caller(&way.id.system), way.msg_id);
        let at = (id, msg_id);
        let clerks = acts.iter().map(|acts| clerk(spine, (&receiver, &sender), at, acts));
        for fetched in self.life.wait(join_all(clerks)).into_iter().flatten() {
            self.keep(id, fetched);
        }
    }

    /// A receiver's inbox is keyed on the delivery.
    fn keep(&mut self, id: DeliveryId, mut fetched: Fetched) {
        // Each handing out is a span of its own.
        fetched.trace = None;
        let first = self.inboxes.insert(id, fetched.clone());
        assert!(first.is_none_or(|first| first == fetched), "it came again as another");
    }

    /// A dead letter, if there is one, else any delivery.
    fn redrive(&mut self, which: u8) {
        self.settle();
        let is_dead = |id: &&DeliveryId| self.model.ways[*id].now().state == DeliveryState::DeadLettered;
        let dead: Vec<DeliveryId> = self.model.ways.keys().filter(is_dead).copied().collect();
        let any: Vec<DeliveryId> = self.model.ways.keys().copied().collect();
        let from = if dead.is_empty() { any } else { dead };
        let Some(at) = usize::from(which).checked_rem(from.len()) else {
            return;
        };
        let id = from[at];
        let way = &self.model.ways[&id];
        let (before, is_pushed) = (way.now().clone(), PUSHED_TO.contains(&way.addressee.as_str()));
        let met = self.life.ledger.met();
        let redriven = self.life.wait(self.life.spine.redrive(id));
        let calm = met == self.life.ledger.met();
        match redriven {
            // What is pushed may have become a dead letter since.
            Ok(round) => {
                assert_eq!(round, before.generation + 1);
                assert!(before.state == DeliveryState::DeadLettered || is_pushed, "{before:?}");
            }
            Err(RedriveError::NotDead { state, .. }) => assert_ne!(state, DeliveryState::DeadLettered),
            Err(RedriveError::Overtaken(_)) => assert!(self.in_doubt, "{id}: nobody else redrives"),
            Err(RedriveError::Unavailable(_)) => assert!(!calm, "{id} was not redriven"),
            Err(error @ RedriveError::NotFound(_)) => panic!("{error}"),
        }
    }

    /// Its sender takes it back, where nobody has had it.
    fn withdraw(&mut self, which: u8, all: bool) {
        self.settle();
        let ways: Vec<(DeliveryId, Standing)> = self
            .model
            .ways
            .iter()
            .map(|(id, way)| (*id, way.now().clone()))
            .collect();
        let Some(at) = usize::from(which).checked_rem(ways.len()) else {
            return;
        };
        let way = &self.model.ways[&ways[at].0];
        let (msg_id, sender) = (way.msg_id, caller(&way.id.system));
        let to = (!all).then(|| code_of(way.addressee.as_str()));
        let met = self.life.ledger.met();
        let told = self.life.wait(self.life.spine.withdraw(&sender, msg_id, to));
        let calm = met == self.life.ledger.met();
        self.settle();
        match told {
            Ok(told) => {
                for withdrawal in told {
                    let (way, before) = (&self.model.ways[&withdrawal.delivery], &ways);
                    let before = &before.iter().find(|(id, _)| *id == withdrawal.delivery).unwrap().1;
                    assert_eq!(way.msg_id, msg_id);
                    let taken_back = withdrawal.fate == Fate::Withdrawn;
                    let is = way.now().state == DeliveryState::Withdrawn;
                    assert!(taken_back == is || self.in_doubt, "{withdrawal:?}: {before:?}, {way:?}");
                    let could = before.state == DeliveryState::Open && !before.had;
                    let is_pushed = PUSHED_TO.contains(&way.addressee.as_str());
                    let was = before.state == DeliveryState::Withdrawn;
                    assert!(
                        taken_back == (could || was) || is_pushed || self.in_doubt,
                        "{withdrawal:?}: {before:?}"
                    );
                }
            }
            Err(WithdrawError::Unknown | WithdrawError::Unavailable(_)) => {
                assert!(!calm, "{msg_id} was not taken back")
            }
            Err(error @ WithdrawError::NotFound) => panic!("{msg_id}: {error}"),
        }
    }

    /// Nothing goes wrong any more, everybody does his part: whatever was accepted comes to its end.
    pub(super) fn work_to_the_end(mut self, clean: bool) -> Self {
        self = self.restart(clean);
        self.life.far.say_to_all(super::far::Say::Done);
        for (system, _) in RECEIVERS {
            let receiver = caller(system);
            for row in self.life.wait(list(&self.life.spine, &receiver, 100)) {
                let fetched = self.life.wait(self.life.spine.fetch(&receiver, row.delivery)).unwrap();
                self.keep(row.delivery, fetched);
                let said = self
                    .life
                    .spine
                    .acknowledge(&receiver, row.delivery, Outcome::Delivered, evidence());
                assert_eq!(self.life.wait(said).unwrap(), Acknowledged::Done);
            }
        }
        let spine = &self.life.spine;
        self.life.wait(async {
            let mut arrivals = spine.arrivals();
            let agencies = PUSHED_TO.map(|agency| lgsp_types::AgencyId::parse(agency).unwrap());
            loop {
                let open = spine
                    .store
                    .open_deliveries(&agencies, &query(1, None), &[])
                    .await
                    .unwrap();
                let conflicts = spine.store.pending_conflicts().await.unwrap();
                if open.is_empty() && conflicts.is_empty() {
                    return;
                }
                // Batches tell of each other; a look that came too early is made again.
                timeout(MOMENT, futures_util::StreamExt::next(&mut arrivals)).await.ok();
            }
        });
        self.settle();
        self
    }
}

/// What a clerk was handed out. What he was told of the rest depends on the others.
async fn clerk(
    spine: &Spine,
    (receiver, sender): (&Caller, &Caller),
    (id, msg_id): (DeliveryId, MsgId),
    acts: &[Act],
) -> Vec<Fetched> {
    let mut all = Vec::new();
    for act in acts {
        match act {
            Act::Fetch => match spine.fetch(receiver, id).await {
                Ok(fetched) => all.push(fetched),
                Err(FetchError::Unknown | FetchError::Unavailable(_) | FetchError::Gone) => {}
                Err(error @ FetchError::NotFound) => panic!("{id}: {error}"),
            },
            Act::Say(word) => match spine.acknowledge(receiver, id, word.outcome(), evidence()).await {
                Ok(_) | Err(AcknowledgeError::Unknown | AcknowledgeError::Unavailable(_)) => {}
                Err(error @ AcknowledgeError::NotFound) => panic!("{id}: {error}"),
            },
            Act::Redrive => match spine.redrive(id).await {
                Ok(_)
                | Err(RedriveError::NotDead { .. } | RedriveError::Overtaken(_) | RedriveError::Unavailable(_)) => {}
                Err(error @ RedriveError::NotFound(_)) => panic!("{error}"),
            },
            Act::Withdraw => match spine.withdraw(sender, msg_id, None).await {
                Ok(_) | Err(WithdrawError::Unknown | WithdrawError::Unavailable(_)) => {}
                Err(error @ WithdrawError::NotFound) => panic!("{msg_id}: {error}"),
            },
        }
    }
    all
}

fn code_of(agency: &str) -> AgencyCode {
    let code = match agency {
        "test.two" => "H44.02",
        "test.three" => "H44.03",
        "test.six" => "H44.06",
        "test.old" => "H44.09",
        other => panic!("nobody sends to {other}"),
    };
    AgencyCode::parse(code).unwrap()
}

async fn ends(life: &Life) -> Vec<u64> {
    let mut ends = Vec::new();
    for partition in 0..life.ledger.partitions() {
        ends.push(life.ledger.end(partition).await.unwrap());
    }
    ends
}

async fn send(spine: &Spine, letter: &Letter) -> Answer {
    match spine.publish(&caller(letter.system()), Publish::from(letter)).await {
        Ok(receipt) => Answer::Accepted(receipt),
        Err(PublishError::Conflict { .. }) => Answer::Conflict,
        Err(PublishError::Refused(_)) => Answer::Refused,
        Err(PublishError::Busy | PublishError::Unavailable(_)) => Answer::Not,
        Err(PublishError::Unknown) => Answer::Unknown,
    }
}

fn query(limit: u32, after: Option<DeliveryId>) -> OpenQuery {
    OpenQuery {
        contract: None,
        limit,
        after,
        dead_letters: true,
    }
}

async fn list(spine: &Spine, receiver: &Caller, page: u32) -> Vec<OpenDelivery> {
    let mut all: Vec<OpenDelivery> = Vec::new();
    loop {
        let after = all.last().map(|row| row.delivery);
        let more = spine.open(receiver, query(page, after)).await.unwrap();
        if more.is_empty() {
            return all;
        }
        all.extend(more);
    }
}

/// Waits for an answer for so many turns of the node, then leaves.
async fn cut<T>(call: impl Future<Output = T>, polls: u32) -> Option<T> {
    let mut call = pin!(call);
    for _ in 0..polls {
        let answer = std::future::poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await;
        if let Poll::Ready(answer) = answer {
            return Some(answer);
        }
        yield_now().await;
    }
    None
}

/// Where a receiver's word leads; none: it says nothing new. The inner: no state changes.
fn becomes(before: &Standing, word: Word) -> Option<Option<DeliveryState>> {
    use DeliveryState::{DeadLettered, Delivered, Withdrawn};
    match (before.state, word) {
        (Delivered, _) | (DeadLettered, Word::Failed | Word::Never) => None,
        (_, Word::Done) => Some(Some(Delivered)),
        // What was taken back was not had: that it could not be taken changes nothing.
        (_, Word::Mark) | (Withdrawn, Word::Failed | Word::Never) => Some(None),
        (_, Word::Failed | Word::Never) => Some(Some(DeadLettered)),
    }
}

impl Word {
    fn outcome(self) -> Outcome {
        match self {
            Self::Done => Outcome::Delivered,
            Self::Failed => Outcome::Failed(lgsp_store::RECEIVER_FAILED),
            Self::Never => Outcome::Failed(ReasonCode::new("FORM_UNKNOWN")),
            Self::Mark => Outcome::Mark(lgsp_types::Mark::Processing),
        }
    }
}

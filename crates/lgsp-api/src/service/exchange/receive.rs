//! Receiving on a stream: deliveries go out as they come, in order, as many as the receiver gave credit for.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::{FuturesOrdered, FuturesUnordered};
use lgsp_proto::exchange::v1;
use lgsp_proto::exchange::v1::receive_request::Request as Asked;
use lgsp_proto::exchange::v1::receive_response as answer;
use lgsp_proto::{read_contract_name, read_outcome, write_content, write_summary};
use lgsp_types::{
    Acknowledged, Caller, DeliveryId, Fetched, OpenDelivery, OpenQuery, OrderKey, Outcome, ReasonCode, Unavailable,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};
use tracing::{debug, warn};

use super::Answers;
use super::send::status_message;
use crate::identity::caller::Principal;
use crate::identity::limits::Held;
use crate::identity::who::Who;
use crate::service::{Common, Part, stopping, wrong};
use crate::status::{ToStatus as _, refused, too_late};

/// Deliveries that one stream may have handed out and not heard of, and most credit.
const OUTSTANDING_MAX: usize = 64;
/// Words on deliveries that are being recorded at one time.
const SETTLING_MAX: usize = 64;
/// Answers that wait for a client that reads slowly.
const ANSWERS_WAITING: usize = 4;
/// Rows of the first look at the list; a look that found too little looks at four times as many.
const LOOK: u32 = 256;
const LOOK_MAX: u32 = 8192;
/// When to look again after trouble.
const AFTER_TROUBLE: Duration = Duration::from_secs(1);
/// Letters of an id.
const ID_MAX_CHARS: usize = 36;
/// What is held for a delivery whose size is not known yet.
const PAYLOAD_ROOM: u64 = lgsp_types::PAYLOAD_MAX_BYTES as u64;

const BEGIN_TWICE: ReasonCode = ReasonCode::new("BEGIN_TWICE");
const BEGIN_MISSING: ReasonCode = ReasonCode::new("BEGIN_MISSING");
const CREDIT_INVALID: ReasonCode = ReasonCode::new("CREDIT_INVALID");
const FIELD_MISSING: ReasonCode = ReasonCode::new("FIELD_MISSING");

/// What a look at the list brought.
type Listed = Result<Vec<OpenDelivery>, Unavailable>;
type Answer = (Result<v1::ReceiveResponse, Status>, Option<Held>);

/// Begins to hand out; the work is done on the service's tasks.
pub(super) fn begin(
    common: Common,
    principal: Principal,
    caller: Caller,
    requests: Streaming<v1::ReceiveRequest>,
) -> Answers<v1::ReceiveResponse> {
    let (answers, stream) = mpsc::channel(ANSWERS_WAITING);
    let receiving = Receiving {
        who: principal.who().clone(),
        common: common.clone(),
        caller,
        answers,
    };
    common.tasks.spawn(Arc::new(receiving).run(requests));
    // The room of an answer is given back when the connection takes it.
    Box::pin(ReceiverStream::new(stream).map(|(answer, _room)| answer))
}

/// One stream of one receiver.
struct Receiving {
    who: Who,
    common: Common,
    caller: Caller,
    answers: mpsc::Sender<Answer>,
}

/// Where the stream stands.
#[derive(Default)]
struct State {
    contract: Option<String>,
    credit: usize,
    /// Handed out, or about to be, and not ended.
    outstanding: HashMap<DeliveryId, OrderKey>,
    /// The keys of those: of each key one is out at most.
    busy: HashSet<OrderKey>,
    /// Seen in the list and not out, in its order: the list is not read again for each.
    waiting: VecDeque<OpenDelivery>,
    /// The list may hold what was not looked at.
    look: bool,
    /// Rows of the next look.
    depth: u32,
    /// What has ended since the last look began: it may still be in what that one brings.
    ended: HashSet<DeliveryId>,
    /// Something became a dead letter since then: what was behind it may wait now, whatever that look brings.
    outdated: bool,
    /// After trouble: not before this.
    not_before: Option<Instant>,
}

/// What a word on a delivery came to.
struct Settled {
    delivery: String,
    /// The delivery that has ended by it, and how.
    ended: Option<(DeliveryId, Ended)>,
    outcome: Result<Acknowledged, Status>,
}

#[derive(Clone, Copy)]
enum Ended {
    Delivered,
    DeadLettered,
}

impl State {
    fn room(&self) -> usize {
        self.credit.min(OUTSTANDING_MAX.saturating_sub(self.outstanding.len()))
    }

    /// While much of what was seen is left, the list can wait.
    fn wants_look(&self) -> bool {
        self.look && self.not_before.is_none() && (self.room() > 0 || self.waiting.len() < OUTSTANDING_MAX)
    }

    fn free(&mut self, delivery: &DeliveryId) {
        if let Some(key) = self.outstanding.remove(delivery) {
            self.busy.remove(&key);
        }
    }

    fn end(&mut self, delivery: DeliveryId, how: Ended) {
        self.free(&delivery);
        self.ended.insert(delivery);
        self.look = true;
        if matches!(how, Ended::DeadLettered) {
            self.outdated = true;
            self.waiting.clear();
        }
    }

    /// It is not handed out after all.
    fn put_back(&mut self, delivery: DeliveryId) {
        self.free(&delivery);
        self.credit += 1;
        self.look = true;
    }

    fn may_hand_out(&self) -> bool {
        self.not_before.is_none() && self.room() > 0
    }

    /// Keeps what was seen of the list. Where that was all of it, what is out and not listed has ended.
    fn keep(&mut self, listed: Vec<OpenDelivery>) {
        let complete = listed.len() < self.depth as usize;
        if complete {
            let still: HashSet<_> = listed.iter().map(|row| row.delivery).collect();
            let out: Vec<_> = self.outstanding.keys().copied().collect();
            for gone in out.iter().filter(|delivery| !still.contains(delivery)) {
                self.free(gone);
            }
        }
        let fresh =
            |row: &OpenDelivery| !self.outstanding.contains_key(&row.delivery) && !self.ended.contains(&row.delivery);
        self.waiting = listed.into_iter().filter(fresh).collect();
        let some_free = self.waiting.iter().any(|row| !self.busy.contains(&row.order));
        // Where all that was seen waits behind what is out, what is further down may not; at the deepest, the next word
        // on one of those looks again.
        self.look |= !complete && (some_free || self.depth < LOOK_MAX);
        self.depth = if complete || some_free {
            LOOK
        } else {
            LOOK_MAX.min(self.depth * 4)
        };
    }

    /// Of what was seen, the first of each order key of which nothing is out, as many as there is room for.
    fn take(&mut self) -> Vec<OpenDelivery> {
        let (mut chosen, mut behind) = (Vec::new(), Vec::new());
        while self.room() > 0
            && let Some(row) = self.waiting.pop_front()
        {
            // Whatever waits behind the first of its key, waits until that one has ended.
            if self.busy.contains(&row.order) {
                behind.push(row);
            } else {
                self.credit -= 1;
                self.busy.insert(row.order.clone());
                self.outstanding.insert(row.delivery, row.order.clone());
                chosen.push(row);
            }
        }
        for row in behind.into_iter().rev() {
            self.waiting.push_front(row);
        }
        chosen
    }
}

impl Receiving {
    async fn run(self: Arc<Self>, mut requests: Streaming<v1::ReceiveRequest>) {
        let ended = match self.first(&mut requests).await {
            Ok(state) => self.hand_out(state, &mut requests).await,
            Err(status) => Err(status),
        };
        if let Err(status) = ended {
            drop(self.answer(Err(status), None).await);
        }
    }

    async fn first(&self, requests: &mut Streaming<v1::ReceiveRequest>) -> Result<State, Status> {
        let patience = self.common.patience;
        let first = timeout(patience, requests.message()).await;
        let first = first.map_err(|_| too_late(patience))??;
        let Some(Asked::Begin(begin)) = first.and_then(|request| request.request) else {
            let what = "the first request has none";
            return Err(wrong(BEGIN_MISSING, "begin", what, "begin with `begin`"));
        };
        let contract = read_contract_name(begin.contract, "begin.contract");
        Ok(State {
            contract: contract.map_err(|wrong| refused(&[wrong]))?,
            look: true,
            depth: LOOK,
            ..State::default()
        })
    }

    /// Until the receiver has ended the stream and every word of it is answered, or the node stops.
    async fn hand_out(
        self: &Arc<Self>,
        mut state: State,
        requests: &mut Streaming<v1::ReceiveRequest>,
    ) -> Result<(), Status> {
        // Asked for before the first look, so that nothing falls between the two.
        let mut arrivals = self.common.exchange.arrivals();
        let mut fetching = FuturesOrdered::new();
        let mut settling = FuturesUnordered::new();
        let mut looking = None;
        let mut open = true;
        while open || !settling.is_empty() {
            if open && state.may_hand_out() {
                let fetch = |row| self.common.begin(Arc::clone(self).fetch(row));
                fetching.extend(state.take().into_iter().map(fetch));
            }
            if open && looking.is_none() && state.wants_look() {
                looking = Some(self.begin_look(&mut state));
            }
            let not_before = state.not_before;
            tokio::select! {
                biased;
                () = self.answers.closed() => return Ok(()),
                () = self.common.stop.cancelled() => return Err(stopping()),
                Some(settled) = settling.next() => self.tell(&mut state, settled?).await?,
                Some(fetched) = fetching.next() => {
                    let (row, fetched) = fetched?;
                    self.hand(&mut state, row, fetched).await?;
                }
                looked = looked(&mut looking), if looking.is_some() => {
                    looking = None;
                    self.seen(&mut state, looked?);
                }
                request = requests.message(), if open && settling.len() < SETTLING_MAX => match request? {
                    Some(request) => {
                        let word = asked(&mut state, request)?;
                        settling.extend(word.map(|word| self.common.begin(Arc::clone(self).settle(word))));
                    }
                    None => open = false,
                },
                Some(()) = arrivals.next() => state.look = true,
                () = until(not_before), if not_before.is_some() => state.not_before = None,
            }
        }
        Ok(())
    }

    /// Looks at the list beside everything else: it waits for the projection, and what is out goes on meanwhile.
    fn begin_look(self: &Arc<Self>, state: &mut State) -> Part<Listed> {
        state.look = false;
        state.outdated = false;
        state.ended.clear();
        let query = OpenQuery {
            contract: state.contract.clone(),
            limit: state.depth,
            after: None,
            dead_letters: false,
        };
        let receiving = Arc::clone(self);
        let looking = async move { receiving.common.exchange.open(&receiving.caller, query).await };
        self.common.begin(looking)
    }

    fn seen(&self, state: &mut State, listed: Listed) {
        match listed {
            // It looks again: what made it so asked for that.
            Ok(_) if state.outdated => {}
            Ok(listed) => state.keep(listed),
            Err(error) => {
                warn!(error = &error as &dyn std::error::Error, "a stream looks again later");
                state.look = true;
                state.not_before = Some(Instant::now() + AFTER_TROUBLE);
            }
        }
    }

    async fn fetch(self: Arc<Self>, row: OpenDelivery) -> (OpenDelivery, Result<(Fetched, Held), Status>) {
        let fetched = async {
            // Before its size is known: as much as it may have.
            let room = self.common.room(&self.who, PAYLOAD_ROOM).await;
            let room = room.map_err(|error| error.status())?;
            let fetched = self.common.exchange.fetch(&self.caller, row.delivery).await;
            Ok((fetched.map_err(|error| error.status())?, room))
        };
        let fetched = fetched.await;
        (row, fetched)
    }

    async fn hand(
        &self,
        state: &mut State,
        row: OpenDelivery,
        fetched: Result<(Fetched, Held), Status>,
    ) -> Result<(), Status> {
        match fetched {
            Ok((fetched, room)) => {
                let handed = answer::Handed {
                    summary: Some(write_summary(&row)),
                    content: Some(write_content(&fetched)),
                };
                self.answer(Ok(answer::Response::Delivery(handed)), Some(room)).await
            }
            Err(status) => {
                state.put_back(row.delivery);
                // It ended between the list and the fetch, or there is trouble: look again, but not at once.
                debug!(delivery.id = %row.delivery, code = %status.code(), "not handed out");
                state.not_before = Some(Instant::now() + AFTER_TROUBLE);
                Ok(())
            }
        }
    }

    async fn settle(self: Arc<Self>, word: v1::AcknowledgeDeliveryRequest) -> Settled {
        // As it came, but never more than an id has.
        let delivery: String = word.delivery_id.chars().take(ID_MAX_CHARS).collect();
        let mut ended = None;
        let outcome = async {
            let (id, outcome, evidence) = read_outcome(word, "acknowledge").map_err(|wrong| refused(&wrong))?;
            let how = match &outcome {
                Outcome::Delivered => Some(Ended::Delivered),
                Outcome::Failed(_) => Some(Ended::DeadLettered),
                Outcome::Mark(_) => None,
            };
            let exchange = &self.common.exchange;
            let acknowledged = exchange.acknowledge(&self.caller, id, outcome, evidence).await;
            ended = how.map(|how| (id, how));
            acknowledged.map_err(|error| error.status())
        };
        let outcome = outcome.await;
        Settled {
            delivery,
            ended: ended.filter(|_| outcome.is_ok()),
            outcome,
        }
    }

    async fn tell(&self, state: &mut State, settled: Settled) -> Result<(), Status> {
        if let Some((delivery, how)) = settled.ended {
            state.end(delivery, how);
        }
        let outcome = match settled.outcome {
            Ok(acknowledged) => answer::acknowledged::Outcome::Done(v1::AcknowledgeDeliveryResponse {
                already: acknowledged == Acknowledged::Already,
            }),
            Err(status) => answer::acknowledged::Outcome::Error(status_message(&status)),
        };
        let acknowledged = answer::Acknowledged {
            delivery_id: settled.delivery,
            outcome: Some(outcome),
        };
        self.answer(Ok(answer::Response::Acknowledged(acknowledged)), None)
            .await
    }

    /// # Errors
    /// The receiver takes nothing any more: the stream ends with this.
    async fn answer(&self, response: Result<answer::Response, Status>, room: Option<Held>) -> Result<(), Status> {
        let response = response.map(|response| v1::ReceiveResponse {
            response: Some(response),
        });
        // Where nobody takes answers, the connection ends, and this with it: see `taken`.
        self.answers.send((response, room)).await.map_err(|_| stopping())
    }
}

/// A word on a delivery, or more credit.
fn asked(state: &mut State, request: v1::ReceiveRequest) -> Result<Option<v1::AcknowledgeDeliveryRequest>, Status> {
    match request.request {
        Some(Asked::Credit(more)) => {
            let credit = state.credit.saturating_add(more as usize);
            if more == 0 || credit > OUTSTANDING_MAX {
                let what = format!("{more} more makes {credit}, where 1 to {OUTSTANDING_MAX} may be open at any time");
                return Err(wrong(
                    CREDIT_INVALID,
                    "credit",
                    what,
                    "give credit for what was handed over",
                ));
            }
            state.credit = credit;
            state.look = true;
            Ok(None)
        }
        Some(Asked::Acknowledge(word)) => Ok(Some(word)),
        Some(Asked::Begin(_)) => Err(wrong(BEGIN_TWICE, "begin", "came a second time", "open another stream")),
        None => Err(wrong(
            FIELD_MISSING,
            "request",
            "is absent",
            "send `credit` or `acknowledge`",
        )),
    }
}

/// What the look that is under way brings.
async fn looked(looking: &mut Option<Part<Listed>>) -> Result<Listed, Status> {
    match looking {
        Some(looking) => looking.await,
        None => std::future::pending().await,
    }
}

async fn until(then: Option<Instant>) {
    sleep_until(then.unwrap_or_else(Instant::now)).await;
}

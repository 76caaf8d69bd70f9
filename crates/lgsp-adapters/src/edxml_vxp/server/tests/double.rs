//! A stand-in for the exchange, which lives in a crate of the same layer: it keeps what it is told and says what a
//! test scripts; it has none of the exchange's rules.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use lgsp_types::{
    AcknowledgeError, Acknowledged, AgencyCode, AgencyId, AgencyView, Arrivals, Attachment, Caller, ContentError,
    ContentStream, ContractRef, DeliveryId, DeliveryState, Digest, DocumentDate, Evidence, Exchange, FetchError,
    Fetched, IdKey, LedgerPosition, MsgId, ObjectReader, OpenDelivery, OpenQuery, OrderKey, Outcome, Publish,
    PublishError, Receipt, Rejection, Role, SentMessage, Staged, SystemId, SystemView, Unavailable, UnixMs, Upload,
    UploadError, WithdrawError, Withdrawal,
};
use tokio::sync::Semaphore;

/// Longest wait of a test for something to happen.
const WAIT: Duration = Duration::from_secs(20);
/// Chunks in which objects are read.
const CHUNK_BYTES: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Double {
    state: Mutex<State>,
    changed: Condvar,
    /// A test takes the permit to hold every publish back.
    pub(super) door: Semaphore,
}

/// What was told, and what to say.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) systems: HashMap<SystemId, SystemView>,
    /// Which system an agency's deliveries go to.
    pub(super) receivers: HashMap<AgencyCode, SystemId>,
    pub(super) agencies: Vec<AgencyView>,
    pub(super) published: Vec<(MsgId, Publish)>,
    pub(super) deliveries: Vec<(SystemId, OpenDelivery, Fetched)>,
    pub(super) acknowledged: Vec<(DeliveryId, Outcome, Evidence)>,
    pub(super) rejected: Vec<(Caller, Rejection)>,
    pub(super) objects: HashMap<Digest, Bytes>,
    pub(super) uploads_begun: usize,
    /// Uploads and reads that were dropped before their end.
    pub(super) dropped: usize,
    /// Answers to the next publishes, before those of its own.
    pub(super) publish_errors: VecDeque<PublishError>,
    pub(super) upload_errors: VecDeque<UploadError>,
    pub(super) unavailable: bool,
    /// Chunk of every object that turns out to be damaged.
    pub(super) damaged_chunk: Option<usize>,
}

impl Double {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            door: Semaphore::new(1),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.state());
        self.changed.notify_all();
        changed
    }

    /// Waits until this is so.
    pub(super) fn wait_until(&self, what: &str, is_so: impl Fn(&State) -> bool) {
        let waited = self
            .changed
            .wait_timeout_while(self.state(), WAIT, |state| !is_so(state))
            .unwrap();
        assert!(!waited.1.timed_out(), "never came: {what}");
    }

    pub(super) fn rejected_codes(&self) -> Vec<String> {
        let state = self.state();
        let refusals = state.rejected.iter().flat_map(|(_, rejection)| &rejection.refusals);
        refusals.map(|refusal| refusal.code.to_string()).collect()
    }

    fn available(&self) -> Result<(), Unavailable> {
        if self.state().unavailable {
            Err(Unavailable::new("down"))
        } else {
            Ok(())
        }
    }
}

/// The port, over a double that others hold too.
#[derive(Clone, Debug)]
pub(super) struct Shared(pub(super) std::sync::Arc<Double>);

#[async_trait]
impl Exchange for Shared {
    async fn upload(&self, _caller: &Caller) -> Result<Box<dyn Upload>, UploadError> {
        self.0.available()?;
        if let Some(error) = self.0.state().upload_errors.pop_front() {
            return Err(error);
        }
        self.0.change(|state| state.uploads_begun += 1);
        Ok(Box::new(Memory {
            exchange: self.clone(),
            bytes: Vec::new(),
            ended: false,
        }))
    }

    async fn publish(&self, caller: &Caller, publish: Publish) -> Result<Receipt, PublishError> {
        let _inside = self.0.door.acquire().await.unwrap();
        self.0.available()?;
        if let Some(error) = self.0.state().publish_errors.pop_front() {
            return Err(error);
        }
        let key = IdKey::new(&[1; 32]);
        let msg_id = key.msg_id(&caller.system, &publish.order_key, &publish.idempotency_key);
        let repeat = self.0.change(|state| state.accept(msg_id, publish));
        Ok(Receipt {
            msg_id,
            position: LedgerPosition {
                ledger: "test".to_owned(),
                partition: 0,
                offset: 0,
            },
            append_ms: UnixMs(0),
            leaf_hash: Digest::of(b""),
            note: String::new(),
            repeat,
        })
    }

    async fn reject(&self, caller: &Caller, rejection: Rejection) -> Result<(), Unavailable> {
        self.0.available()?;
        self.0.change(|state| state.rejected.push((caller.clone(), rejection)));
        Ok(())
    }

    async fn open(&self, caller: &Caller, query: OpenQuery) -> Result<Vec<OpenDelivery>, Unavailable> {
        self.0.available()?;
        let state = self.0.state();
        let is_asked = |(system, open, _): &&(SystemId, OpenDelivery, Fetched)| {
            *system == caller.system
                && query
                    .contract
                    .as_deref()
                    .is_none_or(|contract| contract == open.contract.name())
                && open.state != DeliveryState::Delivered
        };
        let limit = usize::try_from(query.limit).unwrap();
        Ok(state
            .deliveries
            .iter()
            .filter(is_asked)
            .map(|(_, open, _)| open.clone())
            .take(limit)
            .collect())
    }

    async fn sent(&self, _caller: &Caller, _message: MsgId) -> Result<Option<SentMessage>, Unavailable> {
        panic!("a façade asks for no message that was sent")
    }

    async fn withdraw(
        &self,
        _caller: &Caller,
        _message: MsgId,
        _to: Option<AgencyCode>,
    ) -> Result<Vec<Withdrawal>, WithdrawError> {
        panic!("a façade takes nothing back")
    }

    fn arrivals(&self) -> Arrivals {
        panic!("a façade waits for nothing")
    }

    async fn fetch(&self, caller: &Caller, delivery: DeliveryId) -> Result<Fetched, FetchError> {
        self.0.available()?;
        let state = self.0.state();
        let mut own = state.deliveries.iter().filter(|(system, ..)| *system == caller.system);
        let found = own
            .find(|(_, open, _)| open.delivery == delivery)
            .ok_or(FetchError::NotFound)?;
        if found.1.state == DeliveryState::Withdrawn {
            return Err(FetchError::Gone);
        }
        Ok(found.2.clone())
    }

    async fn acknowledge(
        &self,
        caller: &Caller,
        delivery: DeliveryId,
        outcome: Outcome,
        evidence: Evidence,
    ) -> Result<Acknowledged, AcknowledgeError> {
        self.0.available()?;
        self.0.change(|state| {
            let mut own = state
                .deliveries
                .iter_mut()
                .filter(|(system, ..)| *system == caller.system);
            let found = own
                .find(|(_, open, _)| open.delivery == delivery)
                .ok_or(AcknowledgeError::NotFound)?;
            match &outcome {
                Outcome::Delivered => found.1.state = DeliveryState::Delivered,
                Outcome::Failed(_) => found.1.state = DeliveryState::DeadLettered,
                Outcome::Mark(mark) => found.1.mark = Some(*mark),
            }
            state.acknowledged.push((delivery, outcome, evidence));
            Ok(Acknowledged::Done)
        })
    }

    fn system(&self, system: &SystemId) -> Option<SystemView> {
        self.0.state().systems.get(system).cloned()
    }

    fn agencies(&self, _as_of: DocumentDate) -> Vec<AgencyView> {
        self.0.state().agencies.clone()
    }
}

impl State {
    /// Whether it was there before.
    fn accept(&mut self, msg_id: MsgId, publish: Publish) -> bool {
        if self.published.iter().any(|(known, _)| *known == msg_id) {
            return true;
        }
        for to in &publish.to {
            let Some(system) = self.receivers.get(&to.code).cloned() else {
                continue;
            };
            let open = OpenDelivery {
                delivery: DeliveryId::of(msg_id, &AgencyId::outside(&to.code)),
                msg_id,
                contract: publish.contract.clone(),
                from: publish.from.code.clone(),
                to: to.code.clone(),
                order: order_of(&system, &to.code),
                accepted_ms: UnixMs(1_795_427_566_000),
                changed_ms: UnixMs(1_795_427_567_000),
                state: DeliveryState::Open,
                mark: None,
            };
            let fetched = Fetched {
                msg_id,
                contract: publish.contract.clone(),
                payload: publish.payload.clone(),
                objects: publish.objects.iter().map(|staged| staged.attachment.clone()).collect(),
                trace: None,
            };
            self.deliveries.push((system, open, fetched));
        }
        self.published.push((msg_id, publish));
        false
    }

    /// A delivery of these bytes to this system, as if a packet had come in.
    pub(super) fn deliver(&mut self, to: &SystemId, packet: Bytes) -> DeliveryId {
        let digest = Digest::of(&packet);
        let msg_id = IdKey::new(&[1; 32]).msg_id(to, "", &digest.to_string());
        let contract = ContractRef::parse("vn.lgsp.document/1").unwrap();
        let code = AgencyCode::parse("H62.14").unwrap();
        let original = Attachment {
            role: Role::Original,
            name: "edoc.edxml".to_owned(),
            media_type: "application/xml".to_owned(),
            size_bytes: packet.len() as u64,
            digest,
        };
        self.objects.insert(digest, packet);
        let delivery = DeliveryId::of(msg_id, &AgencyId::outside(&code));
        let open = OpenDelivery {
            delivery,
            msg_id,
            contract: contract.clone(),
            from: code.clone(),
            to: code,
            order: order_of(to, &AgencyCode::parse("H62.14").unwrap()),
            accepted_ms: UnixMs(0),
            changed_ms: UnixMs(0),
            state: DeliveryState::Open,
            mark: None,
        };
        let fetched = Fetched {
            msg_id,
            contract,
            payload: Bytes::new(),
            objects: vec![original],
            trace: None,
        };
        self.deliveries.push((to.clone(), open, fetched));
        delivery
    }
}

#[derive(Debug)]
struct Memory {
    exchange: Shared,
    bytes: Vec<u8>,
    ended: bool,
}

#[async_trait]
impl Upload for Memory {
    async fn write(&mut self, chunk: Bytes) -> Result<(), UploadError> {
        self.bytes.extend_from_slice(&chunk);
        Ok(())
    }

    async fn finish(mut self: Box<Self>, name: &str, media_type: &str, role: Role) -> Result<Staged, UploadError> {
        self.ended = true;
        let digest = Digest::of(&self.bytes);
        let bytes = Bytes::from(std::mem::take(&mut self.bytes));
        let attachment = Attachment {
            role,
            name: name.to_owned(),
            media_type: media_type.to_owned(),
            size_bytes: bytes.len() as u64,
            digest,
        };
        self.exchange.0.change(|state| state.objects.insert(digest, bytes));
        Ok(Staged {
            staging: digest.to_string(),
            attachment,
        })
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let dropped = usize::from(!self.ended);
        self.exchange.0.change(|state| state.dropped += dropped);
    }
}

#[async_trait]
impl ObjectReader for Shared {
    async fn read(&self, object: &Attachment) -> Result<ContentStream, ContentError> {
        let state = self.0.state();
        let bytes = state.objects.get(&object.digest).cloned().unwrap_or_default();
        let reading = Reading {
            exchange: self.clone(),
            bytes,
            chunk: 0,
            damaged: state.damaged_chunk,
        };
        let digest = object.digest;
        Ok(Box::pin(stream::unfold(reading, move |mut reading| async move {
            if reading.damaged == Some(reading.chunk) {
                return Some((Err(ContentError::Damaged { digest }), reading));
            }
            reading.chunk += 1;
            let next = reading.bytes.split_to(CHUNK_BYTES.min(reading.bytes.len()));
            (!next.is_empty()).then_some((Ok(next), reading))
        })))
    }
}

#[derive(Debug)]
struct Reading {
    exchange: Shared,
    bytes: Bytes,
    chunk: usize,
    damaged: Option<usize>,
}

impl Drop for Reading {
    fn drop(&mut self) {
        let dropped = usize::from(!self.bytes.is_empty());
        self.exchange.0.change(|state| state.dropped += dropped);
    }
}

fn order_of(system: &SystemId, to: &AgencyCode) -> OrderKey {
    OrderKey {
        system: system.clone(),
        key: String::from("k"),
        addressee: AgencyId::outside(to),
    }
}

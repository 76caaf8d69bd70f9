//! A stand-in for the exchange, which lives in a crate of the same layer: it keeps what it is told and says what a test
//! scripts; and one for the registry's list of adapters.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use futures_util::stream;
use lgsp_types::{
    AcknowledgeError, Acknowledged, AdapterId, AgencyCode, AgencyId, AgencyView, Arrivals, Attachment, Caller,
    ConnectorId, ContentError, ContentStream, ContractRef, DeliveryId, DeliveryState, Digest, DocumentDate, Evidence,
    Exchange, Fate, FetchError, Fetched, LedgerPosition, MsgId, ObjectReader, OpenDelivery, OpenQuery, OrderKey,
    Outcome, Publish, PublishError, Receipt, Rejection, Role, Roster, SentMessage, Staged, SystemId, SystemView,
    Traceparent, Unavailable, UnixMs, Upload, UploadError, WithdrawError, Withdrawal, Written,
};
use tokio::sync::{Notify, Semaphore, watch};
use tonic::async_trait;

#[derive(Debug)]
pub(super) struct Double {
    shared: Arc<Shared>,
    /// A test takes the permit to hold every publish back.
    pub(super) door: Semaphore,
    /// A publish waits at the door.
    pub(super) knocked: Notify,
    arrivals: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    dropped: Notify,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) published: Vec<(Caller, Publish)>,
    pub(super) receipts: Vec<Receipt>,
    pub(super) publish_errors: VecDeque<PublishError>,
    pub(super) upload_errors: VecDeque<UploadError>,
    pub(super) object_max_bytes: Option<u64>,
    pub(super) rejected: Vec<(Caller, Rejection)>,
    pub(super) waiting: Vec<(SystemId, OpenDelivery, Fetched)>,
    pub(super) words: Vec<(DeliveryId, Outcome, Evidence)>,
    pub(super) damaged: bool,
    /// Bytes of objects that were read from here.
    pub(super) handed_out: usize,
    staged: HashMap<String, Bytes>,
    objects: HashMap<Digest, Bytes>,
    dropped: usize,
}

impl State {
    pub(super) fn stored(&self, staging: &str) -> Bytes {
        self.staged[staging].clone()
    }

    pub(super) fn keep(&mut self, object: &[u8]) {
        self.objects.insert(Digest::of(object), Bytes::copy_from_slice(object));
    }
}

impl Default for Double {
    fn default() -> Self {
        Self {
            shared: Arc::default(),
            door: Semaphore::new(1),
            knocked: Notify::new(),
            arrivals: watch::Sender::new(0),
        }
    }
}

impl Double {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }

    pub(super) fn arrived(&self) {
        self.arrivals.send_modify(|count| *count += 1);
    }

    /// Waits until so many uploads were dropped before their end.
    pub(super) async fn dropped_uploads(&self, count: usize) {
        loop {
            let dropped = self.shared.dropped.notified();
            if self.state().dropped >= count {
                return;
            }
            dropped.await;
        }
    }
}

#[async_trait]
impl Exchange for Double {
    async fn upload(&self, _caller: &Caller) -> Result<Box<dyn Upload>, UploadError> {
        if let Some(error) = self.state().upload_errors.pop_front() {
            return Err(error);
        }
        Ok(Box::new(Memory {
            shared: Arc::clone(&self.shared),
            bytes: Vec::new(),
            finished: false,
        }))
    }

    async fn publish(&self, caller: &Caller, publish: Publish) -> Result<Receipt, PublishError> {
        self.knocked.notify_one();
        let _inside = self.door.acquire().await.unwrap();
        let mut state = self.state();
        if let Some(error) = state.publish_errors.pop_front() {
            return Err(error);
        }
        state.published.push((caller.clone(), publish));
        let receipt = Receipt {
            msg_id: id(u8::try_from(state.published.len()).unwrap()),
            position: LedgerPosition {
                ledger: String::from("lgsp"),
                partition: 0,
                offset: state.published.len() as u64,
            },
            append_ms: UnixMs(5),
            leaf_hash: Digest::of(b"leaf"),
            note: String::from("note"),
            repeat: false,
        };
        state.receipts.push(receipt.clone());
        Ok(receipt)
    }

    async fn reject(&self, caller: &Caller, rejection: Rejection) -> Result<(), Unavailable> {
        self.state().rejected.push((caller.clone(), rejection));
        Ok(())
    }

    async fn open(&self, caller: &Caller, query: OpenQuery) -> Result<Vec<OpenDelivery>, Unavailable> {
        let state = self.state();
        let own = state.waiting.iter().filter(|(system, ..)| *system == caller.system);
        Ok(own
            .map(|(_, open, _)| open.clone())
            .take(query.limit as usize)
            .collect())
    }

    async fn fetch(&self, caller: &Caller, delivery: DeliveryId) -> Result<Fetched, FetchError> {
        let state = self.state();
        let mut own = state.waiting.iter().filter(|(system, ..)| *system == caller.system);
        let found = own.find(|(_, open, _)| open.delivery == delivery);
        found.map(|(.., fetched)| fetched.clone()).ok_or(FetchError::NotFound)
    }

    async fn acknowledge(
        &self,
        caller: &Caller,
        delivery: DeliveryId,
        outcome: Outcome,
        evidence: Evidence,
    ) -> Result<Acknowledged, AcknowledgeError> {
        let mut state = self.state();
        let mut own = state.waiting.iter().filter(|(system, ..)| *system == caller.system);
        if !own.any(|(_, open, _)| open.delivery == delivery) {
            return Err(AcknowledgeError::NotFound);
        }
        state.words.push((delivery, outcome, evidence));
        Ok(Acknowledged::Done)
    }

    async fn sent(&self, _caller: &Caller, _message: MsgId) -> Result<Option<SentMessage>, Unavailable> {
        Ok(None)
    }

    /// As if every message were one that was sent to `H62.01` and can be taken back, but for those with id 9.
    async fn withdraw(
        &self,
        _caller: &Caller,
        message: MsgId,
        to: Option<AgencyCode>,
    ) -> Result<Vec<Withdrawal>, WithdrawError> {
        if message == id(9) {
            return Err(WithdrawError::NotFound);
        }
        Ok(vec![Withdrawal {
            delivery: DeliveryId::from_bytes([4; 16]),
            to: to.unwrap_or(AgencyCode::parse("H62.01").unwrap()),
            fate: Fate::Withdrawn,
            state: DeliveryState::Withdrawn,
        }])
    }

    fn arrivals(&self) -> Arrivals {
        let arrivals = self.arrivals.subscribe();
        Box::pin(stream::unfold(arrivals, |mut arrivals| async move {
            arrivals.changed().await.ok()?;
            Some(((), arrivals))
        }))
    }

    fn system(&self, system: &SystemId) -> Option<SystemView> {
        Some(view(system))
    }

    fn agencies(&self, as_of: DocumentDate) -> Vec<AgencyView> {
        vec![AgencyView {
            agency: AgencyId::parse("test.so").unwrap(),
            name: as_of.iso_text(),
            parent: None,
            code: None,
            old_code: None,
            mail: String::new(),
            closed: false,
        }]
    }
}

#[async_trait]
impl ObjectReader for Double {
    async fn read(&self, object: &Attachment) -> Result<ContentStream, ContentError> {
        let (shared, digest) = (Arc::clone(&self.shared), object.digest);
        let (bytes, damaged) = {
            let state = self.state();
            (state.objects[&digest].clone(), state.damaged)
        };
        let chunks = stream::unfold((bytes, false), move |(mut rest, ended)| {
            let shared = Arc::clone(&shared);
            async move {
                if ended || rest.is_empty() {
                    return (damaged && !ended).then(|| (Err(ContentError::Damaged { digest }), (rest, true)));
                }
                let chunk = rest.split_to(rest.len().min(200_000));
                shared.state.lock().unwrap().handed_out += chunk.len();
                Some((Ok(chunk), (rest, false)))
            }
        });
        Ok(Box::pin(chunks))
    }
}

/// An upload that keeps its bytes.
#[derive(Debug)]
struct Memory {
    shared: Arc<Shared>,
    bytes: Vec<u8>,
    finished: bool,
}

#[async_trait]
impl Upload for Memory {
    async fn write(&mut self, chunk: Bytes) -> Result<(), UploadError> {
        self.bytes.extend_from_slice(&chunk);
        match self.shared.state.lock().unwrap().object_max_bytes {
            Some(limit_bytes) if self.bytes.len() as u64 > limit_bytes => Err(UploadError::TooLarge { limit_bytes }),
            _ => Ok(()),
        }
    }

    async fn finish(mut self: Box<Self>, name: &str, media_type: &str, role: Role) -> Result<Staged, UploadError> {
        self.finished = true;
        let bytes = std::mem::take(&mut self.bytes);
        let mut state = self.shared.state.lock().unwrap();
        let staging = format!("staging-{}", state.staged.len());
        let staged = Staged {
            staging: staging.clone(),
            attachment: Attachment {
                role,
                name: name.to_owned(),
                media_type: media_type.to_owned(),
                size_bytes: bytes.len() as u64,
                digest: Digest::of(&bytes),
            },
        };
        state.staged.insert(staging, bytes.into());
        Ok(staged)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if !self.finished {
            self.shared.state.lock().unwrap().dropped += 1;
            self.shared.dropped.notify_waiters();
        }
    }
}

/// The registry's list of the one adapter `vxp-1`.
#[derive(Debug)]
pub(super) struct Roll(Mutex<(u64, Option<Vec<SystemId>>)>);

impl Roll {
    pub(super) fn new(systems: &[&str]) -> Self {
        Self(Mutex::new((0, Some(systems.iter().map(|name| system(name)).collect()))))
    }

    pub(super) fn set(&self, systems: &[&str]) {
        let mut roll = self.0.lock().unwrap();
        *roll = (roll.0 + 1, Some(systems.iter().map(|name| system(name)).collect()));
    }

    /// The adapter is no more.
    pub(super) fn remove(&self) {
        let mut roll = self.0.lock().unwrap();
        *roll = (roll.0 + 1, None);
    }
}

impl Roster for Roll {
    fn systems(&self, adapter: &AdapterId) -> Option<Vec<SystemView>> {
        let systems = self.0.lock().unwrap().1.clone();
        let systems = systems.filter(|_| adapter.as_str() == "vxp-1")?;
        Some(systems.iter().map(view).collect())
    }

    fn speaks_as(&self, adapter: &AdapterId, system: &SystemId) -> bool {
        let systems = self.systems(adapter).unwrap_or_default();
        systems.iter().any(|view| view.system == *system)
    }

    fn connectors(&self, system: &SystemId, kind: &str) -> Vec<ConnectorId> {
        let own = kind == "edxml-vxp" && system.as_str() == "b";
        own.then(|| ConnectorId::parse("push-b").unwrap()).into_iter().collect()
    }

    fn revision(&self) -> u64 {
        self.0.lock().unwrap().0
    }
}

fn view(system: &SystemId) -> SystemView {
    SystemView {
        system: system.clone(),
        agency: AgencyId::parse("test.so").unwrap(),
        secret_ref: Some(system.to_string()),
        key_id: String::from("k"),
    }
}

pub(super) fn system(name: &str) -> SystemId {
    SystemId::parse(name).unwrap()
}

pub(super) fn id(byte: u8) -> MsgId {
    MsgId::from_bytes([byte; 16])
}

fn contract() -> ContractRef {
    ContractRef::parse("vn.lgsp.document/1").unwrap()
}

fn code(text: &str) -> AgencyCode {
    AgencyCode::parse(text).unwrap()
}

pub(super) fn message(key: &str) -> Publish {
    let written = |text: &str, path: &str| Written {
        code: code(text),
        path: path.to_owned(),
    };
    Publish {
        contract: contract(),
        from: written("H62.11", "/edXML/From"),
        to: vec![written("H62.14", "/edXML/To[1]")],
        purpose: String::new(),
        order_key: String::from("order"),
        idempotency_key: key.to_owned(),
        case: String::new(),
        codes_as_of: None,
        documents: Vec::new(),
        act: String::new(),
        due: None,
        payload: Bytes::from_static(b"{}"),
        objects: Vec::new(),
    }
}

pub(super) fn attachment(bytes: &[u8]) -> Attachment {
    Attachment {
        role: Role::Original,
        name: String::from("edoc.edxml"),
        media_type: String::from("application/xml"),
        size_bytes: bytes.len() as u64,
        digest: Digest::of(bytes),
    }
}

/// Of whatever is handed out.
pub(super) const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

pub(super) fn fetched(objects: &[&[u8]]) -> Fetched {
    Fetched {
        msg_id: id(1),
        contract: contract(),
        payload: Bytes::from_static(b"{}"),
        objects: objects.iter().map(|bytes| attachment(bytes)).collect(),
        trace: Traceparent::parse(TRACEPARENT).ok(),
    }
}

pub(super) fn waiting(delivery: DeliveryId) -> OpenDelivery {
    OpenDelivery {
        delivery,
        msg_id: id(1),
        contract: contract(),
        from: code("H62.11"),
        to: code("H62.14"),
        order: OrderKey {
            system: system("s"),
            key: String::from("order"),
            addressee: AgencyId::parse("test.so").unwrap(),
        },
        accepted_ms: UnixMs(1),
        changed_ms: UnixMs(2),
        state: DeliveryState::Open,
        mark: None,
    }
}

//! The two ports: what an adapter calls (`Exchange`) and what the exchange calls (`Adapter`).
//!
//! Source: architecture.md section 6, exchange.md section 5. In the node they are joined directly; an adapter as a
//! process of its own mirrors both over one stream.

use std::error::Error;
use std::fmt::Debug;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;
use thiserror::Error;

use crate::{
    AgencyCode, AgencyId, Attachment, Caller, ConnectorId, ContractRef, DeliveryId, Digest, DocumentDate, Evidence,
    MsgId, Publish, ReasonCode, Receipt, Refusal, Role, Staged, SystemId, Traceparent, UnixMs,
};

/// What broke below; the text of an error never repeats it.
pub type Cause = Box<dyn Error + Send + Sync + 'static>;

/// Nothing is known to be wrong with the call: try again after a moment.
#[derive(Debug, Error)]
#[error("the exchange cannot answer now")]
pub struct Unavailable {
    #[source]
    pub source: Cause,
}

impl Unavailable {
    #[must_use]
    pub fn new(source: impl Into<Cause>) -> Self {
        Self { source: source.into() }
    }
}

/// What an adapter calls. Every method but the views asks who calls; the adapter has proven it.
#[async_trait]
pub trait Exchange: Send + Sync + Debug {
    /// Begins an upload of one object; what was written is gone unless it is finished and published.
    ///
    /// # Errors
    /// [`UploadError`].
    async fn upload(&self, caller: &Caller) -> Result<Box<dyn Upload>, UploadError>;

    /// Accepts one message. Whoever holds the receipt holds the promise. A repeat gets the first answer.
    ///
    /// The staged objects are gone after any answer but an acceptance.
    ///
    /// # Errors
    /// [`PublishError`].
    async fn publish(&self, caller: &Caller, publish: Publish) -> Result<Receipt, PublishError>;

    /// Records that the adapter refuses what this caller sent; answer the caller only after it.
    ///
    /// # Errors
    /// [`Unavailable`]: tell the caller to send again, not that it was refused.
    async fn reject(&self, caller: &Caller, rejection: Rejection) -> Result<(), Unavailable>;

    /// The deliveries that wait for this caller, in ledger order, not yet ended.
    ///
    /// # Errors
    /// [`Unavailable`].
    async fn open(&self, caller: &Caller, query: OpenQuery) -> Result<Vec<OpenDelivery>, Unavailable>;

    /// Hands a delivery's content out; the first time this is a fact before the bytes leave.
    ///
    /// # Errors
    /// [`FetchError`].
    async fn fetch(&self, caller: &Caller, delivery: DeliveryId) -> Result<Fetched, FetchError>;

    /// Ends or marks a delivery of this caller. The same word again is the same answer.
    ///
    /// # Errors
    /// [`AcknowledgeError`].
    async fn acknowledge(
        &self,
        caller: &Caller,
        delivery: DeliveryId,
        outcome: Outcome,
        evidence: Evidence,
    ) -> Result<Acknowledged, AcknowledgeError>;

    /// Where a message that this caller sent stands; none: it sent no such message, another's is not told from none.
    ///
    /// # Errors
    /// [`Unavailable`].
    async fn sent(&self, caller: &Caller, message: MsgId) -> Result<Option<SentMessage>, Unavailable>;

    /// Takes a message that this caller sent back from one addressee, or from all, where nobody has had it; one answer for
    /// each. The same call again is the same answer.
    ///
    /// # Errors
    /// [`WithdrawError`].
    async fn withdraw(
        &self,
        caller: &Caller,
        message: MsgId,
        to: Option<AgencyCode>,
    ) -> Result<Vec<Withdrawal>, WithdrawError>;

    /// Says each time that lists of open deliveries may have grown since it was last asked; ends with the node.
    ///
    /// Ask for it before the first list, so that nothing falls between the two.
    fn arrivals(&self) -> Arrivals;

    /// What the registry knows of a system now; none if it is unknown or closed.
    fn system(&self, system: &SystemId) -> Option<SystemView>;

    /// The agencies of the registry as of a day, in a stable order.
    fn agencies(&self, as_of: DocumentDate) -> Vec<AgencyView>;
}

/// One object on its way in.
#[async_trait]
pub trait Upload: Send + Debug {
    /// Takes the next bytes. After an error the upload is of no use.
    ///
    /// # Errors
    /// [`UploadError`].
    async fn write(&mut self, chunk: Bytes) -> Result<(), UploadError>;

    /// Ends the object; its bytes are durable when this answers, its name once it is published.
    ///
    /// # Errors
    /// [`UploadError`].
    async fn finish(self: Box<Self>, name: &str, media_type: &str, role: Role) -> Result<Staged, UploadError>;
}

/// Why an upload failed.
#[derive(Debug, Error)]
pub enum UploadError {
    /// Send less.
    #[error("the object is larger than {limit_bytes} bytes")]
    TooLarge { limit_bytes: u64 },
    /// Try again when an operator made room.
    #[error("there is no room for the object")]
    Full,
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Why a message was not accepted.
#[derive(Debug, Error)]
pub enum PublishError {
    /// Final for this call, and recorded: correct what is named.
    #[error("the message is refused: {}", list(.0))]
    Refused(Vec<Refusal>),
    /// The idempotency key already stands for another request.
    #[error("the message {msg_id} was sent before with other content")]
    Conflict { msg_id: MsgId },
    /// Certainly not accepted: try again after a moment.
    #[error("the exchange cannot accept now")]
    Busy,
    /// Perhaps accepted: send the same again and get the first answer.
    #[error("it is not known whether the message was accepted")]
    Unknown,
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

fn list(refusals: &[Refusal]) -> String {
    refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// A refusal that the adapter itself decided on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// SHA-256 of what was sent, as far as it came.
    pub content: Digest,
    /// At least one.
    pub refusals: Vec<Refusal>,
}

/// Something may have arrived; many arrivals between two looks are one.
pub type Arrivals = Pin<Box<dyn Stream<Item = ()> + Send>>;

/// A message, as its sender sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentMessage {
    /// The acceptance receipt, as a repeat would get it.
    pub receipt: Receipt,
    /// One for each addressee.
    pub deliveries: Vec<SentDelivery>,
}

/// A message to one addressee, as its sender sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentDelivery {
    pub delivery: DeliveryId,
    /// As the sender wrote it.
    pub to: AgencyCode,
    pub state: DeliveryState,
    /// Delivered after it had ended otherwise.
    pub late: bool,
    /// Why it is dead-lettered or withdrawn.
    pub reason: Option<ReasonCode>,
    pub mark: Option<Mark>,
    pub changed_ms: UnixMs,
}

/// What became of taking one delivery back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    pub delivery: DeliveryId,
    /// As the sender wrote it.
    pub to: AgencyCode,
    pub fate: Fate,
    /// Where it stands now.
    pub state: DeliveryState,
}

/// Whether a delivery was taken back in time (exchange.md section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nobody has had it, and nobody will.
    Withdrawn,
    /// It is being pushed, or was: the receiver may have it.
    Tried,
    /// It was collected or delivered, or is a dead letter.
    TooLate,
}

/// Why it is not told what became of a withdrawal.
#[derive(Debug, Error)]
pub enum WithdrawError {
    /// This caller sent no such message, or not to this addressee; another's is not told from none.
    #[error("the caller sent no such message to this addressee")]
    NotFound,
    /// Perhaps taken back: ask again.
    #[error("it is not known whether the withdrawal was recorded")]
    Unknown,
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Which open deliveries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenQuery {
    /// Only messages of this contract, any version; all when none.
    pub contract: Option<String>,
    /// At most so many.
    pub limit: u32,
    /// Only those behind this delivery in the list.
    pub after: Option<DeliveryId>,
    /// Also those that the receiver could not take, which wait for people, and what their contract has wait behind them.
    pub dead_letters: bool,
}

/// One delivery that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenDelivery {
    pub delivery: DeliveryId,
    pub msg_id: MsgId,
    pub contract: ContractRef,
    /// As the sender wrote it.
    pub from: AgencyCode,
    /// As the sender wrote it.
    pub to: AgencyCode,
    /// What it is one after another with: the deliveries of one sending system and order key to one addressee.
    pub order: OrderKey,
    pub accepted_ms: UnixMs,
    /// When its state or mark last changed; that it was fetched is no change that a list shows.
    pub changed_ms: UnixMs,
    pub state: DeliveryState,
    pub mark: Option<Mark>,
}

/// Of the deliveries that share this, a later one waits until the earlier one has ended (exchange.md section 2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OrderKey {
    /// Who sent it.
    pub system: SystemId,
    /// Never empty.
    pub key: String,
    pub addressee: AgencyId,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeliveryState {
    Open,
    Collected,
    Delivered,
    DeadLettered,
    Withdrawn,
}

impl DeliveryState {
    /// Nothing has ended it: it still goes to its addressee.
    #[must_use]
    pub const fn waits(self) -> bool {
        matches!(self, Self::Open | Self::Collected)
    }

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Collected => "collected",
            Self::Delivered => "delivered",
            Self::DeadLettered => "dead-lettered",
            Self::Withdrawn => "withdrawn",
        }
    }

    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::Open,
            Self::Collected,
            Self::Delivered,
            Self::DeadLettered,
            Self::Withdrawn,
        ]
        .into_iter()
        .find(|state| state.name() == name)
    }
}

/// A soft mark on a delivery: shown, lost without harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mark {
    Initial,
    Inbox,
    Processing,
    Acceptance,
    Rejection,
}

impl Mark {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::Inbox => "inbox",
            Self::Processing => "processing",
            Self::Acceptance => "acceptance",
            Self::Rejection => "rejection",
        }
    }

    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::Initial,
            Self::Inbox,
            Self::Processing,
            Self::Acceptance,
            Self::Rejection,
        ]
        .into_iter()
        .find(|mark| mark.name() == name)
    }
}

/// Bytes of an object, checked against its digest: a stream that ends without an error had every byte right.
///
/// The last chunk is held back until the digest is known.
pub type ContentStream = Pin<Box<dyn Stream<Item = Result<Bytes, ContentError>> + Send>>;

/// Why content ended early.
#[derive(Debug, Error)]
pub enum ContentError {
    /// The stored object is not what was accepted: an operator must act.
    #[error("object {digest} is damaged")]
    Damaged { digest: Digest },
    #[error("object {digest} cannot be read")]
    Unreadable {
        digest: Digest,
        #[source]
        source: Cause,
    },
}

/// A delivery's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    pub msg_id: MsgId,
    pub contract: ContractRef,
    pub payload: Bytes,
    /// The original first; read each by [`ObjectReader`].
    pub objects: Vec<Attachment>,
    /// The message's trace, and the handing out as a span of it; none: it was accepted before there were traces.
    pub trace: Option<Traceparent>,
}

/// Reads objects of fetched deliveries.
#[async_trait]
pub trait ObjectReader: Send + Sync + Debug {
    /// # Errors
    /// [`ContentError`].
    async fn read(&self, object: &Attachment) -> Result<ContentStream, ContentError>;
}

/// Why nothing is handed out.
#[derive(Debug, Error)]
pub enum FetchError {
    /// No such delivery for this caller; another's is not told from none.
    #[error("there is no such delivery for this caller")]
    NotFound,
    /// It ended in a way that takes it from the receiver: withdrawn.
    #[error("the delivery was withdrawn")]
    Gone,
    /// Perhaps recorded: ask again.
    #[error("it is not known whether the fetch was recorded")]
    Unknown,
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// What a receiver says of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It has it.
    Delivered,
    /// It cannot take it: a dead letter with this reason, still listed.
    Failed(ReasonCode),
    /// A soft mark.
    Mark(Mark),
}

/// What became of the word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledged {
    /// It took effect.
    Done,
    /// It had been said, or came after Delivered: nothing changed.
    Already,
}

/// Why nothing changed.
#[derive(Debug, Error)]
pub enum AcknowledgeError {
    /// No such delivery for this caller; another's is not told from none.
    #[error("there is no such delivery for this caller")]
    NotFound,
    /// Perhaps recorded: say it again.
    #[error("it is not known whether the acknowledgement was recorded")]
    Unknown,
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// What an adapter may know of a system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemView {
    pub system: SystemId,
    pub agency: AgencyId,
    /// Name of its secret under the secrets folder; none if it has no shared secret.
    pub secret_ref: Option<String>,
    /// Random id of the secret in force, as facts name it.
    pub key_id: String,
}

/// What an adapter may know of an agency, as of a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgencyView {
    pub agency: AgencyId,
    pub name: String,
    pub parent: Option<AgencyId>,
    /// Code of Decision 20/2020.
    pub code: Option<AgencyCode>,
    /// Code of QCVN 102.
    pub old_code: Option<AgencyCode>,
    pub mail: String,
    /// Closed on that day.
    pub closed: bool,
}

/// What the exchange calls: an adapter that pushes to, or asks, a far side.
#[async_trait]
pub trait Adapter: Send + Sync + Debug {
    /// Can the far side be reached, with these credentials?
    ///
    /// # Errors
    /// [`CheckError`], for the operator.
    async fn check(&self, connector: &ConnectorId) -> Result<(), CheckError>;

    /// One try to hand one message to the far side; it may have had it before.
    async fn deliver(&self, push: Push) -> Pushed;

    /// One question to the far side; its record is in the ledger already.
    async fn answer(&self, question: Question) -> Answered;
}

/// Why a far side cannot be used.
#[derive(Debug, Error)]
#[error("the far side of `{connector}` cannot be used")]
pub struct CheckError {
    pub connector: ConnectorId,
    #[source]
    pub source: Cause,
}

/// A message for a far side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    pub connector: ConnectorId,
    pub delivery: DeliveryId,
    /// Counts from 1.
    pub attempt: u32,
    /// Ledger time of the Accepted fact: what every repeat of the same push may be stamped with.
    pub accepted_ms: UnixMs,
    pub from: AgencyCode,
    pub to: AgencyCode,
    pub content: Fetched,
}

/// What became of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pushed {
    Done(Evidence),
    Refused(ReasonCode),
    TryAgain {
        reason: ReasonCode,
        after: Option<Duration>,
    },
}

/// A question for a far side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub connector: ConnectorId,
    pub msg_id: MsgId,
    pub contract: ContractRef,
    pub payload: Bytes,
}

/// What the far side said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    Record(Bytes),
    NotFound,
    Refused(ReasonCode),
    TryAgain {
        reason: ReasonCode,
        after: Option<Duration>,
    },
}

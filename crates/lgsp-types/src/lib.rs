//! The words of the exchange as types: agency, document, ids, envelope, fact, receipt, and the two ports.
//! No I/O, no clock, no randomness: time and ids come in as arguments; nothing here knows a transport or a store.

mod agency;
mod calendar;
mod document;
mod envelope;
mod fact;
mod id;
mod operations;
mod ports;
mod reason;
mod receipt;
mod roster;
mod system;
mod time;
mod trace_context;
mod url;
mod vietnamese;

pub use agency::{AgencyCode, AgencyCodeError, AgencyId, CodePattern, Scheme};
pub use calendar::{Calendar, Hours, HoursError};
pub use document::{DocumentCode, DocumentError, DocumentNumber, Notation, fold, words};
pub use envelope::{
    ADDRESSEES_MAX, ATTACHMENTS_MAX, Attachment, ContractRef, ContractRefError, DocumentRef, Envelope, KEY_MAX_BYTES,
    PAYLOAD_MAX_BYTES, Party, Publish, Relation, Role, Staged, Written,
};
pub use fact::{
    Accepted, Actor, Clear, Delivery, Evidence, EvidenceKind, Fact, Finding, KeyEvent, KeyUse, Kind, Lookup, Node,
    Receiver, Rules, What,
};
pub use id::{
    DeliveryId, Digest, EventId, IdError, IdKey, LedgerPosition, MsgId, RefusalId, Request, Tag, TagKind, enc,
};
pub use operations::{
    DocumentQuery, FoundDocument, FoundDocuments, Happened, History, MessageEvidence, NodeStatus, Operations, PushLine,
    Tables, Trace, TracedAgency, TracedDelivery, TracedDocument, TracedDuty, TracedEvent, TracedMessage, TracedSaying,
    TracedStand, Uncollected,
};
pub use ports::{
    AcknowledgeError, Acknowledged, Adapter, AgencyView, Answered, Arrivals, Cause, CheckError, ContentError,
    ContentStream, DeliveryState, Exchange, Fate, FetchError, Fetched, Mark, ObjectReader, OpenDelivery, OpenQuery,
    OrderKey, Outcome, PublishError, Push, Pushed, Question, Rejection, SentDelivery, SentMessage, SystemView,
    Unavailable, Upload, UploadError, WithdrawError, Withdrawal,
};
pub use reason::{ReasonCode, ReasonCodeError, Refusal};
pub use receipt::Receipt;
pub use roster::Roster;
pub use system::{AdapterId, Caller, ConnectorId, GrantId, NameError, SystemId};
pub use time::{Clock, DateError, DocumentDate, DocumentTime, UnixMs, VN_OFFSET_SECONDS};
pub use trace_context::{SpanId, TraceContext, TraceContextError, TraceId, Traceparent};
pub use url::{Url, UrlError};

//! Why a try came to nothing, by a code that never changes; every one of them is worth another try.

use lgsp_types::{Cause, ReasonCode};
use thiserror::Error;

/// The host stands neither in `webhook.hosts` nor in `webhook.plain_hosts`.
pub(super) const HOST_NOT_ALLOWED: ReasonCode = ReasonCode::new("HOST_NOT_ALLOWED");
/// The address is `http://`, and the host does not stand in `webhook.plain_hosts`.
pub(super) const PLAIN_NOT_ALLOWED: ReasonCode = ReasonCode::new("PLAIN_NOT_ALLOWED");
/// The name means no address.
pub(super) const NAME_UNKNOWN: ReasonCode = ReasonCode::new("NAME_UNKNOWN");
/// The name means an address inside, and no `webhook.networks` holds it.
pub(super) const ADDRESS_FORBIDDEN: ReasonCode = ReasonCode::new("ADDRESS_FORBIDDEN");
pub(super) const CONNECT_FAILED: ReasonCode = ReasonCode::new("CONNECT_FAILED");
/// Name, connection and handshake took longer than `webhook.connect_timeout_ms`.
pub(super) const CONNECT_LATE: ReasonCode = ReasonCode::new("CONNECT_LATE");
/// Our file of roots cannot be used.
pub(super) const TLS_ROOTS: ReasonCode = ReasonCode::new("TLS_ROOTS");
/// The receiver's certificate is not good for its name, its day or our roots.
pub(super) const TLS_CERTIFICATE: ReasonCode = ReasonCode::new("TLS_CERTIFICATE");
/// What answers speaks no TLS 1.2 or 1.3.
pub(super) const TLS_FAILED: ReasonCode = ReasonCode::new("TLS_FAILED");
/// There is no secret for the system, or it is none of Standard Webhooks.
pub(super) const SECRET_UNUSABLE: ReasonCode = ReasonCode::new("SECRET_UNUSABLE");
/// A file of the delivery cannot be read.
pub(super) const CONTENT_UNREADABLE: ReasonCode = ReasonCode::new("CONTENT_UNREADABLE");
/// The receiver may have the delivery.
pub(super) const ANSWER_LATE: ReasonCode = ReasonCode::new("ANSWER_LATE");
/// The receiver cut the connection, or answered no HTTP; it may have the delivery.
pub(super) const ANSWER_BROKEN: ReasonCode = ReasonCode::new("ANSWER_BROKEN");

/// This try is over, and what it was stopped by.
#[derive(Debug, Error)]
#[error("{reason}")]
pub(super) struct Trouble {
    pub(super) reason: ReasonCode,
    #[source]
    source: Option<Cause>,
}

impl Trouble {
    pub(super) const fn new(reason: ReasonCode) -> Self {
        Self { reason, source: None }
    }

    /// As a function of the cause, for `map_err`.
    pub(super) fn by<C: Into<Cause>>(reason: ReasonCode) -> impl FnOnce(C) -> Self {
        |cause| Self {
            reason,
            source: Some(cause.into()),
        }
    }
}

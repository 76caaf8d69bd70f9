//! What the SDK's caller gets: the envelope of an answer, or how the call ended without one.

use std::io;

use thiserror::Error;

use super::connection::{Broken, is_late};
use super::json::{Json, JsonError};

/// The envelope every answer has. Source: vxp-wire.md 4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status, which the SDK does not look at (except in sendEdoc).
    pub http_status: u16,
    pub status: String,
    pub error_code: String,
    pub error_desc: String,
    /// Only in answers to sendEdoc.
    pub doc_id: Option<String>,
}

impl Answer {
    /// Success as applications test it: code exactly `0` and status `OK`.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.error_code == "0" && self.status == "OK"
    }

    pub(super) fn checked(self) -> Result<Self, CallError> {
        if self.is_ok() {
            Ok(self)
        } else {
            Err(CallError::Refused(self))
        }
    }
}

/// How a call ended, by what the caller does next.
#[derive(Debug, Error)]
pub enum CallError {
    /// The axis answered with a failure: act on its code.
    #[error("the axis refused with status `{}` and code `{}`", .0.status, .0.error_code)]
    Refused(Answer),
    /// Nothing usable was sent: correct the call.
    #[error("the call could not be sent: {what}")]
    NotSent {
        what: &'static str,
        #[source]
        source: Option<io::Error>,
    },
    /// The outcome is unknown: the connection died before an answer, `requests` times. Repeat the call.
    #[error("no answer to {requests} requests")]
    NoAnswer {
        requests: u32,
        #[source]
        source: io::Error,
    },
    /// The outcome is unknown: nothing moved within the client's time limit.
    #[error("no progress within the time limit")]
    Late,
    /// The answer broke off; what was received so far is worthless. Repeat the call.
    #[error("the answer broke off")]
    Cut {
        #[source]
        source: io::Error,
    },
    /// The SDK would return `null` here.
    #[error("the answer with http status {http_status} cannot be read: {what}")]
    Unreadable { http_status: u16, what: &'static str },
    /// The SDK would return an object whose fields are all null here.
    #[error("the answer with http status {http_status} holds nothing the sdk would see")]
    Blank { http_status: u16 },
    /// The caller's own sink failed.
    #[error("what was received could not be written")]
    Sink {
        #[source]
        source: io::Error,
    },
    /// Version 2.0.0 of the SDK has no such operation.
    #[error("`{operation}` is not in this version of the sdk")]
    NotInThisVersion { operation: &'static str },
}

impl CallError {
    /// The axis' code when it refused.
    #[must_use]
    pub fn error_code(&self) -> Option<&str> {
        self.refusal().map(|answer| answer.error_code.as_str())
    }

    /// The whole answer when the axis refused.
    #[must_use]
    pub fn refusal(&self) -> Option<&Answer> {
        if let Self::Refused(answer) = self {
            Some(answer)
        } else {
            None
        }
    }

    pub(super) fn broken(broken: Broken, requests: u32) -> Self {
        match broken {
            Broken::NoHost(source) | Broken::Refused(source) | Broken::Dead(source) => {
                Self::NoAnswer { requests, source }
            }
            Broken::Late => Self::Late,
            Broken::Cut(source) => Self::Cut { source },
            Broken::Packet(source) => Self::NotSent {
                what: "the packet could not be read to its end",
                source: Some(source),
            },
        }
    }

    pub(super) fn reading(source: io::Error) -> Self {
        if is_late(&source) {
            Self::Late
        } else {
            Self::Cut { source }
        }
    }

    pub(super) fn json(error: JsonError, http_status: u16) -> Self {
        match error {
            JsonError::Io(source) => Self::reading(source),
            JsonError::Sink(source) => Self::Sink { source },
            JsonError::Syntax(what) => Self::Unreadable { http_status, what },
        }
    }
}

/// Reads the members every answer must have: exact spelling, no null.
pub(super) fn envelope(json: &Json, http_status: u16) -> Result<Answer, CallError> {
    if !matches!(json, Json::Object(_)) {
        return Err(CallError::Blank { http_status });
    }
    let required = |name: &'static str| {
        let what = "`status`, `ErrorCode` or `ErrorDesc` is missing or null";
        json.member(name)
            .and_then(Json::as_text)
            .ok_or(CallError::Unreadable { http_status, what })
    };
    Ok(Answer {
        http_status,
        status: required("status")?,
        error_code: required("ErrorCode")?,
        error_desc: required("ErrorDesc")?,
        doc_id: json.member("DocId").and_then(Json::as_text),
    })
}

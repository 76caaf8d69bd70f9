//! What a caller is told when a call is not done: the status code, stable reasons, every wrong field, when to come again.
//!
//! The one place that chooses gRPC status codes. What each means to a client is the head of
//! `proto/lgsp/exchange/v1/exchange.proto`; the details are those of google.rpc (AIP-193).

use std::collections::HashMap;
use std::time::Duration;

use lgsp_types::{
    AcknowledgeError, ContentError, FetchError, PublishError, ReasonCode, Refusal, Unavailable, UploadError,
    WithdrawError,
};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, LocalizedMessage, StatusExt as _};

use crate::{IdentifyError, LimitError};

/// Of google.rpc.LocalizedMessage.
pub(crate) const VIETNAMESE: &str = "vi";

/// Whose reasons they are, in google.rpc.ErrorInfo.
const DOMAIN: &str = "lgsp";
/// When to come again where nothing says more: long enough for a moment of trouble to pass.
const RETRY_SOON: Duration = Duration::from_secs(1);
/// Most bytes of wrong fields that one answer names: details travel in a header as base64, and clients take headers of
/// 8 KiB in all by default.
const FIELDS_MAX_BYTES: usize = 3 * 1024;
/// Most bytes of Vietnamese that its fields have besides; those that come first have it.
const VIETNAMESE_MAX_BYTES: usize = 1024;
/// Longest text of ours in an answer, in bytes; the sender's own words may be part of it.
const TEXT_MAX_BYTES: usize = 300;

const CONTENT_DAMAGED: ReasonCode = ReasonCode::new("CONTENT_DAMAGED");
const KEY_CONFLICT: ReasonCode = ReasonCode::new("KEY_CONFLICT");
const ENCODING_UNKNOWN: ReasonCode = ReasonCode::new("ENCODING_UNKNOWN");
const MESSAGE_MALFORMED: ReasonCode = ReasonCode::new("MESSAGE_MALFORMED");
const MESSAGE_TOO_LARGE: ReasonCode = ReasonCode::new("MESSAGE_TOO_LARGE");
const METHOD_UNKNOWN: ReasonCode = ReasonCode::new("METHOD_UNKNOWN");
const NOT_FOUND: ReasonCode = ReasonCode::new("NOT_FOUND");
const NO_ROOM: ReasonCode = ReasonCode::new("NO_ROOM");
const NODE_BUSY: ReasonCode = ReasonCode::new("NODE_BUSY");
const NODE_TROUBLE: ReasonCode = ReasonCode::new("NODE_TROUBLE");
const OBJECT_TOO_LARGE: ReasonCode = ReasonCode::new("OBJECT_TOO_LARGE");
const OUTCOME_UNKNOWN: ReasonCode = ReasonCode::new("OUTCOME_UNKNOWN");
const STREAM_IDLE: ReasonCode = ReasonCode::new("STREAM_IDLE");
const WITHDRAWN: ReasonCode = ReasonCode::new("WITHDRAWN");

/// An error that ends a call.
pub trait ToStatus {
    /// What the caller is told. Causes below it are for our log, not for the caller.
    fn status(&self) -> Status;
}

impl ToStatus for PublishError {
    fn status(&self) -> Status {
        match self {
            Self::Refused(refusals) => refused(refusals),
            Self::Conflict { msg_id } => told(
                Code::AlreadyExists,
                &Refusal::new(
                    KEY_CONFLICT,
                    "message.idempotency_key",
                    format!("the key stands for message {msg_id}, which has other content"),
                    "use a key of its own for each message",
                ),
                None,
            ),
            Self::Busy => come_again(
                Code::ResourceExhausted,
                NODE_BUSY,
                "the node cannot accept now",
                RETRY_SOON,
            ),
            Self::Unknown => outcome_unknown(),
            Self::Unavailable(error) => error.status(),
        }
    }
}

impl ToStatus for UploadError {
    fn status(&self) -> Status {
        match self {
            Self::TooLarge { limit_bytes } => told(
                Code::InvalidArgument,
                &Refusal::new(
                    OBJECT_TOO_LARGE,
                    "chunk",
                    format!("the file has more than {limit_bytes} bytes"),
                    "send less",
                ),
                None,
            ),
            Self::Full => come_again(
                Code::ResourceExhausted,
                NO_ROOM,
                "there is no room for the file",
                RETRY_SOON,
            ),
            Self::Unavailable(error) => error.status(),
        }
    }
}

impl ToStatus for FetchError {
    fn status(&self) -> Status {
        match self {
            Self::NotFound => no_delivery(),
            Self::Gone => told(
                Code::FailedPrecondition,
                &Refusal::new(
                    WITHDRAWN,
                    "delivery_id",
                    "the sender took the message back",
                    "leave it out",
                ),
                None,
            ),
            Self::Unknown => outcome_unknown(),
            Self::Unavailable(error) => error.status(),
        }
    }
}

impl ToStatus for AcknowledgeError {
    fn status(&self) -> Status {
        match self {
            Self::NotFound => no_delivery(),
            Self::Unknown => outcome_unknown(),
            Self::Unavailable(error) => error.status(),
        }
    }
}

impl ToStatus for WithdrawError {
    fn status(&self) -> Status {
        match self {
            Self::NotFound => not_found(&Refusal::new(
                NOT_FOUND,
                "message_id",
                "this system sent no such message, or not to this addressee",
                "give the id of a receipt, and a code that stands in the message",
            )),
            Self::Unknown => outcome_unknown(),
            Self::Unavailable(error) => error.status(),
        }
    }
}

impl ToStatus for ContentError {
    fn status(&self) -> Status {
        match self {
            Self::Damaged { .. } => told(
                Code::DataLoss,
                &Refusal::new(
                    CONTENT_DAMAGED,
                    "/",
                    "the stored file is not what was accepted; what came is not whole",
                    "throw away what came, and call the operator",
                ),
                None,
            ),
            Self::Unreadable { .. } => come_again(
                Code::Unavailable,
                NODE_TROUBLE,
                "the file cannot be read now; what came is not whole",
                RETRY_SOON,
            ),
        }
    }
}

impl ToStatus for Unavailable {
    fn status(&self) -> Status {
        come_again(
            Code::Unavailable,
            NODE_TROUBLE,
            "the node cannot answer now; nothing was done",
            RETRY_SOON,
        )
    }
}

impl ToStatus for IdentifyError {
    fn status(&self) -> Status {
        told(Code::Unauthenticated, &self.refusal(), None)
    }
}

impl ToStatus for LimitError {
    fn status(&self) -> Status {
        match self {
            Self::Busy { code, retry_after } => come_again(
                Code::ResourceExhausted,
                code.clone(),
                "too much at one time; nothing was done",
                *retry_after,
            ),
            Self::Never { code, max_bytes } => told(
                Code::InvalidArgument,
                &Refusal::new(
                    code.clone(),
                    "/",
                    format!("has more than {max_bytes} bytes"),
                    "send less at a time",
                ),
                None,
            ),
        }
    }
}

/// Fields that are wrong, or a rule that forbids it: the first reason is that of the call, all of them are named.
#[must_use]
pub fn refused(refusals: &[Refusal]) -> Status {
    // A registry's word on who may speak for whom, and send what to whom, is about rights; all else can be corrected in the call.
    let forbids = |refusal: &&Refusal| {
        let code = refusal.code.as_str();
        code.starts_with("SENDER_") || code.contains("GRANT")
    };
    let code = match refusals.iter().find(forbids) {
        Some(_) => Code::PermissionDenied,
        None => Code::InvalidArgument,
    };
    let Some(first) = refusals.iter().find(forbids).or(refusals.first()) else {
        return Unavailable::new("a refusal without a reason").status();
    };
    let mut details = details(first, None);
    let mut bytes = 0;
    let fields = refusals.iter().map(violation).take_while(|field| {
        bytes += field.field.len() + field.description.len() + field.reason.len();
        bytes <= FIELDS_MAX_BYTES
    });
    let mut fields: Vec<FieldViolation> = fields.collect();
    let mut bytes = 0;
    for (field, refusal) in fields.iter_mut().zip(refusals) {
        let told = localized(refusal);
        bytes += told.as_ref().map_or(0, |told| told.message.len());
        if bytes > VIETNAMESE_MAX_BYTES {
            break;
        }
        field.localized_message = told;
    }
    details.set_bad_request(fields);
    Status::with_error_details(code, text(refusals), details)
}

/// This caller may not make this call.
#[must_use]
pub fn forbidden(refusal: &Refusal) -> Status {
    told(Code::PermissionDenied, refusal, None)
}

/// Nothing of this name is the caller's.
#[must_use]
pub(crate) fn not_found(refusal: &Refusal) -> Status {
    told(Code::NotFound, refusal, None)
}

/// What was begun did not come in time.
pub(crate) fn too_late(patience: Duration) -> Status {
    let what = format!("what was begun did not come within {} ms", patience.as_millis());
    let mend = "begin again when all of it is there to be sent";
    told(
        Code::DeadlineExceeded,
        &Refusal::new(STREAM_IDLE, "/", what, mend),
        None,
    )
}

/// Gives a call that ended below the services, where bytes become messages, a reason and what to do.
///
/// The library calls what it cannot read INTERNAL, as if it were our trouble; all of ours has details.
pub(crate) fn explain(headers: &mut http::HeaderMap) {
    let Some(status) = Status::from_header_map(headers).filter(|status| status.details().is_empty()) else {
        return;
    };
    let (code, reason, what, mend) = match status.code() {
        Code::Internal => (
            Code::InvalidArgument,
            MESSAGE_MALFORMED,
            "what came is no message of this method",
            "send protobuf, uncompressed, as the method's .proto file says",
        ),
        Code::OutOfRange => (
            Code::InvalidArgument,
            MESSAGE_TOO_LARGE,
            "one message is larger than any may be",
            "send less at a time; files are uploaded in chunks",
        ),
        Code::Unimplemented if headers.contains_key("grpc-accept-encoding") => (
            Code::Unimplemented,
            ENCODING_UNKNOWN,
            "messages are not read in this encoding",
            "send them uncompressed",
        ),
        Code::Unimplemented => (
            Code::Unimplemented,
            METHOD_UNKNOWN,
            "there is no such method",
            "call one that the .proto files, or server reflection, name",
        ),
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::InvalidArgument
        | Code::DeadlineExceeded
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::Unavailable
        | Code::DataLoss
        | Code::Unauthenticated => return,
    };
    let explained = told(code, &Refusal::new(reason, "/", what, mend), None);
    // What is left as it was is no worse.
    drop(explained.add_header(headers));
}

/// The node stops; what was not answered was perhaps done.
pub(crate) fn node_stops() -> Status {
    come_again(
        Code::Unavailable,
        OUTCOME_UNKNOWN,
        "the node stops; what it did not answer was perhaps done",
        RETRY_SOON,
    )
}

/// Too much at one time.
pub(crate) fn come_again_for(reason: ReasonCode, what: &str, after: Duration) -> Status {
    come_again(Code::ResourceExhausted, reason, what, after)
}

fn no_delivery() -> Status {
    told(
        Code::NotFound,
        &Refusal::new(
            NOT_FOUND,
            "delivery_id",
            "there is no such delivery for this caller",
            "list the deliveries that wait",
        ),
        None,
    )
}

fn outcome_unknown() -> Status {
    come_again(
        Code::Unavailable,
        OUTCOME_UNKNOWN,
        "it is not known whether it was done",
        RETRY_SOON,
    )
}

fn come_again(code: Code, reason: ReasonCode, what: &str, after: Duration) -> Status {
    let mend = "make the same call again after the time in RetryInfo";
    told(code, &Refusal::new(reason, "/", what, mend), Some(after))
}

fn told(code: Code, refusal: &Refusal, retry_after: Option<Duration>) -> Status {
    let mut details = details(refusal, retry_after);
    if refusal.path != "/" && code == Code::InvalidArgument {
        let localized_message = localized(refusal);
        details.set_bad_request(vec![FieldViolation {
            localized_message,
            ..violation(refusal)
        }]);
    }
    Status::with_error_details(code, text(std::slice::from_ref(refusal)), details)
}

fn details(refusal: &Refusal, retry_after: Option<Duration>) -> ErrorDetails {
    let metadata = HashMap::from([
        (String::from("path"), bounded(&refusal.path)),
        (String::from("mend"), bounded(&refusal.mend)),
    ]);
    let mut details = ErrorDetails::with_error_info(refusal.code.as_str(), DOMAIN, metadata);
    if retry_after.is_some() {
        details.set_retry_info(retry_after);
    }
    if let Some(told) = localized(refusal) {
        details.set_localized_message(told.locale, told.message);
    }
    details
}

/// For people who read Vietnamese.
fn localized(refusal: &Refusal) -> Option<LocalizedMessage> {
    refusal.vietnamese().map(|told| LocalizedMessage {
        locale: VIETNAMESE.to_owned(),
        message: bounded(told),
    })
}

fn violation(refusal: &Refusal) -> FieldViolation {
    let description = format!("{}; {}", refusal.what, refusal.mend);
    FieldViolation {
        field: bounded(&refusal.path),
        description: bounded(&description),
        reason: refusal.code.as_str().to_owned(),
        localized_message: None,
    }
}

/// For people who only see the status' text.
fn text(refusals: &[Refusal]) -> String {
    let first = refusals.first().map(ToString::to_string).unwrap_or_default();
    match refusals.len().saturating_sub(1) {
        0 => bounded(&first),
        more => format!("{} (and {more} more)", bounded(&first)),
    }
}

fn bounded(text: &str) -> String {
    let mut end = TEXT_MAX_BYTES.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use lgsp_types::{Digest, MsgId};

    use super::*;

    /// Code, reason, whether it says when to come again, and the wrong fields.
    fn shape(status: &Status) -> (Code, String, bool, Vec<String>) {
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!(info.domain, "lgsp");
        assert!(!info.metadata["mend"].is_empty(), "{status:?}");
        let told = details.localized_message().unwrap();
        assert!(told.locale == "vi" && !told.message.is_ascii(), "{status:?}");
        assert!(status.details().len() < 5 * 1024, "an answer fits into headers");
        let fields = details.bad_request().map(|request| &request.field_violations);
        let fields = fields.into_iter().flatten().map(|violation| violation.field.clone());
        (
            status.code(),
            info.reason.clone(),
            details.retry_info().is_some(),
            fields.collect(),
        )
    }

    fn refusal(code: &'static str, path: &str) -> Refusal {
        Refusal::new(ReasonCode::new(code), path, "is wrong", "mend it")
    }

    #[test]
    fn each_end_of_a_call_says_what_to_do_next() {
        let trouble = || Unavailable::new("disk");
        let digest = Digest::of(b"x");
        let cases: [(&dyn ToStatus, Code, &str, bool); 14] = [
            (&PublishError::Busy, Code::ResourceExhausted, "NODE_BUSY", true),
            (&PublishError::Unknown, Code::Unavailable, "OUTCOME_UNKNOWN", true),
            (
                &PublishError::Unavailable(trouble()),
                Code::Unavailable,
                "NODE_TROUBLE",
                true,
            ),
            (
                &PublishError::Conflict {
                    msg_id: MsgId::from_bytes([1; 16]),
                },
                Code::AlreadyExists,
                "KEY_CONFLICT",
                false,
            ),
            (&UploadError::Full, Code::ResourceExhausted, "NO_ROOM", true),
            (
                &UploadError::TooLarge { limit_bytes: 9 },
                Code::InvalidArgument,
                "OBJECT_TOO_LARGE",
                false,
            ),
            (&FetchError::NotFound, Code::NotFound, "NOT_FOUND", false),
            (&FetchError::Gone, Code::FailedPrecondition, "WITHDRAWN", false),
            (&FetchError::Unknown, Code::Unavailable, "OUTCOME_UNKNOWN", true),
            (&AcknowledgeError::NotFound, Code::NotFound, "NOT_FOUND", false),
            (&AcknowledgeError::Unknown, Code::Unavailable, "OUTCOME_UNKNOWN", true),
            (
                &ContentError::Damaged { digest },
                Code::DataLoss,
                "CONTENT_DAMAGED",
                false,
            ),
            (
                &ContentError::Unreadable {
                    digest,
                    source: "disk".into(),
                },
                Code::Unavailable,
                "NODE_TROUBLE",
                true,
            ),
            (
                &IdentifyError::Nothing,
                Code::Unauthenticated,
                "CREDENTIAL_MISSING",
                false,
            ),
        ];
        for (error, code, reason, again) in cases {
            let status = error.status();
            let (found, told, retry, _) = shape(&status);
            assert_eq!((found, told.as_str(), retry), (code, reason, again), "{status:?}");
            assert!(!status.message().contains("disk"), "causes stay here: {status:?}");
        }
    }

    #[test]
    fn every_wrong_field_is_named_with_its_own_reason() {
        let status = refused(&[
            refusal("FIELD_INVALID", "message.to[1]"),
            refusal("FIELD_MISSING", "message.idempotency_key"),
        ]);
        let (code, reason, again, fields) = shape(&status);
        assert_eq!(
            (code, reason.as_str(), again),
            (Code::InvalidArgument, "FIELD_INVALID", false)
        );
        assert_eq!(fields, ["message.to[1]", "message.idempotency_key"]);
        assert!(status.message().ends_with("(and 1 more)"), "{}", status.message());
    }

    #[test]
    fn who_may_not_speak_for_an_agency_is_denied_and_not_asked_to_correct_a_field() {
        let status = refused(&[
            refusal("ADDRESSEE_UNKNOWN", "message.to[0]"),
            refusal("SENDER_NOT_SPOKEN_FOR", "message.from"),
        ]);
        let (code, reason, _, fields) = shape(&status);
        assert_eq!(
            (code, reason.as_str()),
            (Code::PermissionDenied, "SENDER_NOT_SPOKEN_FOR")
        );
        assert_eq!(fields.len(), 2);
        for code in [
            "NO_GRANT",
            "GRANT_EXPIRED",
            "PURPOSE_NOT_GRANTED",
            "VERSION_NOT_GRANTED",
        ] {
            let (status, reason, ..) = shape(&refused(&[refusal(code, "message.to[0]")]));
            assert_eq!((status, reason.as_str()), (Code::PermissionDenied, code));
        }
        assert_eq!(
            shape(&forbidden(&refusal("TOKEN_SCOPE", "/"))).0,
            Code::PermissionDenied
        );
    }

    #[test]
    fn an_answer_is_bounded_however_much_is_wrong() {
        let long = "đ".repeat(5_000);
        let many: Vec<Refusal> = (0..200)
            .map(|at| {
                Refusal::new(
                    ReasonCode::new("FIELD_INVALID"),
                    format!("to[{at}]"),
                    long.clone(),
                    long.clone(),
                )
            })
            .collect();
        let status = refused(&many);
        let named = shape(&status).3;
        assert_eq!(named.first().map(String::as_str), Some("to[0]"));
        assert!(named.len() > 5 && named.len() < 200, "{}", named.len());
        assert!(status.message().len() < 400);
    }

    #[test]
    fn a_limit_says_when_to_come_again_or_that_it_never_will() {
        let after = Duration::from_millis(250);
        let code = ReasonCode::new("LIMIT_RATE");
        let busy = LimitError::Busy {
            code: code.clone(),
            retry_after: after,
        };
        let status = busy.status();
        assert_eq!(shape(&status).0, Code::ResourceExhausted);
        assert_eq!(
            status.get_error_details().retry_info().unwrap().retry_delay,
            Some(after)
        );
        let never = LimitError::Never { code, max_bytes: 5 };
        assert_eq!(
            (shape(&never.status()).0, shape(&never.status()).2),
            (Code::InvalidArgument, false)
        );
    }
}

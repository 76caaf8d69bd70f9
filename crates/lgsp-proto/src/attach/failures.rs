//! Why a call was not done: the errors of the ports, so that the far end answers as it would inside the node.

use bytes::Bytes;
use lgsp_types::{
    AcknowledgeError, ContentError, Digest, FetchError, MsgId, PublishError, ReasonCode, Refusal, Unavailable,
    UploadError, WithdrawError,
};

use super::write_refusal;
use crate::adapter::v1::{Failure, failure};
use failure::Reason;

fn failed(reason: Reason) -> Failure {
    Failure { reason: Some(reason) }
}

/// What is wrong with a call itself, whatever it asks for.
#[must_use]
pub fn write_refused(refusals: &[Refusal]) -> Failure {
    failed(Reason::Refused(failure::Refused {
        refusals: refusals.iter().map(write_refusal).collect(),
    }))
}

#[must_use]
pub fn write_unavailable() -> Failure {
    failed(Reason::Unavailable(failure::Unavailable {}))
}

#[must_use]
pub fn write_publish_failure(error: &PublishError) -> Failure {
    match error {
        PublishError::Refused(refusals) => write_refused(refusals),
        PublishError::Conflict { msg_id } => failed(Reason::ConflictMessageId(msg_id.to_string())),
        PublishError::Busy => failed(Reason::Busy(failure::Busy {})),
        PublishError::Unknown => failed(Reason::Unknown(failure::Unknown {})),
        PublishError::Unavailable(_) => write_unavailable(),
    }
}

#[must_use]
pub fn write_upload_failure(error: &UploadError) -> Failure {
    match error {
        UploadError::TooLarge { limit_bytes } => failed(Reason::TooLargeLimitBytes(*limit_bytes)),
        UploadError::Full => failed(Reason::Full(failure::Full {})),
        UploadError::Unavailable(_) => write_unavailable(),
    }
}

#[must_use]
pub fn write_fetch_failure(error: &FetchError) -> Failure {
    match error {
        FetchError::NotFound => failed(Reason::NotFound(failure::NotFound {})),
        FetchError::Gone => failed(Reason::Gone(failure::Gone {})),
        FetchError::Unknown => failed(Reason::Unknown(failure::Unknown {})),
        FetchError::Unavailable(_) => write_unavailable(),
    }
}

#[must_use]
pub fn write_acknowledge_failure(error: &AcknowledgeError) -> Failure {
    match error {
        AcknowledgeError::NotFound => failed(Reason::NotFound(failure::NotFound {})),
        AcknowledgeError::Unknown => failed(Reason::Unknown(failure::Unknown {})),
        AcknowledgeError::Unavailable(_) => write_unavailable(),
    }
}

#[must_use]
pub fn write_withdraw_failure(error: &WithdrawError) -> Failure {
    match error {
        WithdrawError::NotFound => failed(Reason::NotFound(failure::NotFound {})),
        WithdrawError::Unknown => failed(Reason::Unknown(failure::Unknown {})),
        WithdrawError::Unavailable(_) => write_unavailable(),
    }
}

#[must_use]
pub fn write_content_failure(error: &ContentError) -> Failure {
    let bytes = |digest: &Digest| Bytes::copy_from_slice(digest.as_bytes());
    match error {
        ContentError::Damaged { digest } => failed(Reason::DamagedSha256(bytes(digest))),
        ContentError::Unreadable { digest, .. } => failed(Reason::UnreadableSha256(bytes(digest))),
    }
}

/// What cannot be read was perhaps done.
#[must_use]
pub fn read_publish_failure(failure: Failure) -> PublishError {
    match failure.reason {
        Some(Reason::Refused(refused)) => match refusals(&refused) {
            Some(refusals) => PublishError::Refused(refusals),
            None => PublishError::Unknown,
        },
        Some(Reason::ConflictMessageId(id)) => match MsgId::parse(&id) {
            Ok(msg_id) => PublishError::Conflict { msg_id },
            Err(_) => PublishError::Unknown,
        },
        Some(Reason::Busy(_)) => PublishError::Busy,
        Some(Reason::Unavailable(_)) => PublishError::Unavailable(node_cannot()),
        _ => PublishError::Unknown,
    }
}

#[must_use]
pub fn read_upload_failure(failure: Failure) -> UploadError {
    match failure.reason {
        Some(Reason::TooLargeLimitBytes(limit_bytes)) => UploadError::TooLarge { limit_bytes },
        Some(Reason::Full(_)) => UploadError::Full,
        other => UploadError::Unavailable(unavailable(other)),
    }
}

/// What cannot be read was perhaps done.
#[must_use]
pub fn read_fetch_failure(failure: Failure) -> FetchError {
    match failure.reason {
        Some(Reason::NotFound(_)) => FetchError::NotFound,
        Some(Reason::Gone(_)) => FetchError::Gone,
        Some(reason @ (Reason::Unavailable(_) | Reason::Busy(_) | Reason::Refused(_))) => {
            FetchError::Unavailable(unavailable(Some(reason)))
        }
        _ => FetchError::Unknown,
    }
}

/// What cannot be read was perhaps done.
#[must_use]
pub fn read_acknowledge_failure(failure: Failure) -> AcknowledgeError {
    match failure.reason {
        Some(Reason::NotFound(_)) => AcknowledgeError::NotFound,
        Some(reason @ (Reason::Unavailable(_) | Reason::Busy(_) | Reason::Refused(_))) => {
            AcknowledgeError::Unavailable(unavailable(Some(reason)))
        }
        _ => AcknowledgeError::Unknown,
    }
}

/// What cannot be read was perhaps done.
#[must_use]
pub fn read_withdraw_failure(failure: Failure) -> WithdrawError {
    match failure.reason {
        Some(Reason::NotFound(_)) => WithdrawError::NotFound,
        Some(reason @ (Reason::Unavailable(_) | Reason::Busy(_) | Reason::Refused(_))) => {
            WithdrawError::Unavailable(unavailable(Some(reason)))
        }
        _ => WithdrawError::Unknown,
    }
}

#[must_use]
pub fn read_unavailable(failure: Failure) -> Unavailable {
    unavailable(failure.reason)
}

/// `digest`: of the object that was asked for.
#[must_use]
pub fn read_content_failure(failure: Failure, digest: Digest) -> ContentError {
    match failure.reason {
        Some(Reason::DamagedSha256(_)) => ContentError::Damaged { digest },
        other => ContentError::Unreadable {
            digest,
            source: unavailable(other).source,
        },
    }
}

/// A refusal where the port knows none: this process was told what it may not do, for its own log.
fn unavailable(reason: Option<Reason>) -> Unavailable {
    match reason {
        Some(Reason::Refused(refused)) => match refusals(&refused).and_then(|refusals| refusals.into_iter().next()) {
            Some(refusal) => Unavailable::new(refusal),
            None => node_cannot(),
        },
        _ => node_cannot(),
    }
}

fn node_cannot() -> Unavailable {
    Unavailable::new("the node said so")
}

/// At least one.
fn refusals(refused: &failure::Refused) -> Option<Vec<Refusal>> {
    let refusals = refused.refusals.iter().map(|refusal| {
        let code = ReasonCode::parse(&refusal.code).ok()?;
        Some(Refusal::new(code, &*refusal.path, &*refusal.what, &*refusal.mend))
    });
    refusals
        .collect::<Option<Vec<_>>>()
        .filter(|refusals| !refusals.is_empty())
}

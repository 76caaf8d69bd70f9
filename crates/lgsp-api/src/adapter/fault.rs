//! Which rule of the stream the far side broke; both no longer mean the same by it, so it ends.

use lgsp_types::{ReasonCode, Refusal};
use thiserror::Error;

/// Each is a reason in `adapter.proto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum Fault {
    #[error("the stream did not begin with `hello`")]
    HelloExpected,
    #[error("`hello` came a second time")]
    HelloTwice,
    #[error("a frame has no content, or one that is not known here")]
    FrameUnknown,
    #[error("a call's number is not larger than all before")]
    CallIdUsed,
    #[error("a frame is about a call that never was")]
    CallIdUnknown,
    #[error("more calls are unanswered than allowed")]
    CallsTooMany,
    #[error("a chunk is empty, too large, or beyond the credit")]
    CreditExceeded,
    #[error("nothing came for too long")]
    HealthMissing,
}

impl Fault {
    pub(super) fn refusal(self) -> Refusal {
        let (code, path, mend) = match self {
            Self::HelloExpected => ("HELLO_EXPECTED", "hello", "send `hello` first, within 10 seconds"),
            Self::HelloTwice => ("HELLO_TWICE", "hello", "send it once"),
            Self::FrameUnknown => ("FRAME_UNKNOWN", "frame", "send what the node's version knows"),
            Self::CallIdUsed => ("CALL_ID_USED", "call.call_id", "number calls upwards from 1"),
            Self::CallIdUnknown => ("CALL_ID_UNKNOWN", "call_id", "send frames for calls that were made"),
            Self::CallsTooMany => ("CALLS_TOO_MANY", "call", "wait for answers, as `welcome` says"),
            Self::CreditExceeded => ("CREDIT_EXCEEDED", "chunk.data", "send as far as there is credit"),
            Self::HealthMissing => ("HEALTH_MISSING", "health", "send `health` as often as `welcome` says"),
        };
        Refusal::new(ReasonCode::new(code), path, self.to_string(), mend)
    }
}

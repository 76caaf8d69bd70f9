//! The wire between a node and an adapter process: both ports, call by call, there and back.
//!
//! What comes from a process is read as strictly as what comes from a client: [`Refusal`]s with the path of every wrong
//! field. What comes from the node is read by [`Garbled`]: it names the first field that cannot be.

mod answers;
mod back;
mod calls;
mod evidence;
mod failures;
mod pushes;
mod views;

use lgsp_types::Refusal;
use thiserror::Error;

pub use answers::{read_adapter_answer, write_opened, write_sent_message};
pub use back::{read_content, read_opened, read_receipt, read_sent_message, read_uploaded, read_withdrawals};
pub use calls::{
    read_acknowledge, read_message_call, read_open, read_publish, read_reject, write_acknowledge, write_get_message,
    write_open, write_publish, write_reject, write_withdraw,
};

pub use failures::{
    read_acknowledge_failure, read_content_failure, read_fetch_failure, read_publish_failure, read_unavailable,
    read_upload_failure, read_withdraw_failure, write_acknowledge_failure, write_content_failure, write_fetch_failure,
    write_publish_failure, write_refused, write_unavailable, write_upload_failure, write_withdraw_failure,
};
pub use pushes::{Said, read_ask, read_deliver, write_answered, write_ask, write_checked, write_deliver, write_pushed};
pub use views::{AgenciesOf, ViewOf, read_view, write_view};

use crate::adapter::v1;
use crate::read::{FIELD_INVALID, FIELD_MISSING, FIELD_TOO_LONG, Wrong};

/// What the node sent cannot be read: the two programs do not fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the node's `{field}` cannot be read")]
pub struct Garbled {
    pub field: &'static str,
}

const fn garbled(field: &'static str) -> Garbled {
    Garbled { field }
}

impl Wrong {
    fn missing(&mut self, path: &str, mend: &str) {
        self.add(FIELD_MISSING, path, "is absent or empty", mend);
    }

    fn invalid(&mut self, path: &str, what: impl Into<String>, mend: &str) {
        self.add(FIELD_INVALID, path, what, mend);
    }

    /// As `bound` of a text, for what may be no text.
    fn fits(&mut self, path: &str, bytes: &[u8], max_bytes: usize) {
        if bytes.len() > max_bytes {
            let what = format!("has more than {max_bytes} bytes");
            self.add(FIELD_TOO_LONG, path, what, "send less");
        }
    }
}

/// Longest text of a refusal, in bytes.
const TEXT_MAX_BYTES: usize = 512;

/// A refusal, its texts cut to what the wire allows.
fn write_refusal(refusal: &Refusal) -> v1::Refusal {
    v1::Refusal {
        code: refusal.code.to_string(),
        path: cut(&refusal.path, TEXT_MAX_BYTES),
        what: cut(&refusal.what, TEXT_MAX_BYTES),
        mend: cut(&refusal.mend, TEXT_MAX_BYTES),
    }
}

/// The beginning of a text, in whole characters.
fn cut(text: &str, max_bytes: usize) -> String {
    let mut end = text.len().min(max_bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;

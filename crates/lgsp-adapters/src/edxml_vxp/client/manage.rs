//! The calls that bring back an envelope and at most a number: registering and deleting agencies, counting.

use std::io::Read;

use super::answer::{CallError, envelope};
use super::json::{self, Json};
use super::operation::Operation;
use super::{Enveloped, Service};

/// Longest list that is read, in bytes; the national catalogue has 19 MB.
const ANSWER_BYTES_MAX: u64 = 256 * 1024 * 1024;

impl Service {
    /// Asks to register or change an agency. The body is the application's own text: the SDK checks and signs nothing.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn register_agency(&mut self, body: &str) -> Enveloped {
        self.enveloped(Operation::RegisterAgency, &[], body.as_bytes())
    }

    /// Asks to delete an agency.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn delete_agency(&mut self, code: &str) -> Enveloped {
        self.enveloped(Operation::DeleteAgency, &[("AgencyCode", code)], b"{}")
    }

    /// How many documents wait. A count above 32 bits wraps, as in the SDK.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn count_received_edoc(&mut self) -> Result<i32, CallError> {
        self.count(Operation::CountReceiveEdoc)
    }

    /// How many statuses wait.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn count_received_status(&mut self) -> Result<i32, CallError> {
        self.count(Operation::CountReceiveStatus)
    }

    fn count(&mut self, operation: Operation) -> Result<i32, CallError> {
        let (json, http_status) = self.json(operation, &[], b"{}")?;
        let answer = envelope(&json, http_status)?;
        if answer.status == "FAIL" {
            return Err(CallError::Refused(answer));
        }
        let what = "`count` is missing, null or no integer";
        let count = json
            .member("count")
            .and_then(Json::as_text)
            .and_then(|text| text.parse().ok());
        let count: i64 = count.ok_or(CallError::Unreadable { http_status, what })?;
        answer.checked().map(|_| wrapped(count))
    }

    pub(super) fn enveloped(&mut self, operation: Operation, parameters: &[(&str, &str)], body: &[u8]) -> Enveloped {
        let (json, http_status) = self.json(operation, parameters, body)?;
        envelope(&json, http_status)?.checked()
    }

    /// One call through HttpClient whose answer is JSON, with its HTTP status.
    pub(super) fn json(
        &mut self,
        operation: Operation,
        parameters: &[(&str, &str)],
        body: &[u8],
    ) -> Result<(Json, u16), CallError> {
        let mut reply = self.call(operation, parameters, body)?;
        let http_status = reply.head.status;
        if matches!(http_status, 204 | 304) {
            return Err(CallError::Unreadable {
                http_status,
                what: "there is no body",
            });
        }
        let bounded = (&mut reply.body).take(ANSWER_BYTES_MAX);
        let json = json::parse(bounded, None).map_err(|error| CallError::json(error, http_status))?;
        self.forget(operation, reply);
        Ok((json, http_status))
    }
}

/// Java's `(int)` of a long.
fn wrapped(count: i64) -> i32 {
    let [.., a, b, c, d] = count.to_be_bytes();
    i32::from_be_bytes([a, b, c, d])
}

//! getEdoc, downloadEdoc and updateStatus: what a document system does with one item of its list.

use std::io::{BufRead, Write};

use super::answer::{Answer, CallError, envelope};
use super::decode::{Base64Decoder, Utf8Repair};
use super::json::{self, Json};
use super::operation::Operation;
use super::{Enveloped, SdkVersion, Service};

/// What a fetch brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    pub answer: Answer,
    /// Bytes written to the sink.
    pub size_bytes: u64,
}

impl Service {
    /// Fetches a packet as base64 in JSON and writes the decoded bytes while they come in.
    ///
    /// As in the SDK, bytes that are no UTF-8 become U+FFFD, and nothing is checked. Unless the result is `Ok`, drop
    /// what is in the sink: the axis' code may stand behind the data.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn get_edoc(&mut self, doc_id: &str, sink: &mut dyn Write) -> Result<Fetched, CallError> {
        let file_path = self.file_path.clone();
        let reply = self.call(
            Operation::GetEdoc,
            &[("docId", doc_id), ("filePath", &file_path)],
            b"{}",
        )?;
        let http_status = reply.head.status;
        let mut decoder = Base64Decoder::new(Utf8Repair::new(sink));
        let json = json::parse(reply.body, Some(&mut decoder)).map_err(|error| CallError::json(error, http_status))?;
        let answer = envelope(&json, http_status)?;
        let data = json.member("data").and_then(Json::as_text);
        let sink_failed = |source| CallError::Sink { source };
        let size_bytes = decoder.finish().and_then(Utf8Repair::finish).map_err(sink_failed)?;
        match (data, answer.status.as_str(), self.version) {
            (None, "FAIL", SdkVersion::V2_0_0) => Err(CallError::Blank { http_status }),
            (None, "FAIL", SdkVersion::V2_0_1) | (Some(_), _, _) => Ok(Fetched {
                answer: answer.checked()?,
                size_bytes,
            }),
            (None, _, _) => Err(CallError::Unreadable {
                http_status,
                what: "`data` is missing or null",
            }),
        }
    }

    /// Fetches a packet as it is. Any body is taken for the packet, whatever the HTTP status.
    ///
    /// # Errors
    /// An empty body is [`CallError::Refused`] with the SDK's own code 100; a cut one (100 in the SDK too) is
    /// [`CallError::Cut`] where the framing shows it, and the sink then holds its beginning.
    pub fn download_edoc(&mut self, doc_id: &str, sink: &mut dyn Write) -> Result<Fetched, CallError> {
        let file_path = self.file_path.clone();
        let mut reply = self.call(
            Operation::DownloadEdoc,
            &[("docId", doc_id), ("filePath", &file_path)],
            b"",
        )?;
        let mut size_bytes = 0;
        loop {
            let piece = reply.body.fill_buf().map_err(CallError::reading)?;
            if piece.is_empty() {
                break;
            }
            sink.write_all(piece).map_err(|source| CallError::Sink { source })?;
            let read = piece.len();
            size_bytes += read as u64;
            reply.body.consume(read);
        }
        let http_status = reply.head.status;
        self.forget(Operation::DownloadEdoc, reply);
        sink.flush().map_err(|source| CallError::Sink { source })?;
        let (status, error_code) = if size_bytes > 0 {
            ("SUCCESS", "0")
        } else {
            ("FAIL", "100")
        };
        let answer = Answer {
            http_status,
            status: status.to_owned(),
            error_code: error_code.to_owned(),
            error_desc: String::new(),
            doc_id: None,
        };
        if size_bytes > 0 {
            Ok(Fetched { answer, size_bytes })
        } else {
            Err(CallError::Refused(answer))
        }
    }

    /// Sets the status of an item, with the spelling `docId`.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn update_status(&mut self, doc_id: &str, status: &str) -> Enveloped {
        self.enveloped(Operation::UpdateStatus, &[("docId", doc_id), ("status", status)], b"{}")
    }

    /// Sets the status of an item, with the other spelling `docid`, which the vendor's example uses too.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn update_status_lower(&mut self, doc_id: &str, status: &str) -> Enveloped {
        self.enveloped(Operation::UpdateStatus, &[("docid", doc_id), ("status", status)], b"{}")
    }
}

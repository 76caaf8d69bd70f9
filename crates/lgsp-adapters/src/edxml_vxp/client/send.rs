//! sendEdoc, as `HttpURLConnection` performs it: the packet and CR LF, one silent repeat, one kept connection.

use std::io::{BufReader, Read};
use std::time::{Duration, Instant};

use super::answer::{CallError, envelope};
use super::connection::{Broken, Connection, Payload, Reply};
use super::json;
use super::operation::{self, Operation};
use super::sign::gson_array;
use super::source::Source;
use super::{Enveloped, MessageType, SdkVersion, Service};

/// How long the JDK keeps a connection for the next sendEdoc. Source: vxp-wire.md 2.1.
const KEPT: Duration = Duration::from_secs(5);
/// Longest answer to sendEdoc that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// The JDK sends once more when a connection dies before the answer (`retryPost`).
const REQUESTS: u32 = 2;

impl Service {
    /// Sends one packet. The answer's `doc_id` is the axis' id of it.
    ///
    /// As in the SDK, `to` stays in the header map: a later call without it repeats the old addressees.
    ///
    /// # Errors
    /// [`CallError`]; a refusal without `DocId` comes as [`CallError::Blank`].
    pub fn send_edoc(&mut self, from: &str, to: Option<&[&str]>, kind: MessageType, packet: Source<'_>) -> Enveloped {
        let unreadable = |source| CallError::NotSent {
            what: "the packet cannot be read",
            source: Some(source),
        };
        let (hash_file, bytes) = packet.hash_file().map_err(unreadable)?;
        let to = to.map(gson_array);
        let mut parameters = vec![("from", from), ("servicetype", "eDoc"), ("messagetype", kind.word())];
        parameters.extend(to.as_deref().map(|to| ("to", to)));
        parameters.push(("hash-file", &hash_file));
        let headers = self.signed(Operation::SendEdoc, &parameters);
        if operation::url_connection_refuses(&headers) {
            return Err(CallError::NotSent {
                what: "a header value holds a line end",
                source: None,
            });
        }
        let head = operation::head(Operation::SendEdoc, &self.endpoint, &headers, bytes + 2);
        let reply = self.post(&head, &Payload::Packet { source: &packet, bytes })?;
        self.read_send_answer(reply)
    }

    fn post(&mut self, head: &[u8], payload: &Payload<'_>) -> Result<Reply, CallError> {
        let kept = self.idle.take().filter(|(_, since)| since.elapsed() < KEPT);
        let mut connection = match kept {
            Some((stream, _)) => Ok(Connection::reused(stream, self.time_limit)),
            None => self.connect(),
        };
        let mut requests = 0;
        loop {
            requests += 1;
            match connection.and_then(|open| open.ask(head, payload, false)) {
                Ok(reply) => return Ok(reply),
                Err(Broken::Dead(_)) if requests < REQUESTS => connection = self.connect(),
                Err(broken) => return Err(CallError::broken(broken, requests)),
            }
        }
    }

    /// Only 200, 201 and error statuses have a body for the SDK; the first two are read as US-ASCII by 2.0.1.
    fn read_send_answer(&mut self, mut reply: Reply) -> Enveloped {
        let http_status = reply.head.status;
        if !matches!(http_status, 200 | 201 | 400..) {
            return Err(CallError::Unreadable {
                http_status,
                what: "the sdk reads no body with this http status",
            });
        }
        let mut bytes = Vec::new();
        (&mut reply.body)
            .take(ANSWER_BYTES_MAX)
            .read_to_end(&mut bytes)
            .map_err(CallError::reading)?;
        self.keep(reply);
        if bytes.is_empty() && http_status >= 400 {
            return Err(CallError::Unreadable {
                http_status,
                what: "the body is empty",
            });
        }
        let text = match self.version {
            SdkVersion::V2_0_1 if http_status < 400 => us_ascii(&bytes),
            SdkVersion::V2_0_0 | SdkVersion::V2_0_1 => String::from_utf8_lossy(&bytes).into_owned(),
        };
        let json = json::parse(text.as_bytes(), None).map_err(|error| CallError::json(error, http_status))?;
        if matches!(json, json::Json::Object(_)) && json.member("DocId").and_then(json::Json::as_text).is_none() {
            return Err(CallError::Blank { http_status });
        }
        envelope(&json, http_status)?.checked()
    }

    fn keep(&mut self, reply: Reply) {
        if reply.head.keeps_alive {
            let nothing_more = |stream: &BufReader<_>| stream.buffer().is_empty();
            let stream = reply.body.into_reusable().filter(nothing_more);
            self.idle = stream.map(|stream| (stream, Instant::now()));
        }
    }
}

fn us_ascii(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| {
            if byte.is_ascii() {
                char::from(*byte)
            } else {
                char::REPLACEMENT_CHARACTER
            }
        })
        .collect()
}

//! One delivery as a JSON document: written piece by piece, so that memory does not grow with its files.
//!
//! `{"type": contract, "timestamp": acceptance, "data": {.., "payload": as it was sent, "files": [{.., "content": base64}]}}`

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use lgsp_types::{Attachment, ContentError, ObjectReader, Push, ReasonCode, Role};
use serde::Serialize;
use serde_json::value::RawValue;

/// The payload is no JSON: this adapter cannot say what it says.
const PAYLOAD_NOT_JSON: ReasonCode = ReasonCode::new("PAYLOAD_NOT_JSON");
/// What a delivery says is larger than can be written; nobody can send that.
const LETTER_UNWRITABLE: ReasonCode = ReasonCode::new("LETTER_UNWRITABLE");

#[derive(Serialize)]
struct Head<'a> {
    #[serde(rename = "type")]
    contract: String,
    timestamp: String,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    delivery_id: String,
    attempt: u32,
    message_id: String,
    from: &'a str,
    to: &'a str,
    payload: &'a RawValue,
    /// Written behind what is serialised: the last thing of the document.
    files: [(); 0],
}

#[derive(Serialize)]
struct File<'a> {
    role: &'static str,
    name: &'a str,
    media_type: &'a str,
    size_bytes: u64,
    sha256: String,
    content: &'static str,
}

/// What is written between the files: ends the list, the data and the document.
const END: &str = "]}}";
/// What ends a file; its content comes before it.
const FILE_END: &str = "\"}";

/// A part of the document.
#[derive(Clone, Debug)]
enum Part {
    Text(Bytes),
    /// The base64 of an object.
    Object(Attachment),
}

/// A delivery, ready to be written, once to be signed and once to be sent.
#[derive(Clone, Debug)]
pub(super) struct Letter(Vec<Part>);

impl Letter {
    /// # Errors
    /// Why it can never be written.
    pub(super) fn of(push: &Push) -> Result<Self, ReasonCode> {
        let payload = serde_json::from_slice::<&RawValue>(&push.content.payload).map_err(|_| PAYLOAD_NOT_JSON)?;
        let head = Head {
            contract: push.content.contract.to_string(),
            timestamp: push.accepted_ms.iso_text(),
            data: Data {
                delivery_id: push.delivery.to_string(),
                attempt: push.attempt,
                message_id: push.content.msg_id.to_string(),
                from: push.from.as_str(),
                to: push.to.as_str(),
                payload,
                files: [],
            },
        };
        let mut parts = vec![Part::Text(without_end(&head, END)?)];
        for (nth, object) in push.content.objects.iter().enumerate() {
            let file = File {
                role: match object.role {
                    Role::Original => "original",
                    Role::Attachment => "attachment",
                },
                name: &object.name,
                media_type: &object.media_type,
                size_bytes: object.size_bytes,
                sha256: object.digest.to_string(),
                content: "",
            };
            if nth > 0 {
                parts.push(Part::Text(Bytes::from_static(b",")));
            }
            parts.push(Part::Text(without_end(&file, FILE_END)?));
            parts.push(Part::Object(object.clone()));
            parts.push(Part::Text(Bytes::from_static(FILE_END.as_bytes())));
        }
        parts.push(Part::Text(Bytes::from_static(END.as_bytes())));
        Ok(Self(parts))
    }

    /// All files together, as they are.
    pub(super) fn files_bytes(&self) -> u64 {
        let sizes = self.0.iter().map(|part| match part {
            Part::Text(_) => 0,
            Part::Object(object) => object.size_bytes,
        });
        sizes.fold(0, u64::saturating_add)
    }

    /// The length of the document, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        let lengths = self.0.iter().map(|part| match part {
            Part::Text(text) => text.len() as u64,
            Part::Object(object) => object.size_bytes.div_ceil(3).saturating_mul(4),
        });
        lengths.fold(0, u64::saturating_add)
    }

    /// The document, piece by piece.
    pub(super) fn into_stream(
        self,
        objects: Arc<dyn ObjectReader>,
    ) -> (u64, impl Stream<Item = Result<Bytes, ContentError>> + Send + 'static) {
        let bytes = self.bytes();
        let pieces = stream::iter(self.0).then(move |part| {
            let objects = Arc::clone(&objects);
            async move {
                let pieces = match part {
                    Part::Text(text) => stream::once(async { Ok(text) }).boxed(),
                    Part::Object(object) => encoded(objects.read(&object).await?).boxed(),
                };
                Ok::<_, ContentError>(pieces)
            }
        });
        (bytes, pieces.try_flatten())
    }
}

/// The JSON of a value without these letters at its end.
fn without_end(value: &impl Serialize, end: &str) -> Result<Bytes, ReasonCode> {
    let mut text = serde_json::to_vec(value).map_err(|_| LETTER_UNWRITABLE)?;
    if !text.ends_with(end.as_bytes()) {
        return Err(LETTER_UNWRITABLE);
    }
    text.truncate(text.len() - end.len());
    Ok(text.into())
}

/// Base64 of a stream, whatever its chunks are: what does not make three bytes waits for the next.
fn encoded(
    content: impl Stream<Item = Result<Bytes, ContentError>> + Send + 'static,
) -> impl Stream<Item = Result<Bytes, ContentError>> + Send {
    let ended = stream::once(async { Ok(None) });
    let chunks = content.map_ok(Some).chain(ended);
    chunks.scan(Vec::new(), |rest: &mut Vec<u8>, chunk| {
        let piece = chunk.map(|chunk| match chunk {
            Some(chunk) => {
                rest.extend_from_slice(&chunk);
                let left = rest.split_off(rest.len() - rest.len() % 3);
                Bytes::from(STANDARD.encode(std::mem::replace(rest, left)))
            }
            None => Bytes::from(STANDARD.encode(&*rest)),
        });
        std::future::ready(Some(piece))
    })
}

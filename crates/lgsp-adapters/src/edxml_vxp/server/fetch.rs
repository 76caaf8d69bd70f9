//! getEdoc and downloadEdoc: the very bytes that were accepted, streamed from their object.
//!
//! Source: exchange.md 5.1; vxp-wire.md 6.3, 7.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use lgsp_types::{Attachment, ContentError, ContentStream, DeliveryId, FetchError, Refusal, Role};
use tokio::time::timeout;
use tracing::error;

use super::answer::Answer;
use super::body::Packet;
use super::call::{Facade, Proven, not_now};
use super::reason::{DELIVERY_UNKNOWN, DELIVERY_WITHDRAWN, Failure, OBJECT_DAMAGED, OUTCOME_UNKNOWN};
use super::signed;
use super::trace::Trace;

/// An original that can be read at least to its first bytes.
struct Opened {
    stream: ContentStream,
    size_bytes: u64,
}

impl Facade {
    pub(super) async fn get(&self, proven: &Proven, trace: &Trace) -> Result<Answer, Failure> {
        let opened = self.fetch(proven, trace).await?;
        Ok(Answer::json_packet(Packet::in_json(opened.stream, opened.size_bytes)))
    }

    pub(super) async fn download(&self, proven: &Proven, trace: &Trace) -> Result<Answer, Failure> {
        let opened = self.fetch(proven, trace).await?;
        Ok(Answer::packet(Packet::plain(opened.stream, opened.size_bytes)))
    }

    async fn fetch(&self, proven: &Proven, trace: &Trace) -> Result<Opened, Failure> {
        // Both fetches read exactly `docId`: the other spelling is a leak of updateStatus (vxp-wire.md 6.4).
        let written = proven.signed.required("docId").map_err(Failure::refused)?;
        let delivery = DeliveryId::parse(written).map_err(|_| no_delivery("docId"))?;
        trace.message(delivery);
        let exchange = Arc::clone(&self.exchange);
        let caller = proven.caller.clone();
        let fetched = self.ask(async move { exchange.fetch(&caller, delivery).await }).await?;
        let fetched = fetched.map_err(|error| match error {
            FetchError::NotFound => no_delivery("docId"),
            FetchError::Gone => Failure::refused(Refusal::new(
                DELIVERY_WITHDRAWN,
                signed::path("docId"),
                "the sender took the document back",
                "drop it",
            )),
            FetchError::Unknown => Failure::again(OUTCOME_UNKNOWN, "it is not known whether the fetch was recorded"),
            FetchError::Unavailable(unavailable) => not_now(&unavailable),
        })?;
        let Some(original) = fetched.objects.iter().find(|object| object.role == Role::Original) else {
            error!(message.id = %fetched.msg_id, "a message without an original is open to a document system");
            return Err(Failure::again(
                OBJECT_DAMAGED,
                "the document has no packet; an operator must look",
            ));
        };
        self.read_ahead(original).await
    }

    /// Reads up to the first bytes, so that an object that is damaged at once is told and not cut.
    async fn read_ahead(&self, original: &Attachment) -> Result<Opened, Failure> {
        let opening = async {
            let mut rest = self.objects.read(original).await?.fuse();
            let first = rest.next().await.transpose()?;
            let first = stream::iter(first.map(Ok));
            Ok::<ContentStream, ContentError>(Box::pin(first.chain(rest)))
        };
        match timeout(self.settings.answer_timeout(), opening).await {
            Ok(Ok(stream)) => Ok(Opened {
                stream,
                size_bytes: original.size_bytes,
            }),
            Ok(Err(damage)) => {
                error!(
                    error = &damage as &dyn std::error::Error,
                    "a packet cannot be handed out"
                );
                Err(Failure::again(
                    OBJECT_DAMAGED,
                    "the stored packet cannot be read; an operator must look",
                ))
            }
            Err(_) => Err(Failure::unavailable()),
        }
    }
}

/// Another's delivery is not told from none.
pub(super) fn no_delivery(name: &str) -> Failure {
    Failure::refused(Refusal::new(
        DELIVERY_UNKNOWN,
        signed::path(name),
        "no such document waits for this system",
        "take the docId from getReceivedEdocList",
    ))
}

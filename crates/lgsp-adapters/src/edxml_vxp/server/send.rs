//! sendEdoc: one packet comes in, is checked against what was signed, and is published.
//!
//! Source: exchange.md 5.1; vxp-wire.md 6.2.

use std::sync::Arc;

use hyper::body::{Body as _, Incoming};
use lgsp_types::{AgencyCode, AgencyView, Publish, PublishError, Receipt, Refusal, Role, Upload, UploadError};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tracing::info;

use super::answer::{self, Answer};
use super::asked::Asked;
use super::call::{Facade, Proven, not_now};
use super::intake::{self, Bounds, not_stored};
use super::reason::{BUSY, Failure, KEY_CONFLICT, OUTCOME_UNKNOWN, Record, SENDER_NOT_SPOKEN_FOR};
use super::trace::Trace;
use crate::edxml_vxp::packet::Packet;

/// How the original is called among a message's objects: a packet has no name of its own.
const ORIGINAL_NAME: &str = "edoc.edxml";
const ORIGINAL_MEDIA_TYPE: &str = "application/xml";

impl Facade {
    pub(super) async fn send(&self, proven: &Proven, body: &mut Incoming, trace: &Trace) -> Result<Answer, Failure> {
        let bounds = Bounds {
            packet_max_bytes: self.settings.body_max_bytes,
            store_timeout: self.settings.answer_timeout(),
        };
        let asked = Asked::read(&proven.signed)?;
        if body
            .size_hint()
            .exact()
            .is_some_and(|body_bytes| bounds.is_over(body_bytes))
        {
            return Err(bounds.too_large());
        }
        let Ok(room) = Arc::clone(&self.sends).try_acquire_owned() else {
            return Err(Failure::again(BUSY, "too many packets are coming in"));
        };
        let upload = self.begin_upload(proven, bounds).await?;
        let received = intake::receive(body, upload, bounds).await?;
        let content = received.digest;
        let refused = |refusals| Failure {
            refusals,
            record: Record::Body(content),
        };
        let (packet, upload) = asked.checked(received, self.today()).map_err(refused)?;
        self.check_sender(&asked, &packet)
            .map_err(|refusal| refused(vec![refusal]))?;
        let publish = asked.publish(&packet).ok_or_else(Failure::unavailable)?;
        let receipt = self
            .publish(proven, upload, publish, room, bounds)
            .await
            .map_err(|error| match error {
                Unpublished::Told(failure) => Failure {
                    refusals: packet.in_own_words(failure.refusals),
                    ..failure
                },
                Unpublished::Conflict => refused(vec![Refusal::new(
                    KEY_CONFLICT,
                    "/",
                    "this packet was sent before, and stands for another message",
                    "send the packet of the message",
                )]),
            })?;
        trace.message(receipt.msg_id);
        info!(parent: trace.span(), repeat = receipt.repeat, "accepted");
        Ok(Answer::json(answer::sent(&receipt.msg_id.to_string())))
    }

    async fn begin_upload(&self, proven: &Proven, bounds: Bounds) -> Result<Box<dyn Upload>, Failure> {
        match timeout(bounds.store_timeout, self.exchange.upload(&proven.caller)).await {
            Ok(begun) => begun.map_err(|error| not_stored(&error, bounds)),
            Err(_) => Err(Failure::unavailable()),
        }
    }

    /// The sender that the call names is the packet's: the same code, or two codes of one agency.
    fn check_sender(&self, asked: &Asked, packet: &Packet) -> Result<(), Refusal> {
        let written = packet.from();
        let from = &asked.from;
        if *from == written.code {
            return Ok(());
        }
        let names = |view: &AgencyView, code: &AgencyCode| {
            view.code.as_ref() == Some(code) || view.old_code.as_ref() == Some(code)
        };
        let agencies = self.exchange.agencies(self.today());
        if agencies
            .iter()
            .any(|view| names(view, from) && names(view, &written.code))
        {
            return Ok(());
        }
        Err(Refusal::new(
            SENDER_NOT_SPOKEN_FOR,
            written.path,
            format!("the packet is from {}, the call from {from}", written.code),
            "name one sender in both",
        ))
    }

    /// From here on nothing stops half way when the caller goes away.
    async fn publish(
        &self,
        proven: &Proven,
        upload: Box<dyn Upload>,
        mut publish: Publish,
        room: OwnedSemaphorePermit,
        bounds: Bounds,
    ) -> Result<Receipt, Unpublished> {
        let exchange = Arc::clone(&self.exchange);
        let caller = proven.caller.clone();
        let published = self
            .ask(async move {
                let _room = room;
                let staged = upload
                    .finish(ORIGINAL_NAME, ORIGINAL_MEDIA_TYPE, Role::Original)
                    .await?;
                publish.objects.push(staged);
                Ok(exchange.publish(&caller, publish).await)
            })
            .await;
        match published.map_err(Unpublished::Told)? {
            Ok(Ok(receipt)) => Ok(receipt),
            Ok(Err(error)) => Err(Unpublished::from(error)),
            Err::<_, UploadError>(error) => Err(Unpublished::Told(not_stored(&error, bounds))),
        }
    }
}

/// Why there is no receipt.
enum Unpublished {
    Told(Failure),
    Conflict,
}

impl From<PublishError> for Unpublished {
    fn from(error: PublishError) -> Self {
        Self::Told(match error {
            PublishError::Conflict { .. } => return Self::Conflict,
            PublishError::Refused(refusals) if !refusals.is_empty() => Failure {
                refusals,
                record: Record::No,
            },
            PublishError::Refused(_) => Failure::unavailable(),
            PublishError::Busy => Failure::again(BUSY, "the exchange cannot accept now"),
            PublishError::Unknown => Failure::again(OUTCOME_UNKNOWN, "it is not known whether it was accepted"),
            PublishError::Unavailable(unavailable) => not_now(&unavailable),
        })
    }
}

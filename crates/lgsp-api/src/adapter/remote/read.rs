//! Reads objects from the node: those of deliveries that were fetched over it, and of those that it pushes.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::stream;
use lgsp_proto::adapter::v1::exchange_answer::Answer;
use lgsp_proto::adapter::v1::exchange_call::{Call, ReadObject, read_object::Of};
use lgsp_proto::adapter::v1::{AttachRequest, Credit, ExchangeAnswer, attach_request};
use lgsp_proto::read_content_failure;
use lgsp_types::{Attachment, ContentError, ContentStream, DeliveryId, Digest, ObjectReader, SystemId};
use tokio::time::{Duration, timeout};
use tonic::async_trait;

use super::link::{self, Link};
use super::{Moving, Remote, Sent, Unanswered};
use crate::adapter::asked::Ticket;
use crate::adapter::content::{Outlet, Piece, WINDOW_BYTES};

/// Objects whose place is known at one time; whoever reads one fetched its delivery a moment ago.
const KNOWN_MAX: usize = 16_384;

/// Where the node may be asked for an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Delivery(DeliveryId),
    /// A deliver call of the node, by the stream it came on and its number.
    Deliver {
        stream: u64,
        call: u64,
    },
}

#[derive(Clone, Debug)]
struct Source {
    system: SystemId,
    place: Place,
    index: u32,
}

/// The places of objects by digest, the latest of each; the oldest are forgotten.
#[derive(Debug, Default)]
pub(super) struct Sources(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    sources: HashMap<Digest, Source>,
    order: VecDeque<Digest>,
}

impl Sources {
    pub(super) fn know(&self, objects: &[Attachment], system: &SystemId, place: Place) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (index, object) in (0u32..).zip(objects) {
            let system = system.clone();
            let source = Source { system, place, index };
            if known.sources.insert(object.digest, source).is_none() {
                known.order.push_back(object.digest);
            }
        }
        while known.order.len() > KNOWN_MAX {
            if let Some(oldest) = known.order.pop_front() {
                known.sources.remove(&oldest);
            }
        }
    }

    fn find(&self, digest: &Digest) -> Option<Source> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.sources.get(digest).cloned()
    }
}

/// An object on its way here.
struct Reading {
    ticket: Ticket<ExchangeAnswer, AttachRequest>,
    content: Outlet<()>,
    link: Arc<Link>,
    digest: Digest,
    left_bytes: u64,
    patience: Duration,
}

#[async_trait]
impl ObjectReader for Remote {
    async fn read(&self, object: &Attachment) -> Result<ContentStream, ContentError> {
        let digest = object.digest;
        let unreadable = |source: &'static str| ContentError::Unreadable {
            digest,
            source: source.into(),
        };
        let source = self.0.sources.find(&digest);
        let source = source.ok_or_else(|| unreadable("no delivery with this object was fetched here"))?;
        let of = match source.place {
            Place::Delivery(delivery) => Of::DeliveryId(delivery.to_string()),
            Place::Deliver { call, .. } => Of::DeliverCallId(call),
        };
        let call = Call::ReadObject(ReadObject {
            of: Some(of),
            index: source.index,
            credit_bytes: WINDOW_BYTES as u64,
        });
        let sent = self.send(&source.system, None, call).await;
        let Sent { link, ticket, moving } = sent.map_err(|error| ContentError::Unreadable {
            digest,
            source: error.into(),
        })?;
        let Moving::In(content) = moving else {
            return Err(unreadable("nothing was asked for"));
        };
        if matches!(source.place, Place::Deliver { stream, .. } if stream != link.number) {
            return Err(unreadable("the stream that the delivery came on has ended"));
        }
        let reading = Reading {
            ticket,
            content,
            link,
            digest,
            left_bytes: object.size_bytes,
            patience: self.0.settings.answer_timeout,
        };
        Ok(Box::pin(stream::unfold(Some(reading), |reading| async move {
            reading?.next().await
        })))
    }
}

impl Reading {
    /// The next chunk; behind the last, the node's word that all of it was right.
    async fn next(mut self) -> Option<(Result<Bytes, ContentError>, Option<Self>)> {
        match timeout(self.patience, self.content.next()).await {
            Ok(Some(Piece::Chunk(chunk))) => {
                self.left_bytes = self.left_bytes.wrapping_sub(chunk.len() as u64);
                if let Some(bytes) = self.content.grant() {
                    let call_id = self.ticket.id;
                    let credit = attach_request::Frame::Credit(Credit { call_id, bytes });
                    // Broken: the next look says so.
                    self.link.line.send(link::frame(credit)).await.ok();
                }
                Some((Ok(chunk), Some(self)))
            }
            Ok(Some(Piece::End(())) | None) => self.end().await,
            Err(_) => Some((Err(self.unreadable()), None)),
        }
    }

    async fn end(mut self) -> Option<(Result<Bytes, ContentError>, Option<Self>)> {
        let answer = timeout(self.patience, self.ticket.answer()).await;
        match answer.ok().and_then(Result::ok).and_then(|answer| answer.answer) {
            Some(Answer::Read(_)) if self.left_bytes == 0 => None,
            Some(Answer::Failure(failure)) => Some((Err(read_content_failure(failure, self.digest)), None)),
            _ => Some((Err(self.unreadable()), None)),
        }
    }

    fn unreadable(&self) -> ContentError {
        ContentError::Unreadable {
            digest: self.digest,
            source: Unanswered::Lost.into(),
        }
    }
}

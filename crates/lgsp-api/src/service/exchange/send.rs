//! Sending: one message, or many on a stream, each answered in its place.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;

use futures_util::stream::{self, FuturesOrdered};
use futures_util::{Stream, StreamExt as _};
use lgsp_proto::exchange::v1;
use lgsp_proto::{read_message, write_receipt};
use lgsp_types::{Caller, Digest, ReasonCode, Receipt, Refusal, Rejection, Role, Staged};
use prost::Message as _;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::{Answers, ExchangeService};
use crate::identity::caller::Principal;
use crate::identity::limits::Held;
use crate::identity::who::Who;
use crate::service::{Part, limited, stopping};
use crate::status::{ToStatus as _, refused};

/// Answers of one stream that are outstanding at most, in number and in bytes of their requests.
const OUTSTANDING_MAX: usize = 256;
const OUTSTANDING_MAX_BYTES: usize = 4 * 1024 * 1024;
/// Answers that wait for a client that reads slowly, beside those that are outstanding.
const ANSWERS_WAITING: usize = 16;
/// Order keys that are remembered before those that nobody waits for are forgotten.
const TURNS_MAX: usize = 2 * OUTSTANDING_MAX;

const FIELD_INVALID: ReasonCode = ReasonCode::new("FIELD_INVALID");
const UPLOAD_UNKNOWN: ReasonCode = ReasonCode::new("UPLOAD_UNKNOWN");

impl ExchangeService {
    /// Accepts one message; what its shape refuses is recorded before it is told, as any other refusal.
    pub(super) async fn send(&self, caller: &Caller, message: Option<v1::Message>) -> Result<Receipt, Status> {
        // Bytes and short texts: what is kept for the record of a refusal costs next to nothing.
        let written = message.clone();
        let refusals = match read_message(message, "message") {
            Err(refusals) => refusals,
            Ok(sent) => match self.objects(caller, &sent.uploads) {
                Err(refusals) => refusals,
                Ok(objects) => {
                    let mut publish = sent.publish;
                    publish.objects = objects;
                    let in_own_trace = sent.trace.map(|trace| caller.in_trace(trace));
                    let caller = in_own_trace.as_ref().unwrap_or(caller);
                    let receipt = self.common.exchange.publish(caller, publish).await;
                    return receipt.map_err(|error| error.status());
                }
            },
        };
        let content = Digest::of(&written.map(|message| message.encode_to_vec()).unwrap_or_default());
        let rejection = Rejection {
            content,
            refusals: refusals.clone(),
        };
        let recorded = self.common.exchange.reject(caller, rejection).await;
        recorded.map_err(|error| error.status())?;
        Err(refused(&refusals))
    }

    fn objects(&self, caller: &Caller, handles: &[String]) -> Result<Vec<Staged>, Vec<Refusal>> {
        let objects = self.uploads.take(&caller.system, handles).map_err(|unknown| {
            let refusal = |index| {
                Refusal::new(
                    UPLOAD_UNKNOWN,
                    format!("message.attachments[{index}].handle"),
                    "no upload of this system waits under this handle; each is of use once",
                    "upload the file again, and send the message with the new handle",
                )
            };
            unknown.into_iter().map(refusal).collect::<Vec<_>>()
        })?;
        let misplaced = |(_, object): &(usize, &Staged)| object.attachment.role == Role::Original;
        let misplaced = objects.iter().enumerate().skip(1).filter(misplaced);
        let refusals: Vec<_> = misplaced
            .map(|(index, _)| {
                let path = format!("message.attachments[{index}]");
                let mend = "name the one original first";
                Refusal::new(FIELD_INVALID, path, "is an original, and not the first file", mend)
            })
            .collect();
        if refusals.is_empty() {
            Ok(objects)
        } else {
            Err(refusals)
        }
    }

    pub(super) fn send_many(
        &self,
        principal: Principal,
        caller: Caller,
        requests: Streaming<v1::PublishStreamRequest>,
    ) -> Answers<v1::PublishStreamResponse> {
        let (answers, stream) = mpsc::channel(ANSWERS_WAITING);
        let sending = Sending {
            service: self.clone(),
            who: principal.who().clone(),
            caller,
            answers,
        };
        self.common.tasks.spawn(Arc::new(sending).run(requests));
        Box::pin(ReceiverStream::new(stream))
    }
}

/// One stream of messages.
struct Sending {
    service: ExchangeService,
    who: Who,
    caller: Caller,
    answers: mpsc::Sender<Result<v1::PublishStreamResponse, Status>>,
}

/// One request of a stream.
struct Asked {
    message: Option<v1::Message>,
    size: usize,
    room: Held,
}

/// A message's place among those of its order key: it goes when the one before it has its answer.
struct Turn {
    before: Option<CancellationToken>,
    _done: DropGuard,
}

impl Sending {
    async fn run(self: Arc<Self>, requests: Streaming<v1::PublishStreamRequest>) {
        let mut outstanding = FuturesOrdered::<Part<(v1::PublishStreamResponse, usize)>>::new();
        let (mut bytes, mut turns) = (0, HashMap::new());
        let mut requests = pin!(self.read(requests));
        let mut index = 0;
        let mut end = None;
        while end.is_none() || !outstanding.is_empty() {
            let reading = end.is_none() && outstanding.len() < OUTSTANDING_MAX && bytes < OUTSTANDING_MAX_BYTES;
            tokio::select! {
                biased;
                () = self.answers.closed() => return,
                Some(published) = outstanding.next() => {
                    let answer = published.map(|(answer, size)| {
                        bytes -= size;
                        answer
                    });
                    if !self.answer(answer).await {
                        return;
                    }
                }
                () = self.service.common.stop.cancelled(), if end.is_none() => end = Some(Err(stopping())),
                request = requests.next(), if reading => match request {
                    Some(Ok(request)) => {
                        let size = request.size;
                        let turn = take_turn(&mut turns, request.message.as_ref());
                        let publishing = Arc::clone(&self).publish(index, request, turn);
                        outstanding.push_back(self.service.common.begin(publishing));
                        index += 1;
                        bytes += size;
                    }
                    None => end = Some(Ok(())),
                    Some(Err(status)) => end = Some(Err(status)),
                },
            }
        }
        if let Some(Err(status)) = end {
            self.answer(Err(status)).await;
        }
    }

    /// False: nobody takes answers any more.
    async fn answer(&self, answer: Result<v1::PublishStreamResponse, Status>) -> bool {
        // Where nobody takes answers, the connection ends, and this with it: see `taken`.
        self.answers.send(answer).await.is_ok()
    }

    /// The requests, each with room for it: without room the next one is not read.
    fn read(&self, requests: Streaming<v1::PublishStreamRequest>) -> impl Stream<Item = Result<Asked, Status>> {
        let begin = Some(requests);
        stream::unfold(begin, async |requests| {
            let mut requests = requests?;
            let request = match requests.message().await {
                Ok(Some(request)) => request,
                Ok(None) => return None,
                Err(status) => return Some((Err(status), None)),
            };
            let size = request.encoded_len();
            let message = request.message;
            let asked = match self.service.common.room(&self.who, size as u64).await {
                Ok(room) => Ok(Asked { message, size, room }),
                Err(error) => Err(limited(&error)),
            };
            Some((asked, Some(requests)))
        })
    }

    async fn publish(
        self: Arc<Self>,
        index: u64,
        asked: Asked,
        turn: Option<Turn>,
    ) -> (v1::PublishStreamResponse, usize) {
        if let Some(before) = turn.as_ref().and_then(|turn| turn.before.as_ref()) {
            before.cancelled().await;
        }
        self.service.common.turn(&self.who).await;
        let Asked { message, size, room } = asked;
        let sent = self.service.send(&self.caller, message).await;
        drop(room);
        let outcome = match sent {
            Ok(receipt) => v1::publish_stream_response::Outcome::Receipt(write_receipt(&receipt)),
            Err(status) => v1::publish_stream_response::Outcome::Error(status_message(&status)),
        };
        let outcome = Some(outcome);
        (v1::PublishStreamResponse { index, outcome }, size)
    }
}

/// Messages of one order key go strictly one after another, all others beside each other.
fn take_turn(turns: &mut HashMap<String, CancellationToken>, message: Option<&v1::Message>) -> Option<Turn> {
    let message = message?;
    let key = if message.order_key.is_empty() {
        &message.idempotency_key
    } else {
        &message.order_key
    };
    if turns.len() >= TURNS_MAX {
        turns.retain(|_, last: &mut CancellationToken| !last.is_cancelled());
    }
    let done = CancellationToken::new();
    let before = turns.insert(key.clone(), done.clone());
    Some(Turn {
        before,
        _done: done.drop_guard(),
    })
}

/// An error within a stream, with the details that it would have as the end of a call.
pub(super) fn status_message(status: &Status) -> tonic_types::Status {
    // What has details has all of it there, as it would travel in the trailer.
    match tonic_types::Status::decode(status.details()) {
        Ok(whole) if !status.details().is_empty() => whole,
        _ => tonic_types::Status {
            code: status.code().into(),
            message: status.message().to_owned(),
            details: Vec::new(),
        },
    }
}

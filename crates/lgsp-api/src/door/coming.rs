//! Requests as they come in: their bytes count as in flight, and what was begun becomes whole in its time.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};
use tonic::Status;
use tonic::body::Body;

use super::lock;
use crate::identity::limits::{Held, Limits};
use crate::identity::who::Who;
use crate::status::{ToStatus as _, too_late};

/// Bytes of the flag and the length before each message. Source: the gRPC protocol over HTTP/2, Length-Prefixed-Message.
const PREFIX_BYTES: usize = 5;

/// Whose requests they are, and what they may take.
#[derive(Clone)]
pub(super) struct Allowance {
    pub(super) limits: Limits,
    pub(super) who: Who,
    pub(super) patience: Duration,
}

impl Allowance {
    /// Takes room for some bytes more.
    fn add(&self, held: &mut Option<Held>, bytes: usize) -> Result<(), Status> {
        let more = self.limits.bytes(&self.who, bytes as u64, std::time::Instant::now());
        let more = more.map_err(|error| error.status())?;
        // One for all of them: a call may well come byte by byte.
        match held {
            Some(held) => held.join(more),
            None => *held = Some(more),
        }
        Ok(())
    }
}

/// The one request of a call. Its bytes are held until the answer has left.
pub(super) struct Single {
    body: Body,
    allowance: Allowance,
    held: Arc<Mutex<Option<Held>>>,
    late: Pin<Box<Sleep>>,
}

impl Single {
    pub(super) fn new(body: Body, allowance: Allowance, held: Arc<Mutex<Option<Held>>>) -> Self {
        let late = Box::pin(sleep(allowance.patience));
        Self {
            body,
            allowance,
            held,
            late,
        }
    }
}

/// The requests of a stream. A message that is not whole yet is held here; a whole one is its service's matter.
pub(super) struct Many {
    body: Body,
    allowance: Allowance,
    framing: Framing,
    held: Option<Held>,
    /// When the message that is not whole yet began, and whether its end is awaited.
    begun: Option<(Instant, bool)>,
    late: Pin<Box<Sleep>>,
}

/// Where in the messages of a stream it is.
#[derive(Default)]
struct Framing {
    prefix: [u8; PREFIX_BYTES],
    of_prefix: usize,
    /// Bytes that the message lacks, once its prefix is whole.
    lacks: usize,
}

impl Framing {
    /// Goes on over these bytes. True: a message became whole in them; and how many came since, or since the beginning.
    fn pass(&mut self, mut bytes: &[u8]) -> (bool, usize) {
        let (mut whole, mut since) = (false, 0);
        while let Some((first, rest)) = bytes.split_first() {
            let passed = if self.of_prefix < PREFIX_BYTES {
                if let Some(place) = self.prefix.get_mut(self.of_prefix) {
                    *place = *first;
                }
                self.of_prefix += 1;
                bytes = rest;
                if self.of_prefix == PREFIX_BYTES {
                    let [_, length @ ..] = self.prefix;
                    self.lacks = u32::from_be_bytes(length) as usize;
                }
                1
            } else {
                let passed = self.lacks.min(bytes.len());
                self.lacks -= passed;
                bytes = bytes.get(passed..).unwrap_or_default();
                passed
            };
            since += passed;
            if self.of_prefix == PREFIX_BYTES && self.lacks == 0 {
                self.of_prefix = 0;
                (whole, since) = (true, 0);
            }
        }
        (whole, since)
    }
}

impl Many {
    pub(super) fn new(body: Body, allowance: Allowance) -> Self {
        let late = Box::pin(sleep(allowance.patience));
        Self {
            body,
            allowance,
            framing: Framing::default(),
            held: None,
            begun: None,
            late,
        }
    }

    fn count(&mut self, bytes: &[u8]) -> Result<(), Status> {
        let (whole, since) = self.framing.pass(bytes);
        if whole {
            drop(mem::take(&mut self.held));
            self.begun = None;
        }
        if since > 0 {
            self.begun.get_or_insert_with(|| (Instant::now(), false));
            self.allowance.add(&mut self.held, since)?;
        }
        Ok(())
    }

    /// Whether the message that was begun should be whole by now. The timer is set only where there is a wait at all.
    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        let Some((began, awaited)) = &mut self.begun else {
            return false;
        };
        if !mem::replace(awaited, true) {
            self.late.as_mut().reset(*began + self.allowance.patience);
        }
        self.late.as_mut().poll(cx).is_ready()
    }
}

impl HttpBody for Single {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if polled.is_pending() && self.late.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err(too_late(self.allowance.patience))));
        }
        let polled = ready!(polled);
        if let Some(Ok(frame)) = &polled
            && let Some(bytes) = frame.data_ref()
            && let Err(status) = self.allowance.add(&mut lock(&self.held), bytes.len())
        {
            return Poll::Ready(Some(Err(status)));
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl HttpBody for Many {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if polled.is_pending() && self.is_late(cx) {
            return Poll::Ready(Some(Err(too_late(self.allowance.patience))));
        }
        let polled = ready!(polled);
        if let Some(Ok(frame)) = &polled
            && let Some(bytes) = frame.data_ref()
            && let Err(status) = self.count(bytes)
        {
            return Poll::Ready(Some(Err(status)));
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages of these lengths, one after another.
    fn messages(lengths: &[u32]) -> Vec<u8> {
        let message = |length: &u32| [&[0][..], &length.to_be_bytes(), &vec![7; *length as usize]].concat();
        lengths.iter().flat_map(message).collect()
    }

    #[test]
    fn it_knows_at_each_byte_how_much_of_a_message_is_not_whole() {
        let bytes = messages(&[3, 0, 1, 300]);
        // Ends of the messages.
        let ends = [8, 13, 19, 324];
        for step in [1, 2, 5, 7, 100, 324] {
            let (mut framing, mut open, mut at) = (Framing::default(), 0, 0);
            for part in bytes.chunks(step) {
                let (whole, since) = framing.pass(part);
                at += part.len();
                open = if whole { since } else { open + since };
                let last = ends.iter().rev().find(|end| **end <= at).unwrap_or(&0);
                assert_eq!(open, at - last, "{at} bytes, {step} at a time");
            }
        }
    }
}

//! The body of an answer: a short text, or a packet streamed from its object, as it is or as base64 inside JSON.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::StreamExt;
use http_body::{Frame, SizeHint};
use lgsp_types::{ContentError, ContentStream};
use thiserror::Error;

use super::answer::{PACKET_BEFORE, PACKET_BEHIND};
use super::gate::Serving;
use super::trace::Trace;

/// Why an answer ends early; the connection is cut, so that nobody takes what came for the whole.
#[derive(Debug, Error)]
pub(super) enum Cut {
    #[error("the object could not be read to its end")]
    Content(#[from] ContentError),
    #[error("the object has another size than its record says")]
    Size,
}

/// What an answer holds.
pub(super) enum Content {
    Text(Bytes),
    Packet(Packet),
}

/// A packet on its way out.
pub(super) struct Packet {
    /// Asked again after its end, says that it has ended.
    stream: ContentStream,
    /// Bytes of the object still to come.
    left: u64,
    /// None: as it is.
    base64: Option<Base64>,
    /// Bytes of the answer still to come.
    answer_left: u64,
}

impl Packet {
    /// The very bytes.
    pub(super) fn plain(stream: ContentStream, size_bytes: u64) -> Self {
        Self {
            stream: Box::pin(stream.fuse()),
            left: size_bytes,
            base64: None,
            answer_left: size_bytes,
        }
    }

    /// Inside the JSON of getEdoc.
    pub(super) fn in_json(stream: ContentStream, size_bytes: u64) -> Self {
        let around = (PACKET_BEFORE.len() + PACKET_BEHIND.len()) as u64;
        Self {
            stream: Box::pin(stream.fuse()),
            left: size_bytes,
            base64: Some(Base64::default()),
            answer_left: size_bytes.div_ceil(3) * 4 + around,
        }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        let piece = ready!(self.poll_next_piece(cx));
        if let Some(Ok(piece)) = &piece {
            // The last chunk of an object comes only when its digest was right: an answer that is whole is right.
            self.answer_left = self.answer_left.saturating_sub(piece.len() as u64);
        }
        Poll::Ready(piece)
    }

    fn poll_next_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        if let Some(before) = self.base64.as_mut().and_then(Base64::before) {
            return Poll::Ready(Some(Ok(before)));
        }
        loop {
            let chunk = ready!(self.stream.as_mut().poll_next(cx)).transpose()?;
            let piece = match (chunk, &mut self.base64) {
                (Some(chunk), base64) => {
                    self.left = self.left.checked_sub(chunk.len() as u64).ok_or(Cut::Size)?;
                    base64
                        .as_mut()
                        .map_or_else(|| chunk.clone(), |base64| base64.piece(&chunk))
                }
                (None, _) if self.left > 0 => return Poll::Ready(Some(Err(Cut::Size))),
                (None, base64) => match base64.as_mut().and_then(Base64::behind) {
                    Some(behind) => behind,
                    None => return Poll::Ready(None),
                },
            };
            if !piece.is_empty() {
                return Poll::Ready(Some(Ok(piece)));
            }
        }
    }
}

/// Encodes in pieces: what does not fill a group of three waits for the next.
#[derive(Debug, Default)]
struct Base64 {
    begun: bool,
    ended: bool,
    carried: Vec<u8>,
}

impl Base64 {
    fn before(&mut self) -> Option<Bytes> {
        let first = !self.begun;
        self.begun = true;
        first.then(|| Bytes::from_static(PACKET_BEFORE.as_bytes()))
    }

    fn piece(&mut self, chunk: &[u8]) -> Bytes {
        let missing = (3 - self.carried.len() % 3) % 3;
        let (head, rest) = chunk.split_at(missing.min(chunk.len()));
        self.carried.extend_from_slice(head);
        if !self.carried.len().is_multiple_of(3) {
            return Bytes::new();
        }
        let (whole, over) = rest.split_at(rest.len() - rest.len() % 3);
        let mut text = String::with_capacity(4 + whole.len() / 3 * 4);
        STANDARD.encode_string(&self.carried, &mut text);
        STANDARD.encode_string(whole, &mut text);
        over.clone_into(&mut self.carried);
        Bytes::from(text)
    }

    fn behind(&mut self) -> Option<Bytes> {
        let last = !self.ended;
        self.ended = true;
        last.then(|| Bytes::from(STANDARD.encode(&self.carried) + PACKET_BEHIND))
    }
}

/// The body that hyper sends. Dropping it ends the call: the log line is written, the connection rests.
pub(super) struct Body {
    /// None: all of it was given to hyper.
    content: Option<Content>,
    trace: Trace,
    _serving: Serving,
}

impl Body {
    pub(super) fn new(content: Content, trace: Trace, serving: Serving) -> Self {
        let mut body = Self {
            content: Some(content),
            trace,
            _serving: serving,
        };
        body.end_if_given();
        body
    }

    fn end_if_given(&mut self) {
        if self.left() == 0 {
            self.content = None;
            self.trace.whole();
        }
    }

    fn left(&self) -> u64 {
        match &self.content {
            None => 0,
            Some(Content::Text(text)) => text.len() as u64,
            Some(Content::Packet(packet)) => packet.answer_left,
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let body = self.get_mut();
        let piece = match &mut body.content {
            None => None,
            Some(Content::Text(text)) => Some(Ok(std::mem::take(text))),
            Some(Content::Packet(packet)) => ready!(packet.poll_piece(cx)),
        };
        match &piece {
            Some(Ok(_)) => body.end_if_given(),
            Some(Err(cut)) => body.trace.cut(cut),
            None => {}
        }
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left())
    }
}

//! The gate between a connection and hyper: heads pass only whole, within bounds and with one way to read them; who
//! makes us wait is cut off; and who is still sending when the answer is out gets to read it.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::head::{self, Framing, Verdict};
use super::patience::Patience;

/// A sender of a body gets on when it sends so many bytes in a `no_progress_timeout_ms`.
const BODY_QUANTUM_BYTES: usize = 64 * 1024;
/// After an early answer the rest of a request is read and dropped for so long at most, so that the answer is seen.
const LINGER: Duration = Duration::from_secs(30);
const READ_BYTES: usize = 8 * 1024;

/// What hyper gets instead of a head that did not pass; the service answers the verdict to it.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n";

/// What the gate and the service of one connection tell each other.
#[derive(Debug)]
pub(super) struct Turn(Mutex<TurnState>);

#[derive(Debug)]
struct TurnState {
    /// Since when no request is being served; none while one is.
    resting_since: Option<Instant>,
    verdict: Option<Verdict>,
}

impl Turn {
    pub(super) fn new(now: Instant) -> Arc<Self> {
        Arc::new(Self(Mutex::new(TurnState {
            resting_since: Some(now),
            verdict: None,
        })))
    }

    /// A request is being served until the guard is dropped; the verdict stands if the gate let nothing through.
    pub(super) fn begin(self: &Arc<Self>) -> (Serving, Option<Verdict>) {
        let mut state = self.state();
        state.resting_since = None;
        (Serving(Arc::clone(self)), state.verdict.take())
    }

    fn state(&self) -> std::sync::MutexGuard<'_, TurnState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// While it lives, the connection is not idle.
#[derive(Debug)]
pub(super) struct Serving(Arc<Turn>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.state().resting_since = Some(Instant::now());
    }
}

/// What a connection may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) head_max_bytes: usize,
    pub(super) header_timeout: Duration,
    pub(super) idle_timeout: Duration,
    pub(super) no_progress_timeout: Duration,
}

/// Where the stream of requests stands.
#[derive(Debug)]
enum Stage {
    /// Collecting a head; `searched` bytes hold no end of one.
    Head { searched: usize, begun: Option<Instant> },
    /// So many bytes of an approved head and its body are still to be handed on.
    Passing { left: u64 },
    /// A chunked body: hyper finds its end, and nothing follows.
    Unframed,
    /// The stand-in is handed on in place of a head, then nothing: not even the end, which would take back the answer.
    Refused { handed: bool },
    /// Hyper shall see the end of the stream.
    Over,
}

/// One connection as hyper sees it.
#[derive(Debug)]
pub(super) struct Gate<S> {
    stream: S,
    limits: Limits,
    turn: Arc<Turn>,
    stage: Stage,
    held: BytesMut,
    reading: Patience,
    writing: Patience,
    read_timer: Pin<Box<Sleep>>,
    write_timer: Pin<Box<Sleep>>,
    lingers_until: Option<Instant>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Gate<S> {
    pub(super) fn new(stream: S, limits: Limits, turn: Arc<Turn>) -> Self {
        let now = Instant::now();
        Self {
            stream,
            limits,
            turn,
            stage: Stage::Head {
                searched: 0,
                begun: None,
            },
            held: BytesMut::new(),
            reading: Patience::new(limits.no_progress_timeout, BODY_QUANTUM_BYTES),
            writing: Patience::new(limits.no_progress_timeout, 1),
            read_timer: Box::pin(sleep_until(now)),
            write_timer: Box::pin(sleep_until(now)),
            lingers_until: None,
        }
    }

    /// Looks for a head in what is held and decides on it; false: more bytes are needed.
    fn decide(&mut self) -> bool {
        let Stage::Head { searched, begun } = self.stage else {
            return true;
        };
        if self.held.first().is_some_and(|first| head::is_foreign(*first)) {
            self.stage = Stage::Over;
            return true;
        }
        let end = head::end(&self.held, searched);
        let too_large = end.unwrap_or(self.held.len() + 1) > self.limits.head_max_bytes;
        let judged = match end {
            _ if too_large => Err(Verdict::HeadTooLarge),
            Some(end) => head::framing(self.held.get(..end).unwrap_or_default()).map(|framing| (end, framing)),
            None => {
                let searched = self.held.len();
                let begun = begun.or_else(|| (searched > 0).then(Instant::now));
                self.stage = Stage::Head { searched, begun };
                return false;
            }
        };
        self.stage = match judged {
            Ok((end, Framing::Length(body))) => Stage::Passing {
                left: body.saturating_add(end as u64),
            },
            Ok((_, Framing::Chunked)) => Stage::Unframed,
            Err(verdict) => {
                self.turn.state().verdict = Some(verdict);
                Stage::Refused { handed: false }
            }
        };
        true
    }

    /// Ready with false: the far side has ended, or took too long to begin or to end a head.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        while !self.decide() {
            let room = (self.limits.head_max_bytes + 1)
                .saturating_sub(self.held.len())
                .min(READ_BYTES);
            match poll_more(&mut self.stream, &mut self.held, room, cx) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(false)),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    let Stage::Head { begun, .. } = self.stage else {
                        continue;
                    };
                    ready!(self.poll_rest(begun, cx));
                    return Poll::Ready(Ok(false));
                }
            }
        }
        Poll::Ready(Ok(true))
    }

    /// Ready when the connection rested, or left a head unfinished, for too long.
    fn poll_rest(&mut self, begun: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let now = Instant::now();
            let resting_since = self.turn.state().resting_since;
            let deadline = match (resting_since, begun) {
                // A request is being served: look again later.
                (None, _) => now + self.limits.idle_timeout,
                (Some(since), None) => since + self.limits.idle_timeout,
                (Some(since), Some(begun)) => since.max(begun) + self.limits.header_timeout,
            };
            if deadline <= now {
                return Poll::Ready(());
            }
            ready!(poll_until(&mut self.read_timer, deadline, cx));
        }
    }

    /// Hands on what is held, else reads: at most `most` bytes.
    fn poll_pass(&mut self, most: u64, buf: &mut ReadBuf<'_>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(buf.remaining());
        if !self.held.is_empty() {
            let passed = most.min(self.held.len());
            buf.put_slice(self.held.get(..passed).unwrap_or_default());
            self.held.advance(passed);
            return Poll::Ready(Ok(passed));
        }
        let before = buf.filled().len();
        let polled = if most == buf.remaining() {
            Pin::new(&mut self.stream).poll_read(cx, buf)
        } else {
            let mut window = ReadBuf::new(buf.initialize_unfilled_to(most));
            let polled = Pin::new(&mut self.stream).poll_read(cx, &mut window);
            let read = window.filled().len();
            buf.advance(read);
            polled
        };
        let Poll::Ready(result) = polled else {
            let deadline = self.reading.ends(Instant::now());
            ready!(poll_until(&mut self.read_timer, deadline, cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        };
        result?;
        let read = buf.filled().len() - before;
        self.reading.moved(Instant::now(), read);
        Poll::Ready(Ok(read))
    }

    /// What the far side may still be sending, in bytes; none: nothing that would be lost with its answer.
    fn unread(&self) -> Option<u64> {
        match self.stage {
            Stage::Passing { left } => Some(left.saturating_sub(self.held.len() as u64)).filter(|left| *left > 0),
            Stage::Unframed | Stage::Refused { .. } => Some(u64::MAX),
            Stage::Head { .. } | Stage::Over => None,
        }
    }

    /// Reads and drops what the far side still sends.
    fn poll_linger(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let Some(left) = self.unread() else {
                return Poll::Ready(());
            };
            self.held.clear();
            let room = usize::try_from(left).unwrap_or(usize::MAX).min(READ_BYTES);
            match poll_more(&mut self.stream, &mut self.held, room, cx) {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(read)) => {
                    self.held.clear();
                    if let Stage::Passing { left } = &mut self.stage {
                        *left -= (*left).min(read as u64);
                    }
                }
                Poll::Pending => return poll_until(&mut self.read_timer, deadline, cx),
            }
        }
    }

    fn written(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match polled {
            Poll::Ready(Ok(bytes)) => {
                self.writing.moved(Instant::now(), bytes.max(1));
                Poll::Ready(Ok(bytes))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                let deadline = self.writing.ends(Instant::now());
                ready!(poll_until(&mut self.write_timer, deadline, cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

/// Reads at most `room` bytes behind what is held.
fn poll_more<S: AsyncRead + Unpin>(
    stream: &mut S,
    held: &mut BytesMut,
    room: usize,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let mut bytes = [0; READ_BYTES];
    let mut window = ReadBuf::new(bytes.get_mut(..room).unwrap_or_default());
    ready!(Pin::new(stream).poll_read(cx, &mut window))?;
    held.extend_from_slice(window.filled());
    Poll::Ready(Ok(window.filled().len()))
}

fn poll_until(timer: &mut Pin<Box<Sleep>>, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
    if timer.deadline() != deadline {
        timer.as_mut().reset(deadline);
    }
    timer.as_mut().poll(cx)
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Gate<S> {
    /// Leaves `buf` empty where hyper shall see the end of the stream.
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let gate = self.get_mut();
        loop {
            match gate.stage {
                Stage::Head { .. } => {
                    if !ready!(gate.poll_head(cx))? {
                        return Poll::Ready(Ok(()));
                    }
                }
                Stage::Passing { left: 0 } => {
                    gate.stage = Stage::Head {
                        searched: 0,
                        begun: None,
                    }
                }
                Stage::Passing { left } => {
                    let passed = ready!(gate.poll_pass(left, buf, cx))?;
                    gate.stage = Stage::Passing {
                        left: left - (passed as u64).min(left),
                    };
                    return Poll::Ready(Ok(()));
                }
                Stage::Unframed => return gate.poll_pass(u64::MAX, buf, cx).map_ok(|_| ()),
                // Hyper reads at least 8 KiB at a time.
                Stage::Refused { handed: false } if buf.remaining() >= STAND_IN.len() => {
                    buf.put_slice(STAND_IN);
                    gate.stage = Stage::Refused { handed: true };
                    return Poll::Ready(Ok(()));
                }
                Stage::Refused { handed: true } => return Poll::Pending,
                Stage::Refused { handed: false } | Stage::Over => return Poll::Ready(Ok(())),
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Gate<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let gate = self.get_mut();
        let polled = Pin::new(&mut gate.stream).poll_write(cx, bytes);
        gate.written(cx, polled)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let gate = self.get_mut();
        let polled = Pin::new(&mut gate.stream).poll_write_vectored(cx, slices);
        gate.written(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let gate = self.get_mut();
        let polled = Pin::new(&mut gate.stream).poll_flush(cx).map_ok(|()| 0);
        gate.written(cx, polled).map_ok(|_| ())
    }

    /// Says that nothing more comes, then lets the far side finish what it is sending: a reset would take the answer
    /// from it.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let gate = self.get_mut();
        let deadline = match gate.lingers_until {
            Some(deadline) => deadline,
            None => {
                ready!(Pin::new(&mut gate.stream).poll_shutdown(cx))?;
                *gate.lingers_until.insert(Instant::now() + LINGER)
            }
        };
        gate.poll_linger(deadline, cx).map(Ok)
    }
}

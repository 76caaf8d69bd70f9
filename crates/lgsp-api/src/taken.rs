//! Cuts off a far side that takes nothing: HTTP/2 lets it leave answers lying for ever, without a word.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Interval, MissedTickBehavior, interval};
use tonic::transport::server::Connected;
use tracing::info;

use crate::identity::certificate::Peer;
use crate::identity::listen::Connection;

/// How often a connection is looked at, as parts of the far side's time.
const LOOKS: u32 = 4;

/// A connection that ends when an answer on it was not taken in time.
pub(crate) struct Watched {
    connection: Connection,
    given: Given,
    patience: Duration,
    look: Interval,
}

/// The answers of one connection that were given to it and not taken up yet. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Given(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    next: u64,
    /// As many as there are streams.
    since: HashMap<u64, Instant>,
}

/// One answer of a connection.
pub(crate) struct Answering {
    given: Given,
    number: u64,
}

/// Whose connection a call came on, and where its answer is watched.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) peer: Peer,
    pub(crate) given: Given,
}

impl Watched {
    pub(crate) fn new(connection: Connection, patience: Duration) -> Self {
        let mut look = interval(patience / LOOKS);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            connection,
            given: Given::default(),
            patience,
            look,
        }
    }

    /// # Errors
    /// The connection is at its end; all its streams end with it, as what one leaves lying holds up the others.
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while self.look.poll_tick(cx).is_ready() {
            let now = Instant::now();
            let longest = self.given.lock().since.values().min().copied();
            if longest.is_some_and(|since| now.saturating_duration_since(since) >= self.patience) {
                info!("a far side that takes nothing is cut off");
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        Ok(())
    }
}

impl Given {
    /// Begins to watch one answer.
    pub(crate) fn answering(&self) -> Answering {
        let mut waiting = self.lock();
        waiting.next += 1;
        Answering {
            given: self.clone(),
            number: waiting.next,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answering {
    /// A part of it is handed to the connection, which asks for the next one when there is room for this.
    pub(crate) fn gave(&self) {
        self.given.lock().since.insert(self.number, Instant::now());
    }

    /// The connection asks for more: it has taken the part before.
    pub(crate) fn asked(&self) {
        self.given.lock().since.remove(&self.number);
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.asked();
    }
}

impl Connected for Watched {
    type ConnectInfo = Line;

    fn connect_info(&self) -> Line {
        Line {
            peer: self.connection.peer().clone(),
            given: self.given.clone(),
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.connection).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.connection).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.connection).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(cx)
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Watched")
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}

//! The calls that went out and are not answered yet; whoever waits for one hears of its answer or of the end.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};

use super::fault::Fault;
use super::line::{Broken, Line};
use super::table::Content;

/// One for each stream and direction; `A` is what answers.
pub(super) struct Asked<A> {
    calls: Mutex<Calls<A>>,
    /// Room for calls, as the far side allows.
    room: Arc<Semaphore>,
    ended: Notify,
}

struct Calls<A> {
    last: u64,
    open: HashMap<u64, Call<A>>,
    /// The stream is at its end: no answer will come.
    over: bool,
}

struct Call<A> {
    answer: oneshot::Sender<A>,
    content: Content<()>,
    _room: OwnedSemaphorePermit,
}

/// A call on its way. Dropped before its answer, it is cancelled at the far side.
pub(super) struct Ticket<A, F: Send + 'static> {
    pub(super) id: u64,
    answer: oneshot::Receiver<A>,
    asked: Arc<Asked<A>>,
    line: Line<F>,
    cancel: fn(u64) -> F,
    answered: bool,
}

impl<A: Send + 'static> Asked<A> {
    pub(super) fn new(calls_max: usize) -> Self {
        let calls = Calls {
            last: 0,
            open: HashMap::new(),
            over: false,
        };
        Self {
            calls: Mutex::new(calls),
            room: Arc::new(Semaphore::new(calls_max.min(Semaphore::MAX_PERMITS))),
            ended: Notify::new(),
        }
    }

    /// Sends a call once there is room for it. Cancel safe: a call that was not sent was not made.
    ///
    /// # Errors
    /// [`Broken`]: certainly not sent.
    pub(super) async fn ask<F: Send + 'static>(
        self: &Arc<Self>,
        line: &Line<F>,
        content: Content<()>,
        frame: impl FnOnce(u64) -> F,
        cancel: fn(u64) -> F,
    ) -> Result<Ticket<A, F>, Broken> {
        let room = tokio::select! {
            () = line.end().wait() => return Err(Broken),
            room = Arc::clone(&self.room).acquire_owned() => room.map_err(|_| Broken)?,
        };
        let place = line.place().await?;
        let (answer, waiting) = oneshot::channel();
        // Numbered and sent in one step: numbers only grow on the wire.
        let mut calls = self.calls();
        if calls.over {
            return Err(Broken);
        }
        calls.last += 1;
        let id = calls.last;
        let call = Call {
            answer,
            content,
            _room: room,
        };
        calls.open.insert(id, call);
        place.send(frame(id));
        drop(calls);
        Ok(Ticket {
            id,
            answer: waiting,
            asked: Arc::clone(self),
            line: line.clone(),
            cancel,
            answered: false,
        })
    }

    /// An answer came.
    ///
    /// # Errors
    /// [`Fault::CallIdUnknown`].
    pub(super) fn answer(&self, id: u64, answer: A) -> Result<(), Fault> {
        let call = {
            let mut calls = self.calls();
            if id == 0 || id > calls.last {
                return Err(Fault::CallIdUnknown);
            }
            calls.open.remove(&id)
        };
        if let Some(call) = call {
            // Whoever asked may have gone.
            drop(call.answer.send(answer));
            self.ended.notify_waiters();
        }
        Ok(())
    }

    /// # Errors
    /// [`Fault`].
    pub(super) fn chunk(&self, id: u64, chunk: Bytes) -> Result<(), Fault> {
        self.with(id, |content| match content {
            Content::In(inlet) => inlet.chunk(chunk),
            Content::None | Content::Out(_) => Err(Fault::CallIdUnknown),
        })
    }

    /// # Errors
    /// [`Fault`].
    pub(super) fn credit(&self, id: u64, bytes: u64) -> Result<(), Fault> {
        self.with(id, |content| match content {
            Content::Out(allowance) => {
                allowance.add(bytes);
                Ok(())
            }
            Content::None | Content::In(_) => Err(Fault::CallIdUnknown),
        })
    }

    fn with(&self, id: u64, act: impl FnOnce(&Content<()>) -> Result<(), Fault>) -> Result<(), Fault> {
        let calls = self.calls();
        match calls.open.get(&id) {
            Some(call) => act(&call.content),
            None if id == 0 || id > calls.last => Err(Fault::CallIdUnknown),
            None => Ok(()),
        }
    }

    /// No answer will come any more: whoever waits is told.
    pub(super) fn abandon(&self) {
        let open = {
            let mut calls = self.calls();
            calls.over = true;
            std::mem::take(&mut calls.open)
        };
        for call in open.into_values() {
            if let Content::Out(allowance) = &call.content {
                allowance.end();
            }
        }
        self.ended.notify_waiters();
    }

    /// Waits until no call is open. Cancel safe.
    pub(super) async fn quiet(&self) {
        loop {
            let ended = self.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            if self.calls().open.is_empty() {
                return;
            }
            ended.await;
        }
    }

    fn calls(&self) -> MutexGuard<'_, Calls<A>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<A, F: Send + 'static> Ticket<A, F> {
    /// The answer. Cancel safe.
    ///
    /// # Errors
    /// [`Broken`]: it was sent, and no answer will come.
    pub(super) async fn answer(&mut self) -> Result<A, Broken> {
        let answer = (&mut self.answer).await;
        self.answered = true;
        answer.map_err(|_| Broken)
    }
}

impl<A, F: Send + 'static> Drop for Ticket<A, F> {
    fn drop(&mut self) {
        if self.answered {
            return;
        }
        let forgotten = {
            let mut calls = self.asked.calls.lock().unwrap_or_else(PoisonError::into_inner);
            calls.open.remove(&self.id).is_some()
        };
        if forgotten {
            self.asked.ended.notify_waiters();
            self.line.try_send((self.cancel)(self.id));
        }
    }
}

impl<A> fmt::Debug for Asked<A> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = self.calls.lock().unwrap_or_else(PoisonError::into_inner).open.len();
        out.debug_struct("Asked").field("open", &open).finish_non_exhaustive()
    }
}

impl<A, F: Send + 'static> fmt::Debug for Ticket<A, F> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Ticket").field("id", &self.id).finish_non_exhaustive()
    }
}

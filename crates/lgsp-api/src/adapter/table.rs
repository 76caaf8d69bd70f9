//! The calls that came in and are not answered yet: their numbers, their content, and how many there may be.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::content::{Allowance, Inlet};
use super::fault::Fault;

/// Content that belongs to a call.
pub(super) enum Content<E> {
    None,
    /// It comes in.
    In(Inlet<E>),
    /// It goes out.
    Out(Arc<Allowance>),
}

/// One table for each stream and direction.
pub(super) struct Table<E> {
    max: usize,
    calls: Mutex<Calls<E>>,
    ended: Notify,
}

struct Calls<E> {
    last: u64,
    open: HashMap<u64, Call<E>>,
}

struct Call<E> {
    content: Content<E>,
    cancelled: CancellationToken,
}

impl<E> Table<E> {
    pub(super) fn new(max: usize) -> Self {
        let open = HashMap::new();
        Self {
            max,
            calls: Mutex::new(Calls { last: 0, open }),
            ended: Notify::new(),
        }
    }

    /// A call came in. The token says when nobody waits for its answer any more.
    ///
    /// # Errors
    /// [`Fault`].
    pub(super) fn begin(&self, id: u64, content: Content<E>) -> Result<CancellationToken, Fault> {
        let mut calls = self.calls();
        if id <= calls.last {
            return Err(Fault::CallIdUsed);
        }
        if calls.open.len() >= self.max {
            return Err(Fault::CallsTooMany);
        }
        calls.last = id;
        let cancelled = CancellationToken::new();
        let call = Call {
            content,
            cancelled: cancelled.clone(),
        };
        calls.open.insert(id, call);
        Ok(cancelled)
    }

    /// Its answer leaves.
    pub(super) fn end(&self, id: u64) {
        self.calls().open.remove(&id);
        self.ended.notify_waiters();
    }

    /// # Errors
    /// [`Fault`].
    pub(super) fn chunk(&self, id: u64, chunk: Bytes) -> Result<(), Fault> {
        self.with(id, |call| match &call.content {
            Content::In(inlet) => inlet.chunk(chunk),
            Content::None | Content::Out(_) => Err(Fault::CallIdUnknown),
        })
    }

    /// # Errors
    /// [`Fault`].
    pub(super) fn content_end(&self, id: u64, end: E) -> Result<(), Fault> {
        self.with(id, |call| match &call.content {
            Content::In(inlet) => inlet.end(end),
            Content::None | Content::Out(_) => Err(Fault::CallIdUnknown),
        })
    }

    /// # Errors
    /// [`Fault`].
    pub(super) fn credit(&self, id: u64, bytes: u64) -> Result<(), Fault> {
        self.with(id, |call| match &call.content {
            Content::Out(allowance) => {
                allowance.add(bytes);
                Ok(())
            }
            Content::None | Content::In(_) => Err(Fault::CallIdUnknown),
        })
    }

    /// # Errors
    /// [`Fault`].
    pub(super) fn cancel(&self, id: u64) -> Result<(), Fault> {
        self.with(id, |call| {
            call.cancelled.cancel();
            Ok(())
        })
    }

    /// A frame about a call that has ended crossed its answer, and says nothing any more.
    fn with(&self, id: u64, act: impl FnOnce(&Call<E>) -> Result<(), Fault>) -> Result<(), Fault> {
        let calls = self.calls();
        match calls.open.get(&id) {
            Some(call) => act(call),
            None if id == 0 || id > calls.last => Err(Fault::CallIdUnknown),
            None => Ok(()),
        }
    }

    /// Nobody waits for any answer any more, and no content comes.
    pub(super) fn abandon(&self) {
        for call in self.calls().open.values_mut() {
            call.cancelled.cancel();
            if let Content::Out(allowance) = &call.content {
                allowance.end();
            }
            call.content = Content::None;
        }
    }

    /// No more content comes in: what waits for some ends.
    pub(super) fn no_more_content(&self) {
        for call in self.calls().open.values_mut() {
            if matches!(call.content, Content::In(_)) {
                call.content = Content::None;
            }
        }
    }

    /// Waits until no call is open. Cancel safe.
    pub(super) async fn quiet(&self) {
        loop {
            let ended = self.ended.notified();
            tokio::pin!(ended);
            // From here on no end is missed.
            ended.as_mut().enable();
            if self.calls().open.is_empty() {
                return;
            }
            ended.await;
        }
    }

    fn calls(&self) -> MutexGuard<'_, Calls<E>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<E> fmt::Debug for Table<E> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = self.calls().open.len();
        out.debug_struct("Table").field("open", &open).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::content::passage;
    use super::*;

    #[test]
    fn a_number_is_used_once_and_upwards() {
        let table = Table::<()>::new(2);
        assert!(table.begin(0, Content::None).is_err());
        table.begin(5, Content::None).unwrap();
        assert_eq!(table.begin(5, Content::None).unwrap_err(), Fault::CallIdUsed);
        assert_eq!(table.begin(4, Content::None).unwrap_err(), Fault::CallIdUsed);
        table.begin(6, Content::None).unwrap();
        assert_eq!(table.begin(7, Content::None).unwrap_err(), Fault::CallsTooMany);
        table.end(5);
        table.begin(7, Content::None).unwrap();
    }

    #[test]
    fn frames_about_a_call_that_ended_are_ignored_and_about_one_that_never_was_are_not() {
        let table = Table::<()>::new(8);
        let (inlet, mut outlet) = passage();
        outlet.open();
        table.begin(3, Content::In(inlet)).unwrap();
        table.begin(4, Content::Out(Arc::new(Allowance::new(0)))).unwrap();
        let chunk = || Bytes::from_static(b"x");
        table.chunk(3, chunk()).unwrap();
        table.credit(4, 1).unwrap();
        assert_eq!(table.chunk(4, chunk()), Err(Fault::CallIdUnknown), "no upload");
        assert_eq!(table.credit(3, 1), Err(Fault::CallIdUnknown), "no download");
        table.end(3);
        table.chunk(3, chunk()).unwrap();
        table.content_end(3, ()).unwrap();
        table.cancel(3).unwrap();
        for id in [0, 5, u64::MAX] {
            assert_eq!(table.chunk(id, chunk()), Err(Fault::CallIdUnknown));
            assert_eq!(table.cancel(id), Err(Fault::CallIdUnknown));
            assert_eq!(table.credit(id, 1), Err(Fault::CallIdUnknown));
        }
    }

    #[tokio::test]
    async fn who_is_abandoned_is_told() {
        let table = Table::<()>::new(8);
        let allowance = Arc::new(Allowance::new(0));
        let cancelled = table.begin(1, Content::Out(Arc::clone(&allowance))).unwrap();
        table.abandon();
        cancelled.cancelled().await;
        assert!(allowance.spend(&Bytes::from_static(b"x")).await.is_err());
        let quiet = table.quiet();
        tokio::pin!(quiet);
        assert!(futures_util::poll!(quiet.as_mut()).is_pending());
        table.end(1);
        quiet.await;
    }
}

//! Content of calls: chunks by credit, so that nobody sends more than the far side has room for.

use bytes::Bytes;
use tokio::sync::{Semaphore, mpsc};

use super::fault::Fault;

/// Largest chunk, in bytes.
pub(super) const CHUNK_MAX_BYTES: usize = 64 * 1024;
/// What a chunk costs at least, in bytes: else a far side could fill a queue with empty ones.
const CHUNK_MIN_COST: usize = 4 * 1024;
/// What one upload or download may have under way, in bytes.
pub(super) const WINDOW_BYTES: usize = 256 * 1024;
/// Chunks that a window holds at most, and the end behind them.
const PIECES_MAX: usize = WINDOW_BYTES / CHUNK_MIN_COST + 1;
/// More credit than this is none that anybody meant.
const CREDIT_MAX_BYTES: usize = 64 * 1024 * 1024;

fn cost(chunk: &Bytes) -> usize {
    chunk.len().max(CHUNK_MIN_COST)
}

/// What may still be sent of one call's content.
#[derive(Debug)]
pub(super) struct Allowance(Semaphore);

/// No credit will come any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended;

impl Allowance {
    pub(super) fn new(credit_bytes: u64) -> Self {
        let allowance = Self(Semaphore::new(0));
        allowance.add(credit_bytes);
        allowance
    }

    /// Credit came; beyond what anybody means it counts no more.
    pub(super) fn add(&self, credit_bytes: u64) {
        let room = CREDIT_MAX_BYTES.saturating_sub(self.0.available_permits());
        let credit = usize::try_from(credit_bytes).unwrap_or(usize::MAX);
        self.0.add_permits(credit.min(room));
    }

    /// Waits until a chunk of this size may be sent. Cancel safe: nothing is spent before.
    ///
    /// # Errors
    /// [`Ended`].
    pub(super) async fn spend(&self, chunk: &Bytes) -> Result<(), Ended> {
        let cost = u32::try_from(cost(chunk)).map_err(|_| Ended)?;
        self.0.acquire_many(cost).await.map_err(|_| Ended)?.forget();
        Ok(())
    }

    /// Waits until there is credit at all: the far side is ready. Cancel safe.
    ///
    /// # Errors
    /// [`Ended`].
    pub(super) async fn opened(&self) -> Result<(), Ended> {
        let least = u32::try_from(CHUNK_MIN_COST).map_err(|_| Ended)?;
        // Given back at once.
        drop(self.0.acquire_many(least).await.map_err(|_| Ended)?);
        Ok(())
    }

    pub(super) fn end(&self) {
        self.0.close();
    }
}

/// Where the content of one call comes in; whoever reads frames puts it there without waiting.
#[derive(Debug)]
pub(super) struct Inlet<E> {
    pieces: mpsc::Sender<Piece<E>>,
    credit: Credit,
}

/// What a far side may still send; shared by who grants and who counts.
type Credit = std::sync::Arc<std::sync::atomic::AtomicUsize>;

/// A part of the content, or its end.
#[derive(Debug)]
pub(super) enum Piece<E> {
    Chunk(Bytes),
    End(E),
}

/// Where the content of one call is taken from.
#[derive(Debug)]
pub(super) struct Outlet<E> {
    pieces: mpsc::Receiver<Piece<E>>,
    credit: Credit,
    /// Taken, and not granted anew yet.
    taken: usize,
}

/// A way in for content; nothing may come before credit was granted.
pub(super) fn passage<E>() -> (Inlet<E>, Outlet<E>) {
    let (sender, receiver) = mpsc::channel(PIECES_MAX);
    let credit = Credit::default();
    let inlet = Inlet {
        pieces: sender,
        credit: std::sync::Arc::clone(&credit),
    };
    let outlet = Outlet {
        pieces: receiver,
        credit,
        taken: 0,
    };
    (inlet, outlet)
}

impl<E> Inlet<E> {
    /// A chunk came.
    ///
    /// # Errors
    /// [`Fault::CreditExceeded`].
    pub(super) fn chunk(&self, chunk: Bytes) -> Result<(), Fault> {
        use std::sync::atomic::Ordering::{AcqRel, Acquire};
        if chunk.is_empty() || chunk.len() > CHUNK_MAX_BYTES {
            return Err(Fault::CreditExceeded);
        }
        let cost = cost(&chunk);
        let spent = self.credit.fetch_update(AcqRel, Acquire, |left| left.checked_sub(cost));
        spent.map_err(|_| Fault::CreditExceeded)?;
        self.put(Piece::Chunk(chunk))
    }

    /// The end came.
    ///
    /// # Errors
    /// [`Fault::CreditExceeded`]: it had come before.
    pub(super) fn end(&self, end: E) -> Result<(), Fault> {
        self.put(Piece::End(end))
    }

    fn put(&self, piece: Piece<E>) -> Result<(), Fault> {
        match self.pieces.try_send(piece) {
            // Closed: nobody wants it any more.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => Err(Fault::CreditExceeded),
        }
    }
}

impl<E> Outlet<E> {
    /// The next piece; none: the stream ended in the middle. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<Piece<E>> {
        let piece = self.pieces.recv().await?;
        if let Piece::Chunk(chunk) = &piece {
            self.taken += cost(chunk);
        }
        Some(piece)
    }

    /// The first credit: a whole window.
    pub(super) fn open(&mut self) -> u64 {
        self.taken = WINDOW_BYTES;
        self.grant().unwrap_or(0)
    }

    /// The credit that is due for what was taken, in steps of half a window.
    pub(super) fn grant(&mut self) -> Option<u64> {
        if self.taken < WINDOW_BYTES / 2 {
            return None;
        }
        let due = std::mem::take(&mut self.taken);
        self.credit.fetch_add(due, std::sync::atomic::Ordering::AcqRel);
        Some(due as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_goes_in_comes_out_within_the_credit() {
        let (inlet, mut outlet) = passage::<()>();
        let chunk = Bytes::from(vec![1; CHUNK_MAX_BYTES]);
        assert_eq!(inlet.chunk(chunk.clone()), Err(Fault::CreditExceeded), "no credit yet");
        assert_eq!(outlet.open(), WINDOW_BYTES as u64);
        for _ in 0..WINDOW_BYTES / CHUNK_MAX_BYTES {
            inlet.chunk(chunk.clone()).unwrap();
        }
        assert_eq!(inlet.chunk(chunk.clone()), Err(Fault::CreditExceeded));
        assert!(matches!(outlet.next().await, Some(Piece::Chunk(_))));
        assert_eq!(outlet.grant(), None, "too little to be worth a frame");
        assert!(matches!(outlet.next().await, Some(Piece::Chunk(_))));
        assert_eq!(outlet.grant(), Some(WINDOW_BYTES as u64 / 2));
        inlet.chunk(chunk).unwrap();
        inlet.end(()).unwrap();
    }

    #[test]
    fn small_chunks_cannot_fill_more_than_the_queue() {
        let (inlet, mut outlet) = passage::<()>();
        outlet.open();
        let sent = (0..)
            .take_while(|_| inlet.chunk(Bytes::from_static(b"x")).is_ok())
            .count();
        assert_eq!(sent, WINDOW_BYTES / CHUNK_MIN_COST);
        inlet.end(()).unwrap();
        assert_eq!(inlet.end(()), Err(Fault::CreditExceeded), "one end only");
    }

    #[test]
    fn a_chunk_is_neither_empty_nor_too_large() {
        let (inlet, mut outlet) = passage::<()>();
        outlet.open();
        assert_eq!(inlet.chunk(Bytes::new()), Err(Fault::CreditExceeded));
        let large = Bytes::from(vec![0; CHUNK_MAX_BYTES + 1]);
        assert_eq!(inlet.chunk(large), Err(Fault::CreditExceeded));
    }

    #[tokio::test]
    async fn absurd_credit_is_bounded_and_an_end_wakes_who_waits() {
        let allowance = Allowance::new(u64::MAX);
        allowance.add(u64::MAX);
        assert_eq!(allowance.0.available_permits(), CREDIT_MAX_BYTES);
        let none = Allowance::new(0);
        let chunk = Bytes::from_static(b"x");
        let waiting = async { tokio::join!(none.spend(&chunk), none.opened(), async { none.end() }) };
        assert_eq!(waiting.await, (Err(Ended), Err(Ended), ()));
    }
}

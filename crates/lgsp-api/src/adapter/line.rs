//! The way out: frames that leave on one stream, in order, bounded; and the end of that stream, whoever brings it about.

use std::fmt;
use std::sync::{Arc, OnceLock};

use futures_util::{Stream, stream};
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::{FRAMES_MAX, NO_PROGRESS};

/// Takes frames to the far side. Cheap to clone.
pub(super) struct Line<F> {
    frames: mpsc::Sender<F>,
    end: Arc<End>,
}

/// The end of one stream; said once.
#[derive(Debug, Default)]
pub(super) struct End {
    came: CancellationToken,
    why: OnceLock<Status>,
}

/// The stream has ended, or the far side takes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the stream to the far side has ended")]
pub(super) struct Broken;

impl<F: Send + 'static> Line<F> {
    /// A line, and what leaves on it: every frame that was taken, then the status it ended with, if there is one.
    pub(super) fn new() -> (Self, impl Stream<Item = Result<F, Status>> + Send + 'static) {
        let (frames, leaving) = mpsc::channel(FRAMES_MAX);
        let end = Arc::new(End::default());
        let state = Some((leaving, Arc::clone(&end)));
        let out = stream::unfold(state, |state: Option<(mpsc::Receiver<F>, Arc<End>)>| async move {
            let (mut leaving, end) = state?;
            tokio::select! {
                biased;
                frame = leaving.recv() => match frame {
                    Some(frame) => Some((Ok(frame), Some((leaving, end)))),
                    None => end.why.get().cloned().map(|why| (Err(why), None)),
                },
                () = end.came.cancelled() => end.why.get().cloned().map(|why| (Err(why), None)),
            }
        });
        (Self { frames, end }, out)
    }

    /// A place for one frame, in turn. The frame that takes it cannot fail any more.
    ///
    /// # Errors
    /// [`Broken`]; a far side that takes nothing for too long is given up.
    pub(super) async fn place(&self) -> Result<mpsc::Permit<'_, F>, Broken> {
        if self.end.has_come() {
            return Err(Broken);
        }
        tokio::select! {
            () = self.end.came.cancelled() => Err(Broken),
            place = timeout(NO_PROGRESS, self.frames.reserve()) => match place {
                Ok(place) => place.map_err(|_| Broken),
                Err(_) => {
                    self.end.come(None);
                    Err(Broken)
                }
            },
        }
    }

    /// # Errors
    /// [`Broken`].
    pub(super) async fn send(&self, frame: F) -> Result<(), Broken> {
        self.place().await?.send(frame);
        Ok(())
    }

    /// Sends it if there is room: for what is as good a moment later.
    pub(super) fn try_send(&self, frame: F) {
        // A full line says by itself that we live; a broken one needs nothing.
        drop(self.frames.try_send(frame));
    }

    pub(super) fn end(&self) -> &Arc<End> {
        &self.end
    }
}

impl End {
    /// The stream ends, with this status or in order; the first word counts.
    pub(super) fn come(&self, why: Option<Status>) {
        if let Some(why) = why.filter(|_| !self.has_come()) {
            // Said before: that stands.
            drop(self.why.set(why));
        }
        self.came.cancel();
    }

    pub(super) fn has_come(&self) -> bool {
        self.came.is_cancelled()
    }

    pub(super) async fn wait(&self) {
        self.came.cancelled().await;
    }
}

impl<F> Clone for Line<F> {
    fn clone(&self) -> Self {
        Self {
            frames: self.frames.clone(),
            end: Arc::clone(&self.end),
        }
    }
}

impl<F> fmt::Debug for Line<F> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Line").field("end", &self.end).finish_non_exhaustive()
    }
}

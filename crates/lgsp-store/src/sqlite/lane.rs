//! Short questions by a key, many answered on one thread from one state of the store: under load a question costs neither
//! a thread's turn nor a transaction of its own.

use std::collections::VecDeque;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::yield_now;

use super::pool::{Access, Pool};
use crate::store::StoreError;

/// Most questions in one transaction: what is asked meanwhile waits for that long.
const TOGETHER_MAX: usize = 64;

/// Answers whoever asked, or says why nobody can; false: the connection is of no use any more.
type Question = Box<dyn FnOnce(Result<&Connection, &StoreError>) -> bool + Send>;

/// Where short questions wait, and the connection that is theirs alone.
#[derive(Debug)]
pub(super) struct Lane {
    connection: Pool,
    waiting: Mutex<Waiting>,
}

/// Somebody is to answer, and does as soon as this is dropped.
struct Begun(Arc<Lane>);

impl Drop for Begun {
    fn drop(&mut self) {
        let lane = Arc::clone(&self.0);
        // Without a runtime nobody waits any more.
        if let Ok(runtime) = Handle::try_current() {
            drop(runtime.spawn_blocking(move || lane.answer_all()));
        }
    }
}

/// Questions in the order they came, and whether somebody answers them.
#[derive(Default)]
struct Waiting {
    questions: VecDeque<Question>,
    answering: bool,
}

impl Lane {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            connection: Pool::new(path, Access::Read, 1, Vec::new()),
            waiting: Mutex::default(),
        }
    }

    /// Answers from a state of the store that is not older than this call.
    pub(super) async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (tell, answer) = oneshot::channel();
        let put = Box::new(move |state: Result<&Connection, &StoreError>| {
            let answer = match state {
                Ok(connection) => question(connection).map_err(StoreError::from),
                Err(error) => Err(retold(error)),
            };
            let sound = answer.is_ok();
            // Whoever left needs no answer.
            drop(tell.send(answer));
            sound
        });
        if self.put(put) {
            // Others are answered by it, even if this caller leaves.
            let begun = Begun(Arc::clone(self));
            // Whoever is about to ask goes first: a thread's turn costs as much for one question as for many.
            yield_now().await;
            drop(begun);
        }
        let broke_off = |_| StoreError::Unavailable {
            source: "the question was not answered".into(),
        };
        answer.await.map_err(broke_off)?
    }

    /// True: nobody answers, so the caller sees to it that somebody does.
    fn put(&self, question: Question) -> bool {
        let mut waiting = self.lock();
        waiting.questions.push_back(question);
        !std::mem::replace(&mut waiting.answering, true)
    }

    fn answer_all(&self) {
        if let Err(error) = self.connection.with_here(|connection| self.answer_with(connection)) {
            // Whoever asks next begins anew, with another connection.
            let left = {
                let mut waiting = self.lock();
                waiting.answering = false;
                std::mem::take(&mut waiting.questions)
            };
            for question in left {
                question(Err(&error));
            }
        }
    }

    fn answer_with(&self, connection: &mut Connection) -> Result<(), StoreError> {
        while let Some(questions) = self.some() {
            let snapshot = connection.transaction()?;
            let mut sound = true;
            for question in questions {
                sound &= question(Ok(&snapshot));
            }
            if !sound {
                let source = "a question before failed".into();
                return Err(StoreError::Unavailable { source });
            }
        }
        Ok(())
    }

    /// The next questions; none: nobody answers any more.
    fn some(&self) -> Option<Vec<Question>> {
        let mut waiting = self.lock();
        waiting.answering = !waiting.questions.is_empty();
        let together = waiting.questions.len().min(TOGETHER_MAX);
        waiting.answering.then(|| waiting.questions.drain(..together).collect())
    }

    /// Waits for what is being answered, and refuses what comes later.
    pub(super) async fn close(&self) {
        self.connection.close().await;
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same error for one more of those who wait.
fn retold(error: &StoreError) -> StoreError {
    match error {
        StoreError::Closed => StoreError::Closed,
        StoreError::Full => StoreError::Full,
        StoreError::Fenced { .. }
        | StoreError::OutOfStep { .. }
        | StoreError::NoSuchPartition { .. }
        | StoreError::Damaged { .. }
        | StoreError::Unavailable { .. } => StoreError::Unavailable {
            source: error.to_string().into(),
        },
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Waiting")
            .field("questions", &self.questions.len())
            .finish_non_exhaustive()
    }
}

//! What a process writes, line by line as it comes, and the wait for a line of it.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Grows by itself until the process closes its end.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    state: Mutex<State>,
    grown: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<String>,
    ended: bool,
}

impl Lines {
    /// Reads a stream to its end in a thread of its own, so that the process never waits for us.
    pub(crate) fn follow(stream: impl Read + Send + 'static) -> Arc<Self> {
        let followed = Arc::new(Self::default());
        let lines = Arc::clone(&followed);
        thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            while stream.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                line.clear();
                lines.change(|state| state.lines.push(text));
            }
            lines.change(|state| state.ended = true);
        });
        followed
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.grown.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `find` makes of the first line it knows; none if the stream ends, or time passes, without one.
    pub(crate) fn wait_for<T>(&self, limit: Duration, find: impl Fn(&str) -> Option<T>) -> Option<T> {
        let mut looked_at = 0;
        self.wait(limit, |state| {
            let found = state.lines.iter().skip(looked_at).find_map(|line| find(line));
            looked_at = state.lines.len();
            match found {
                Some(found) => Some(Some(found)),
                None => state.ended.then_some(None),
            }
        })
        .flatten()
    }

    /// Whether the stream ended in time.
    pub(crate) fn wait_for_end(&self, limit: Duration) -> bool {
        self.wait(limit, |state| state.ended.then_some(())).is_some()
    }

    fn wait<T>(&self, limit: Duration, mut done: impl FnMut(&State) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + limit;
        let mut state = self.state();
        loop {
            if let Some(result) = done(&state) {
                return Some(result);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            state = self
                .grown
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// All that came so far.
    pub(crate) fn text(&self) -> String {
        self.state().lines.join("\n")
    }
}

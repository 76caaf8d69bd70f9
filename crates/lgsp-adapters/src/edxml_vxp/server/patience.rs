//! How long a far side may make us wait without getting on: only its own time is counted, not ours.

use std::time::Duration;

use tokio::time::Instant;

/// Waiting for a far side that has to move `quantum` bytes in every `limit` of waiting.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    limit: Duration,
    quantum: usize,
    waited: Duration,
    moved: usize,
    since: Option<Instant>,
}

impl Patience {
    pub(super) fn new(limit: Duration, quantum: usize) -> Self {
        Self {
            limit,
            quantum,
            waited: Duration::ZERO,
            moved: 0,
            since: None,
        }
    }

    /// We wait from now on, or still: when to give up.
    pub(super) fn ends(&mut self, now: Instant) -> Instant {
        let since = *self.since.get_or_insert(now);
        since + self.limit.saturating_sub(self.waited)
    }

    /// The far side moved so many bytes.
    pub(super) fn moved(&mut self, now: Instant, bytes: usize) {
        if let Some(since) = self.since.take() {
            self.waited += now.saturating_duration_since(since);
        }
        self.moved = self.moved.saturating_add(bytes);
        if self.moved >= self.quantum {
            self.moved = 0;
            self.waited = Duration::ZERO;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn drops_do_not_prolong_the_wait_but_a_quantum_does() {
        let start = Instant::now();
        let mut patience = Patience::new(10 * SECOND, 100);
        assert_eq!(patience.ends(start), start + 10 * SECOND);
        patience.moved(start + 4 * SECOND, 1);
        assert_eq!(patience.ends(start + 4 * SECOND), start + 10 * SECOND);
        patience.moved(start + 9 * SECOND, 99);
        assert_eq!(patience.ends(start + 9 * SECOND), start + 19 * SECOND);
    }

    #[test]
    fn time_that_we_take_ourselves_is_not_the_far_sides() {
        let start = Instant::now();
        let mut patience = Patience::new(10 * SECOND, 100);
        patience.ends(start);
        patience.moved(start + 4 * SECOND, 1);
        let later = start + 100 * SECOND;
        assert_eq!(patience.ends(later), later + 6 * SECOND);
    }
}

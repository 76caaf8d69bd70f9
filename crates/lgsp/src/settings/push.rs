//! `[push]`: how push connectors are served.

use std::time::Duration;

use lgsp_exchange::PushLimits;
use serde::Deserialize;

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Push {
    tries_at_once_max: usize,
    answer_timeout_ms: u64,
    probe_interval_ms: u64,
    switch_off_after_ms: u64,
}

impl Push {
    pub(super) fn bounds(self) -> impl Iterator<Item = (&'static str, u64, u64, u64)> {
        [
            ("push.tries_at_once_max", self.tries_at_once_max as u64, 1, 1_000),
            ("push.answer_timeout_ms", self.answer_timeout_ms, 100, 600_000),
            ("push.probe_interval_ms", self.probe_interval_ms, 100, 3_600_000),
            (
                "push.switch_off_after_ms",
                self.switch_off_after_ms,
                1_000,
                31_536_000_000,
            ),
        ]
        .into_iter()
    }

    /// Whether a try of so many milliseconds is not cut off.
    pub(super) const fn waits_for(self, try_ms: u64) -> bool {
        try_ms <= self.answer_timeout_ms
    }

    pub(crate) fn limits(self) -> PushLimits {
        PushLimits {
            tries_at_once_max: self.tries_at_once_max,
            answer_within: Duration::from_millis(self.answer_timeout_ms),
            probe_every: Duration::from_millis(self.probe_interval_ms),
            switch_off_after: Duration::from_millis(self.switch_off_after_ms),
        }
    }
}

//! How far a long check is, on standard error, about once a second.

use std::io::{self, Write};
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_secs(1);
/// The clock is asked once in so many steps.
const STEPS: u64 = 256;

#[derive(Debug)]
pub(super) struct Progress {
    what: String,
    total: u64,
    said: Instant,
}

impl Progress {
    pub(super) fn new(what: String, total: u64) -> Self {
        Self {
            what,
            total,
            said: Instant::now(),
        }
    }

    pub(super) fn step(&mut self, done: u64) {
        if done.is_multiple_of(STEPS) && self.said.elapsed() >= EVERY {
            self.said = Instant::now();
            // Nobody looks: the check goes on.
            drop(writeln!(
                io::stderr(),
                "{}: {done} of {} records",
                self.what,
                self.total
            ));
        }
    }
}

//! When a delivery is tried again, and when a far side is left alone for a while: pure functions of what happened.
//!
//! Source: reliability.md G5.

use std::time::Duration;

use lgsp_types::DeliveryId;

/// Waits before each try, in seconds.
const WAITS_S: [u64; 16] = [
    0, 5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 28_800, 28_800, 28_800, 28_800, 28_800, 28_800,
];
/// A delivery is not tried any more after so long, without the time for which its far side was left alone.
const LONGEST: Duration = Duration::from_hours(72);
/// So much shorter or longer than its schedule says a wait may be, in hundredths: tries that failed together do not come
/// again together.
const JITTER: u32 = 20;
/// Failures in a row after which a far side is left alone.
const FAILURES_MAX: u32 = 10;

/// The waits of one connector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Schedule(Vec<Duration>);

impl Schedule {
    /// These waits; none: those of reliability.md G5.
    pub(super) fn new(waits_ms: &[u64]) -> Self {
        if waits_ms.is_empty() {
            Self(WAITS_S.into_iter().map(Duration::from_secs).collect())
        } else {
            Self(waits_ms.iter().copied().map(Duration::from_millis).collect())
        }
    }

    /// The wait after so many failed tries; none: that was the last one, or the next would come too late.
    pub(super) fn wait(&self, delivery: DeliveryId, failed: u32) -> Option<Duration> {
        let waits = (0..=failed).map(|failed| self.spread(delivery, failed));
        let waits: Vec<Duration> = waits.collect::<Option<_>>()?;
        let wait = waits.last().copied();
        wait.filter(|_| waits.iter().sum::<Duration>() <= LONGEST)
    }

    /// The same for one try of one delivery, wherever it is asked; spread over all deliveries.
    fn spread(&self, delivery: DeliveryId, failed: u32) -> Option<Duration> {
        let wait = *self.0.get(usize::try_from(failed).ok()?)?;
        let [.., last] = delivery.as_bytes();
        let [.., turn] = failed.to_be_bytes();
        let spread = u32::from(last.wrapping_add(turn)) * 2 * JITTER / 255;
        Some(wait * (100 - JITTER + spread) / 100)
    }
}

/// Whether a far side is tried at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Breaker {
    failures: u32,
}

impl Breaker {
    pub(super) const fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// True: from now on the far side is left alone.
    pub(super) const fn failed(&mut self) -> bool {
        self.failures = self.failures.saturating_add(1);
        self.failures == FAILURES_MAX
    }

    pub(super) const fn is_open(self) -> bool {
        self.failures >= FAILURES_MAX
    }

    /// It could be reached: one failure more, and it is left alone again.
    pub(super) const fn reached(&mut self) {
        self.failures = FAILURES_MAX - 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(last: u8) -> DeliveryId {
        let mut id = [0; 16];
        id[15] = last;
        DeliveryId::from_bytes(id)
    }

    #[test]
    fn sixteen_tries_within_three_days_unless_the_connector_says_otherwise() {
        let schedule = Schedule::new(&[]);
        for last in [0, 100, 255] {
            let waits: Vec<_> = (0..)
                .map_while(|failed| schedule.wait(delivery(last), failed))
                .collect();
            assert_eq!(waits.len(), 16);
            assert_eq!(waits[0], Duration::ZERO);
            assert!(waits.iter().sum::<Duration>() <= LONGEST, "{waits:?}");
        }
        let short = Schedule::new(&[0, 200, 1_000]);
        assert!(short.wait(delivery(0), 3).is_none());
    }

    #[test]
    fn a_wait_is_a_fifth_shorter_or_longer_and_always_the_same_for_one_try() {
        let schedule = Schedule::new(&[0, 1_000]);
        let waits: Vec<_> = (0..=255)
            .map(|last| schedule.wait(delivery(last), 1).unwrap())
            .collect();
        let (least, most) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
        assert_eq!((least.as_millis(), most.as_millis()), (800, 1_200));
        assert_eq!(schedule.wait(delivery(7), 1), schedule.wait(delivery(7), 1));
    }

    #[test]
    fn ten_failures_in_a_row_and_a_far_side_is_left_alone_until_it_answers() {
        let mut breaker = Breaker::default();
        for _ in 0..9 {
            assert!(!breaker.failed() && !breaker.is_open());
        }
        breaker.succeeded();
        for _ in 0..9 {
            assert!(!breaker.failed());
        }
        assert!(breaker.failed() && breaker.is_open());
        assert!(!breaker.failed(), "it is told once");
        breaker.reached();
        assert!(
            !breaker.is_open() && breaker.failed(),
            "the next failure counts as the tenth"
        );
        breaker.reached();
        breaker.succeeded();
        assert_eq!(breaker, Breaker::default());
    }
}

//! What the records of the lease's topic mean, one after the other: every reader comes to the same.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// No record makes others wait longer.
const TTL_MAX: Duration = Duration::from_secs(60);

/// What a node says in the topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Act {
    /// It takes the ledger, unless another record came in between.
    Claim,
    /// It holds it still.
    Renewal,
    /// It gives it back.
    Release,
}

/// One record of the topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Word {
    pub(super) act: Act,
    pub(super) epoch: u64,
    /// The node's name.
    pub(super) holder: String,
    /// Random, of one process.
    pub(super) process: String,
    /// Counts the words of one process, so that it knows when it sent which.
    pub(super) number: u64,
    /// Whoever hears nothing for so long after it may claim.
    pub(super) ttl_ms: u64,
    /// Of a claim: the offset of the last record that its process had read; none: the topic was empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) after: Option<u64>,
    /// What all nodes of one ledger share.
    #[serde(default)]
    pub(super) keys: String,
}

/// Who holds the ledger, by what was read so far.
///
/// A claim is in force if no record stands between the one that it names and itself: of two claims that were made in view
/// of the same record the first in the log wins, and a claim that met a renewal is void. So it needs no clock to tell who
/// holds it; time only says when it is polite to claim.
#[derive(Debug)]
pub(super) struct Course {
    /// Offset of the last record.
    last: Option<u64>,
    /// Whose words are in force.
    in_force: Option<Word>,
    released: bool,
    epoch_max: u64,
    /// How long the last record asks others to wait.
    ttl: Duration,
}

impl Course {
    /// Nothing is read yet; `ttl` is for records that do not say.
    pub(super) fn new(ttl: Duration) -> Self {
        Self {
            last: None,
            in_force: None,
            released: false,
            epoch_max: 0,
            ttl,
        }
    }

    /// Takes the next record; none: it is none of ours, which still stands between others. False: it was read before.
    pub(super) fn take(&mut self, offset: u64, word: Option<Word>) -> bool {
        if self.last.is_some_and(|last| offset <= last) {
            return false;
        }
        if let Some(word) = word {
            self.ttl = Duration::from_millis(word.ttl_ms).min(TTL_MAX);
            self.epoch_max = self.epoch_max.max(word.epoch);
            self.weigh(word);
        }
        self.last = Some(offset);
        true
    }

    fn weigh(&mut self, word: Word) {
        let of_holder = self.in_force.as_ref().is_some_and(|in_force| is_same(in_force, &word));
        let takes = match word.act {
            Act::Claim => match (self.last, word.after) {
                // Whoever begins to read here cannot tell, and takes it for true: it waits longer than it must.
                (None, _) => true,
                (Some(last), after) => after.is_some_and(|after| last <= after),
            },
            // A reader that begins later learns of the holder by its renewals.
            Act::Renewal => self
                .in_force
                .as_ref()
                .is_none_or(|in_force| in_force.epoch < word.epoch),
            Act::Release => {
                self.released |= of_holder;
                false
            }
        };
        if takes {
            self.in_force = Some(word);
            self.released = false;
        }
    }

    /// The offset of the record that is read next; 0: none was read.
    pub(super) fn next_offset(&self) -> u64 {
        self.last.map_or(0, |last| last.saturating_add(1))
    }

    /// Whose words are in force; none: nothing was read that says so.
    pub(super) fn in_force(&self) -> Option<&Word> {
        self.in_force.as_ref().filter(|_| !self.released)
    }

    /// Who held it last, also if it was given back.
    pub(super) fn last_holder(&self) -> Option<&Word> {
        self.in_force.as_ref()
    }

    pub(super) fn is_held_by(&self, process: &str) -> bool {
        self.in_force().is_some_and(|word| word.process == process)
    }

    /// For whoever has read the topic to its end: how much longer it waits before it claims, after it heard nothing for so
    /// long.
    pub(super) fn patience(&self, silent_for: Duration) -> Duration {
        if self.last.is_none() || self.released {
            return Duration::ZERO;
        }
        self.ttl.saturating_sub(silent_for)
    }

    /// What the next claim says: its epoch, and what it comes after.
    pub(super) fn next(&self) -> (u64, Option<u64>) {
        (self.epoch_max.saturating_add(1), self.last)
    }
}

/// Of one process and one claim.
fn is_same(one: &Word, other: &Word) -> bool {
    (&one.process, one.epoch) == (&other.process, other.epoch)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(10);

    fn word(act: Act, process: &str, epoch: u64, after: Option<u64>) -> Word {
        Word {
            act,
            epoch,
            holder: format!("node-of-{process}"),
            process: process.to_owned(),
            number: 0,
            ttl_ms: 10_000,
            after,
            keys: String::new(),
        }
    }

    /// Who holds it after these records at offsets 0, 1, ..
    fn holder(words: Vec<Word>) -> Option<String> {
        course(words).in_force().map(|word| word.process.clone())
    }

    fn course(words: Vec<Word>) -> Course {
        let mut course = Course::new(TTL);
        for (offset, word) in (0..).zip(words) {
            assert!(course.take(offset, Some(word)));
        }
        course
    }

    #[test]
    fn the_first_of_two_claims_in_view_of_the_same_record_wins() {
        let claims = vec![word(Act::Claim, "a", 1, None), word(Act::Claim, "b", 1, None)];
        assert_eq!(holder(claims).as_deref(), Some("a"));
        let claims = vec![
            word(Act::Claim, "a", 1, None),
            word(Act::Claim, "b", 2, Some(0)),
            word(Act::Claim, "c", 2, Some(0)),
        ];
        assert_eq!(holder(claims).as_deref(), Some("b"));
    }

    #[test]
    fn a_claim_that_met_a_renewal_is_void() {
        let words = vec![
            word(Act::Claim, "a", 1, None),
            word(Act::Renewal, "a", 1, None),
            word(Act::Claim, "b", 2, Some(0)),
        ];
        assert_eq!(holder(words).as_deref(), Some("a"));
    }

    #[test]
    fn words_of_a_holder_that_was_are_heard_and_change_nothing() {
        let words = vec![
            word(Act::Claim, "a", 1, None),
            word(Act::Claim, "b", 2, Some(0)),
            word(Act::Renewal, "a", 1, None),
            word(Act::Release, "a", 1, None),
        ];
        let course = course(words);
        assert!(course.is_held_by("b") && !course.is_held_by("a"));
        assert_eq!(course.patience(Duration::ZERO), TTL);
    }

    #[test]
    fn who_waits_hears_nothing_for_the_holders_time_or_its_release() {
        let mut course = course(vec![word(Act::Claim, "a", 1, None)]);
        assert_eq!(course.patience(Duration::from_secs(4)), Duration::from_secs(6));
        assert_eq!(course.patience(Duration::from_secs(11)), Duration::ZERO);
        course.take(1, Some(word(Act::Release, "a", 1, None)));
        assert_eq!(course.patience(Duration::ZERO), Duration::ZERO);
        assert_eq!((course.in_force(), course.next()), (None, (2, Some(1))));
        assert_eq!(Course::new(TTL).patience(Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn who_begins_in_the_middle_believes_whom_it_meets_and_a_release_of_somebody_unknown_is_waited_for() {
        let mut late = Course::new(TTL);
        late.take(40, Some(word(Act::Release, "a", 7, None)));
        assert_eq!(late.patience(Duration::ZERO), TTL);
        late.take(41, Some(word(Act::Renewal, "b", 9, None)));
        assert!(late.is_held_by("b"));
        assert_eq!(late.next(), (10, Some(41)));
    }

    #[test]
    fn a_record_of_somebody_else_stands_between_and_what_was_read_before_is_nothing_new() {
        let mut course = course(vec![word(Act::Claim, "a", 1, None)]);
        assert!(!course.take(0, Some(word(Act::Claim, "b", 9, Some(0)))));
        assert!(course.take(1, None));
        course.take(2, Some(word(Act::Claim, "b", 2, Some(0))));
        assert!(course.is_held_by("a"));
        course.take(3, Some(word(Act::Claim, "b", 3, Some(2))));
        assert!(course.is_held_by("b"));
    }

    #[test]
    fn a_record_reads_as_it_was_written() {
        let claim = word(Act::Claim, "a", 1, Some(3));
        let text = serde_json::to_string(&claim).unwrap();
        assert!(
            text.starts_with(r#"{"act":"claim","epoch":1,"holder":"node-of-a""#),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<Word>(&text).unwrap(), claim);
        let later = text.replace("\"epoch\"", "\"of_a_later_build\":1,\"epoch\"");
        assert_eq!(serde_json::from_str::<Word>(&later).unwrap(), claim);
    }
}

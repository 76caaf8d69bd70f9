//! By when an addressee has to have said something, and since when what it owes is late.
//!
//! Source: Decree 30/2020/ND-CP, article 22: registered on the day it arrives, at latest on the next working day, urgent ones
//! at once; Decision 28/2018/QD-TTg: the sender is told. How soon a machine says 01 is our own working rule (vietnam.md 17).

use lgsp_store::{Duty, DutyKind};
use lgsp_types::{Calendar, UnixMs};

/// No duty is looked for that began longer ago than this before its deadline, in milliseconds: two years.
const LONGEST_MS: u64 = 2 * 366 * 24 * 3_600_000;

/// The deadlines, from config/lgsp.toml.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadlines {
    pub calendar: Calendar,
    /// Working time within which 01 comes.
    pub arrive_minutes: u32,
    /// Working days after that of acceptance, at whose end 02 or 03 has come.
    pub register_days: u32,
    /// Working time within which 02 or 03 comes of an urgent document.
    pub register_urgent_minutes: u32,
    /// Working days after that of the question, at whose end 15 or 16 has come.
    pub answer_days: u32,
}

impl Deadlines {
    /// The moment by which a duty has to be met.
    pub(crate) fn of(&self, duty: &Duty) -> UnixMs {
        self.since(duty.kind, duty.since_ms)
    }

    fn since(&self, kind: DutyKind, since: UnixMs) -> UnixMs {
        match kind {
            DutyKind::Arrive => self.calendar.after_working_minutes(since, self.arrive_minutes),
            DutyKind::Register => self.calendar.end_of_working_day(since, self.register_days),
            DutyKind::RegisterAtOnce => self.calendar.after_working_minutes(since, self.register_urgent_minutes),
            DutyKind::Complete => since,
            DutyKind::Answer => self.calendar.end_of_working_day(since, self.answer_days),
        }
    }

    /// For each kind of duty the moment before which it began if it is late now: deadlines never overtake each other.
    pub(crate) fn late_before(&self, now: UnixMs) -> Vec<(DutyKind, UnixMs)> {
        let kinds = DutyKind::ALL.iter();
        kinds.map(|kind| (*kind, self.first_in_time(*kind, now))).collect()
    }

    /// The first beginning from which such a duty is not late yet.
    fn first_in_time(&self, kind: DutyKind, now: UnixMs) -> UnixMs {
        let (mut late, mut in_time) = (now.0.saturating_sub(LONGEST_MS), now.0.saturating_add(1));
        while late < in_time {
            let middle = late + (in_time - late) / 2;
            if self.since(kind, UnixMs(middle)) < now {
                late = middle + 1;
            } else {
                in_time = middle;
            }
        }
        UnixMs(in_time)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use lgsp_types::{DocumentTime, Hours};

    use super::*;

    /// An hour for what machines say, a working day for what people do.
    pub(crate) fn deadlines() -> Deadlines {
        let hours = Hours::parse(&["07:30-11:30", "13:00-17:00"].map(str::to_owned)).unwrap();
        Deadlines {
            calendar: Calendar::new(hours, &[], &[]),
            arrive_minutes: 60,
            register_days: 1,
            register_urgent_minutes: 120,
            answer_days: 1,
        }
    }

    fn at(text: &str) -> UnixMs {
        DocumentTime::parse(text).unwrap().unix_ms()
    }

    #[test]
    fn a_duty_is_late_exactly_when_its_deadline_has_passed() {
        let deadlines = deadlines();
        let moments = [
            "2026/11/25 09:00:00",
            "2026/11/27 16:30:00",
            "2026/11/28 10:00:00",
            "2027/01/04 07:30:01",
        ];
        for now in moments.map(at) {
            let late_before = deadlines.late_before(now);
            assert_eq!(late_before.len(), DutyKind::ALL.len());
            for (kind, before) in late_before {
                let quarters = (0..2_000).map(|quarter| UnixMs(now.0 - quarter * 900_000));
                for since in quarters.chain([UnixMs(before.0 - 1), before]) {
                    let late = deadlines.since(kind, since) < now;
                    assert_eq!(
                        late,
                        since < before,
                        "{kind:?} of {} at {}",
                        since.iso_text(),
                        now.iso_text()
                    );
                }
            }
        }
    }

    #[test]
    fn what_came_on_friday_evening_is_registered_by_monday_evening_and_said_to_have_arrived_in_the_morning() {
        let deadlines = deadlines();
        let friday = at("2026/11/27 18:00:00");
        for (kind, by) in [
            (DutyKind::Arrive, "2026/11/30 08:30:00"),
            (DutyKind::Register, "2026/11/30 17:00:00"),
            (DutyKind::RegisterAtOnce, "2026/11/30 09:30:00"),
            (DutyKind::Answer, "2026/11/30 17:00:00"),
            (DutyKind::Complete, "2026/11/27 18:00:00"),
        ] {
            let duty = Duty {
                kind,
                since_ms: friday,
                met_ms: None,
            };
            assert_eq!(deadlines.of(&duty), at(by), "{kind:?}");
        }
    }
}

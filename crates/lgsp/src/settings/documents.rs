//! `[documents]`: working hours and days off, and by when addressees have to have said something.

use lgsp_exchange::Deadlines;
use lgsp_types::{Calendar, DocumentDate, Hours};
use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Documents {
    hours: Hours,
    holidays: Vec<DocumentDate>,
    workdays: Vec<DocumentDate>,
    arrive_within_minutes: u32,
    register_within_days: u32,
    register_urgent_within_minutes: u32,
    answer_within_days: u32,
}

impl Documents {
    pub(super) fn bounds(&self) -> impl Iterator<Item = (&'static str, u64, u64, u64)> {
        [
            (
                "documents.arrive_within_minutes",
                self.arrive_within_minutes.into(),
                0,
                10_000,
            ),
            (
                "documents.register_within_days",
                self.register_within_days.into(),
                0,
                100,
            ),
            (
                "documents.register_urgent_within_minutes",
                self.register_urgent_within_minutes.into(),
                0,
                10_000,
            ),
            ("documents.answer_within_days", self.answer_within_days.into(), 0, 100),
        ]
        .into_iter()
    }

    pub(crate) fn deadlines(&self) -> Deadlines {
        Deadlines {
            calendar: Calendar::new(self.hours.clone(), &self.holidays, &self.workdays),
            arrive_minutes: self.arrive_within_minutes,
            register_days: self.register_within_days,
            register_urgent_minutes: self.register_urgent_within_minutes,
            answer_days: self.answer_within_days,
        }
    }
}

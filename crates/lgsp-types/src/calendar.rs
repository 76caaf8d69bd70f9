//! Working hours of Vietnamese offices: days off, make-up days, and what a span of working time leads to.
//!
//! Source: Labour Code 2019, articles 111(3) and 112; the days around Tết, Giỗ Tổ and 2 September are announced each year.

use std::collections::BTreeSet;

use jiff::civil::{Date, Weekday};
use serde::Deserialize;
use thiserror::Error;

use crate::{DocumentDate, UnixMs};

/// Month and day of the holidays that fall on the same day each year: 1 January, 30 April, 1 May, 2 September.
const FIXED: [(i8, i8); 4] = [(1, 1), (4, 30), (5, 1), (9, 2)];
/// The years for which days in lieu of fixed holidays are known.
const YEARS: std::ops::Range<i16> = 2000..2200;
/// Most days looked through for one that is worked on.
const DAYS_MAX: usize = 400;
const DAY_MINUTES: u32 = 24 * 60;

/// Why hours are none of a working day; correct the setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HoursError {
    #[error("is not in the form 07:30-11:30")]
    Form,
    #[error("ends before it begins, or begins before the one before it ends")]
    Order,
    #[error("names no hours")]
    None,
}

/// The hours of a working day in local time of Vietnam, as in `07:30-11:30`, in order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Hours(Vec<(u32, u32)>);

impl Hours {
    /// # Errors
    /// [`HoursError`].
    pub fn parse(hours: &[String]) -> Result<Self, HoursError> {
        let mut read = Vec::new();
        let mut end = 0;
        for shift in hours {
            let (from, to) = shift.split_once('-').ok_or(HoursError::Form)?;
            let (from, to) = (minute(from)?, minute(to)?);
            if from < end || to <= from {
                return Err(HoursError::Order);
            }
            read.push((from, to));
            end = to;
        }
        if read.is_empty() {
            Err(HoursError::None)
        } else {
            Ok(Self(read))
        }
    }
}

impl TryFrom<Vec<String>> for Hours {
    type Error = HoursError;
    fn try_from(hours: Vec<String>) -> Result<Self, Self::Error> {
        Self::parse(&hours)
    }
}

/// When people work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// Minutes since midnight, from and to, in order.
    hours: Vec<(u32, u32)>,
    off: BTreeSet<Date>,
    on: BTreeSet<Date>,
}

impl Calendar {
    /// `holidays` are off beside those of fixed date; `workdays` are worked on in any case.
    ///
    /// A fixed holiday on a day off gives the next working day off (Labour Code, article 111(3)).
    #[must_use]
    pub fn new(hours: Hours, holidays: &[DocumentDate], workdays: &[DocumentDate]) -> Self {
        let days = |days: &[DocumentDate]| days.iter().map(|day| day.date()).collect();
        let mut calendar = Self {
            hours: hours.0,
            off: days(holidays),
            on: days(workdays),
        };
        calendar.add_fixed();
        calendar
    }

    fn add_fixed(&mut self) {
        let dates = YEARS.flat_map(|year| FIXED.map(|(month, day)| Date::new(year, month, day)));
        let fixed: Vec<Date> = dates.flatten().collect();
        self.off.extend(&fixed);
        for day in fixed.into_iter().filter(|day| is_weekend(*day)) {
            let instead = days_from(day).find(|day| !is_weekend(*day) && !self.off.contains(day));
            self.off.extend(instead);
        }
    }

    #[must_use]
    pub fn is_working_day(&self, day: DocumentDate) -> bool {
        self.works(day.date())
    }

    fn works(&self, day: Date) -> bool {
        self.on.contains(&day) || !(is_weekend(day) || self.off.contains(&day))
    }

    /// The moment at which so many minutes of working time have passed.
    #[must_use]
    pub fn after_working_minutes(&self, from: UnixMs, minutes: u32) -> UnixMs {
        let (first, begun) = split(from);
        let mut left_ms = u64::from(minutes) * 60_000;
        for day in days_from(first).take(DAYS_MAX).filter(|day| self.works(*day)) {
            for (start, end) in &self.hours {
                let (mut start, end) = (u64::from(*start) * 60_000, u64::from(*end) * 60_000);
                if day == first {
                    start = start.max(begun);
                }
                let Some(span) = end.checked_sub(start).filter(|span| *span > 0) else {
                    continue;
                };
                if left_ms <= span {
                    return joined(day, start + left_ms);
                }
                left_ms -= span;
            }
        }
        // Nobody ever works: nothing is ever late.
        UnixMs(u64::MAX)
    }

    /// The end of the so many-th working day after the day of this moment; 0: of that day itself, or the next worked on.
    #[must_use]
    pub fn end_of_working_day(&self, from: UnixMs, days: u32) -> UnixMs {
        let (first, _) = split(from);
        let skipped = usize::from(days > 0);
        let nth = days.saturating_sub(1) as usize;
        let mut worked = days_from(first)
            .take(DAYS_MAX)
            .skip(skipped)
            .filter(|day| self.works(*day));
        let end = self.hours.last().map_or(DAY_MINUTES, |(_, end)| *end);
        match worked.nth(nth) {
            Some(day) => joined(day, u64::from(end) * 60_000),
            None => UnixMs(u64::MAX),
        }
    }
}

fn is_weekend(day: Date) -> bool {
    matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)
}

/// This day, then those after it.
fn days_from(first: Date) -> impl Iterator<Item = Date> {
    std::iter::successors(Some(first), |day| day.tomorrow().ok())
}

/// The day in Vietnam, and the milliseconds since its midnight.
fn split(moment: UnixMs) -> (Date, u64) {
    let day = moment.day_in_vietnam();
    (day.date(), moment.0.saturating_sub(day.midnight().0))
}

fn joined(day: Date, since_midnight_ms: u64) -> UnixMs {
    UnixMs(DocumentDate::of(day).midnight().0.saturating_add(since_midnight_ms))
}

fn minute(text: &str) -> Result<u32, HoursError> {
    let (hour, minute) = text.trim().split_once(':').ok_or(HoursError::Form)?;
    let number = |text: &str, most: u32| {
        let is_plain = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = if is_plain { text.parse::<u32>().ok() } else { None };
        number.filter(|number| *number <= most).ok_or(HoursError::Form)
    };
    let at = number(hour, 24)? * 60 + number(minute, 59)?;
    if at > DAY_MINUTES {
        Err(HoursError::Form)
    } else {
        Ok(at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::DocumentTime;

    fn day(text: &str) -> DocumentDate {
        DocumentDate::parse_iso(text).unwrap()
    }

    fn at(text: &str) -> UnixMs {
        DocumentTime::parse(text).unwrap().unix_ms()
    }

    fn office() -> Calendar {
        let hours = Hours::parse(&["07:30-11:30", "13:00-17:00"].map(str::to_owned)).unwrap();
        let off = ["2026-02-16", "2026-02-17", "2026-02-18", "2026-02-19", "2026-02-20"].map(day);
        Calendar::new(hours, &[&off[..], &[day("2026-08-31")]].concat(), &[day("2026-08-22")])
    }

    #[test]
    fn fixed_holidays_are_off_and_a_weekend_among_them_is_made_good() {
        let office = office();
        for (off, on) in [
            ("2026-01-01", "2026-01-02"), // Thursday
            ("2026-09-02", "2026-09-03"), // Wednesday
            ("2027-05-03", "2027-05-04"), // 1 May is a Saturday: Monday instead
            ("2028-01-03", "2028-01-04"), // 1 January is a Saturday
            ("2033-05-03", "2033-05-04"), // 30 April and 1 May are Saturday and Sunday: Monday and Tuesday
            ("2026-02-20", "2026-02-23"), // Tết, as it was announced
            ("2026-08-31", "2026-08-22"), // a bridge, and the Saturday worked for it
        ] {
            assert!(!office.is_working_day(day(off)), "{off}");
            assert!(office.is_working_day(day(on)), "{on}");
        }
        assert!(!office.is_working_day(day("2033-05-02")));
    }

    #[test]
    fn working_time_passes_only_while_people_work() {
        let office = office();
        for (from, minutes, to) in [
            ("2026/11/25 08:00:00", 60, "2026/11/25 09:00:00"),
            ("2026/11/25 11:00:00", 60, "2026/11/25 13:30:00"),
            ("2026/11/25 11:00:00", 30, "2026/11/25 11:30:00"),
            ("2026/11/25 05:00:00", 10, "2026/11/25 07:40:00"),
            ("2026/11/27 16:30:15", 60, "2026/11/30 08:00:15"), // Friday to Monday
            ("2026/11/28 10:00:00", 0, "2026/11/30 07:30:00"),
            ("2026/02/13 16:30:00", 60, "2026/02/23 08:00:00"), // over Tết
            ("2026/11/25 08:00:00", 8 * 60, "2026/11/26 08:00:00"),
        ] {
            assert_eq!(
                office.after_working_minutes(at(from), minutes),
                at(to),
                "{from} {minutes}"
            );
        }
    }

    #[test]
    fn the_next_working_day_ends_when_its_last_hours_do() {
        let office = office();
        for (from, days, to) in [
            ("2026/11/25 08:00:00", 1, "2026/11/26 17:00:00"),
            ("2026/11/25 23:00:00", 1, "2026/11/26 17:00:00"),
            ("2026/11/27 08:00:00", 1, "2026/11/30 17:00:00"),
            ("2026/11/28 08:00:00", 1, "2026/11/30 17:00:00"),
            ("2026/11/28 08:00:00", 0, "2026/11/30 17:00:00"),
            ("2026/11/27 08:00:00", 2, "2026/12/01 17:00:00"),
            ("2026/02/13 08:00:00", 1, "2026/02/23 17:00:00"),
        ] {
            assert_eq!(office.end_of_working_day(at(from), days), at(to), "{from} {days}");
        }
    }

    #[test]
    fn hours_that_cannot_be_are_refused() {
        let new = |hours: &[&str]| {
            let hours: Vec<String> = hours.iter().map(|text| (*text).to_owned()).collect();
            Hours::parse(&hours).map(drop)
        };
        assert_eq!(new(&["00:00-24:00"]), Ok(()));
        assert_eq!(new(&[]), Err(HoursError::None));
        assert_eq!(new(&["08:00-08:00"]), Err(HoursError::Order));
        assert_eq!(new(&["08:00-12:00", "11:00-17:00"]), Err(HoursError::Order));
        for form in [
            "",
            "8:00-12:00",
            "08:00",
            "08:60-12:00",
            "23:00-24:01",
            "08:00-1200",
            "-1:00-12:00",
        ] {
            assert_eq!(new(&[form]), Err(HoursError::Form), "{form}");
        }
    }

    proptest! {
        #[test]
        fn whoever_begins_later_is_never_due_earlier(first in 1_700_000_000_000u64..1_900_000_000_000, later in 0u64..500_000_000, minutes in 0u32..3_000, days in 0u32..5) {
            let office = office();
            let (first, second) = (UnixMs(first), UnixMs(first + later));
            let minutes = [first, second].map(|from| office.after_working_minutes(from, minutes));
            prop_assert!(minutes[0] <= minutes[1] && minutes[0] >= first);
            let ends = [first, second].map(|from| office.end_of_working_day(from, days));
            prop_assert!(ends[0] <= ends[1]);
        }

        #[test]
        fn no_moment_and_no_text_panics(ms: u64, minutes: u32, days: u32, text in ".{0,12}") {
            let office = office();
            let found = [office.after_working_minutes(UnixMs(ms), minutes), office.end_of_working_day(UnixMs(ms), days)];
            prop_assert!(found.iter().all(|found| found.0 > 0));
            drop(Hours::parse(&[text]));
        }
    }
}

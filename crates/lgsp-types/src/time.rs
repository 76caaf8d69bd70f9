//! Dates and times as they occur in documents and on the axis; the exchange's own time is Unix milliseconds.

use std::fmt;
use std::sync::Arc;

use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Vietnam keeps +07:00 all year round.
pub const VN_OFFSET_SECONDS: i32 = 7 * 3600;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UnixMs(pub u64);

/// Where the time comes from. The executable passes the machine's clock; tests pass their own.
pub type Clock = Arc<dyn Fn() -> UnixMs + Send + Sync>;

impl UnixMs {
    /// The day it is in Vietnam at this moment.
    #[must_use]
    pub fn day_in_vietnam(self) -> DocumentDate {
        DocumentDate(self.local().date())
    }

    /// `dd/MM/yyyy HH:mm:ss` in Vietnam, as the axis writes times in its lists.
    #[must_use]
    pub fn axis_text(self) -> String {
        self.local().strftime("%d/%m/%Y %H:%M:%S").to_string()
    }

    /// ISO 8601 with milliseconds and +07:00, for people and JSON.
    #[must_use]
    pub fn iso_text(self) -> String {
        format!("{}+07:00", self.local().strftime("%Y-%m-%dT%H:%M:%S%.3f"))
    }

    /// Reads a moment of RFC 3339, as payloads have it; after 1970.
    ///
    /// # Errors
    /// [`DateError`].
    pub fn parse_rfc3339(text: &str) -> Result<Self, DateError> {
        let form = DateError::Form {
            form: "yyyy-MM-ddTHH:mm:ss+07:00",
        };
        let stamp: jiff::Timestamp = text.trim().parse().map_err(|_| form)?;
        u64::try_from(stamp.as_millisecond())
            .map(Self)
            .map_err(|_| DateError::Calendar)
    }

    fn local(self) -> DateTime {
        let bounded = i64::try_from(self.0).unwrap_or(i64::MAX).min(253_402_207_200_000);
        let stamp = jiff::Timestamp::from_millisecond(bounded).unwrap_or(jiff::Timestamp::MAX);
        vietnam().to_datetime(stamp)
    }
}

fn vietnam() -> Offset {
    Offset::from_seconds(VN_OFFSET_SECONDS).unwrap_or(Offset::UTC)
}

/// Why a text is no date or time of its format; refuse the field and name its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DateError {
    #[error("is not in the form {form}")]
    Form { form: &'static str },
    #[error("is no day of the calendar")]
    Calendar,
}

/// A day as documents write it: `yyyy/MM/dd`. Source: edXML of QCVN 102:2016/BTTTT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocumentDate(Date);

impl DocumentDate {
    /// Reads `yyyy/MM/dd`, a day that exists, year 1900 to 2199.
    ///
    /// # Errors
    /// [`DateError`]; the vendor's own reader turns `2025/13/45` into another day, we do not guess.
    pub fn parse(text: &str) -> Result<Self, DateError> {
        let form = DateError::Form { form: "yyyy/MM/dd" };
        let [year, month, day] = numbers(text, '/', [4, 2, 2]).ok_or(form)?;
        date(year, month, day)
    }

    /// Reads `yyyy-MM-dd`, the form of our own configuration files.
    ///
    /// # Errors
    /// [`DateError`] as [`Self::parse`].
    pub fn parse_iso(text: &str) -> Result<Self, DateError> {
        let form = DateError::Form { form: "yyyy-MM-dd" };
        let [year, month, day] = numbers(text, '-', [4, 2, 2]).ok_or(form)?;
        date(year, month, day)
    }

    #[must_use]
    pub fn iso_text(self) -> String {
        self.0.to_string()
    }

    /// The moment at which it begins in Vietnam.
    #[must_use]
    pub fn midnight(self) -> UnixMs {
        DocumentTime(self.0.at(0, 0, 0, 0)).unix_ms()
    }

    pub(crate) const fn of(day: Date) -> Self {
        Self(day)
    }

    pub(crate) const fn date(self) -> Date {
        self.0
    }

    /// The day before, for "valid to" of what ends when something else begins.
    #[must_use]
    pub fn yesterday(self) -> Self {
        Self(self.0.yesterday().unwrap_or(self.0))
    }

    /// The day after.
    #[must_use]
    pub fn tomorrow(self) -> Self {
        Self(self.0.tomorrow().unwrap_or(self.0))
    }
}

fn numbers<const N: usize>(text: &str, separator: char, widths: [usize; N]) -> Option<[i16; N]> {
    let mut groups = text.split(separator);
    let mut out = [0; N];
    for (slot, width) in out.iter_mut().zip(widths) {
        let group = groups.next()?;
        if group.len() != width || !group.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *slot = group.parse().ok()?;
    }
    groups.next().is_none().then_some(out)
}

fn date(year: i16, month: i16, day: i16) -> Result<DocumentDate, DateError> {
    if !(1900..2200).contains(&year) {
        return Err(DateError::Calendar);
    }
    let (month, day) = (i8::try_from(month), i8::try_from(day));
    match (month, day) {
        (Ok(month), Ok(day)) => Date::new(year, month, day)
            .map(DocumentDate)
            .map_err(|_| DateError::Calendar),
        _ => Err(DateError::Calendar),
    }
}

impl fmt::Display for DocumentDate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.0.strftime("%Y/%m/%d"))
    }
}

impl Serialize for DocumentDate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.iso_text())
    }
}

impl<'de> Deserialize<'de> for DocumentDate {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse_iso(&text).map_err(serde::de::Error::custom)
    }
}

/// A moment as documents write it: `yyyy/MM/dd HH:mm:ss`, local time of Vietnam, no zone. Source: edXML.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocumentTime(DateTime);

impl DocumentTime {
    /// # Errors
    /// [`DateError`] when form, day or hour is wrong.
    pub fn parse(text: &str) -> Result<Self, DateError> {
        let form = DateError::Form {
            form: "yyyy/MM/dd HH:mm:ss",
        };
        let (day, clock) = text.split_once(' ').ok_or(form)?;
        let day = DocumentDate::parse(day).map_err(|error| if error == DateError::Calendar { error } else { form })?;
        let [hour, minute, second] = numbers(clock, ':', [2, 2, 2]).ok_or(form)?;
        match (i8::try_from(hour), i8::try_from(minute), i8::try_from(second)) {
            (Ok(hour @ 0..=23), Ok(minute @ 0..=59), Ok(second @ 0..=59)) => {
                Ok(Self(day.0.at(hour, minute, second, 0)))
            }
            _ => Err(form),
        }
    }

    #[must_use]
    pub fn day(self) -> DocumentDate {
        DocumentDate(self.0.date())
    }

    #[must_use]
    pub fn unix_ms(self) -> UnixMs {
        let stamp = vietnam().to_timestamp(self.0);
        UnixMs(
            stamp
                .ok()
                .and_then(|stamp| u64::try_from(stamp.as_millisecond()).ok())
                .unwrap_or(0),
        )
    }
}

impl fmt::Display for DocumentTime {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.0.strftime("%Y/%m/%d %H:%M:%S"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_days_of_the_calendar_are_days() {
        assert_eq!(DocumentDate::parse("2024/02/29").unwrap().to_string(), "2024/02/29");
        assert_eq!(DocumentDate::parse("2027/02/30"), Err(DateError::Calendar));
        for wrong in [
            "01/07/2025",
            "2025-07-01",
            "2025/7/1",
            "2025/07/01 ",
            "",
            "2025/07/01/02",
            "٢٠٢٥/07/01",
        ] {
            assert!(
                matches!(DocumentDate::parse(wrong), Err(DateError::Form { .. })),
                "{wrong}"
            );
        }
    }

    #[test]
    fn midnight_in_vietnam_is_the_border_of_a_day() {
        let before = UnixMs(DocumentTime::parse("2025/06/30 23:59:59").unwrap().unix_ms().0 + 999);
        assert_eq!(before.day_in_vietnam().iso_text(), "2025-06-30");
        assert_eq!(UnixMs(before.0 + 1).day_in_vietnam().iso_text(), "2025-07-01");
        assert_eq!(before.axis_text(), "30/06/2025 23:59:59");
        assert_eq!(before.iso_text(), "2025-06-30T23:59:59.999+07:00");
    }

    #[test]
    fn a_moment_of_a_payload_is_read_in_its_own_zone() {
        let noon = DocumentTime::parse("2026/01/06 12:00:00").unwrap().unix_ms();
        for text in [
            "2026-01-06T12:00:00+07:00",
            "2026-01-06T05:00:00Z",
            " 2026-01-06T05:00:00.000Z ",
        ] {
            assert_eq!(UnixMs::parse_rfc3339(text), Ok(noon), "{text}");
        }
        for wrong in ["2026-01-06T12:00:00", "2026/01/06 12:00:00", "", "1969-01-01T00:00:00Z"] {
            assert!(UnixMs::parse_rfc3339(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_date_reads_back_as_written(year in 1900i16..2200, month in 1i8..13, day in 1i8..32) {
            let text = format!("{year:04}/{month:02}/{day:02}");
            match DocumentDate::parse(&text) {
                Ok(date) => prop_assert_eq!(date.to_string(), text),
                Err(error) => prop_assert!(error == DateError::Calendar && day > 28),
            }
        }

        #[test]
        fn no_text_and_no_number_panics(text in ".{0,25}", ms: u64) {
            prop_assert!(DocumentTime::parse(&text).is_err() || text.len() == 19);
            prop_assert!(UnixMs(ms).iso_text().ends_with("+07:00"));
        }
    }
}

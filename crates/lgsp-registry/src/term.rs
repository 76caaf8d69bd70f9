//! Days, and what holds from one day to another.

use std::fmt;
use std::marker::PhantomData;

use lgsp_types::DocumentDate;
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// The days from `from` to `to`, both included; none: without limit on that side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Period {
    pub from: Option<DocumentDate>,
    pub to: Option<DocumentDate>,
}

impl Period {
    #[must_use]
    pub fn contains(self, day: DocumentDate) -> bool {
        self.begun_by(day) && !self.ended_before(day)
    }

    /// Whether its first day is this day or earlier.
    #[must_use]
    pub fn begun_by(self, day: DocumentDate) -> bool {
        self.from.is_none_or(|from| from <= day)
    }

    /// Whether its last day is earlier than this day.
    #[must_use]
    pub fn ended_before(self, day: DocumentDate) -> bool {
        self.to.is_some_and(|to| to < day)
    }

    /// Whether the two share a day.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        let before = |one: Self, next: Self| matches!((one.to, next.from), (Some(to), Some(from)) if to < from);
        !before(self, other) && !before(other, self)
    }

    /// Whether the last day is not before the first.
    #[must_use]
    pub fn is_forward(self) -> bool {
        !matches!((self.from, self.to), (Some(from), Some(to)) if to < from)
    }

    /// Whether no day of it lies outside of `whole`.
    #[must_use]
    pub fn lies_in(self, whole: Self) -> bool {
        let begins = whole
            .from
            .is_none_or(|first| self.from.is_some_and(|from| from >= first));
        let ends = whole.to.is_none_or(|last| self.to.is_some_and(|to| to <= last));
        begins && ends
    }
}

impl fmt::Display for Period {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.from, self.to) {
            (None, None) => out.write_str("always"),
            (Some(from), None) => write!(out, "from {}", from.iso_text()),
            (None, Some(to)) => write!(out, "until {}", to.iso_text()),
            (Some(from), Some(to)) => write!(out, "from {} to {}", from.iso_text(), to.iso_text()),
        }
    }
}

/// What an agency is called, coded or placed under for some time; a day left out is that of the agency itself.
///
/// A plain text reads as the value for the agency's whole life: `"H62.11"` is `{ is = "H62.11" }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Term<T> {
    pub is: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<DocumentDate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<DocumentDate>,
}

impl<T> Term<T> {
    /// When it holds, in an agency of this life.
    #[must_use]
    pub fn within(&self, life: Period) -> Period {
        Period {
            from: self.from.or(life.from),
            to: self.to.or(life.to),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<T> {
    is: T,
    #[serde(default)]
    from: Option<DocumentDate>,
    #[serde(default)]
    to: Option<DocumentDate>,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Term<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOrTable(PhantomData))
    }
}

struct TextOrTable<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for TextOrTable<T> {
    type Value = Term<T>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a text, or a table of `is`, `from` and `to`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Term<T>, E> {
        let is = T::deserialize(StrDeserializer::new(text))?;
        Ok(Term {
            is,
            from: None,
            to: None,
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Term<T>, A::Error> {
        let Written { is, from, to } = Written::deserialize(MapAccessDeserializer::new(table))?;
        Ok(Term { is, from, to })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> DocumentDate {
        DocumentDate::parse_iso(text).unwrap()
    }

    #[test]
    fn the_last_day_is_included() {
        let period = Period {
            from: Some(day("2021-01-01")),
            to: Some(day("2025-06-30")),
        };
        assert!(period.contains(day("2021-01-01")) && period.contains(day("2025-06-30")));
        assert!(!period.contains(day("2020-12-31")) && !period.contains(day("2025-07-01")));
        assert_eq!(period.to_string(), "from 2021-01-01 to 2025-06-30");
    }

    #[test]
    fn a_text_is_a_value_for_the_whole_life() {
        let short: Term<String> = serde_json::from_str(r#""H62""#).unwrap();
        let long: Term<String> = serde_json::from_str(r#"{"is":"H62"}"#).unwrap();
        assert_eq!(short, long);
        for bad in [
            "{}",
            "3",
            "null",
            r#"{"is":"H62","until":"2025-06-30"}"#,
            r#"{"is":"H62","to":"30/06/2025"}"#,
        ] {
            assert!(serde_json::from_str::<Term<String>>(bad).is_err(), "{bad}");
        }
    }

    fn any_period() -> impl Strategy<Value = Period> {
        let any_day = || prop::option::of((1u8..29).prop_map(|at| day(&format!("2025-06-{at:02}"))));
        (any_day(), any_day()).prop_map(|(from, to)| Period { from, to })
    }

    proptest! {
        #[test]
        fn two_periods_overlap_exactly_if_they_share_a_day(one in any_period(), other in any_period()) {
            prop_assume!(one.is_forward() && other.is_forward());
            let shared = (1u8..30).map(|at| day(&format!("2025-06-{at:02}")));
            let any = shared.chain([day("1900-01-01"), day("2199-12-31")]).any(|day| one.contains(day) && other.contains(day));
            prop_assert_eq!(one.overlaps(other), any);
        }
    }
}

//! Does a new version let through all that an earlier one did, and if not, what breaks whom?
//!
//! Whatever cannot be shown to be still let through is told as a break: a wrong alarm costs a look, a missed break costs a
//! department its documents. Each version is held against every earlier one (transitive), not only against the last.

mod narrow;
mod old;
mod parts;
mod same;
mod shared;

use std::collections::HashSet;
use std::fmt;

use serde_json::{Map, Value};

use crate::catalogue::{BREAKS_SENDERS, BREAKS_UNPROVEN, Broken, Entry, NEW_FOR_RECEIVERS};
use crate::check;
use crate::contract::{Compatibility, Contract};
use crate::dialect::target;
use crate::rules::Weight;
use old::Old;
use shared::Shared;

/// What a version breaks.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// For senders, by the schema.
    pub(crate) schema: Vec<Broken>,
    /// For senders, by a rule beyond it.
    pub(crate) rules: Vec<Broken>,
    /// Not a break: what receivers of the earlier version have not seen yet.
    pub(crate) news: Vec<Broken>,
}

pub(crate) fn compare(earlier: &Contract, later: &Contract) -> Told {
    let (shared, again) = (Shared::default(), Shared::default());
    let mut told = Told::default();
    let version = earlier.reference.to_string();
    let name = |entry: &Entry, change: Change| entry.at(change.place, &[&change.what, &version]);
    let news = Comparison::of(&again, &later.schema, &earlier.schema)
        .into_iter()
        .map(|change| Change {
            what: change.what.reversed(),
            ..change
        });
    told.news = check::conclude(news.map(|change| name(&NEW_FOR_RECEIVERS, change)).collect());
    if later.settings.compatibility == Compatibility::None {
        return told;
    }
    let breaks = Comparison::of(&shared, &earlier.schema, &later.schema).into_iter();
    let breaks = breaks.map(|change| match change.is_certain {
        true => name(&BREAKS_SENDERS, change),
        false => name(&BREAKS_UNPROVEN, change),
    });
    told.schema = check::conclude(breaks.collect());
    for (rule, weight) in &later.settings.rules {
        let before = earlier.settings.rules.get(rule);
        if *weight == Weight::Refuse && before != Some(&Weight::Refuse) {
            let change = format!("{}: → refuse", rule.name());
            told.rules.push(BREAKS_SENDERS.at("/rules", &[&change, &version]));
        }
    }
    told
}

/// One thing that the second schema lets through no more.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Change {
    /// JSON pointer into the second schema.
    place: String,
    what: What,
    is_certain: bool,
}

/// A change in signs that are the same in every language: `maxLength: 500 → 300`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct What {
    keyword: String,
    /// Empty: nothing was said.
    before: String,
    now: String,
}

impl What {
    fn of(keyword: &str, before: impl Into<String>, now: impl Into<String>) -> Self {
        Self {
            keyword: keyword.to_owned(),
            before: before.into(),
            now: now.into(),
        }
    }

    fn reversed(self) -> Self {
        Self {
            before: self.now,
            now: self.before,
            ..self
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let colon = if self.keyword.is_empty() { "" } else { ":" };
        let signs = [
            &format!("{}{colon}", self.keyword),
            self.before.as_str(),
            "→",
            self.now.as_str(),
        ];
        let signs: Vec<_> = signs.into_iter().filter(|sign| !sign.is_empty()).collect();
        match self.before.is_empty() && self.now.is_empty() {
            true => out.write_str(&self.keyword),
            false => out.write_str(&signs.join(" ")),
        }
    }
}

/// Two schema files, held against each other.
struct Comparison<'a> {
    shared: &'a Shared,
    old_root: &'a Value,
    new_root: &'a Value,
    /// Pairs taken to hold while they are looked at: a schema that refers to itself ends here.
    assumed: HashSet<(Vec<usize>, usize)>,
    changes: Vec<Change>,
}

impl<'a> Comparison<'a> {
    fn of(shared: &'a Shared, old_root: &'a Value, new_root: &'a Value) -> Vec<Change> {
        let mut comparison = Comparison {
            shared,
            old_root,
            new_root,
            assumed: HashSet::new(),
            changes: Vec::new(),
        };
        comparison.hold(&[old_root], new_root, "");
        comparison.changes
    }

    /// Tells all that fits every one of `old` and may not fit `new`, which stands at `place`.
    fn hold(&mut self, old: &[&'a Value], new: &'a Value, place: &str) {
        let old = Old::of(self.old_root, old);
        self.hold_parts(&old, new, place);
    }

    fn hold_parts(&mut self, old: &Old<'a>, new: &'a Value, place: &str) {
        let pair = (old.addresses(), std::ptr::from_ref(new) as usize);
        if old.is_nothing() || !self.assumed.insert(pair) {
            return;
        }
        if self.shared.is_spent_by_pair() {
            return self.unproven(place, What::of("…", "", ""));
        }
        match new {
            Value::Object(keywords) if old.parts.iter().any(|part| self.same(part, keywords)) => {}
            Value::Object(keywords) => self.keywords(old, keywords, place),
            Value::Bool(false) => self.change(place, What::of("", "", "false")),
            Value::Null | Value::Bool(true) | Value::Number(_) | Value::String(_) | Value::Array(_) => {}
        }
    }

    fn keywords(&mut self, old: &Old<'a>, new: &'a Map<String, Value>, place: &str) {
        if let Some(Value::String(reference)) = new.get("$ref")
            && let Some(target) = target(self.new_root, reference)
        {
            self.hold_parts(old, target, reference.trim_start_matches('#'));
        }
        for (nth, schema) in list(new, "allOf").iter().enumerate() {
            self.hold_parts(old, schema, &format!("{place}/allOf/{nth}"));
        }
        // A choice is looked at one by one: what each lets through has to fit.
        if let Some(choices) = old.choices() {
            for choice in choices {
                self.narrower(&choice, new, place);
            }
        } else {
            self.narrower(old, new, place);
        }
    }

    fn narrower(&mut self, old: &Old<'a>, new: &'a Map<String, Value>, place: &str) {
        if old.is_nothing() {
            return;
        }
        self.values(old, new, place);
        self.structure(old, new, place);
        self.parts(old, new, place);
    }

    /// Does all that fits `old` fit `new`, for certain?
    fn holds(&self, old: &Old<'a>, new: &'a Value) -> bool {
        let mut trial = Comparison {
            shared: self.shared,
            old_root: self.old_root,
            new_root: self.new_root,
            assumed: self.assumed.clone(),
            changes: Vec::new(),
        };
        trial.hold_parts(old, new, "");
        trial.changes.is_empty()
    }

    fn change(&mut self, place: &str, what: What) {
        self.tell(place, what, true);
    }

    fn unproven(&mut self, place: &str, what: What) {
        self.tell(place, what, false);
    }

    fn tell(&mut self, place: &str, what: What, is_certain: bool) {
        self.changes.push(Change {
            place: place.to_owned(),
            what,
            is_certain,
        });
    }
}

fn list<'a>(schema: &'a Map<String, Value>, keyword: &str) -> &'a [Value] {
    schema.get(keyword).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests;

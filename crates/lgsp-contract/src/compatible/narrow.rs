//! Keywords about a value as a whole: its type, its bounds, its form, and conditions that are compared as they are written.

use serde_json::{Map, Value};

use super::old::{Old, names_type};
use super::{Comparison, What, list};

/// Bounds from below: a new one must not be above the old one. With what stands where none is written.
const LEAST: [(&str, &str, Option<f64>); 4] = [
    ("minLength", "string", Some(0.0)),
    ("minItems", "array", Some(0.0)),
    ("minProperties", "object", Some(0.0)),
    ("minimum", "number", None),
];
const MOST: [(&str, &str); 4] = [
    ("maxLength", "string"),
    ("maxItems", "array"),
    ("maxProperties", "object"),
    ("maximum", "number"),
];
/// Beyond it, floating point does not tell neighbours apart.
const EXACT_MAX: f64 = 9e15;
/// Conditions that have no order: they are the same, or nothing is known. Those of one row belong together.
const CONDITIONS: [(&[&str], &str); 5] = [
    (&["not"], ""),
    (&["if", "then", "else"], ""),
    (&["oneOf"], ""),
    (&["contains", "minContains", "maxContains"], "array"),
    (&["dependentSchemas"], "object"),
];

impl<'a> Comparison<'a> {
    /// Type, listed values, bounds and forms.
    pub(super) fn values(&mut self, old: &Old<'a>, new: &'a Map<String, Value>, place: &str) {
        let at = |keyword: &str| format!("{place}/{keyword}");
        if let Some(named) = new.get("type") {
            let types = old.types();
            let lost: Vec<_> = types.iter().filter(|one| !names_type(named, one)).copied().collect();
            // Whoever could write any number could write an integer.
            let lost: Vec<_> = lost
                .iter()
                .filter(|one| !(**one == "integer" && lost.contains(&"number")))
                .copied()
                .collect();
            if !lost.is_empty() {
                self.change(&at("type"), What::of("type", lost.join("/"), shown(named)));
            }
        }
        self.listed(old, new, place);
        if old.values().is_some() {
            return;
        }
        for (keyword, of_type, without) in LEAST {
            let before = old.most(keyword).or(without);
            let before = match keyword {
                // What is more than 3 is at least 3; what has two named fields has two.
                "minimum" => larger(before, old.most("exclusiveMinimum")),
                #[expect(clippy::cast_precision_loss, reason = "a schema of 256 KiB names few fields")]
                "minProperties" => larger(before, Some(old.required().len() as f64)),
                _ => before,
            };
            self.bound(old, (keyword, of_type), new, place, |now| {
                before.is_some_and(|before| before >= now)
            });
        }
        for (keyword, of_type) in MOST {
            let before = match keyword {
                "maximum" => smaller(old.least(keyword), old.least("exclusiveMaximum")),
                _ => old.least(keyword),
            };
            self.bound(old, (keyword, of_type), new, place, |now| {
                before.is_some_and(|before| before <= now)
            });
        }
        let above = |now: f64| {
            old.most("exclusiveMinimum").is_some_and(|before| before >= now)
                || old.most("minimum").is_some_and(|before| before > now)
        };
        self.bound(old, ("exclusiveMinimum", "number"), new, place, above);
        let below = |now: f64| {
            old.least("exclusiveMaximum").is_some_and(|before| before <= now)
                || old.least("maximum").is_some_and(|before| before < now)
        };
        self.bound(old, ("exclusiveMaximum", "number"), new, place, below);
        let multiple = |now: f64| {
            let integers = !old.types().contains("number");
            let steps = old
                .all("multipleOf")
                .filter_map(Value::as_f64)
                .chain(integers.then_some(1.0));
            let mut ratios = steps.map(|step| step / now);
            ratios.any(|ratio| (ratio - ratio.round()).abs() < 1e-9 && ratio.round() >= 1.0)
        };
        self.bound(old, ("multipleOf", "number"), new, place, multiple);
        for keyword in ["pattern", "format"] {
            if let Some(now) = new.get(keyword).filter(|_| old.types().contains("string"))
                && !old.all(keyword).any(|before| before == now)
            {
                let before = old.all(keyword).next();
                let what = changed(keyword, before, now);
                // Another form may well be a wider one; none before surely was.
                match before {
                    Some(_) => self.unproven(&at(keyword), what),
                    None => self.change(&at(keyword), what),
                }
            }
        }
    }

    /// Where only some values fit, each is held against the new list; where any did, a list is a break.
    fn listed(&mut self, old: &Old<'a>, new: &'a Map<String, Value>, place: &str) {
        let values = old.values();
        for keyword in ["enum", "const"] {
            let Some(now) = new.get(keyword) else { continue };
            let allowed = |value: &Value| {
                if keyword == "const" {
                    value == now
                } else {
                    list(new, keyword).contains(value)
                }
            };
            let place = format!("{place}/{keyword}");
            match &values {
                Some(values) => {
                    for value in values.iter().filter(|value| !allowed(value)) {
                        self.change(&place, What::of(keyword, shown(value), ""));
                    }
                }
                None => {
                    // True, false and null are few enough to be a list without being one.
                    let types = old.types();
                    let few = [
                        ("boolean", Value::Bool(true)),
                        ("boolean", Value::Bool(false)),
                        ("null", Value::Null),
                    ];
                    let covered = types.iter().all(|one| few.iter().any(|(few, _)| few == one))
                        && few
                            .iter()
                            .filter(|(one, _)| types.contains(one))
                            .all(|(_, value)| allowed(value));
                    if !covered {
                        self.change(&place, What::of(keyword, "", shown(now)));
                    }
                }
            }
        }
        let Some(values) = values else { return };
        let rest: Map<_, _> = new
            .iter()
            .filter(|(keyword, _)| BARE.contains(&keyword.as_str()))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        let Ok(validator) = crate::dialect::options().build(&Value::Object(rest)) else {
            return;
        };
        for value in values.into_iter().filter(|value| !validator.is_valid(value)) {
            self.change(place, What::of("", shown(value), ""));
        }
    }

    fn bound(
        &mut self,
        old: &Old<'a>,
        (keyword, of_type): (&str, &str),
        new: &'a Map<String, Value>,
        place: &str,
        holds: impl Fn(f64) -> bool,
    ) {
        let types = old.types();
        let concerns = types.contains(of_type) || (of_type == "number" && types.contains("integer"));
        if let Some(now) = new.get(keyword)
            && concerns
            && !(now.as_f64().is_some_and(|now| now.abs() < EXACT_MAX && holds(now))
                || old.all(keyword).any(|before| before == now))
        {
            let what = changed(keyword, old.all(keyword).next(), now);
            self.change(&format!("{place}/{keyword}"), what);
        }
    }

    /// Conditions and choices.
    pub(super) fn structure(&mut self, old: &Old<'a>, new: &'a Map<String, Value>, place: &str) {
        for (keywords, of_type) in CONDITIONS {
            let Some(first) = keywords.iter().find(|keyword| new.contains_key(**keyword)) else {
                continue;
            };
            let concerns = of_type.is_empty() || old.types().contains(of_type);
            let same = old.parts.iter().any(|part| self.same_in(part, new, keywords));
            if concerns && !same {
                self.unproven(&format!("{place}/{first}"), What::of(first, "", ""));
            }
        }
        let choices = list(new, "anyOf");
        if !choices.is_empty() {
            let same = old.parts.iter().any(|part| self.same_in(part, new, &["anyOf"]));
            if !same && !choices.iter().any(|choice| self.holds(old, choice)) {
                self.unproven(&format!("{place}/anyOf"), What::of("anyOf", "", ""));
            }
        }
    }
}

/// Keywords that a listed value can be held against without its file.
const BARE: [&str; 10] = [
    "type",
    "minLength",
    "maxLength",
    "pattern",
    "format",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
];

fn larger(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    one.into_iter().chain(other).reduce(f64::max)
}

fn smaller(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    one.into_iter().chain(other).reduce(f64::min)
}

fn changed(keyword: &str, before: Option<&Value>, now: &Value) -> What {
    What::of(keyword, before.map(shown).unwrap_or_default(), shown(now))
}

/// A value of a schema, short enough for a line.
pub(super) fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

//! TOML as JSON values, with the place of every value; from here on a file and a fact read the same.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use lgsp_types::ReasonCode;
use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};
use toml::value::Datetime;

use super::{CONFIG_SECRET, CONFIG_SYNTAX};
use crate::check::CONFIG_FIELD;
use crate::file::error::Errors;

/// What the text says.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) top: Map<String, Value>,
    pub(super) spans: BTreeMap<String, Range<usize>>,
    /// The tables, such as `agency[3]`, in which something is wrong that was told already.
    pub(super) broken: HashSet<String>,
}

/// Parts of a key's name that announce a secret.
const SECRETS: [&str; 6] = ["secret", "password", "passwd", "token", "private_key", "credential"];
/// The one key of that kind which holds only a name.
const SECRET_NAME: &str = "secret_ref";

impl Tree {
    /// None if the text is no TOML; other mistakes are told too.
    pub(super) fn read(text: &str, errors: &mut Errors) -> Option<Self> {
        let (document, wrong) = DeTable::parse_recoverable(text);
        let mut last_line = 0;
        for error in &wrong {
            let start = error.span().map_or(0, |span| span.start);
            let (line, _) = errors.lines().place(start);
            // What follows in the same line follows from the first.
            if line != last_line {
                errors.add(start, "/", &CONFIG_SYNTAX, error.message(), "write it as TOML");
            }
            last_line = line;
        }
        if !wrong.is_empty() {
            return None;
        }
        let mut reading = Reading {
            spans: BTreeMap::new(),
            broken: HashSet::new(),
            errors,
        };
        let top = reading.table("", document.get_ref());
        Some(Self {
            top,
            spans: reading.spans,
            broken: reading.broken,
        })
    }
}

struct Reading<'a> {
    spans: BTreeMap<String, Range<usize>>,
    broken: HashSet<String>,
    errors: &'a mut Errors,
}

impl Reading<'_> {
    fn table(&mut self, path: &str, table: &DeTable<'_>) -> Map<String, Value> {
        let mut map = Map::new();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let path = if path.is_empty() {
                name.to_owned()
            } else {
                format!("{path}.{name}")
            };
            if is_secret(name) {
                let mend = "take it out of every file under version control, replace the secret itself, put the new \
                            one into a file of the node's secrets folder and name that in `secret_ref`";
                let what = "a secret does not stand in a registry file";
                self.tell(key.span().start, &path, &CONFIG_SECRET, what, mend);
                continue;
            }
            // What is wrong with a value is best shown with its key; tables under headings span only their heading.
            self.spans.insert(path.clone(), key.span());
            map.insert(name.to_owned(), self.value(&path, value));
        }
        map
    }

    /// A value that JSON does not have becomes null, and its table is broken.
    fn value(&mut self, path: &str, value: &Spanned<DeValue<'_>>) -> Value {
        let start = value.span().start;
        match value.get_ref() {
            DeValue::String(text) => Value::String(text.clone().into_owned()),
            DeValue::Boolean(truth) => Value::Bool(*truth),
            DeValue::Integer(number) => match whole(number) {
                Some(number) => Value::from(number),
                None => self.refuse(
                    start,
                    path,
                    "is a number beyond 64 bits",
                    "write a number within the field's bounds",
                ),
            },
            DeValue::Float(_) => self.refuse(start, path, "is not a whole number", "write a whole number"),
            DeValue::Datetime(moment) => match day(moment) {
                Some(text) => Value::String(text),
                None => self.refuse(
                    start,
                    path,
                    "is not a day",
                    "write a day without time, as in 2025-07-01",
                ),
            },
            DeValue::Array(values) => {
                let values = values.iter().enumerate();
                Value::Array(
                    values
                        .map(|(at, value)| {
                            let path = format!("{path}[{at}]");
                            self.spans.insert(path.clone(), value.span());
                            self.value(&path, value)
                        })
                        .collect(),
                )
            }
            DeValue::Table(table) => Value::Object(self.table(path, table)),
        }
    }

    fn refuse(&mut self, start: usize, path: &str, what: &str, mend: &str) -> Value {
        self.tell(start, path, &CONFIG_FIELD, what, mend);
        Value::Null
    }

    fn tell(&mut self, start: usize, path: &str, code: &ReasonCode, what: &str, mend: &str) {
        self.errors.add(start, path, code, what, mend);
        let table = path.split_once('.').map_or(path, |(table, _)| table);
        self.broken.insert(table.to_owned());
    }
}

fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    key != SECRET_NAME && SECRETS.iter().any(|secret| key.contains(secret))
}

fn whole(number: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

fn day(moment: &Datetime) -> Option<String> {
    match moment {
        Datetime {
            date: Some(date),
            time: None,
            offset: None,
        } => Some(date.to_string()),
        Datetime { .. } => None,
    }
}

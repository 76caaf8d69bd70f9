//! The earlier side of a comparison: schemas that all hold of one value, references and `allOf` taken apart.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::list;
use crate::dialect::target;

/// All of them hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Old<'a> {
    root: Option<&'a Value>,
    pub(super) parts: Vec<&'a Map<String, Value>>,
    /// One of them is `false`.
    nothing: bool,
    /// Choices that were taken: an `anyOf` of one of these parts counts no more.
    taken: Vec<usize>,
}

/// The types of JSON Schema; an integer is a number as well.
pub(super) const TYPES: [&str; 7] = ["array", "boolean", "integer", "null", "number", "object", "string"];

impl<'a> Old<'a> {
    pub(super) fn of(root: &'a Value, schemas: &[&'a Value]) -> Self {
        let mut old = Self {
            root: Some(root),
            ..Self::default()
        };
        schemas.iter().for_each(|schema| old.take(schema));
        old
    }

    fn take(&mut self, schema: &'a Value) {
        match schema {
            Value::Bool(false) => self.nothing = true,
            Value::Object(keywords) => {
                let known = self.parts.iter().any(|part| std::ptr::eq(*part, keywords));
                if known {
                    return;
                }
                self.parts.push(keywords);
                let reference = keywords.get("$ref").and_then(Value::as_str);
                if let Some(target) = reference.and_then(|reference| target(self.root?, reference)) {
                    self.take(target);
                }
                list(keywords, "allOf").iter().for_each(|schema| self.take(schema));
            }
            Value::Null | Value::Bool(true) | Value::Number(_) | Value::String(_) | Value::Array(_) => {}
        }
    }

    /// Can no value fit?
    pub(super) fn is_nothing(&self) -> bool {
        self.nothing || self.types().is_empty()
    }

    /// Which schemas these are, whatever their order.
    pub(super) fn addresses(&self) -> Vec<usize> {
        let parts = self.parts.iter().map(|part| std::ptr::from_ref(*part) as usize);
        let mut addresses: Vec<_> = parts.chain(self.taken.iter().map(|taken| !taken)).collect();
        addresses.sort_unstable();
        addresses
    }

    /// Each branch of the first `anyOf` or `oneOf`, together with all the rest.
    pub(super) fn choices(&self) -> Option<Vec<Self>> {
        let mut open = self
            .parts
            .iter()
            .flat_map(|part| ["anyOf", "oneOf"].map(|keyword| list(part, keyword)));
        let address = |choices: &[Value]| choices.as_ptr() as usize;
        let choices = open.find(|choices| !choices.is_empty() && !self.taken.contains(&address(choices)))?;
        let each = choices.iter().map(|choice| {
            let mut old = self.clone();
            old.taken.push(address(choices));
            old.take(choice);
            old
        });
        Some(each.collect())
    }

    /// The types that a value may have.
    pub(super) fn types(&self) -> BTreeSet<&'static str> {
        let mut types: BTreeSet<_> = TYPES.into_iter().collect();
        for part in &self.parts {
            if let Some(named) = part.get("type") {
                types.retain(|one| names_type(named, one));
            }
            if let Some(values) = finite(part) {
                types.retain(|one| values.iter().any(|value| is_of_type(value, one)));
            }
        }
        types
    }

    /// The only values that fit, where they are listed.
    pub(super) fn values(&self) -> Option<Vec<&'a Value>> {
        let mut lists = self.parts.iter().filter_map(|part| finite(part));
        let mut values = lists.next()?;
        for list in lists {
            values.retain(|value| list.contains(value));
        }
        let types = self.types();
        values.retain(|value| types.iter().any(|one| is_of_type(value, one)));
        Some(values)
    }

    /// What this keyword says in each part that has it.
    pub(super) fn all(&self, keyword: &str) -> impl Iterator<Item = &'a Value> {
        self.parts.iter().filter_map(move |part| part.get(keyword))
    }

    pub(super) fn most(&self, keyword: &str) -> Option<f64> {
        self.all(keyword).filter_map(Value::as_f64).reduce(f64::max)
    }

    pub(super) fn least(&self, keyword: &str) -> Option<f64> {
        self.all(keyword).filter_map(Value::as_f64).reduce(f64::min)
    }

    pub(super) fn required(&self) -> BTreeSet<&'a str> {
        let lists = self.all("required").filter_map(Value::as_array);
        lists.flatten().filter_map(Value::as_str).collect()
    }
}

fn finite(part: &Map<String, Value>) -> Option<Vec<&Value>> {
    match (part.get("const"), part.get("enum")) {
        (Some(only), _) => Some(vec![only]),
        (None, Some(Value::Array(values))) => Some(values.iter().collect()),
        _ => None,
    }
}

/// Does this `type` let that type through?
pub(super) fn names_type(named: &Value, one: &str) -> bool {
    let names = |name: &str| name == one || (name == "number" && one == "integer");
    match named {
        Value::String(name) => names(name),
        Value::Array(list) => list.iter().filter_map(Value::as_str).any(names),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => true,
    }
}

fn is_of_type(value: &Value, one: &str) -> bool {
    match value {
        Value::Null => one == "null",
        Value::Bool(_) => one == "boolean",
        Value::Number(number) => one == "number" || (one == "integer" && !number.is_f64()),
        Value::String(_) => one == "string",
        Value::Array(_) => one == "array",
        Value::Object(_) => one == "object",
    }
}

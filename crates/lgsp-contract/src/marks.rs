//! Marks of fields in contract.toml: in which words are searched, and which hold data of persons and never are.
//!
//! Source: Law 91/2025/QH15 on personal data: what is not needed is not gathered; vietnam.md 12.3.

use serde_json::Value;

use crate::catalogue::{Broken, MARK_NO_TEXT, MARK_PERSONAL, MARK_UNKNOWN};
use crate::contract::Settings;
use crate::dialect::target;

/// Any item of a list.
const EVERY: &str = "*";
/// Most references from one to the next.
const REFERENCES_MAX: usize = 32;

/// All that is wrong with the marks.
pub(crate) fn broken(settings: &Settings, schema: &Value) -> Vec<Broken> {
    let mut broken = Vec::new();
    let marks = [("searchable", &settings.searchable), ("personal", &settings.personal)];
    for (list, marks) in marks {
        for (nth, mark) in marks.iter().enumerate() {
            let at = format!("/{list}/{nth}");
            let Some(field) = field(schema, mark) else {
                broken.push(MARK_UNKNOWN.at(&at, &[mark]));
                continue;
            };
            if list == "personal" {
                continue;
            }
            if field.get("type").and_then(Value::as_str) != Some("string") {
                broken.push(MARK_NO_TEXT.at(&at, &[mark]));
            }
            if settings.personal.iter().any(|personal| overlap(personal, mark)) {
                broken.push(MARK_PERSONAL.at(&at, &[mark]));
            }
        }
    }
    broken
}

fn steps(pointer: &str) -> impl Iterator<Item = &str> {
    pointer.split('/').skip(1)
}

/// Whether one field is, holds, or is part of the other.
fn overlap(one: &str, other: &str) -> bool {
    steps(one).zip(steps(other)).all(|(one, other)| one == other)
}

/// The schema of a field; none: there is no such field.
fn field<'a>(root: &'a Value, pointer: &str) -> Option<&'a Value> {
    if !pointer.starts_with('/') {
        return None;
    }
    let mut place = resolved(root, root)?;
    for step in steps(pointer) {
        place = match step {
            EVERY => place.get("items")?,
            name => place.get("properties")?.get(name)?,
        };
        place = resolved(root, place)?;
    }
    Some(place)
}

fn resolved<'a>(root: &'a Value, mut place: &'a Value) -> Option<&'a Value> {
    for _ in 0..REFERENCES_MAX {
        match place.get("$ref").and_then(Value::as_str) {
            Some(reference) => place = target(root, reference)?,
            None => return Some(place),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(searchable: &[&str], personal: &[&str]) -> Vec<String> {
        let list = |marks: &[&str]| {
            marks
                .iter()
                .map(|mark| format!("{mark:?}"))
                .collect::<Vec<_>>()
                .join(",")
        };
        let settings = format!(
            "compatibility = \"none\"\nsearchable = [{}]\npersonal = [{}]\n[title]\nvi = \"\"\nen = \"\"",
            list(searchable),
            list(personal)
        );
        let schema = json!({
            "properties": {
                "subject": {"$ref": "#/$defs/line"},
                "staff": {"properties": {"name": {"type": "string"}, "age": {"type": "integer"}}},
                "to": {"items": {"$ref": "#/$defs/organ"}},
                "loop": {"$ref": "#/properties/loop"},
            },
            "$defs": {
                "line": {"type": "string"},
                "organ": {"properties": {"name": {"$ref": "#/$defs/line"}}},
            },
        });
        let broken = broken(&toml::from_str(&settings).unwrap(), &schema);
        broken
            .iter()
            .map(|broken| format!("{} {}", broken.code, broken.path))
            .collect()
    }

    #[test]
    fn only_texts_that_are_there_and_not_personal_are_searched() {
        assert_eq!(
            told(&["/subject", "/to/*/name"], &["/staff", "/loop"]),
            ["MARK_UNKNOWN /personal/1"]
        );
        assert_eq!(
            told(&["subject", "/nothing", "/to/0/name", "/staff/age", "", "/"], &[]),
            [
                "MARK_UNKNOWN /searchable/0",
                "MARK_UNKNOWN /searchable/1",
                "MARK_UNKNOWN /searchable/2",
                "MARK_NO_TEXT /searchable/3",
                "MARK_UNKNOWN /searchable/4",
                "MARK_UNKNOWN /searchable/5"
            ]
        );
        for personal in ["/staff", "/staff/name"] {
            assert_eq!(
                told(&["/subject", "/staff/name"], &[personal]),
                ["MARK_PERSONAL /searchable/1"]
            );
        }
        assert_eq!(told(&["/to/*/name"], &["/to/*"]), ["MARK_PERSONAL /searchable/0"]);
    }
}

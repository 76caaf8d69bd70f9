//! What differs between two texts of an object, field by field, for people.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::file::value_text;
use crate::object::Object;

/// One field of an object that changes; `.` for all of an object that comes or goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub field: String,
    /// As a registry file spells it; none: the field was not there.
    pub was: Option<String>,
    /// None: the field is no more.
    pub is: Option<String>,
}

/// The fields that differ, by name; none for two that say the same.
#[must_use]
pub fn differences(before: Option<&Object>, after: Option<&Object>) -> Vec<Difference> {
    let (before, after) = (fields(before), fields(after));
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let differing = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    differing
        .map(|name| Difference {
            field: name.clone(),
            was: before.get(name).map(|value| value_text(name, value)),
            is: after.get(name).map(|value| value_text(name, value)),
        })
        .collect()
}

fn fields(object: Option<&Object>) -> Map<String, Value> {
    match object.map(serde_json::to_value) {
        Some(Ok(Value::Object(fields))) => fields,
        // Objects are tables, and nothing in them fails.
        Some(Ok(_) | Err(_)) | None => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use crate::object::ObjectKind;

    use super::*;

    #[test]
    fn a_field_that_changed_is_told_as_a_file_spells_it() {
        let read = |text: &str| ObjectKind::Grant.read(serde_json::from_str(text).unwrap()).unwrap();
        let before = read(r#"{"id":"g","contracts":["a/1"],"senders":["H44"],"addressees":["H44"],"to":"2026-12-31"}"#);
        let after =
            read(r#"{"id":"g","contracts":["a/1-2"],"senders":["H44"],"addressees":["H44"],"purposes":["", "p"]}"#);
        let told = |before, after| -> Vec<String> {
            let told = |it: Difference| {
                let [was, is] = [it.was, it.is].map(|text| text.unwrap_or_else(|| "-".to_owned()));
                format!("{}: {was} -> {is}", it.field)
            };
            differences(before, after).into_iter().map(told).collect()
        };
        assert_eq!(
            told(Some(&before), Some(&after)),
            [
                r#"contracts: ["a/1"] -> ["a/1-2"]"#,
                r#"purposes: - -> ["", "p"]"#,
                "to: 2026-12-31 -> -"
            ]
        );
        assert!(told(Some(&before), Some(&before)).is_empty());
        assert_eq!(told(None, Some(&before)).len(), 5);
        assert_eq!(told(Some(&before), None).last().unwrap(), "to: 2026-12-31 -> -");
    }
}

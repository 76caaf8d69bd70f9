//! What projecting reads of a payload: the time of a status, what an update changes, and texts in which words are searched.
//!
//! Lenient: what is not there, or not of its kind, was not said. Whether a payload fits its contract was asked before.

use std::fmt;

use lgsp_contract::{Contract, Contracts};
use lgsp_store::{Projected, Reading};
use lgsp_types::{Accepted, AgencyCode, UnixMs, What};
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

/// Names in the payload of a document and of a status (config/contracts).
const TIMESTAMP: &str = "timestamp";
const PRIORITY: &str = "priority";
const BUSINESS: &str = "business";
/// Most texts of one payload, as a list can have many.
const TEXTS_MAX: usize = 1_000;

/// The size of the control ledger that the last of these facts names; 0: none is an Accepted one.
pub(crate) fn named(facts: &[Projected]) -> u64 {
    let accepted = facts.iter().filter(|projected| message(projected).is_some());
    let sizes = accepted.filter_map(|projected| Some(projected.fact.as_ref()?.rules.control_size));
    sizes.max().unwrap_or(0)
}

/// Adds what the payloads say; a version of a contract, once in force, says the same for ever.
pub(crate) fn add(facts: &mut [Projected], contracts: &Contracts) {
    for projected in facts {
        if let Some(message) = message(projected) {
            projected.reading = read(message, contracts);
        }
    }
}

fn message(projected: &Projected) -> Option<&Accepted> {
    if let What::Accepted(message) = &projected.fact.as_ref()?.what {
        Some(message)
    } else {
        None
    }
}

fn read(message: &Accepted, contracts: &Contracts) -> Reading {
    let contract = contracts.find(&message.envelope.contract).ok();
    let fields = contract.map_or(&[][..], Contract::searchable);
    if fields.is_empty() && message.clear.documents.is_empty() {
        return Reading::default();
    }
    let firsts = fields.iter().filter_map(|field| steps(field).next());
    let wanted: Vec<&str> = firsts.chain([TIMESTAMP, PRIORITY, BUSINESS]).collect();
    let payload = serde_json::Deserializer::from_slice(&message.payload).deserialize_map(Members(&wanted));
    let Ok(payload) = payload.map(Value::Object) else {
        return Reading::default();
    };
    let mut reading = of_document(&payload);
    for field in fields {
        collect(&payload, &steps(field).collect::<Vec<_>>(), &mut reading.texts);
    }
    reading
}

fn steps(pointer: &str) -> impl Iterator<Item = &str> {
    pointer.split('/').skip(1)
}

fn collect(value: &Value, steps: &[&str], texts: &mut Vec<String>) {
    match (value, steps) {
        (Value::String(text), []) if texts.len() < TEXTS_MAX => texts.push(text.clone()),
        (Value::Array(items), ["*", rest @ ..]) => items.iter().for_each(|item| collect(item, rest, texts)),
        (Value::Object(members), [name, rest @ ..]) => {
            if let Some(member) = members.get(*name) {
                collect(member, rest, texts);
            }
        }
        _ => {}
    }
}

fn of_document(payload: &Value) -> Reading {
    let text = |name: &str| payload.get(name).and_then(Value::as_str);
    let business = payload.get(BUSINESS).unwrap_or(&Value::Null);
    let changed = |change: &str| {
        let is_so = |receiver: &&Value| receiver.get("change").and_then(Value::as_str) == Some(change);
        let receivers = list(business, "receivers").iter().filter(is_so);
        receivers.filter_map(|receiver| code(receiver.get("organ")?)).collect()
    };
    let replaced = list(business, "replaces").iter().filter_map(|replaced| {
        let id = replaced.get("document_id")?.as_str()?;
        let organs = list(replaced, "organs").iter().filter_map(code).collect();
        Some((id.to_owned(), organs))
    });
    Reading {
        said_ms: text(TIMESTAMP).and_then(|text| UnixMs::parse_rfc3339(text).ok()),
        // Khẩn, thượng khẩn, hỏa tốc, hỏa tốc hẹn giờ. Source: vietnam.md 1.7.
        urgent: text(PRIORITY).is_some_and(|priority| matches!(priority.trim(), "1" | "2" | "3" | "4")),
        dropped: changed("0"),
        added: changed("1"),
        replaced: replaced.collect(),
        texts: Vec::new(),
    }
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn code(value: &Value) -> Option<AgencyCode> {
    AgencyCode::parse(value.as_str()?).ok()
}

/// Reads these members of an object and skips the others, however large they are.
struct Members<'a>(&'a [&'a str]);

impl<'de> Visitor<'de> for Members<'_> {
    type Value = Map<String, Value>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut found = Map::new();
        while let Some(name) = members.next_key::<std::borrow::Cow<'de, str>>()? {
            if self.0.contains(&name.as_ref()) {
                found.insert(name.into_owned(), members.next_value()?);
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(text: &str, wanted: &[&str]) -> Option<Value> {
        let read = serde_json::Deserializer::from_str(text).deserialize_map(Members(wanted));
        read.ok().map(Value::Object)
    }

    #[test]
    fn only_what_is_asked_for_is_kept_of_a_payload() {
        let text =
            r#"{"subject":"Về việc \u0111ô thị","xml":[[["deep",{}]]],"to":[{"name":"A"},{"name":"B"},{"x":1}]}"#;
        let payload = members(text, &["subject", "to", "absent"]).unwrap();
        assert!(payload.get("xml").is_none());
        let mut texts = Vec::new();
        for field in ["/subject", "/to/*/name", "/to/0", "/absent", "/subject/deeper", ""] {
            collect(&payload, &steps(field).collect::<Vec<_>>(), &mut texts);
        }
        assert_eq!(texts, ["Về việc đô thị", "A", "B"]);
        for none in ["[]", "1", "", "{\"subject\":", "\u{0}"] {
            assert_eq!(members(none, &["subject"]), None, "{none}");
        }
    }

    #[test]
    fn what_a_document_changes_is_read_as_far_as_it_can_be() {
        let text = r#"{"priority":" 3 ","timestamp":"2026-01-06T10:00:00+07:00","business":{"kind":2,
            "receivers":[{"organ":"H62","change":"0"},{"organ":"H62.11","change":"1"},{"organ":"h","change":"1"},{}],
            "replaces":[{"document_id":"x","organs":["H62.14",7]},{"organs":[]},"y"]}}"#;
        let reading = of_document(&members(text, &[PRIORITY, TIMESTAMP, BUSINESS]).unwrap());
        assert!(reading.urgent);
        assert_eq!(reading.said_ms.unwrap().iso_text(), "2026-01-06T10:00:00.000+07:00");
        let codes = |codes: &[&str]| {
            codes
                .iter()
                .map(|code| AgencyCode::parse(code).unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!((reading.dropped, reading.added), (codes(&["H62"]), codes(&["H62.11"])));
        assert_eq!(reading.replaced, [("x".to_owned(), codes(&["H62.14"]))]);
        let odd = members(
            r#"{"priority":"0","timestamp":7,"business":[]}"#,
            &[PRIORITY, TIMESTAMP, BUSINESS],
        );
        assert_eq!(of_document(&odd.unwrap()), Reading::default());
    }
}

//! An object as the table of a registry file that reads back as the same object.

use lgsp_types::DocumentDate;
use serde_json::Value;

use crate::object::Object;

/// Fields that hold a day, which TOML writes without quotes.
const DAYS: [&str; 3] = ["from", "to", "sends_until"];

/// `[[kind]]` and its fields, the id first, the others by name.
pub(crate) fn object_text(object: &Object) -> String {
    let mut text = format!("[[{}]]\n", object.reference().kind().name());
    let Ok(Value::Object(fields)) = serde_json::to_value(object) else {
        return text;
    };
    let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
    fields.sort_unstable_by_key(|(name, _)| (name.as_str() != "id", *name));
    for (name, value) in fields {
        text += &format!("{name} = {}\n", value_text(name, value));
    }
    text
}

/// The value of a field of this name.
pub(crate) fn value_text(name: &str, value: &Value) -> String {
    match value {
        Value::String(text) if DAYS.contains(&name) && DocumentDate::parse_iso(text).is_ok() => text.clone(),
        Value::String(text) => quoted(text),
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(|value| value_text("", value)).collect();
            format!("[{}]", values.join(", "))
        }
        Value::Object(fields) => match (fields.get("is"), fields.len()) {
            // A term for an agency's whole life.
            (Some(is), 1) => value_text("is", is),
            _ => {
                let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
                fields.sort_unstable_by_key(|(name, _)| (name.as_str() != "is", *name));
                let fields = fields
                    .into_iter()
                    .map(|(name, value)| format!("{name} = {}", value_text(name, value)));
                format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
            }
        },
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let escaped = text.chars().fold(String::new(), |mut out, letter| {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            control if control.is_control() => out.push_str(&format!("\\U{:08X}", u32::from(control))),
            letter => out.push(letter),
        }
        out
    });
    format!("\"{escaped}\"")
}

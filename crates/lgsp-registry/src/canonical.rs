//! The one spelling of JSON that facts hold: keys sorted by bytes, no blanks, no floats.

use serde::Serialize;
use serde_json::Value;

/// The canonical bytes. For the types of this crate only: their keys are texts, so that nothing can fail, and their
/// numbers whole.
pub(crate) fn to_bytes(value: &impl Serialize) -> Vec<u8> {
    let mut out = String::new();
    write(&serde_json::to_value(value).unwrap_or_default(), &mut out);
    out.into_bytes()
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            // Not left to serde_json: its maps are sorted only as long as no crate switches `preserve_order` on.
            let mut entries: Vec<(&String, &Value)> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            out.push('{');
            for (at, (key, value)) in entries.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(&Value::String(key.clone()), out);
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
        Value::Array(list) => {
            out.push('[');
            for (at, value) in list.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(value, out);
            }
            out.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => out.push_str(&value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_one_spelling() {
        let value: Value = serde_json::from_str(r#"{ "b": [1, "Sở \"A\"\n"], "a": {"z": null, "B": true} }"#).unwrap();
        let text = String::from_utf8(to_bytes(&value)).unwrap();
        assert_eq!(text, r#"{"a":{"B":true,"z":null},"b":[1,"Sở \"A\"\n"]}"#);
    }
}

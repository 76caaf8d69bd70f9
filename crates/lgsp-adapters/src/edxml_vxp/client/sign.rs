//! What the vendor's SDK signs and how: the frozen timestamp, the one-line JSON of the headers, its HMAC, the file's hash.

use std::fmt::Write as _;

use aws_lc_rs::{digest, hmac};
use jiff::civil::DateTime;

use super::java_map::JavaMap;

/// The moment a service object was made, as its headers carry it for the rest of its life.
///
/// Source: vxp-wire.md 3.5: `ddMMyyyy'T'HHmmss+SSSS`, where the last four digits are milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timestamp(String);

impl Timestamp {
    /// Formats a local date and time as `SimpleDateFormat` does.
    #[must_use]
    pub fn of(moment: DateTime) -> Self {
        Self(format!(
            "{}+{:04}",
            moment.strftime("%d%m%YT%H%M%S"),
            moment.millisecond()
        ))
    }

    /// Takes any text as it is: old clocks, other calendars and hostile tests.
    #[must_use]
    pub fn written(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text that travels.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The signed part of a request. The fields are open so that tests can sign wrong things or change what was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedHeaders {
    /// Name without prefix and value, in the order they are sent; `Content-Type` travels a second time, unprefixed.
    pub parameters: Vec<(String, String)>,
    /// `XroadVnpt-sign-header-key`; left out of the request when `None`.
    pub sign_header_key: Option<String>,
    /// `XroadVnpt-sign-header`, the text under the HMAC; left out when `None`.
    pub sign_header: Option<String>,
    /// `XroadVnpt-hash-header`, 64 hexadecimal digits; left out when `None`.
    pub hash_header: Option<String>,
}

impl SignedHeaders {
    /// Signs everything the map holds, in the map's own order. Source: vxp-wire.md 3.1.
    #[must_use]
    pub fn sign(map: &JavaMap, secret: &str) -> Self {
        let entries = map.in_order();
        let text = one_line_json(&entries);
        let names: Vec<&str> = entries.iter().map(|(name, _)| *name).collect();
        Self {
            hash_header: Some(hmac_hex(secret, text.as_bytes())),
            sign_header_key: Some(names.join(";")),
            sign_header: Some(text),
            parameters: entries
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        }
    }
}

/// HMAC-SHA-256 with the secret's characters as the key, in padded lower-case hex.
#[must_use]
pub fn hmac_hex(secret: &str, message: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    padded_hex(hmac::sign(&key, message).as_ref())
}

/// The vendor's `hash-file`: SHA-256 in hex where a byte below 0x10 has one digit only.
#[must_use]
pub fn hash_file(digest: &digest::Digest) -> String {
    digest.as_ref().iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _written = write!(hex, "{byte:x}");
        hex
    })
}

fn padded_hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
            let _written = write!(hex, "{byte:02x}");
            hex
        })
}

fn one_line_json(entries: &[(&str, &str)]) -> String {
    let mut text = String::from("{");
    for (index, (name, value)) in entries.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&gson_string(&format!("XroadVnpt-{name}")));
        text.push(':');
        text.push_str(&gson_string(value));
    }
    text.push('}');
    text
}

/// One JSON string with quotes, escaped as Gson's `JsonElement.toString` does: no HTML escapes, letters as they are.
pub(super) fn gson_string(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for letter in text.chars() {
        match letter {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\t' => json.push_str("\\t"),
            '\u{8}' => json.push_str("\\b"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\u{c}' => json.push_str("\\f"),
            '\u{0}'..='\u{1f}' | '\u{2028}' | '\u{2029}' => {
                let _written = write!(json, "\\u{:04x}", u32::from(letter));
            }
            plain => json.push(plain),
        }
    }
    json.push('"');
    json
}

/// A JSON array of strings without blanks, the way `to` travels in sendEdoc.
pub(super) fn gson_array(texts: &[&str]) -> String {
    let items: Vec<String> = texts.iter().map(|text| gson_string(text)).collect();
    format!("[{}]", items.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timestamp_ends_in_four_digits_of_milliseconds() {
        let moment = jiff::civil::date(2026, 11, 23).at(16, 40, 20, 389_000_000);
        assert_eq!(Timestamp::of(moment).as_str(), "23112026T164020+0389");
    }

    #[test]
    fn only_quotes_backslashes_controls_and_line_separators_are_escaped() {
        let text = "\"\\\t\u{8}\n\r\u{c}\u{1}\u{7f}/<>&='é\u{2028}\u{2029}";
        assert_eq!(
            gson_string(text),
            "\"\\\"\\\\\\t\\b\\n\\r\\f\\u0001\u{7f}/<>&='é\\u2028\\u2029\""
        );
    }
}

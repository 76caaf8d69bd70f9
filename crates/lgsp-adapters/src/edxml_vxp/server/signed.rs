//! The signed one-line JSON of a request: who calls, and every parameter the call has.
//!
//! Source: vxp-wire.md 3: single headers are never looked at, the HMAC covers the raw bytes.

use std::fmt;

use aws_lc_rs::hmac;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use lgsp_types::{Digest, Refusal, SystemId};
use serde::Deserializer;
use serde::de::{Error, MapAccess, Visitor};

use super::reason::{PARAMETER_MISSING, SIGNATURE_INVALID, SIGNATURE_MISSING};

/// Before every name in the signed JSON.
const PREFIX: &str = "XroadVnpt-";
const SIGN_HEADER: &str = "sign-header";
const HASH_HEADER: &str = "hash-header";
/// Most members of the signed JSON.
const MEMBERS_MAX: usize = 64;

/// What a caller claims to have signed; who it is and whether it did is not known yet.
#[derive(Debug)]
pub(super) struct Claimed {
    text: HeaderValue,
    mac: Vec<u8>,
    members: Members,
}

impl Claimed {
    /// # Errors
    /// The refusal: nobody can have signed this.
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, Refusal> {
        let text = only(headers, SIGN_HEADER)?;
        let mac = only(headers, HASH_HEADER)?;
        let members = Members::read(text.as_bytes()).map_err(|what| {
            Refusal::new(
                SIGNATURE_INVALID,
                path(SIGN_HEADER),
                what,
                "sign one JSON object of texts, each name once",
            )
        })?;
        Ok(Self {
            text: text.clone(),
            // Another spelling of the digits is no signature; an empty one verifies under no key.
            mac: hex(mac.as_bytes()).unwrap_or_default(),
            members,
        })
    }

    /// The system that the signed text names; none if that cannot be the name of one.
    pub(super) fn system(&self) -> Option<SystemId> {
        self.members.get("systemid").and_then(|name| SystemId::parse(name).ok())
    }

    /// What was signed, if one of these keys signed it; both are tried in any case, in constant time each.
    pub(super) fn proven(self, keys: [&hmac::Key; 2]) -> Option<Signed> {
        let [current, next] = keys.map(|key| hmac::verify(key, self.text.as_bytes(), &self.mac).is_ok());
        (current | next).then(|| Signed {
            text: Bytes::copy_from_slice(self.text.as_bytes()),
            mac: Bytes::from(self.mac),
            members: self.members,
        })
    }
}

/// What a known system signed.
#[derive(Clone, Debug)]
pub(super) struct Signed {
    /// The very bytes under the HMAC.
    pub(super) text: Bytes,
    /// The HMAC itself, 32 bytes.
    pub(super) mac: Bytes,
    members: Members,
}

impl Signed {
    /// A parameter of the call; the spelling counts. An operation asks only for its own: earlier calls leak theirs.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.members.get(name)
    }

    /// # Errors
    /// The refusal that names the parameter.
    pub(super) fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).filter(|value| !value.is_empty()).ok_or_else(|| {
            Refusal::new(
                PARAMETER_MISSING,
                path(name),
                "the parameter is missing",
                "sign it with the call",
            )
        })
    }

    /// SHA-256 of the signed bytes: what was sent, where there is no body or it was not looked at.
    pub(super) fn digest(&self) -> Digest {
        Digest::of(&self.text)
    }
}

/// Where a parameter stands in the signed JSON, for refusals.
pub(super) fn path(name: &str) -> String {
    format!("/{PREFIX}{name}")
}

/// The one value of `XroadVnpt-<name>`.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a HeaderValue, Refusal> {
    let mut values = headers.get_all(format!("{PREFIX}{name}").to_ascii_lowercase()).iter();
    let refusal = |code, what| Refusal::new(code, path(name), what, "sign the call with the secret of the system");
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value),
        (None, _) => Err(refusal(SIGNATURE_MISSING, "the header is missing")),
        (Some(_), Some(_)) => Err(refusal(SIGNATURE_INVALID, "the header is there twice")),
    }
}

/// 64 hexadecimal digits.
fn hex(text: &[u8]) -> Option<Vec<u8>> {
    let digits = std::str::from_utf8(text)
        .ok()
        .filter(|digits| digits.len() == 64 && digits.is_ascii())?;
    let pair = |at| {
        digits
            .get(at..at + 2)
            .filter(|pair| pair.bytes().all(|digit| digit.is_ascii_hexdigit()))
    };
    (0..64)
        .step_by(2)
        .map(|at| u8::from_str_radix(pair(at)?, 16).ok())
        .collect()
}

/// Name without prefix, and value, in the order they were signed.
#[derive(Clone, PartialEq, Eq)]
struct Members(Vec<(String, String)>);

impl Members {
    /// Reads one flat object of texts, each name once. The error says what it is not.
    fn read(text: &[u8]) -> Result<Self, &'static str> {
        let mut reader = serde_json::Deserializer::from_slice(text);
        let members = reader
            .deserialize_map(Flat)
            .map_err(|_| "is no JSON object of texts with each name once")?;
        reader.end().map_err(|_| "goes on behind its JSON object")?;
        Ok(members)
    }

    fn get(&self, name: &str) -> Option<&str> {
        let member = self.0.iter().find(|(known, _)| known == name)?;
        Some(member.1.as_str())
    }
}

/// Names only: values are the caller's.
impl fmt::Debug for Members {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

struct Flat;

impl<'de> Visitor<'de> for Flat {
    type Value = Members;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Members(Vec::new());
        while let Some((name, value)) = map.next_entry::<String, String>()? {
            let name = name
                .strip_prefix(PREFIX)
                .ok_or_else(|| A::Error::custom("a name without the prefix"))?;
            if members.get(name).is_some() || members.0.len() >= MEMBERS_MAX {
                return Err(A::Error::custom("a name twice, or too many"));
            }
            members.0.push((name.to_owned(), value));
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Members, &'static str> {
        Members::read(text.as_bytes())
    }

    #[test]
    fn both_spellings_of_the_document_id_are_kept_apart() {
        let members = read(r#"{"XroadVnpt-docId":"a","XroadVnpt-docid":"b"}"#).unwrap();
        assert_eq!(
            (members.get("docId"), members.get("docid"), members.get("DOCID")),
            (Some("a"), Some("b"), None)
        );
    }

    #[test]
    fn only_a_flat_object_of_texts_with_each_name_once_is_read() {
        let deep = format!("{{\"XroadVnpt-a\":{}", "[".repeat(200_000));
        let many: Vec<String> = (0..=MEMBERS_MAX).map(|at| format!("\"XroadVnpt-{at}\":\"\"")).collect();
        let many = format!("{{{}}}", many.join(","));
        for bad in [
            "",
            "[]",
            "null",
            "\"x\"",
            r#"{"XroadVnpt-a":1}"#,
            r#"{"XroadVnpt-a":null}"#,
            r#"{"XroadVnpt-a":["b"]}"#,
            r#"{"XroadVnpt-a":{"b":"c"}}"#,
            r#"{"XroadVnpt-a":"1","XroadVnpt-a":"2"}"#,
            r#"{"XroadVnpt-a":"1","XroadVnpt-\u0061":"2"}"#,
            r#"{"a":"1"}"#,
            r#"{"XroadVnpt-a":"1",}"#,
            r#"{"XroadVnpt-a":"1"} {}"#,
            r#"{"XroadVnpt-a":"\ud800"}"#,
            r#"{'XroadVnpt-a':'1'}"#,
            r#"{"XroadVnpt-a":"1""#,
            &deep,
            &many,
        ] {
            assert!(read(bad).is_err(), "{}", bad.get(..60).unwrap_or(bad));
        }
        assert!(Members::read(b"{\"XroadVnpt-a\":\"\xff\"}").is_err());
        assert_eq!(read("{}").unwrap().get("a"), None);
    }

    #[test]
    fn a_mac_is_64_digits() {
        assert_eq!(hex("0aF".repeat(21).as_bytes()), None);
        assert_eq!(hex("+f".repeat(32).as_bytes()), None);
        assert_eq!(hex("ff".repeat(32).as_bytes()), Some(vec![255; 32]));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            prop_assert!(Members::read(&bytes).is_err() || bytes.contains(&0x7b));
            prop_assert!(hex(&bytes).is_none() || bytes.len() == 64);
        }

        #[test]
        fn any_text_comes_through(name in "[a-z-]{1,9}", value in ".{0,30}") {
            let text = serde_json::json!({ format!("XroadVnpt-{name}"): value }).to_string();
            let members = read(&text).unwrap();
            prop_assert_eq!(members.get(&name), Some(value.as_str()));
        }
    }
}

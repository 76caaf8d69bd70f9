//! One schema within a schema file, and what it hands the value, or parts of it, on to.

use serde_json::Value;

/// Indices are those of the list of all places; the root is the first.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// JSON pointer from the root, empty for the root itself.
    pub(super) pointer: String,
    /// Asked of the same value: `$ref`, `allOf`, `if` and their like.
    pub(super) in_place: Vec<usize>,
    /// Each asked of one named part: `properties`, `prefixItems`.
    pub(super) named: Vec<usize>,
    /// Asked of parts that others are asked of as well: `patternProperties`.
    pub(super) over: Vec<usize>,
    /// Asked of the parts that nothing else here is asked of: `additionalProperties`, `items`.
    pub(super) other: Vec<usize>,
    /// Asked of every item, beside all others: `contains`.
    pub(super) beside: Vec<usize>,
    /// Has to know what its neighbours took, and so asks them twice: `unevaluatedProperties`, `unevaluatedItems`.
    pub(super) asks_twice: bool,
}

/// What `$ref` points to within this schema; none if it leads out of it or nowhere.
pub(crate) fn target<'a>(root: &'a Value, reference: &str) -> Option<&'a Value> {
    root.pointer(&pointer(reference)?)
}

/// The JSON pointer of a reference. Source: RFC 6901, section 6: it is percent-encoded in a fragment.
pub(super) fn pointer(reference: &str) -> Option<String> {
    let fragment = reference.strip_prefix('#')?;
    if !fragment.is_empty() && !fragment.starts_with('/') {
        return None;
    }
    let mut bytes = Vec::with_capacity(fragment.len());
    let mut rest = fragment.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            let digits = std::str::from_utf8(&digits).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

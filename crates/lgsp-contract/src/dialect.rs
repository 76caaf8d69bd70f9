//! The dialect of contracts: which part of JSON Schema draft 2020-12 a schema may use, and what it may cost.
//!
//! References stay within the file, patterns are linear, every format named is checked, and a keyword that nobody checks is
//! refused, so that nobody believes it is. `$anchor`, `$dynamicRef`, `$vocabulary`, `content…` and an `$id` below the root
//! are not taken; names that begin with `x-` are for people. Source: json-schema.org, draft 2020-12; reliability.md 8.4.

mod cost;
mod place;
mod walk;

use jsonschema::{Draft, PatternOptions, ValidationOptions, Validator};
use lgsp_types::{AgencyCode, DocumentDate};
use serde_json::{Value, json};

use crate::catalogue::{Broken, SCHEMA_TOO_LARGE, SCHEMA_VALUE};
use crate::json;
pub(crate) use place::target;
pub(crate) use walk::{Holds, holds, is_note};

/// Largest schema, in bytes.
pub const SCHEMA_BYTES_MAX: usize = 256 * 1024;
/// Schemas within a schema.
const PLACES_MAX: usize = 2_000;
/// Values of one `enum`.
const VALUES_MAX: usize = 5_000;
/// Longest pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 1_000;
/// Size of one compiled pattern, in bytes: what `a{1000}{1000}` would need is far above.
const PATTERN_COMPILED_MAX: usize = 256 * 1024;
/// Times one value may be looked at; a contract of ordinary make needs fewer than 20.
const VISITS_MAX: u32 = 256;

/// The formats that are checked: those of draft 2020-12 that have one meaning, and two of ours.
pub(crate) const FORMATS: [&str; 15] = [
    "date",
    "date-time",
    "duration",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "json-pointer",
    "time",
    "uri",
    "uri-reference",
    "uuid",
    "regex",
    "agency-code",
    "document-date",
];

/// Is this schema file within the dialect? For a schema that stands alone.
///
/// # Errors
/// All that is wrong, with its place in the schema.
pub fn check_schema(file: &[u8]) -> Result<(), Vec<Broken>> {
    compile(file).map(drop)
}

/// Reads a schema file and compiles it.
///
/// # Errors
/// All that is wrong, with its place in the schema.
pub(crate) fn compile(file: &[u8]) -> Result<(Value, Validator), Vec<Broken>> {
    if file.len() > SCHEMA_BYTES_MAX {
        return Err(vec![SCHEMA_TOO_LARGE.at("/", &[&SCHEMA_BYTES_MAX, &"byte"])]);
    }
    let schema = json::read(file)?;
    let places = walk::walk(&schema)?;
    cost::bounded(&places)?;
    match options().build(&schema) {
        Ok(validator) => Ok((schema, validator)),
        Err(error) => Err(vec![SCHEMA_VALUE.at(error.instance_path().as_str(), &[])]),
    }
}

pub(crate) fn options() -> ValidationOptions<'static> {
    let patterns = PatternOptions::regex()
        .size_limit(PATTERN_COMPILED_MAX)
        .dfa_size_limit(PATTERN_COMPILED_MAX);
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .should_validate_formats(true)
        .should_ignore_unknown_formats(false)
        .with_pattern_options(patterns)
        .with_format("agency-code", |text: &str| AgencyCode::parse(text).is_ok())
        .with_format("document-date", |text: &str| DocumentDate::parse_iso(text).is_ok())
}

fn is_sound_pattern(pattern: &str) -> bool {
    pattern.len() <= PATTERN_BYTES_MAX && options().build(&json!({ "pattern": pattern })).is_ok()
}

#[cfg(test)]
mod tests;

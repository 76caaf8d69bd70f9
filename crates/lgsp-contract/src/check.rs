//! A payload held against a compiled schema: every broken rule, in the words of the catalogue.

use std::fmt::Display;

use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use crate::catalogue::{
    Broken, CHOICE_NONE, CHOICE_SEVERAL, Entry, FIELD_FORM, FIELD_FORMAT, FIELD_MISSING, FIELD_NAME, FIELD_NOT_ALLOWED,
    FIELD_NOT_FITTING, FIELD_NOT_IN_LIST, FIELD_TOO_LONG, FIELD_TOO_SHORT, FIELD_TYPE, FIELD_UNKNOWN, LIST_CONTENT,
    LIST_REPEATS, LIST_TOO_LONG, LIST_TOO_SHORT, NUMBER_NOT_ABOVE, NUMBER_NOT_BELOW, NUMBER_NOT_MULTIPLE,
    NUMBER_TOO_LARGE, NUMBER_TOO_SMALL, OBJECT_TOO_LARGE, OBJECT_TOO_SMALL, Said, TOO_MANY_FINDINGS, escaped,
};

/// Broken rules told at once; whoever has more sees the others when these are mended.
pub const FINDINGS_MAX: usize = 100;
/// Longest list of allowed values told, in characters.
const LIST_CHARS_MAX: usize = 200;

/// Every rule of the schema that the value breaks, by place; none if it fits.
pub(crate) fn broken(validator: &Validator, schema: &Value, value: &Value) -> Vec<Broken> {
    // The usual case costs a third of looking for errors.
    if validator.is_valid(value) {
        return Vec::new();
    }
    let mut all = Vec::new();
    for error in validator.iter_errors(value) {
        tell(schema, value, &error, &mut all);
        if all.len() > FINDINGS_MAX {
            break;
        }
    }
    conclude(all)
}

/// By place, each once, and not more than a person mends at once.
pub(crate) fn conclude(mut all: Vec<Broken>) -> Vec<Broken> {
    all.sort_by(|one, other| (&one.path, &one.code).cmp(&(&other.path, &other.code)));
    all.dedup_by(|one, other| one.path == other.path && one.code == other.code && one.en == other.en);
    if all.len() > FINDINGS_MAX {
        all.truncate(FINDINGS_MAX);
        all.push(TOO_MANY_FINDINGS.at("/", &[&FINDINGS_MAX]));
    }
    all
}

fn tell(schema: &Value, payload: &Value, error: &ValidationError<'_>, all: &mut Vec<Broken>) {
    let path = error.instance_path().as_str();
    let mut say = |entry: &Entry, path: String, arguments: &[&dyn Display]| all.push(entry.at(path, arguments));
    let at = || path.to_owned();
    let within = |name: &str| format!("{path}/{}", escaped(name));
    match error.kind() {
        Kind::Required { property } => say(&FIELD_MISSING, within(property.as_str().unwrap_or_default()), &[]),
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            for name in unexpected {
                say(&FIELD_UNKNOWN, within(name), &[]);
            }
        }
        Kind::Type { kind } => say(&FIELD_TYPE, at(), &[&types(kind)]),
        Kind::Format { format } => say(&FIELD_FORMAT, at(), &[&with_example(format)]),
        Kind::Pattern { pattern } => all.push(of_form(schema, error, pattern)),
        Kind::MaxLength { limit } => say(&FIELD_TOO_LONG, at(), &[limit]),
        Kind::MinLength { limit } => say(&FIELD_TOO_SHORT, at(), &[limit]),
        Kind::Enum { options } => say(&FIELD_NOT_IN_LIST, at(), &[&listed(options)]),
        Kind::Constant { expected_value } => say(&FIELD_NOT_IN_LIST, at(), &[&listed(expected_value)]),
        Kind::Minimum { limit } => say(&NUMBER_TOO_SMALL, at(), &[limit]),
        Kind::Maximum { limit } => say(&NUMBER_TOO_LARGE, at(), &[limit]),
        Kind::ExclusiveMinimum { limit } => say(&NUMBER_NOT_ABOVE, at(), &[limit]),
        Kind::ExclusiveMaximum { limit } => say(&NUMBER_NOT_BELOW, at(), &[limit]),
        Kind::MultipleOf { multiple_of } => say(&NUMBER_NOT_MULTIPLE, at(), &[multiple_of]),
        Kind::MaxItems { limit } => say(&LIST_TOO_LONG, at(), &[limit]),
        Kind::AdditionalItems { limit } => say(&LIST_TOO_LONG, at(), &[limit]),
        Kind::MinItems { limit } => say(&LIST_TOO_SHORT, at(), &[limit]),
        Kind::UniqueItems => say(&LIST_REPEATS, at(), &[]),
        Kind::Contains => say(&LIST_CONTENT, at(), &[]),
        Kind::MaxProperties { limit } => say(&OBJECT_TOO_LARGE, at(), &[limit]),
        Kind::MinProperties { limit } => say(&OBJECT_TOO_SMALL, at(), &[limit]),
        Kind::PropertyNames { error: inner } => {
            let name = inner.instance().as_str().unwrap_or_default();
            say(&FIELD_NAME, within(name), &[]);
        }
        Kind::FalseSchema if error.schema_path().as_str().ends_with("/additionalProperties") => {
            // Where no field at all is known, only the object is named.
            let fields = payload.pointer(path).and_then(Value::as_object);
            for (name, _) in fields.into_iter().flatten() {
                say(&FIELD_UNKNOWN, within(name), &[]);
            }
        }
        Kind::FalseSchema | Kind::UnevaluatedItems { .. } => say(&FIELD_NOT_ALLOWED, at(), &[]),
        Kind::Not { .. } => say(&FIELD_NOT_FITTING, at(), &[]),
        Kind::OneOfMultipleValid { .. } => say(&CHOICE_SEVERAL, at(), &[]),
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
            say(&CHOICE_NONE, at(), &[&context.len()]);
            nearest(schema, payload, path, context, all);
        }
        // None of these is in the dialect; should one come nevertheless, it is refused.
        Kind::BacktrackLimitExceeded { .. }
        | Kind::RegexEngineFailure { .. }
        | Kind::ContentEncoding { .. }
        | Kind::ContentMediaType { .. }
        | Kind::Custom { .. }
        | Kind::FromUtf8 { .. }
        | Kind::Referencing(_) => say(&FIELD_NOT_FITTING, at(), &[]),
    }
}

/// Of choices of which none fits, the one that fits best is told in full: most likely it was meant. One of another type
/// was not.
fn nearest(
    schema: &Value,
    payload: &Value,
    path: &str,
    choices: &[Vec<ValidationError<'static>>],
    all: &mut Vec<Broken>,
) {
    let choices = choices.iter().map(|errors| {
        let is_of_type = |error: &ValidationError<'_>| matches!(error.kind(), Kind::Type { .. });
        let other_type = errors
            .iter()
            .any(|error| is_of_type(error) && error.instance_path().as_str() == path);
        let mut told = Vec::new();
        for error in errors {
            tell(schema, payload, error, &mut told);
        }
        (other_type, told)
    });
    if let Some((_, best)) = choices.min_by_key(|(other_type, told)| (*other_type, told.len())) {
        all.extend(best);
    }
}

/// A pattern in words, where the schema has them beside it: `"x-form": {"vi": "…", "en": "…"}`.
fn of_form(schema: &Value, error: &ValidationError<'_>, pattern: &str) -> Broken {
    let mut broken = FIELD_FORM.at(error.instance_path().as_str(), &[&pattern]);
    let keyword = error.schema_path().as_str();
    let form = keyword
        .rsplit_once('/')
        .and_then(|(place, _)| schema.pointer(place)?.get("x-form"));
    let reword = |said: &mut Said, language: &str| {
        if let Some(words) = form.and_then(|form| form.get(language)).and_then(Value::as_str) {
            said.what = said.what.replace(pattern, words);
        }
    };
    reword(&mut broken.vi, "vi");
    reword(&mut broken.en, "en");
    broken
}

fn types(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(one) => one.to_string(),
        TypeKind::Multiple(several) => {
            let names: Vec<_> = several.iter().map(|one| one.to_string()).collect();
            names.join("/")
        }
    }
}

fn listed(values: &Value) -> String {
    let text = match values {
        Value::Array(values) => values.iter().map(Value::to_string).collect::<Vec<_>>().join(", "),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => values.to_string(),
    };
    match text.char_indices().nth(LIST_CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// A format with what it looks like.
fn with_example(format: &str) -> String {
    let example = match format {
        "date" | "document-date" => "2025-12-31",
        "date-time" => "2025-12-31T08:00:00+07:00",
        "time" => "08:00:00+07:00",
        "duration" => "P30D",
        "email" => "vanthu@example.gov.vn",
        "uuid" => "01890a5d-ac96-774b-bcce-b302099a8057",
        "uri" => "https://example.gov.vn/",
        "agency-code" => "H62.11, 000.00.11.H62",
        _ => return format.to_owned(),
    };
    format!("{format} ({example})")
}

#[cfg(test)]
mod tests;

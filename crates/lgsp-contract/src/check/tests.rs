use std::time::Instant;

use super::*;
use crate::{dialect, json};

/// Holds a value against keywords; what is told of it, each as `CODE /path what`.
fn told(keywords: &str, value: &str) -> Vec<String> {
    let file = format!(r#"{{"$schema":"https://json-schema.org/draft/2020-12/schema",{keywords}}}"#);
    let (schema, validator) = dialect::compile(file.as_bytes()).unwrap();
    let broken = broken(&validator, &schema, &json::read(value.as_bytes()).unwrap());
    broken
        .iter()
        .map(|broken| format!("{} {} {}", broken.code, broken.path, broken.en.what))
        .collect()
}

#[test]
fn every_keyword_tells_its_code_its_place_and_its_limit() {
    for (keywords, value, expected) in [
        (r#""required":["a/b"]"#, "{}", "FIELD_MISSING /a~1b is missing or empty"),
        (
            r#""dependentRequired":{"a":["b"]}"#,
            r#"{"a":1}"#,
            "FIELD_MISSING /b is missing or empty",
        ),
        (
            r#""properties":{"a":true},"additionalProperties":false"#,
            r#"{"b":1}"#,
            "FIELD_UNKNOWN /b is not known to the contract",
        ),
        (
            r#""additionalProperties":false"#,
            r#"{"b":1}"#,
            "FIELD_UNKNOWN /b is not known to the contract",
        ),
        (
            r#""unevaluatedProperties":false"#,
            r#"{"b":1}"#,
            "FIELD_UNKNOWN /b is not known to the contract",
        ),
        (
            r#""properties":{"a":false}"#,
            r#"{"a":1}"#,
            "FIELD_NOT_ALLOWED /a may not stand here",
        ),
        (
            r#""prefixItems":[true],"items":false"#,
            "[1,2]",
            "FIELD_NOT_ALLOWED /1 may not stand here",
        ),
        (
            r#""prefixItems":[true],"unevaluatedItems":false"#,
            "[1,2]",
            "FIELD_NOT_ALLOWED / may not stand here",
        ),
        (
            r#""propertyNames":{"maxLength":1}"#,
            r#"{"ab":1}"#,
            "FIELD_NAME /ab has a name that the contract does not allow",
        ),
    ] {
        assert_eq!(told(keywords, value), [expected], "{keywords} {value}");
    }
}

#[test]
fn a_wrong_type_format_or_form_is_told_with_what_is_wanted() {
    for (keywords, value, expected) in [
        (r#""type":"integer""#, "1.5", "FIELD_TYPE / is not of the type integer"),
        (
            r#""type":["string","null"]"#,
            "1",
            "FIELD_TYPE / is not of the type null/string",
        ),
        (
            r#""format":"date""#,
            r#""2027-02-30""#,
            "FIELD_FORMAT / is not of the format date (2025-12-31)",
        ),
        (
            r#""format":"agency-code""#,
            r#""h62""#,
            "FIELD_FORMAT / is not of the format agency-code (H62.11, 000.00.11.H62)",
        ),
        (r#""pattern":"^a$""#, r#""b""#, "FIELD_FORM / is not of the form ^a$"),
        (
            r#""pattern":"^a$","x-form":{"en":"the letter a"}"#,
            r#""b""#,
            "FIELD_FORM / is not of the form the letter a",
        ),
        (
            r#""maxLength":2"#,
            r#""ậậậ""#,
            "FIELD_TOO_LONG / is longer than 2 characters",
        ),
        (
            r#""minLength":2"#,
            r#""ậ""#,
            "FIELD_TOO_SHORT / is shorter than 2 characters",
        ),
        (
            r#""enum":["01","02"]"#,
            r#""03""#,
            "FIELD_NOT_IN_LIST / is none of \"01\", \"02\"",
        ),
        (r#""const":1"#, "2", "FIELD_NOT_IN_LIST / is none of 1"),
    ] {
        assert_eq!(told(keywords, value), [expected], "{keywords} {value}");
    }
}

#[test]
fn every_bound_tells_its_code_its_place_and_its_limit() {
    for (keywords, value, expected) in [
        (r#""minimum":1"#, "0", "NUMBER_TOO_SMALL / is less than 1"),
        (r#""maximum":1"#, "2", "NUMBER_TOO_LARGE / is more than 1"),
        (r#""exclusiveMinimum":1"#, "1", "NUMBER_NOT_ABOVE / is not more than 1"),
        (r#""exclusiveMaximum":1"#, "1", "NUMBER_NOT_BELOW / is not less than 1"),
        (
            r#""multipleOf":0.01"#,
            "0.001",
            "NUMBER_NOT_MULTIPLE / is no multiple of 0.01",
        ),
        (r#""maxItems":1"#, "[1,2]", "LIST_TOO_LONG / has more than 1 items"),
        (r#""minItems":1"#, "[]", "LIST_TOO_SHORT / has fewer than 1 items"),
        (r#""uniqueItems":true"#, "[1,1.0]", "LIST_REPEATS / has an item twice"),
        (
            r#""contains":{"type":"string"},"minContains":2"#,
            r#"["a"]"#,
            "LIST_CONTENT / has too few or too many items of the kind that the contract counts",
        ),
        (
            r#""contains":{"type":"string"},"maxContains":1"#,
            r#"["a","b"]"#,
            "LIST_CONTENT / has too few or too many items of the kind that the contract counts",
        ),
        (
            r#""maxProperties":0"#,
            r#"{"a":1}"#,
            "OBJECT_TOO_LARGE / has more than 0 fields",
        ),
        (
            r#""minProperties":1"#,
            "{}",
            "OBJECT_TOO_SMALL / has fewer than 1 fields",
        ),
        (
            r#""not":{"type":"string"}"#,
            r#""a""#,
            "FIELD_NOT_FITTING / is what the contract excludes here",
        ),
        (
            r#""oneOf":[true,true]"#,
            "1",
            "CHOICE_SEVERAL / fits more than one choice of the contract",
        ),
    ] {
        assert_eq!(told(keywords, value), [expected], "{keywords} {value}");
    }
}

#[test]
fn of_choices_the_nearest_is_told() {
    let choices = r#""anyOf":[{"type":"string"},{"type":"object","required":["a"],"properties":{"a":{"maximum":1},"b":{"maximum":1}}}]"#;
    assert_eq!(
        told(choices, r#"{"a":1,"b":2}"#),
        [
            "CHOICE_NONE / fits none of the 2 choices of the contract",
            "NUMBER_TOO_LARGE /b is more than 1",
        ]
    );
    let nested = r#""properties":{"x":{"oneOf":[{"minLength":3,"pattern":"a"},{"minLength":4}]}}"#;
    assert_eq!(
        told(nested, r#"{"x":"b"}"#),
        [
            "CHOICE_NONE /x fits none of the 2 choices of the contract",
            "FIELD_TOO_SHORT /x is shorter than 4 characters",
        ]
    );
}

#[test]
fn all_is_told_at_once_by_place_and_each_once() {
    let twice =
        r#""allOf":[{"required":["a"]},{"required":["a","b"]}],"properties":{"c":{"type":"string","maxLength":1}}"#;
    assert_eq!(
        told(twice, r#"{"c":"xy"}"#),
        [
            "FIELD_MISSING /a is missing or empty",
            "FIELD_MISSING /b is missing or empty",
            "FIELD_TOO_LONG /c is longer than 1 characters",
        ]
    );
}

/// The most broken rules that a payload of the largest size can hold.
#[test]
fn a_payload_in_which_all_is_wrong_costs_bounded_time() {
    let begin = Instant::now();
    let value = format!("[{}]", vec!["0"; 130_000].join(","));
    let told = told(r#""items":{"type":"string","maxLength":3}"#, &value);
    assert_eq!(
        (told.len(), &told[0][..]),
        (101, "FIELD_TYPE /0 is not of the type string")
    );
    assert!(begin.elapsed().as_secs() < 20);
}

use std::time::Instant;

use super::*;
use crate::check;

const DRAFT: &str = r#""$schema":"https://json-schema.org/draft/2020-12/schema""#;

/// A schema of these keywords.
fn schema(keywords: &str) -> String {
    format!("{{{DRAFT},{keywords}}}")
}

fn told(file: &str) -> Vec<String> {
    match compile(file.as_bytes()) {
        Ok(_) => Vec::new(),
        Err(broken) => broken
            .iter()
            .map(|broken| format!("{} {}", broken.code, broken.path))
            .collect(),
    }
}

#[test]
fn a_schema_stays_within_its_file_and_within_the_dialect() {
    for (keywords, expected) in [
        (r#""type":"object""#, vec![]),
        (
            r##""$ref":"#/$defs/a%25b","$defs":{"a%b":{"x-form":{"vi":"một"}}}"##,
            vec![],
        ),
        (
            r#""$ref":"http://example.com/schema.json""#,
            vec!["SCHEMA_REFERENCE /$ref"],
        ),
        (r#""$ref":"file:///etc/passwd""#, vec!["SCHEMA_REFERENCE /$ref"]),
        (r#""$ref":"other.json#/x""#, vec!["SCHEMA_REFERENCE /$ref"]),
        (r##""$ref":"#anchor""##, vec!["SCHEMA_REFERENCE /$ref"]),
        (r##""$ref":"#/$defs/none""##, vec!["SCHEMA_REFERENCE /$ref"]),
        (r##""$ref":"#/enum/0","enum":[{}]"##, vec!["SCHEMA_REFERENCE /$ref"]),
        (
            r#""$dynamicRef":"https://example.com/x""#,
            vec!["SCHEMA_KEYWORD /$dynamicRef"],
        ),
        (
            r#""properties":{"a":{"$id":"https://example.com/a"}}"#,
            vec!["SCHEMA_KEYWORD /properties/a/$id"],
        ),
        (
            r#""properties":{"a":{"requried":["b"]}},"maxlength":3"#,
            vec!["SCHEMA_KEYWORD /maxlength", "SCHEMA_KEYWORD /properties/a/requried"],
        ),
        (r#""type":"objekt""#, vec!["SCHEMA_VALUE /type"]),
        (r#""properties":[]"#, vec!["SCHEMA_VALUE /properties"]),
        (r#""minLength":-1"#, vec!["SCHEMA_VALUE /minLength"]),
        (r#""items":3"#, vec!["SCHEMA_VALUE /items"]),
        (r#""format":"fancy""#, vec!["SCHEMA_FORMAT /format"]),
        (r#""maximum":1e400"#, vec!["JSON_NUMBER_INEXACT /maximum"]),
        (r#""type":"string","type":"object""#, vec!["JSON_DUPLICATE_KEY /type"]),
    ] {
        assert_eq!(told(&schema(keywords)), expected, "{keywords}");
    }
    assert_eq!(told("{}"), ["SCHEMA_DRAFT /$schema"]);
    assert_eq!(told("true"), ["SCHEMA_DRAFT /$schema"]);
    assert_eq!(told("["), ["JSON_MALFORMED /0"]);
    let draft_7 = r#"{"$schema":"http://json-schema.org/draft-07/schema#"}"#;
    assert_eq!(told(draft_7), ["SCHEMA_DRAFT /$schema"]);
}

#[test]
fn a_pattern_is_linear_and_small() {
    for (pattern, expected) in [
        (r"^[A-Z]\\d{2}$", vec![]),
        (r"^(a+)+$", vec![]),
        (r"(?=a)b", vec!["SCHEMA_PATTERN /pattern"]),
        (r"(?<!a)b", vec!["SCHEMA_PATTERN /pattern"]),
        (r"(a)\\1", vec!["SCHEMA_PATTERN /pattern"]),
        (r"((a{1000}){1000}){1000}", vec!["SCHEMA_PATTERN /pattern"]),
        (r"(", vec!["SCHEMA_PATTERN /pattern"]),
        (&"a".repeat(1001), vec!["SCHEMA_PATTERN /pattern"]),
        (&"a".repeat(1000), vec![]),
    ] {
        assert_eq!(
            told(&schema(&format!(r#""pattern":"{pattern}""#))),
            expected,
            "{pattern}"
        );
    }
    let names = schema(r#""patternProperties":{"(?!a)":true}"#);
    assert_eq!(told(&names), ["SCHEMA_PATTERN /patternProperties/(?!a)"]);
    // What backtracks elsewhere does not here.
    let (schema, validator) = compile(schema(r#""pattern":"^(a+)+$""#).as_bytes()).unwrap();
    let begin = Instant::now();
    let text = Value::String(format!("{}!", "a".repeat(100_000)));
    assert_eq!(check::broken(&validator, &schema, &text).len(), 1);
    assert!(begin.elapsed().as_secs() < 5);
}

#[test]
fn a_schema_that_loops_or_doubles_is_refused_before_it_is_used() {
    let twice = |keyword: &str| {
        let steps = (0..40).map(|n| {
            let next = format!(r##"{{"$ref":"#/$defs/a{}"}}"##, n + 1);
            format!(r#""a{n}":{{"{keyword}":[{next},{next}]}}"#)
        });
        let steps: Vec<_> = steps.collect();
        schema(&format!(
            r##""$ref":"#/$defs/a0","$defs":{{{},"a40":true}}"##,
            steps.join(",")
        ))
    };
    let first = |file: &str| {
        told(file)
            .first()
            .map(|told| told.split(' ').next().unwrap().to_owned())
    };
    for (file, expected) in [
        (schema(r##""$ref":"#""##), Some("SCHEMA_LOOP")),
        (schema(r##""allOf":[{"not":{"$ref":"#"}}]"##), Some("SCHEMA_LOOP")),
        (schema(r##""properties":{"a":{"$ref":"#"}}"##), None),
        // A tree, as everybody writes it.
        (
            schema(
                r##""oneOf":[{"type":"string"},{"type":"object","properties":{"l":{"$ref":"#"},"r":{"$ref":"#"}},"additionalProperties":{"$ref":"#"}}]"##,
            ),
            None,
        ),
        (
            schema(r##""items":{"$ref":"#"},"properties":{"a":{"items":{"$ref":"#"}}}"##),
            None,
        ),
        (twice("allOf"), Some("SCHEMA_TOO_COSTLY")),
        (twice("anyOf"), Some("SCHEMA_TOO_COSTLY")),
        // Two that lie over each other and lead back: 2^64 at 64 levels.
        (
            schema(r##""properties":{"x":{"$ref":"#"}},"patternProperties":{"x":{"$ref":"#"}}"##),
            Some("SCHEMA_TOO_COSTLY"),
        ),
        (
            schema(r##""allOf":[{"properties":{"x":{"$ref":"#"}}},{"properties":{"x":{"$ref":"#"}}}]"##),
            Some("SCHEMA_TOO_COSTLY"),
        ),
        (
            schema(r##""items":{"$ref":"#"},"contains":{"$ref":"#"}"##),
            Some("SCHEMA_TOO_COSTLY"),
        ),
        // What was taken is asked for again at each level.
        (
            schema(r##""anyOf":[{"properties":{"x":{"$ref":"#"}}}],"unevaluatedProperties":false"##),
            Some("SCHEMA_TOO_COSTLY"),
        ),
    ] {
        assert_eq!(first(&file).as_deref(), expected, "{file}");
    }
}

#[test]
fn a_schema_is_of_bounded_size() {
    let deep = format!("{}true{}", r#"{"not":"#.repeat(500), "}".repeat(500));
    assert!(told(&schema(&format!(r#""not":{deep}"#)))[0].starts_with("JSON_TOO_DEEP"));
    let values = |count: usize| {
        schema(&format!(
            r#""enum":[{}]"#,
            (0..count).map(|n| n.to_string()).collect::<Vec<_>>().join(",")
        ))
    };
    assert!(told(&values(5_000)).is_empty());
    assert_eq!(told(&values(5_001)), ["SCHEMA_TOO_LARGE /enum"]);
    let blank = schema(r#""type":"object""#);
    let padded = |size: usize| format!("{blank}{}", " ".repeat(size - blank.len()));
    assert!(told(&padded(SCHEMA_BYTES_MAX)).is_empty());
    assert_eq!(told(&padded(SCHEMA_BYTES_MAX + 1)), ["SCHEMA_TOO_LARGE /"]);
    let many = |count: usize| schema(&format!(r#""allOf":[{}]"#, vec!["true"; count].join(",")));
    assert!(told(&many(200)).is_empty());
    assert_eq!(
        told(&many(2_000)).first().map(String::as_str),
        Some("SCHEMA_TOO_LARGE /")
    );
}

/// Compiling goes from reference to reference: neither the stack nor the time may grow beyond measure.
#[test]
fn a_long_way_of_references_compiles_in_bounded_stack_and_time() {
    let step = |n: usize| {
        format!(
            r##""a{n}":{{"properties":{{"x":{{"$ref":"#/$defs/a{next}"}},"y":{{"$ref":"#/$defs/a{next}"}}}}}}"##,
            next = n + 1
        )
    };
    let chain = |length: usize| {
        let steps: Vec<_> = (0..length).map(step).collect();
        schema(&format!(
            r##""$ref":"#/$defs/a0","$defs":{{{},"a{length}":true}}"##,
            steps.join(",")
        ))
    };
    let begin = Instant::now();
    let compiled = told(&chain(600));
    assert!(begin.elapsed().as_secs() < 20, "{compiled:?}");
}

#[test]
fn hostile_payloads_cost_little() {
    let unique = compile(schema(r#""uniqueItems":true"#).as_bytes()).unwrap();
    let objects: Vec<_> = (0..20_000).map(|n| format!(r#"{{"n":{n}}}"#)).collect();
    let begin = Instant::now();
    let value = json::read(format!("[{}]", objects.join(",")).as_bytes()).unwrap();
    assert!(check::broken(&unique.1, &unique.0, &value).is_empty());
    let closed = compile(schema(r#""additionalProperties":false"#).as_bytes()).unwrap();
    let fields: Vec<_> = (0..20_000).map(|n| format!(r#""f{n}":1"#)).collect();
    let value = json::read(format!("{{{}}}", fields.join(",")).as_bytes()).unwrap();
    let told = check::broken(&closed.1, &closed.0, &value);
    assert_eq!((told.len(), told[100].code.as_str()), (101, "TOO_MANY_FINDINGS"));
    assert!(begin.elapsed().as_secs() < 10);
}

#[test]
fn decimals_are_multiples_as_people_count() {
    let (schema, validator) = compile(schema(r#""multipleOf":0.01"#).as_bytes()).unwrap();
    for (text, fits) in [
        ("4.35", true),
        ("1.13", true),
        ("0.07", true),
        ("123456789012.34", true),
        ("0.075", false),
    ] {
        let value = json::read(text.as_bytes()).unwrap();
        assert_eq!(check::broken(&validator, &schema, &value).is_empty(), fits, "{text}");
    }
}

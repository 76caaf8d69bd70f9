//! The public test-suite of JSON Schema (draft 2020-12), through the contract check itself.
//!
//! `suite/draft2020-12.jsonl` holds all of its cases, one group a line; `suite/left-out.txt` names each that the dialect or
//! the strict reader refuses before it is a question of validity, with the code of the refusal. Source: JSON-Schema-Test-Suite
//! as it is in the source package of jsonschema 4.25.1 (Python); MIT, `suite/LICENSE`.

use std::fmt::Write;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{check, dialect, json};

#[derive(Deserialize)]
struct Group<'a> {
    file: String,
    description: String,
    #[serde(borrow)]
    schema: &'a RawValue,
    #[serde(borrow)]
    tests: Vec<Case<'a>>,
}

#[derive(Deserialize)]
struct Case<'a> {
    description: String,
    #[serde(borrow)]
    data: &'a RawValue,
    valid: bool,
}

/// Says that formats are not checked, where ours are; the cases that hold them are in optional/format/.
const CONTRADICTS: [&str; 1] = ["format.json"];

/// A schema that is `true` or `false` has no room for `$schema`.
fn whole(schema: &str) -> String {
    if schema.starts_with('{') {
        return schema.to_owned();
    }
    format!(r#"{{"$schema":"https://json-schema.org/draft/2020-12/schema","allOf":[{schema}]}}"#)
}

#[test]
fn the_public_test_suite_passes_but_for_what_the_dialect_leaves_out() {
    let suite = include_str!("../suite/draft2020-12.jsonl");
    let (mut passed, mut wrong, mut left_out) = (0, String::new(), String::new());
    for line in suite.lines() {
        let group: Group<'_> = serde_json::from_str(line).unwrap();
        let (file, about, count) = (&group.file, &group.description, group.tests.len());
        if CONTRADICTS.contains(&file.as_str()) {
            writeln!(left_out, "{file} | {about} | {count} cases | formats are checked here").unwrap();
            continue;
        }
        let (schema, validator) = match dialect::compile(whole(group.schema.get()).as_bytes()) {
            Ok(compiled) => compiled,
            Err(broken) => {
                let first = &broken[0];
                writeln!(
                    left_out,
                    "{file} | {about} | {count} cases | {} {}",
                    first.code, first.path
                )
                .unwrap();
                continue;
            }
        };
        for case in &group.tests {
            match json::read(case.data.get().as_bytes()) {
                Ok(value) => {
                    let fits = check::broken(&validator, &schema, &value).is_empty();
                    passed += usize::from(fits == case.valid);
                    if fits != case.valid {
                        writeln!(wrong, "{file} | {about} | {}: fits: {fits}", case.description).unwrap();
                    }
                }
                Err(broken) => {
                    let (case, code) = (&case.description, &broken[0].code);
                    writeln!(left_out, "{file} | {about} | {case} | {code}").unwrap();
                }
            }
        }
    }
    if std::env::var_os("LGSP_GOLDEN").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/suite/left-out.txt"), &left_out).unwrap();
    }
    assert_eq!(wrong, "", "{passed} passed");
    assert!(passed > 1_000, "only {passed} cases were held against it");
    assert_eq!(
        left_out,
        include_str!("../suite/left-out.txt"),
        "what is left out changed"
    );
}

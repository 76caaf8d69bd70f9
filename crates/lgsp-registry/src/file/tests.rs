//! Registry files as operators get them wrong.

use proptest::prelude::*;

use super::*;
use crate::sample::PROVINCE;

/// Line, path and code of each mistake.
fn mistakes(text: &str) -> Vec<(usize, String, String)> {
    let errors = RegistryFile::read("f.toml", text).unwrap_err();
    errors
        .into_iter()
        .map(|error| (error.line, error.path, error.code.to_string()))
        .collect()
}

fn expect(text: &str, expected: &[(usize, &str, &str)]) {
    let found = mistakes(text);
    let found: Vec<_> = found
        .iter()
        .map(|(line, path, code)| (*line, path.as_str(), code.as_str()))
        .collect();
    assert_eq!(found, expected, "{text}");
}

const AGENCY: &str = "format = 1\n[[agency]]\nid = \"a\"\nkind = \"unit\"\nnames = [\"A\"]\n";

#[test]
fn the_text_of_a_mistake_says_where_what_and_what_to_do() {
    let text = format!("{AGENCY}codes = [\"H62\", {{ is = \"H62.11\", to = 2025-06-31 }}]\n");
    let errors = RegistryFile::read("f.toml", &text).unwrap_err();
    assert_eq!(errors.len(), 1);
    assert!(errors[0].to_string().starts_with("f.toml:6:"), "{}", errors[0]);
    let text = format!("{AGENCY}codes = [\"H62\", {{ is = \"Hé\", to = 2025-06-30 }}]\n");
    let errors = RegistryFile::read("f.toml", &text).unwrap_err();
    assert_eq!(
        errors[0].to_string(),
        "f.toml:6:19: CONFIG_FIELD at agency[0].codes[1].is: agency code has a character other than 0-9, A-Z, `-` and \
         `.` at 1; correct it"
    );
}

#[test]
fn a_file_that_is_no_registry_file_is_refused() {
    expect("", &[(1, "format", "CONFIG_FORMAT")]);
    expect("format = 2\n", &[(1, "format", "CONFIG_FORMAT")]);
    expect("format = \"1\"\n", &[(1, "format", "CONFIG_FORMAT")]);
    expect(
        "\nformat = = 1\n[[agency]\n",
        &[(2, "/", "CONFIG_SYNTAX"), (3, "/", "CONFIG_SYNTAX")],
    );
    expect("format = 1\nformat = 1\n", &[(2, "/", "CONFIG_SYNTAX")]);
    expect("format = 1\n[agency]\nid = \"a\"\n", &[(2, "agency", "CONFIG_FIELD")]);
    expect("format = 1\nagency = [1]\n", &[(2, "agency[0]", "CONFIG_FIELD")]);
    expect(
        "format = 1\n[[agencies]]\nid = \"a\"\n",
        &[(2, "agencies", "CONFIG_FIELD")],
    );
    expect(&"#".repeat(FILE_MAX_BYTES + 1), &[(1, "/", "CONFIG_TOO_LARGE")]);
    expect(
        &format!("format = 1\na = {}", "[".repeat(100_000)),
        &[(2, "/", "CONFIG_SYNTAX")],
    );
    for name in ["", "a\nb", &"x".repeat(FILE_NAME_MAX_BYTES + 1)] {
        assert_eq!(
            RegistryFile::read(name, AGENCY).unwrap_err()[0].code.as_str(),
            "CONFIG_FIELD"
        );
    }
}

#[test]
fn a_byte_order_mark_and_windows_lines_are_taken() {
    for text in [format!("\u{feff}{AGENCY}"), AGENCY.replace('\n', "\r\n")] {
        assert_eq!(RegistryFile::read("f.toml", &text).unwrap().objects.len(), 1);
    }
    let text = format!("{AGENCY}colour = 1\n").replace('\n', "\r\n");
    expect(&text, &[(6, "agency[0].colour", "CONFIG_FIELD")]);
}

#[test]
fn several_mistakes_are_told_at_once() {
    expect(
        "format = 1\n\
         [[agency]]\nid = \"A\"\nkind = \"unit\"\nnames = [\"A\"]\n\
         [[agency]]\nid = \"b\"\nkind = \"unit\"\n\
         [[agency]]\nid = \"c\"\nkind = \"unit\"\nnames = []\nfrom = 2025-01-02\nto = 2025-01-01\n\
         [[system]]\nid = \"s\"\nagency = \"a\"\nspeaks_for = []\nto = 2025-01-01T00:00:00Z\n\
         [[connector]]\nid = \"c\"\nsystem = \"s\"\nadapter = \"x\"\nmode = \"both\"\n\
         [[right]]\n",
        &[
            (3, "agency[0].id", "CONFIG_FIELD"),
            (6, "agency[1]", "CONFIG_FIELD"),
            (12, "agency[2].names", "CONFIG_FIELD"),
            (14, "agency[2].to", "CONFIG_DATES"),
            (19, "system[0].to", "CONFIG_FIELD"),
            (24, "connector[0].mode", "CONFIG_FIELD"),
            (25, "right", "CONFIG_FIELD"),
        ],
    );
}

#[test]
fn a_secret_in_clear_is_refused_and_never_shown() {
    let secret = "h0rse-battery";
    for key in [
        "secret",
        "password",
        "Secret_Key",
        "api_token",
        "db.password",
        "passwd",
        "private_key",
    ] {
        let text = format!(
            "format = 1\n[[system]]\nid = \"s\"\nagency = \"a\"\nspeaks_for = [\"H62\"]\n{key} = \"{secret}\"\n"
        );
        let errors = RegistryFile::read("f.toml", &text).unwrap_err();
        let found: Vec<_> = errors
            .iter()
            .map(|error| (error.line, error.path.as_str(), error.code.as_str()))
            .collect();
        assert_eq!(found, [(6, format!("system[0].{key}").as_str(), "CONFIG_SECRET")]);
        assert!(!errors[0].to_string().contains(secret));
    }
    let top = format!("format = 1\nsecrets = {{ s = \"{secret}\" }}\n");
    expect(&top, &[(2, "secrets", "CONFIG_SECRET")]);
}

#[test]
fn what_is_wrong_with_one_object_has_its_line() {
    for (lines, path, code) in [
        ("to = \"2025-06-31\"", "to", "CONFIG_FIELD"),
        ("to = 2025-06-30T07:00:00", "to", "CONFIG_FIELD"),
        ("to = 07:00:00", "to", "CONFIG_FIELD"),
        ("to = 1899-12-31", "to", "CONFIG_FIELD"),
        ("mail = 1.5", "mail", "CONFIG_FIELD"),
        ("mail = 99999999999999999999", "mail", "CONFIG_FIELD"),
        ("mail = true", "mail", "CONFIG_FIELD"),
        ("mail = \"a\\u0000b\"", "mail", "CONFIG_FIELD"),
        ("mail = \" a\"", "mail", "CONFIG_FIELD"),
        ("successors = [\"b\"]", "successors", "CONFIG_DATES"),
        ("legal_basis = \"NQ\"", "legal_basis", "CONFIG_DATES"),
        ("sends_until = 2025-06-30", "sends_until", "CONFIG_DATES"),
        ("parents = [\"a\"]", "parents[0]", "CONFIG_CYCLE"),
        ("parents = [\"b\", \"c\"]", "parents[1]", "CONFIG_DUPLICATE"),
        ("codes = [\"H62\", \"H62\"]", "codes[1]", "CONFIG_DUPLICATE"),
        (
            "codes = [{ is = \"H62\", from = 2025-07-01, to = 2025-06-30 }]",
            "codes[0].to",
            "CONFIG_DATES",
        ),
        ("codes = [\"H62..1\"]", "codes[0]", "CONFIG_FIELD"),
        ("codes = [3]", "codes[0]", "CONFIG_FIELD"),
        ("codes = [{ code = \"H62\" }]", "codes[0].code", "CONFIG_FIELD"),
        ("codes = \"H62\"", "codes", "CONFIG_FIELD"),
        ("colour = \"red\"", "colour", "CONFIG_FIELD"),
    ] {
        let path = format!("agency[0].{path}");
        expect(&format!("{AGENCY}{lines}\n"), &[(6, path.as_str(), code)]);
    }
    let closed = "from = 2020-01-01\nto = 2025-06-30\n";
    for (line, path, code) in [
        ("sends_until = 2025-06-29", "sends_until", "CONFIG_DATES"),
        ("successors = [\"b\", \"b\"]", "successors[1]", "CONFIG_DUPLICATE"),
        (
            "codes = [{ is = \"H62\", to = 2025-07-01 }]",
            "codes[0]",
            "CONFIG_DATES",
        ),
        (
            "codes = [{ is = \"H62\", from = 2019-12-31 }]",
            "codes[0]",
            "CONFIG_DATES",
        ),
        (
            "codes = [{ is = \"H62\", from = 2025-07-01 }]",
            "codes[0]",
            "CONFIG_DATES",
        ),
    ] {
        let path = format!("agency[0].{path}");
        expect(&format!("{AGENCY}{closed}{line}\n"), &[(8, path.as_str(), code)]);
    }
}

#[test]
fn systems_and_connectors_are_checked_by_themselves() {
    let system = "format = 1\n[[system]]\nid = \"s\"\nagency = \"a\"\n";
    for (line, path, code) in [
        ("speaks_for = []", "speaks_for", "CONFIG_FIELD"),
        ("speaks_for = [\"H62.*.11\"]", "speaks_for[0]", "CONFIG_FIELD"),
        ("speaks_for = [\"*\"]", "speaks_for[0]", "CONFIG_FIELD"),
        ("speaks_for = [\"H62\", \"H62\"]", "speaks_for[1]", "CONFIG_DUPLICATE"),
        (
            "speaks_for = [\"H62\"]\nsecret_ref = \"../up\"",
            "secret_ref",
            "CONFIG_FIELD",
        ),
        (
            "speaks_for = [\"H62\"]\nsecret_ref = \"s\"",
            "secret_ref",
            "CONFIG_FIELD",
        ),
        ("speaks_for = [\"H62\"]\nkey_id = \"s\"", "key_id", "CONFIG_FIELD"),
    ] {
        let line_of = 4 + line.lines().count();
        expect(
            &format!("{system}{line}\n"),
            &[(line_of, &format!("system[0].{path}"), code)],
        );
    }
    let connector = "format = 1\n[[connector]]\nid = \"c\"\nsystem = \"s\"\nadapter = \"edxml-vxp\"\n";
    for (line, path, code) in [
        (
            "mode = \"pull\"\ncollect_within_hours = 0",
            "collect_within_hours",
            "CONFIG_FIELD",
        ),
        (
            "mode = \"pull\"\ncollect_within_hours = 8761",
            "collect_within_hours",
            "CONFIG_FIELD",
        ),
        (
            "mode = \"pull\"\ncollect_within_hours = -1",
            "collect_within_hours",
            "CONFIG_FIELD",
        ),
        (
            "mode = \"push\"\ncollect_within_hours = 1",
            "collect_within_hours",
            "CONFIG_FIELD",
        ),
        (
            "mode = \"pull\"\nreceives_for = [\"h\"]",
            "receives_for[0]",
            "CONFIG_FIELD",
        ),
    ] {
        expect(
            &format!("{connector}{line}\n"),
            &[(7, &format!("connector[0].{path}"), code)],
        );
    }
}

#[test]
fn a_grant_is_checked_by_itself() {
    let (contracts, to) = ("contracts = [\"a.b/1\"]\n", "addressees = [\"H44.*\"]\n");
    let from = "senders = [\"H44\"]\n";
    let long = format!("purposes = [\"{}\"]\n", "p".repeat(65));
    for (text, path, code) in [
        (["", from, to, ""], "", "CONFIG_FIELD"),
        (["contracts = []\n", from, to, ""], ".contracts", "CONFIG_FIELD"),
        (
            ["contracts = [\"a.b\"]\n", from, to, ""],
            ".contracts[0]",
            "CONFIG_FIELD",
        ),
        (
            ["contracts = [\"a.b/3-1\"]\n", from, to, ""],
            ".contracts[0]",
            "CONFIG_FIELD",
        ),
        (
            ["contracts = [\"a/1\", \"a/1\"]\n", from, to, ""],
            ".contracts[1]",
            "CONFIG_DUPLICATE",
        ),
        ([contracts, "", to, ""], ".senders", "CONFIG_FIELD"),
        (
            [contracts, "senders = [\"*\"]\n", to, ""],
            ".senders[0]",
            "CONFIG_FIELD",
        ),
        (
            [contracts, from, "addressees = []\n", ""],
            ".addressees",
            "CONFIG_FIELD",
        ),
        (
            [contracts, from, to, "systems = [\"a/b\"]\n"],
            ".systems[0]",
            "CONFIG_FIELD",
        ),
        (
            [contracts, from, to, "purposes = [\"\", \"\"]\n"],
            ".purposes[1]",
            "CONFIG_DUPLICATE",
        ),
        ([contracts, from, to, "purposes = \"p\"\n"], ".purposes", "CONFIG_FIELD"),
        ([contracts, from, to, &long], ".purposes[0]", "CONFIG_TOO_LARGE"),
        (
            [contracts, from, to, "from = 2026-01-02\nto = 2026-01-01\n"],
            ".to",
            "CONFIG_DATES",
        ),
        ([contracts, from, to, "until = 2026-01-01\n"], ".until", "CONFIG_FIELD"),
        (
            [contracts, from, to, "receivers = [\"H44\"]\n"],
            ".receivers",
            "CONFIG_FIELD",
        ),
    ] {
        let text = format!("format = 1\n[[grant]]\nid = \"g\"\n{}", text.concat());
        let found = mistakes(&text);
        let found: Vec<_> = found
            .iter()
            .map(|(_, path, code)| (path.as_str(), code.as_str()))
            .collect();
        assert_eq!(found, [(format!("grant[0]{path}").as_str(), code)], "{text}");
    }
}

#[test]
fn lists_and_texts_have_bounds() {
    let codes: Vec<String> = (0..51).map(|at| format!("\"H62.{at}\"")).collect();
    expect(
        &format!("{AGENCY}codes = [{}]\n", codes.join(",")),
        &[(6, "agency[0].codes", "CONFIG_TOO_LARGE")],
    );
    let long = AGENCY.replace("\"A\"", &format!("\"{}\"", "A".repeat(601)));
    expect(&long, &[(5, "agency[0].names[0]", "CONFIG_TOO_LARGE")]);
    let patterns: Vec<String> = (0..1001).map(|at| format!("\"H62.{at}\"")).collect();
    let system = format!(
        "format = 1\n[[system]]\nid = \"s\"\nagency = \"a\"\nspeaks_for = [{}]\n",
        patterns.join(",")
    );
    expect(&system, &[(5, "system[0].speaks_for", "CONFIG_TOO_LARGE")]);
    for (count, expected) in [(100, &[][..]), (101, &[(4, "grant[0].contracts", "CONFIG_TOO_LARGE")])] {
        let contracts: Vec<String> = (0..count).map(|at| format!("\"c{at}/1\"")).collect();
        let grant = format!(
            "format = 1\n[[grant]]\nid = \"g\"\ncontracts = [{}]\nsenders = [\"H44\"]\naddressees = [\"H44\"]\npurposes = [\"{}\"]\n",
            contracts.join(","),
            "p".repeat(64),
        );
        if expected.is_empty() {
            assert!(RegistryFile::read("f.toml", &grant).is_ok());
        } else {
            expect(&grant, expected);
        }
    }
    // However many mistakes there are, a person gets no more than a hundred.
    let many = format!("format = 1\n{}", "[[agency]]\n".repeat(5000));
    assert_eq!(mistakes(&many).len(), 100);
}

#[test]
fn an_id_stands_once_in_a_file() {
    let twice = format!("{AGENCY}[[agency]]\nkind = \"unit\"\nnames = [\"B\"]\nid = \"a\"\n");
    let errors = RegistryFile::read("f.toml", &twice).unwrap_err();
    assert_eq!((errors[0].line, errors[0].code.as_str()), (9, "CONFIG_DUPLICATE"));
    assert!(errors[0].what.contains("line 2"), "{}", errors[0]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_panics(at in 0usize..2000, length in 0usize..40, with in "[\\[\\]{}=\"', a-z0-9.\u{e9}\n-]{0,12}") {
        let mut text: Vec<char> = PROVINCE.chars().collect();
        let end = (at + length).min(text.len());
        text.splice(at.min(end)..end, with.chars());
        let text: String = text.into_iter().collect();
        if let Err(errors) = RegistryFile::read("f.toml", &text) {
            prop_assert!(!errors.is_empty() && errors.iter().all(|error| error.line >= 1 && error.column >= 1));
            let lines = text.lines().count() + 1;
            prop_assert!(errors.iter().all(|error| error.line <= lines));
        }
    }
}

use proptest::prelude::*;

use super::*;

fn told(bytes: &[u8]) -> Vec<String> {
    let broken = read(bytes).expect_err("was read");
    broken
        .iter()
        .map(|broken| format!("{} {}", broken.code, broken.path))
        .collect()
}

/// Numbers as every reader of binary floating point has them: `1.0` is 1; texts as they are compared.
fn alike(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::String(one), Value::String(other)) => one.nfc().eq(other.nfc()),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| alike(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(name, one)| other.get(name).is_some_and(|other| alike(one, other)))
        }
        _ => one == other,
    }
}

#[test]
fn ordinary_json_is_read() {
    let text = r#" {"số": [1, -2.5, true, false, null], "a/b": {"\u0110\n": "\ud83d\ude00"}, "": ""} "#;
    let value = read(text.as_bytes()).unwrap();
    let same: Value = serde_json::from_str(text).unwrap();
    assert_eq!(value, same);
}

#[test]
fn hostile_json_is_refused_by_name_and_place() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(read(deep(67).as_bytes()).is_ok());
    for (text, expected) in [
        (r#"{"a":1,"a":2}"#.to_owned(), vec!["JSON_DUPLICATE_KEY /a"]),
        (
            r#"{"b":[{"a":1,"\u0061":2}]}"#.to_owned(),
            vec!["JSON_DUPLICATE_KEY /b/0/a"],
        ),
        // One name in two spellings: composed, and with combining marks.
        (
            "{\"\u{1ead}\":1,\"a\u{323}\u{302}\":2}".to_owned(),
            vec!["JSON_DUPLICATE_KEY /ậ"],
        ),
        (
            r#"{"a":123456789012345678901234567890}"#.to_owned(),
            vec!["JSON_NUMBER_INEXACT /a"],
        ),
        (
            "[1e400, 0.1e-400]".to_owned(),
            vec!["JSON_NUMBER_INEXACT /0", "JSON_NUMBER_INEXACT /1"],
        ),
        (r#"["\ud800"]"#.to_owned(), vec!["JSON_SURROGATE /0"]),
        (
            r#"["\ud800\ud800\u0041"]"#.to_owned(),
            vec!["JSON_SURROGATE /0", "JSON_SURROGATE /0"],
        ),
        (r#"{"x":"\udc00"}"#.to_owned(), vec!["JSON_SURROGATE /x"]),
        (r#"{"x":"a\u0000"}"#.to_owned(), vec!["JSON_NUL /x"]),
        (r#"{"\u0000":1}"#.to_owned(), vec!["JSON_NUL /\u{fffd}"]),
        ("\u{feff}{}".to_owned(), vec!["JSON_BYTE_ORDER_MARK /"]),
        ("{} x".to_owned(), vec!["JSON_MALFORMED /"]),
        ("".to_owned(), vec!["JSON_MALFORMED /"]),
        ("[NaN]".to_owned(), vec!["JSON_MALFORMED /0"]),
        ("[Infinity]".to_owned(), vec!["JSON_MALFORMED /0"]),
        ("[1,]".to_owned(), vec!["JSON_MALFORMED /1"]),
        ("{\"a\":1,}".to_owned(), vec!["JSON_MALFORMED /"]),
        ("[1 /* one */]".to_owned(), vec!["JSON_MALFORMED /"]),
        ("[01]".to_owned(), vec!["JSON_MALFORMED /"]),
        ("[\"\t\"]".to_owned(), vec!["JSON_MALFORMED /0"]),
        (r#"["\x"]"#.to_owned(), vec!["JSON_MALFORMED /0"]),
        (r#"["\u00e"]"#.to_owned(), vec!["JSON_MALFORMED /0"]),
        ("{'a':1}".to_owned(), vec!["JSON_MALFORMED /"]),
        ("{\"a\" 1}".to_owned(), vec!["JSON_MALFORMED /"]),
        ("[tru]".to_owned(), vec!["JSON_MALFORMED /0"]),
        ("[\"a".to_owned(), vec!["JSON_MALFORMED /0"]),
        ("[[\"đ\" đ]]".to_owned(), vec!["JSON_MALFORMED /0"]),
    ] {
        let expected: Vec<_> = expected.into_iter().map(String::from).collect();
        let expected = if text == "[01]" {
            vec!["JSON_MALFORMED /0".to_owned()]
        } else {
            expected
        };
        assert_eq!(told(text.as_bytes()), expected, "{text}");
    }
    assert_eq!(told(b"[\"\xff\"]"), ["CHARSET /"]);
    let too_deep = told(deep(68).as_bytes());
    assert!(
        too_deep.len() == 1 && too_deep[0].starts_with("JSON_TOO_DEEP /0/0/"),
        "{too_deep:?}"
    );
    assert!(told("[".repeat(100_000).as_bytes())[0].starts_with("JSON_TOO_DEEP /0"));
}

#[test]
fn all_that_is_wrong_is_told_with_the_line_where_it_stops_being_json() {
    let broken = read("{\"a\": 1e400,\n \"b\": \"\\ud800\", ậ".as_bytes()).unwrap_err();
    let codes: Vec<_> = broken.iter().map(|broken| broken.code.as_str()).collect();
    assert_eq!(codes, ["JSON_NUMBER_INEXACT", "JSON_SURROGATE", "JSON_MALFORMED"]);
    assert_eq!(broken[2].en.what, "is no JSON at line 2, column 17");
    let many = format!("[{}]", ["1e999"; 500].join(","));
    let broken = read(many.as_bytes()).unwrap_err();
    assert_eq!((broken.len(), broken[100].code.as_str()), (101, "TOO_MANY_FINDINGS"));
}

#[test]
fn texts_are_compared_composed_and_odd_names_are_data() {
    let value = read("{\"__proto__\": \"a\u{323}\u{302}\", \"constructor\": \"\\u0061\\u0323\"}".as_bytes()).unwrap();
    assert_eq!(value["__proto__"], "\u{1ead}");
    assert_eq!(value["constructor"], "\u{1ea1}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// What another reader takes is taken with the same meaning or refused for a rule of ours; what it refuses is refused.
    #[test]
    fn it_reads_as_serde_json_or_refuses(text in r#"(\{|\}|\[|\]|,|:|"|"[a-z]{0,2}"|[0-9.eE+-]{1,4}|true|null|\\u[0-9a-f]{4}| ){0,12}"#) {
        let theirs: Result<Value, _> = serde_json::from_str(&text);
        match (read(text.as_bytes()), theirs) {
            (Ok(ours), Ok(theirs)) => {
                prop_assert!(alike(&ours, &theirs), "{text}: {ours} {theirs}");
            }
            (Err(broken), Err(_)) => prop_assert!(!broken.is_empty()),
            (Err(broken), Ok(_)) => prop_assert!(broken.iter().all(|broken| broken.code != JSON_MALFORMED.code), "{text}: {broken:?}"),
            (Ok(value), Err(error)) => prop_assert!(false, "{} was read as {}: {}", text, value, error),
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        drop(read(&bytes));
    }
}

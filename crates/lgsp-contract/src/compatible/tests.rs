use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::dialect::options;

fn told(old: &Value, new: &Value) -> Vec<String> {
    let shared = Shared::default();
    let changes = Comparison::of(&shared, old, new).into_iter();
    let told = changes.map(|change| {
        let sure = if change.is_certain { "" } else { "?" };
        format!("{}{sure} {}", change.place, change.what)
    });
    told.collect()
}

#[test]
fn what_lets_through_more_breaks_nobody() {
    for (old, new) in [
        (json!({"type": "string"}), json!({})),
        (json!({"type": "integer"}), json!({"type": ["number", "null"]})),
        (json!({"maxLength": 300, "minLength": 1}), json!({"maxLength": 500})),
        (json!({"exclusiveMinimum": 0}), json!({"minimum": 0})),
        (json!({"minimum": 1}), json!({"exclusiveMinimum": 0})),
        (json!({"multipleOf": 0.1}), json!({"multipleOf": 0.01})),
        (json!({"enum": ["01", "02"]}), json!({"enum": ["02", "01", "03"]})),
        (
            json!({"const": "01"}),
            json!({"pattern": "^[0-9]{2}$", "type": "string"}),
        ),
        (json!({"type": "boolean"}), json!({"enum": [true, false, "x"]})),
        // A new optional field where others were refused.
        (
            json!({"properties": {"a": {}}, "additionalProperties": false}),
            json!({"properties": {"a": {}, "b": {"type": "string"}}, "additionalProperties": false}),
        ),
        (
            json!({"required": ["a", "b"]}),
            json!({"required": ["a"], "minProperties": 2}),
        ),
        (
            json!({"items": {"maxLength": 3}}),
            json!({"prefixItems": [{"maxLength": 4}], "items": {"maxLength": 3}}),
        ),
        // The same, said another way.
        (
            json!({"properties": {"a": {"type": "string", "maxLength": 9}}}),
            json!({"properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"allOf": [{"type": "string"}, {"maxLength": 9}]}}}),
        ),
        (
            json!({"anyOf": [{"type": "string"}, {"type": "integer"}]}),
            json!({"type": ["string", "number"]}),
        ),
        (
            json!({"anyOf": [{"type": "string"}]}),
            json!({"anyOf": [{"type": "integer"}, {"type": "string"}]}),
        ),
        (
            json!({"type": "string"}),
            json!({"anyOf": [{"type": "integer"}, {"type": "string"}]}),
        ),
        (
            json!({"if": {"required": ["a"]}, "then": {"$ref": "#/$defs/t"}, "$defs": {"t": {"required": ["b"]}}}),
            json!({"if": {"required": ["a"]}, "then": {"required": ["b"], "title": "x"}}),
        ),
        // What only concerns other types.
        (
            json!({"type": "string"}),
            json!({"minimum": 3, "required": ["a"], "items": false}),
        ),
        (json!(false), json!({"type": "string"})),
        // It refers to itself.
        (
            json!({"properties": {"child": {"$ref": "#"}, "n": {"maximum": 3}}}),
            json!({"properties": {"child": {"$ref": "#"}, "n": {"maximum": 4}}}),
        ),
        (
            json!({"type": "object", "properties": {"a": {}}, "unevaluatedProperties": false}),
            json!({"type": "object", "properties": {"a": {}, "b": {}}, "unevaluatedProperties": false}),
        ),
    ] {
        assert_eq!(told(&old, &new), Vec::<String>::new(), "{old} → {new}");
    }
}

#[test]
fn what_lets_through_less_is_named_with_its_place() {
    for (old, new, expected) in [
        (
            json!({}),
            json!({"type": "string"}),
            "/type type: array/boolean/null/number/object → \"string\"",
        ),
        (
            json!({"type": "number"}),
            json!({"type": "integer"}),
            "/type type: number → \"integer\"",
        ),
        (
            json!({"maxLength": 500}),
            json!({"maxLength": 300}),
            "/maxLength maxLength: 500 → 300",
        ),
        (json!({}), json!({"maxLength": 300}), "/maxLength maxLength: → 300"),
        (
            json!({"minimum": 0}),
            json!({"exclusiveMinimum": 0}),
            "/exclusiveMinimum exclusiveMinimum: → 0",
        ),
        (
            json!({"multipleOf": 0.01}),
            json!({"multipleOf": 0.1}),
            "/multipleOf multipleOf: 0.01 → 0.1",
        ),
        (
            json!({"enum": ["01", "02"]}),
            json!({"enum": ["01"]}),
            "/enum enum: \"02\" →",
        ),
        (
            json!({"type": "string"}),
            json!({"enum": ["01"]}),
            "/enum enum: → [\"01\"]",
        ),
        (
            json!({"pattern": "a"}),
            json!({"pattern": "b"}),
            "/pattern? pattern: \"a\" → \"b\"",
        ),
        (json!({}), json!({"format": "date"}), "/format format: → \"date\""),
        (json!({"const": "x"}), json!({"maxLength": 0}), " \"x\" →"),
        (
            json!({"maximum": 9_007_199_254_740_993_u64}),
            json!({"maximum": 9_007_199_254_740_992_u64}),
            "/maximum maximum: 9007199254740993 → 9007199254740992",
        ),
        (json!({}), json!({"required": ["số"]}), "/required required: → \"số\""),
    ] {
        let told = told(&old, &new);
        assert!(told.contains(&expected.to_owned()), "{old} → {new}: {told:?}");
    }
}

#[test]
fn parts_that_let_through_less_are_named_with_their_place() {
    for (old, new, expected) in [
        (
            json!({"properties": {"a": {"items": {"maxLength": 9}}}}),
            json!({"properties": {"a": {"items": {"maxLength": 8}}}}),
            "/properties/a/items/maxLength maxLength: 9 → 8",
        ),
        (
            json!({"properties": {"a": {}, "b": {}}, "additionalProperties": false}),
            json!({"properties": {"a": {}}, "additionalProperties": false}),
            "/additionalProperties \"b\" →",
        ),
        (
            json!({}),
            json!({"additionalProperties": false}),
            "/additionalProperties → false",
        ),
        (
            json!({}),
            json!({"unevaluatedProperties": false}),
            "/unevaluatedProperties → false",
        ),
        (
            json!({"additionalProperties": true}),
            json!({"properties": {"b": {"type": "string"}}}),
            "/properties/b/type type: array/boolean/null/number/object → \"string\"",
        ),
        (
            json!({}),
            json!({"uniqueItems": true}),
            "/uniqueItems uniqueItems: → true",
        ),
        (
            json!({"items": {}}),
            json!({"prefixItems": [false]}),
            "/prefixItems/0 → false",
        ),
        (
            json!({"not": {"type": "null"}}),
            json!({"not": {"type": "string"}}),
            "/not? not",
        ),
        (
            json!({"anyOf": [{"type": "string"}, {"type": "null"}]}),
            json!({"type": "string"}),
            "/type type: null → \"string\"",
        ),
        (
            json!({"type": ["string", "null"]}),
            json!({"anyOf": [{"type": "string"}, {"type": "object"}]}),
            "/anyOf? anyOf",
        ),
        (
            json!({"$ref": "#/$defs/n", "$defs": {"n": {"properties": {"n": {"$ref": "#/$defs/n"}, "v": {"maximum": 4}}}}}),
            json!({"$ref": "#/$defs/n", "$defs": {"n": {"properties": {"n": {"$ref": "#/$defs/n"}, "v": {"maximum": 3}}}}}),
            "/$defs/n/properties/v/maximum maximum: 4 → 3",
        ),
    ] {
        let told = told(&old, &new);
        assert!(told.contains(&expected.to_owned()), "{old} → {new}: {told:?}");
    }
}

/// Each level tries the next one twice, in two choices: 4^40 without a bound.
#[test]
fn a_comparison_that_costs_too_much_ends_and_shows_nothing() {
    let step = |most: usize| {
        let steps = (0..40).map(|n| {
            let next = format!("#/$defs/a{}", n + 1);
            let fields =
                |extra: usize| json!({"properties": {"x": {"$ref": next}, "y": {"$ref": next, "maxLength": extra}}});
            (format!("a{n}"), json!({"anyOf": [fields(most), fields(most + 1)]}))
        });
        let mut steps: Map<String, Value> = steps.collect();
        steps.insert("a40".to_owned(), json!({"maxLength": most}));
        json!({"$ref": "#/$defs/a0", "$defs": steps})
    };
    let begin = std::time::Instant::now();
    let told = told(&step(3), &step(2));
    assert!(!told.is_empty());
    assert!(begin.elapsed().as_secs() < 30, "{:?}", begin.elapsed());
}

fn schemas() -> impl Strategy<Value = Value> {
    let small = 0..3_i64;
    let leaf = prop_oneof![
        Just(json!(true)),
        Just(json!(false)),
        prop::sample::select(vec![
            "string", "integer", "number", "object", "array", "null", "boolean"
        ])
        .prop_map(|one| json!({"type": one})),
        small.clone().prop_map(|n| json!({"maxLength": n})),
        small.clone().prop_map(|n| json!({"minLength": n, "type": "string"})),
        small.clone().prop_map(|n| json!({"minimum": n})),
        small.clone().prop_map(|n| json!({"exclusiveMaximum": n})),
        small.clone().prop_map(|n| json!({"multipleOf": n + 1})),
        Just(json!({"enum": [1, "a", null, true]})),
        Just(json!({"enum": ["a", {"a": 1}, []]})),
        Just(json!({"const": {"a": 1}})),
        Just(json!({"const": {"title": 1}})),
        Just(json!({"const": {"title": 2}})),
        Just(json!({"not": {"const": {"title": 1}}})),
        Just(json!({"not": {"const": {"title": 2}}})),
        Just(json!({"pattern": "a"})),
        Just(json!({"required": ["a"]})),
        Just(json!({"minProperties": 1})),
        Just(json!({"maxItems": 1})),
        Just(json!({"uniqueItems": true})),
        Just(json!({"propertyNames": {"maxLength": 1}})),
        Just(json!({"dependentRequired": {"a": ["b"]}})),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| json!({"properties": {"a": a, "b": b}})),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| json!({"properties": {"a": a}, "additionalProperties": b})),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| json!({"patternProperties": {"a": a}, "additionalProperties": b})),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| json!({"allOf": [a, {"unevaluatedProperties": b}]})),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| json!({"anyOf": [{"properties": {"a": a}}, {"properties": {"b": b}}], "unevaluatedProperties": false})),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| json!({"prefixItems": [a], "items": b})),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| json!({"prefixItems": [a, b], "unevaluatedItems": false})),
            inner.clone().prop_map(|a| json!({"prefixItems": [a], "unevaluatedItems": false})),
            (inner.clone(), prop::sample::select(vec!["a", "b", "^a", "c"]))
                .prop_map(|(a, pattern)| json!({"patternProperties": {pattern: a}, "additionalProperties": false})),
            (inner.clone(), prop::sample::select(vec!["a", "b", "^a", "c"]))
                .prop_map(|(a, pattern)| json!({"patternProperties": {pattern: a}, "unevaluatedProperties": false})),
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| json!({"anyOf": [{"additionalProperties": a}, b], "unevaluatedProperties": false})),
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| json!({"allOf": [{"patternProperties": {"b": a}}, b], "unevaluatedProperties": false})),
            inner.clone().prop_map(|a| json!({"properties": {"title": a}, "type": "object"})),
            inner.clone().prop_map(|a| json!({"not": {"properties": {"title": a}, "required": ["title"]}})),
            inner.clone().prop_map(|a| json!({"enum": ["aa", "b", {"title": 1}], "not": a})),
            inner.clone().prop_map(|a| json!({"items": a})),
            inner.clone().prop_map(|a| json!({"contains": a})),
            inner.clone().prop_map(|a| json!({"not": a})),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| json!({"allOf": [a, b]})),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| json!({"anyOf": [a, b]})),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| json!({"oneOf": [a, b]})),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| json!({"if": a, "then": b})),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| json!({"$defs": {"a": a}, "allOf": [b]})),
            (inner.clone(), inner).prop_map(|(a, b)| json!({"dependentSchemas": {"a": a}, "properties": {"b": b}})),
        ]
    })
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        (-1..4_i64).prop_map(Value::from),
        Just(json!(1.5)),
        "[ab]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("a|b|ab|c|title", inner, 0..3).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// What is said to break nobody lets through all that was let through.
    #[test]
    fn a_version_that_breaks_nobody_refuses_nothing_that_fitted(old in schemas(), new in schemas(), values in prop::collection::vec(values(), 12)) {
        // A pair that has much in common is likelier to hold.
        for new in [new.clone(), json!({"anyOf": [old, new]}), json!({"allOf": [old]})] {
            if told(&old, &new).is_empty() {
                let before = options().build(&old).unwrap();
                let now = options().build(&new).unwrap();
                for value in values.iter().filter(|value| before.is_valid(value)) {
                    prop_assert!(now.is_valid(value), "{} fits {} and not {}", value, old, new);
                }
            }
        }
    }

    #[test]
    fn no_version_breaks_itself(schema in schemas()) {
        prop_assert_eq!(told(&schema, &schema.clone()), Vec::<String>::new());
    }
}

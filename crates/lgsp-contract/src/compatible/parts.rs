//! Keywords about the parts of a value: the fields of an object, the items of a list.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::narrow::shown;
use super::old::Old;
use super::shared::Shared;
use super::{Comparison, What, list};
use crate::catalogue::escaped;
use crate::dialect::target;

/// Schemas asked of the same value inside each other that are looked at.
const DEPTH_MAX: usize = 32;
/// What every name of a field is.
static ANY_TEXT: LazyLock<Value> = LazyLock::new(|| json!({"type": "string"}));

impl<'a> Comparison<'a> {
    pub(super) fn parts(&mut self, old: &Old<'a>, new: &'a Map<String, Value>, place: &str) {
        let types = old.types();
        if types.contains("object") {
            self.required(old, new, place);
            self.fields(old, new, place);
            self.others(old, new, place);
        }
        if types.contains("array") {
            self.items(old, new, place);
        }
    }

    fn required(&mut self, old: &Old<'a>, new: &'a Map<String, Value>, place: &str) {
        let before = old.required();
        let asked = list(new, "required").iter().filter_map(Value::as_str);
        for name in asked.filter(|name| !before.contains(name)) {
            self.change(
                &format!("{place}/required"),
                What::of("required", "", format!("{name:?}")),
            );
        }
        let dependent = new.get("dependentRequired").and_then(Value::as_object);
        for (field, names) in dependent.into_iter().flatten() {
            let known = old
                .all("dependentRequired")
                .any(|dependent| dependent.get(field) == Some(names));
            let fulfilled = names
                .as_array()
                .is_some_and(|names| names.iter().filter_map(Value::as_str).all(|name| before.contains(name)));
            if !known && !fulfilled && !is_false(&field_of(self.shared, old, field)) {
                let what = What::of("dependentRequired", "", format!("{field:?}: {}", shown(names)));
                self.change(&format!("{place}/dependentRequired"), what);
            }
        }
    }

    fn fields(&mut self, old: &Old<'a>, new: &'a Map<String, Value>, place: &str) {
        for (name, schema) in named(new, "properties") {
            self.hold(
                &field_of(self.shared, old, name),
                schema,
                &format!("{place}/properties/{}", escaped(name)),
            );
        }
        for (pattern, schema) in named(new, "patternProperties") {
            let place = format!("{place}/patternProperties/{}", escaped(pattern));
            for name in names_of(self.old_root, old)
                .into_iter()
                .filter(|name| self.shared.matches(pattern, name))
            {
                self.hold(&field_of(self.shared, old, name), schema, &place);
            }
            // A name may fit both patterns.
            for (_, before) in patterns_of(old).filter(|(known, _)| *known != pattern) {
                self.hold(&[before], schema, &place);
            }
            self.hold(&unnamed_of(self.old_root, old, Some(pattern)), schema, &place);
        }
        if let Some(schema) = new.get("propertyNames") {
            let before: Vec<&Value> = old.all("propertyNames").collect();
            let text = Old::of(self.old_root, &[&ANY_TEXT]);
            let place = format!("{place}/propertyNames");
            if !before.is_empty() {
                self.hold(&before, schema, &place);
            } else if !self.holds(&text, schema) {
                self.unproven(&place, What::of("propertyNames", "", ""));
            }
        }
    }

    /// Fields that the new version does not name.
    fn others(&mut self, old: &Old<'a>, new: &'a Map<String, Value>, place: &str) {
        for keyword in ["additionalProperties", "unevaluatedProperties"] {
            let Some(schema) = new.get(keyword) else { continue };
            if keyword == "unevaluatedProperties" && depends(self.new_root, new, 0) {
                self.unproven(&format!("{place}/{keyword}"), What::of(keyword, "", ""));
                continue;
            }
            let known = if keyword == "additionalProperties" {
                named(new, "properties").map(|(name, _)| name).collect()
            } else {
                let mut known = BTreeSet::new();
                gather(self.new_root, new, &mut known, 0);
                known
            };
            let patterns: Vec<&str> = named(new, "patternProperties").map(|(pattern, _)| pattern).collect();
            let is_known =
                |name: &str| known.contains(name) || patterns.iter().any(|pattern| self.shared.matches(pattern, name));
            let place = format!("{place}/{keyword}");
            for name in names_of(self.old_root, old).into_iter().filter(|name| !is_known(name)) {
                let before = field_of(self.shared, old, name);
                if schema == &Value::Bool(false) {
                    if !is_false(&before) {
                        self.change(&place, What::of("", format!("{name:?}"), ""));
                    }
                } else {
                    self.hold(&before, schema, &place);
                }
            }
            for (_, before) in patterns_of(old).filter(|(pattern, _)| !patterns.contains(pattern)) {
                self.hold(&[before], schema, &place);
            }
            self.hold(&unnamed_of(self.old_root, old, None), schema, &place);
        }
    }

    fn items(&mut self, old: &Old<'a>, new: &'a Map<String, Value>, place: &str) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a bound that is larger does not matter"
        )]
        let most = old.least("maxItems").map_or(usize::MAX, |most| most as usize);
        let first = list(new, "prefixItems");
        for (nth, schema) in first.iter().enumerate().take(most) {
            self.hold(&item_of(old, nth), schema, &format!("{place}/prefixItems/{nth}"));
        }
        if let Some(schema) = new.get("items") {
            let place = format!("{place}/items");
            let before = old
                .all("prefixItems")
                .filter_map(Value::as_array)
                .map(Vec::len)
                .max()
                .unwrap_or(0);
            for nth in (first.len()..=before.max(first.len())).take_while(|nth| *nth < most) {
                self.hold(&item_of(old, nth), schema, &place);
            }
        }
        // What is left depends on what was taken; a part that is the same as a whole was seen before.
        if new.contains_key("unevaluatedItems") {
            self.unproven(
                &format!("{place}/unevaluatedItems"),
                What::of("unevaluatedItems", "", ""),
            );
        }
        let alone = most <= 1 || old.all("uniqueItems").any(|before| before == &Value::Bool(true));
        if new.get("uniqueItems") == Some(&Value::Bool(true)) && !alone {
            self.change(&format!("{place}/uniqueItems"), What::of("uniqueItems", "", "true"));
        }
    }
}

fn named<'a>(schema: &'a Map<String, Value>, keyword: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let fields = schema.get(keyword).and_then(Value::as_object);
    fields
        .into_iter()
        .flatten()
        .map(|(name, schema)| (name.as_str(), schema))
}

/// All that the old side says of one field.
fn field_of<'a>(shared: &Shared, old: &Old<'a>, name: &str) -> Vec<&'a Value> {
    let mut all = Vec::new();
    for part in &old.parts {
        let own = named(part, "properties")
            .filter(|(known, _)| *known == name)
            .map(|(_, schema)| schema);
        let by_pattern = named(part, "patternProperties")
            .filter(|(pattern, _)| shared.matches(pattern, name))
            .map(|(_, schema)| schema);
        let said: Vec<_> = own.chain(by_pattern).collect();
        if said.is_empty() {
            all.extend(part.get("additionalProperties"));
        }
        all.extend(said);
    }
    all
}

fn patterns_of<'a>(old: &Old<'a>) -> impl Iterator<Item = (&'a str, &'a Value)> {
    old.parts.iter().flat_map(|part| named(part, "patternProperties"))
}

/// All that it says of a field that it does not name, of this pattern or of none.
fn unnamed_of<'a>(root: &'a Value, old: &Old<'a>, pattern: Option<&str>) -> Vec<&'a Value> {
    let of_part = |part: &'a Map<String, Value>| {
        let mut by_pattern = named(part, "patternProperties").filter(|(known, _)| Some(*known) == pattern);
        let said = by_pattern.next().map(|(_, schema)| schema);
        let closed = part.get("unevaluatedProperties").filter(|_| !opens(root, part, 0));
        said.or_else(|| part.get("additionalProperties")).or(closed)
    };
    old.parts.iter().filter_map(|part| of_part(part)).collect()
}

/// Does something that it asks of the same value let fields through that nobody names?
fn opens<'a>(root: &'a Value, schema: &'a Map<String, Value>, depth: usize) -> bool {
    let open = ["additionalProperties", "patternProperties", "unevaluatedProperties"];
    depth >= DEPTH_MAX
        || in_place(root, schema)
            .into_iter()
            .any(|inner| open.iter().any(|keyword| inner.contains_key(*keyword)) || opens(root, inner, depth + 1))
}

fn item_of<'a>(old: &Old<'a>, nth: usize) -> Vec<&'a Value> {
    let each = old
        .parts
        .iter()
        .filter_map(|part| list(part, "prefixItems").get(nth).or_else(|| part.get("items")));
    each.collect()
}

fn is_false(schemas: &[&Value]) -> bool {
    schemas.contains(&&Value::Bool(false))
}

/// Every field that the old side names, also in its conditions.
fn names_of<'a>(root: &'a Value, old: &Old<'a>) -> BTreeSet<&'a str> {
    let mut names = BTreeSet::new();
    for part in &old.parts {
        gather(root, part, &mut names, 0);
    }
    names
}

/// The names of fields in a schema and in all that it asks of the same value.
fn gather<'a>(root: &'a Value, schema: &'a Map<String, Value>, names: &mut BTreeSet<&'a str>, depth: usize) {
    names.extend(named(schema, "properties").map(|(name, _)| name));
    // The dialect lets no chain loop; the bound is for what costs too much to be looked at.
    if depth < DEPTH_MAX {
        for inner in in_place(root, schema) {
            gather(root, inner, names, depth + 1);
        }
    }
}

/// The schemas that it asks of the same value.
fn in_place<'a>(root: &'a Value, schema: &'a Map<String, Value>) -> Vec<&'a Map<String, Value>> {
    let several = ["allOf", "anyOf", "oneOf"]
        .into_iter()
        .flat_map(|keyword| list(schema, keyword));
    let one = ["if", "then", "else", "not"]
        .into_iter()
        .filter_map(|keyword| schema.get(keyword));
    let dependent = named(schema, "dependentSchemas").map(|(_, schema)| schema);
    let reference = schema.get("$ref").and_then(Value::as_str);
    let reference = reference.and_then(|reference| target(root, reference));
    let all = several.chain(one).chain(dependent).chain(reference);
    all.filter_map(Value::as_object).collect()
}

/// Does what it takes of a value depend on the value? Then nothing is known of what is left.
fn depends<'a>(root: &'a Value, schema: &'a Map<String, Value>, depth: usize) -> bool {
    let conditions = ["anyOf", "oneOf", "if", "not", "dependentSchemas"];
    let reference = schema
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|reference| target(root, reference));
    let mut inner = list(schema, "allOf")
        .iter()
        .chain(reference)
        .filter_map(Value::as_object);
    conditions.iter().any(|keyword| schema.contains_key(*keyword))
        || depth >= DEPTH_MAX
        || inner.any(|inner| {
            // What these let through besides their fields counts as taken as well.
            let open = ["additionalProperties", "patternProperties", "unevaluatedProperties"];
            open.iter().any(|keyword| inner.contains_key(*keyword)) || depends(root, inner, depth + 1)
        })
}

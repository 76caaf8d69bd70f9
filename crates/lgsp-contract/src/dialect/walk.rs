//! Goes through a schema once: every keyword known, every value of its kind, every reference within the file.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::place::{Place, pointer};
use super::{FORMATS, PLACES_MAX, VALUES_MAX, is_sound_pattern};
use crate::catalogue::{
    Broken, Entry, SCHEMA_DRAFT, SCHEMA_FORMAT, SCHEMA_KEYWORD, SCHEMA_PATTERN, SCHEMA_REFERENCE, SCHEMA_TOO_LARGE,
    SCHEMA_VALUE, escaped,
};
use crate::check::FINDINGS_MAX;

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// What a keyword takes, as far as it matters here; the rest is held against the draft's own schema.
#[derive(Clone, Copy)]
enum Takes {
    /// Said once, at the root.
    Root,
    Reference,
    Pattern,
    Format,
    Values,
    /// Numbers, texts and lists that hold no schema.
    Plain,
    /// For people.
    Note,
    Schema(Hands),
    Schemas(Hands),
    Named(Hands),
    /// As `Named`; each name is a pattern.
    Patterns,
}

/// Which list of [`Place`] a schema within a schema comes into.
#[derive(Clone, Copy)]
enum Hands {
    /// Only for reference.
    Nothing,
    InPlace,
    Named,
    Other,
    Beside,
}

fn takes(keyword: &str) -> Option<Takes> {
    Some(match keyword {
        "$schema" | "$id" => Takes::Root,
        "$ref" => Takes::Reference,
        "$defs" => Takes::Named(Hands::Nothing),
        "allOf" | "anyOf" | "oneOf" => Takes::Schemas(Hands::InPlace),
        "not" | "if" | "then" | "else" => Takes::Schema(Hands::InPlace),
        "dependentSchemas" => Takes::Named(Hands::InPlace),
        "properties" => Takes::Named(Hands::Named),
        "patternProperties" => Takes::Patterns,
        "prefixItems" => Takes::Schemas(Hands::Named),
        "additionalProperties" | "propertyNames" | "items" | "unevaluatedItems" | "unevaluatedProperties" => {
            Takes::Schema(Hands::Other)
        }
        "contains" => Takes::Schema(Hands::Beside),
        "pattern" => Takes::Pattern,
        "format" => Takes::Format,
        "enum" => Takes::Values,
        "type" | "const" | "multipleOf" | "maximum" | "exclusiveMaximum" | "minimum" | "exclusiveMinimum"
        | "maxLength" | "minLength" | "maxItems" | "minItems" | "uniqueItems" | "maxContains" | "minContains"
        | "maxProperties" | "minProperties" | "required" | "dependentRequired" => Takes::Plain,
        "title" | "description" | "$comment" | "default" | "examples" | "deprecated" | "readOnly" | "writeOnly" => {
            Takes::Note
        }
        other if other.starts_with("x-") => Takes::Note,
        _ => return None,
    })
}

/// Does this keyword say something to people only?
pub(crate) fn is_note(keyword: &str) -> bool {
    matches!(takes(keyword), Some(Takes::Note | Takes::Root)) || keyword == "$defs"
}

/// What the value of a keyword is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    Schema,
    Schemas,
    Named,
    Reference,
    Plain,
}

pub(crate) fn holds(keyword: &str) -> Holds {
    match takes(keyword) {
        Some(Takes::Schema(_)) => Holds::Schema,
        Some(Takes::Schemas(_)) => Holds::Schemas,
        Some(Takes::Named(_) | Takes::Patterns) => Holds::Named,
        Some(Takes::Reference) => Holds::Reference,
        Some(Takes::Root | Takes::Pattern | Takes::Format | Takes::Values | Takes::Plain | Takes::Note) | None => {
            Holds::Plain
        }
    }
}

/// # Errors
/// All that is wrong.
pub(super) fn walk(schema: &Value) -> Result<Vec<Place>, Vec<Broken>> {
    let mut walk = Walk::default();
    if schema.get("$schema").and_then(Value::as_str) != Some(DRAFT) {
        walk.report(&SCHEMA_DRAFT, "/$schema", &[]);
    }
    walk.schema(schema, String::new());
    walk.resolve();
    if walk.places.len() > PLACES_MAX {
        walk.report(&SCHEMA_TOO_LARGE, "/", &[&PLACES_MAX, &"schema"]);
    }
    if walk.broken.is_empty() {
        Ok(walk.places)
    } else {
        Err(walk.broken)
    }
}

#[derive(Default)]
struct Walk {
    places: Vec<Place>,
    /// The place that refers, where it does so, and where to.
    references: Vec<(usize, String, Option<String>)>,
    broken: Vec<Broken>,
}

impl Walk {
    fn schema(&mut self, schema: &Value, path: String) -> usize {
        let index = self.places.len();
        self.places.push(Place {
            pointer: path.clone(),
            ..Place::default()
        });
        match schema {
            Value::Object(keywords) => {
                for (keyword, value) in keywords {
                    // An own name of the file, not one that a sender chose: never cut.
                    let path = format!("{path}/{}", pointer_step(keyword));
                    self.keyword(index, keyword, value, path);
                }
            }
            Value::Bool(_) => {}
            Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                self.report(&SCHEMA_VALUE, &path, &[])
            }
        }
        index
    }

    fn keyword(&mut self, index: usize, keyword: &str, value: &Value, path: String) {
        let Some(takes) = takes(keyword) else {
            return self.report(&SCHEMA_KEYWORD, &path, &[]);
        };
        match (takes, value) {
            (Takes::Note | Takes::Plain, _) => {}
            (Takes::Root, Value::String(_)) if index == 0 => {}
            (Takes::Root, _) => self.report(&SCHEMA_KEYWORD, &path, &[]),
            (Takes::Reference, Value::String(to)) => self.references.push((index, path, pointer(to))),
            (Takes::Pattern, Value::String(pattern)) => self.pattern(pattern, &path),
            (Takes::Format, Value::String(format)) if FORMATS.contains(&format.as_str()) => {}
            (Takes::Format, Value::String(_)) => self.report(&SCHEMA_FORMAT, &path, &[&FORMATS.join(", ")]),
            (Takes::Values, Value::Array(values)) if values.len() <= VALUES_MAX => {}
            (Takes::Values, Value::Array(_)) => self.report(&SCHEMA_TOO_LARGE, &path, &[&VALUES_MAX, &"enum"]),
            (Takes::Schema(hands), schema) => {
                if keyword.starts_with("unevaluated") {
                    self.place(index).asks_twice = true;
                }
                let inner = self.schema(schema, path);
                self.hand(index, hands, inner);
            }
            (Takes::Schemas(hands), Value::Array(schemas)) => {
                for (nth, schema) in schemas.iter().enumerate() {
                    let inner = self.schema(schema, format!("{path}/{nth}"));
                    self.hand(index, hands, inner);
                }
            }
            (Takes::Named(hands), Value::Object(schemas)) => {
                for (inner, _) in self.each(schemas, &path) {
                    self.hand(index, hands, inner);
                }
            }
            (Takes::Patterns, Value::Object(schemas)) => {
                for (inner, pattern) in self.each(schemas, &path) {
                    self.place(index).over.push(inner);
                    self.pattern(pattern, &format!("{path}/{}", pointer_step(pattern)));
                }
            }
            _ => self.report(&SCHEMA_VALUE, &path, &[]),
        }
    }

    fn each<'a>(&mut self, schemas: &'a Map<String, Value>, path: &str) -> Vec<(usize, &'a str)> {
        let each = schemas.iter().map(|(name, schema)| {
            let inner = self.schema(schema, format!("{path}/{}", pointer_step(name)));
            (inner, name.as_str())
        });
        each.collect()
    }

    fn pattern(&mut self, pattern: &str, path: &str) {
        if !is_sound_pattern(pattern) {
            self.report(&SCHEMA_PATTERN, path, &[]);
        }
    }

    fn place(&mut self, index: usize) -> &mut Place {
        #[expect(clippy::indexing_slicing, reason = "an index is that of a place that was pushed")]
        &mut self.places[index]
    }

    fn hand(&mut self, index: usize, hands: Hands, inner: usize) {
        let place = self.place(index);
        match hands {
            Hands::Nothing => {}
            Hands::InPlace => place.in_place.push(inner),
            Hands::Named => place.named.push(inner),
            Hands::Other => place.other.push(inner),
            Hands::Beside => place.beside.push(inner),
        }
    }

    /// A reference leads to a schema: not into an `enum`, nor out of the file.
    fn resolve(&mut self) {
        let numbered = self.places.iter().enumerate();
        let by_pointer: HashMap<String, usize> =
            numbered.map(|(index, place)| (place.pointer.clone(), index)).collect();
        for (index, path, to) in std::mem::take(&mut self.references) {
            match to.and_then(|to| by_pointer.get(&to)) {
                Some(target) => self.place(index).in_place.push(*target),
                None => self.report(&SCHEMA_REFERENCE, &path, &[]),
            }
        }
    }

    fn report(&mut self, entry: &Entry, path: &str, arguments: &[&dyn std::fmt::Display]) {
        if self.broken.len() < FINDINGS_MAX {
            let path = path
                .split('/')
                .map(|step| escaped(&unescaped(step)))
                .collect::<Vec<_>>()
                .join("/");
            self.broken.push(entry.at(path, arguments));
        }
    }
}

fn pointer_step(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn unescaped(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

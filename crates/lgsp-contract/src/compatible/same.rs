//! Do two schemas say the same? Notes for people aside, through references, as they are written.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::Comparison;
use crate::dialect::{Holds, holds, is_note, target};

/// Pairs that are being looked at: what refers to itself ends here.
type Open = HashSet<(usize, usize)>;

impl<'a> Comparison<'a> {
    pub(super) fn same(&self, before: &'a Map<String, Value>, now: &'a Map<String, Value>) -> bool {
        self.alike_keywords(before, now, &mut Open::new())
    }

    /// Only these keywords; one that stands on one side alone is a difference.
    pub(super) fn same_in(
        &self,
        before: &'a Map<String, Value>,
        now: &'a Map<String, Value>,
        keywords: &[&str],
    ) -> bool {
        keywords
            .iter()
            .all(|keyword| match (before.get(*keyword), now.get(*keyword)) {
                (Some(before), Some(now)) => self.alike_keyword(keyword, before, now, &mut Open::new()),
                (None, None) => true,
                _ => false,
            })
    }

    fn alike(&self, before: &'a Value, now: &'a Value, open: &mut Open) -> bool {
        let (before, now) = (referred(self.old_root, before), referred(self.new_root, now));
        let pair = (std::ptr::from_ref(before) as usize, std::ptr::from_ref(now) as usize);
        if !open.insert(pair) {
            return true;
        }
        match (before, now) {
            (Value::Object(before), Value::Object(now)) => self.alike_keywords(before, now, open),
            _ => before == now,
        }
    }

    fn alike_keywords(&self, before: &'a Map<String, Value>, now: &'a Map<String, Value>, open: &mut Open) -> bool {
        let (before, now) = (said(before), said(now));
        let mut pairs = before.iter().zip(&now);
        before.len() == now.len()
            && pairs.all(|((keyword, before), (other, now))| {
                keyword == other && self.alike_keyword(keyword, before, now, open)
            })
    }

    fn alike_keyword(&self, keyword: &str, before: &'a Value, now: &'a Value, open: &mut Open) -> bool {
        match (holds(keyword), before, now) {
            (Holds::Reference, Value::String(before), Value::String(now)) => {
                match (target(self.old_root, before), target(self.new_root, now)) {
                    (Some(before), Some(now)) => self.alike(before, now, open),
                    _ => false,
                }
            }
            (Holds::Schema, before, now) => self.alike(before, now, open),
            (Holds::Schemas, Value::Array(before), Value::Array(now)) => {
                let mut pairs = before.iter().zip(now);
                before.len() == now.len() && pairs.all(|(before, now)| self.alike(before, now, open))
            }
            (Holds::Named, Value::Object(before), Value::Object(now)) => {
                let mut pairs = before.iter().zip(now);
                before.len() == now.len()
                    && pairs.all(|((name, before), (other, now))| name == other && self.alike(before, now, open))
            }
            _ => before == now,
        }
    }
}

/// The keywords that mean something.
fn said(schema: &Map<String, Value>) -> Vec<(&String, &Value)> {
    schema.iter().filter(|(keyword, _)| !is_note(keyword)).collect()
}

/// What says nothing but a reference is what it refers to.
fn referred<'a>(root: &'a Value, mut schema: &'a Value) -> &'a Value {
    // The dialect lets no chain of references loop.
    while let Value::Object(keywords) = schema
        && let [(keyword, Value::String(reference))] = said(keywords).as_slice()
        && *keyword == "$ref"
        && let Some(target) = target(root, reference)
    {
        schema = target;
    }
    schema
}

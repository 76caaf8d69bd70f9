//! What one comparison has spent, its trials included, and the patterns it has compiled.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::dialect::options;

/// Steps of one comparison; once they are spent nothing more is shown, and all that is left is told as unproven.
const STEPS_MAX: usize = 1_000_000;
/// A pair of schemas costs as much as this many names held against patterns.
const STEPS_OF_A_PAIR: usize = 50;

#[derive(Debug, Default)]
pub(super) struct Shared {
    steps: Cell<usize>,
    patterns: RefCell<HashMap<String, Option<Validator>>>,
}

impl Shared {
    /// Counts one pair of schemas; are there no steps left?
    pub(super) fn is_spent_by_pair(&self) -> bool {
        self.spend(STEPS_OF_A_PAIR);
        self.steps.get() > STEPS_MAX
    }

    fn spend(&self, steps: usize) {
        self.steps.set(self.steps.get().saturating_add(steps));
    }

    pub(super) fn matches(&self, pattern: &str, name: &str) -> bool {
        self.spend(1);
        let mut patterns = self.patterns.borrow_mut();
        let compiled = patterns
            .entry(pattern.to_owned())
            .or_insert_with(|| options().build(&json!({ "pattern": pattern })).ok());
        let name = Value::String(name.to_owned());
        compiled.as_ref().is_some_and(|compiled| compiled.is_valid(&name))
    }
}

//! The texts of contracts in the control ledger: each version once, and for ever as it first was, so that whatever was
//! accepted can be held against the rules of that moment.

use std::sync::Arc;

use lgsp_types::ContractRef;
use thiserror::Error;

use crate::change::{CHANGE_SET_MAX_BYTES, Change, ChangeSet, Source};
use crate::control::Control;
use crate::import::PlannedChangeSet;
use crate::model::ContractText;
use crate::object::{Object, ObjectRef};

/// Why a contract is not taken into the control ledger.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ContractNotTaken {
    /// Put the text back as it was, and make the change in a new version.
    #[error("{contract} is in force with another text, and a version is never changed")]
    Fixed { contract: ContractRef },
    /// Make it shorter, or cut it into several contracts.
    #[error("{contract} with {bytes} bytes does not fit into one change, which takes {CHANGE_SET_MAX_BYTES}")]
    TooLarge { contract: ContractRef, bytes: usize },
}

/// Plans one change set for each version that the control ledger does not hold. A version that is known and not among
/// them stays in force.
///
/// # Errors
/// Everything that is not taken; nothing is planned.
pub fn plan_contracts(
    control: &Control,
    texts: Vec<ContractText>,
) -> Result<Vec<PlannedChangeSet>, Vec<ContractNotTaken>> {
    let mut planned = Vec::new();
    let mut not_taken = Vec::new();
    for text in texts {
        let contract = text.id.clone();
        let reference = ObjectRef::Contract(contract.clone());
        let wanted = Object::Contract(Arc::new(text));
        match control.head(&reference) {
            (_, Some(present)) if present == wanted => {}
            (_, Some(_)) => not_taken.push(ContractNotTaken::Fixed { contract }),
            (predecessor, None) => {
                let change = Change {
                    object: reference,
                    predecessor,
                    content: Some(wanted),
                    said: None,
                };
                let change_set = ChangeSet {
                    source: Source::File(contract.to_string()),
                    changes: vec![change],
                };
                let bytes = change_set.to_bytes();
                if bytes.len() > CHANGE_SET_MAX_BYTES {
                    let bytes = bytes.len();
                    not_taken.push(ContractNotTaken::TooLarge { contract, bytes });
                } else {
                    planned.push(PlannedChangeSet { bytes, objects: 1 });
                }
            }
        }
    }
    if not_taken.is_empty() {
        Ok(planned)
    } else {
        Err(not_taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Void;

    fn text(contract: &str, schema: &str) -> ContractText {
        ContractText {
            id: ContractRef::parse(contract).unwrap(),
            schema: schema.to_owned(),
            settings: "[title]".to_owned(),
        }
    }

    fn control_with(texts: Vec<ContractText>) -> Control {
        let mut control = Control::default();
        for set in plan_contracts(&control, texts).unwrap() {
            control.apply(ChangeSet::event_id(&set.bytes), &set.bytes).unwrap();
        }
        control
    }

    #[test]
    fn a_contract_is_taken_once_and_stays_when_its_folder_goes() {
        let control = control_with(vec![text("a/1", "{}"), text("a/2", "{}")]);
        assert_eq!(plan_contracts(&control, vec![text("a/1", "{}")]), Ok(vec![]));
        let kept: Vec<_> = control.contracts().map(|contract| contract.id.to_string()).collect();
        assert_eq!(kept, ["a/1", "a/2"]);
    }

    #[test]
    fn a_version_that_is_in_force_is_never_changed_not_even_by_a_change_set_made_by_hand() {
        let mut control = control_with(vec![text("a/1", "{}")]);
        let contract = ContractRef::parse("a/1").unwrap();
        let told = plan_contracts(&control, vec![text("a/1", "{\"type\":\"object\"}"), text("b/1", "{}")]);
        assert_eq!(
            told,
            Err(vec![ContractNotTaken::Fixed {
                contract: contract.clone()
            }])
        );
        let reference = ObjectRef::Contract(contract.clone());
        for content in [None, Some(Object::Contract(Arc::new(text("a/1", "true"))))] {
            let (predecessor, _) = control.head(&reference);
            let change = Change {
                object: reference.clone(),
                predecessor,
                content,
                said: None,
            };
            let set = ChangeSet {
                source: Source::Person("7".to_owned()),
                changes: vec![change],
            };
            let bytes = set.to_bytes();
            let applied = control.apply(ChangeSet::event_id(&bytes), &bytes);
            assert_eq!(applied, Err(Void::ContractFixed(contract.clone())));
        }
    }

    #[test]
    fn a_contract_that_no_fact_holds_is_told_before_it_is_written() {
        let long = format!("\"{}\"", "x".repeat(CHANGE_SET_MAX_BYTES));
        let told = plan_contracts(&Control::default(), vec![text("a/1", &long)]);
        assert!(matches!(told.unwrap_err()[..], [ContractNotTaken::TooLarge { .. }]));
    }
}

//! One object changed by one person, who says which text of it the change is made of. Source: exchange.md section 7.

use thiserror::Error;

use crate::change::{Change, ChangeSet, Source};
use crate::check;
use crate::control::Control;
use crate::file::{ConfigError, RegistryFile, in_order, object_text};
use crate::import::{PlannedChangeSet, located};
use crate::object::ObjectRef;

/// What a mistake in an edited object is said of.
const EDITED: &str = "object";

/// Why an edit comes to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EditError {
    /// Correct what is named.
    #[error("the object has {} mistakes", .0.len())]
    Wrong(Vec<ConfigError>),
    /// Look at what it is now, and decide again.
    #[error("{0} was changed meanwhile: this was made from an older text of it")]
    Overtaken(ObjectRef),
    /// Nothing to do.
    #[error("{0} says that already")]
    NoNews(ObjectRef),
}

/// The text of an object to be edited: a registry file of one table, with the change set that made it so.
///
/// None: the object is not there, or no more.
#[must_use]
pub fn text_to_edit(control: &Control, object: &ObjectRef) -> Option<String> {
    let (head, content) = control.head(object);
    let (head, content) = (head?, content?);
    Some(format!(
        "format = 1\npredecessor = \"{head}\"\n\n{}",
        object_text(&content)
    ))
}

/// Plans the change of the one object that this text holds, as [`text_to_edit`] wrote it; without `predecessor` it must be
/// one that never was.
///
/// # Errors
/// [`EditError`]; nothing is planned.
pub fn plan_edit(control: &Control, person: &str, text: &str) -> Result<PlannedChangeSet, EditError> {
    let file = RegistryFile::read_edit(EDITED, text).map_err(EditError::Wrong)?;
    let [(object, content)] = &file.objects.iter().collect::<Vec<_>>()[..] else {
        let what = format!("{} objects stand there, not one", file.objects.len());
        let mend = "edit one object at a time, or apply it as a file";
        return Err(EditError::Wrong(vec![file.whole(&check::CONFIG_FIELD, what, mend)]));
    };
    let (head, present) = control.head(object);
    if present.as_ref() == Some(*content) {
        return Err(EditError::NoNews((*object).clone()));
    }
    if head != file.predecessor {
        return Err(EditError::Overtaken((*object).clone()));
    }
    let mut after = control.objects().clone();
    after.set(object, Some((*content).clone()));
    let mut contradictions = check::check_all(&after);
    contradictions.extend(check::check_written(&after, std::iter::once(*content)));
    if !contradictions.is_empty() {
        return Err(EditError::Wrong(in_order(located(&file, contradictions))));
    }
    let change = Change {
        object: (*object).clone(),
        predecessor: head,
        content: Some((*content).clone()),
        said: None,
    };
    let set = ChangeSet {
        source: Source::Person(person.to_owned()),
        changes: vec![change],
    };
    Ok(PlannedChangeSet {
        bytes: set.to_bytes(),
        objects: 1,
    })
}

#[cfg(test)]
mod tests;

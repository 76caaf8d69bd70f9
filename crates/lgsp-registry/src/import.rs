//! Import of a file: which objects it changes, which it has to leave, and in how many change sets.
//!
//! A file speaks only where its own text changed since its last import (exchange.md section 7). For each object:
//!
//! | the file says | the ledger has | then |
//! |---|---|---|
//! | the same as last time | anything | nothing: the file has no news |
//! | something new | what this file made, or nothing | it is changed |
//! | something new | the same already, made by somebody else | recorded as said by the file too |
//! | something new | what somebody else made since | left, told |
//! | nothing any more | anything but an agency, as this file made it | it is removed |
//! | nothing any more | an agency as this file made it | left, told: an agency is closed, not forgotten |
//! | nothing any more | what another file has taken over | nothing: it moved |
//! | nothing any more | what somebody else made since | left, told |

mod split;

use std::fmt;

use bytes::Bytes;

use crate::change::{Change, Source, said};
use crate::check::{self, Contradiction};
use crate::control::Control;
use crate::file::{ConfigError, RegistryFile, in_order};
use crate::object::{Object, ObjectRef};

/// What an import will change once its change sets are in the control ledger, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Import {
    /// None if the file has no news. If one turns out void, plan again.
    pub change_sets: Vec<PlannedChangeSet>,
    /// What the file cannot change by itself, in the order of ids.
    pub left: Vec<Left>,
}

/// One change set to be appended; its event id is [`crate::ChangeSet::event_id`] of the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedChangeSet {
    pub bytes: Bytes,
    /// How many objects it changes.
    pub objects: usize,
}

/// An object that is left as the ledger has it, and waits for a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    pub object: ObjectRef,
    /// Its line in the file; none if it stands there no more.
    pub line: Option<usize>,
    pub why: WhyLeft,
    /// What the file says it is; none: nothing any more.
    pub wanted: Option<Object>,
}

/// Why a file does not change an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyLeft {
    /// Somebody else changed it since this file's last import.
    ChangedElsewhere,
    /// It is an agency that the file no longer names. An agency is closed with a last day, so that its codes and its
    /// messages keep their meaning.
    AgencyGone,
}

/// What becomes of the objects that would be left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Take {
    /// They are left and told.
    #[default]
    Neither,
    /// The file is right: they become what it says; what it no longer names is removed, agencies too.
    File,
    /// The ledger is right: they stay, and the file is not asked again until its text changes.
    Ledger,
}

impl fmt::Display for Left {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.object)?;
        if let Some(line) = self.line {
            write!(out, " (line {line})")?;
        }
        out.write_str(match self.why {
            WhyLeft::ChangedElsewhere => {
                ": changed elsewhere since this file was last imported; decide which of the two is right with `lgsp \
                 registry apply --take`"
            }
            WhyLeft::AgencyGone => {
                ": an agency that the file no longer names; put it back, closed with a last day and its successors, or \
                 remove it on purpose if it never was one"
            }
        })
    }
}

/// Plans what an import of this file changes; objects changed elsewhere are left.
///
/// The file's own name says which file it is, wherever it lies. Everything it names stands in it, or was imported
/// before it.
///
/// # Errors
/// Every mistake in the file, with its line. Nothing is planned.
pub fn plan_import(control: &Control, file_name: &str, text: &str) -> Result<Import, Vec<ConfigError>> {
    plan_import_taking(control, file_name, text, Take::Neither)
}

/// As [`plan_import`], with a decision on what would be left.
///
/// # Errors
/// Every mistake in the file, with its line. Nothing is planned.
pub fn plan_import_taking(
    control: &Control,
    file_name: &str,
    text: &str,
    take: Take,
) -> Result<Import, Vec<ConfigError>> {
    let file = RegistryFile::read(file_name, text)?;
    let mut plan = Plan {
        control,
        file_name,
        take,
        changes: Vec::new(),
        left: Vec::new(),
    };
    for (reference, object) in &file.objects {
        plan.written(reference, object, file.line(reference));
    }
    for reference in control.said(file_name).into_iter().flat_map(|words| words.keys()) {
        if !file.objects.contains_key(reference) {
            plan.gone(reference);
        }
    }
    let Plan { changes, mut left, .. } = plan;
    left.sort_by(|one, other| one.object.cmp(&other.object));
    let mut after = control.objects().clone();
    for change in &changes {
        after.set(&change.object, change.content.clone());
    }
    let mut contradictions = check::check_all(&after);
    // What says only what is there already is not written anew.
    let is_new = |change: &&Change| control.head(&change.object).1 != change.content;
    let written = changes
        .iter()
        .filter(is_new)
        .filter_map(|change| change.content.as_ref());
    contradictions.extend(check::check_written(&after, written));
    if !contradictions.is_empty() {
        return Err(located(&file, contradictions));
    }
    let source = Source::File(file_name.to_owned());
    let change_sets =
        split::into_change_sets(control.objects(), &source, changes).map_err(|stuck| vec![stuck.told(&file)])?;
    Ok(Import { change_sets, left })
}

/// What has to be corrected in this file; only if nothing in it is wrong by itself, what another file says.
pub(crate) fn located(file: &RegistryFile, contradictions: Vec<Contradiction>) -> Vec<ConfigError> {
    let (mut here, elsewhere): (Vec<_>, Vec<_>) = contradictions
        .into_iter()
        .partition(|contradiction| file.objects.contains_key(&contradiction.object));
    if here.is_empty() {
        here = elsewhere;
    }
    in_order(
        here.into_iter()
            .map(|contradiction| file.located(contradiction))
            .collect(),
    )
}

struct Plan<'a> {
    control: &'a Control,
    file_name: &'a str,
    take: Take,
    changes: Vec<Change>,
    left: Vec<Left>,
}

impl Plan<'_> {
    /// An object that stands in the file.
    fn written(&mut self, reference: &ObjectRef, object: &Object, line: Option<usize>) {
        let last = self.control.said(self.file_name).and_then(|words| words.get(reference));
        if last.is_some_and(|last| last.digest == said(Some(object))) {
            return;
        }
        let (head, present) = self.control.head(reference);
        let is_own = last.map(|last| last.event) == head;
        // Nobody's word is overruled where there is nothing, or where all say the same.
        let is_undisputed = present.is_none() && last.is_none() || present.as_ref() == Some(object);
        if is_own || is_undisputed {
            self.change(reference, Some(object.clone()));
        } else {
            self.disputed(reference, Some(object), line, WhyLeft::ChangedElsewhere);
        }
    }

    /// An object that stood in the file at its last import and does so no more.
    fn gone(&mut self, reference: &ObjectRef) {
        let last = self.control.said(self.file_name).and_then(|words| words.get(reference));
        let (head, present) = self.control.head(reference);
        let is_known = last.is_none_or(|last| last.digest == said(None));
        if is_known || present.is_none() || self.control.is_of_another_file(self.file_name, reference) {
            return;
        }
        let is_own = last.map(|last| last.event) == head;
        match (is_own, reference) {
            (true, ObjectRef::System(_) | ObjectRef::Connector(_) | ObjectRef::Adapter(_) | ObjectRef::Grant(_)) => {
                self.change(reference, None)
            }
            (true, ObjectRef::Agency(_)) => self.disputed(reference, None, None, WhyLeft::AgencyGone),
            // No file of these names a contract.
            (true, ObjectRef::Contract(_)) => {}
            (false, _) => self.disputed(reference, None, None, WhyLeft::ChangedElsewhere),
        }
    }

    fn change(&mut self, reference: &ObjectRef, content: Option<Object>) {
        let (predecessor, _) = self.control.head(reference);
        self.changes.push(Change {
            object: reference.clone(),
            predecessor,
            content,
            said: None,
        });
    }

    fn disputed(&mut self, reference: &ObjectRef, wanted: Option<&Object>, line: Option<usize>, why: WhyLeft) {
        match self.take {
            Take::Neither => self.left.push(Left {
                object: reference.clone(),
                line,
                why,
                wanted: wanted.cloned(),
            }),
            Take::File => self.change(reference, wanted.cloned()),
            Take::Ledger => {
                let (predecessor, content) = self.control.head(reference);
                self.changes.push(Change {
                    object: reference.clone(),
                    predecessor,
                    content,
                    said: Some(said(wanted)),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests;

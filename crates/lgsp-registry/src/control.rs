//! The control ledger folded: change sets in the order of the log, each whole or void. Source: exchange.md section 7.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::sync::{Arc, OnceLock};

use lgsp_types::{ContractRef, Digest, EventId};
use thiserror::Error;

use crate::change::{Change, ChangeSet, Source, said};
use crate::check::{self, Contradiction};
use crate::model::ContractText;
use crate::object::{Object, ObjectRef, Objects};
use crate::registry::Registry;

/// What all change sets so far have made: the same sets in the same order always make the same.
#[derive(Clone, Debug, Default)]
pub struct Control {
    objects: Objects,
    /// The change set that made each object what it is, also of those that are no more.
    heads: BTreeMap<ObjectRef, EventId>,
    /// What each file said at its last import.
    files: BTreeMap<String, BTreeMap<ObjectRef, Said>>,
    /// Who made each change set that is in force, or was.
    applied: HashMap<EventId, Source>,
    /// Made when first asked for after a change.
    registry: OnceLock<Arc<Registry>>,
}

/// The last word of a file on an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) digest: Digest,
    /// The change set in which it was said.
    pub(crate) event: EventId,
}

/// Why a change set changes nothing. Whoever edited is told, and begins anew from what the registry now says.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Void {
    /// A mistake of the program that wrote it.
    #[error("the change set cannot be read: {what}")]
    Unreadable { what: String },
    /// Stop: a later build wrote it and may have applied it, so that what follows cannot be judged by this one.
    #[error("the change set has format {format}, which this build does not know")]
    UnknownFormat { format: u32 },
    /// A mistake of the program that wrote it.
    #[error("the change set does not belong to its id")]
    ForeignId,
    /// The same fact was written twice; the first is in force.
    #[error("the change set was applied before")]
    Repeated,
    /// Look at what it is now, and decide again.
    #[error("changed by somebody else meanwhile: {}", list(.0))]
    Overtaken(Vec<ObjectRef>),
    /// Make a new version: what was accepted under a version is explained by it for ever.
    #[error("a version of a contract is never changed: {0}")]
    ContractFixed(ContractRef),
    /// Correct what is named.
    #[error("the registry would contradict itself: {}", list(.0))]
    Contradicts(Vec<Contradiction>),
}

/// Most objects or contradictions in one text; the rest is counted.
const LISTED_MAX: usize = 10;

fn list<T: Display>(items: &[T]) -> String {
    let listed = items.iter().take(LISTED_MAX).map(ToString::to_string);
    let mut text = listed.collect::<Vec<_>>().join(", ");
    if let Some(more) = items.len().checked_sub(LISTED_MAX).filter(|more| *more > 0) {
        text += &format!(", and {more} more");
    }
    text
}

impl Control {
    /// Takes the next change set of the log: all of it, or nothing.
    ///
    /// # Errors
    /// [`Void`]: nothing changed. On [`Void::UnknownFormat`] the node stops reading and serving.
    pub fn apply(&mut self, event_id: EventId, bytes: &[u8]) -> Result<(), Void> {
        if ChangeSet::event_id(bytes) != event_id {
            return Err(Void::ForeignId);
        }
        if self.applied.contains_key(&event_id) {
            return Err(Void::Repeated);
        }
        let ChangeSet { source, changes } = ChangeSet::read(bytes)?;
        self.still_heads(&changes)?;
        contracts_stay(&changes)?;
        let next = self.objects_after(&changes)?;
        self.objects = next;
        self.registry = OnceLock::new();
        for change in changes {
            if let Source::File(file) = &source {
                let digest = change.said.unwrap_or_else(|| said(change.content.as_ref()));
                let said = Said {
                    digest,
                    event: event_id,
                };
                let words = self.files.entry(file.clone()).or_default();
                words.insert(change.object.clone(), said);
            }
            self.heads.insert(change.object, event_id);
        }
        self.applied.insert(event_id, source);
        Ok(())
    }

    /// The registry as all change sets so far have made it; it never changes.
    #[must_use]
    pub fn registry(&self) -> Arc<Registry> {
        let made = self.registry.get_or_init(|| Arc::new(Registry::new(&self.objects)));
        Arc::clone(made)
    }

    /// The predecessor that the next change of this object has to name, and what the object is now.
    #[must_use]
    pub fn head(&self, object: &ObjectRef) -> (Option<EventId>, Option<Object>) {
        (self.heads.get(object).copied(), self.objects.get(object))
    }

    /// Every version of every contract, by name and version.
    pub fn contracts(&self) -> impl Iterator<Item = &Arc<ContractText>> {
        self.objects.contracts.values()
    }

    /// Who made a change set that is in force, or was; none: it is void, or unknown.
    #[must_use]
    pub fn source(&self, event: &EventId) -> Option<&Source> {
        self.applied.get(event)
    }

    /// Every object that is or was.
    #[cfg(test)]
    pub(crate) fn heads(&self) -> impl Iterator<Item = &ObjectRef> {
        self.heads.keys()
    }

    pub(crate) const fn objects(&self) -> &Objects {
        &self.objects
    }

    /// What a file said at its last import, object by object.
    pub(crate) fn said(&self, file: &str) -> Option<&BTreeMap<ObjectRef, Said>> {
        self.files.get(file)
    }

    /// Whether a file other than this one made the object what it is.
    pub(crate) fn is_of_another_file(&self, file: &str, object: &ObjectRef) -> bool {
        let head = self.heads.get(object);
        let others = self.files.iter().filter(|(name, _)| *name != file);
        others
            .filter_map(|(_, words)| words.get(object))
            .any(|said| Some(&said.event) == head)
    }

    fn still_heads(&self, changes: &[Change]) -> Result<(), Void> {
        let overtaken = changes
            .iter()
            .filter(|change| change.predecessor.as_ref() != self.heads.get(&change.object));
        let overtaken: Vec<ObjectRef> = overtaken.map(|change| change.object.clone()).collect();
        if overtaken.is_empty() {
            Ok(())
        } else {
            Err(Void::Overtaken(overtaken))
        }
    }

    fn objects_after(&self, changes: &[Change]) -> Result<Objects, Void> {
        let contents = changes.iter().filter_map(|change| change.content.as_ref());
        let mut found: Vec<Contradiction> = contents.flat_map(check::check_one).collect();
        let mut next = self.objects.clone();
        for change in changes {
            next.set(&change.object, change.content.clone());
        }
        if found.is_empty() {
            found = check::check_all(&next);
        }
        if found.is_empty() {
            Ok(next)
        } else {
            Err(Void::Contradicts(found))
        }
    }
}

/// A contract is there for ever as it first was.
fn contracts_stay(changes: &[Change]) -> Result<(), Void> {
    let fixed = changes.iter().find_map(|change| match &change.object {
        ObjectRef::Contract(contract) if change.predecessor.is_some() || change.content.is_none() => Some(contract),
        ObjectRef::Agency(_)
        | ObjectRef::System(_)
        | ObjectRef::Connector(_)
        | ObjectRef::Adapter(_)
        | ObjectRef::Grant(_)
        | ObjectRef::Contract(_) => None,
    });
    fixed.map_or(Ok(()), |contract| Err(Void::ContractFixed(contract.clone())))
}

#[cfg(test)]
mod tests;

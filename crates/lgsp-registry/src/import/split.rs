//! Many changes as few change sets, each small enough for one fact and each leaving a registry that can stand.

use std::collections::{BTreeMap, HashMap, HashSet};

use lgsp_types::AgencyId;

use super::PlannedChangeSet;
use crate::change::{CHANGE_SET_MAX_BYTES, Change, ChangeSet, Source};
use crate::check::{self, CONFIG_TOO_LARGE};
use crate::file::{ConfigError, RegistryFile};
use crate::model::Agency;
use crate::object::{Object, ObjectRef, Objects};

/// More than any set needs beside its changes: format, source and brackets.
const FRAME_BYTES: usize = 512;

/// These many changes belong together, and one fact does not hold them.
#[derive(Debug)]
pub(super) struct Stuck {
    changes: usize,
}

impl Stuck {
    pub(super) fn told(&self, file: &RegistryFile) -> ConfigError {
        let what = format!(
            "the {} changes that are left refer to one another, and no part of them fits into {CHANGE_SET_MAX_BYTES} \
             bytes by itself",
            self.changes
        );
        file.whole(
            &CONFIG_TOO_LARGE,
            what,
            "make the changes in several steps, an import after each",
        )
    }
}

/// Cuts the changes into sets. One set if they fit; else what is named goes before what names it.
pub(super) fn into_change_sets(
    before: &Objects,
    source: &Source,
    changes: Vec<Change>,
) -> Result<Vec<PlannedChangeSet>, Stuck> {
    let mut sets = Vec::new();
    let mut objects = before.clone();
    let mut rest = in_order_of_reference(changes);
    while !rest.is_empty() {
        let Some(count) = cut(&objects, &rest) else {
            return Err(Stuck { changes: rest.len() });
        };
        let later = rest.split_off(count);
        for change in &rest {
            objects.set(&change.object, change.content.clone());
        }
        rest.sort_by(|one, other| one.object.cmp(&other.object));
        let change_set = ChangeSet {
            source: source.clone(),
            changes: rest,
        };
        sets.push(PlannedChangeSet {
            bytes: change_set.to_bytes(),
            objects: count,
        });
        rest = later;
    }
    Ok(sets)
}

/// How many of the changes, from the first on, make a set: as many as fit and stand together.
fn cut(before: &Objects, changes: &[Change]) -> Option<usize> {
    let mut length = FRAME_BYTES;
    let fitting = changes.iter().take_while(|change| {
        length += change.length();
        length <= CHANGE_SET_MAX_BYTES
    });
    let fitting = fitting.count();
    // All that is left has been checked together already.
    if fitting == changes.len() {
        return Some(fitting);
    }
    (1..=fitting).rev().find(|count| {
        let mut after = before.clone();
        for change in changes.iter().take(*count) {
            after.set(&change.object, change.content.clone());
        }
        check::check_all(&after).is_empty()
    })
}

/// Agencies after their parents and successors, then systems, connectors, adapters, grants; what is removed last, backwards.
fn in_order_of_reference(changes: Vec<Change>) -> Vec<Change> {
    let (kept, mut removed): (Vec<Change>, Vec<Change>) =
        changes.into_iter().partition(|change| change.content.is_some());
    let ranks = ranks(&kept);
    let rank = |change: &Change| match &change.object {
        ObjectRef::Agency(id) => ranks.get(id).copied().unwrap_or(0),
        ObjectRef::System(_) => usize::MAX - 3,
        ObjectRef::Connector(_) => usize::MAX - 2,
        ObjectRef::Adapter(_) => usize::MAX - 1,
        ObjectRef::Grant(_) | ObjectRef::Contract(_) => usize::MAX,
    };
    let mut ordered = kept;
    ordered.sort_by(|one, other| (rank(one), &one.object).cmp(&(rank(other), &other.object)));
    removed.sort_by(|one, other| other.object.cmp(&one.object));
    ordered.extend(removed);
    ordered
}

/// For each changed agency, after how many others it can stand.
fn ranks(changes: &[Change]) -> HashMap<AgencyId, usize> {
    let agencies: BTreeMap<&AgencyId, &Agency> = changes
        .iter()
        .filter_map(|change| match &change.content {
            Some(Object::Agency(agency)) => Some((&agency.id, agency.as_ref())),
            Some(
                Object::System(_) | Object::Connector(_) | Object::Adapter(_) | Object::Grant(_) | Object::Contract(_),
            )
            | None => None,
        })
        .collect();
    let mut ranks = HashMap::new();
    for start in agencies.keys() {
        // Depth first without recursion: a chain may be as long as the file.
        let mut path = vec![(*start, false)];
        let mut entered = HashSet::new();
        while let Some((id, done)) = path.pop() {
            if ranks.contains_key(id) {
                continue;
            }
            if done {
                ranks.insert(id.clone(), ranks.len());
                continue;
            }
            if !entered.insert(id) {
                continue;
            }
            path.push((id, true));
            let Some(agency) = agencies.get(id) else { continue };
            let named = agency.parents.iter().map(|term| &term.is).chain(&agency.successors);
            let named = named.filter_map(|named| agencies.get_key_value(named));
            path.extend(named.map(|(id, _)| (*id, false)));
        }
    }
    ranks
}

//! Who follows whom: without a circle, and without a day between.

use std::collections::{HashMap, HashSet};

use lgsp_types::AgencyId;

use super::{CONFIG_CYCLE, CONFIG_DATES, Findings};
use crate::model::Agency;
use crate::object::{ObjectRef, Objects};

pub(super) fn check(objects: &Objects, findings: &mut Findings) {
    let circling = circling(objects);
    for agency in objects.agencies.values().filter(|agency| !agency.successors.is_empty()) {
        if circling.contains(&agency.id) {
            let object = ObjectRef::Agency(agency.id.clone());
            let what = "the agency follows itself in the end";
            let mend = "break the circle of successors";
            findings.add(&object, "successors", &CONFIG_CYCLE, what, mend);
        } else {
            handover(objects, agency, findings);
        }
    }
}

/// On the day after the last one every successor is there.
fn handover(objects: &Objects, agency: &Agency, findings: &mut Findings) {
    let Some(next) = agency.to.map(|to| to.tomorrow()) else {
        return;
    };
    for (at, id) in agency.successors.iter().enumerate() {
        let absent = objects
            .agencies
            .get(id)
            .is_some_and(|successor| !successor.life().contains(next));
        if absent {
            let object = ObjectRef::Agency(agency.id.clone());
            let what = format!("`{id}` is not there on {}, when it should take over", next.iso_text());
            let mend = "correct the last day here, or the first or last day there";
            findings.add(&object, format!("successors[{at}]"), &CONFIG_DATES, what, mend);
        }
    }
}

/// The agencies in a circle of successors, or on the way from one circle to another.
///
/// Whoever leads nowhere, or comes from nowhere, is taken away until nobody does: no recursion, linear time.
fn circling(objects: &Objects) -> HashSet<AgencyId> {
    let mut edges: Vec<(&AgencyId, &AgencyId)> = Vec::new();
    for agency in objects.agencies.values() {
        edges.extend(agency.successors.iter().map(|successor| (&agency.id, successor)));
    }
    let leading = unending(&edges);
    edges.retain(|(from, to)| leading.contains(from) && leading.contains(to));
    edges.iter_mut().for_each(|(from, to)| std::mem::swap(from, to));
    unending(&edges).into_iter().cloned().collect()
}

/// Those from whom one can go on for ever.
fn unending<'a>(edges: &[(&'a AgencyId, &'a AgencyId)]) -> HashSet<&'a AgencyId> {
    let mut ways_on: HashMap<&AgencyId, usize> = HashMap::new();
    let mut ways_here: HashMap<&AgencyId, Vec<&'a AgencyId>> = HashMap::new();
    for (from, to) in edges {
        *ways_on.entry(from).or_insert(0) += 1;
        ways_on.entry(to).or_insert(0);
        ways_here.entry(to).or_default().push(from);
    }
    let mut left: HashSet<&'a AgencyId> = edges.iter().flat_map(|(from, to)| [*from, *to]).collect();
    let mut ends: Vec<&'a AgencyId> = left.iter().copied().filter(|id| ways_on.get(id) == Some(&0)).collect();
    while let Some(end) = ends.pop() {
        left.remove(end);
        for from in ways_here.get(end).into_iter().flatten() {
            if let Some(ways) = ways_on.get_mut(from) {
                *ways -= 1;
                if *ways == 0 {
                    ends.push(from);
                }
            }
        }
    }
    left
}

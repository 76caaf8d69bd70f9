//! One holder of a code a day, and one connector for an agency.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use lgsp_types::ConnectorId;

use super::{CONFIG_CODE_HELD_TWICE, CONFIG_RECEIVED_TWICE, Findings};
use crate::model::{Agency, Connector};
use crate::object::{ObjectRef, Objects};
use crate::pattern::{Narrowness, PatternIndex};
use crate::term::Period;

/// No two agencies hold one code on one day.
pub(super) fn holders(objects: &Objects, findings: &mut Findings) {
    let mut held: HashMap<&str, Vec<(Period, &Agency, usize)>> = HashMap::new();
    for agency in objects.agencies.values() {
        for (at, term) in agency.codes.iter().enumerate() {
            let holding = (term.within(agency.life()), agency.as_ref(), at);
            held.entry(term.is.as_str()).or_default().push(holding);
        }
    }
    let mut shared: Vec<_> = held.into_iter().filter(|(_, holdings)| holdings.len() > 1).collect();
    shared.sort_unstable_by_key(|(code, _)| *code);
    for (code, mut holdings) in shared {
        // By first day: if any two share a day, two neighbours do.
        holdings.sort_by_key(|(period, agency, _)| (period.from, &agency.id));
        for pair in holdings.windows(2) {
            let [one, other] = pair else { continue };
            if one.1.id != other.1.id && one.0.overlaps(other.0) {
                // Told on both sides: either may be the one that a file or a person has just written.
                for ((_, agency, at), (period, holder, _)) in [(one, other), (other, one)] {
                    let object = ObjectRef::Agency(agency.id.clone());
                    let what = format!("the code `{code}` is held by `{}` {period}", holder.id);
                    let mend = "end one before the other begins; a code that was issued is not given to another agency";
                    findings.add(&object, format!("codes[{at}]"), &CONFIG_CODE_HELD_TWICE, what, mend);
                }
            }
        }
    }
}

/// Of two connectors that receive for one agency, one has the narrower pattern, or their systems share no day.
pub(super) fn connectors(objects: &Objects, findings: &mut Findings) {
    let mut index = PatternIndex::default();
    for connector in objects.connectors.values() {
        let Some(system) = objects.systems.get(&connector.system) else {
            continue;
        };
        for pattern in connector.receives_for(system) {
            index.insert(pattern, (connector, system.life()));
        }
    }
    // Two connectors are told once, however many agencies they share.
    let mut told = HashSet::new();
    for agency in objects.agencies.values() {
        for (one, other) in equal_claims(agency, &index) {
            if !told.insert((&one.id, &other.id)) {
                continue;
            }
            for (connector, rival) in [(one, other), (other, one)] {
                let object = ObjectRef::Connector(connector.id.clone());
                let what = format!("`{}` receives for `{}` by an equal claim", rival.id, agency.id);
                let mend = "name the agencies of one of them in `receives_for`, or end one system before the other";
                findings.add(&object, ".", &CONFIG_RECEIVED_TWICE, what, mend);
            }
        }
    }
}

/// The connectors that could not be told apart on some day of this agency's life, two by two.
fn equal_claims<'a>(
    agency: &'a Agency,
    index: &'a PatternIndex<(&'a Arc<Connector>, Period)>,
) -> Vec<(&'a Connector, &'a Connector)> {
    // The narrowest claim of each connector counts.
    let mut best: BTreeMap<&ConnectorId, (Narrowness, &Connector, Period)> = BTreeMap::new();
    for (narrow, (connector, span)) in agency.codes.iter().flat_map(|term| index.covering(&term.is)) {
        let claim = best.entry(&connector.id).or_insert((narrow, connector, *span));
        claim.0 = claim.0.max(narrow);
    }
    let life = agency.life();
    let claims: Vec<_> = best.into_values().filter(|(.., span)| span.overlaps(life)).collect();
    let mut equal = Vec::new();
    for (at, (narrow, other, span)) in claims.iter().enumerate() {
        // Three periods of which any two share a day share one all together.
        let rivals = claims
            .iter()
            .take(at)
            .filter(|rival| rival.0 == *narrow && rival.2.overlaps(*span));
        equal.extend(rivals.map(|(_, one, _)| (*one, *other)));
    }
    equal
}

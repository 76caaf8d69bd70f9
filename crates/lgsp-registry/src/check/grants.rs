//! Grants: each by itself, and those that go on after an agency they name is closed.

use std::collections::HashMap;

use lgsp_types::{CodePattern, DocumentDate, Scheme};

use super::one::{BACKWARDS, LEGAL_BASIS_MAX_BYTES, PUT_DAYS_IN_ORDER, SYSTEMS_MAX, bound, distinct, patterns, text};
use super::{CONFIG_CLOSED_AGENCY, CONFIG_DATES, CONFIG_FIELD, Findings};
use crate::grant::Grant;
use crate::model::Agency;
use crate::object::{Object, ObjectRef, Objects};

/// Most contracts, and most purposes, of one grant.
const LIST_MAX: usize = 100;
/// As of a message (proto/lgsp/exchange/v1).
const PURPOSE_MAX_BYTES: usize = 64;

pub(super) fn grant(grant: &Grant, findings: &mut Findings) {
    let object = ObjectRef::Grant(grant.id.clone());
    if !grant.period().is_forward() {
        findings.add(&object, "to", &CONFIG_DATES, BACKWARDS, PUT_DAYS_IN_ORDER);
    }
    if grant.contracts.is_empty() {
        let mend = "name the contracts that may be sent, as in `vn.lgsp.document/1`";
        findings.add(&object, "contracts", &CONFIG_FIELD, "nothing may be sent", mend);
    }
    if grant.senders.is_empty() && grant.systems.is_empty() {
        let mend = "name the codes of the agencies that may send in `senders`, or the systems in `systems`";
        findings.add(&object, "senders", &CONFIG_FIELD, "nobody may send", mend);
    }
    if grant.addressees.is_empty() {
        let mend = "name the codes of the agencies that may be sent to";
        findings.add(&object, "addressees", &CONFIG_FIELD, "nobody may be sent to", mend);
    }
    bound(&object, "contracts", grant.contracts.len(), LIST_MAX, findings);
    distinct(&object, "contracts", &grant.contracts, findings);
    patterns(&object, "senders", &grant.senders, findings);
    bound(&object, "systems", grant.systems.len(), SYSTEMS_MAX, findings);
    distinct(&object, "systems", &grant.systems, findings);
    patterns(&object, "addressees", &grant.addressees, findings);
    bound(&object, "purposes", grant.purposes.len(), LIST_MAX, findings);
    distinct(&object, "purposes", &grant.purposes, findings);
    for (at, purpose) in grant.purposes.iter().enumerate() {
        text(
            &object,
            &format!("purposes[{at}]"),
            purpose,
            PURPOSE_MAX_BYTES,
            false,
            findings,
        );
    }
    text(
        &object,
        "legal_basis",
        &grant.legal_basis,
        LEGAL_BASIS_MAX_BYTES,
        false,
        findings,
    );
}

/// A grant that is written now and names a closed agency ends with it: nobody is there who could use it.
pub(super) fn of_closed_agencies<'a>(
    objects: &Objects,
    written: impl Iterator<Item = &'a Object>,
    findings: &mut Findings,
) {
    let grants = written.filter_map(|object| match object {
        Object::Grant(grant) => Some(grant.as_ref()),
        Object::Agency(_) | Object::System(_) | Object::Connector(_) | Object::Adapter(_) | Object::Contract(_) => None,
    });
    let mut grants = grants.peekable();
    if grants.peek().is_none() {
        return;
    }
    let holders = last_holders(objects);
    for grant in grants {
        let object = ObjectRef::Grant(grant.id.clone());
        let sides: [(&str, &[CodePattern], LastDay); 2] = [
            ("senders", &grant.senders, Agency::last_sending_day),
            ("addressees", &grant.addressees, |agency| agency.to),
        ];
        for (list, patterns, last_day) in sides {
            for (at, pattern) in patterns.iter().enumerate() {
                let Some(agency) = holders.get(pattern.as_str()) else {
                    continue;
                };
                let Some(last) = last_day(agency).filter(|last| grant.to.is_none_or(|to| to > *last)) else {
                    continue;
                };
                let what = format!(
                    "`{}` is closed: its last day here is {}, and the grant goes on after it",
                    pattern.as_str(),
                    last.iso_text()
                );
                let path = format!("{list}[{at}]");
                findings.add(
                    &object,
                    path,
                    &CONFIG_CLOSED_AGENCY,
                    what,
                    &instead(objects, agency, last),
                );
            }
        }
    }
}

/// The last day of an agency on one side of a grant; none while it is open.
type LastDay = fn(&Agency) -> Option<DocumentDate>;

/// Who holds each code, or held it last.
fn last_holders(objects: &Objects) -> HashMap<&str, &Agency> {
    let mut holders: HashMap<&str, (Option<DocumentDate>, &Agency)> = HashMap::new();
    for agency in objects.agencies.values() {
        for term in &agency.codes {
            let held = (term.within(agency.life()).from, agency.as_ref());
            let holder = holders.entry(term.is.as_str()).or_insert(held);
            if held.0 > holder.0 {
                *holder = held;
            }
        }
    }
    holders.into_iter().map(|(code, (_, agency))| (code, agency)).collect()
}

fn instead(objects: &Objects, closed: &Agency, last: DocumentDate) -> String {
    let end = format!("end the grant by then with `to = {}`", last.iso_text());
    let heirs = closed.successors.iter().filter_map(|id| objects.agencies.get(id));
    let codes = heirs.filter_map(|heir| heir.code_on(Scheme::Qd20, last.tomorrow()));
    let codes: Vec<String> = codes.map(|code| format!("`{code}`")).collect();
    if codes.is_empty() {
        format!("{end}, or take the code out")
    } else {
        format!("{end}, or name its successor {} instead", codes.join(" or "))
    }
}

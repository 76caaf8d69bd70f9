//! One object by itself: its dates, bounds and texts.

use std::collections::HashSet;
use std::hash::Hash;

use lgsp_types::CodePattern;

use super::{CONFIG_DATES, CONFIG_DUPLICATE, CONFIG_FIELD, CONFIG_TOO_LARGE, Findings};
use crate::model::{Adapter, Agency, Connector, Mode, System};
use crate::object::ObjectRef;
use crate::term::{Period, Term};

/// Most names, codes, parents and successors of one agency.
const LIST_MAX: usize = 50;
/// Most systems of one adapter.
pub(super) const SYSTEMS_MAX: usize = 1000;
/// Most patterns of one system or connector.
const PATTERNS_MAX: usize = 1000;
/// Longest name of an agency, in bytes. Source: OrganName of Decree 30/2020/ND-CP has 200 characters.
const NAME_MAX_BYTES: usize = 600;
/// Source: RFC 5321, section 4.5.3.1.3.
const MAIL_MAX_BYTES: usize = 254;
pub(super) const LEGAL_BASIS_MAX_BYTES: usize = 500;
/// One year.
const HOURS_MAX: u32 = 8_760;
/// Most tries of a push delivery, and the longest wait before one (reliability.md G5).
const TRIES_MAX: usize = 16;
const WAIT_MAX_MS: u64 = 86_400_000;

pub(super) const BACKWARDS: &str = "the last day is before the first";
pub(super) const PUT_DAYS_IN_ORDER: &str = "put the days in order; both are included";

pub(super) fn agency(agency: &Agency, findings: &mut Findings) {
    let object = ObjectRef::Agency(agency.id.clone());
    if !agency.life().is_forward() {
        findings.add(&object, "to", &CONFIG_DATES, BACKWARDS, PUT_DAYS_IN_ORDER);
    }
    closing(agency, &object, findings);
    if agency.names.is_empty() {
        findings.add(
            &object,
            "names",
            &CONFIG_FIELD,
            "the agency has no name",
            "give it at least one",
        );
    }
    for (at, term) in agency.names.iter().enumerate() {
        text(
            &object,
            &format!("names[{at}]"),
            &term.is,
            NAME_MAX_BYTES,
            true,
            findings,
        );
    }
    text(&object, "mail", &agency.mail, MAIL_MAX_BYTES, false, findings);
    text(
        &object,
        "legal_basis",
        &agency.legal_basis,
        LEGAL_BASIS_MAX_BYTES,
        false,
        findings,
    );
    terms(agency, "names", &agency.names, Alone::Always, &object, findings);
    terms(agency, "codes", &agency.codes, Alone::WithItself, &object, findings);
    terms(agency, "parents", &agency.parents, Alone::Always, &object, findings);
    if let Some(at) = agency.parents.iter().position(|term| term.is == agency.id) {
        let path = format!("parents[{at}]");
        findings.add(
            &object,
            path,
            &super::CONFIG_CYCLE,
            "the agency stands under itself",
            "name another",
        );
    }
    bound(&object, "successors", agency.successors.len(), LIST_MAX, findings);
    distinct(&object, "successors", &agency.successors, findings);
}

/// Only a closed agency has what comes of a closing.
fn closing(agency: &Agency, object: &ObjectRef, findings: &mut Findings) {
    let Some(last) = agency.to else {
        let told = [
            ("successors", !agency.successors.is_empty()),
            ("legal_basis", !agency.legal_basis.is_empty()),
            ("sends_until", agency.sends_until.is_some()),
        ];
        for (path, _) in told.into_iter().filter(|(_, told)| *told) {
            findings.add(
                object,
                path,
                &CONFIG_DATES,
                "an agency without a last day is open",
                "add `to`, its last day",
            );
        }
        return;
    };
    if agency.sends_until.is_some_and(|until| until < last) {
        let what = format!("is before the last day, {}", last.iso_text());
        findings.add(
            object,
            "sends_until",
            &CONFIG_DATES,
            what,
            "name a later day, or leave it out",
        );
    }
}

/// What two terms of one list must not share a day with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Alone {
    /// Any other term.
    Always,
    /// A term of the same value.
    WithItself,
}

fn terms<T: PartialEq>(
    agency: &Agency,
    list: &str,
    terms: &[Term<T>],
    alone: Alone,
    object: &ObjectRef,
    findings: &mut Findings,
) {
    bound(object, list, terms.len(), LIST_MAX, findings);
    let life = agency.life();
    for (at, term) in terms.iter().enumerate().take(LIST_MAX) {
        let path = format!("{list}[{at}]");
        let period = term.within(life);
        let own = Period {
            from: term.from,
            to: term.to,
        };
        if !own.is_forward() {
            findings.add(
                object,
                format!("{path}.to"),
                &CONFIG_DATES,
                BACKWARDS,
                PUT_DAYS_IN_ORDER,
            );
            continue;
        }
        if !period.lies_in(life) || !period.is_forward() {
            let what = format!("holds {period}, and the agency is there {life}");
            let mend = "a term lies within its agency's life; leave a day out where it is the agency's";
            findings.add(object, path, &CONFIG_DATES, what, mend);
            continue;
        }
        let earlier = terms.iter().take(at).enumerate();
        let mut clash = earlier.filter(|(_, other)| alone == Alone::Always || other.is == term.is);
        if let Some((other, _)) = clash.find(|(_, other)| other.within(life).overlaps(period)) {
            let what = format!("shares a day with {list}[{other}]");
            findings.add(object, path, &CONFIG_DUPLICATE, what, "end one before the other begins");
        }
    }
}

pub(super) fn system(system: &System, findings: &mut Findings) {
    let object = ObjectRef::System(system.id.clone());
    if !system.life().is_forward() {
        findings.add(&object, "to", &CONFIG_DATES, BACKWARDS, PUT_DAYS_IN_ORDER);
    }
    if system.speaks_for.is_empty() {
        let mend = "name the codes of the agencies it serves";
        findings.add(
            &object,
            "speaks_for",
            &CONFIG_FIELD,
            "the system speaks for nobody",
            mend,
        );
    }
    patterns(&object, "speaks_for", &system.speaks_for, findings);
    match (&system.secret_ref, &system.key_id) {
        (Some(_), None) => {
            let mend = "add `key_id`: the random id of the secret in force, as facts will name it";
            findings.add(&object, "secret_ref", &CONFIG_FIELD, "the secret has no `key_id`", mend);
        }
        (None, Some(_)) => {
            let mend = "add `secret_ref`: the name of the secret's folder";
            findings.add(&object, "key_id", &CONFIG_FIELD, "the key has no `secret_ref`", mend);
        }
        (Some(_), Some(_)) | (None, None) => {}
    }
}

pub(super) fn connector(connector: &Connector, findings: &mut Findings) {
    let object = ObjectRef::Connector(connector.id.clone());
    patterns(&object, "receives_for", &connector.receives_for, findings);
    retries(&object, connector, findings);
    let Some(hours) = connector.collect_within_hours else {
        return;
    };
    let path = "collect_within_hours";
    if connector.mode == Mode::Push {
        let mend = "leave it out: a push connector has attempts instead";
        findings.add(
            &object,
            path,
            &CONFIG_FIELD,
            "nobody collects from a push connector",
            mend,
        );
    } else if !(1..=HOURS_MAX).contains(&hours) {
        let what = format!("is not 1 to {HOURS_MAX} hours");
        findings.add(&object, path, &CONFIG_FIELD, what, "name a number of hours within it");
    }
}

fn retries(object: &ObjectRef, connector: &Connector, findings: &mut Findings) {
    let (path, waits) = ("retry_waits_ms", &connector.retry_waits_ms);
    if connector.mode == Mode::Pull && !waits.is_empty() {
        let mend = "leave it out: whoever pulls comes when it likes";
        findings.add(object, path, &CONFIG_FIELD, "nobody tries at a pull connector", mend);
    }
    if waits.len() > TRIES_MAX {
        let what = format!("names {} waits, where {TRIES_MAX} tries are the most", waits.len());
        findings.add(object, path, &CONFIG_FIELD, what, "name fewer waits");
    }
    for (index, wait) in waits.iter().enumerate().filter(|(_, wait)| **wait > WAIT_MAX_MS) {
        let what = format!("is {wait} ms, where a day, {WAIT_MAX_MS} ms, is the most");
        findings.add(
            object,
            format!("{path}[{index}]"),
            &CONFIG_FIELD,
            what,
            "name a shorter wait",
        );
    }
}

pub(super) fn adapter(adapter: &Adapter, findings: &mut Findings) {
    let object = ObjectRef::Adapter(adapter.id.clone());
    if adapter.speaks_as.is_empty() {
        let mend = "name the systems whose credentials it checks";
        findings.add(
            &object,
            "speaks_as",
            &CONFIG_FIELD,
            "the adapter speaks as nobody",
            mend,
        );
    }
    bound(&object, "speaks_as", adapter.speaks_as.len(), SYSTEMS_MAX, findings);
    distinct(&object, "speaks_as", &adapter.speaks_as, findings);
}

pub(super) fn patterns(object: &ObjectRef, list: &str, patterns: &[CodePattern], findings: &mut Findings) {
    bound(object, list, patterns.len(), PATTERNS_MAX, findings);
    distinct(object, list, patterns, findings);
}

pub(super) fn bound(object: &ObjectRef, list: &str, length: usize, max: usize, findings: &mut Findings) {
    if length > max {
        let what = format!("has {length} entries, at most {max} are taken");
        findings.add(object, list, &CONFIG_TOO_LARGE, what, "leave some out");
    }
}

pub(super) fn distinct<T: Eq + Hash>(object: &ObjectRef, list: &str, values: &[T], findings: &mut Findings) {
    let mut seen = HashSet::new();
    for (at, value) in values.iter().enumerate() {
        if !seen.insert(value) {
            let path = format!("{list}[{at}]");
            findings.add(
                object,
                path,
                &CONFIG_DUPLICATE,
                "stands in the list before",
                "name it once",
            );
        }
    }
}

pub(super) fn text(
    object: &ObjectRef,
    path: &str,
    text: &str,
    max_bytes: usize,
    wanted: bool,
    findings: &mut Findings,
) {
    if text.len() > max_bytes {
        let what = format!("is longer than {max_bytes} bytes");
        findings.add(object, path, &CONFIG_TOO_LARGE, what, "shorten it");
    } else if text.chars().any(char::is_control) || text.trim() != text {
        let what = "has a control character, or a blank at an end";
        findings.add(object, path, &CONFIG_FIELD, what, "take it out");
    } else if wanted && text.is_empty() {
        findings.add(object, path, &CONFIG_FIELD, "is empty", "write the name");
    }
}

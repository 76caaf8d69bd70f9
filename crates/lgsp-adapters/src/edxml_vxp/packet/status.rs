//! The header of a status packet. Source: vietnam.md 1.12.

use lgsp_types::{DocumentDate, DocumentTime};

use super::document::{reference, staff};
use super::findings::{Findings, Reported};
use super::header::{Reference, Status};
use super::place::Place;
use super::read::{not_ahead, organ};
use super::reason::{FIELD_INVALID, FIELD_MISSING, STATUS_UNKNOWN};

/// The status codes that QCVN 102 and the axis know.
const KNOWN: [&str; 9] = ["01", "02", "03", "04", "05", "06", "13", "15", "16"];

/// `header` is the `MessageHeader`.
///
/// # Errors
/// Reported.
pub(super) fn read(
    header: &Place<'_>,
    today: Option<DocumentDate>,
    findings: &mut Findings,
) -> Result<Status, Reported> {
    let from = header.needed("From", findings).and_then(|from| organ(&from, findings));
    let response_for = response_for(header, findings);
    let status_code = status_code(header, findings);
    let timestamp = timestamp(header, today, findings);
    let description = header.prose("Description", findings);
    let staff = staff(header, findings);
    Ok(Status {
        status_code: status_code?,
        response_for: response_for?,
        description,
        timestamp,
        staff,
        from: from?,
    })
}

/// Exactly one document, named so that the status can find it, and the agency the status goes to.
fn response_for(header: &Place<'_>, findings: &mut Findings) -> Result<Reference, Reported> {
    let mut places = header
        .list("ResponseFor", findings)
        .into_iter()
        .filter(|place| !place.is_empty());
    let place = places.next().ok_or_else(|| header.missing("ResponseFor", findings))?;
    if let Some(second) = places.next() {
        let what = "stands twice, and readers differ in which one they take";
        return Err(findings.report(FIELD_INVALID, &second.path, what, "send one status for each document"));
    }
    let is_given = |name: &str| place.all(name).iter().any(|given| !given.is_empty());
    if !is_given("OrganId") {
        place.missing("OrganId", findings);
    }
    let is_named = is_given("DocumentId") || is_given("Code") && is_given("PromulgationDate");
    if !is_named {
        let path = format!("{}/DocumentId", place.path);
        let what = "is missing, and code and date do not make up for it";
        findings.report(FIELD_MISSING, &path, what, "fill it in");
    }
    reference(&place, findings).ok_or_else(|| header.missing("ResponseFor", findings))
}

fn status_code(header: &Place<'_>, findings: &mut Findings) -> Result<String, Reported> {
    let word = header
        .word("StatusCode", findings)?
        .ok_or_else(|| header.missing("StatusCode", findings))?;
    if KNOWN.contains(&word.text.as_str()) {
        return Ok(word.text);
    }
    let known = KNOWN.join(" ");
    Err(findings.report(
        STATUS_UNKNOWN,
        &word.path,
        "is no status code",
        &format!("write one of {known}"),
    ))
}

fn timestamp(header: &Place<'_>, today: Option<DocumentDate>, findings: &mut Findings) -> Option<DocumentTime> {
    let word = header.word("Timestamp", findings).ok().flatten()?;
    match DocumentTime::parse(&word.text) {
        Ok(time) => {
            not_ahead(&word.path, time.day(), today, findings);
            Some(time)
        }
        Err(error) => {
            word.invalid(error, "write the time as yyyy/MM/dd HH:mm:ss", findings);
            None
        }
    }
}

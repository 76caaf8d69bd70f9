//! Holds what came back against what must come back.

use std::collections::HashMap;

use serde_json::Value;

use super::case::Expected;
use super::wire::{Answer, Seen};

/// Longest ErrorDesc, in characters: applications show it to a clerk.
const ERROR_DESC_MAX: usize = 400;
/// A word in every text of the good packets that is of nobody's business but the receiver's.
pub(super) const CANARY: &str = "canary-b41d7c";

/// The answers so far, for those that must be the same.
pub(super) type Bodies = HashMap<String, Vec<u8>>;

/// Everything in which the two differ.
pub(super) fn disagreements(name: &str, expected: &Expected, seen: &Seen, bodies: &mut Bodies) -> Vec<String> {
    let mut wrong = Vec::new();
    if expected.ends && !seen.ended {
        wrong.push("the node does not end the connection".to_owned());
    }
    if !seen.rest.is_empty() {
        wrong.push(format!("{} bytes came that are no whole answer", seen.rest.len()));
    }
    if seen.answers.len() > 1 {
        wrong.push(format!("{} answers came to one request", seen.answers.len()));
    }
    if let Some(failed) = seen.answers.iter().find(|answer| answer.status >= 500) {
        wrong.push(format!("HTTP {}: that is our failure, not the caller's", failed.status));
    }
    let came = match seen.answers.first() {
        None => "close".to_owned(),
        Some(answer) if answer.status == 200 => "envelope".to_owned(),
        Some(answer) => answer.status.to_string(),
    };
    if !expected.answers.contains(&came) {
        wrong.push(format!("{came} came, not {}", expected.answers.join(" or ")));
    }
    if let Some(answer) = seen.answers.first() {
        if String::from_utf8_lossy(&answer.body).contains(CANARY) && expected.error != "0" {
            wrong.push("the answer repeats what was sent".to_owned());
        }
        if answer.status == 200 {
            envelope(expected, answer, &mut wrong);
        }
        if let Some(same) = &expected.same_as
            && bodies.get(same) != Some(&answer.body)
        {
            wrong.push(format!("the answer differs from that of {same}: {}", text(answer)));
        }
        bodies.insert(name.to_owned(), answer.body.clone());
    }
    wrong
}

fn envelope(expected: &Expected, answer: &Answer, wrong: &mut Vec<String>) {
    if expected.empty {
        if !answer.body.is_empty() {
            wrong.push(format!("the body is not empty: {}", text(answer)));
        }
        return;
    }
    let Ok(Value::Object(envelope)) = serde_json::from_slice(&answer.body) else {
        return wrong.push(format!("the body is no envelope: {}", text(answer)));
    };
    let member = |name: &str| envelope.get(name).and_then(Value::as_str).unwrap_or("(none)");
    let (status, error, told) = (member("status"), member("ErrorCode"), member("ErrorDesc"));
    let is_ok = expected.error == "0";
    if error != expected.error || status != if is_ok { "OK" } else { "FAIL" } {
        wrong.push(format!("{status} {error} came, not {}: {told}", expected.error));
    }
    if is_ok {
        return;
    }
    if ["DocId", "data"].iter().any(|name| !member(name).is_empty()) {
        wrong.push("the SDK loses a failure without an empty DocId and empty data".to_owned());
    }
    if !told.is_ascii() || told.len() > ERROR_DESC_MAX {
        wrong.push(format!("the text is not short ASCII: {told}"));
    }
    let reason = expected.reason.as_deref().unwrap_or("(no reason)");
    let place = expected.path.as_deref().unwrap_or_default();
    let opening = format!("{reason} at {place}");
    // What is wrong in several places is said once.
    let begins = |at: &usize| place.is_empty() || told[at + opening.len()..].starts_with([':', ',']);
    let found = told.match_indices(&opening).map(|(at, _)| at).find(begins);
    match found.and_then(|at| told.get(at..)) {
        None => wrong.push(format!("`{opening}` is not in: {told}")),
        Some(refusal) if !refusal.contains("; ") => wrong.push(format!("what to do is not in: {told}")),
        Some(_) => {}
    }
    for name in expected.names.iter().filter(|name| !told.contains(name.as_str())) {
        wrong.push(format!("{name} is not named in: {told}"));
    }
}

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).chars().take(300).collect()
}

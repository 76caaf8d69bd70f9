//! What the ledger holds of a case, read from its file beside the node.

use std::path::PathBuf;

use lgsp_audit::Record;
use lgsp_ledger::Local;
use lgsp_types::{Fact, What};

use super::case::Expected;
use super::judge::CANARY;

/// Reads on from where it ended last.
#[derive(Debug)]
pub(super) struct Facts {
    path: PathBuf,
    next: u64,
}

impl Facts {
    /// Of a ledger with one partition.
    pub(super) fn of(path: PathBuf) -> Self {
        Self { path, next: 0 }
    }

    /// The facts that are new since the last call.
    pub(super) fn take(&mut self) -> Vec<Fact> {
        let ledger = Local::open_read_only(&self.path).unwrap();
        let read = |entry: Result<lgsp_ledger::Entry, _>| Record::read(&entry.unwrap().record).unwrap().fact;
        let facts: Vec<Fact> = ledger.entries(0, self.next).unwrap().map(read).collect();
        self.next += facts.len() as u64;
        facts
    }
}

/// What is wrong with the facts that a case and the proper exchange behind it left.
pub(super) fn misrecorded(expected: &Expected, facts: &[Fact]) -> Vec<String> {
    let mut wrong = Vec::new();
    let accepted = facts
        .iter()
        .filter(|fact| matches!(fact.what, What::Accepted(_)))
        .count();
    if accepted != expected.accepted + 1 {
        wrong.push(format!(
            "{accepted} packets were accepted, with the proper one, not {}",
            expected.accepted + 1
        ));
    }
    let rejected: Vec<&Fact> = facts
        .iter()
        .filter(|fact| matches!(fact.what, What::Rejected { .. }))
        .collect();
    if rejected.len() != expected.rejected {
        wrong.push(format!(
            "{} refusals were recorded, not {}",
            rejected.len(),
            expected.rejected
        ));
    }
    for fact in rejected {
        if let What::Rejected { reason, .. } = &fact.what
            && Some(reason.as_str()) != expected.reason.as_deref()
        {
            wrong.push(format!("a refusal was recorded as {reason}"));
        }
        if format!("{fact:?}").contains(CANARY) {
            wrong.push("the refusal's fact holds what the sender wrote".to_owned());
        }
    }
    wrong
}

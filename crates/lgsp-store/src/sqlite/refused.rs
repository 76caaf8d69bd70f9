//! Refused calls: a row each, with what was wrong and never with a value, so that an operator finds them.

use lgsp_types::{Finding, ReasonCode, SystemId, Tag};
use rusqlite::params;

use super::project::{Batch, Place};
use super::values::number;

/// One row.
pub(super) struct Refusal<'a> {
    source: &'a str,
    reason: Option<&'a ReasonCode>,
    request_tag: Option<Tag>,
    minute: Option<u64>,
    amount: u64,
}

impl<'a> Refusal<'a> {
    /// A call with a record of its own.
    pub(super) fn call(system: &'a SystemId, reason: &'a ReasonCode, request_tag: Tag) -> Self {
        Self {
            source: system.as_str(),
            reason: Some(reason),
            request_tag: Some(request_tag),
            minute: None,
            amount: 1,
        }
    }

    /// Calls of one source and minute that have none.
    pub(super) fn summary(source: &'a str, minute: u64, count: u64) -> Self {
        Self {
            source,
            reason: None,
            request_tag: None,
            minute: Some(minute),
            // Bounded, so that no number of summaries overflows their tally.
            amount: count.min(u32::MAX.into()),
        }
    }

    fn tally(&self) -> &'static str {
        if self.minute.is_some() {
            "refusals summarised"
        } else {
            "refusals"
        }
    }
}

pub(super) fn take(batch: &mut Batch<'_>, place: Place, refusal: &Refusal<'_>) -> rusqlite::Result<()> {
    let sql = "INSERT INTO refusal (at_partition, at_offset, append_ms, ledger_ms, source, reason, request_tag, \
               minute, amount) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    batch.transaction.prepare_cached(sql)?.execute(params![
        batch.partition,
        number(place.offset),
        number(place.append_ms),
        number(place.ledger_ms),
        refusal.source,
        refusal.reason.map(ReasonCode::as_str),
        refusal.request_tag.map(|tag| tag.to_string()),
        refusal.minute.map(number),
        number(refusal.amount),
    ])?;
    batch.count(refusal.tally(), number(refusal.amount));
    Ok(())
}

pub(super) fn write_findings(batch: &Batch<'_>, place: Place, findings: &[Finding]) -> rusqlite::Result<()> {
    let sql = "INSERT INTO finding (at_partition, at_offset, ordinal, code, path) VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut statement = batch.transaction.prepare_cached(sql)?;
    for (ordinal, finding) in (0_u32..).zip(findings) {
        let row = params![
            batch.partition,
            number(place.offset),
            ordinal,
            finding.code.as_str(),
            finding.path
        ];
        statement.execute(row)?;
    }
    Ok(())
}

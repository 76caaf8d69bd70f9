//! What a check found, for people and as JSON.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use lgsp_audit::{Fault, Verified};
use serde::Serialize;

/// One thing that is wrong.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    /// A stable name.
    pub(super) flaw: String,
    pub(super) ledger: String,
    pub(super) partition: u32,
    /// The first bad record, where it can be said.
    pub(super) offset: Option<u64>,
    pub(super) what: String,
}

impl Finding {
    pub(super) fn of(flaw: &str, ledger: &str, partition: u32, offset: Option<u64>, what: String) -> Self {
        Self {
            flaw: flaw.to_owned(),
            ledger: ledger.to_owned(),
            partition,
            offset,
            what,
        }
    }
}

impl From<&Fault> for Finding {
    fn from(fault: &Fault) -> Self {
        let mut what = fault.flaw.to_string();
        let mut cause = fault.flaw.source();
        while let Some(source) = cause {
            what.push_str(": ");
            what.push_str(&source.to_string());
            cause = source.source();
        }
        Self::of(fault.name(), &fault.ledger, fault.partition, fault.offset, what)
    }
}

/// One log that was walked to its end.
#[derive(Debug, Serialize)]
pub(super) struct LogReport {
    ledger: String,
    partition: u32,
    size: u64,
    root: String,
    signatures: u64,
}

impl LogReport {
    pub(super) fn new(ledger: String, partition: u32, verified: &Verified) -> Self {
        let Verified {
            size, root, signatures, ..
        } = verified;
        Self {
            ledger,
            partition,
            size: *size,
            root: root.to_string(),
            signatures: *signatures,
        }
    }
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    pub(super) logs: Vec<LogReport>,
    /// How many sound facts of each kind there are, in all logs.
    pub(super) facts: BTreeMap<&'static str, u64>,
    pub(super) receipts: u64,
    /// Objects and bytes read.
    pub(super) objects: Option<(u64, u64)>,
    /// Checkpoints that are not at hand: the logs are sound in themselves, but nothing says that they are whole.
    pub(super) unsealed: Vec<String>,
    pub(super) findings: Vec<Finding>,
}

impl Report {
    pub(super) fn close(&mut self, log: LogReport, missing: Vec<Fault>) {
        self.findings.extend(missing.iter().map(Finding::from));
        self.logs.push(log);
    }

    /// 0 sound; 1 something is wrong; 3 sound as far as could be seen.
    pub(super) fn exit_code(&self) -> ExitCode {
        match (self.findings.is_empty(), self.unsealed.is_empty()) {
            (false, _) => ExitCode::from(super::super::NO),
            (true, false) => ExitCode::from(3),
            (true, true) => ExitCode::SUCCESS,
        }
    }

    pub(super) fn print(&self, json: bool) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if json {
            serde_json::to_writer_pretty(&mut out, self)?;
            return writeln!(out);
        }
        for log in &self.logs {
            let LogReport {
                ledger,
                partition,
                size,
                root,
                signatures,
            } = log;
            writeln!(
                out,
                "{ledger}/{partition}: {size} records, {signatures} signatures, root {root}"
            )?;
        }
        let kinds: Vec<String> = self
            .facts
            .iter()
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect();
        writeln!(out, "facts: {}", kinds.join(", "))?;
        if let Some((objects, bytes)) = self.objects {
            writeln!(out, "objects: {objects} read, {bytes} bytes")?;
        }
        if self.receipts > 0 {
            writeln!(out, "receipts: {} held against the ledger", self.receipts)?;
        }
        for unsealed in &self.unsealed {
            writeln!(out, "no checkpoint: {unsealed}")?;
        }
        for finding in &self.findings {
            let offset = finding
                .offset
                .map(|offset| format!(" at offset {offset}"))
                .unwrap_or_default();
            writeln!(
                out,
                "{} in {}/{}{offset}: {}",
                finding.flaw, finding.ledger, finding.partition, finding.what
            )?;
        }
        writeln!(
            out,
            "{}",
            if self.findings.is_empty() {
                "verified"
            } else {
                "NOT verified"
            }
        )
    }
}

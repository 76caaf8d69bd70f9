//! What is wrong with a packet, collected, so that its sender sees all of it at once.

use lgsp_types::{ReasonCode, Refusal};

use super::limits::FINDINGS_MAX;

/// The findings so far.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Refusal>);

/// Proof that a finding was reported: whoever fails with it has said why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reported(());

impl Findings {
    pub(super) fn report(&mut self, code: ReasonCode, path: &str, what: impl Into<String>, mend: &str) -> Reported {
        self.add(Refusal::new(code, path, what, mend))
    }

    pub(super) fn add(&mut self, refusal: Refusal) -> Reported {
        if self.0.len() < FINDINGS_MAX {
            self.0.push(refusal);
        }
        Reported(())
    }

    /// What was read, if nothing is wrong with it.
    ///
    /// # Errors
    /// The findings, at least one.
    pub(super) fn conclude<T>(self, read: Result<T, Reported>) -> Result<T, Vec<Refusal>> {
        match read {
            Ok(read) if self.0.is_empty() => Ok(read),
            Ok(_) | Err(Reported(())) => Err(self.0),
        }
    }
}

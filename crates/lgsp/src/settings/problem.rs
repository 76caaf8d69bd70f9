//! What is wrong with the settings, shown as a compiler shows a mistake: what, where, what to do.

use std::fmt;

use lgsp_types::ReasonCode;

/// A file that cannot be read as text.
pub(crate) const CONFIG_UNREADABLE: ReasonCode = ReasonCode::new("CONFIG_UNREADABLE");
/// Not TOML.
pub(crate) const CONFIG_SYNTAX: ReasonCode = ReasonCode::new("CONFIG_SYNTAX");
/// A setting that does not exist, has another type or is out of bounds.
pub(crate) const CONFIG_FIELD: ReasonCode = ReasonCode::new("CONFIG_FIELD");
/// A secret where only its name may stand.
pub(crate) const CONFIG_SECRET: ReasonCode = ReasonCode::new("CONFIG_SECRET");

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) code: ReasonCode,
    /// The setting, e.g. `vxp.listen`, or the file.
    pub(crate) subject: String,
    pub(crate) what: String,
    /// `file:line`, or the name of the environment variable.
    pub(crate) place: String,
    pub(crate) mend: String,
}

/// All that is wrong; the program does not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) struct Problems(pub(crate) Vec<Problem>);

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            if at > 0 {
                writeln!(out)?;
            }
            writeln!(out, "{} in `{}`: {}", problem.code, problem.subject, problem.what)?;
            writeln!(out, "  --> {}", problem.place)?;
            write!(out, "  mend: {}", problem.mend)?;
        }
        Ok(())
    }
}

//! A mistake in a configuration file: where, what, what to do.

use lgsp_types::ReasonCode;
use thiserror::Error;

/// Most mistakes that are told at once.
const ERRORS_MAX: usize = 100;

/// One mistake in a configuration file. Correct what is named; nothing of the file was taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{file}:{line}:{column}: {code} at {path}: {what}; {mend}")]
pub struct ConfigError {
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// E.g. `agency[3].codes[0].to`, counted from 0 as in JSON.
    pub path: String,
    pub code: ReasonCode,
    /// What is wrong; never the value of what may be a secret.
    pub what: String,
    pub mend: String,
}

/// Turns offsets into lines and columns.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    text: String,
    /// Offset of each line's first byte.
    starts: Vec<usize>,
}

impl Lines {
    pub(crate) fn new(text: &str) -> Self {
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            text: text.to_owned(),
            starts: [0].into_iter().chain(ends).collect(),
        }
    }

    /// Line and column, both from 1.
    pub(crate) fn place(&self, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = line
            .checked_sub(1)
            .and_then(|at| self.starts.get(at))
            .copied()
            .unwrap_or(0);
        let before = self.text.get(start..offset).unwrap_or("");
        (line.max(1), before.chars().count() + 1)
    }
}

/// The mistakes found so far in one file.
#[derive(Debug)]
pub(super) struct Errors {
    file: String,
    lines: Lines,
    found: Vec<ConfigError>,
}

impl Errors {
    pub(super) fn new(file: &str, text: &str) -> Self {
        Self {
            file: file.to_owned(),
            lines: Lines::new(text),
            found: Vec::new(),
        }
    }

    pub(super) const fn lines(&self) -> &Lines {
        &self.lines
    }

    pub(super) fn add(&mut self, start: usize, path: &str, code: &ReasonCode, what: impl Into<String>, mend: &str) {
        let (line, column) = self.lines.place(start);
        self.push(ConfigError {
            file: self.file.clone(),
            line,
            column,
            path: path.to_owned(),
            code: code.clone(),
            what: what.into(),
            mend: mend.to_owned(),
        });
    }

    pub(super) fn push(&mut self, error: ConfigError) {
        self.found.push(error);
    }

    pub(super) fn finish(self) -> Vec<ConfigError> {
        in_order(self.found)
    }
}

/// By line, and no more than a person reads.
pub(crate) fn in_order(mut errors: Vec<ConfigError>) -> Vec<ConfigError> {
    errors.sort_by_key(|error| (error.line, error.column));
    errors.truncate(ERRORS_MAX);
    errors
}

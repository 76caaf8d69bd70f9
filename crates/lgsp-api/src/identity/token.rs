//! Bearer tokens, for installations too small for certificates: 256 random bits, kept as their SHA-256 only.

mod file;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use lgsp_files::Stamp;
use lgsp_types::{Digest, UnixMs};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tracing::error;

use super::scope::Scopes;
use super::who::Who;
use crate::random::random;
pub use file::{TokenFile, TokenFileError};

/// What a token begins with, so that people and scanners of repositories know one when they see it.
const PREFIX: &str = "lgsp_";

/// The secret itself: `lgsp_` and 64 hexadecimal digits. Shown once, to whoever made it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Digest);

/// A token's number in lists and logs; says nothing of the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenId(pub u32);

/// What is kept of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRow {
    pub id: TokenId,
    pub who: Who,
    pub scopes: Scopes,
    pub created_ms: u64,
    /// The first moment at which it counts no more.
    pub expires_ms: u64,
    sha256: Digest,
}

/// Why a token proves nothing. Outward the first two are one: what exists is nobody's to learn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TokenError {
    #[error("the token has not the form of one: truncated?")]
    Malformed,
    #[error("the token is unknown: of another node, or revoked")]
    Unknown,
    #[error("the token expired")]
    Expired(TokenId),
}

impl Token {
    /// # Errors
    /// The machine has no randomness: make no token.
    pub(super) fn random() -> Result<Self, std::io::Error> {
        random().map(|bytes| Self(Digest::from_bytes(bytes)))
    }

    /// # Errors
    /// [`TokenError::Malformed`].
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let digits = text.strip_prefix(PREFIX).ok_or(TokenError::Malformed)?;
        Digest::parse(digits).map(Self).map_err(|_| TokenError::Malformed)
    }

    /// The text that its owner keeps and sends. It goes into no log, error or file of ours.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", self.0)
    }

    fn sha256(&self) -> Digest {
        Digest::of(self.reveal().as_bytes())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Token")
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// The tokens in force, as the file says; a changed file counts at the next call.
#[derive(Debug)]
pub struct Tokens {
    file: TokenFile,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    /// None: there is no file.
    stamp: Option<Stamp>,
    rows: Arc<[TokenRow]>,
}

fn stamp(path: &Path) -> Option<Stamp> {
    std::fs::metadata(path).ok().map(|file| Stamp::of(&file))
}

impl Tokens {
    /// Reads the tokens of a data folder; it may have none yet.
    ///
    /// # Errors
    /// [`TokenFileError`]: do not start.
    pub fn open(data_dir: &Path) -> Result<Self, TokenFileError> {
        let file = TokenFile::of(data_dir);
        let stamp = stamp(file.path());
        let rows = file.list()?.into();
        Ok(Self {
            file,
            known: Mutex::new(Known { stamp, rows }),
        })
    }

    /// Whom a token names, and for what. A look at one file's metadata, then at every row, in the same time for each.
    ///
    /// # Errors
    /// [`TokenError`]: the caller is not authenticated.
    pub fn find(&self, token: &Token, now: UnixMs) -> Result<TokenRow, TokenError> {
        let sought = token.sha256();
        let same = |row: &&TokenRow| verify_slices_are_equal(row.sha256.as_bytes(), sought.as_bytes()).is_ok();
        let rows = self.rows();
        // To the end always: where a row stands shows in no answer's time.
        let found = rows
            .iter()
            .fold(None, |found, row| if same(&row) { Some(row) } else { found })
            .ok_or(TokenError::Unknown)?;
        if now.0 >= found.expires_ms {
            return Err(TokenError::Expired(found.id));
        }
        Ok(found.clone())
    }

    /// A file that cannot be read leaves the rows as they were, and is said once.
    fn rows(&self) -> Arc<[TokenRow]> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = stamp(self.file.path());
        if stamp != known.stamp {
            // The stamp was taken first: what is written after it is read at the next call.
            match self.file.list() {
                Ok(rows) => known.rows = rows.into(),
                Err(error) => error!(
                    error = &error as &dyn std::error::Error,
                    "new tokens not used, the old ones stay in force"
                ),
            }
            known.stamp = stamp;
        }
        Arc::clone(&known.rows)
    }
}

#[cfg(test)]
mod tests;

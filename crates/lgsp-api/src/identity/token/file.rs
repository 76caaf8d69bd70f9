//! The file of tokens: `<data folder>/tokens/tokens.json`, mode 0600, written whole and by one command at a time.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use lgsp_files::Existing;
use lgsp_types::UnixMs;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::super::files::{self, FileError};
use super::super::scope::Scopes;
use super::super::who::Who;
use super::{Token, TokenId, TokenRow};

/// Most tokens of a node; whoever needs more needs certificates.
const TOKENS_MAX: usize = 4096;

/// Where the tokens of a node are kept.
#[derive(Clone, Debug)]
pub struct TokenFile {
    path: PathBuf,
}

/// Why the tokens cannot be read or changed.
#[derive(Debug, Error)]
pub enum TokenFileError {
    #[error("the file of tokens cannot be read")]
    File(#[from] FileError),
    #[error("{path} is no file of tokens: restore it, or remove it and make new tokens")]
    Damaged {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    #[error("{path} cannot be written")]
    Unwritable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("there are {TOKENS_MAX} tokens: revoke some, or use certificates")]
    Full,
    #[error("a token of a {who} cannot be made: an adapter proves itself with a certificate")]
    Adapter { who: Who },
    #[error("an operator's token can be for trace, audit and registry only")]
    Scopes,
    #[error("there is no token {id}")]
    NoSuchToken { id: TokenId },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    /// The id of the next token: none is ever given twice.
    next_id: u32,
    tokens: Vec<TokenRow>,
}

impl TokenFile {
    /// The file of a node, by its data folder.
    #[must_use]
    pub fn of(data_dir: &Path) -> Self {
        Self {
            path: data_dir.join("tokens/tokens.json"),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Every token, expired ones too, in the order they were made.
    ///
    /// # Errors
    /// [`TokenFileError`] names the file.
    pub fn list(&self) -> Result<Vec<TokenRow>, TokenFileError> {
        Ok(self.read()?.tokens)
    }

    /// Makes a token; its text exists only in what is returned.
    ///
    /// # Errors
    /// [`TokenFileError`]: nothing was made.
    pub fn create(
        &self,
        who: Who,
        scopes: Scopes,
        now: UnixMs,
        expires: UnixMs,
    ) -> Result<(Token, TokenRow), TokenFileError> {
        if matches!(who, Who::Adapter(_)) {
            return Err(TokenFileError::Adapter { who });
        }
        if !scopes.within(&Scopes::of(&who)) {
            return Err(TokenFileError::Scopes);
        }
        let _turn = self.turn().map_err(|source| self.unwritable(source))?;
        let mut content = self.read()?;
        if content.tokens.len() >= TOKENS_MAX {
            return Err(TokenFileError::Full);
        }
        let token = Token::random().map_err(|source| self.unwritable(source))?;
        let row = TokenRow {
            id: TokenId(content.next_id),
            who,
            scopes,
            created_ms: now.0,
            expires_ms: expires.0,
            sha256: token.sha256(),
        };
        content.next_id = content.next_id.checked_add(1).ok_or(TokenFileError::Full)?;
        content.tokens.push(row.clone());
        self.write(&content).map_err(|source| self.unwritable(source))?;
        Ok((token, row))
    }

    /// Ends a token; a running node refuses it from its next call on.
    ///
    /// # Errors
    /// [`TokenFileError`]: the token is as it was.
    pub fn revoke(&self, id: TokenId) -> Result<TokenRow, TokenFileError> {
        let _turn = self.turn().map_err(|source| self.unwritable(source))?;
        let mut content = self.read()?;
        let at = content.tokens.iter().position(|row| row.id == id);
        let revoked = content.tokens.remove(at.ok_or(TokenFileError::NoSuchToken { id })?);
        self.write(&content).map_err(|source| self.unwritable(source))?;
        Ok(revoked)
    }

    fn read(&self) -> Result<Content, TokenFileError> {
        let bytes = match files::read_secret(&self.path) {
            Ok(bytes) => bytes,
            Err(FileError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(Content {
                    next_id: 1,
                    tokens: Vec::new(),
                });
            }
            Err(error) => return Err(error.into()),
        };
        serde_json::from_slice(&bytes).map_err(|source| TokenFileError::Damaged {
            path: self.path.clone(),
            source,
        })
    }

    /// Commands take turns by a lock that ends with the process.
    fn turn(&self) -> io::Result<File> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        lgsp_files::turn(folder)
    }

    /// The whole file or none of it.
    fn write(&self, content: &Content) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(content)?;
        lgsp_files::write_whole(&self.path, &text, Existing::Replace, 0o600)
    }

    fn unwritable(&self, source: io::Error) -> TokenFileError {
        TokenFileError::Unwritable {
            path: self.path.clone(),
            source,
        }
    }
}

//! `lgsp token`: bearer tokens of a node, made, listed and revoked in its data folder.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use lgsp_api::{Scope, Scopes, TokenFile, TokenFileError, TokenId, TokenRow, Who};
use lgsp_files::Existing;
use lgsp_types::{ReasonCode, UnixMs};
use serde_json::{Value, json};

use super::{Failure, NodeArguments, ca};
use crate::node::clock;
use crate::private::{self, NotDone};

const TOKEN_UNKNOWN: ReasonCode = ReasonCode::new("TOKEN_UNKNOWN");
const TOKEN_NOT_ALLOWED: ReasonCode = ReasonCode::new("TOKEN_NOT_ALLOWED");
const TOKENS_FULL: ReasonCode = ReasonCode::new("TOKENS_FULL");
const TOKENS_UNUSABLE: ReasonCode = ReasonCode::new("TOKENS_UNUSABLE");

const DAY_MS: u64 = 24 * 3600 * 1000;

/// Bearer tokens, for callers without a certificate; a running node takes up every change at its next call
#[derive(Debug, Args)]
pub(crate) struct Tokens {
    #[command(subcommand)]
    act: Act,
    #[command(flatten)]
    node: NodeArguments,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Make a token; it is shown this once and kept nowhere
    Create(Create),
    /// List every token, by its number
    List,
    /// End a token before its time
    Revoke {
        /// The number that `lgsp token list` shows
        id: u32,
    },
}

#[derive(Debug, Args)]
struct Create {
    /// Whose it is: system/<id> or operator/<id>
    #[arg(long = "for", value_name = "WHO", value_parser = ca::who)]
    who: Who,
    /// What it is for: publish, receive, trace, audit, registry
    #[arg(long = "scope", value_name = "SCOPE", value_parser = scope, value_delimiter = ',', required = true)]
    scopes: Vec<Scope>,
    /// Days until it expires
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// Write the token into this new file of mode 0600 instead of showing it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

fn scope(text: &str) -> Result<Scope, String> {
    Scope::parse(text).map_err(|error| format!("`{text}` {error}"))
}

impl Tokens {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let settings = self.node.load()?.settings;
        let file = TokenFile::of(&settings.node.data_dir);
        let now = clock()();
        match &self.act {
            Act::Create(create) => self.create(&file, create, now)?,
            Act::List => self.tell(&file.list().map_err(not_done)?, now)?,
            Act::Revoke { id } => self.tell(&[file.revoke(TokenId(*id)).map_err(not_done)?], now)?,
        }
        Ok(ExitCode::SUCCESS)
    }

    fn create(&self, file: &TokenFile, create: &Create, now: UnixMs) -> Result<(), Failure> {
        let scopes = Scopes::new(create.scopes.iter().copied())
            .ok_or("no scope")
            .map_err(Failure::cannot)?;
        let expires = UnixMs(now.0 + u64::from(create.days) * DAY_MS);
        let made = file.create(create.who.clone(), scopes, now, expires);
        let (token, made) = made.map_err(not_done)?;
        let shown = self.show(create, &token.reveal(), &made, now);
        if shown.is_err() {
            // Whoever has not seen it never will: it is taken back.
            file.revoke(made.id).map_err(not_done)?;
        }
        shown
    }

    fn show(&self, create: &Create, token: &str, made: &TokenRow, now: UnixMs) -> Result<(), Failure> {
        if let Some(path) = &create.out {
            private::write(path, format!("{token}\n").as_bytes(), Existing::Refuse).map_err(Failure::cannot)?;
        }
        let shown = create.out.is_none();
        let mut out = io::stdout().lock();
        if self.json {
            let mut row = row(made, now);
            if let Value::Object(members) = &mut row {
                members.insert(String::from("token"), json!(shown.then_some(token)));
            }
            writeln!(out, "{row:#}")?;
        } else if shown {
            // Alone on the output, so that it can go into a pipe.
            writeln!(out, "{token}")?;
        }
        out.flush()?;
        if !self.json {
            let until = UnixMs(made.expires_ms).iso_text();
            let text = format!("token {} of {} for {} until {until}", made.id, made.who, made.scopes);
            drop(writeln!(io::stderr(), "{text}"));
        }
        Ok(())
    }

    fn tell(&self, rows: &[TokenRow], now: UnixMs) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.json {
            let rows: Vec<Value> = rows.iter().map(|token| row(token, now)).collect();
            return writeln!(out, "{:#}", json!({ "tokens": rows }));
        }
        for token in rows {
            let state = if token.expires_ms <= now.0 { "expired" } else { "good" };
            let until = UnixMs(token.expires_ms).iso_text();
            writeln!(
                out,
                "{:>4}  {state:<8} {until}  {}  {}",
                token.id, token.who, token.scopes
            )?;
        }
        Ok(())
    }
}

fn row(token: &TokenRow, now: UnixMs) -> Value {
    json!({
        "id": token.id,
        "who": token.who,
        "scopes": token.scopes,
        "state": if token.expires_ms <= now.0 { "expired" } else { "good" },
        "created": UnixMs(token.created_ms).iso_text(),
        "expires": UnixMs(token.expires_ms).iso_text(),
    })
}

fn not_done(error: TokenFileError) -> Failure {
    let (code, path, mend) = match &error {
        TokenFileError::NoSuchToken { .. } => (TOKEN_UNKNOWN, "ID", "see `lgsp token list`"),
        TokenFileError::Adapter { .. } => (TOKEN_NOT_ALLOWED, "--for", "see `lgsp ca issue --for`"),
        TokenFileError::Scopes => (TOKEN_NOT_ALLOWED, "--scope", "name these only"),
        TokenFileError::Full => (TOKENS_FULL, "/tokens/tokens.json", "see `lgsp token list`"),
        TokenFileError::File(_) | TokenFileError::Damaged { .. } | TokenFileError::Unwritable { .. } => {
            let mend = "mend the file that is named below";
            let unusable = NotDone::new(
                TOKENS_UNUSABLE,
                "/tokens/tokens.json",
                "the tokens cannot be read or changed",
                mend,
            );
            return Failure::cannot(unusable.because(error));
        }
    };
    Failure::cannot(NotDone::new(code, path, error.to_string(), mend))
}

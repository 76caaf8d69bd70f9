//! `lgsp search`: documents by what people know of them, asked of the running node.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;
use lgsp_types::DocumentQuery;
use serde_json::{Value, json};

use super::asking::Asking;
use super::stand::{self, day_of};
use super::{Failure, NodeArguments};
use crate::operations::{list, text};

/// Finds documents, the latest first: all that is given has to hold. Marks and case never matter: `de an do thi` finds
/// \"Đề án đô thị\". Exit code 1: nothing is found
#[derive(Debug, Args)]
pub(crate) struct Search {
    /// Words of the subject and the other fields that the contract marks searchable; all of them
    #[arg(value_name = "WORD")]
    words: Vec<String>,
    /// Number, or number and notation: 2451 or 2451/STTTT-CNTT
    #[arg(long)]
    number: Option<String>,
    /// Notation: STTTT-CNTT
    #[arg(long)]
    notation: Option<String>,
    /// Code of whoever sent it or is its addressee, an old one too
    #[arg(long, value_name = "CODE")]
    agency: Option<String>,
    /// First day of acceptance, as 2026-01-31
    #[arg(long, value_name = "DAY")]
    from: Option<String>,
    /// Last day of acceptance
    #[arg(long, value_name = "DAY")]
    to: Option<String>,
    /// The date that the document bears
    #[arg(long, value_name = "DAY")]
    dated: Option<String>,
    /// Where it stands at an addressee: sent, arrived, refused, registered, assigned, in-progress, done, asked-back,
    /// taken-back or replaced
    #[arg(long)]
    state: Option<String>,
    /// Only where an addressee is late with something
    #[arg(long)]
    late: bool,
    /// Most documents, 1 to 100
    #[arg(long, value_name = "NUMBER")]
    limit: Option<u32>,
    /// Goes on behind an earlier page, with what that one told
    #[arg(long, value_name = "NEXT")]
    after: Option<String>,
    #[command(flatten)]
    node: NodeArguments,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Search {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let node = Asking::of(&self.node)?;
        let words = self.words.join(" ");
        let query = DocumentQuery {
            number: self.number,
            notation: self.notation,
            agency: self.agency,
            from: self.from,
            to: self.to,
            dated: self.dated,
            state: self.state,
            late: self.late,
            words: (!self.words.is_empty()).then_some(words),
            limit: self.limit,
            after: self.after,
        };
        let found = node.ask("/v1/search", Some(&json!(query).to_string()))?;
        let documents = list(&found, "documents");
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{found:#}")?;
        } else {
            documents.iter().try_for_each(|document| print(&mut out, document))?;
            if let Some(next) = found.get("next").and_then(Value::as_str) {
                writeln!(out, "there are more: --after {next}")?;
            }
        }
        if documents.is_empty() {
            return Err(Failure::no("no document is like this"));
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print(out: &mut impl Write, document: &Value) -> io::Result<()> {
    let from = document.get("from").unwrap_or(&Value::Null);
    writeln!(
        out,
        "{}  of {}  {}\n  from {} ({}), accepted {}, DocId {}",
        text(document, "document"),
        day_of(text(document, "date")),
        text(document, "title"),
        text(from, "name"),
        text(from, "code"),
        text(document, "accepted"),
        text(document, "msg_id"),
    )?;
    for addressee in list(document, "addressees") {
        stand::print(out, addressee)?;
    }
    let flags: Vec<&str> = list(document, "flags").iter().filter_map(Value::as_str).collect();
    if !flags.is_empty() {
        writeln!(out, "  flagged: {}", flags.join(", "))?;
    }
    Ok(())
}

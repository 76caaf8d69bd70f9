//! `lgsp redrive`: dead letters, and another round for them.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;
use lgsp_types::DeliveryId;
use serde_json::{Value, json};

use super::asking::Asking;
use super::{Failure, NodeArguments};
use crate::operations::{AskError, list, text};

/// Gives dead letters another round of tries: those that are named, or all that fit; the latest 1,000 are looked at
#[derive(Debug, Args)]
pub(crate) struct Redrive {
    /// Ids of deliveries, as `lgsp trace` tells them
    #[arg(value_name = "DELIVERY", value_parser = |text: &str| DeliveryId::parse(text))]
    deliveries: Vec<DeliveryId>,
    /// Only those with this reason
    #[arg(long, value_name = "CODE")]
    reason: Option<String>,
    /// Only those to this agency
    #[arg(long, value_name = "AGENCY")]
    agency: Option<String>,
    /// All dead letters
    #[arg(long, conflicts_with_all = ["deliveries", "reason", "agency"])]
    all: bool,
    /// Only show which
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    node: NodeArguments,
    /// Print JSON, an object a line
    #[arg(long)]
    json: bool,
}

impl Redrive {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        if !self.dry_run && !self.all && self.deliveries.is_empty() && self.reason.is_none() && self.agency.is_none() {
            return Err(Failure::wrong(
                "name deliveries, --reason, --agency or --all; --dry-run shows which there are",
            ));
        }
        let node = Asking::of(&self.node)?;
        let answer = node.ask("/v1/dead-letters", None)?;
        let letters = list(&answer, "dead_letters");
        let (mut found, mut left) = (0_u32, 0_u32);
        for letter in letters.iter().filter(|letter| self.fits(letter)) {
            found += 1;
            if let Err(error) = self.one(&node, letter)? {
                left += 1;
                writeln!(io::stderr().lock(), "{error}")?;
            }
        }
        let missing = self
            .deliveries
            .iter()
            .filter(|id| !letters.iter().any(|letter| is(letter, id)))
            .count();
        if missing > 0 {
            return Err(Failure::no(format!("{missing} of the deliveries are no dead letters")));
        }
        if left > 0 {
            return Err(Failure::no(format!("{left} of {found} dead letters are as they were")));
        }
        if found == 0 {
            return Err(Failure::no("no dead letter fits"));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn fits(&self, letter: &Value) -> bool {
        let says =
            |name: &str, asked: &Option<String>| asked.as_deref().is_none_or(|asked| text(letter, name) == asked);
        let named = self.deliveries.is_empty() || self.deliveries.iter().any(|id| is(letter, id));
        named && says("reason", &self.reason) && says("agency", &self.agency)
    }

    /// The inner error is about this one alone.
    fn one(&self, node: &Asking, letter: &Value) -> Result<Result<(), AskError>, Failure> {
        let mut generation = None;
        if !self.dry_run {
            let id = text(letter, "delivery");
            match node.call("/v1/redrive", id) {
                Ok(answer) => generation = answer.get("generation").cloned(),
                Err(error @ AskError::Refused { .. }) => return Ok(Err(error)),
                Err(error) => return Err(error.into()),
            }
        }
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{}", json!({ "letter": letter, "generation": generation }))?;
        } else {
            let [delivery, reason, to, document, since] =
                ["delivery", "reason", "to", "document", "since"].map(|name| text(letter, name));
            let done = if self.dry_run { "" } else { "  redriven" };
            let why = match text(letter, "no_route") {
                "" => String::new(),
                why => format!("  ({why})"),
            };
            writeln!(
                out,
                "{delivery}  {reason}  to {to}  {document}  since {since}{why}{done}"
            )?;
        }
        Ok(Ok(()))
    }
}

fn is(letter: &Value, id: &DeliveryId) -> bool {
    text(letter, "delivery") == id.to_string()
}

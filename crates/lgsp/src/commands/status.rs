//! `lgsp status`: how a node stands, in one screen.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::asking::Asking;
use super::{Failure, NodeArguments};
use crate::operations::{list, text};

/// Asks the node of this folder how it stands
#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    node: NodeArguments,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Status {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let status = Asking::of(&self.node)?.ask("/v1/status", None)?;
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{status:#}")?;
        } else {
            print(&mut out, &status)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print(out: &mut impl Write, status: &Value) -> io::Result<()> {
    let count = |name: &str| status.get(name).and_then(Value::as_u64).unwrap_or_default();
    let holder = status.get("holder").and_then(Value::as_str);
    let tenure = match (holder, count("epoch")) {
        (Some(holder), 0) => format!("held by {holder}"),
        (Some(holder), epoch) => format!("held by {holder}, epoch {epoch}"),
        (None, _) => String::from("not held: nothing is accepted until the lease is renewed"),
    };
    writeln!(out, "ledger       {tenure}")?;
    writeln!(
        out,
        "messages     {} accepted, {} repeats, {} conflicts; {} calls refused, {} more only counted",
        count("accepted"),
        count("repeats"),
        count("conflicts"),
        count("refusals"),
        count("refusals_summarised")
    )?;
    writeln!(
        out,
        "deliveries   {} open, {} collected, {} delivered, {} dead letters, {} withdrawn",
        count("open"),
        count("collected"),
        count("delivered"),
        count("dead_lettered"),
        count("withdrawn")
    )?;
    let unsealed = count("unsealed_ms");
    writeln!(
        out,
        "checkpoint   the oldest record without one waits for {}.{} s",
        unsealed / 1_000,
        unsealed % 1_000 / 100
    )?;
    writeln!(
        out,
        "rules        {} records, {} agencies",
        count("control_size"),
        count("agencies")
    )?;
    if count("aliens") > 0 {
        writeln!(
            out,
            "foreign      {} records in the ledger are none of ours",
            count("aliens")
        )?;
    }
    print_waiting(out, status)
}

/// Who is pushed to, and who does not fetch.
fn print_waiting(out: &mut impl Write, status: &Value) -> io::Result<()> {
    for line in list(status, "pushes") {
        let number = |name: &str| line.get(name).and_then(Value::as_u64).unwrap_or_default();
        let text = |name: &str| line.get(name).and_then(Value::as_str);
        let failure = text("last_failure").map(|reason| format!(", last failure {reason}"));
        let is = |name: &str| line.get(name).and_then(Value::as_bool).unwrap_or_default();
        writeln!(
            out,
            "push         {}: {} under way, {} waiting{}{}",
            text("connector").unwrap_or_default(),
            number("trying"),
            number("waiting"),
            failure.unwrap_or_default(),
            match (is("switched_off"), is("left_alone")) {
                (true, _) => "; switched off until `lgsp resume`, as it could not be reached for too long",
                (false, true) => "; left alone until it can be reached",
                (false, false) => "",
            }
        )?;
    }
    for late in list(status, "uncollected") {
        let number = |name: &str| late.get(name).and_then(Value::as_u64).unwrap_or_default();
        writeln!(
            out,
            "uncollected  {}: {} not fetched within {} h, the oldest since {}",
            text(late, "connector"),
            number("deliveries"),
            number("within_hours"),
            text(late, "oldest")
        )?;
    }
    Ok(())
}

//! `lgsp trace`: all that happened to a message, asked of the running node.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::asking::Asking;
use super::{Failure, NodeArguments, stand};
use crate::operations::{list, text};

/// Finds messages by a document's number and notation (2451/STTTT-CNTT), its DocumentId, a DocId or a delivery's id
#[derive(Debug, Args)]
pub(crate) struct Trace {
    /// What to look for; statuses and answers about a document come with it
    #[arg(value_name = "NUMBER-OR-ID")]
    query: String,
    #[command(flatten)]
    node: NodeArguments,
    /// Write receipt, ledger entry and inclusion proof of each message into this folder
    #[arg(long, value_name = "DIR")]
    evidence: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Trace {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let node = Asking::of(&self.node)?;
        let trace = node.ask("/v1/trace", Some(&self.query))?;
        let messages = list(&trace, "messages");
        if let Some(folder) = &self.evidence {
            fs::create_dir_all(folder)?;
            for message in messages {
                let id = text(message, "msg_id");
                save(folder, id, &node.ask("/v1/evidence", Some(id))?)?;
            }
        }
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{trace:#}")?;
        } else {
            messages.iter().try_for_each(|message| print(&mut out, message))?;
            list(&trace, "documents")
                .iter()
                .try_for_each(|document| stand::print_document(&mut out, document))?;
        }
        if messages.is_empty() {
            return Err(Failure::no(format!("no message is, or is about, `{}`", self.query)));
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn save(folder: &Path, id: &str, evidence: &Value) -> io::Result<()> {
    for (member, ending) in [("receipt", "receipt"), ("proof", "tlog-proof"), ("entry", "entry.hex")] {
        if let Some(text) = evidence.get(member).and_then(Value::as_str) {
            fs::write(folder.join(format!("{id}.{ending}")), text)?;
        }
    }
    Ok(())
}

fn print(out: &mut impl Write, message: &Value) -> io::Result<()> {
    let from = message.get("from").unwrap_or(&Value::Null);
    writeln!(
        out,
        "{}  {}\n  from {} ({}), DocId {}{}",
        text(message, "document"),
        what_it_is(text(message, "contract"), text(message, "act")),
        text(from, "name"),
        text(from, "code"),
        text(message, "msg_id"),
        trace(text(message, "trace_id")),
    )?;
    let began = message.get("accepted_ms").and_then(Value::as_u64).unwrap_or(0);
    let deliveries = list(message, "deliveries");
    for event in list(message, "events")
        .iter()
        .filter(|event| event.get("delivery").is_none_or(Value::is_null))
    {
        print_event(out, event, began, "  ")?;
    }
    for delivery in deliveries {
        let to = delivery.get("to").unwrap_or(&Value::Null);
        let reason = delivery
            .get("reason")
            .and_then(Value::as_str)
            .map(|reason| format!(" ({reason})"));
        let late = if delivery.get("late") == Some(&Value::Bool(true)) {
            ", late"
        } else {
            ""
        };
        writeln!(
            out,
            "  to {} ({}){}: {}{late}{}{}",
            text(to, "name"),
            text(to, "code"),
            received_by(delivery),
            text(delivery, "state"),
            reason.unwrap_or_default(),
            behind(text(delivery, "behind")),
        )?;
        let id = delivery.get("delivery");
        for event in list(message, "events")
            .iter()
            .filter(|event| event.get("delivery") == id)
        {
            print_event(out, event, began, "    ")?;
        }
    }
    Ok(())
}

/// What joins it with the spans and logs of other systems.
fn trace(id: &str) -> String {
    if id.is_empty() {
        String::new()
    } else {
        format!(", trace {id}")
    }
}

/// What holds it up.
fn behind(dead_letter: &str) -> String {
    if dead_letter.is_empty() {
        String::new()
    } else {
        format!("; waits until the dead letter {dead_letter} was redriven")
    }
}

/// Who had it in the addressee's place.
fn received_by(delivery: &Value) -> String {
    match delivery.get("receiver") {
        Some(receiver) if receiver.is_object() => {
            format!(
                ", by its successor {} ({})",
                text(receiver, "name"),
                text(receiver, "code")
            )
        }
        _ => String::new(),
    }
}

fn print_event(out: &mut impl Write, event: &Value, began: u64, indent: &str) -> io::Result<()> {
    let at_ms = event.get("at_ms").and_then(Value::as_u64).unwrap_or(0);
    let since = std::time::Duration::from_millis(at_ms.saturating_sub(began)).as_secs_f64();
    let effect = match text(event, "effect") {
        "in force" => String::new(),
        other => format!("  [{other}]"),
    };
    let kind = text(event, "kind").to_lowercase();
    let reason = match text(event, "reason") {
        "" => String::new(),
        reason => format!(" ({reason})"),
    };
    writeln!(
        out,
        "{indent}{}  +{since:7.3} s  {kind:<13} by {} at {}{reason}{effect}",
        text(event, "at"),
        text(event, "system"),
        text(event, "position"),
    )
}

/// The words of the field for kinds of packets and statuses. Source: vietnam.md 1.5 and 1.12.
fn what_it_is(contract: &str, act: &str) -> String {
    let meaning = match act {
        "0" => "new document, văn bản điện tử mới",
        "1" => "revocation, thu hồi",
        "2" => "update, cập nhật",
        "3" => "replacement, thay thế",
        "01" => "arrived, đã đến",
        "02" => "refused, từ chối tiếp nhận",
        "03" => "registered, đã tiếp nhận",
        "04" => "assigned, phân công",
        "05" => "in progress, đang xử lý",
        "06" => "done, hoàn thành",
        "13" => "take-back asked, lấy lại",
        "15" => "take-back agreed, đồng ý",
        "16" => "take-back refused, từ chối",
        _ => return contract.to_owned(),
    };
    if act.len() == 2 {
        format!("status {act}: {meaning}")
    } else {
        meaning.to_owned()
    }
}

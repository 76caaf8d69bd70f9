//! `lgsp registry`: who changed what, what a file would change, and changing it, asked of the running node.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use lgsp_registry::{FILE_MAX_BYTES, ObjectRef};
use serde_json::Value;

use super::asking::Asking;
use super::{Failure, NO, NodeArguments};
use crate::operations::registry::{Apply, Edit, Taking, Which};
use crate::operations::{list, text};

/// The registry of a running node: agencies, systems, connectors, adapters and grants
#[derive(Debug, Args)]
pub(crate) struct Registry {
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
    /// Tell what applying a registry file would change, and what somebody else changed that it would leave
    ///
    /// Exits with 1 if there is anything.
    Diff {
        /// Known by its name, wherever it lies; the folders of `registry.files` do not count
        file: PathBuf,
        /// What becomes of that which was changed elsewhere
        #[arg(long, value_name = "WHICH")]
        take: Option<Taking>,
    },
    /// Apply a registry file, or one object that was edited, without a restart
    ///
    /// Of a file only objects whose text differs from its last import are changed. Edit the file that `registry.files` names: a
    /// node that starts imports it again. Exits with 1 if something was left, or was changed meanwhile.
    Apply {
        file: PathBuf,
        /// What becomes of that which was changed elsewhere
        #[arg(long, value_name = "WHICH")]
        take: Option<Taking>,
        /// The file holds one object as `lgsp registry show` wrote it, edited; refused if it was changed meanwhile
        #[arg(long, conflicts_with = "take")]
        object: bool,
    },
    /// Tell who changed what, when, and with which event; the latest 1,000 changes
    History {
        /// Of one object, as in grant/van-ban or agency/vp.so-tu-phap
        #[arg(value_name = "KIND/ID", value_parser = reference)]
        object: Option<ObjectRef>,
    },
    /// Write one object as text to be edited, with the event that made it so; apply it with `--object`
    Show {
        /// As in grant/van-ban or agency/vp.so-tu-phap
        #[arg(value_name = "KIND/ID", value_parser = reference)]
        object: ObjectRef,
    },
}

fn reference(text: &str) -> Result<ObjectRef, String> {
    ObjectRef::try_from(text.to_owned()).map_err(|error| error.to_string())
}

impl Registry {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let telling = Telling {
            node: Asking::of(&self.node)?,
            json: self.json,
        };
        match self.act {
            Act::Diff { file, take } => telling.diff(&file, take),
            Act::Apply { file, object: true, .. } => telling.apply_object(&file),
            Act::Apply { file, take, .. } => telling.apply(&file, take),
            Act::History { object } => telling.history(object),
            Act::Show { object } => telling.show(object),
        }
    }
}

/// Asks, and prints the answers.
struct Telling {
    node: Asking,
    json: bool,
}

impl Telling {
    fn diff(&self, file: &Path, take: Option<Taking>) -> Result<ExitCode, Failure> {
        let answer = self.node.ask_registry("apply", &question(file, take, true)?)?;
        self.print(&answer, |out| {
            print_plan(out, &answer)?;
            print_sum(out, &answer, "would change")
        })?;
        let found = list(&answer, "changes").len() + list(&answer, "left").len();
        Ok(if found == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(NO)
        })
    }

    fn apply(&self, file: &Path, take: Option<Taking>) -> Result<ExitCode, Failure> {
        let answer = self.node.ask_registry("apply", &question(file, take, false)?)?;
        self.print(&answer, |out| {
            print_plan(out, &answer)?;
            let mut sets = list(&answer, "made").iter();
            sets.try_for_each(|set| writeln!(out, "applied: {}", made(set)))?;
            print_sum(out, &answer, "changed")
        })?;
        match list(&answer, "left").len() {
            0 => Ok(ExitCode::SUCCESS),
            _ => Err(Failure::no(
                "what was changed elsewhere is left: decide with --take file or --take ledger",
            )),
        }
    }

    fn apply_object(&self, file: &Path) -> Result<ExitCode, Failure> {
        let answer = self.node.ask_registry("edit", &Edit { text: read(file)? })?;
        let set = answer.get("made").unwrap_or(&Value::Null);
        self.print(&answer, |out| writeln!(out, "applied: {}", made(set)))?;
        Ok(ExitCode::SUCCESS)
    }

    fn history(&self, object: Option<ObjectRef>) -> Result<ExitCode, Failure> {
        let which = Which { object };
        let answer = self.node.ask_registry("history", &which)?;
        let events = list(&answer, "events");
        self.print(&answer, |out| {
            events.iter().try_for_each(|event| print_event(out, event))
        })?;
        match which.object {
            Some(object) if events.is_empty() => Err(Failure::no(format!("there never was a {object}"))),
            Some(_) | None => Ok(ExitCode::SUCCESS),
        }
    }

    fn show(&self, object: ObjectRef) -> Result<ExitCode, Failure> {
        let answer = self.node.ask_registry("show", &Which { object: Some(object) })?;
        self.print(&answer, |out| {
            writeln!(out, "# {}", made(answer.get("made").unwrap_or(&Value::Null)))?;
            write!(out, "{}", text(&answer, "text"))
        })?;
        Ok(ExitCode::SUCCESS)
    }

    fn print(&self, answer: &Value, words: impl FnOnce(&mut io::StdoutLock<'_>) -> io::Result<()>) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{answer:#}")
        } else {
            words(&mut out)
        }
    }
}

fn question(file: &Path, take: Option<Taking>, only_plan: bool) -> Result<Apply, Failure> {
    let name = file.file_name().and_then(|name| name.to_str());
    Ok(Apply {
        file: name
            .ok_or_else(|| Failure::wrong("the file has no name in UTF-8"))?
            .to_owned(),
        text: read(file)?,
        take,
        only_plan,
    })
}

fn read(file: &Path) -> Result<String, Failure> {
    let unreadable = |what: String| Failure::wrong(format!("{}: {what}", file.display()));
    let size = fs::metadata(file).map_err(|error| unreadable(error.to_string()))?.len();
    if usize::try_from(size).is_ok_and(|size| size <= FILE_MAX_BYTES) {
        fs::read_to_string(file).map_err(|error| unreadable(error.to_string()))
    } else {
        Err(unreadable(format!("is larger than {FILE_MAX_BYTES} bytes")))
    }
}

/// Where a change set comes from, in one line.
fn made(made: &Value) -> String {
    let [event, position, at, by] = ["event", "position", "at", "by"].map(|name| text(made, name));
    format!("{at} by {by}, event {event}, at {position}")
}

fn print_plan(out: &mut impl Write, plan: &Value) -> io::Result<()> {
    list(plan, "changes")
        .iter()
        .try_for_each(|change| print_change(out, change, ""))?;
    for left in list(plan, "left") {
        let line = left.get("line").and_then(Value::as_u64);
        let line = line.map(|line| format!(" (line {line})")).unwrap_or_default();
        writeln!(out, "! {}{line}: left: {}", text(left, "object"), text(left, "why"))?;
        if let Some(now) = left.get("made").filter(|made| made.is_object()) {
            writeln!(out, "    as it is: {}", made(now))?;
        }
        for differing in list(left, "differences") {
            let [ledger, file] = ["was", "is"].map(|name| value(differing, name));
            writeln!(out, "    {}: ledger {ledger}, file {file}", text(differing, "field"))?;
        }
    }
    Ok(())
}

fn print_sum(out: &mut impl Write, plan: &Value, verb: &str) -> io::Result<()> {
    let [changes, left] = ["changes", "left"].map(|name| list(plan, name).len());
    writeln!(out, "{changes} {verb}, {left} left")
}

fn print_event(out: &mut impl Write, event: &Value) -> io::Result<()> {
    writeln!(out, "{}", made(event))?;
    if let Some(void) = event.get("void").and_then(Value::as_str) {
        writeln!(out, "  [void: {void}]")?;
    }
    list(event, "changes")
        .iter()
        .try_for_each(|change| print_change(out, change, "  "))
}

fn print_change(out: &mut impl Write, change: &Value, indent: &str) -> io::Result<()> {
    let sign = match text(change, "change") {
        "new" => '+',
        "removed" => '-',
        "kept" => '=',
        _ => '~',
    };
    writeln!(
        out,
        "{indent}{sign} {} ({})",
        text(change, "object"),
        text(change, "change")
    )?;
    for differing in list(change, "differences") {
        let [was, is] = ["was", "is"].map(|name| value(differing, name));
        let field = text(differing, "field");
        match sign {
            '+' => writeln!(out, "{indent}    {field}: {is}")?,
            '-' => writeln!(out, "{indent}    {field}: {was}")?,
            _ => writeln!(out, "{indent}    {field}: {was} -> {is}")?,
        }
    }
    Ok(())
}

fn value<'a>(differing: &'a Value, name: &str) -> &'a str {
    differing.get(name).and_then(Value::as_str).unwrap_or("(none)")
}

//! `lgsp who-may` and `lgsp allowed`: whose right it is to send, asked of the running node.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{ArgGroup, Args};
use lgsp_types::{AgencyCode, ContractRef, DocumentDate, SystemId};
use serde_json::Value;

use super::asking::Asking;
use super::{Failure, NO, NodeArguments};
use crate::operations::rights::{Allowed as Question, WhoMay as WhoMayQuestion};
use crate::operations::{list, text};

/// Tell by which grants a contract may be sent, in words
///
/// By the registry as it stands now; grants of other days are told too. Exits with 1 if none is in force.
#[derive(Debug, Args)]
pub(crate) struct WhoMay {
    /// Of every version, as in vn.lgsp.document, or of one, as in vn.lgsp.document/1
    contract: String,
    /// Only what lets the agency with this code send
    #[arg(long, value_name = "CODE", value_parser = AgencyCode::parse)]
    from: Option<AgencyCode>,
    /// Only what lets somebody send to the agency with this code
    #[arg(long, value_name = "CODE", value_parser = AgencyCode::parse)]
    to: Option<AgencyCode>,
    /// On this day, `yyyy-MM-dd`; today in Vietnam if not given
    #[arg(long, value_name = "DAY", value_parser = DocumentDate::parse_iso)]
    as_of: Option<DocumentDate>,
    #[command(flatten)]
    node: NodeArguments,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Tell whether a message would be let in: by which grant, or refused for which reasons
///
/// Sender, addressees and rights are judged as `publish` judges them, by the registry as it stands now; a payload is not asked
/// for. Without --system every system that speaks for the sender is asked. Exits with 1 if none may send it.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("sender").required(true).multiple(true).args(["from", "system"])))]
pub(crate) struct Allowed {
    /// The sender's code
    #[arg(long, value_name = "CODE", value_parser = AgencyCode::parse)]
    from: Option<AgencyCode>,
    /// The system that sends; its own agency is the sender if --from is not given
    #[arg(long, value_name = "ID", value_parser = SystemId::parse)]
    system: Option<SystemId>,
    /// Codes of the addressees
    #[arg(long, value_name = "CODE", required = true, num_args = 1.., value_parser = AgencyCode::parse)]
    to: Vec<AgencyCode>,
    /// As in vn.lgsp.document/1
    #[arg(long, value_name = "NAME/VERSION", value_parser = ContractRef::parse)]
    contract: ContractRef,
    /// Code of the purpose; none if not given
    #[arg(long, default_value = "")]
    purpose: String,
    /// As if it were accepted on this day, `yyyy-MM-dd`; today in Vietnam if not given
    #[arg(long, value_name = "DAY", value_parser = DocumentDate::parse_iso)]
    as_of: Option<DocumentDate>,
    /// The document's date, which says what codes mean; the day of acceptance if not given
    #[arg(long, value_name = "DAY", value_parser = DocumentDate::parse_iso)]
    dated: Option<DocumentDate>,
    #[command(flatten)]
    node: NodeArguments,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl WhoMay {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let asked = WhoMayQuestion {
            contract: self.contract,
            from: self.from,
            to: self.to,
            as_of: self.as_of,
        };
        let answer = Asking::of(&self.node)?.ask_registry("who-may", &asked)?;
        let (day, grants) = (text(&answer, "day"), list(&answer, "grants"));
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{answer:#}")?;
        } else {
            let words = |grant: &Value| text(grant, "words").to_owned();
            grants.iter().try_for_each(|grant| writeln!(out, "{}", words(grant)))?;
            let mut others = list(&answer, "on_other_days").iter();
            others.try_for_each(|grant| writeln!(out, "not on {day}: {}", words(grant)))?;
        }
        if grants.is_empty() {
            let contract = asked.contract;
            return Err(Failure::no(format!(
                "on {day} no grant lets `{contract}` be sent like that"
            )));
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Allowed {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let asked = Question {
            from: self.from,
            system: self.system,
            to: self.to,
            contract: self.contract,
            purpose: self.purpose,
            as_of: self.as_of,
            dated: self.dated,
        };
        let answer = Asking::of(&self.node)?.ask_registry("allowed", &asked)?;
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{answer:#}")?;
        } else {
            print(&mut out, &answer)?;
        }
        let allowed = answer.get("allowed").and_then(Value::as_bool).unwrap_or(false);
        Ok(if allowed { ExitCode::SUCCESS } else { ExitCode::from(NO) })
    }
}

fn print(out: &mut impl Write, answer: &Value) -> io::Result<()> {
    let day = text(answer, "day");
    for refusal in list(answer, "refusals") {
        writeln!(out, "no, not on {day}\n  {}", told(refusal))?;
    }
    for verdict in list(answer, "verdicts") {
        let [system, from] = ["system", "from"].map(|name| text(verdict, name));
        if verdict.get("allowed").and_then(Value::as_bool).unwrap_or(false) {
            writeln!(out, "yes, on {day} by {system} for {from}:")?;
            let mut grants = list(verdict, "grants").iter().filter_map(Value::as_str);
            grants.try_for_each(|grant| writeln!(out, "  {grant}"))?;
        } else {
            writeln!(out, "no, not on {day} by {system} for {from}:")?;
            let mut refusals = list(verdict, "refusals").iter();
            refusals.try_for_each(|refusal| writeln!(out, "  {}", told(refusal)))?;
        }
    }
    Ok(())
}

/// As a sender is told.
fn told(refusal: &Value) -> String {
    let [code, path, what, mend] = ["code", "path", "what", "mend"].map(|name| text(refusal, name));
    format!("{code} at {path}: {what}; {mend}")
}

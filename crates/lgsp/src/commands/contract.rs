//! `lgsp contract`: are contracts sound, and does a payload fit one? Needs no node; authors and integrators run it at home.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use lgsp_contract::{Broken, Contracts, Examined, Problem, Valid, check_schema, examine};
use lgsp_types::{ContractRef, DocumentDate};
use serde_json::{Value, json};

use super::{Failure, NO};
use crate::contract_files;
use crate::node;

/// Contracts: the record formats of the exchange
#[derive(Debug, Args)]
pub(crate) struct ContractFiles {
    #[command(subcommand)]
    act: Act,
    /// The day for rules about dates, `yyyy-MM-dd`; today in Vietnam if not given
    #[arg(long, global = true, value_name = "DAY")]
    on: Option<String>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Check schemas, samples, and that no version breaks who sends by an earlier one
    ///
    /// Of a folder every contract in it; of a schema file that stands alone only the schema. Exits with 1 if something is
    /// wrong. What is merely new for receivers of an earlier version is told as well.
    Check {
        /// E.g. config/contracts, config/contracts/vn.lgsp.document, a folder of one version, or a schema file
        path: PathBuf,
    },
    /// Hold a payload against a contract, and tell every rule that it breaks
    ///
    /// Exits with 1 if it does not fit.
    Validate {
        /// Name and version, e.g. vn.lgsp.document/1
        contract: String,
        /// The payload, a file of JSON
        payload: PathBuf,
        /// The folder of the contracts
        #[arg(long, value_name = "FOLDER", default_value = "config/contracts")]
        contracts: PathBuf,
    },
}

impl ContractFiles {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let today = match &self.on {
            Some(day) => DocumentDate::parse_iso(day).map_err(|error| Failure::wrong(format!("--on {error}")))?,
            None => node::clock()().day_in_vietnam(),
        };
        match &self.act {
            Act::Check { path } => self.check(path, today),
            Act::Validate {
                contract,
                payload,
                contracts,
            } => self.validate(contract, payload, contracts, today),
        }
    }

    fn check(&self, path: &Path, today: DocumentDate) -> Result<ExitCode, Failure> {
        let folder = if path.is_file() { path.parent() } else { None };
        let folder = folder.map(|folder| {
            if folder.as_os_str().is_empty() {
                Path::new(".")
            } else {
                folder
            }
        });
        let in_contract = folder.filter(|folder| contract_files::is_version(folder) && path.ends_with("schema.json"));
        if let (true, None) = (path.is_file(), in_contract) {
            return self.check_alone(path);
        }
        let folders = contract_files::read(in_contract.unwrap_or(path)).map_err(Failure::cannot)?;
        let examined = examine(&folders, today);
        if self.json {
            let problems: Vec<_> = examined.problems.iter().map(problem_json).collect();
            let news: Vec<_> = examined.news.iter().map(problem_json).collect();
            let (versions, samples) = (folders.len(), examined.samples);
            let found = json!({"versions": versions, "samples": samples, "problems": problems, "news": news});
            writeln!(io::stdout(), "{found:#}")?;
        } else {
            print_examined(folders.len(), &examined)?;
        }
        Ok(verdict(examined.problems.is_empty()))
    }

    fn check_alone(&self, path: &Path) -> Result<ExitCode, Failure> {
        let schema = contract_files::read_file(path).map_err(Failure::cannot)?;
        let broken = check_schema(&schema).err().unwrap_or_default();
        let mut out = io::stdout().lock();
        if self.json {
            let problems: Vec<_> = broken.iter().map(broken_json).collect();
            writeln!(out, "{:#}", json!({ "problems": problems }))?;
        } else {
            broken
                .iter()
                .try_for_each(|broken| print_broken(&mut out, "", broken))?;
            writeln!(out, "{}: {}", path.display(), counted(broken.len()))?;
        }
        Ok(verdict(broken.is_empty()))
    }

    fn validate(&self, name: &str, file: &Path, folder: &Path, today: DocumentDate) -> Result<ExitCode, Failure> {
        let contract = ContractRef::parse(name).map_err(|error| Failure::wrong(format!("`{name}` {error}")))?;
        let folders = contract_files::read(folder).map_err(Failure::cannot)?;
        let contracts = Contracts::load(&folders).map_err(|problems| unsound(folder, &problems))?;
        let payload = contract_files::read_file(file).map_err(Failure::cannot)?;
        let checked = contracts.check(&contract, &payload, today);
        let flags = checked.as_ref().map_or(&[][..], Valid::flags);
        let broken = checked.as_ref().err().map_or(&[][..], Vec::as_slice);
        let mut out = io::stdout().lock();
        if self.json {
            let told = |all: &[Broken]| all.iter().map(broken_json).collect::<Vec<_>>();
            let fits = checked.is_ok();
            let found = json!({"contract": name, "fits": fits, "broken": told(broken), "flags": told(flags)});
            writeln!(out, "{found:#}")?;
            return Ok(verdict(fits));
        }
        broken
            .iter()
            .try_for_each(|broken| print_broken(&mut out, "", broken))?;
        flags
            .iter()
            .try_for_each(|flag| print_broken(&mut out, "flag ", flag))?;
        if checked.is_ok() {
            writeln!(out, "{} fits {contract}", file.display())?;
        } else {
            writeln!(
                out,
                "{} does not fit {contract}: {}",
                file.display(),
                counted(broken.len())
            )?;
        }
        Ok(verdict(checked.is_ok()))
    }
}

fn verdict(is_well: bool) -> ExitCode {
    if is_well { ExitCode::SUCCESS } else { ExitCode::from(NO) }
}

fn unsound(folder: &Path, problems: &[Problem]) -> Failure {
    let first = problems
        .first()
        .map(|problem| format!("{} {}: {}", problem.contract, problem.file, problem.broken));
    Failure::wrong(format!(
        "the contracts in `{}` are not sound; run `lgsp contract check` on it: {}",
        folder.display(),
        first.unwrap_or_default()
    ))
}

fn print_examined(versions: usize, examined: &Examined) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let mut print = |kind: &str, problem: &Problem| {
        let lead = format!("{kind}{} {} ", problem.contract, problem.file);
        print_broken(&mut out, &lead, &problem.broken)
    };
    examined.problems.iter().try_for_each(|problem| print("", problem))?;
    examined.news.iter().try_for_each(|problem| print("new: ", problem))?;
    writeln!(
        out,
        "{versions} versions of contracts, {} samples: {}",
        examined.samples,
        counted(examined.problems.len())
    )
}

fn counted(broken: usize) -> String {
    match broken {
        0 => "nothing is wrong".to_owned(),
        1 => "1 thing is wrong".to_owned(),
        more => format!("{more} things are wrong"),
    }
}

fn print_broken(out: &mut impl Write, lead: &str, broken: &Broken) -> io::Result<()> {
    let Broken { code, path, vi, en } = broken;
    writeln!(out, "{lead}{code} {path}")?;
    writeln!(out, "  vi: {}; {}", vi.what, vi.mend)?;
    writeln!(out, "  en: {}; {}", en.what, en.mend)
}

fn problem_json(problem: &Problem) -> Value {
    json!({"contract": problem.contract, "file": problem.file, "broken": broken_json(&problem.broken)})
}

fn broken_json(broken: &Broken) -> Value {
    let Broken { code, path, vi, en } = broken;
    json!({
        "code": code, "path": path,
        "vi": {"what": vi.what, "mend": vi.mend}, "en": {"what": en.what, "mend": en.mend},
    })
}

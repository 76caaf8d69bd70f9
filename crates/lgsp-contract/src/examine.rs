//! Everything that can be said of contracts before anybody uses them: their samples, and what a new version breaks.

use std::collections::BTreeSet;

use lgsp_types::DocumentDate;

use crate::catalogue::{Broken, SAMPLE_FINDINGS, SAMPLE_MISSING, SAMPLE_REFUSED};
use crate::compatible;
use crate::contract::{Compatibility, Contract, Folder, Problem, SCHEMA, SETTINGS};
use crate::contracts::Contracts;

/// What was found; without problems the contracts may be used.
#[derive(Debug, Default)]
pub struct Examined {
    pub problems: Vec<Problem>,
    /// What receivers of earlier versions have to be told.
    pub news: Vec<Problem>,
    /// How many samples behaved as they should.
    pub samples: usize,
}

/// Compiles the contracts, holds each against its samples, and each version against all earlier ones.
#[must_use]
pub fn examine(folders: &[Folder], today: DocumentDate) -> Examined {
    let contracts = match Contracts::load(folders) {
        Ok(contracts) => contracts,
        Err(problems) => {
            return Examined {
                problems,
                ..Examined::default()
            };
        }
    };
    let mut examined = Examined::default();
    for folder in folders {
        if let Ok(contract) = contracts.find(&folder.contract) {
            samples(contract, folder, today, &mut examined);
        }
    }
    compare(&contracts, &mut examined);
    examined
}

/// What each version breaks for those who send by an earlier one; its samples are not looked at.
///
/// # Errors
/// Every break: it is mended in the later version.
pub fn unbroken(contracts: &Contracts) -> Result<(), Vec<Problem>> {
    let mut examined = Examined::default();
    compare(contracts, &mut examined);
    if examined.problems.is_empty() {
        Ok(())
    } else {
        Err(examined.problems)
    }
}

fn compare(contracts: &Contracts, examined: &mut Examined) {
    for contract in contracts.iter() {
        for earlier in answers_for(contract, contracts) {
            versions(earlier, contract, examined);
        }
    }
}

/// The earlier versions that this one is held against: all, back to the last that broke with what was before it.
fn answers_for<'a>(contract: &'a Contract, contracts: &'a Contracts) -> impl Iterator<Item = &'a Contract> {
    let version = contract.reference().version();
    let own = contracts
        .iter()
        .filter(|other| other.reference().name() == contract.reference().name());
    let earlier = own.filter(move |other| other.reference().version() < version);
    let breaks = earlier
        .clone()
        .filter(|other| other.settings.compatibility == Compatibility::None);
    let since = breaks.map(|other| other.reference().version()).max().unwrap_or(0);
    earlier.filter(move |other| other.reference().version() >= since)
}

fn versions(earlier: &Contract, later: &Contract, examined: &mut Examined) {
    let told = compatible::compare(earlier, later);
    let at = |file: &str, broken: Broken| Problem {
        contract: later.reference().clone(),
        file: file.to_owned(),
        broken,
    };
    examined
        .problems
        .extend(told.schema.into_iter().map(|broken| at(SCHEMA, broken)));
    examined
        .problems
        .extend(told.rules.into_iter().map(|broken| at(SETTINGS, broken)));
    examined
        .news
        .extend(told.news.into_iter().map(|broken| at(SCHEMA, broken)));
}

fn samples(contract: &Contract, folder: &Folder, today: DocumentDate, examined: &mut Examined) {
    let mut problem = |file: &str, broken: Broken| {
        examined.problems.push(Problem {
            contract: folder.contract.clone(),
            file: file.to_owned(),
            broken,
        });
    };
    let json = |kind: &'static str| {
        let files = folder.files.iter();
        files.filter(move |(name, _)| name.starts_with(kind) && name.ends_with(".json"))
    };
    for kind in ["good/", "bad/"] {
        if json(kind).next().is_none() {
            problem(kind, SAMPLE_MISSING.at("/", &[&format!("{kind}*.json")]));
        }
    }
    for (name, payload) in json("good/") {
        if let Err(broken) = contract.check(payload, today) {
            problem(name, SAMPLE_REFUSED.at("/", &[&lines(&broken)]));
        }
    }
    for (name, payload) in json("bad/") {
        let findings = name.replace(".json", ".findings");
        let expected = folder.files.get(&findings).map(|text| String::from_utf8_lossy(text));
        let expected: BTreeSet<&str> = expected.iter().flat_map(|text| text.lines()).map(str::trim).collect();
        let found = contract.check(payload, today).err().unwrap_or_default();
        let told: Vec<_> = found.iter().map(line).collect();
        if found.is_empty() || expected != told.iter().map(String::as_str).collect() {
            problem(name, SAMPLE_FINDINGS.at("/", &[&lines(&found)]));
        }
    }
    let alone = folder.files.keys().filter(|name| name.ends_with(".findings"));
    for name in alone.filter(|name| !folder.files.contains_key(&name.replace(".findings", ".json"))) {
        problem(name, SAMPLE_MISSING.at("/", &[&name.replace(".findings", ".json")]));
    }
    let count = json("good/").chain(json("bad/")).count();
    examined.samples += count;
}

fn line(broken: &Broken) -> String {
    format!("{} {}", broken.code, broken.path)
}

fn lines(broken: &[Broken]) -> String {
    match broken {
        [] => "-".to_owned(),
        broken => broken.iter().map(line).collect::<Vec<_>>().join(", "),
    }
}

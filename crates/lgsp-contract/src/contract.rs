//! One version of a contract, compiled: its schema, and the rules beyond a schema that it asks for.

use std::collections::BTreeMap;

use jsonschema::Validator;
use lgsp_types::{ContractRef, DocumentDate, PAYLOAD_MAX_BYTES};
use serde::Deserialize;
use serde_json::Value;

use crate::catalogue::{Broken, CONTRACT_FILE_MISSING, CONTRACT_FILE_UNKNOWN, CONTRACT_SETTING, PAYLOAD_TOO_LARGE};
use crate::check;
use crate::dialect;
use crate::json;
use crate::marks;
use crate::rules::{Rule, Weight};

/// The two files that make a contract.
pub(crate) const SCHEMA: &str = "schema.json";
pub(crate) const SETTINGS: &str = "contract.toml";

/// The files of one version as somebody read them, each by its path from the version's folder, with `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    pub contract: ContractRef,
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Folder {
    /// A contract without samples.
    #[must_use]
    pub fn new(contract: ContractRef, schema: &[u8], settings: &[u8]) -> Self {
        let files = [(SCHEMA, schema), (SETTINGS, settings)];
        let files = files.map(|(name, bytes)| (name.to_owned(), bytes.to_owned()));
        Self {
            contract,
            files: files.into(),
        }
    }

    /// `schema.json` and `contract.toml`; none that is missing or no UTF-8.
    #[must_use]
    pub fn texts(&self) -> Option<(&str, &str)> {
        let text = |file| std::str::from_utf8(self.files.get(file)?).ok();
        Some((text(SCHEMA)?, text(SETTINGS)?))
    }

    pub(crate) fn problems(&self, file: &str, broken: Vec<Broken>) -> impl Iterator<Item = Problem> {
        broken.into_iter().map(move |broken| Problem {
            contract: self.contract.clone(),
            file: file.to_owned(),
            broken,
        })
    }
}

/// What is wrong in one file of a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub contract: ContractRef,
    /// From the version's folder on.
    pub file: String,
    pub broken: Broken,
}

/// A payload fits its contract; only the check makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Valid {
    flags: Vec<Broken>,
}

impl Valid {
    /// What operators should see, though it refuses nothing.
    #[must_use]
    pub fn flags(&self) -> &[Broken] {
        &self.flags
    }
}

/// `contract.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) title: Title,
    pub(crate) compatibility: Compatibility,
    #[serde(default)]
    after_dead_letter: AfterDeadLetter,
    #[serde(default)]
    pub(crate) rules: BTreeMap<Rule, Weight>,
    /// Fields in which words are searched, the one that stands for all of it first; JSON pointers, `*` is every item of a list.
    #[serde(default)]
    pub(crate) searchable: Vec<String>,
    /// Fields with data of persons, with all that is in them: never searched.
    #[serde(default)]
    pub(crate) personal: Vec<String>,
}

/// What the contract is called.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Title {
    pub vi: String,
    pub en: String,
}

/// What a version promises to those who still send by an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Compatibility {
    /// Whatever any earlier version let through, this one does, too.
    Backward,
    /// Nothing: this version breaks with the earlier ones on purpose.
    None,
}

/// What becomes of the messages that follow a dead letter in its order. Source: exchange.md section 2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AfterDeadLetter {
    /// They go on, as documents do: each stands for itself.
    #[default]
    Continue,
    /// They wait until it was redriven, as steps that build on each other must.
    Block,
}

/// One version of a contract.
#[derive(Debug)]
pub struct Contract {
    pub(crate) reference: ContractRef,
    pub(crate) settings: Settings,
    pub(crate) schema: Value,
    validator: Validator,
}

impl Contract {
    /// # Errors
    /// All that is wrong in its files; samples are not looked at.
    pub(crate) fn compile(folder: &Folder) -> Result<Self, Vec<Problem>> {
        let unknown = folder.files.keys().filter(|file| !is_of_a_contract(file));
        let unknown = unknown.flat_map(|file| folder.problems(file, vec![CONTRACT_FILE_UNKNOWN.at("/", &[])]));
        let mut problems: Vec<_> = unknown.collect();
        let needed = |file: &str| {
            let bytes = folder.files.get(file);
            bytes.ok_or_else(|| vec![CONTRACT_FILE_MISSING.at("/", &[])])
        };
        let settings = needed(SETTINGS).and_then(|bytes| settings(bytes));
        let compiled = needed(SCHEMA).and_then(|bytes| dialect::compile(bytes));
        if let (Ok(settings), Ok((schema, _))) = (&settings, &compiled) {
            problems.extend(folder.problems(SETTINGS, marks::broken(settings, schema)));
        }
        match (settings, compiled) {
            (Ok(settings), Ok((schema, validator))) if problems.is_empty() => Ok(Self {
                reference: folder.contract.clone(),
                settings,
                schema,
                validator,
            }),
            (settings, compiled) => {
                problems.extend(folder.problems(SETTINGS, settings.err().unwrap_or_default()));
                problems.extend(folder.problems(SCHEMA, compiled.err().unwrap_or_default()));
                Err(problems)
            }
        }
    }

    #[must_use]
    pub fn reference(&self) -> &ContractRef {
        &self.reference
    }

    /// Whether what follows a dead letter in its order waits until that was redriven.
    #[must_use]
    pub fn blocks(&self) -> bool {
        self.settings.after_dead_letter == AfterDeadLetter::Block
    }

    #[must_use]
    pub fn title(&self) -> &Title {
        &self.settings.title
    }

    /// Fields in which words are searched, never personal ones: JSON pointers, `*` is every item of a list.
    #[must_use]
    pub fn searchable(&self) -> &[String] {
        &self.settings.searchable
    }

    /// Does this payload fit? `today` is the day in Vietnam, for dates that lie ahead.
    ///
    /// # Errors
    /// Every broken rule, at most [`check::FINDINGS_MAX`] and one that says so; the caller mends them and sends again.
    pub fn check(&self, payload: &[u8], today: DocumentDate) -> Result<Valid, Vec<Broken>> {
        if payload.len() > PAYLOAD_MAX_BYTES {
            return Err(vec![PAYLOAD_TOO_LARGE.at("/", &[&PAYLOAD_MAX_BYTES])]);
        }
        let value = json::read(payload)?;
        let mut broken = check::broken(&self.validator, &self.schema, &value);
        let mut flags = Vec::new();
        for (rule, weight) in &self.settings.rules {
            let found = rule.find(&value, today);
            match weight {
                Weight::Refuse => broken.extend(found),
                Weight::Flag => flags.extend(found),
            }
        }
        if broken.is_empty() {
            Ok(Valid { flags })
        } else {
            Err(check::conclude(broken))
        }
    }
}

fn settings(file: &[u8]) -> Result<Settings, Vec<Broken>> {
    let no = |what: &dyn std::fmt::Display| vec![CONTRACT_SETTING.at("/", &[what])];
    let text = std::str::from_utf8(file).map_err(|error| no(&error))?;
    toml::from_str(text).map_err(|error| no(&error.message().replace('\n', " ")))
}

fn is_of_a_contract(file: &str) -> bool {
    let sample = |folder: &str, ending: &str| {
        file.strip_prefix(folder)
            .and_then(|name| name.strip_suffix(ending))
            .is_some_and(|name| !name.is_empty() && !name.contains('/'))
    };
    [SCHEMA, SETTINGS].contains(&file)
        || sample("good/", ".json")
        || sample("bad/", ".json")
        || sample("bad/", ".findings")
}

//! The corpus as types: what tests/data/bad-input says of each case. What the members mean stands at the head of each file.

use std::collections::{BTreeMap, HashSet};
use std::fs;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::support::{Department, INFORMATION, JUSTICE, OUTSIDE, PROVINCE, data};

/// What stands for what: [find, put].
pub(crate) type Edits = Vec<(String, String)>;
/// Markers, the text each becomes, and how many times.
pub(super) type Repeats = BTreeMap<String, (String, usize)>;

/// Reads one file of the corpus.
pub(crate) fn cases<C: DeserializeOwned + Named>(file: &str) -> Vec<C> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File<C> {
        case: Vec<C>,
    }
    let text = fs::read_to_string(data("bad-input").join(file)).unwrap();
    let cases = toml::from_str::<File<C>>(&text)
        .unwrap_or_else(|error| panic!("{file}: {error}"))
        .case;
    let mut names = HashSet::new();
    for case in &cases {
        assert!(
            names.insert(case.name()),
            "{file}: two cases are called {}",
            case.name()
        );
    }
    cases
}

pub(crate) trait Named {
    fn name(&self) -> &str;
}

/// A call in the form of the vendor's SDK, spoilt (packet.toml, call.toml).
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Call {
    pub(super) name: String,
    pub(super) system: Who,
    pub(super) system_id: Option<String>,
    pub(super) secret: Option<String>,
    pub(super) secret_of: Option<Who>,
    #[serde(default = "send_edoc")]
    pub(super) operation: String,
    pub(super) from: Option<String>,
    pub(super) to: Option<Vec<String>>,
    pub(super) to_numbered: Option<usize>,
    pub(super) messagetype: Option<String>,
    pub(super) parameters: Edits,
    pub(super) without: Vec<String>,
    pub(super) signed_edits: Edits,
    pub(super) signed_bytes: Edits,
    pub(super) late_edits: Edits,
    pub(super) header_edits: Edits,
    pub(super) drop: Vec<String>,
    pub(super) hash_header: Option<String>,
    pub(super) packet: Base,
    pub(super) edits: Edits,
    pub(super) repeat: Repeats,
    pub(super) bytes: Edits,
    pub(super) cut_before: Option<String>,
    pub(super) encode: Option<Encoding>,
    pub(super) body: String,
    pub(super) body_edits: Edits,
    pub(super) bare: bool,
    pub(super) declare: Option<u64>,
    pub(super) chunked: bool,
    error: Option<String>,
    reason: Option<String>,
    path: Option<String>,
    names: Vec<String>,
    empty: bool,
    same_as: Option<String>,
    fact: Option<bool>,
    answers: Vec<String>,
}

fn send_edoc() -> String {
    "sendEdoc".to_owned()
}

/// Who calls.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Who {
    Province,
    #[default]
    Information,
    Justice,
    Outside,
}

impl Who {
    pub(super) const fn department(self) -> Department {
        match self {
            Self::Province => PROVINCE,
            Self::Information => INFORMATION,
            Self::Justice => JUSTICE,
            Self::Outside => OUTSIDE,
        }
    }
}

/// The good packet that a case begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Base {
    #[default]
    Document,
    Status,
    None,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) enum Encoding {
    #[serde(rename = "utf-16le")]
    Utf16Le,
    #[serde(rename = "utf-16be")]
    Utf16Be,
}

/// Bytes on a connection (http.toml).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bytes {
    pub(super) name: String,
    #[serde(default)]
    pub(super) request: String,
    #[serde(default)]
    pub(super) body: String,
    #[serde(default)]
    pub(super) hex: String,
    #[serde(default)]
    pub(super) repeat: Repeats,
    #[serde(default)]
    pub(super) then: Then,
    #[serde(default)]
    pub(super) drop: String,
    #[serde(default)]
    pub(super) every_ms: u64,
    answers: Vec<String>,
    #[serde(default)]
    ends: bool,
    error: Option<String>,
    reason: Option<String>,
    #[serde(default)]
    fact: bool,
}

/// What the sender does when all is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Then {
    #[default]
    Read,
    Silence,
    Trickle,
    HalfClose,
}

/// What must come back, and what must be in the ledger afterwards.
#[derive(Debug, Default)]
pub(super) struct Expected {
    /// HTTP statuses, `envelope`, `close`.
    pub(super) answers: Vec<String>,
    /// The node ends the connection.
    pub(super) ends: bool,
    /// The axis' ErrorCode; `0`: accepted.
    pub(super) error: String,
    pub(super) reason: Option<String>,
    pub(super) path: Option<String>,
    pub(super) names: Vec<String>,
    /// The body is empty.
    pub(super) empty: bool,
    pub(super) same_as: Option<String>,
    /// Facts that the case adds.
    pub(super) rejected: usize,
    pub(super) accepted: usize,
}

impl Call {
    /// One that is not spoilt.
    pub(super) fn proper(operation: &str) -> Self {
        Self {
            operation: operation.to_owned(),
            ..Self::default()
        }
    }

    pub(super) fn expected(&self) -> Expected {
        let error = self.error.clone().unwrap_or_default();
        let refused = !matches!(error.as_str(), "" | "0" | "15");
        let is_message = self.operation == "sendEdoc" && error == "0";
        let answers = if self.answers.is_empty() {
            vec!["envelope".to_owned()]
        } else {
            self.answers.clone()
        };
        Expected {
            answers,
            ends: true,
            reason: self.reason.clone(),
            path: self.path.clone(),
            names: self.names.clone(),
            empty: self.empty,
            same_as: self.same_as.clone(),
            rejected: usize::from(self.fact.unwrap_or(refused)),
            accepted: usize::from(is_message),
            error,
        }
    }
}

impl Bytes {
    pub(super) fn expected(&self) -> Expected {
        Expected {
            answers: self.answers.clone(),
            ends: self.ends,
            error: self.error.clone().unwrap_or_default(),
            reason: self.reason.clone(),
            rejected: usize::from(self.fact),
            ..Expected::default()
        }
    }
}

/// What a node must not start with (configuration.toml).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Configuration {
    pub(super) name: String,
    #[serde(default)]
    pub(super) settings: String,
    #[serde(default)]
    pub(super) settings_hex: String,
    pub(super) settings_is: Option<InItsPlace>,
    #[serde(default)]
    pub(super) repeat: Repeats,
    #[serde(default)]
    pub(super) environment: BTreeMap<String, String>,
    pub(super) registry: Option<String>,
    pub(super) spoil: Option<Spoil>,
    #[serde(default = "both_commands")]
    pub(super) commands: Vec<Start>,
    #[serde(default = "wrong_settings")]
    pub(super) exit: i32,
    pub(super) code: Option<String>,
    pub(super) subject: Option<String>,
    pub(super) place: Option<String>,
    #[serde(default)]
    pub(super) says: Vec<String>,
    #[serde(default)]
    pub(super) never: Vec<String>,
}

fn both_commands() -> Vec<Start> {
    vec![Start::Config, Start::Serve]
}

const fn wrong_settings() -> i32 {
    2
}

/// What stands where the settings file should.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum InItsPlace {
    Missing,
    Folder,
}

/// What is done to the folder of a node that has run once.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Spoil {
    Nothing,
    SecretOpen,
    SecretOutside,
    SecretEmpty,
    KeyOpen,
    KeyLost,
    KeyCut,
    LedgerEmpty,
    LedgerJunk,
    LedgerLost,
    InUse,
}

/// A command that reads the settings.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Start {
    Config,
    Serve,
}

/// A command line (command.toml).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CommandLine {
    pub(super) name: String,
    pub(super) arguments: Vec<String>,
    #[serde(default)]
    pub(super) closed: bool,
    #[serde(default)]
    pub(super) full: bool,
    pub(super) exit: i32,
    #[serde(default)]
    pub(super) says: Vec<String>,
}

macro_rules! named {
    ($($case:ident),+) => {$(
        impl Named for $case {
            fn name(&self) -> &str {
                &self.name
            }
        }
    )+};
}
named!(Call, Bytes, Configuration, CommandLine);

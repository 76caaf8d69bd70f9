//! Three layers of settings, one over the other, and where each value came from.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use lgsp_types::ReasonCode;
use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::problem::{CONFIG_FIELD, CONFIG_SECRET, CONFIG_SYNTAX, CONFIG_UNREADABLE};
use super::{Problem, Problems};

/// Environment variables of settings begin so; sections and names are parted by two underscores.
const PREFIX: &str = "LGSP__";
/// Not settings: the fail points of test builds.
const RESERVED: &str = "LGSP_";
/// A settings file is a page or two; more is a mistake, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// A file of defaults that is built in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reference {
    /// Where it stands in the tree, as operators know it.
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The reference of this name.
    Default(&'static str),
    File {
        path: PathBuf,
        line: usize,
    },
    Environment {
        variable: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default(name) => write!(out, "{name} (built in)"),
            Self::File { path, line } => write!(out, "{}:{line}", path.display()),
            Self::Environment { variable } => write!(out, "environment variable {variable}"),
        }
    }
}

/// The merged table and the origin of all that is not a default.
#[derive(Debug)]
pub(crate) struct Layers {
    reference: &'static str,
    merged: Table,
    origins: Vec<(String, Origin)>,
}

impl Layers {
    pub(super) fn read(
        reference: Reference,
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, Problems> {
        let merged = reference.text.parse::<Table>().map_err(|error| Problem {
            code: CONFIG_SYNTAX,
            subject: reference.name.to_owned(),
            what: error.message().to_owned(),
            place: Origin::Default(reference.name).to_string(),
            mend: "build the program from an unchanged tree".to_owned(),
        })?;
        let mut layers = Self {
            reference: reference.name,
            merged,
            origins: Vec::new(),
        };
        let mut problems = Vec::new();
        if let Some(path) = file {
            layers.overlay_file(path, &mut problems);
        }
        let mut variables: Vec<_> = environment.filter(|(name, _)| name.starts_with(PREFIX)).collect();
        variables.sort_unstable();
        for (variable, text) in variables {
            problems.extend(layers.overlay_variable(&variable, &text).err());
        }
        if problems.is_empty() {
            Ok(layers)
        } else {
            Err(Problems(problems))
        }
    }

    /// Every setting in the order of the reference: path, value as TOML, origin.
    pub(crate) fn listed(&self) -> Vec<(String, String, Origin)> {
        let mut rows = Vec::new();
        for (section, settings) in &self.merged {
            for (name, value) in settings.as_table().into_iter().flatten() {
                let path = format!("{section}.{name}");
                let origin = self.origin(&path);
                rows.push((path, value.to_string(), origin));
            }
        }
        rows
    }

    fn origin(&self, path: &str) -> Origin {
        // An item of a list comes from where the list comes.
        let setting = path.split('[').next().unwrap_or(path);
        let found = self.origins.iter().rev().find(|(known, _)| known == setting);
        found.map_or(Origin::Default(self.reference), |(_, origin)| origin.clone())
    }

    pub(super) fn problem(&self, path: &str, what: String, mend: String) -> Problem {
        Problem {
            code: CONFIG_FIELD,
            subject: path.to_owned(),
            what,
            // An entry of a list stands where its list does.
            place: self.origin(path.split('[').next().unwrap_or(path)).to_string(),
            mend,
        }
    }

    /// Turns the merged table into settings; names, types and bounds of types are checked here.
    pub(super) fn settings<T: DeserializeOwned>(&self) -> Result<T, Problems> {
        serde_path_to_error::deserialize(self.merged.clone()).map_err(|error| {
            let path = error.path().to_string();
            let what = error.into_inner().message().to_owned();
            let mend = format!("write it as {} says", self.reference);
            self.problem(&path, what, mend).into()
        })
    }

    fn overlay_file(&mut self, path: &Path, problems: &mut Vec<Problem>) {
        let failed = |code: ReasonCode, what: String, line: usize, mend: &str| Problem {
            code,
            subject: path.display().to_string(),
            what,
            place: Origin::File {
                path: path.to_owned(),
                line,
            }
            .to_string(),
            mend: mend.to_owned(),
        };
        let text = match read_bounded(path) {
            Ok(text) => text,
            Err((what, line)) => {
                let mend = "name a readable UTF-8 file with --config";
                return problems.push(failed(CONFIG_UNREADABLE, what, line, mend));
            }
        };
        let line_at = |at: usize| text.get(..at).map_or(1, |before| before.matches('\n').count() + 1);
        let table = match DeTable::parse(&text) {
            Ok(table) => table,
            Err(error) => {
                let line = error.span().map_or(1, |span| line_at(span.start));
                return problems.push(failed(
                    CONFIG_SYNTAX,
                    error.message().to_owned(),
                    line,
                    "correct the TOML",
                ));
            }
        };
        for (section, settings) in table.get_ref() {
            let line = line_at(section.span().start);
            let name = section.get_ref().as_ref();
            let Some(known) = self.merged.get(name).and_then(Value::as_table) else {
                let sections = self.merged.keys().cloned().collect::<Vec<_>>().join(", ");
                problems.push(failed(
                    CONFIG_FIELD,
                    format!("there is no section `{name}`"),
                    line,
                    &format!("sections are {sections}"),
                ));
                continue;
            };
            let DeValue::Table(settings) = settings.get_ref() else {
                problems.push(failed(
                    CONFIG_FIELD,
                    format!("`{name}` is a section"),
                    line,
                    &format!("write [{name}]"),
                ));
                continue;
            };
            let mut taken = Vec::new();
            for (key, value) in settings {
                let line = line_at(key.span().start);
                let key = key.get_ref().as_ref();
                let path_of_setting = format!("{name}.{key}");
                let origin = Origin::File {
                    path: path.to_owned(),
                    line,
                };
                let value = plain(value.get_ref());
                match fitting(&path_of_setting, known, key, value, &origin) {
                    Ok(value) => taken.push((key.to_owned(), value, path_of_setting, origin)),
                    Err(problem) => problems.push(problem),
                }
            }
            self.take(name, taken);
        }
    }

    fn overlay_variable(&mut self, variable: &str, text: &str) -> Result<(), Problem> {
        let origin = Origin::Environment {
            variable: variable.to_owned(),
        };
        let path = variable
            .trim_start_matches(RESERVED)
            .trim_start_matches('_')
            .to_lowercase();
        let reference = self.reference;
        let unknown = || Problem {
            code: CONFIG_FIELD,
            subject: variable.to_owned(),
            what: "names no setting".to_owned(),
            place: origin.to_string(),
            mend: format!("write LGSP__SECTION__NAME with a section and a name of {reference}"),
        };
        let (section, key) = path.split_once("__").ok_or_else(unknown)?;
        let known = self.merged.get(section).and_then(Value::as_table).ok_or_else(unknown)?;
        let default = known.get(key).ok_or_else(unknown)?;
        // A text needs no quotes in the environment; everything else is TOML.
        let value = if default.is_str() {
            Value::String(text.to_owned())
        } else {
            Value::from_str(text).map_err(|_| Problem {
                code: CONFIG_FIELD,
                subject: format!("{section}.{key}"),
                what: "is no TOML value".to_owned(),
                place: origin.to_string(),
                mend: format!("write it like {default}"),
            })?
        };
        let setting = format!("{section}.{key}");
        let value = fitting(&setting, known, key, value, &origin)?;
        let (section, key) = (section.to_owned(), key.to_owned());
        self.take(&section, vec![(key, value, setting, origin)]);
        Ok(())
    }

    fn take(&mut self, section: &str, taken: Vec<(String, Value, String, Origin)>) {
        for (key, value, path, origin) in taken {
            if let Some(settings) = self.merged.get_mut(section).and_then(Value::as_table_mut) {
                settings.insert(key, value);
                self.origins.push((path, origin));
            }
        }
    }
}

/// A value whose name the reference has, and whose type is the reference's.
fn fitting(path: &str, known: &Table, key: &str, value: Value, origin: &Origin) -> Result<Value, Problem> {
    let problem = |code: ReasonCode, what: String, mend: String| Problem {
        code,
        subject: path.to_owned(),
        what,
        place: origin.to_string(),
        mend,
    };
    let Some(default) = known.get(key) else {
        if ["secret", "password", "token"].iter().any(|word| key.contains(word)) {
            let mend =
                "put it into a file under the node's secrets folder (mode 0600) and name the file in the registry";
            let what = "a secret never stands in settings".to_owned();
            return Err(problem(CONFIG_SECRET, what, mend.to_owned()));
        }
        let names = known.keys().cloned().collect::<Vec<_>>().join(", ");
        return Err(problem(
            CONFIG_FIELD,
            "there is no such setting".to_owned(),
            format!("settings of this section are {names}"),
        ));
    };
    if default.type_str() != value.type_str() {
        let what = format!("is of type {}, not {}", value.type_str(), default.type_str());
        return Err(problem(CONFIG_FIELD, what, format!("write it like {default}")));
    }
    Ok(value)
}

/// What is wrong, and in which line, if it cannot be read.
fn read_bounded(path: &Path) -> Result<String, (String, usize)> {
    let unreadable = |error: std::io::Error| (format!("cannot be read: {error}"), 1);
    if std::fs::metadata(path).map_err(unreadable)?.len() > FILE_BYTES_MAX {
        return Err((format!("is larger than {FILE_BYTES_MAX} bytes"), 1));
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let sound = error
            .as_bytes()
            .get(..error.utf8_error().valid_up_to())
            .unwrap_or_default();
        let line = sound.iter().filter(|byte| **byte == b'\n').count() + 1;
        (format!("is not UTF-8: {error}"), line)
    })?;
    Ok(text
        .strip_prefix('\u{feff}')
        .map_or_else(|| text.clone(), str::to_owned))
}

fn plain(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.clone().into_owned()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Value::String(number.as_str().to_owned()), Value::Integer),
        DeValue::Float(number) => number
            .as_str()
            .parse()
            .map_or_else(|_| Value::String(number.as_str().to_owned()), Value::Float),
        DeValue::Boolean(flag) => Value::Boolean(*flag),
        DeValue::Datetime(moment) => Value::Datetime(*moment),
        DeValue::Array(items) => Value::Array(items.iter().map(|item| plain(item.get_ref())).collect()),
        DeValue::Table(table) => Value::Table(
            table
                .iter()
                .map(|(key, value)| (key.get_ref().to_string(), plain(value.get_ref())))
                .collect(),
        ),
    }
}

//! Registry files: TOML read to objects, every mistake with its line and path, many at once.

mod error;
mod tree;
mod write;

use std::collections::BTreeMap;
use std::ops::Range;

use lgsp_types::{EventId, ReasonCode};
use serde_json::Value;

pub use error::ConfigError;
pub(crate) use error::in_order;
use error::{Errors, Lines};
use tree::Tree;
pub(crate) use write::{object_text, value_text};

use crate::check::{self, CONFIG_DUPLICATE, CONFIG_FIELD, CONFIG_TOO_LARGE, Contradiction};
use crate::object::{Object, ObjectKind, ObjectRef};

/// Largest registry file, in bytes.
pub const FILE_MAX_BYTES: usize = 4 * 1024 * 1024;
/// Longest name of a registry file, in bytes.
pub const FILE_NAME_MAX_BYTES: usize = 128;

/// Not TOML.
pub(crate) const CONFIG_SYNTAX: ReasonCode = ReasonCode::new("CONFIG_SYNTAX");
/// A secret where only its name may stand.
pub(crate) const CONFIG_SECRET: ReasonCode = ReasonCode::new("CONFIG_SECRET");
/// A format this build does not read.
pub(crate) const CONFIG_FORMAT: ReasonCode = ReasonCode::new("CONFIG_FORMAT");

/// The one format of registry files so far.
const FORMAT: u64 = 1;

/// A file that was read: its objects, each right by itself, and where everything stands.
#[derive(Debug)]
pub(crate) struct RegistryFile {
    name: String,
    lines: Lines,
    spans: BTreeMap<String, Range<usize>>,
    /// Path of each object's table, e.g. `agency[3]`.
    places: BTreeMap<ObjectRef, String>,
    pub(crate) objects: BTreeMap<ObjectRef, Object>,
    /// Of an object that a person edited: the change set that made the text which was edited.
    pub(crate) predecessor: Option<EventId>,
}

/// Which of the two texts of one form is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    File,
    /// One object to be edited, which may say `predecessor`.
    Edit,
}

impl RegistryFile {
    /// Reads a file.
    ///
    /// # Errors
    /// Every mistake that was found, in the order of lines, at most 100.
    pub(crate) fn read(name: &str, text: &str) -> Result<Self, Vec<ConfigError>> {
        Self::read_as(Form::File, name, text)
    }

    /// Reads the text of an object that a person edited.
    ///
    /// # Errors
    /// As [`RegistryFile::read`].
    pub(crate) fn read_edit(name: &str, text: &str) -> Result<Self, Vec<ConfigError>> {
        Self::read_as(Form::Edit, name, text)
    }

    fn read_as(form: Form, name: &str, text: &str) -> Result<Self, Vec<ConfigError>> {
        let mut errors = Errors::new(name, text);
        if name.is_empty() || name.len() > FILE_NAME_MAX_BYTES || name.chars().any(char::is_control) {
            let what = format!("the file's name is not 1 to {FILE_NAME_MAX_BYTES} bytes without control characters");
            errors.add(0, "/", &CONFIG_FIELD, what, "rename the file");
            return Err(errors.finish());
        }
        if text.len() > FILE_MAX_BYTES {
            let what = format!("the file has more than {FILE_MAX_BYTES} bytes");
            errors.add(0, "/", &CONFIG_TOO_LARGE, what, "divide it into several files");
            return Err(errors.finish());
        }
        let Some(mut tree) = Tree::read(text, &mut errors) else {
            return Err(errors.finish());
        };
        let mut file = Self {
            name: name.to_owned(),
            lines: errors.lines().clone(),
            spans: std::mem::take(&mut tree.spans),
            places: BTreeMap::new(),
            objects: BTreeMap::new(),
            predecessor: None,
        };
        if form == Form::Edit {
            file.take_predecessor(&mut tree, &mut errors);
        }
        file.take_top(tree, &mut errors);
        let errors = errors.finish();
        if errors.is_empty() { Ok(file) } else { Err(errors) }
    }

    fn take_predecessor(&mut self, tree: &mut Tree, errors: &mut Errors) {
        let Some(value) = tree.top.remove("predecessor") else {
            return;
        };
        self.predecessor = value.as_str().and_then(|text| EventId::parse(text).ok());
        if self.predecessor.is_none() {
            let (what, mend) = ("is not the id of an event", "leave it as `lgsp registry show` wrote it");
            errors.add(self.start("predecessor"), "predecessor", &CONFIG_FIELD, what, mend);
        }
    }

    fn take_top(&mut self, mut tree: Tree, errors: &mut Errors) {
        match tree.top.remove("format") {
            None => errors.add(
                0,
                "format",
                &CONFIG_FORMAT,
                "the file does not say its format",
                "begin it with `format = 1`",
            ),
            Some(Value::Number(number)) if number.as_u64() == Some(FORMAT) => {}
            Some(_) => {
                let mend = "write `format = 1`, or use the build that the file was made for";
                errors.add(
                    self.start("format"),
                    "format",
                    &CONFIG_FORMAT,
                    "is a format that this build does not read",
                    mend,
                );
            }
        }
        for kind in ObjectKind::IN_FILES {
            match tree.top.remove(kind.name()) {
                None => {}
                Some(Value::Array(tables)) => {
                    for (at, table) in tables.into_iter().enumerate() {
                        let place = format!("{}[{at}]", kind.name());
                        if !tree.broken.contains(&place) {
                            self.take_object(kind, &place, table, errors);
                        }
                    }
                }
                Some(_) => {
                    let what = "is not a list of tables";
                    let mend = format!("write each one under a heading `[[{}]]`", kind.name());
                    errors.add(self.start(kind.name()), kind.name(), &CONFIG_FIELD, what, &mend);
                }
            }
        }
        for key in tree.top.keys() {
            let what = "is nothing that a registry file knows";
            let mend = "use `format`, `[[agency]]`, `[[system]]`, `[[connector]]`, `[[adapter]]` and `[[grant]]`";
            errors.add(self.start(key), key, &CONFIG_FIELD, what, mend);
        }
    }

    fn take_object(&mut self, kind: ObjectKind, place: &str, table: Value, errors: &mut Errors) {
        let object = match kind.read(table) {
            Ok(object) => object,
            Err(misfit) => {
                let path = join(place, &misfit.path);
                let mend = if misfit.what.starts_with("missing field") {
                    "add it"
                } else if misfit.what.starts_with("unknown field") {
                    "correct its name, or take it out"
                } else {
                    "correct it"
                };
                errors.add(self.start(&path), &path, &CONFIG_FIELD, misfit.what, mend);
                return;
            }
        };
        let reference = object.reference();
        if let Some(first) = self.places.get(&reference) {
            let what = format!(
                "there is another {reference} in line {}",
                self.lines.place(self.start(first)).0
            );
            let path = join(place, "id");
            errors.add(
                self.start(&path),
                &path,
                &CONFIG_DUPLICATE,
                what,
                "give it another id, or take it out",
            );
            return;
        }
        self.places.insert(reference.clone(), place.to_owned());
        for contradiction in check::check_one(&object) {
            errors.push(self.located(contradiction));
        }
        self.objects.insert(reference, object);
    }

    /// A contradiction with its place in this file; at the file's beginning if its object stands in another.
    pub(crate) fn located(&self, contradiction: Contradiction) -> ConfigError {
        let Contradiction {
            object,
            path,
            code,
            what,
            mend,
        } = contradiction;
        let (start, path) = match self.places.get(&object) {
            Some(place) => {
                let path = join(place, &path);
                (self.start(&path), path)
            }
            None => (0, format!("{object} {path}")),
        };
        self.error(start, path, code, what, mend)
    }

    /// A mistake of the file as a whole.
    pub(crate) fn whole(&self, code: &ReasonCode, what: String, mend: &str) -> ConfigError {
        self.error(0, "/".to_owned(), code.clone(), what, mend.to_owned())
    }

    fn error(&self, start: usize, path: String, code: ReasonCode, what: String, mend: String) -> ConfigError {
        let (line, column) = self.lines.place(start);
        ConfigError {
            file: self.name.clone(),
            line,
            column,
            path,
            code,
            what,
            mend,
        }
    }

    /// The line of an object's table; none for an object that is not in the file.
    pub(crate) fn line(&self, object: &ObjectRef) -> Option<usize> {
        self.places
            .get(object)
            .map(|place| self.lines.place(self.start(place)).0)
    }

    /// Where this path begins in the text, or what it is nearest to: a shorthand has fewer levels than its meaning.
    fn start(&self, path: &str) -> usize {
        let mut path = path;
        loop {
            if let Some(span) = self.spans.get(path) {
                return span.start;
            }
            match path.rfind(['.', '[']).and_then(|at| path.get(..at)) {
                Some(shorter) => path = shorter,
                None => return 0,
            }
        }
    }
}

/// A path within an object, as a path of the file.
fn join(place: &str, path: &str) -> String {
    if path == "." {
        place.to_owned()
    } else {
        format!("{place}.{path}")
    }
}

#[cfg(test)]
mod tests;

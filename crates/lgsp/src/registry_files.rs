//! The registry files that the settings name: found, read, and checked as a whole.

use std::fs;
use std::path::{Path, PathBuf};

use lgsp_registry::{ChangeSet, ConfigError, Control, plan_import};
use lgsp_types::ReasonCode;

use crate::settings::{CONFIG_FIELD, CONFIG_UNREADABLE, Problem, Problems};

/// Largest registry file, in bytes.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// One file as it was read.
#[derive(Debug)]
pub(crate) struct RegistryFile {
    /// The file's own name, which change sets carry: the same from whatever folder the node is started.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// Reads files, and of folders the `*.toml` files by name.
///
/// # Errors
/// [`Problems`]: every file that cannot be read.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<RegistryFile>, Problems> {
    let mut files = Vec::new();
    let mut problems = Vec::new();
    for path in paths {
        match found(path) {
            Ok(found) => found.into_iter().for_each(|path| match read_one(&path) {
                Ok(file) => files.push(file),
                Err(what) => problems.push(unreadable(&path, what)),
            }),
            Err(what) => problems.push(unreadable(path, what)),
        }
    }
    // Two files of one name would each undo the other's objects at every start.
    for (at, file) in files.iter().enumerate() {
        if let Some(other) = files.iter().take(at).find(|other| other.name == file.name) {
            let what = format!("has the same name as {}", other.path.display());
            problems.push(problem(
                CONFIG_FIELD,
                &file.path,
                what,
                "rename one: a file's name is what its objects are known by",
            ));
        }
    }
    if problems.is_empty() {
        Ok(files)
    } else {
        Err(Problems(problems))
    }
}

fn found(path: &Path) -> Result<Vec<PathBuf>, String> {
    if !fs::metadata(path).map_err(|error| error.to_string())?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(|error| error.to_string())? {
        let name = entry.map_err(|error| error.to_string())?.path();
        if name.extension().is_some_and(|extension| extension == "toml") {
            names.push(name);
        }
    }
    names.sort_unstable();
    if names.is_empty() {
        Err("the folder holds no *.toml file".to_owned())
    } else {
        Ok(names)
    }
}

fn read_one(path: &Path) -> Result<RegistryFile, String> {
    let size = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > FILE_BYTES_MAX {
        return Err(format!("is larger than {FILE_BYTES_MAX} bytes"));
    }
    let text = String::from_utf8(fs::read(path).map_err(|error| error.to_string())?)
        .map_err(|error| format!("is not UTF-8: {error}"))?;
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or("has a name that is not UTF-8")?;
    Ok(RegistryFile {
        name: name.to_owned(),
        path: path.to_owned(),
        text,
    })
}

fn unreadable(path: &Path, what: String) -> Problem {
    problem(
        CONFIG_UNREADABLE,
        path,
        what,
        "name readable files or folders in registry.files",
    )
}

fn problem(code: ReasonCode, path: &Path, what: String, mend: &str) -> Problem {
    let path = path.display().to_string();
    Problem {
        code,
        subject: "registry.files".to_owned(),
        what,
        place: path,
        mend: mend.to_owned(),
    }
}

/// Reads all files and plans their import into an empty registry, as the first start of a node would.
///
/// # Errors
/// [`Problems`]: every mistake of the first file that has any.
pub(crate) fn check(paths: &[PathBuf]) -> Result<(), Problems> {
    let mut control = Control::default();
    for file in read(paths)? {
        let import = plan_import(&control, &file.name, &file.text).map_err(|mistakes| problems(&file, mistakes))?;
        for change_set in import.change_sets {
            control
                .apply(ChangeSet::event_id(&change_set.bytes), &change_set.bytes)
                .map_err(|void| problem(CONFIG_FIELD, &file.path, void.to_string(), "correct what is named"))?;
        }
    }
    Ok(())
}

/// The mistakes of one file as problems with its place.
pub(crate) fn problems(file: &RegistryFile, mistakes: Vec<ConfigError>) -> Problems {
    let problem = |mistake: ConfigError| Problem {
        code: mistake.code,
        subject: mistake.path,
        what: mistake.what,
        place: format!("{}:{}", file.path.display(), mistake.line),
        mend: mistake.mend,
    };
    Problems(mistakes.into_iter().map(problem).collect())
}

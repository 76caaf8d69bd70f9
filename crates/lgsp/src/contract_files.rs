//! Contracts in folders: `<name>/<version>/` with schema, settings and samples, found and read.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use lgsp_contract::{Contracts, Folder, Problem, unbroken};
use lgsp_types::ContractRef;

use crate::settings::{self, CONFIG_UNREADABLE, Problems};

/// What is read of one file; the contract check refuses less.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Folders inside each other that are looked into: all contracts, one, its version.
const LEVELS_MAX: usize = 3;
/// Whatever holds one of these is a version of a contract.
const OF_A_VERSION: [&str; 2] = ["schema.json", "contract.toml"];

/// Why contracts could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("`{}` cannot be read", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("`{}` does not end in a contract's name and version, as in `vn.lgsp.document/1`", path.display())]
    Name { path: PathBuf },
    #[error("there is no contract in `{}`: none of its folders holds a schema.json", path.display())]
    Nothing { path: PathBuf },
}

/// Reads every version below a folder; of the folder of one version all others of its contract as well, as it is held
/// against them.
///
/// # Errors
/// [`ReadError`]: name another folder, or mend it.
pub(crate) fn read(path: &Path) -> Result<Vec<Folder>, ReadError> {
    // `.` has no name of its own.
    let path = fs::canonicalize(path).map_err(unreadable(path))?;
    let contract = path.parent().filter(|_| is_version(&path)).unwrap_or(&path);
    let mut versions = Vec::new();
    find(contract, LEVELS_MAX, &mut versions)?;
    if versions.is_empty() {
        return Err(ReadError::Nothing { path });
    }
    versions.iter().map(|version| read_version(version)).collect()
}

/// Reads every contract that the settings name.
///
/// # Errors
/// [`Problems`]: every folder that cannot be read.
pub(crate) fn read_all(paths: &[PathBuf]) -> Result<Vec<Folder>, Problems> {
    let mut folders = Vec::new();
    let mut problems = Vec::new();
    for path in paths {
        match read(path) {
            Ok(found) => folders.extend(found),
            Err(error) => problems.push(settings::Problem {
                code: CONFIG_UNREADABLE,
                subject: "contracts.folders".to_owned(),
                what: whole(&error),
                place: path.display().to_string(),
                mend: "name folders of contracts, as config/contracts is one".to_owned(),
            }),
        }
    }
    if problems.is_empty() {
        Ok(folders)
    } else {
        Err(Problems(problems))
    }
}

/// Compiles every contract that the settings name, and holds each version against the earlier ones.
///
/// # Errors
/// [`Problems`]: all that is wrong with them.
pub(crate) fn check(paths: &[PathBuf]) -> Result<(), Problems> {
    let contracts = Contracts::load(&read_all(paths)?).map_err(problems)?;
    unbroken(&contracts).map_err(problems)
}

/// What is wrong with contracts as problems with their place.
pub(crate) fn problems(wrong: Vec<Problem>) -> Problems {
    let problem = |problem: Problem| settings::Problem {
        code: problem.broken.code.clone(),
        subject: problem.broken.path.clone(),
        what: problem.broken.en.what.clone(),
        place: format!("{}/{}", problem.contract, problem.file),
        mend: problem.broken.en.mend,
    };
    Problems(wrong.into_iter().map(problem).collect())
}

fn whole(error: &ReadError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// Is this the folder of one version?
pub(crate) fn is_version(path: &Path) -> bool {
    OF_A_VERSION.iter().any(|file| path.join(file).is_file())
}

/// Reads one file, at most [`FILE_BYTES_MAX`] and one byte of it.
///
/// # Errors
/// [`ReadError::Unreadable`].
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, ReadError> {
    let read = || {
        let mut bytes = Vec::new();
        File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(unreadable(path))
}

/// A file of a contract; a pipe among them would let the reader wait for ever.
fn read_plain(path: &Path) -> Result<Vec<u8>, ReadError> {
    if !path.is_file() {
        return Err(unreadable(path)(io::Error::new(
            io::ErrorKind::InvalidInput,
            "is no plain file",
        )));
    }
    read_file(path)
}

fn find(folder: &Path, levels: usize, versions: &mut Vec<PathBuf>) -> Result<(), ReadError> {
    if is_version(folder) {
        versions.push(folder.to_owned());
        return Ok(());
    }
    if levels == 0 {
        return Ok(());
    }
    for path in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
        find(&path, levels - 1, versions)?;
    }
    Ok(())
}

fn read_version(folder: &Path) -> Result<Folder, ReadError> {
    let name = |path: &Path| {
        path.file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default()
            .to_owned()
    };
    let contract = format!("{}/{}", name(folder.parent().unwrap_or(folder)), name(folder));
    let contract = ContractRef::parse(&contract).map_err(|_| ReadError::Name {
        path: folder.to_owned(),
    })?;
    let mut files = BTreeMap::new();
    for path in entries(folder)? {
        if path.is_dir() {
            for sample in entries(&path)? {
                files.insert(format!("{}/{}", name(&path), name(&sample)), read_plain(&sample)?);
            }
        } else {
            files.insert(name(&path), read_plain(&path)?);
        }
    }
    Ok(Folder { contract, files })
}

/// What a folder holds, by name, without what editors and file managers hide there.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, ReadError> {
    let read = || -> io::Result<Vec<PathBuf>> {
        let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
        entries.collect()
    };
    let mut paths = read().map_err(unreadable(folder))?;
    let is_hidden = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy());
        name.is_some_and(|name| name.starts_with('.'))
    };
    paths.retain(|path| !is_hidden(path));
    paths.sort();
    Ok(paths)
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> ReadError {
    let path = path.to_owned();
    move |source| ReadError::Unreadable { path, source }
}

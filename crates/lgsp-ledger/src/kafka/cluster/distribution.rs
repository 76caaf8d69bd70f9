//! The jars of Apache Kafka: fetched once by Maven, kept in a folder that all processes of a user share.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::ClusterError;

/// Names every jar with its version.
const POM: &str = include_str!("pom.xml");
/// Below the user's cache; the version is that of the pom.
const FOLDER: &str = "lgsp/kafka-4.3.1";

/// A folder with every jar that a broker needs.
#[derive(Clone, Debug)]
pub(super) struct Distribution {
    folder: PathBuf,
}

impl Distribution {
    /// Fetches the jars where they are missing. Of several processes one fetches, the others wait for it; the folder
    /// gets its name when it is whole.
    pub(super) fn get() -> Result<Self, ClusterError> {
        let folder = cache()?.join(FOLDER);
        if !folder.is_dir() {
            fetch(&folder)?;
        }
        Ok(Self { folder })
    }

    /// Java with every jar in its class path, ready for the name of a class. It compiles quickly rather than well, which
    /// almost halves what a start costs; a measurement of brokers is not for this cluster.
    pub(super) fn java(&self, heap: &str) -> Vec<String> {
        let class_path = format!("{}/*", self.folder.display());
        let words = [
            "java",
            heap,
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Dlog4j2.level=WARN",
            "-cp",
        ];
        words.into_iter().map(String::from).chain([class_path]).collect()
    }
}

fn cache() -> Result<PathBuf, ClusterError> {
    let given = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = given.or_else(|| Some(std::env::home_dir()?.join(".cache")));
    cache
        .filter(|path| path.is_absolute())
        .ok_or(ClusterError::NoCacheFolder)
}

fn fetch(folder: &Path) -> Result<(), ClusterError> {
    let io = |source| ClusterError::Io {
        path: folder.to_owned(),
        source,
    };
    let draft = folder.with_extension("new");
    fs::create_dir_all(draft.parent().unwrap_or(folder)).map_err(io)?;
    let lock = File::create(folder.with_extension("lock")).map_err(io)?;
    lock.lock().map_err(io)?;
    if folder.is_dir() {
        return Ok(());
    }
    // What a process that was killed left is nobody's.
    drop(fs::remove_dir_all(&draft));
    fs::create_dir(&draft).map_err(io)?;
    let pom = draft.join("pom.xml");
    fs::write(&pom, POM).map_err(io)?;
    run_maven(&pom, &draft)?;
    fs::rename(&draft, folder).map_err(io)
}

fn run_maven(pom: &Path, jars: &Path) -> Result<(), ClusterError> {
    let mut maven = Command::new("mvn");
    maven
        .args(["-q", "-B", "-f"])
        .arg(pom)
        .arg("dependency:copy-dependencies");
    maven.arg(format!("-DoutputDirectory={}", jars.display()));
    let done = maven
        .stdin(Stdio::null())
        .output()
        .map_err(|source| missing("mvn", "maven", source))?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stdout);
    Err(ClusterError::NotFetched {
        said: said.lines().take(5).collect::<Vec<_>>().join("; "),
    })
}

/// A program that could not be started, with the package of Debian that has it.
pub(super) fn missing(program: &'static str, package: &'static str, source: io::Error) -> ClusterError {
    ClusterError::NoProgram {
        program,
        package,
        source,
    }
}

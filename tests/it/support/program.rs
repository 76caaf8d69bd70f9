//! The executable under test, and its commands that end by themselves.

use std::env;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use super::lines::Lines;

/// Longest wait for the end of a command.
const TIME_LIMIT: Duration = Duration::from_secs(20);

/// A call of `lgsp` that knows nothing of the settings in the environment of the tests, and reads no input.
pub(crate) fn to_lgsp(arguments: &[&str]) -> Command {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    let mut command = Command::new(PATH.get_or_init(find));
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("LGSP_")) {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// `LGSP_BIN`, or the one beside the tests; made if it is not there, as `make test` does before.
fn find() -> PathBuf {
    if let Some(path) = env::var_os("LGSP_BIN") {
        return path.into();
    }
    // <target>/debug/deps/it-<hash>
    let own = env::current_exe().unwrap();
    let beside = own.parent().and_then(Path::parent).unwrap().join("lgsp");
    if !beside.exists() {
        let mut build = Command::new(env!("CARGO"));
        build
            .args(["build", "-p", "lgsp", "--features", "failpoints"])
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        assert!(build.status().unwrap().success(), "lgsp cannot be built");
    }
    beside
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// None: by a signal, or not in time.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
    /// It had to be killed.
    pub(crate) late: bool,
}

/// Runs a command to its end, or to that of our patience.
pub(crate) fn run(command: Command) -> Ended {
    let (reader, writer) = io::pipe().unwrap();
    run_into(command, writer.into(), reader)
}

/// Runs a command whose output goes somewhere; `out` is what can be read of it.
pub(crate) fn run_into(mut command: Command, stdout: Stdio, out: impl Read + Send + 'static) -> Ended {
    let mut child = command.stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
    // With the command goes our copy of the writing end: else its output would never end.
    drop(command);
    let out = Lines::follow(out);
    let err = Lines::follow(child.stderr.take().unwrap());
    let late = !(err.wait_for_end(TIME_LIMIT) && out.wait_for_end(TIME_LIMIT));
    if late {
        child.kill().unwrap();
    }
    Ended {
        code: child.wait().unwrap().code(),
        out: out.text(),
        err: err.text(),
        late,
    }
}

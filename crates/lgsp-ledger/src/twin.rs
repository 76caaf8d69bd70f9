//! A test in a process of its own: one that can be killed.

use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

/// Tells a test that it was started by itself, and which ledger it is to write.
const CHILD: &str = "LGSP_LEDGER_CHILD";

pub(crate) fn this_program() -> Command {
    Command::new(std::env::current_exe().unwrap())
}

/// This test in a process of its own.
pub(crate) struct Twin {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Twin {
    /// Starts `test` again through `command` with the ledger it is to write.
    pub(crate) fn start(mut command: Command, test: &str, ledger: &Path) -> Self {
        command
            .args([test, "--exact", "--nocapture", "--test-threads=1"])
            .env(CHILD, ledger);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    pub(crate) fn plain(test: &str, ledger: &Path) -> Self {
        Self::start(this_program(), test, ledger)
    }

    /// The ledger that this process is to write, if it is the twin.
    pub(crate) fn ledger() -> Option<PathBuf> {
        std::env::var_os(CHILD).map(PathBuf::from)
    }

    /// What the twin said next with `say`; `None` when it is dead.
    pub(crate) fn said(&mut self) -> Option<String> {
        self.lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("> ").map(String::from))
    }

    /// SIGKILL; answers what it had still said.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        assert!(!status.success(), "the twin ended by itself before it was killed");
        std::iter::from_fn(|| self.said()).collect()
    }

    /// SIGKILL as soon as it waits at its place, which is certainly there; answers what it had said.
    pub(crate) fn bitten(mut self, marker: &str) -> Vec<String> {
        let mut said: Vec<_> = std::iter::from_fn(|| self.said())
            .take_while(|line| line != marker)
            .collect();
        assert!(self.child.try_wait().unwrap().is_none(), "it never came to its place");
        said.extend(self.kill());
        said
    }

    pub(crate) fn ended_well(mut self) -> Vec<String> {
        let said = std::iter::from_fn(|| self.said()).collect();
        assert!(self.child.wait().unwrap().success(), "the twin failed: {said:?}");
        said
    }
}

/// A test that fails leaves no process behind.
impl Drop for Twin {
    fn drop(&mut self) {
        // An error only says that it has ended.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Tells the test that started this process. One write: a kill cuts no line that was seen whole.
pub(crate) fn say(text: &str) {
    println!("\n> {text}");
}

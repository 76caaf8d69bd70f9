//! The demo's processes: each is this program again, logs into a file, and ends with the demo.

use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use crate::commands::Failure;

/// A process that serves; killed when this is dropped: a play that broke off leaves nothing behind.
#[derive(Debug)]
pub(super) struct Process {
    name: &'static str,
    child: Child,
}

impl Process {
    /// Starts `lgsp <name> --config <settings>` and waits until it says that it serves; answers what it said.
    pub(super) fn start(name: &'static str, settings: &Path, log: &Path) -> Result<(Self, Value), Failure> {
        let child = Command::new(std::env::current_exe()?)
            .arg(name)
            .arg("--config")
            .arg(settings)
            .env("LGSP__LOG__FORMAT", "json")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut process = Self { name, child };
        let lines = process.child.stderr.take();
        let lines = lines.ok_or_else(|| Failure::cannot("a process's log is not readable"))?;
        let file = OpenOptions::new().create(true).append(true).open(log)?;
        match wait_until_serving(lines, file) {
            Ok(Some(said)) => Ok((process, said)),
            ended => {
                let status = process.child.wait()?;
                let log = fs::read_to_string(log)?;
                drop(ended);
                Err(Failure::cannot(format!(
                    "`lgsp {name}` ended before it served ({status}); its log:\n{log}"
                )))
            }
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Tells it to stop.
    pub(super) fn tell_to_stop(&self) -> Result<(), Failure> {
        if tell_to_stop(self.pid())? {
            return Ok(());
        }
        Err(Failure::cannot(format!(
            "`lgsp {}` could not be told to stop",
            self.name
        )))
    }

    /// Waits until it has ended, which it must have done well.
    pub(super) fn wait(mut self) -> Result<(), Failure> {
        let status = self.child.wait()?;
        if status.success() {
            return Ok(());
        }
        Err(Failure::cannot(format!("`lgsp {}` ended with {status}", self.name)))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

/// From now on SIGTERM and Ctrl-C end these processes in this order, and the demo with the last one.
pub(super) fn pass_on_signals(processes: Vec<u32>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listening = runtime.enter();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    drop(listening);
    std::thread::spawn(move || {
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                for process in &processes {
                    // One that is gone already cannot be told.
                    drop(tell_to_stop(*process));
                }
            }
        });
    });
    Ok(())
}

/// SIGTERM; false if there is no such process.
fn tell_to_stop(process: u32) -> io::Result<bool> {
    let told = Command::new("kill").arg("-TERM").arg(process.to_string()).status()?;
    Ok(told.success())
}

/// Reads a log until it says that its process serves; keeps copying it to the file from then on.
fn wait_until_serving(lines: impl Read + Send + 'static, mut log: fs::File) -> io::Result<Option<Value>> {
    let mut lines = BufReader::new(lines);
    let mut line = String::new();
    while lines.read_line(&mut line)? > 0 {
        log.write_all(line.as_bytes())?;
        let event: Value = serde_json::from_str(&line).unwrap_or_default();
        if event.get("message").and_then(Value::as_str) == Some("serving") {
            std::thread::spawn(move || io::copy(&mut lines, &mut log));
            return Ok(Some(event));
        }
        line.clear();
    }
    Ok(None)
}

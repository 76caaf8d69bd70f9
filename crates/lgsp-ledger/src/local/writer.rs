//! The writer's thread: take a group, commit it, wake the readers, answer everyone.

use std::path::PathBuf;

use tokio::sync::watch;
use tracing::{debug, error, warn};

use super::file::Lock;
use super::pen::{Pen, Slip};
use super::queue::{Outlet, Waiting};
use super::{Clock, Settings};
use crate::ledger::{Append, Appended, Refusal};

pub(super) struct Writer {
    pub(super) path: PathBuf,
    pub(super) settings: Settings,
    pub(super) clock: Clock,
    /// The end of each partition, for the readers.
    pub(super) ends: Vec<watch::Sender<u64>>,
    /// None while the file has to be opened and read to its end again.
    pub(super) pen: Option<Pen>,
    /// Held until the last connection that writes is closed.
    pub(super) lock: Lock,
}

/// What became of a group.
enum Outcome {
    Durable { append_ms: u64, offsets: Vec<u64> },
    Same(Append),
}

impl Writer {
    /// Serves until the queue is closed and empty.
    pub(super) fn run(mut self, outlet: &Outlet) {
        while let Some(group) = outlet.group() {
            let outcome = self.commit(&group);
            answer(group, outcome);
            match &mut self.pen {
                Some(pen) => pen.rest(),
                // Whoever got `Unknown` may be waiting to read what became of it.
                None => drop(self.reopen()),
            }
        }
        let Self { pen, lock, .. } = self;
        if let Some(pen) = pen {
            pen.close();
        }
        drop(lock);
    }

    fn commit(&mut self, group: &[Waiting]) -> Outcome {
        if self.pen.is_none() && !self.reopen() {
            return Outcome::Same(Append::Refused(Refusal::NotReady));
        }
        let Some(pen) = &mut self.pen else {
            return Outcome::Same(Append::Refused(Refusal::NotReady));
        };
        // Stored as a signed integer: what is answered is what is stored.
        let append_ms = (self.clock)().min(i64::MAX.unsigned_abs());
        match pen.write(group, append_ms) {
            Ok(offsets) => {
                self.publish();
                Outcome::Durable { append_ms, offsets }
            }
            Err(Slip::Full) => Outcome::Same(Append::Refused(Refusal::Full)),
            Err(Slip::Busy) => Outcome::Same(Append::Refused(Refusal::NotReady)),
            Err(Slip::Unsure(source)) => {
                let source = &source as &dyn std::error::Error;
                error!(
                    error = source,
                    records = group.len(),
                    "a commit failed, its outcome is unknown"
                );
                self.pen = None;
                Outcome::Same(Append::Unknown)
            }
        }
    }

    /// Opens the file again and reads it to its end. A file that lost records is not written to.
    fn reopen(&mut self) -> bool {
        let pen = match Pen::open(&self.path, self.settings.pages_max) {
            Ok((pen, manifest)) if manifest.partitions as usize == self.ends.len() => pen,
            Ok(_) => {
                error!("the ledger's file is another one than before");
                return false;
            }
            Err(source) => {
                warn!(
                    error = &source as &dyn std::error::Error,
                    "the ledger could not be reopened"
                );
                return false;
            }
        };
        if pen
            .ends()
            .iter()
            .zip(&self.ends)
            .any(|(found, known)| *found < *known.borrow())
        {
            error!("the ledger's file ends before records that were appended");
            return false;
        }
        self.pen = Some(pen);
        self.publish();
        true
    }

    fn publish(&self) {
        let found = self.pen.iter().flat_map(|pen| pen.ends());
        for (end, known) in found.zip(&self.ends) {
            known.send_if_modified(|known| std::mem::replace(known, *end) != *end);
        }
    }
}

fn answer(group: Vec<Waiting>, outcome: Outcome) {
    match outcome {
        Outcome::Durable { append_ms, offsets } => {
            for (waiting, offset) in group.into_iter().zip(offsets) {
                tell(waiting, Append::Appended(Appended { offset, append_ms }));
            }
        }
        Outcome::Same(append) => group.into_iter().for_each(|waiting| tell(waiting, append)),
    }
}

fn tell(waiting: Waiting, append: Append) {
    if waiting.answer.send(append).is_err() {
        debug!("an appender left before its answer");
    }
}

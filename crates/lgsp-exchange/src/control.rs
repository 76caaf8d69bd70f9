//! The control ledger: configuration as facts, folded into the rules of this moment (exchange.md section 7).

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use lgsp_audit::{NoteKey, Record, Tree};
use lgsp_contract::{Contracts, Folder};
use lgsp_ledger::{Entry, Ledger, ReadError, ReadLimit, Reader};
use lgsp_registry::{ContractNotTaken, ContractText, Control, PlannedChangeSet, Registry, Void};
use lgsp_types::{EventId, Fact, KeyEvent, KeyUse, Rules, What};
use thiserror::Error;
use tracing::{error, info};

use crate::scribe::WriteError;

const BATCH: ReadLimit = ReadLimit {
    entries: 256,
    bytes: 4 * 1024 * 1024,
};

/// One revision of the rules: whoever decides takes one and keeps it for the whole decision.
#[derive(Clone, Debug)]
pub struct Ruling {
    pub registry: Arc<Registry>,
    pub contracts: Arc<Contracts>,
    pub rules: Rules,
}

/// Why the control ledger cannot be read; a node that has not read it to its end does not serve.
#[derive(Debug, Error)]
pub enum ControlError {
    #[error("the control ledger could not be read")]
    Ledger(#[from] ReadError),
    #[error("the control ledger holds a foreign record at offset {offset}")]
    Alien {
        offset: u64,
        #[source]
        source: lgsp_audit::Alien,
    },
    /// Start the build that wrote it: what this one would make of the rest is not what is in force.
    #[error("the control ledger holds a change at offset {offset} that a later build wrote")]
    Newer {
        offset: u64,
        #[source]
        source: Void,
    },
    /// Try again, or see to the disk.
    #[error("the configuration could not be written")]
    Unwritten(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<WriteError> for ControlError {
    fn from(error: WriteError) -> Self {
        Self::Unwritten(Box::new(error))
    }
}

/// The control ledger of this node.
#[derive(Debug)]
pub(crate) struct Rulebook {
    pub(crate) ledger: Arc<dyn Ledger>,
    current: ArcSwap<Ruling>,
    folded: Mutex<Folded>,
}

/// All that was folded so far.
#[derive(Debug, Default)]
struct Folded {
    control: Control,
    contracts: Arc<Contracts>,
    /// How many of the contracts this build cannot compile.
    unsound: usize,
    tree: Tree,
    /// Keys in use: what they are for, and the public key.
    keys: Vec<(KeyUse, String, [u8; 32])>,
    void: Vec<(EventId, String)>,
}

impl Rulebook {
    /// An empty rulebook over a ledger of one partition; [`Self::fold`] reads it.
    pub(crate) fn new(ledger: Arc<dyn Ledger>) -> Self {
        let folded = Folded::default();
        let ruling = ruling(&folded);
        Self {
            ledger,
            current: ArcSwap::from_pointee(ruling),
            folded: Mutex::new(folded),
        }
    }

    /// The rules of this moment.
    pub(crate) fn current(&self) -> Arc<Ruling> {
        self.current.load_full()
    }

    /// Reads the control ledger to its present end and swaps the rules, whole.
    pub(crate) async fn fold(&self) -> Result<(), ControlError> {
        let end = self.ledger.end(0).await?;
        loop {
            let next = self.size();
            if next >= end {
                return Ok(());
            }
            let entries = self.ledger.read(0, next, BATCH).await?;
            let mut folded = self.folded.lock().unwrap_or_else(PoisonError::into_inner);
            for entry in &entries {
                // Another fold may have been here first.
                if entry.offset == folded.tree.size() {
                    folded.take(entry)?;
                }
            }
            folded.compile_contracts();
            self.current.store(Arc::new(ruling(&folded)));
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.folded.lock().unwrap_or_else(PoisonError::into_inner).tree.size()
    }

    /// What the fold made of a change set that is in the ledger: none, or why it is void.
    pub(crate) fn void(&self, event: EventId) -> Option<String> {
        let folded = self.folded.lock().unwrap_or_else(PoisonError::into_inner);
        folded
            .void
            .iter()
            .find(|(known, _)| *known == event)
            .map(|(_, why)| why.clone())
    }

    /// Whether this key has to be announced before its first use.
    pub(crate) fn lacks(&self, usage: KeyUse, key: &NoteKey) -> bool {
        let folded = self.folded.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = (usage, key.name(), key.public_key());
        !folded
            .keys
            .iter()
            .any(|(usage, name, public)| (*usage, name.as_str(), *public) == wanted)
    }

    /// Plans the import of a file against what is folded.
    pub(crate) fn plan(
        &self,
        file: &str,
        text: &str,
    ) -> Result<lgsp_registry::Import, Vec<lgsp_registry::ConfigError>> {
        let folded = self.folded.lock().unwrap_or_else(PoisonError::into_inner);
        lgsp_registry::plan_import(&folded.control, file, text)
    }

    /// Plans how versions of contracts come into force, which all are sound.
    pub(crate) fn plan_contracts(
        &self,
        texts: Vec<ContractText>,
    ) -> Result<Vec<PlannedChangeSet>, Vec<ContractNotTaken>> {
        let folded = self.folded.lock().unwrap_or_else(PoisonError::into_inner);
        lgsp_registry::plan_contracts(&folded.control, texts)
    }

    /// The texts of every contract in force.
    pub(crate) fn contract_folders(&self) -> Vec<Folder> {
        let folded = self.folded.lock().unwrap_or_else(PoisonError::into_inner);
        folded.contract_folders()
    }
}

/// The contracts of a control ledger that nobody has to have open.
pub(crate) fn contracts_of(control: &Reader) -> Result<Arc<Contracts>, ControlError> {
    let mut folded = Folded::default();
    let end = control.end(0)?;
    while folded.tree.size() < end {
        for entry in control.read(0, folded.tree.size(), BATCH)? {
            folded.take(&entry)?;
        }
    }
    folded.compile_contracts();
    Ok(folded.contracts)
}

/// The files of a contract as the contract check takes them.
fn folder(text: &ContractText) -> Folder {
    Folder::new(text.id.clone(), text.schema.as_bytes(), text.settings.as_bytes())
}

fn ruling(folded: &Folded) -> Ruling {
    Ruling {
        registry: folded.control.registry(),
        contracts: Arc::clone(&folded.contracts),
        rules: Rules {
            control_size: folded.tree.size(),
            control_root: folded.tree.root(),
        },
    }
}

impl Folded {
    fn contract_folders(&self) -> Vec<Folder> {
        self.control.contracts().map(|text| folder(text)).collect()
    }

    /// A version, once it is there, never changes: only what is new has to be compiled.
    fn compile_contracts(&mut self) {
        if self.control.contracts().count() == self.contracts.iter().count() + self.unsound {
            return;
        }
        let mut folders = self.contract_folders();
        let before = folders.len();
        // What one build takes, another may refuse; nobody sends by it then, and all else goes on.
        folders.retain(|folder| match Contracts::load(std::slice::from_ref(folder)) {
            Ok(_) => true,
            Err(problems) => {
                let first = problems
                    .first()
                    .map(|problem| problem.broken.to_string())
                    .unwrap_or_default();
                error!(contract = %folder.contract, problem = first, "a contract is not known to this build");
                false
            }
        });
        self.unsound = before - folders.len();
        self.contracts = Arc::new(Contracts::load(&folders).unwrap_or_default());
    }

    fn take(&mut self, entry: &Entry) -> Result<(), ControlError> {
        let record = Record::read(&entry.record).map_err(|source| ControlError::Alien {
            offset: entry.offset,
            source,
        })?;
        self.tree.push(record.leaf_hash(entry.append_ms));
        self.learn(entry.offset, &record.fact)
    }

    fn learn(&mut self, offset: u64, fact: &Fact) -> Result<(), ControlError> {
        match &fact.what {
            What::Configured { change_set } => match self.control.apply(fact.event_id, change_set) {
                Ok(()) => info!(offset, "a change of configuration is in force"),
                Err(void @ Void::UnknownFormat { .. }) => return Err(ControlError::Newer { offset, source: void }),
                Err(void) => {
                    let why = void.to_string();
                    error!(offset, reason = why, "a change of configuration is void");
                    self.void.push((fact.event_id, why));
                }
            },
            What::KeyEvent(KeyEvent {
                usage,
                name,
                public_key,
                begins,
            }) => {
                self.keys.retain(|(_, known, _)| known != name);
                if *begins {
                    self.keys.push((*usage, name.clone(), *public_key));
                }
            }
            // Other facts may stand in the control ledger without changing the rules.
            What::Accepted(_)
            | What::Rejected { .. }
            | What::RejectSummary { .. }
            | What::AttemptFailed { .. }
            | What::Collected { .. }
            | What::Delivered { .. }
            | What::DeadLettered { .. }
            | What::Redriven { .. }
            | What::Withdrawn { .. }
            | What::Conflict { .. }
            | What::LookupRequested(_)
            | What::LookupAnswered { .. }
            | What::LookupUnknown { .. }
            | What::Act { .. }
            | What::Shredded { .. }
            | What::SealAlarm { .. }
            | What::AttemptStarted { .. }
            | What::LedgerClosed { .. }
            | What::Proposed { .. } => {}
        }
        Ok(())
    }
}

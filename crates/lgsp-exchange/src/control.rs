//! The control ledger: configuration as facts, folded into the rules of this moment (exchange.md section 7).

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use lgsp_audit::{NoteKey, Record, Tree};
use lgsp_contract::{Contract, Contracts, Folder};
use lgsp_ledger::{Entry, Ledger, ReadError, ReadLimit, Reader};
use lgsp_registry::{ContractNotTaken, ContractText, Control, PlannedChangeSet, Registry, Void};
use lgsp_types::{ContractRef, EventId, Fact, KeyEvent, KeyUse, Rules, What};
use thiserror::Error;
use tracing::{error, info};

use crate::scribe::WriteError;

/// The control ledger is read in batches of so much.
pub(crate) const BATCH: ReadLimit = ReadLimit {
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

impl Ruling {
    /// The contracts of which what follows a dead letter in its order waits until that was redriven (exchange.md section 2).
    pub(crate) fn blocking(&self) -> Vec<ContractRef> {
        let blocking = self.contracts.iter().filter(|contract| contract.blocks());
        blocking.map(|contract| contract.reference().clone()).collect()
    }

    /// Whether this is one of those.
    pub(crate) fn blocks(&self, contract: &ContractRef) -> bool {
        self.contracts.find(contract).is_ok_and(Contract::blocks)
    }
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
    /// In positions.
    pub(crate) name: String,
    current: ArcSwap<Ruling>,
    folded: Mutex<Folded>,
}

/// All that was folded so far.
#[derive(Debug, Default)]
pub(crate) struct Folded {
    pub(crate) control: Control,
    contracts: Arc<Contracts>,
    /// The contracts that this build cannot compile.
    unsound: BTreeSet<ContractRef>,
    tree: Tree,
    /// Keys in use: what they are for, and the public key.
    keys: Vec<(KeyUse, String, [u8; 32])>,
    void: Vec<(EventId, String)>,
    /// Where and when each change set was written first.
    places: HashMap<EventId, Place>,
}

/// Where a change set stands in the control ledger.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) offset: u64,
    pub(crate) append_ms: u64,
}

impl Rulebook {
    /// An empty rulebook over a ledger of one partition; [`Self::fold`] reads it.
    pub(crate) fn new(ledger: Arc<dyn Ledger>, name: String) -> Self {
        let folded = Folded::default();
        let ruling = ruling(&folded);
        Self {
            ledger,
            name,
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
            let mut folded = self.folded();
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
        self.folded().tree.size()
    }

    /// What the fold made of a change set that is in the ledger: none, or why it is void.
    pub(crate) fn void(&self, event: EventId) -> Option<String> {
        self.folded().why_void(event)
    }

    /// Whether this key has to be announced before its first use.
    pub(crate) fn lacks(&self, usage: KeyUse, key: &NoteKey) -> bool {
        let folded = self.folded();
        let wanted = (usage, key.name(), key.public_key());
        !folded
            .keys
            .iter()
            .any(|(usage, name, public)| (*usage, name.as_str(), *public) == wanted)
    }

    /// What is folded; not to be held while waiting for anything.
    pub(crate) fn folded(&self) -> MutexGuard<'_, Folded> {
        self.folded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Plans how versions of contracts come into force, which all are sound.
    pub(crate) fn plan_contracts(
        &self,
        texts: Vec<ContractText>,
    ) -> Result<Vec<PlannedChangeSet>, Vec<ContractNotTaken>> {
        lgsp_registry::plan_contracts(&self.folded().control, texts)
    }

    /// The texts of every contract in force.
    pub(crate) fn contract_folders(&self) -> Vec<Folder> {
        self.folded().control.contracts().map(|text| folder(text)).collect()
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
    /// A version, once it is there, never changes: only what is new has to be compiled.
    fn compile_contracts(&mut self) {
        let known = |id: &ContractRef| self.unsound.contains(id) || self.contracts.find(id).is_ok();
        let new: Vec<Folder> = self
            .control
            .contracts()
            .filter(|text| !known(&text.id))
            .map(|text| folder(text))
            .collect();
        for folder in &new {
            let Err(problems) = Arc::make_mut(&mut self.contracts).add(folder) else {
                continue;
            };
            // What one build takes, another may refuse; nobody sends by it then, and all else goes on.
            let first = problems
                .first()
                .map(|problem| problem.broken.to_string())
                .unwrap_or_default();
            error!(contract = %folder.contract, problem = first, "a contract is not known to this build");
            self.unsound.insert(folder.contract.clone());
        }
    }

    fn take(&mut self, entry: &Entry) -> Result<(), ControlError> {
        let record = Record::read(&entry.record).map_err(|source| ControlError::Alien {
            offset: entry.offset,
            source,
        })?;
        self.tree.push(record.leaf_hash(entry.append_ms));
        let place = Place {
            offset: entry.offset,
            append_ms: entry.append_ms,
        };
        self.learn(place, &record.fact)
    }

    /// Where a change set was written first.
    pub(crate) fn place(&self, event: &EventId) -> Option<Place> {
        self.places.get(event).copied()
    }

    /// Why a change set is void; none: it is in force, or was.
    pub(crate) fn why_void(&self, event: EventId) -> Option<String> {
        let mut void = self.void.iter().filter(|(known, _)| *known == event);
        void.next().map(|(_, why)| why.clone())
    }

    fn learn(&mut self, place: Place, fact: &Fact) -> Result<(), ControlError> {
        let offset = place.offset;
        match &fact.what {
            What::Configured { change_set } => match self.control.apply(fact.event_id, change_set) {
                Ok(()) => {
                    self.places.insert(fact.event_id, place);
                    info!(offset, "a change of configuration is in force");
                }
                // Whoever wrote it did not learn that it was written; the first is in force.
                Err(Void::Repeated) => info!(offset, "a change of configuration was written twice"),
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

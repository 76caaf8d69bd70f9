//! The control log: its root at each size, and the keys that it announces.

use lgsp_types::{Digest, Fact, KeyEvent, KeyUse, Rules, What};

use super::expected::Expected;
use super::fault::{Fault, Flaw};
use super::signatures::Signatures;
use super::walk::Walk;
use super::{LedgerEntry, Verified};
use crate::key::{KeyId, VerifierKey};
use crate::record::Record;
use crate::tree::Tree;

/// What the control log says, as far as partitions are held against it.
#[derive(Clone, Debug)]
pub struct Control {
    /// The root at each size, from 0.
    roots: Vec<Digest>,
    keys: Vec<Announced>,
}

#[derive(Clone, Debug)]
struct Announced {
    usage: KeyUse,
    key: VerifierKey,
    /// The control log's sizes at which the key is in force: from the first, up to and without the last.
    from: u64,
    to: Option<u64>,
}

impl Announced {
    fn in_force(&self, control_size: u64) -> bool {
        self.from <= control_size && self.to.is_none_or(|to| control_size < to)
    }
}

impl Control {
    fn new() -> Self {
        Self {
            roots: vec![Tree::default().root()],
            keys: Vec::new(),
        }
    }

    /// How many entries the control log has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.roots.len().saturating_sub(1) as u64
    }

    /// The root of its first `size` entries; none if it has not so many.
    #[must_use]
    pub fn root_at(&self, size: u64) -> Option<Digest> {
        self.roots.get(usize::try_from(size).ok()?).copied()
    }

    /// The keys of nodes that were ever in force.
    pub fn node_keys(&self) -> impl Iterator<Item = &VerifierKey> {
        self.announced(KeyUse::Node)
    }

    /// The keys of logs that were ever in force: a trusted key that is not among them belongs to another ledger.
    pub fn log_keys(&self) -> impl Iterator<Item = &VerifierKey> {
        self.announced(KeyUse::Log)
    }

    fn announced(&self, usage: KeyUse) -> impl Iterator<Item = &VerifierKey> {
        self.keys
            .iter()
            .filter(move |known| known.usage == usage)
            .map(|known| &known.key)
    }

    /// The node keys of this id that were in force when the control log had this size.
    pub(super) fn node_keys_at(&self, id: KeyId, control_size: u64) -> impl Iterator<Item = &VerifierKey> {
        let usable = move |known: &&Announced| {
            known.usage == KeyUse::Node && known.key.id() == id && known.in_force(control_size)
        };
        self.keys.iter().filter(usable).map(|known| &known.key)
    }

    pub(super) fn check_rules(&self, rules: &Rules) -> Result<(), Flaw> {
        let named = rules.control_size;
        match self.root_at(named) {
            None => Err(Flaw::RulesUnknown {
                named,
                known: self.size(),
            }),
            Some(root) if root != rules.control_root => Err(Flaw::RulesRoot { named }),
            Some(_) => Ok(()),
        }
    }

    /// The key that a fact announces and may be signed by itself: the first of all nodes' keys, and one whose public key
    /// is in force under another name. Any later key has to be announced by one that is known, or whoever can write to
    /// the ledger could bring their own.
    fn vouched(&self, fact: &Fact) -> Option<VerifierKey> {
        let What::KeyEvent(KeyEvent {
            usage: KeyUse::Node,
            name,
            public_key,
            begins: true,
        }) = &fact.what
        else {
            return None;
        };
        let mut keys = self.keys.iter().filter(|known| known.usage == KeyUse::Node).peekable();
        let first = keys.peek().is_none();
        let renamed = keys.any(|known| known.in_force(self.size()) && known.key.public_key() == *public_key);
        if first || renamed {
            VerifierKey::new(name, *public_key).ok()
        } else {
            None
        }
    }

    /// Lets a key event take effect; it is the control log's next entry.
    fn learn(&mut self, event: &KeyEvent) -> Result<(), Flaw> {
        let key = VerifierKey::new(&event.name, event.public_key);
        let key = key.map_err(|_| Flaw::KeyEvent {
            what: "its name is no key's name",
        })?;
        let size = self.size();
        let same = |known: &&mut Announced| known.usage == event.usage && known.key == key && known.in_force(size);
        let in_force = self.keys.iter_mut().find(same);
        match (event.begins, in_force) {
            (true, None) => self.keys.push(Announced {
                usage: event.usage,
                key,
                from: size + 1,
                to: None,
            }),
            // Said twice: nothing changes.
            (true, Some(_)) => {}
            (false, Some(known)) => known.to = Some(size + 1),
            (false, None) => {
                return Err(Flaw::KeyEvent {
                    what: "it ends a key that is not in force",
                });
            }
        }
        Ok(())
    }
}

/// Verifies the control log, entry by entry in offset order.
#[derive(Clone, Debug)]
pub struct ControlVerifier {
    walk: Walk,
    control: Control,
    signatures: Signatures,
}

impl ControlVerifier {
    #[must_use]
    pub fn new(expected: Expected) -> Self {
        Self {
            walk: Walk::new(expected),
            control: Control::new(),
            signatures: Signatures::default(),
        }
    }

    /// Checks the next entry. After a fault the next ones can still be checked, against what was sound before.
    ///
    /// # Errors
    /// [`Fault`]: the first thing that is wrong with this entry.
    pub fn check(&mut self, entry: &LedgerEntry<'_>) -> Result<Record, Fault> {
        let inside = self.inspect(entry);
        let record = self.walk.step(entry, inside);
        self.control.roots.push(self.walk.tree().root());
        record
    }

    fn inspect(&mut self, entry: &LedgerEntry<'_>) -> Result<Record, Flaw> {
        let record = Record::read(entry.record)?;
        self.control.check_rules(&record.fact.rules)?;
        let id = record.signature().key_id;
        let vouched = self.control.vouched(&record.fact).filter(|key| key.id() == id);
        let known = self.control.node_keys_at(id, self.control.size());
        self.signatures.check(&record, known.chain(&vouched))?;
        if let What::KeyEvent(event) = &record.fact.what {
            self.control.learn(event)?;
        }
        Ok(record)
    }

    /// Ends the control log here.
    #[must_use]
    pub fn finish(self) -> (Control, Verified) {
        (self.control, self.walk.finish(self.signatures.verified()))
    }
}

//! Who changed the configuration, when and what: the control ledger told change by change.

use std::collections::{HashMap, HashSet};

use lgsp_audit::Record;
use lgsp_registry::{Change, ChangeSet, Difference, Object, ObjectRef, differences};
use lgsp_types::{EventId, LedgerPosition, Unavailable, UnixMs, What};
use serde::Serialize;

use crate::control::{BATCH, Folded, Rulebook};
use crate::spine::{Spine, unavailable};

/// Most changes in one answer; the latest.
const LISTED_MAX: usize = 1_000;

/// A change set, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Made {
    pub event: EventId,
    /// In the control ledger.
    pub position: String,
    /// Ledger time, ISO 8601 with +07:00.
    pub at: String,
    /// `file NAME`, or `person ACCOUNT`.
    pub by: String,
}

/// What a change set made of one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChangedObject {
    pub object: ObjectRef,
    /// `new`, `changed`, `removed`, or `kept` where a file was told that the ledger is right.
    pub change: &'static str,
    pub differences: Vec<Difference>,
}

/// One change set of the control ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    #[serde(flatten)]
    pub made: Made,
    /// Why it changed nothing; none: it came into force.
    pub void: Option<String>,
    /// Those that were asked for.
    pub changes: Vec<ChangedObject>,
}

impl ChangedObject {
    pub(crate) fn new(change: &Change, before: Option<&Object>) -> Self {
        let after = change.content.as_ref();
        let what = match (before, after) {
            (None, Some(_)) => "new",
            (Some(before), Some(after)) if before == after => "kept",
            (Some(_), Some(_)) => "changed",
            (_, None) => "removed",
        };
        Self {
            object: change.object.clone(),
            change: what,
            differences: differences(before, after),
        }
    }
}

impl Rulebook {
    /// Where a change set that came into force comes from.
    pub(crate) fn made(&self, event: EventId) -> Option<Made> {
        self.made_in(&self.folded(), event)
    }

    /// As [`Rulebook::made`], of what is folded.
    pub(crate) fn made_in(&self, folded: &Folded, event: EventId) -> Option<Made> {
        let place = folded.place(&event)?;
        let source = folded.control.source(&event)?;
        Some(self.tell(event, (place.offset, place.append_ms), source.to_string()))
    }

    fn tell(&self, event: EventId, (offset, append_ms): (u64, u64), by: String) -> Made {
        let position = LedgerPosition {
            ledger: self.name.clone(),
            partition: 0,
            offset,
        };
        Made {
            event,
            position: position.to_string(),
            at: UnixMs(append_ms).iso_text(),
            by,
        }
    }
}

impl Spine {
    /// The latest changes of the configuration in the order of the ledger, at most 1,000; of one object, where it is named.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn chronicle(&self, object: Option<&ObjectRef>) -> Result<Vec<Event>, Unavailable> {
        let ledger = &self.rules.ledger;
        // What is folded by now: nobody is told of what is not in force yet.
        let end = self.rules.size();
        let mut chronicle = Chronicle::default();
        let mut next = 0;
        while next < end {
            let entries = ledger.read(0, next, BATCH).await.map_err(unavailable)?;
            let Some(last) = entries.last() else { break };
            next = last.offset + 1;
            for entry in entries.iter().filter(|entry| entry.offset < end) {
                let record = Record::read(&entry.record).map_err(unavailable)?;
                if let What::Configured { change_set } = &record.fact.what {
                    let place = (entry.offset, entry.append_ms);
                    chronicle.take(&self.rules, object, place, (record.fact.event_id, change_set));
                }
            }
        }
        Ok(chronicle.events)
    }
}

/// What was read so far.
#[derive(Debug, Default)]
struct Chronicle {
    objects: HashMap<ObjectRef, Object>,
    seen: HashSet<EventId>,
    events: Vec<Event>,
}

impl Chronicle {
    fn take(
        &mut self,
        rules: &Rulebook,
        asked: Option<&ObjectRef>,
        place: (u64, u64),
        (event, bytes): (EventId, &[u8]),
    ) {
        // One that was written twice is told once.
        if !self.seen.insert(event) {
            return;
        }
        let void = rules.void(event);
        let Ok(set) = ChangeSet::read(bytes) else {
            if asked.is_none() {
                let made = rules.tell(event, place, "nobody: it cannot be read".to_owned());
                self.push(made, void, Vec::new());
            }
            return;
        };
        let mut changes = Vec::new();
        for change in &set.changes {
            if asked.is_none_or(|asked| *asked == change.object) {
                changes.push(ChangedObject::new(change, self.objects.get(&change.object)));
            }
            match (&void, &change.content) {
                (Some(_), _) => {}
                (None, Some(content)) => drop(self.objects.insert(change.object.clone(), content.clone())),
                (None, None) => drop(self.objects.remove(&change.object)),
            }
        }
        if !changes.is_empty() {
            self.push(rules.tell(event, place, set.source.to_string()), void, changes);
        }
    }

    fn push(&mut self, made: Made, void: Option<String>, changes: Vec<ChangedObject>) {
        if self.events.len() >= LISTED_MAX {
            self.events.remove(0);
        }
        self.events.push(Event { made, void, changes });
    }
}

//! Recording refusals: one by one within a budget, counted beyond it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use lgsp_types::{
    Caller, EventId, Fact, Finding, Kind, Refusal, RefusalId, Rejection, SystemId, Tag, Unavailable, UnixMs, What,
};

use crate::scribe::WriteError;
use crate::spine::{Spine, unavailable};

/// The same refusal again within this time is only counted.
const REPEAT_MS: u64 = 60_000;
/// Most refusals remembered for that; beyond, the budget alone protects the ledger.
const REMEMBERED_MAX: usize = 16_384;
const MINUTE_MS: u64 = 60_000;

/// What is to be done with one refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Record,
    /// The same one is in the ledger since less than a minute.
    Known,
    /// Beyond the budget: it stands in the summary of its minute.
    Counted,
}

/// Who was refused how often, lately. Soft state: a restart forgets it.
#[derive(Debug)]
pub(crate) struct RefusalBudget {
    per_second_max: u32,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    remembered: HashMap<RefusalId, UnixMs>,
    /// Second and refusals recorded in it.
    spent: HashMap<SystemId, (u64, u32)>,
    /// System and minute, to how many stand only in the summary.
    summaries: HashMap<(SystemId, u64), u64>,
}

impl RefusalBudget {
    pub(crate) fn new(per_second_max: u32) -> Self {
        Self {
            per_second_max,
            state: Mutex::default(),
        }
    }

    fn judge(&self, system: &SystemId, id: RefusalId, now: UnixMs) -> Verdict {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state
            .remembered
            .get(&id)
            .is_some_and(|at| now.0.saturating_sub(at.0) < REPEAT_MS)
        {
            return Verdict::Known;
        }
        let second = now.0 / 1_000;
        let spent = state.spent.entry(system.clone()).or_insert((second, 0));
        if spent.0 != second {
            *spent = (second, 0);
        }
        if spent.1 >= self.per_second_max {
            *state.summaries.entry((system.clone(), now.0 / MINUTE_MS)).or_insert(0) += 1;
            return Verdict::Counted;
        }
        spent.1 += 1;
        Verdict::Record
    }

    fn remember(&self, id: RefusalId, now: UnixMs) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.remembered.len() >= REMEMBERED_MAX {
            state.remembered.retain(|_, at| now.0.saturating_sub(at.0) < REPEAT_MS);
        }
        if state.remembered.len() < REMEMBERED_MAX {
            state.remembered.insert(id, now);
        }
    }

    /// Summaries of minutes that are over.
    pub(crate) fn take_summaries(&self, now: UnixMs) -> Vec<(SystemId, u64, u64)> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let over = |minute: u64| minute < now.0 / MINUTE_MS;
        let taken = state.summaries.extract_if(|(_, minute), _| over(*minute));
        taken.map(|((system, minute), count)| (system, minute, count)).collect()
    }

    fn give_back(&self, system: SystemId, minute: u64, count: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state.summaries.entry((system, minute)).or_insert(0) += count;
    }
}

impl Spine {
    /// Records what an adapter refused.
    pub(crate) async fn record_rejection(&self, caller: &Caller, rejection: Rejection) -> Result<(), Unavailable> {
        self.record_refusal(caller, *rejection.content.as_bytes(), &rejection.refusals)
            .await
    }

    /// Appends the Rejected fact, in the partition of the caller's system; within the budget.
    pub(crate) async fn record_refusal(
        &self,
        caller: &Caller,
        what: [u8; 32],
        refusals: &[Refusal],
    ) -> Result<(), Unavailable> {
        let ruling = self.rules.current();
        let id = self.ids.refusal_id(&caller.system, &what, ruling.rules.control_size);
        let now = self.scribe.now();
        match self.refusals.judge(&caller.system, id, now) {
            Verdict::Known | Verdict::Counted => return Ok(()),
            Verdict::Record => {}
        }
        let Some(first) = refusals.first() else { return Ok(()) };
        let fact = Fact {
            event_id: EventId::from(id),
            prev: None,
            actor: self.actor(caller, ruling.registry.agency_of(&caller.system)),
            rules: ruling.rules,
            node: self.scribe.node(),
            trace_id: Some(*caller.trace.trace_id().as_bytes()),
            what: What::Rejected {
                reason: first.code.clone(),
                request_tag: Tag::from_bytes(what),
                findings: refusals.iter().map(finding).collect(),
            },
        };
        let partition = self.ids.partition(caller.system.as_str(), self.ledger.partitions());
        self.scribe
            .write(&*self.ledger, partition, &fact)
            .await
            .map_err(unavailable)?;
        self.refusals.remember(id, now);
        Ok(())
    }

    /// Appends the summaries of refusals beyond the budget; called once a minute.
    pub(crate) async fn summarise_refusals(&self, now: UnixMs) {
        for (system, minute, count) in self.refusals.take_summaries(now) {
            let parts: [&[u8]; 3] = [system.as_str().as_bytes(), &minute.to_be_bytes(), &count.to_be_bytes()];
            let what = What::RejectSummary {
                source: system.as_str().to_owned(),
                minute,
                count,
            };
            let fact = self.own_fact(EventId::of(Kind::RejectSummary, &parts), what);
            let partition = self.ids.partition(system.as_str(), self.ledger.partitions());
            match self.write(partition, &fact).await {
                Ok(_) => {}
                // An unknown outcome is not counted twice; a certain refusal is tried again in the next minute.
                Err(WriteError::Unknown | WriteError::TooLarge) => {}
                Err(WriteError::Busy | WriteError::Full) => self.refusals.give_back(system, minute, count),
            }
        }
    }
}

/// Longest path that a finding keeps, in bytes.
const PATH_MAX_BYTES: usize = 512;

fn finding(refusal: &Refusal) -> Finding {
    let mut path = refusal.path.clone();
    let end = (0..=PATH_MAX_BYTES.min(path.len()))
        .rev()
        .find(|at| path.is_char_boundary(*at))
        .unwrap_or(0);
    path.truncate(end);
    Finding {
        code: refusal.code.clone(),
        path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(at: u8) -> RefusalId {
        RefusalId::from_bytes([at; 16])
    }

    #[test]
    fn the_same_refusal_within_a_minute_is_only_counted() {
        let budget = RefusalBudget::new(10);
        let system = SystemId::parse("a").unwrap();
        assert_eq!(budget.judge(&system, id(1), UnixMs(0)), Verdict::Record);
        budget.remember(id(1), UnixMs(0));
        assert_eq!(budget.judge(&system, id(1), UnixMs(59_999)), Verdict::Known);
        assert_eq!(budget.judge(&system, id(1), UnixMs(60_000)), Verdict::Record);
    }

    #[test]
    fn a_flood_stands_in_one_summary_and_harms_no_other_system() {
        let budget = RefusalBudget::new(2);
        let (loud, quiet) = (SystemId::parse("loud").unwrap(), SystemId::parse("quiet").unwrap());
        let verdicts: Vec<_> = (0..5).map(|at| budget.judge(&loud, id(at), UnixMs(10))).collect();
        assert_eq!(
            verdicts.iter().filter(|verdict| **verdict == Verdict::Record).count(),
            2
        );
        assert_eq!(budget.judge(&quiet, id(9), UnixMs(10)), Verdict::Record);
        assert!(
            budget.take_summaries(UnixMs(59_000)).is_empty(),
            "the minute is not over"
        );
        assert_eq!(budget.take_summaries(UnixMs(60_000)), [(loud, 0, 3)]);
        assert!(budget.take_summaries(UnixMs(60_000)).is_empty());
    }
}

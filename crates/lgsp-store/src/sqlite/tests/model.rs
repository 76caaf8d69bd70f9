//! The claims rule once more, in the plainest words there are, to hold the store against.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a model says what happens, and nothing else happens"
)]

use std::collections::{BTreeMap, HashMap};

use lgsp_types::{Accepted, AgencyId, Fact, Kind, MsgId, ReasonCode, Tag, What};

use crate::claim::Effect;
use crate::rows::{Counts, Position, Projected};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) state: &'static str,
    pub(super) generation: u32,
    pub(super) attempts: u32,
    pub(super) handed_out: bool,
    pub(super) late: bool,
    pub(super) reason: Option<ReasonCode>,
    pub(super) last: Position,
}

#[derive(Debug, Default)]
pub(super) struct Model {
    /// Position and tag of the first Accepted.
    pub(super) messages: BTreeMap<MsgId, (Position, Tag)>,
    pub(super) deliveries: BTreeMap<(MsgId, AgencyId), Standing>,
    pub(super) effects: BTreeMap<Position, Effect>,
    /// Losers, and whether they have their end.
    pub(super) conflicts: BTreeMap<Position, (MsgId, Tag, bool)>,
    pub(super) other: HashMap<&'static str, u64>,
}

impl Model {
    pub(super) fn take(&mut self, partition: u32, record: &Projected) {
        let at = Position {
            partition,
            offset: record.offset,
        };
        let Some(fact) = &record.fact else {
            *self.other.entry("aliens").or_default() += 1;
            return;
        };
        let effect = match &fact.what {
            What::Accepted(accepted) => self.accept(at, accepted),
            What::Conflict {
                msg_id,
                partition,
                offset,
                request_tag,
            } => {
                let loser = Position {
                    partition: *partition,
                    offset: *offset,
                };
                match self.conflicts.get_mut(&loser) {
                    Some((id, tag, settled)) if (*id, *tag) == (*msg_id, *request_tag) => {
                        if std::mem::replace(settled, true) {
                            Effect::Repeat
                        } else {
                            Effect::InForce
                        }
                    }
                    _ => Effect::NoEffect,
                }
            }
            What::Rejected { .. } => {
                *self.other.entry("refusals").or_default() += 1;
                return;
            }
            What::RejectSummary { count, .. } => {
                *self.other.entry("summarised").or_default() += count;
                return;
            }
            _ if fact.what.delivery().is_some() => self.claim(at, fact),
            _ => Effect::InForce,
        };
        self.effects.insert(at, effect);
    }

    fn accept(&mut self, at: Position, accepted: &Accepted) -> Effect {
        let new = (at, accepted.request_tag);
        let (first, tag) = *self.messages.entry(accepted.msg_id).or_insert(new);
        if first == at {
            for addressee in &accepted.envelope.addressees {
                let standing = Standing {
                    state: "open",
                    generation: 0,
                    attempts: 0,
                    handed_out: false,
                    late: false,
                    reason: None,
                    last: at,
                };
                let key = (accepted.msg_id, addressee.agency.clone());
                self.deliveries.insert(key, standing);
            }
            Effect::InForce
        } else if tag == accepted.request_tag {
            *self.other.entry("repeats").or_default() += 1;
            Effect::Repeat
        } else {
            let loser = (accepted.msg_id, accepted.request_tag, false);
            self.conflicts.insert(at, loser);
            Effect::NoEffect
        }
    }

    fn claim(&mut self, at: Position, fact: &Fact) -> Effect {
        let about = fact.what.delivery().unwrap();
        let Some(standing) = self.deliveries.get_mut(&(about.msg_id, about.addressee.clone())) else {
            return Effect::NoEffect;
        };
        let now = about.generation == standing.generation;
        let waits = standing.state == "open" || standing.state == "collected";
        let (effect, state) = match fact.what.kind() {
            Kind::Delivered if standing.state == "delivered" => (Effect::Repeat, "delivered"),
            Kind::Delivered if waits => (Effect::InForce, "delivered"),
            Kind::Delivered => (Effect::Late, "delivered"),
            Kind::Collected if now && standing.state == "open" => (Effect::InForce, "collected"),
            Kind::Collected if now && standing.state == "collected" => (Effect::Repeat, "collected"),
            Kind::DeadLettered if now && waits => (Effect::InForce, "dead-lettered"),
            Kind::DeadLettered if now && standing.state == "dead-lettered" => (Effect::Repeat, "dead-lettered"),
            Kind::Withdrawn if now && standing.state == "open" && !standing.handed_out => {
                (Effect::InForce, "withdrawn")
            }
            Kind::Withdrawn if now && standing.state == "withdrawn" => (Effect::Repeat, "withdrawn"),
            Kind::Redriven if standing.state == "dead-lettered" && about.generation == standing.generation + 1 => {
                (Effect::InForce, "open")
            }
            Kind::Redriven if now && about.generation > 0 => (Effect::Repeat, standing.state),
            Kind::AttemptFailed | Kind::AttemptStarted => {
                standing.handed_out = true;
                if now && waits && about.attempt > standing.attempts {
                    (Effect::InForce, standing.state)
                } else if now && waits {
                    (Effect::Repeat, standing.state)
                } else {
                    (Effect::NoEffect, standing.state)
                }
            }
            _ => (Effect::NoEffect, standing.state),
        };
        if effect == Effect::InForce || effect == Effect::Late {
            standing.state = state;
            standing.last = at;
            standing.late |= effect == Effect::Late;
            standing.reason = None;
            match &fact.what {
                What::Collected { .. } | What::Delivered { .. } => standing.handed_out = true,
                What::AttemptFailed { .. } => standing.attempts = about.attempt,
                What::Redriven { .. } => {
                    standing.generation = about.generation;
                    standing.attempts = 0;
                }
                What::DeadLettered { reason, .. } | What::Withdrawn { reason, .. } => {
                    standing.reason = Some(reason.clone());
                }
                _ => {}
            }
        }
        effect
    }

    pub(super) fn counts(&self) -> Counts {
        let in_state = |state: &str| {
            self.deliveries
                .values()
                .filter(|standing| standing.state == state)
                .count() as u64
        };
        let other = |what: &str| self.other.get(what).copied().unwrap_or_default();
        Counts {
            accepted: self.messages.len() as u64,
            repeats: other("repeats"),
            conflicts: self.conflicts.len() as u64,
            open: in_state("open"),
            collected: in_state("collected"),
            delivered: in_state("delivered"),
            dead_lettered: in_state("dead-lettered"),
            withdrawn: in_state("withdrawn"),
            refusals: other("refusals"),
            refusals_summarised: other("summarised"),
            events: self.effects.len() as u64,
            aliens: other("aliens"),
        }
    }
}

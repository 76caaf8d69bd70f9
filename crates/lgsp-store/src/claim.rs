//! What a fact about a delivery does to it: the claims rule as pure functions; SQL only executes what they say.
//!
//! Source: exchange.md section 6. Everything here reads facts alone, so a rebuild judges as the first reading did.

use lgsp_types::{Delivery, DeliveryState, Kind, ReasonCode};

/// Reason of a dead letter that stays in its receiver's list: the receiver itself could not take it.
///
/// Source: exchange.md section 5.1, `updateStatus fail`.
pub const RECEIVER_FAILED: ReasonCode = ReasonCode::new("RECEIVER_FAILED");

/// Each claim, the states in which it takes effect, and the state it leads to.
const CLAIMS: [(Kind, &[DeliveryState], DeliveryState); 5] = {
    use DeliveryState::{Collected, DeadLettered, Delivered, Open, Withdrawn};
    [
        (Kind::Collected, &[Open, Collected], Collected),
        (Kind::Delivered, &[Open, Collected, DeadLettered, Withdrawn], Delivered),
        (Kind::DeadLettered, &[Open, Collected], DeadLettered),
        (Kind::Redriven, &[DeadLettered], Open),
        (Kind::Withdrawn, &[Open], Withdrawn),
    ]
};

/// The state that a claim of this kind leads to from `state`; none: it has no effect there, or it is no claim.
#[must_use]
pub fn next_state(state: DeliveryState, kind: Kind) -> Option<DeliveryState> {
    let claim = CLAIMS
        .iter()
        .find(|(claim, before, _)| *claim == kind && before.contains(&state));
    claim.map(|(_, _, after)| *after)
}

/// Whether a delivery in this state stands in its receiver's list (exchange.md section 5.1).
#[must_use]
pub fn is_listed(state: DeliveryState, reason: Option<&ReasonCode>) -> bool {
    match state {
        DeliveryState::Open | DeliveryState::Collected => true,
        DeliveryState::DeadLettered => reason == Some(&RECEIVER_FAILED),
        DeliveryState::Delivered | DeliveryState::Withdrawn => false,
    }
}

/// What a fact did at its own offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// It counts.
    InForce,
    /// What it claims was not allowed, or names nothing that is known there.
    NoEffect,
    /// It had been said.
    Repeat,
    /// Delivered after the delivery had ended otherwise: it counts, and is flagged.
    Late,
}

impl Effect {
    const ALL: [Self; 4] = [Self::InForce, Self::NoEffect, Self::Repeat, Self::Late];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InForce => "in force",
            Self::NoEffect => "no effect",
            Self::Repeat => "repeat",
            Self::Late => "late",
        }
    }

    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|effect| effect.name() == name)
    }

    /// Whether the fact counts, in time or late.
    #[must_use]
    pub const fn counts(self) -> bool {
        matches!(self, Self::InForce | Self::Late)
    }
}

/// Where a delivery stands, as far as facts decide it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Standing {
    pub state: DeliveryState,
    /// 0 until redriven.
    pub generation: u32,
    /// Highest attempt of this generation that failed.
    pub attempts: u32,
    /// Somebody may have had the bytes, in this generation or before: it cannot be withdrawn any more.
    pub handed_out: bool,
    /// Delivered after it had ended otherwise.
    pub late: bool,
}

impl Standing {
    /// How every delivery begins.
    pub const NEW: Self = Self {
        state: DeliveryState::Open,
        generation: 0,
        attempts: 0,
        handed_out: false,
        late: false,
    };
}

/// What a fact of this kind does to a delivery that stands so, and where it stands then.
///
/// A fact of another generation than the present one has no effect, except Delivered, which always counts.
#[must_use]
pub fn judge(before: Standing, kind: Kind, fact: &Delivery) -> (Effect, Standing) {
    match kind {
        Kind::AttemptStarted | Kind::AttemptFailed => attempt(before, kind, fact),
        Kind::Redriven => redriven(before, fact),
        Kind::Delivered => delivered(before),
        Kind::Collected | Kind::DeadLettered | Kind::Withdrawn => claim(before, kind, fact),
        Kind::Accepted
        | Kind::Rejected
        | Kind::RejectSummary
        | Kind::Conflict
        | Kind::LookupRequested
        | Kind::LookupAnswered
        | Kind::LookupUnknown
        | Kind::Configured
        | Kind::Act
        | Kind::KeyEvent
        | Kind::Shredded
        | Kind::SealAlarm
        | Kind::LedgerClosed
        | Kind::Proposed => (Effect::NoEffect, before),
    }
}

/// A try changes no state, but from then on the bytes may be out.
fn attempt(before: Standing, kind: Kind, fact: &Delivery) -> (Effect, Standing) {
    let out = Standing {
        handed_out: true,
        ..before
    };
    if !before.state.waits() || fact.generation != before.generation {
        (Effect::NoEffect, out)
    } else if fact.attempt <= before.attempts {
        (Effect::Repeat, out)
    } else if kind == Kind::AttemptFailed {
        let counted = Standing {
            attempts: fact.attempt,
            ..out
        };
        (Effect::InForce, counted)
    } else {
        (Effect::InForce, out)
    }
}

/// The fact names the generation that begins.
fn redriven(before: Standing, fact: &Delivery) -> (Effect, Standing) {
    let begins = before.generation.checked_add(1);
    match next_state(before.state, Kind::Redriven) {
        Some(state) if begins == Some(fact.generation) => {
            let after = Standing {
                state,
                generation: fact.generation,
                attempts: 0,
                ..before
            };
            (Effect::InForce, after)
        }
        _ if fact.generation == before.generation && before.generation > 0 => (Effect::Repeat, before),
        _ => (Effect::NoEffect, before),
    }
}

fn delivered(before: Standing) -> (Effect, Standing) {
    let Some(state) = next_state(before.state, Kind::Delivered) else {
        return (Effect::Repeat, before);
    };
    let late = matches!(before.state, DeliveryState::DeadLettered | DeliveryState::Withdrawn);
    let after = Standing {
        state,
        handed_out: true,
        late,
        ..before
    };
    (if late { Effect::Late } else { Effect::InForce }, after)
}

fn claim(before: Standing, kind: Kind, fact: &Delivery) -> (Effect, Standing) {
    if fact.generation != before.generation {
        return (Effect::NoEffect, before);
    }
    let out_of_reach = kind == Kind::Withdrawn && before.handed_out;
    match next_state(before.state, kind) {
        Some(state) if state == before.state => (Effect::Repeat, before),
        Some(state) if !out_of_reach => {
            let handed_out = before.handed_out || kind == Kind::Collected;
            let after = Standing {
                state,
                handed_out,
                ..before
            };
            (Effect::InForce, after)
        }
        None if leads_to(kind) == Some(before.state) => (Effect::Repeat, before),
        Some(_) | None => (Effect::NoEffect, before),
    }
}

fn leads_to(kind: Kind) -> Option<DeliveryState> {
    let claim = CLAIMS.iter().find(|(claim, _, _)| *claim == kind);
    claim.map(|(_, _, after)| *after)
}

#[cfg(test)]
mod tests;

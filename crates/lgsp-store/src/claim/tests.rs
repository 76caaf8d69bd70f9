//! The claims rule, written down once more as a table, and what holds for every sequence of facts.

use lgsp_types::{AgencyId, MsgId};
use proptest::prelude::*;

use super::*;
use DeliveryState::{Collected, DeadLettered, Delivered, Open, Withdrawn};

const STATES: [DeliveryState; 5] = [Open, Collected, Delivered, DeadLettered, Withdrawn];

fn fact(generation: u32, attempt: u32) -> Delivery {
    Delivery {
        msg_id: MsgId::from_bytes([1; 16]),
        addressee: AgencyId::parse("so-a").unwrap(),
        generation,
        attempt,
    }
}

fn standing(state: DeliveryState) -> Standing {
    Standing { state, ..Standing::NEW }
}

#[test]
fn a_claim_takes_effect_only_where_the_design_says() {
    // Rows: state before. Columns: Collected, Delivered, DeadLettered, Redriven, Withdrawn.
    let table = [
        (
            Open,
            [
                Some(Collected),
                Some(Delivered),
                Some(DeadLettered),
                None,
                Some(Withdrawn),
            ],
        ),
        (
            Collected,
            [Some(Collected), Some(Delivered), Some(DeadLettered), None, None],
        ),
        (Delivered, [None, None, None, None, None]),
        (DeadLettered, [None, Some(Delivered), None, Some(Open), None]),
        (Withdrawn, [None, Some(Delivered), None, None, None]),
    ];
    let claims = [
        Kind::Collected,
        Kind::Delivered,
        Kind::DeadLettered,
        Kind::Redriven,
        Kind::Withdrawn,
    ];
    for (state, afters) in table {
        for (kind, after) in claims.into_iter().zip(afters) {
            assert_eq!(next_state(state, kind), after, "{kind:?} in {state:?}");
        }
    }
    for kind in Kind::ALL.iter().filter(|kind| !claims.contains(kind)) {
        assert!(
            STATES.iter().all(|state| next_state(*state, *kind).is_none()),
            "{kind:?} is no claim"
        );
    }
}

#[test]
fn the_effect_of_each_fact_is_named() {
    use Effect::{InForce, Late, NoEffect, Repeat};
    for (state, kind, effect) in [
        (Open, Kind::Collected, InForce),
        (Collected, Kind::Collected, Repeat),
        (Delivered, Kind::Collected, NoEffect),
        (Collected, Kind::Delivered, InForce),
        (Delivered, Kind::Delivered, Repeat),
        (DeadLettered, Kind::Delivered, Late),
        (Withdrawn, Kind::Delivered, Late),
        (DeadLettered, Kind::DeadLettered, Repeat),
        (Delivered, Kind::DeadLettered, NoEffect),
        (Withdrawn, Kind::Withdrawn, Repeat),
        (Collected, Kind::Withdrawn, NoEffect),
        (Delivered, Kind::AttemptFailed, NoEffect),
        (Open, Kind::AttemptFailed, InForce),
        (Open, Kind::AttemptStarted, InForce),
        (Open, Kind::Act, NoEffect),
    ] {
        assert_eq!(
            judge(standing(state), kind, &fact(0, 1)).0,
            effect,
            "{kind:?} in {state:?}"
        );
    }
}

#[test]
fn nothing_that_may_be_out_is_withdrawn() {
    let collected = judge(Standing::NEW, Kind::Collected, &fact(0, 0)).1;
    let dead = judge(collected, Kind::DeadLettered, &fact(0, 0)).1;
    let again = judge(dead, Kind::Redriven, &fact(1, 0)).1;
    assert_eq!((again.state, again.generation), (Open, 1));
    assert_eq!(judge(again, Kind::Withdrawn, &fact(1, 0)).0, Effect::NoEffect);
    for kind in [Kind::AttemptStarted, Kind::AttemptFailed] {
        let tried = judge(Standing::NEW, kind, &fact(0, 1)).1;
        assert_eq!(
            judge(tried, Kind::Withdrawn, &fact(0, 0)).0,
            Effect::NoEffect,
            "{kind:?}"
        );
    }
}

#[test]
fn a_fact_of_an_earlier_round_does_not_end_this_one() {
    let dead = judge(Standing::NEW, Kind::DeadLettered, &fact(0, 0)).1;
    let again = judge(dead, Kind::Redriven, &fact(1, 0)).1;
    for kind in [Kind::Collected, Kind::DeadLettered, Kind::Withdrawn] {
        assert_eq!(judge(again, kind, &fact(0, 0)), (Effect::NoEffect, again), "{kind:?}");
    }
    assert_eq!(judge(again, Kind::Redriven, &fact(1, 0)), (Effect::Repeat, again));
    let (effect, after) = judge(again, Kind::Delivered, &fact(0, 0));
    assert_eq!(
        (effect, after.state),
        (Effect::InForce, Delivered),
        "whoever has it has it"
    );
}

#[test]
fn a_round_is_begun_by_its_own_number_only() {
    let dead = standing(DeadLettered);
    for generation in [0, 2, u32::MAX] {
        assert_eq!(
            judge(dead, Kind::Redriven, &fact(generation, 0)),
            (Effect::NoEffect, dead),
            "{generation}"
        );
    }
    let last = Standing {
        generation: u32::MAX,
        ..dead
    };
    assert_eq!(judge(last, Kind::Redriven, &fact(0, 0)), (Effect::NoEffect, last));
}

#[test]
fn attempts_are_counted_once_each_and_anew_in_each_round() {
    let first = judge(Standing::NEW, Kind::AttemptFailed, &fact(0, 1)).1;
    assert_eq!(judge(first, Kind::AttemptFailed, &fact(0, 1)).0, Effect::Repeat);
    let third = judge(first, Kind::AttemptFailed, &fact(0, 3)).1;
    assert_eq!(third.attempts, 3);
    let dead = judge(third, Kind::DeadLettered, &fact(0, 3)).1;
    assert_eq!(judge(dead, Kind::Redriven, &fact(1, 0)).1.attempts, 0);
}

#[test]
fn a_dead_letter_is_listed_only_when_its_receiver_failed() {
    assert!(is_listed(Open, None) && is_listed(Collected, None));
    assert!(is_listed(DeadLettered, Some(&RECEIVER_FAILED)));
    assert!(!is_listed(DeadLettered, Some(&ReasonCode::new("NO_ROUTE"))));
    assert!(!is_listed(Delivered, Some(&RECEIVER_FAILED)) && !is_listed(Withdrawn, None));
}

#[test]
fn an_effect_has_one_name() {
    for effect in Effect::ALL {
        assert_eq!(Effect::from_name(effect.name()), Some(effect));
    }
    assert_eq!(Effect::from_name(""), None);
}

fn any_kind() -> impl Strategy<Value = Kind> {
    prop::sample::select(Kind::ALL)
}

proptest! {
    #[test]
    fn what_is_delivered_stays_delivered_and_only_what_counts_changes_anything(
        facts in prop::collection::vec((any_kind(), 0u32..3, 0u32..4), 0..40),
    ) {
        let mut at = Standing::NEW;
        for (kind, generation, attempt) in facts {
            let (effect, after) = judge(at, kind, &fact(generation, attempt));
            prop_assert!(after.generation >= at.generation);
            prop_assert!(after.handed_out >= at.handed_out);
            if at.state == Delivered {
                prop_assert_eq!(after.state, Delivered);
            }
            if !effect.counts() {
                prop_assert_eq!(Standing { handed_out: at.handed_out, ..after }, at);
            }
            if after.state != at.state {
                prop_assert_eq!(next_state(at.state, kind), Some(after.state));
            }
            if after.state == Withdrawn {
                prop_assert!(!after.handed_out || at.state == Withdrawn);
            }
            at = after;
        }
    }

    #[test]
    fn a_fact_said_twice_changes_nothing_the_second_time(
        before in prop::collection::vec((any_kind(), 0u32..3, 0u32..4), 0..10),
        kind in any_kind(), generation in 0u32..3, attempt in 0u32..4,
    ) {
        let at = before.into_iter().fold(Standing::NEW, |at, (kind, generation, attempt)| {
            judge(at, kind, &fact(generation, attempt)).1
        });
        let once = judge(at, kind, &fact(generation, attempt)).1;
        prop_assert_eq!(judge(once, kind, &fact(generation, attempt)).1, once);
    }
}

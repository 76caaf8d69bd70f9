//! What a schema may cost: how many times it can look at one value, whatever is sent.
//!
//! Two references that lie over each other and lead back to where they stand double at each level: 64 levels of data would
//! be looked at 2^64 times. So the worst count is worked out beforehand, level by level, and bounded.

use super::VISITS_MAX;
use super::place::Place;
use crate::catalogue::{Broken, SCHEMA_LOOP, SCHEMA_TOO_COSTLY};
use crate::json::DEPTH_MAX;

/// # Errors
/// The first place that loops without going into the data, or that costs too much.
pub(super) fn bounded(places: &[Place]) -> Result<(), Vec<Broken>> {
    let order = innermost_first(places).map_err(|place| vec![SCHEMA_LOOP.at(place.pointer.as_str(), &[])])?;
    // How often each place looks at one value `level` levels further in; the first are the values themselves.
    let mut outer = vec![0; places.len()];
    for level in 0..=DEPTH_MAX {
        let mut visits = vec![0_u32; places.len()];
        for &(index, place) in &order {
            let own = if level == 0 { 1 } else { within(place, &outer) };
            let in_place = sum(&place.in_place, &visits).saturating_mul(1 + u32::from(place.asks_twice));
            let count = own.saturating_add(in_place);
            if count > VISITS_MAX {
                return Err(vec![SCHEMA_TOO_COSTLY.at(place.pointer.as_str(), &[&VISITS_MAX])]);
            }
            if let Some(slot) = visits.get_mut(index) {
                *slot = count;
            }
        }
        outer = visits;
    }
    Ok(())
}

/// The most that one part of a value is looked at.
fn within(place: &Place, visits: &[u32]) -> u32 {
    let named = most(&place.named, visits).saturating_add(sum(&place.over, visits));
    let parted = named.max(most(&place.other, visits));
    parted.saturating_add(sum(&place.beside, visits))
}

fn sum(indices: &[usize], visits: &[u32]) -> u32 {
    let each = indices.iter().filter_map(|index| visits.get(*index));
    each.fold(0, |total: u32, count| total.saturating_add(*count))
}

fn most(indices: &[usize], visits: &[u32]) -> u32 {
    let each = indices.iter().filter_map(|index| visits.get(*index));
    each.copied().max().unwrap_or(0)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Not,
    Open,
    Done,
}

/// Every place after those that it asks of the same value. Without recursion, as a chain may be long.
///
/// # Errors
/// A place that asks itself of the same value.
fn innermost_first(places: &[Place]) -> Result<Vec<(usize, &Place)>, &Place> {
    let mut seen = vec![Seen::Not; places.len()];
    let mut order = Vec::with_capacity(places.len());
    let mut open: Vec<usize> = (0..places.len()).rev().collect();
    while let Some(&index) = open.last() {
        let (Some(place), Some(mark)) = (places.get(index), seen.get_mut(index)) else {
            open.pop();
            continue;
        };
        match *mark {
            Seen::Not => {
                *mark = Seen::Open;
                for &inner in &place.in_place {
                    match seen.get(inner) {
                        Some(Seen::Open) => return Err(place),
                        Some(Seen::Not) => open.push(inner),
                        Some(Seen::Done) | None => {}
                    }
                }
            }
            Seen::Open => {
                *mark = Seen::Done;
                order.push((index, place));
                open.pop();
            }
            Seen::Done => {
                open.pop();
            }
        }
    }
    Ok(order)
}

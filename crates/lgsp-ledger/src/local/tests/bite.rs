//! Places where a twin waits for its death: the kill comes certainly there, not by chance.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use super::bench::say;

/// Names the place.
pub(super) const PLACE: &str = "LGSP_LEDGER_BITE";
/// What a twin says when it has come there.
pub(super) const MARKER: &str = "bitten";
/// Every place inside a group of the writer, and how often the twin passes it before, so that something was acknowledged:
/// the first once a record, of which a group has at most one of each writer, the others once a group.
pub(super) const PLACES: [(&str, u32); 3] = [("in a group", 500), ("before its commit", 20), ("after its commit", 20)];

/// If this is the place, says so and waits for the kill; without a parent to kill it, it ends.
pub(in crate::local) fn at(place: &str) {
    static PASSED: AtomicU32 = AtomicU32::new(0);
    let Some((_, passes)) = PLACES.into_iter().find(|(name, _)| *name == place) else {
        panic!("`{place}` is not in the list");
    };
    if std::env::var_os(PLACE).is_none_or(|wanted| wanted != place) || PASSED.fetch_add(1, Ordering::Relaxed) != passes
    {
        return;
    }
    say(MARKER);
    let parent_is_gone = io::copy(&mut io::stdin(), &mut io::sink());
    eprintln!("nobody killed this process: {parent_is_gone:?}");
    std::process::abort();
}

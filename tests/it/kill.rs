//! SIGKILL in the middle of the work: nothing that was answered is lost, nothing comes twice, everybody just goes on.

mod client;
mod inbox;
mod pushed;
pub(crate) mod town;

use std::env;
use std::fs::{self, File, FileTimes};
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::support::{Department, Home, INFORMATION, JUSTICE, Node, PROVINCE};
use town::Town;

/// Who sends to everybody else in these tests.
const DEPARTMENTS: [Department; 3] = [PROVINCE, INFORMATION, JUSTICE];
/// So many kills without a fail point.
const KILLS: u64 = 5;
/// When they come depends on this number, if it is given.
const SEED: &str = "LGSP_TESTS_SEED";

#[test]
pub(crate) fn a_kill_between_an_append_and_its_answer() {
    killed_at("after-accept", 9);
}

#[test]
pub(crate) fn a_kill_while_a_packet_comes_in() {
    let swept = killed_at("inside-object", 40);
    assert!(swept > 0, "the packet that was coming in left nothing to be swept");
}

#[test]
pub(crate) fn a_kill_inside_a_projection() {
    killed_at("inside-projection", 12);
}

#[test]
pub(crate) fn a_kill_before_an_outcome_is_appended() {
    killed_at("before-outcome", 7);
}

#[test]
pub(crate) fn a_kill_while_a_packet_is_handed_out() {
    killed_at("inside-fetch", 7);
}

#[test]
pub(crate) fn kills_at_any_time() {
    // The clients of all these tests come in here: a process of their own has to be one of this program's tests.
    if client::was_one() {
        return;
    }
    // A failing run can be had again, as far as threads allow.
    let seed = env::var(SEED).map(|seed| seed.parse().unwrap());
    let mut random: u64 = seed.unwrap_or_else(|_| RandomState::new().hash_one(KILLS));
    println!("{SEED}={random}");
    let mut node = Node::start(home());
    let town = Town::at_work(&node);
    let mut steps = 0;
    for _ in 0..KILLS {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        steps += 5 + (random >> 33) % 20;
        town.wait_for_steps(steps);
        node.kill();
        node.restart();
    }
    ends_well(node, town);
}

/// One kill at the nth passage of a fail point, under load; answers how many files had to be swept afterwards.
pub(crate) fn killed_at(point: &str, nth: u32) -> usize {
    let mut node = Node::start_failing_at(home(), point, nth);
    let town = Town::at_work(&node);
    node.wait_marker();
    node.kill();
    node.restart();
    ends_well(node, town)
}

pub(crate) fn home() -> Home {
    let mut home = Home::new();
    // So often that kills meet the sealer too.
    home.set("seal", "interval_ms", 100);
    home
}

/// Kills the node and the process of its façade, one after the other, several times in the middle of the work.
pub(crate) fn kill_in_turn(node: &mut Node, town: &Town) {
    let mut steps = 0;
    for round in 0..4 {
        steps += 9;
        town.wait_for_steps(steps);
        if round % 2 == 0 {
            node.kill();
            node.restart();
        } else {
            node.take_outside().kill();
            node.start_outside();
        }
    }
}

/// Everybody works on to the end; then their own counts are held against each other, and against the ledger.
pub(crate) fn ends_well(node: Node, town: Town) -> usize {
    ends_well_counting(node, town, |delivered, own| delivered == own)
}

/// [`ends_well`], where others than the town have their deliveries too: `agrees` is asked with what the ledger counts and
/// what the town does.
pub(crate) fn ends_well_counting(mut node: Node, town: Town, agrees: impl Fn(u64, u64) -> bool) -> usize {
    let told = town.work_to_the_end();
    told.met_the_kill();
    told.nothing_lost_nothing_doubled();
    told.same_answers_again(&node);
    rebuilds_the_same(&node);
    node.stop();
    verifies(&node, &told, agrees);
    let swept = sweeps_what_is_left(&mut node);
    // All that was accepted is in the lists after a start.
    for department in DEPARTMENTS {
        let more = town::waiting(&node, department);
        assert_eq!(more, 0, "{} has more to come", department.name);
    }
    swept
}

fn rebuilds_the_same(node: &Node) {
    let rebuilt = node.lgsp(&["rebuild", "--json"]);
    assert_eq!(rebuilt.code, Some(0), "{rebuilt:?}");
    let tables: Value = serde_json::from_str(&rebuilt.out).unwrap();
    assert!(
        tables["tables"].as_array().is_some_and(|tables| tables.len() > 3),
        "{tables}"
    );
}

/// Sealed to its end, with every object; and what it counts is what the clients counted.
fn verifies(node: &Node, told: &town::Told, agrees: impl Fn(u64, u64) -> bool) {
    let verified = node.verify(&["--objects"]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
    let found: Value = serde_json::from_str(&verified.out).unwrap();
    assert_eq!(found["findings"], json!([]));
    // A repeat that overtook the projection is a second Accepted fact, which counts in nothing (exchange.md section 6).
    assert!(
        found["facts"]["Accepted"].as_u64() >= Some(told.letters() as u64),
        "{found}"
    );
    let delivered = found["facts"]["Delivered"].as_u64().unwrap();
    let own = told.deliveries() as u64;
    assert!(agrees(delivered, own), "{own} deliveries: {found}");
    assert_eq!(found["objects"][0], told.letters(), "{found}");
}

/// What a killed upload leaves is in nobody's way, and goes when it is old enough.
fn sweeps_what_is_left(node: &mut Node) -> usize {
    let left = staged(&node.home().data());
    for file in &left {
        let long_ago = FileTimes::new().set_modified(UNIX_EPOCH + Duration::from_secs(1));
        File::options()
            .write(true)
            .open(file)
            .unwrap()
            .set_times(long_ago)
            .unwrap();
    }
    node.restart();
    if !left.is_empty() {
        node.wait_message("uploads that were never published are swept");
    }
    assert!(
        staged(&node.home().data()).is_empty(),
        "what was left of {} uploads lies there still",
        left.len()
    );
    left.len()
}

fn staged(data: &Path) -> Vec<PathBuf> {
    let staged = fs::read_dir(data.join("staging")).unwrap();
    staged.map(|file| file.unwrap().path()).collect()
}

//! Random schedules of calls, failures and restarts on the real spine, ledger and store: whatever happens and in whatever
//! order, what exchange.md promises of order, repeats, conflicts and claims holds.

mod far;
mod history;
mod kafka;
mod model;
mod stand;
mod town;
mod trouble;

use std::collections::BTreeMap;
use std::sync::Mutex;

use bytes::Bytes;
use lgsp_types::Publish;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngSeed, TestRunner};

use super::stage::{publish, written};
use far::Say;
use model::{Id, Request};
use stand::Ground;
use town::Town;
use trouble::Trouble;

/// Schedules in CI; `PROPTEST_CASES` may ask for more.
const SCHEDULES: u32 = 500;
/// The same ones each time, so that a red CI can be had at home; `PROPTEST_RNG_SEED` asks for others.
const SEED: u64 = 5;
const STEPS: std::ops::Range<usize> = 0..60;

const SENDERS: [(&str, &str); 2] = [("sys.one", "H44.01"), ("sys.five", "H44.05")];
/// Not given: the idempotency key stands for it.
const ORDER_KEYS: [&str; 2] = ["", "a"];
const KEYS: [&str; 3] = ["a", "1", "2"];
const TEXTS: [&str; 2] = ["one", "two"];
/// Two that pull, one that is pushed to, and its predecessor; nobody knows the last.
const ADDRESSEES: [&[&str]; 8] = [
    &["H44.03"],
    &["H44.02"],
    &["H44.09"],
    &["H44.02", "H44.03"],
    &["H44.03", "H44.02", "H44.03"],
    &["H44.06", "H44.02"],
    &["H44.03", "H44.09", "H44.06"],
    &["H44.02", "H44.99"],
];

/// One call of a sender.
#[derive(Clone, Debug)]
struct Letter {
    sender: usize,
    order: &'static str,
    key: &'static str,
    text: &'static str,
    to: &'static [&'static str],
}

/// What a receiver says.
#[derive(Clone, Copy, Debug)]
enum Word {
    Done,
    /// It could not take it.
    Failed,
    /// It never will.
    Never,
    Mark,
}

/// What a clerk does with a delivery.
#[derive(Clone, Copy, Debug)]
enum Act {
    Fetch,
    Say(Word),
    Redrive,
    /// The sender, at the same moment.
    Withdraw,
}

#[derive(Clone, Debug)]
enum Step {
    Publish {
        letter: Letter,
        /// Without waiting for what was sent before to be projected.
        hasty: bool,
    },
    /// At the same moment, of one id.
    Race(Vec<Letter>),
    Cut {
        letter: Letter,
        polls: u32,
    },
    List {
        page: u32,
    },
    Fetch {
        which: u8,
    },
    Acknowledge {
        which: u8,
        word: Word,
    },
    AcknowledgeAndLeave {
        which: u8,
        polls: u32,
    },
    /// Several clerks with one delivery at the same moment, each with one thing after the other.
    Clerks {
        which: u8,
        acts: Vec<Vec<Act>>,
        /// The first that writes is in the log late.
        held: bool,
    },
    Say {
        say: Say,
        times: u32,
    },
    Redrive {
        which: u8,
    },
    /// From all its addressees, or from one.
    Withdraw {
        which: u8,
        all: bool,
    },
    Trouble(Trouble),
    Pass {
        ms: i64,
    },
    Restart {
        clean: bool,
    },
}

#[derive(Clone, Debug)]
struct Schedule {
    steps: Vec<Step>,
    /// How the node ends before the last look.
    clean: bool,
}

impl Letter {
    fn system(&self) -> &'static str {
        SENDERS[self.sender].0
    }

    fn id(&self) -> Id {
        let order = if self.order.is_empty() { self.key } else { self.order };
        Id {
            system: self.system().to_owned(),
            order: order.to_owned(),
            key: self.key.to_owned(),
        }
    }

    fn request(&self) -> Request {
        Request {
            to: self.to.iter().map(|code| (*code).to_owned()).collect(),
            payload: Publish::from(self).payload,
        }
    }

    /// One addressee is unknown: it is refused whole.
    fn goes_nowhere(&self) -> bool {
        self.to.contains(&"H44.99")
    }
}

impl From<&Letter> for Publish {
    fn from(letter: &Letter) -> Self {
        Self {
            from: written(SENDERS[letter.sender].1, "/from"),
            to: letter.to.iter().map(|code| written(code, "/to")).collect(),
            payload: Bytes::from(format!(r#"{{"text":"{}"}}"#, letter.text)),
            ..publish(letter.order, letter.key, letter.text)
        }
    }
}

/// Most of one id say the same.
fn letter() -> impl Strategy<Value = Letter> {
    let sender = prop_oneof![4 => Just(0_usize), 1 => Just(1)];
    let text = prop_oneof![4 => Just(TEXTS[0]), 1 => Just(TEXTS[1])];
    let other = prop_oneof![3 => Just(0), 1 => 0..ADDRESSEES.len()];
    (sender, 0..ORDER_KEYS.len(), 0..KEYS.len(), text, other).prop_map(|(sender, order, key, text, other)| Letter {
        sender,
        order: ORDER_KEYS[order],
        key: KEYS[key],
        text,
        to: ADDRESSEES[(order + 2 * key + 3 * sender + other) % ADDRESSEES.len()],
    })
}

fn race() -> impl Strategy<Value = Vec<Letter>> {
    let others = prop::collection::vec((select(&TEXTS[..]), any::<Index>(), any::<bool>()), 1..3);
    (letter(), others).prop_map(|(first, others)| {
        let others = others.into_iter().map(|(text, to, same)| Letter {
            text: if same { first.text } else { text },
            to: if same {
                first.to
            } else {
                ADDRESSEES[to.index(ADDRESSEES.len())]
            },
            ..first.clone()
        });
        std::iter::once(first.clone())
            .chain(others.collect::<Vec<_>>())
            .collect()
    })
}

fn clerks() -> impl Strategy<Value = Vec<Vec<Act>>> {
    let acts = [
        Act::Fetch,
        Act::Say(Word::Failed),
        Act::Say(Word::Never),
        Act::Say(Word::Done),
        Act::Redrive,
        Act::Withdraw,
    ];
    prop::collection::vec(prop::collection::vec(select(acts.to_vec()), 1..4), 2..4)
}

fn step() -> impl Strategy<Value = Step> {
    let words = [Word::Done, Word::Done, Word::Failed, Word::Never, Word::Mark];
    let says = [Say::Done, Say::Done, Say::Again, Say::Again, Say::Lost, Say::Refuse];
    let troubles = [
        Trouble::Full,
        Trouble::NotReady,
        Trouble::Lost,
        Trouble::Unsure,
        Trouble::Held,
    ];
    let polls = || select(&[0_u32, 1, 2, 4, 8, 30, 200][..]);
    prop_oneof![
        12 => (letter(), any::<bool>()).prop_map(|(letter, hasty)| Step::Publish { letter, hasty }),
        3 => race().prop_map(Step::Race),
        2 => (letter(), polls()).prop_map(|(letter, polls)| Step::Cut { letter, polls }),
        2 => (1..4_u32).prop_map(|page| Step::List { page }),
        4 => any::<u8>().prop_map(|which| Step::Fetch { which }),
        5 => (any::<u8>(), select(words.to_vec())).prop_map(|(which, word)| Step::Acknowledge { which, word }),
        1 => (any::<u8>(), polls()).prop_map(|(which, polls)| Step::AcknowledgeAndLeave { which, polls }),
        3 => (any::<u8>(), clerks(), any::<bool>())
            .prop_map(|(which, acts, held)| Step::Clerks { which, acts, held }),
        7 => (select(says.to_vec()), 1..4_u32).prop_map(|(say, times)| Step::Say { say, times }),
        3 => any::<u8>().prop_map(|which| Step::Redrive { which }),
        2 => (any::<u8>(), any::<bool>()).prop_map(|(which, all)| Step::Withdraw { which, all }),
        4 => select(troubles.to_vec()).prop_map(Step::Trouble),
        2 => (-5_000..20_000_i64).prop_map(|ms| Step::Pass { ms }),
        2 => any::<bool>().prop_map(|clean| Step::Restart { clean }),
    ]
}

fn schedule() -> impl Strategy<Value = Schedule> {
    (prop::collection::vec(step(), STEPS), any::<bool>()).prop_map(|(steps, clean)| Schedule { steps, clean })
}

/// How often what came about.
type CameAbout = BTreeMap<&'static str, usize>;

fn play(schedule: &Schedule, ground: Ground, partitions: u32) -> CameAbout {
    let town = schedule.steps.iter().fold(Town::open(ground, partitions), Town::take);
    let town = town.work_to_the_end(schedule.clean);
    let came_about = town.came_about();
    town.holds();
    came_about
}

/// Plays so many schedules.
fn runner(schedules: u32) -> TestRunner {
    let asked = Config::default();
    TestRunner::new(Config {
        cases: schedules,
        rng_seed: match asked.rng_seed {
            RngSeed::Random => RngSeed::Fixed(SEED),
            fixed @ RngSeed::Fixed(_) => fixed,
        },
        failure_persistence: None,
        ..asked
    })
}

fn hold_in_files(partitions: u32) {
    let asked = std::env::var("PROPTEST_CASES").map(|asked| asked.parse().unwrap());
    let all = Mutex::new(CameAbout::new());
    let played = runner(asked.unwrap_or(SCHEDULES) / 2).run(&schedule(), |schedule| {
        for (what, times) in play(&schedule, Ground::Files, partitions) {
            *all.lock().unwrap().entry(what).or_default() += times;
        }
        Ok(())
    });
    played.unwrap_or_else(|failed| panic!("{failed}"));
    let all = all.into_inner().unwrap();
    println!("{all:#?}");
    let missing = all.iter().find(|(_, times)| **times == 0);
    assert!(missing.is_none(), "in no schedule: {missing:?}");
}

#[test]
fn what_is_promised_holds_in_any_order_of_calls_failures_and_restarts() {
    hold_in_files(1);
}

#[test]
fn it_holds_in_three_partitions_too() {
    hold_in_files(3);
}

fn plain(text: &'static str) -> Letter {
    Letter {
        sender: 0,
        order: "a",
        key: "1",
        text,
        to: ADDRESSEES[0],
    }
}

/// Its append was in doubt, and came through; another content of its key was accepted before the projection had seen it.
#[test]
fn what_is_in_force_is_not_called_a_conflict_because_another_was_answered_first() {
    let again = |text| Step::Publish {
        letter: plain(text),
        hasty: false,
    };
    let steps = vec![
        Step::Trouble(Trouble::Unsure),
        Step::Race(vec![plain("one"), plain("two")]),
        again("one"),
        again("two"),
    ];
    let came_about = play(&Schedule { steps, clean: true }, Ground::Files, 1);
    assert_eq!(came_about["a loser is found behind the door"], 1, "{came_about:?}");
}

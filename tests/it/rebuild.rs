//! The store is only a projection: after a whole story, other rules and a restart it is made again the same.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use lgsp_adapters::edxml_vxp::client::MessageType;
use lgsp_adapters::edxml_vxp::client::items::ReceivedItem;
use serde_json::Value;

use crate::support::{Department, Home, INFORMATION, JUSTICE, Node, OUTSIDE, PROVINCE, data, written, written_status};

/// Closed; the department of justice follows, or whom else the registry names.
const MERGED: Department = Department {
    code: "H62.91",
    name: "Sở đã sáp nhập",
    ..JUSTICE
};
const NUMBERS: [&str; 6] = ["31", "32", "33", "34", "35", "36"];

/// Longest wait for the store to have what the ledger has.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// What happens to a store's file, in words and in deed.
type Damage = (&'static str, fn(&File));

#[derive(Clone)]
struct Seen {
    lists: Vec<Vec<ReceivedItem>>,
    traces: Vec<Value>,
}

/// A registry that the test may edit.
fn home(partitions: u32) -> Home {
    let mut home = Home::new();
    fs::copy(data("registry/test.toml"), registry_of(&home)).unwrap();
    let registry = registry_of(&home).to_str().unwrap().to_owned();
    home.set("registry", "files", vec![registry]);
    home.set("ledger", "partitions", i64::from(partitions));
    home
}

fn registry_of(home: &Home) -> PathBuf {
    home.root().join("registry.toml")
}

/// Everything that can become of a message: repeats, statuses, every end, refusals, soft marks.
fn play(node: &Node) {
    let [mut sender, mut justice, mut province, mut outside] =
        [INFORMATION, JUSTICE, PROVINCE, OUTSIDE].map(|one| one.desk(node));
    for number in NUMBERS {
        let letter = INFORMATION.letter(number, &[JUSTICE, PROVINCE, MERGED, OUTSIDE]);
        let doc_id = sender.send(&written(&letter)).unwrap();
        assert_eq!(sender.send(&written(&letter)).unwrap(), doc_id);
        for code in ["01", "03"] {
            let status = JUSTICE.status(letter.referred_to(), code);
            justice.send_status(&written_status(&status)).unwrap();
        }
    }
    let [late, failed, done, marked, ..] = &*province.waiting_for(MessageType::Edoc, NUMBERS.len()) else {
        panic!("six letters are open");
    };
    province.say(&late.doc_id, "fail");
    province.say(&late.doc_id, "done");
    province.say(&failed.doc_id, "fail");
    province.say(&done.doc_id, "done");
    province.say(&done.doc_id, "processing");
    province.say(&marked.doc_id, "processing");
    justice.take(MessageType::Edoc, 2 * NUMBERS.len());
    sender.take(MessageType::Status, 2 * NUMBERS.len());
    outside.waiting_for(MessageType::Edoc, NUMBERS.len());

    let nobody = Department {
        code: "H62.99",
        ..JUSTICE
    };
    for number in ["37", "38"] {
        let packet = written(&INFORMATION.letter(number, &[nobody]));
        assert_eq!(sender.send(&packet).unwrap_err().error_code(), Some("18"));
    }
    let spoofed = written(&JUSTICE.letter("39", &[PROVINCE]));
    let refused = sender.send_as(JUSTICE.code, MessageType::Edoc, &spoofed).unwrap_err();
    assert_eq!(refused.error_code(), Some("19"));
}

/// The department of justice gets another name, another one is closed, and the merged one another successor.
fn change_the_rules(home: &Home) {
    let path = registry_of(home);
    let mut text = fs::read_to_string(&path).unwrap();
    for (old, new) in [
        ("Sở Tư pháp (thử)", "Sở Tư pháp và Nội chính (thử)"),
        (
            "codes = [\"H62.92\", \"000.00.92.H62\"]",
            "codes = [\"H62.92\", \"000.00.92.H62\"]\nto = 2026-10-31",
        ),
        ("successors = [\"test.so-tu-phap\"]", "successors = [\"test.tinh\"]"),
    ] {
        assert_eq!(text.matches(old).count(), 1, "{old}");
        text = text.replace(old, new);
    }
    fs::write(&path, text).unwrap();
}

/// What `lgsp rebuild --json` says, if it found the same: facts, and the hash of each table.
fn rebuilt(node: &Node) -> (u64, BTreeMap<String, String>) {
    let ended = node.lgsp(&["rebuild", "--json"]);
    let report: Value = serde_json::from_str(&ended.out).unwrap_or_else(|_| panic!("no report: {ended:?}"));
    let mut hashes = BTreeMap::new();
    for row in report["tables"].as_array().unwrap() {
        let [table, rebuilt, in_use] = ["table", "rebuilt", "in_use"].map(|name| row[name].as_str().unwrap());
        assert_eq!(rebuilt, in_use, "{table} is not what the ledger says");
        hashes.insert(table.to_owned(), rebuilt.to_owned());
    }
    assert_eq!(ended.code, Some(0), "{ended:?}");
    (report["facts"].as_u64().unwrap(), hashes)
}

/// The same, once all that the ledger holds is in the store.
fn rebuilt_whole(node: &Node) -> (u64, BTreeMap<String, String>) {
    let deadline = Instant::now() + TIME_LIMIT;
    loop {
        let facts: u64 = sizes(node).iter().sum();
        let rebuilt = rebuilt(node);
        if rebuilt.0 == facts {
            return rebuilt;
        }
        assert!(
            Instant::now() < deadline,
            "{} of {facts} facts are projected",
            rebuilt.0
        );
    }
}

/// How many records each data partition has.
fn sizes(node: &Node) -> Vec<u64> {
    let verified = node.verify(&[]);
    let report: Value = serde_json::from_str(&verified.out).unwrap_or_else(|_| panic!("{verified:?}"));
    let logs = report["logs"].as_array().unwrap().iter();
    logs.filter(|log| log["ledger"] == "lgsp")
        .map(|log| log["size"].as_u64().unwrap())
        .collect()
}

/// What every department sees, and what is told of the letters.
fn seen(node: &Node) -> Seen {
    let everybody = [INFORMATION, JUSTICE, PROVINCE, OUTSIDE];
    let lists = everybody.into_iter().flat_map(|department| {
        let mut desk = department.desk(node);
        [MessageType::Edoc, MessageType::Status].map(|kind| desk.waiting(kind))
    });
    let traces = NUMBERS.map(|number| {
        let ended = node.lgsp(&["trace", "--json", &format!("{number}/THU-NGHIEM")]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        serde_json::from_str(&ended.out).unwrap()
    });
    Seen {
        lists: lists.collect(),
        traces: traces.to_vec(),
    }
}

/// Soft marks are lost in a rebuild, without harm (exchange.md 6).
fn without_marks(seen: &Seen) -> Seen {
    let Seen { mut lists, mut traces } = seen.clone();
    for item in lists.iter_mut().flatten().filter(|item| item.status == "processing") {
        item.status = "initial".to_owned();
        item.status_desc = "Đã đến".to_owned();
        item.updated_time.clone_from(&item.created_time);
    }
    let messages = traces
        .iter_mut()
        .flat_map(|trace| trace["messages"].as_array_mut().unwrap());
    for message in messages {
        for delivery in message["deliveries"].as_array_mut().unwrap() {
            delivery["mark"] = Value::Null;
        }
    }
    Seen { lists, traces }
}

fn assert_the_same(one: &Seen, other: &Seen) {
    assert_eq!(one.lists, other.lists);
    for (one, other) in one.traces.iter().zip(&other.traces) {
        let [one_told, other_told] = [one, other].map(|trace| trace["messages"].as_array().unwrap());
        assert_eq!(one_told.len(), other_told.len());
        for (one, other) in one_told.iter().zip(other_told) {
            assert_eq!(one, other);
        }
    }
}

fn the_story_is_the_same_after_a_rebuild(partitions: u32) {
    let mut node = Node::start(home(partitions));
    play(&node);
    let (facts, first) = rebuilt_whole(&node);
    assert_eq!(first.len(), 11);

    node.stop();
    change_the_rules(node.home());
    node.restart();
    assert_eq!(
        rebuilt(&node),
        (facts, first),
        "old facts are read by the rules of their time"
    );
    // Under the new rules the merged agency's letters are the province's: new ones, and those still open.
    let doc = written(&INFORMATION.letter("40", &[MERGED, JUSTICE]));
    INFORMATION.desk(&node).send(&doc).unwrap();
    let item = PROVINCE.desk(&node).waiting_for(MessageType::Edoc, 5).pop().unwrap();
    assert_eq!([&*item.from, &item.to], ["H62.11", "H62.91"]);
    PROVINCE.desk(&node).say(&item.doc_id, "done");
    let (more_facts, hashes) = rebuilt_whole(&node);
    assert_eq!(more_facts, facts + 2);

    node.kill();
    assert_eq!(
        rebuilt(&node),
        (more_facts, hashes.clone()),
        "of a node that was killed"
    );
    node.restart();
    let before = seen(&node);
    let refused = node.lgsp(&["rebuild", "--replace"]);
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.err.contains("stop it first"), "{refused:?}");

    node.stop();
    let replaced = node.lgsp(&["rebuild", "--replace", "--json"]);
    assert_eq!(replaced.code, Some(0), "{replaced:?}");
    node.restart();
    assert_the_same(&seen(&node), &without_marks(&before));
    assert_eq!(rebuilt(&node), (more_facts, hashes));

    let sizes = sizes(&node);
    assert_eq!(sizes.len(), partitions as usize);
    // Whom an order key falls to is chance; that six letters and their statuses all fall to one is none.
    let used = sizes.iter().filter(|size| **size > 0).count();
    assert!(used >= sizes.len().min(2), "{sizes:?}");
}

#[test]
fn a_rebuild_says_the_same_with_one_partition() {
    the_story_is_the_same_after_a_rebuild(1);
}

#[test]
fn a_rebuild_says_the_same_with_three_partitions() {
    the_story_is_the_same_after_a_rebuild(3);
}

#[test]
fn a_store_that_is_gone_is_made_again_at_the_next_start() {
    let mut node = Node::start(home(1));
    play(&node);
    let hashes = rebuilt_whole(&node);
    let before = without_marks(&seen(&node));
    node.stop();
    for file in ["store.sqlite", "store.sqlite-wal", "store.sqlite-shm"] {
        drop(fs::remove_file(node.home().data().join(file)));
    }
    node.restart();
    assert_eq!(rebuilt(&node), hashes);
    assert_the_same(&seen(&node), &before);
}

#[test]
fn a_store_that_is_damaged_keeps_the_node_from_starting_until_it_is_made_again() {
    let mut node = Node::start(home(1));
    play(&node);
    let hashes = rebuilt_whole(&node);
    let before = without_marks(&seen(&node));
    let store = node.home().data().join("store.sqlite");
    let damages: [Damage; 3] = [
        ("its beginning is another", |file| {
            file.write_all_at(b"not a store of ours", 0).unwrap();
        }),
        ("it is cut off", |file| file.set_len(4096 * 3 + 100).unwrap()),
        ("its second half is blank", |file| {
            let half = file.metadata().unwrap().len() / 2;
            file.write_all_at(&vec![0; half.try_into().unwrap()], half).unwrap();
        }),
    ];
    for (what, damage) in damages {
        node.stop();
        assert!(!store.with_extension("sqlite-wal").exists(), "all of it is in one file");
        damage(&OpenOptions::new().write(true).open(&store).unwrap());
        for command in [&["serve"][..], &["rebuild"]] {
            let refused = node.lgsp(command);
            assert_eq!(refused.code, Some(3), "{what}: {refused:?}");
            assert!(
                refused.err.contains("run `lgsp rebuild --replace`"),
                "{what}: {refused:?}"
            );
        }
        let mended = node.lgsp(&["rebuild", "--replace"]);
        assert_eq!(mended.code, Some(0), "{what}: {mended:?}");
        node.restart();
        assert_eq!(rebuilt(&node), hashes, "{what}");
        assert_the_same(&seen(&node), &before);
    }
}

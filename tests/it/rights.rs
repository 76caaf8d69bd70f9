//! Whose right it is to send: a department that may not yet, operators who grant it while the node runs, and two who edit at once.

use std::fs;
use std::path::{Path, PathBuf};

use lgsp_api::Told;
use lgsp_proto::exchange::v1;
use serde_json::Value;

use crate::support::{Department, Ended, Home, INFORMATION, JUSTICE, Node, written};

/// Of tests/data/registry/rights.toml.
const UNGRANTED: Department = Department {
    code: "H61.01",
    name: "Sở không ai được gửi",
    ..JUSTICE
};
const EXPIRED: Department = Department {
    code: "H61.02",
    name: "Sở có quyền đã hết hạn",
    ..JUSTICE
};

const NEW_GRANT: &str = r#"
[[grant]]
id = "test.moi"
contracts = ["vn.lgsp.document/1"]
senders = ["H62.11"]
addressees = ["H61.01"]
legal_basis = "Quyết định thử nghiệm"
"#;

/// A node with the registry of rights, and the file that may be edited.
fn node() -> (Node, PathBuf) {
    let mut home = Home::new();
    let file = home.know_rights();
    (Node::start(home), file)
}

fn edit(file: &Path, old: &str, new: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert_eq!(text.matches(old).count(), 1, "{old}");
    fs::write(file, text.replace(old, new)).unwrap();
}

fn path(file: &Path) -> &str {
    file.to_str().unwrap()
}

/// `lgsp` with this exit code; what it printed.
fn told(node: &Node, code: i32, arguments: &[&str]) -> String {
    let ended = node.lgsp(arguments);
    assert_eq!(ended.code, Some(code), "lgsp {arguments:?}: {ended:?}");
    ended.out
}

fn refused(node: &Node, code: i32, arguments: &[&str]) -> Ended {
    let ended = node.lgsp(arguments);
    assert_eq!(ended.code, Some(code), "lgsp {arguments:?}: {ended:?}");
    ended
}

/// Puts what `lgsp registry show` says of an object into a file, with this text instead of that.
fn shown(node: &Node, object: &str, name: &str, old: &str, new: &str) -> PathBuf {
    let file = node.home().root().join(name);
    fs::write(&file, told(node, 0, &["registry", "show", object])).unwrap();
    edit(&file, old, new);
    file
}

/// The refusal of a letter from the department of information, code first.
fn letter(node: &Node, number: &str, to: Department) -> Result<String, String> {
    let packet = written(&INFORMATION.letter(number, &[to]));
    let sent = INFORMATION.desk(node).send(&packet);
    sent.map_err(|error| {
        let answer = error.refusal().unwrap_or_else(|| panic!("{error:?}"));
        format!("{} {}", answer.error_code, answer.error_desc)
    })
}

#[test]
fn a_refusal_says_what_would_allow_it_and_a_grant_that_is_applied_does_without_a_restart() {
    let (node, file) = node();
    let question = [
        "allowed",
        "--from",
        "H62.11",
        "--to",
        "H61.01",
        "--contract",
        "vn.lgsp.document/1",
    ];
    let refusal = letter(&node, "41", UNGRANTED).unwrap_err();
    assert!(refusal.starts_with("19 NO_GRANT at "), "{refusal}");
    let words = "no grant lets `H62.11` send vn.lgsp.document/1 to `H61.01`; only `test.chua-den-han`, `test.documents`, \
                 `test.het-han` lets it send to others; have the operator of the exchange grant vn.lgsp.document/1 from \
                 `H62.11` to `H61.01`";
    let answer = told(&node, 1, &question);
    let day = answer.lines().next().unwrap();
    assert!(
        day.starts_with("no, not on 20") && day.ends_with(" by vxp.test.11 for H62.11:"),
        "{answer}"
    );
    assert!(answer.contains(&format!("  NO_GRANT at to[0]: {words}")), "{answer}");
    assert!(
        refusal.contains("no grant lets `H62.11` send vn.lgsp.document/1 to `H61.01`"),
        "{refusal}"
    );
    refused(&node, 1, &["who-may", "vn.lgsp.document", "--to", "H61.01"]);

    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text + NEW_GRANT).unwrap();
    let diff = told(&node, 1, &["registry", "diff", path(&file)]);
    assert!(
        diff.starts_with("+ grant/test.moi (new)\n    addressees: [\"H61.01\"]\n"),
        "{diff}"
    );
    assert!(diff.ends_with("1 would change, 0 left"), "{diff}");
    assert!(letter(&node, "41", UNGRANTED).is_err(), "a plan changes nothing");
    let applied = told(&node, 0, &["registry", "apply", path(&file)]);
    assert!(
        applied.contains("applied: ") && applied.ends_with("1 changed, 0 left"),
        "{applied}"
    );
    assert_eq!(
        told(&node, 0, &["registry", "diff", path(&file)]),
        "0 would change, 0 left"
    );

    let again = told(&node, 0, &["registry", "apply", path(&file)]);
    assert_eq!(again, "0 changed, 0 left", "once more is no harm");

    let grant = "`test.moi`: `H62.11` may send `vn.lgsp.document/1` to `H61.01`, for no stated purpose, always (Quyết định thử \
                 nghiệm)";
    assert_eq!(
        told(&node, 0, &["who-may", "vn.lgsp.document", "--to", "H61.01"]),
        grant
    );
    let answer = told(&node, 0, &question);
    assert!(answer.starts_with("yes, on ") && answer.ends_with(grant), "{answer}");
    letter(&node, "41", UNGRANTED).unwrap();

    let history = told(&node, 0, &["registry", "history", "grant/test.moi"]);
    assert!(
        history.contains(" by file rights.toml, event ") && history.contains("  + grant/test.moi (new)"),
        "{history}"
    );
}

#[test]
fn a_file_that_contradicts_the_registry_changes_nothing_and_says_where() {
    let (node, file) = node();
    let text = fs::read_to_string(&file).unwrap();
    let wrong_grant = NEW_GRANT.replace("[\"H61.01\"]", "[\"H61.01\", \"H62.90\"]");
    fs::write(&file, text + &wrong_grant).unwrap();
    for act in ["diff", "apply"] {
        let wrong = refused(&node, 2, &["registry", act, path(&file)]).err;
        let text = fs::read_to_string(&file).unwrap();
        let line = text.lines().position(|line| line.contains("H62.90")).unwrap() + 1;
        let place =
            format!("rights.toml:{line}:25: CONFIG_CLOSED_AGENCY at grant[4].addressees[1]: `H62.90` is closed");
        assert!(wrong.contains(&place), "{wrong}");
        assert!(
            wrong.contains("end the grant by then with `to = 2025-06-30`"),
            "{wrong}"
        );
    }
    assert!(letter(&node, "42", UNGRANTED).unwrap_err().contains("NO_GRANT"));
    refused(&node, 1, &["registry", "history", "grant/test.moi"]);
    refused(&node, 1, &["registry", "show", "grant/test.moi"]);
}

#[test]
fn the_date_of_a_document_revives_no_grant_and_who_asks_is_told_so_before_sending() {
    let (node, _) = node();
    let packet = {
        let mut letter = INFORMATION.letter("43", &[EXPIRED]);
        letter.date = "2026/10/15".to_owned();
        written(&letter)
    };
    let error = INFORMATION.desk(&node).send(&packet).unwrap_err();
    let answer = error.refusal().unwrap();
    assert_eq!(answer.error_code, "19", "{answer:?}");
    assert!(
        answer.error_desc.starts_with("GRANT_EXPIRED") && answer.error_desc.contains("`test.het-han`"),
        "{answer:?}"
    );
    let ask = |code, more: &[&str]| {
        let question = [
            "allowed",
            "--system",
            "vxp.test.11",
            "--to",
            "H61.02",
            "--contract",
            "vn.lgsp.document/1",
        ];
        told(&node, code, &[&question, more].concat())
    };
    assert!(ask(1, &["--dated", "2026-10-15"]).contains("GRANT_EXPIRED at to[0]: "));
    assert!(ask(0, &["--as-of", "2026-10-31"]).starts_with("yes, on 2026-10-31 by vxp.test.11 for H62.11:"));
    assert!(ask(1, &["--as-of", "2026-11-01"]).contains("which ended on 2026-10-31"));
    // The grant that was is told too.
    let who_may = node.lgsp(&["who-may", "vn.lgsp.document/1", "--to", "H61.02"]);
    assert_eq!(who_may.code, Some(1), "{who_may:?}");
    assert!(
        who_may.out.starts_with("not on 20") && who_may.out.contains(": `test.het-han`: `H62.11` may send"),
        "{who_may:?}"
    );
    let then = ["--to", "H61.02", "--as-of", "2026-10-31"];
    told(&node, 0, &[&["who-may", "vn.lgsp.document/1"], &then[..]].concat());
    refused(&node, 1, &[&["who-may", "vn.lgsp.document/2"], &then[..]].concat());
    let purpose = [
        "allowed",
        "--from",
        "H62.11",
        "--to",
        "H61.04",
        "--contract",
        "vn.lgsp.document/1",
        "--purpose",
    ];
    told(&node, 0, &[&purpose[..], &["thong-ke"]].concat());
    let other = told(&node, 1, &[&purpose[..], &["quang-cao"]].concat());
    assert!(
        other.contains("PURPOSE_NOT_GRANTED at to[0]: ") && other.contains("is for `thong-ke`, `kiem-tra`"),
        "{other}"
    );
    // The closed one could send until its last day; then its successor does.
    let closed = [
        "allowed",
        "--from",
        "H62.91",
        "--to",
        "H62",
        "--contract",
        "vn.lgsp.document/1",
        "--as-of",
    ];
    told(&node, 0, &[&closed[..], &["2026-06-30"]].concat());
    let late = told(&node, 1, &[&closed[..], &["2026-07-01"]].concat());
    assert!(
        late.contains("SENDER_CLOSED at from: ") && late.contains("send as its successor `H62.14`"),
        "{late}"
    );
}

#[test]
fn of_two_people_who_edit_one_grant_the_second_is_told_by_whom_it_was_changed() {
    let (node, _) = node();
    let grant = "grant/test.het-han";
    let one = shown(&node, grant, "one.toml", "to = 2026-10-31", "to = 2199-12-31");
    let other = shown(&node, grant, "other.toml", "to = 2026-10-31", "to = 2026-09-30");
    assert!(letter(&node, "44", EXPIRED).unwrap_err().contains("GRANT_EXPIRED"));
    let applied = told(&node, 0, &["registry", "apply", "--object", path(&one)]);
    let user = format!("person uid:{}", rustix::process::getuid().as_raw());
    assert!(applied.contains(&format!(" by {user}, event ")), "{applied}");
    letter(&node, "44", EXPIRED).unwrap();

    let overtaken = refused(&node, 1, &["registry", "apply", "--object", path(&other)]).err;
    assert!(
        overtaken.contains(&format!("{grant} was changed meanwhile by {user}, at 20")),
        "{overtaken}"
    );
    assert!(told(&node, 0, &["registry", "show", grant]).contains("to = 2199-12-31"));
    // From what it is now, it goes through.
    let again = shown(&node, grant, "again.toml", "to = 2199-12-31", "to = 2026-09-30");
    told(&node, 0, &["registry", "apply", "--object", path(&again)]);
    let refusal = letter(&node, "45", EXPIRED).unwrap_err();
    assert!(
        refusal.contains("GRANT_EXPIRED") && refusal.contains("2026-09-30"),
        "{refusal}"
    );

    let history: Value = serde_json::from_str(&told(&node, 0, &["registry", "history", grant, "--json"])).unwrap();
    let events = history["events"].as_array().unwrap();
    let told_of = |event: &Value| {
        let difference = event["changes"][0]["differences"]
            .as_array()
            .unwrap()
            .last()
            .unwrap()
            .clone();
        [event["by"].clone(), difference["was"].clone(), difference["is"].clone()]
    };
    let expected = [
        ["file rights.toml".into(), Value::Null, "2026-10-31".into()],
        [user.as_str().into(), "2026-10-31".into(), "2199-12-31".into()],
        [user.as_str().into(), "2199-12-31".into(), "2026-09-30".into()],
    ];
    assert_eq!(events.iter().map(told_of).collect::<Vec<_>>(), expected);
    assert_eq!(
        events[1]["position"].as_str().unwrap().split('/').next(),
        Some("lgsp.control")
    );
}

#[test]
fn what_a_file_and_a_person_both_changed_is_left_until_somebody_decides() {
    let (mut node, file) = node();
    let grant = "grant/test.het-han";
    let edited = shown(&node, grant, "edited.toml", "to = 2026-10-31", "to = 2199-12-31");
    told(&node, 0, &["registry", "apply", "--object", path(&edited)]);
    edit(&file, "to = 2026-10-31", "to = 2026-11-15");
    edit(
        &file,
        "purposes = [\"thong-ke\", \"kiem-tra\"]",
        "purposes = [\"thong-ke\", \"\"]",
    );

    let diff = told(&node, 1, &["registry", "diff", path(&file)]);
    let line = fs::read_to_string(&file)
        .unwrap()
        .lines()
        .position(|line| line.contains("test.het-han"))
        .unwrap();
    for words in [
        "~ grant/test.muc-dich (changed)\n    purposes: [\"thong-ke\", \"kiem-tra\"] -> [\"thong-ke\", \"\"]\n"
            .to_owned(),
        format!("! {grant} (line {line}): left: changed elsewhere since this file was last imported\n    as it is: 20"),
        " by person uid:".to_owned(),
        "    to: ledger 2199-12-31, file 2026-11-15\n1 would change, 1 left".to_owned(),
    ] {
        assert!(diff.contains(&words), "{words}\n{diff}");
    }
    let applied = refused(&node, 1, &["registry", "apply", path(&file)]);
    assert!(applied.out.ends_with("1 changed, 1 left"), "{applied:?}");
    assert!(
        applied.err.contains("decide with --take file or --take ledger"),
        "{applied:?}"
    );
    letter(&node, "46", EXPIRED).unwrap();
    // A node that starts with this file leaves it too, and says so.
    node.stop();
    node.restart();
    assert!(
        node.log().contains("changed by someone else since: left as it is"),
        "{}",
        node.log()
    );
    letter(&node, "47", EXPIRED).unwrap();

    told(&node, 0, &["registry", "apply", path(&file), "--take", "ledger"]);
    assert_eq!(
        told(&node, 0, &["registry", "diff", path(&file)]),
        "0 would change, 0 left"
    );
    letter(&node, "48", EXPIRED).unwrap();
    // The file has news once more, and so has somebody else; this time the file is right.
    let edited = shown(&node, grant, "edited.toml", "to = 2199-12-31", "to = 2199-12-30");
    told(&node, 0, &["registry", "apply", "--object", path(&edited)]);
    edit(&file, "to = 2026-11-15", "to = 2026-11-16");
    let diff = told(&node, 1, &["registry", "diff", path(&file), "--take", "file"]);
    assert!(
        diff.starts_with(&format!("~ {grant} (changed)\n    to: 2199-12-30 -> 2026-11-16\n")),
        "{diff}"
    );
    told(&node, 0, &["registry", "apply", path(&file), "--take", "file"]);
    let refusal = letter(&node, "49", EXPIRED).unwrap_err();
    assert!(
        refusal.contains("GRANT_EXPIRED") && refusal.contains("2026-11-16"),
        "{refusal}"
    );
    node.stop();
    assert_eq!(node.verify(&[]).code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purpose_that_is_not_granted_is_refused_by_grpc_too_and_a_granted_one_is_not() {
    let node = Node::start_with_grpc(|home| drop(home.know_rights()));
    let mut sender = node.exchange("system/vxp.test.11").await;
    let letter = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../config/contracts/vn.lgsp.document/1/good/letter.json"
    );
    let payload = fs::read(letter).unwrap();
    let publish = |purpose: &str, to: &[&str]| v1::PublishRequest {
        message: Some(v1::Message {
            contract: String::from("vn.lgsp.document/1"),
            from: String::from("H62.11"),
            to: to.iter().map(|code| (*code).to_owned()).collect(),
            purpose: purpose.to_owned(),
            idempotency_key: format!("{purpose} {to:?}"),
            payload: payload.clone().into(),
            ..v1::Message::default()
        }),
    };
    let refused = sender
        .publish(publish("quang-cao", &["H62.14", "H61.04", "H61.02"]))
        .await;
    let refused = Told::of(&refused.unwrap_err());
    assert_eq!(
        (refused.status.as_str(), refused.reason.as_str()),
        ("PERMISSION_DENIED", "PURPOSE_NOT_GRANTED"),
        "{refused:?}"
    );
    let said = [
        (
            "message.to[0]",
            "`test.documents` comes nearest, which is for no stated purpose",
        ),
        (
            "message.to[1]",
            "`test.muc-dich` comes nearest, which is for `thong-ke`, `kiem-tra`",
        ),
        (
            "message.to[2]",
            "which is for no stated purpose and ended on 2026-10-31",
        ),
    ];
    assert_eq!(refused.fields.len(), said.len(), "{refused:?}");
    let (path, told) = &refused.fields_in_vietnamese[0];
    assert_eq!(path, "message.to[0]");
    assert!(
        told.starts_with("quyền khai thác không bao gồm mục đích này; "),
        "{refused:?}"
    );
    assert_eq!(*told, refused.vietnamese);
    for ((path, what), (place, words)) in refused.fields.iter().zip(said) {
        assert!(path == place && what.contains(words), "{place}: {refused:?}");
    }
    sender.publish(publish("thong-ke", &["H61.04"])).await.unwrap();
}

//! `lgsp ca`, `lgsp token` and `lgsp secret` as an operator types them, wrong usage too.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use lgsp_adapters::edxml_vxp::client::MessageType;
use serde_json::Value;

use super::paper::Paper;
use crate::support::{Department, Ended, Home, INFORMATION, JUSTICE, Node, run, run_into, to_lgsp};

fn lgsp(arguments: &[&str]) -> Ended {
    run(to_lgsp(arguments))
}

fn is_let_in(node: &Node, secret: &str) -> bool {
    let department = Department {
        secret: String::from(secret).leak(),
        ..INFORMATION
    };
    department.service(node).received_list(MessageType::Edoc).is_ok()
}

#[test]
fn a_secret_is_rotated_while_its_system_keeps_calling() {
    let node = Node::start(Home::new());
    let old = INFORMATION.secret;
    assert!(is_let_in(&node, old));
    let ended = node.lgsp(&["secret", "rotate", INFORMATION.system]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let new = ended.out.trim_end().to_owned();
    assert_eq!(new.len(), 64);
    assert!(is_let_in(&node, old) && is_let_in(&node, &new), "both count in between");
    let again = node.lgsp(&["secret", "rotate", INFORMATION.system]);
    assert!(
        again.err.contains("SECRET_ROTATING") && again.out.is_empty(),
        "{}",
        again.err
    );
    assert_eq!(node.lgsp(&["secret", "finish", INFORMATION.system]).code, Some(0));
    assert!(!is_let_in(&node, old) && is_let_in(&node, &new));
    let again = node.lgsp(&["secret", "finish", INFORMATION.system]);
    assert!(again.err.contains("SECRET_NOT_ROTATING"), "{}", again.err);
    let others = JUSTICE.service(&node).received_list(MessageType::Edoc);
    assert!(others.is_ok(), "nobody else's secret changed");
    let log = node.log();
    assert!(!log.contains(&new) && !log.contains(old), "a secret is in the log");
}

/// Each line as it is typed, with folders and files in capitals, and the code it is answered with.
const NOT_DONE: [(&str, &str); 13] = [
    ("ca init --domain lgsp.test.vn --ca CA", "CA_EXISTS"),
    ("ca list --ca CALLERS", "CA_MISSING"),
    (
        "ca issue --for system/stp.01 --out CALLERS --ca CA",
        "CERTIFICATE_EXISTS",
    ),
    ("ca issue --host a_b --out CALLERS --ca CA", "HOST_INVALID"),
    ("ca issue --host Stp.vn --out CALLERS --ca CA", "HOST_INVALID"),
    ("ca issue --host a --days 3650 --out CALLERS --ca SHORT", "CA_TOO_LONG"),
    ("ca revoke 00 --ca CA", "SERIAL_UNKNOWN"),
    (
        "token create --for adapter/a --scope publish --config CONFIG",
        "TOKEN_NOT_ALLOWED",
    ),
    (
        "token create --for operator/a --scope publish --config CONFIG",
        "TOKEN_NOT_ALLOWED",
    ),
    ("token revoke 7 --config CONFIG", "TOKEN_UNKNOWN"),
    ("secret create stp --config CONFIG", "SECRET_EXISTS"),
    ("secret finish stp --config CONFIG", "SECRET_NOT_ROTATING"),
    ("secret rotate none --config CONFIG", "SECRET_MISSING"),
];

const WRONG_USAGE: [&str; 8] = [
    "ca issue --ca CA",
    "ca issue --for stp --ca CA",
    "ca issue --for system/a --host b --ca CA",
    "ca issue --for system/a --days 0 --ca CA",
    "ca init --domain LGSP.vn --ca CALLERS",
    "token create --for system/a --scope all --config CONFIG",
    "token create --for system/a --config CONFIG",
    "secret create ../stp --config CONFIG",
];

#[test]
fn what_a_command_does_not_do_has_a_stable_code_and_changes_nothing() {
    let paper = Paper::new();
    paper.issue("system/stp.01");
    paper.token("system/stp.01", "publish", 9);
    let typed = |line: &str| {
        let words = line.split(' ').map(|word| match word {
            "CA" => paper.path("ca"),
            "SHORT" => paper.path("short"),
            "CALLERS" => paper.path("callers"),
            "CONFIG" => paper.path("lgsp.toml"),
            word => word.to_owned(),
        });
        let words: Vec<String> = words.collect();
        lgsp(&words.iter().map(String::as_str).collect::<Vec<_>>())
    };
    assert_eq!(typed("secret create stp --config CONFIG").code, Some(0));
    assert_eq!(typed("ca init --domain short.vn --days 9 --ca SHORT").code, Some(0));
    let before = content(&paper.file(""));
    for (line, code) in NOT_DONE {
        let ended = typed(line);
        assert_eq!((ended.code, ended.out.as_str()), (Some(3), ""), "{line}: {}", ended.err);
        let said = format!("error: {code} at ");
        assert!(ended.err.starts_with(&said), "{line}: {}", ended.err);
    }
    for line in WRONG_USAGE {
        let ended = typed(line);
        assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{line}: {}", ended.err);
    }
    assert_eq!(content(&paper.file("")), before);
}

/// Every file below a folder with its content; locks say nothing.
fn content(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(content(&path));
        } else if !path.ends_with("lock") {
            found.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn an_authority_whose_key_others_can_read_signs_nothing() {
    let paper = Paper::new();
    let ca = paper.path("ca");
    fs::set_permissions(paper.file("ca/ca.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let ended = lgsp(&["ca", "crl", "--ca", &ca]);
    assert_eq!(ended.code, Some(3));
    assert!(
        ended.err.contains("CA_DAMAGED") && ended.err.contains("chmod 600"),
        "{}",
        ended.err
    );
    fs::set_permissions(paper.file("ca/ca.key"), fs::Permissions::from_mode(0o600)).unwrap();
    for (file, bad) in [("ca/ca.key", "no key"), ("ca/register.json", "{\"domain\": \"x\"")] {
        let good = fs::read(paper.file(file)).unwrap();
        fs::write(paper.file(file), bad).unwrap();
        let ended = lgsp(&["ca", "crl", "--ca", &ca]);
        assert!(
            ended.err.contains("CA_DAMAGED") && ended.err.contains(file),
            "{}",
            ended.err
        );
        fs::write(paper.file(file), good).unwrap();
    }
    assert_eq!(lgsp(&["ca", "crl", "--ca", &ca]).code, Some(0));
}

#[test]
fn the_list_of_an_authority_tells_what_became_of_each_certificate() {
    let paper = Paper::new();
    paper.issue("system/stp.01");
    paper.issue("operator/lan");
    paper.revoke("stp.01");
    let list: Value = serde_json::from_str(&paper.ca(&["list", "--json"])).unwrap();
    let rows = list["certificates"].as_array().unwrap().iter();
    let states: Vec<_> = rows
        .map(|row| (row["names"][0].as_str().unwrap(), row["state"].as_str().unwrap()))
        .collect();
    let (revoked, good) = ("lgsp://lgsp.test.vn/system/stp.01", "lgsp://lgsp.test.vn/operator/lan");
    assert_eq!(states, [("localhost", "good"), (revoked, "revoked"), (good, "good")]);
    assert_eq!(paper.ca(&["list"]).lines().count(), 3);
}

#[test]
fn what_is_written_into_a_file_is_shown_nowhere_and_is_its_owners_alone() {
    let paper = Paper::new();
    paper.token("system/stp.01", "publish", 9);
    let (config, out) = (paper.path("lgsp.toml"), paper.path("handed-over"));
    for arguments in [
        vec![
            "token",
            "create",
            "--for",
            "system/stp.01",
            "--scope",
            "publish",
            "--config",
            &config,
            "--out",
            &out,
        ],
        vec!["secret", "create", "stp", "--config", &config, "--out", &out],
        vec!["secret", "rotate", "stp", "--json", "--config", &config, "--out", &out],
    ] {
        let ended = lgsp(&arguments);
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        let secret = fs::read_to_string(&out).unwrap();
        assert!(secret.len() > 64 && !(ended.out + &ended.err).contains(secret.trim_end()));
        assert_eq!(fs::metadata(&out).unwrap().mode() & 0o777, 0o600);
        // It is not written over, and then nothing is made.
        let before = content(&paper.file("data"));
        let again = lgsp(&arguments);
        assert!(again.err.contains("error: "), "{}", again.err);
        assert_eq!(fs::read_to_string(&out).unwrap(), secret);
        if arguments[0] == "secret" {
            assert_eq!(content(&paper.file("data")), before);
        }
        fs::remove_file(&out).unwrap();
    }
    let list = lgsp(&["token", "list", "--json", "--config", &config]);
    let list: Value = serde_json::from_str(&list.out).unwrap();
    assert_eq!(
        list["tokens"].as_array().unwrap().len(),
        2,
        "the token without a file is taken back"
    );
}

#[test]
fn a_token_that_nobody_saw_is_taken_back() {
    let paper = Paper::new();
    paper.token("system/stp.01", "publish", 9);
    let config = paper.path("lgsp.toml");
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let create = to_lgsp(&[
        "token",
        "create",
        "--for",
        "system/stp.02",
        "--scope",
        "publish",
        "--config",
        &config,
    ]);
    let ended = run_into(create, full.into(), io::empty());
    assert_eq!(ended.code, Some(3), "{}", ended.err);
    let list = lgsp(&["token", "list", "--config", &config]).out;
    assert!(list.contains("stp.01") && !list.contains("stp.02"), "{list}");
}

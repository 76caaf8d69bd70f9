//! The contracts under config/contracts, held against their own samples; and changes of them, as an author would make them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use lgsp_types::{ContractRef, DocumentDate};
use serde_json::{Value, json};

use crate::{Contracts, Examined, Folder, examine};

const CONTRACTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/contracts");
const DOCUMENT: &str = "vn.lgsp.document/1";
const STATUS: &str = "vn.lgsp.document-status/1";

fn today() -> DocumentDate {
    DocumentDate::parse_iso("2026-11-30").unwrap()
}

fn folder(contract: &str) -> Folder {
    let root = Path::new(CONTRACTS).join(contract);
    let mut files = BTreeMap::new();
    let mut open = vec![root.clone()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            files.insert(name, fs::read(&path).unwrap());
        }
    }
    let contract = ContractRef::parse(contract).unwrap();
    Folder { contract, files }
}

/// The next version, with one thing of the schema changed.
fn next(folder: &Folder, change: impl Fn(&mut Value)) -> Folder {
    let mut next = folder.clone();
    let name = folder.contract.name();
    next.contract = ContractRef::parse(&format!("{name}/{}", folder.contract.version() + 1)).unwrap();
    let mut schema = serde_json::from_slice(&folder.files["schema.json"]).unwrap();
    change(&mut schema);
    next.files
        .insert("schema.json".to_owned(), schema.to_string().into_bytes());
    next
}

fn told(examined: &Examined) -> Vec<String> {
    let told = examined.problems.iter().map(|problem| {
        format!(
            "{} {}{} {}",
            problem.contract, problem.file, problem.broken.path, problem.broken
        )
    });
    told.collect()
}

#[test]
fn the_shipped_contracts_are_what_their_samples_say() {
    let examined = examine(&[folder(DOCUMENT), folder(STATUS)], today());
    assert_eq!(told(&examined), Vec::<String>::new());
    assert!(examined.samples >= 30 && examined.news.is_empty());
}

#[test]
fn what_is_refused_is_told_in_both_languages_without_a_value_that_came_in() {
    let contracts = Contracts::load(&[folder(DOCUMENT), folder(STATUS)]).unwrap();
    let payload = json!({
        "id": "canary-1", "from": {"code": "canary-2"}, "to": [], "business": {"kind": 7}, "subject": "canary-3 ".repeat(99),
        "due": "canary-4", "unknown": "canary-5", "steering_type": "canary-6",
    });
    let document = ContractRef::parse(DOCUMENT).unwrap();
    let broken = contracts
        .check(&document, payload.to_string().as_bytes(), today())
        .unwrap_err();
    let all = format!("{broken:?}");
    assert!(broken.len() > 10 && !all.contains("canary"), "{all}");
    let due = broken.iter().find(|broken| broken.path == "/due").unwrap();
    assert_eq!(due.en.what, "is not of the format document-date (2025-12-31)");
    assert_eq!(due.vi.what, "không đúng định dạng document-date (2025-12-31)");
    assert_eq!(due.refusal().to_string(), due.to_string());
    let digest = json!({"size_bytes": 1, "sha256": "AB"});
    let broken = contracts
        .check(&document, json!({"original": digest}).to_string().as_bytes(), today())
        .unwrap_err();
    let form = broken.iter().find(|broken| broken.path == "/original/sha256").unwrap();
    assert_eq!(
        form.vi.what,
        "không đúng mẫu: 64 chữ số thập lục phân viết thường (SHA-256)"
    );
}

#[test]
fn a_contract_or_version_that_is_not_there_is_named() {
    let contracts = Contracts::load(&[folder(DOCUMENT)]).unwrap();
    let ask = |contract: &str| {
        contracts
            .check(&ContractRef::parse(contract).unwrap(), b"{}", today())
            .unwrap_err()
    };
    assert_eq!(ask("vn.lgsp.nothing/1")[0].code.as_str(), "CONTRACT_UNKNOWN");
    let version = &ask("vn.lgsp.document/7")[0];
    assert_eq!(version.code.as_str(), "CONTRACT_VERSION_UNKNOWN");
    assert_eq!(
        version.en.what,
        "of the contract vn.lgsp.document only these versions are known: 1"
    );
}

#[test]
fn a_report_on_malware_is_let_through_and_flagged() {
    let folder = folder(DOCUMENT);
    let contracts = Contracts::load(std::slice::from_ref(&folder)).unwrap();
    let mut letter: Value = serde_json::from_slice(&folder.files["good/letter.json"]).unwrap();
    letter["xml"] = json!([["edXML", [], ["edXML:AVReport", [], "…"]]]);
    let valid = contracts
        .check(&folder.contract, letter.to_string().as_bytes(), today())
        .unwrap();
    assert_eq!(valid.flags()[0].code.as_str(), "ANTIVIRUS_REPORT");
}

#[test]
fn a_payload_is_of_bounded_size() {
    let folder = folder(DOCUMENT);
    let contracts = Contracts::load(std::slice::from_ref(&folder)).unwrap();
    let mut letter = folder.files["good/letter.json"].clone();
    letter.resize(lgsp_types::PAYLOAD_MAX_BYTES, b' ');
    assert!(contracts.check(&folder.contract, &letter, today()).is_ok());
    letter.push(b' ');
    let broken = contracts.check(&folder.contract, &letter, today()).unwrap_err();
    assert_eq!(broken[0].code.as_str(), "PAYLOAD_TOO_LARGE");
}

#[test]
fn a_later_version_is_held_against_every_earlier_one() {
    let first = folder(DOCUMENT);
    let second = next(&first, |schema| {
        schema["properties"]["secret_level"] = json!({"type": "string"});
        schema["properties"]["subject"]["maxLength"] = json!(600);
    });
    let examined = examine(&[first.clone(), second.clone()], today());
    assert_eq!(told(&examined), Vec::<String>::new());
    let news: Vec<_> = examined
        .news
        .iter()
        .map(|problem| problem.broken.en.what.as_str())
        .collect();
    assert_eq!(
        news,
        [
            "is new for receivers of vn.lgsp.document/1: → \"secret_level\"",
            "is new for receivers of vn.lgsp.document/1: maxLength: 500 → 600",
        ]
    );

    // Narrower than the second, as wide as the first: only senders of the second are broken.
    let third = next(&second, |schema| {
        schema["properties"]["subject"]["maxLength"] = json!(500)
    });
    let all = examine(&[first.clone(), second.clone(), third.clone()], today());
    assert_eq!(
        told(&all),
        [
            "vn.lgsp.document/3 schema.json/properties/subject/maxLength BREAKS_SENDERS at /properties/subject/maxLength: \
         breaks senders of vn.lgsp.document/2: maxLength: 600 → 500; widen it, or declare the break in contract.toml",
        ]
    );
    assert_eq!(
        all.problems[0].broken.vi.what,
        "khiến bên gửi theo vn.lgsp.document/2 bị từ chối: maxLength: 600 → 500"
    );

    let mut declared = third;
    let settings = String::from_utf8(declared.files["contract.toml"].clone()).unwrap();
    let settings = settings.replace("compatibility = \"backward\"", "compatibility = \"none\"");
    declared.files.insert("contract.toml".to_owned(), settings.into_bytes());
    let all = [first.clone(), second.clone(), declared.clone()];
    assert_eq!(told(&examine(&all, today())), Vec::<String>::new());

    // Whoever comes after a declared break answers for what came since, not for what was before.
    let mut fourth = next(&declared, |_| {});
    let settings = second.files["contract.toml"].clone();
    fourth.files.insert("contract.toml".to_owned(), settings);
    let all = [first, second, declared, fourth];
    assert_eq!(told(&examine(&all, today())), Vec::<String>::new());
}

#[test]
fn a_rule_that_refuses_anew_breaks_senders() {
    let mut first = folder(DOCUMENT);
    let second = next(&first, |_| {});
    let settings = String::from_utf8(first.files["contract.toml"].clone()).unwrap();
    let settings = settings.replace("filled = \"refuse\"", "filled = \"flag\"");
    first.files.insert("contract.toml".to_owned(), settings.into_bytes());
    first
        .files
        .retain(|name, _| !["bad/bare", "bad/not-app"].iter().any(|start| name.starts_with(start)));
    let told = told(&examine(&[first, second], today()));
    assert!(
        told.len() == 1 && told[0].contains("contract.toml/rules BREAKS_SENDERS"),
        "{told:?}"
    );
}

#[test]
fn what_is_wrong_in_the_files_of_a_contract_is_named_by_file() {
    let good = folder(STATUS);
    let with = |name: &str, content: &[u8]| {
        let mut folder = good.clone();
        folder.files.insert(name.to_owned(), content.to_vec());
        folder
    };
    let without = |name: &str| {
        let mut folder = good.clone();
        folder.files.retain(|file, _| !file.starts_with(name));
        folder
    };
    for (folder, expected) in [
        (without("schema.json"), "schema.json CONTRACT_FILE_MISSING"),
        (without("contract.toml"), "contract.toml CONTRACT_FILE_MISSING"),
        (with("notes.txt", b""), "notes.txt CONTRACT_FILE_UNKNOWN"),
        (with("good/more/x.json", b""), "good/more/x.json CONTRACT_FILE_UNKNOWN"),
        (
            with("contract.toml", b"compatibility = \"forward\""),
            "contract.toml CONTRACT_SETTING",
        ),
        (with("contract.toml", b"\xff"), "contract.toml CONTRACT_SETTING"),
        (with("schema.json", b"{}"), "schema.json SCHEMA_DRAFT"),
        (without("good/"), "good/ SAMPLE_MISSING"),
        (without("bad/"), "bad/ SAMPLE_MISSING"),
        (with("good/x.json", b"{}"), "good/x.json SAMPLE_REFUSED"),
        (
            with("bad/nothing.findings", b"FIELD_MISSING /from"),
            "bad/nothing.json SAMPLE_FINDINGS",
        ),
        (with("bad/x.findings", b""), "bad/x.findings SAMPLE_MISSING"),
        (
            with("bad/x.json", &good.files["good/refused.json"]),
            "bad/x.json SAMPLE_FINDINGS",
        ),
    ] {
        let examined = examine(&[folder], today());
        let told: Vec<_> = examined
            .problems
            .iter()
            .map(|problem| format!("{} {}", problem.file, problem.broken.code))
            .collect();
        assert_eq!(told, [expected]);
    }
    let twice = examine(&[good.clone(), good], today());
    assert_eq!(twice.problems[0].broken.code.as_str(), "CONTRACT_TWICE");
}

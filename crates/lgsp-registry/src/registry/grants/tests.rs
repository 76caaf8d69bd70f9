//! Who may send what to whom, and which words a sender gets who may not.

use bytes::Bytes;
use lgsp_types::{CodePattern, Publish};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;
use crate::Control;
use crate::change::{Change, ChangeSet, Source};
use crate::grant::ContractRange;
use crate::object::Object;
use crate::registry::Authorised;
use crate::sample::{PROVINCE, apply, code, control, day, import, noon, system};

/// The province with these grants beside the one it has.
fn with_grants(text: &str) -> Control {
    control(&[
        ("province.toml", PROVINCE),
        ("grants.toml", &format!("format = 1\n{text}")),
    ])
}

/// A message as `contract purpose from to`, where `-` is no purpose; further addressees by comma.
fn publish(message: &str) -> Publish {
    let [contract, purpose, from, to] = message.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{message}")
    };
    let written = |path: String, text: &str| Written { code: code(text), path };
    let to = to.split(',').enumerate();
    Publish {
        contract: ContractRef::parse(contract).unwrap(),
        from: written("/From".to_owned(), from),
        to: to.map(|(at, text)| written(format!("/To[{}]", at + 1), text)).collect(),
        purpose: if purpose == "-" {
            String::new()
        } else {
            purpose.to_owned()
        },
        order_key: String::new(),
        idempotency_key: "k".to_owned(),
        case: String::new(),
        codes_as_of: None,
        documents: Vec::new(),
        act: String::new(),
        due: None,
        payload: Bytes::from_static(b"{}"),
        objects: Vec::new(),
    }
}

fn authorise(control: &Control, caller: &str, publish: Publish, now: &str) -> Result<Authorised, Vec<Refusal>> {
    control.registry().authorise(&system(caller), publish, noon(now))
}

/// The one refusal.
fn refused(control: &Control, caller: &str, message: &str, now: &str) -> Refusal {
    let refusals = authorise(control, caller, publish(message), now).unwrap_err();
    let [refusal] = refusals.as_slice() else {
        panic!("{message}: {refusals:?}")
    };
    assert!(refusal.vietnamese().is_some(), "{refusal}");
    refusal.clone()
}

/// `system contract purpose from to day`; the code, and the whole text behind the path.
fn expect_refused(control: &Control, call: &str, reason: &str, text: &str) {
    let (caller, message) = call.split_once(' ').unwrap();
    let (message, now) = message.rsplit_once(' ').unwrap();
    let refusal = refused(control, caller, message, now);
    assert_eq!(
        (refusal.code.as_str(), refusal.path.as_str()),
        (reason, "/To[1]"),
        "{call}: {refusal}"
    );
    assert_eq!(format!("{}; {}", refusal.what, refusal.mend), text, "{call}");
}

const FILE_GRANTS: &str = r#"
[[grant]]
id = "reports"
contracts = ["vn.lgsp.report/2-3"]
senders = ["H44.10"]
addressees = ["H44.14"]
purposes = ["", "statistics"]
from = 2025-07-10
to = 2025-12-31

[[grant]]
id = "reports.2026"
contracts = ["vn.lgsp.report/2-3"]
senders = ["H44.10"]
addressees = ["H44.14"]
purposes = ["statistics"]
from = 2026-06-01

[[grant]]
id = "office.only"
contracts = ["vn.lgsp.order/*"]
senders = ["H44"]
systems = ["office"]
addressees = ["H44.10"]

[[grant]]
id = "tp.any"
contracts = ["vn.lgsp.notice/1"]
systems = ["tp.dms"]
addressees = ["H44.10"]
"#;

#[test]
fn what_a_grant_names_may_be_sent_on_its_days_and_no_other() {
    let control = with_grants(FILE_GRANTS);
    for (day, purpose, is_allowed) in [
        ("2025-07-09", "-", false),
        ("2025-07-10", "-", true),
        ("2025-07-10", "statistics", true),
        ("2025-07-10", "control", false),
        ("2025-12-31", "-", true),
        ("2026-01-01", "-", false),
        ("2026-06-01", "statistics", true),
        ("2026-06-01", "-", false),
    ] {
        for (version, is_granted) in [(1, false), (2, true), (3, true), (4, false)] {
            let message = format!("vn.lgsp.report/{version} {purpose} H44.10 H44.14");
            let answer = authorise(&control, "khcn.dms", publish(&message), day);
            assert_eq!(
                answer.is_ok(),
                is_allowed && is_granted,
                "{message} on {day}: {answer:?}"
            );
        }
    }
    let message = publish("vn.lgsp.report/2 statistics H44.10 H44.14");
    let allowed = authorise(&control, "khcn.dms", message, "2026-06-01").unwrap();
    assert_eq!(
        allowed
            .grants()
            .iter()
            .map(|grant| grant.id.as_str())
            .collect::<Vec<_>>(),
        ["reports.2026"]
    );
}

#[test]
fn a_refusal_says_which_rule_refused_and_what_would_allow_it() {
    let control = with_grants(FILE_GRANTS);
    for (call, reason, text) in [
        (
            "khcn.dms vn.lgsp.unheard/1 - H44.10 H44.14 2025-08-01",
            "NO_GRANT",
            "no grant lets `H44.10` send vn.lgsp.unheard/1 to `H44.14`; have the operator of the exchange grant \
             vn.lgsp.unheard/1 from `H44.10` to `H44.14`",
        ),
        (
            "khcn.dms vn.lgsp.report/2 - H44.10 H44 2025-08-01",
            "NO_GRANT",
            "no grant lets `H44.10` send vn.lgsp.report/2 to `H44`; only `reports`, `reports.2026` lets it send to others; \
             have the operator of the exchange grant vn.lgsp.report/2 from `H44.10` to `H44`",
        ),
        (
            "tp.dms vn.lgsp.order/1 - H44.14 H44.10 2025-08-01",
            "NO_GRANT",
            "no grant lets `H44.14` send vn.lgsp.order/1 to `H44.10`; only `office.only` lets others send there; have the \
             operator of the exchange grant vn.lgsp.order/1 from `H44.14` to `H44.10`",
        ),
        (
            "khcn.dms vn.lgsp.report/2 statistics H44.10 H44.14 2026-03-01",
            "GRANT_NOT_YET_VALID",
            "`H44.10` may not send vn.lgsp.report/2 to `H44.14`: the grant `reports.2026` comes nearest, which begins on \
             2026-06-01; send from that day on, or have the operator of the exchange let the grant begin earlier",
        ),
        (
            "khcn.dms vn.lgsp.report/2 control H44.10 H44.14 2025-08-01",
            "PURPOSE_NOT_GRANTED",
            "`H44.10` may not send vn.lgsp.report/2 to `H44.14`: the grant `reports` comes nearest, which is for no stated \
             purpose, `statistics`; state a granted purpose if that is what it is for, or have the operator of the \
             exchange grant this one",
        ),
        (
            "khcn.dms vn.lgsp.report/4 - H44.10 H44.14 2025-08-01",
            "VERSION_NOT_GRANTED",
            "`H44.10` may not send vn.lgsp.report/4 to `H44.14`: the grant `reports` comes nearest, which is for \
             vn.lgsp.report/2-3; send by a granted version, or have the operator of the exchange grant this one",
        ),
        (
            "khcn.dms vn.lgsp.report/1 - H44.10 H44.14 2026-03-01",
            "VERSION_NOT_GRANTED",
            "`H44.10` may not send vn.lgsp.report/1 to `H44.14`: the grant `reports` comes nearest, which is for \
             vn.lgsp.report/2-3 and ended on 2025-12-31; send by a granted version, or have the operator of the exchange \
             grant this one, and have the operator of the exchange prolong the grant: the date of a document changes \
             nothing",
        ),
    ] {
        expect_refused(&control, call, reason, text);
    }
}

#[test]
fn the_date_of_a_document_revives_no_grant_that_has_expired() {
    let control =
        with_grants(&FILE_GRANTS.replace("purposes = [\"statistics\"]\nfrom = 2026-06-01", "to = 2024-12-31"));
    let mut dated = publish("vn.lgsp.report/2 - H44.10 H44.14");
    dated.codes_as_of = Some(day("2025-12-01"));
    assert!(authorise(&control, "khcn.dms", dated.clone(), "2025-12-31").is_ok());
    let refusals = authorise(&control, "khcn.dms", dated, "2026-01-01").unwrap_err();
    assert_eq!(refusals.len(), 1);
    assert_eq!(
        refusals[0].to_string(),
        "GRANT_EXPIRED at /To[1]: `H44.10` may not send vn.lgsp.report/2 to `H44.14`: the grant `reports` comes nearest, \
         which ended on 2025-12-31; have the operator of the exchange prolong the grant: the date of a document changes \
         nothing"
    );
}

#[test]
fn every_addressee_without_a_grant_is_named_with_its_path() {
    let control = with_grants(FILE_GRANTS);
    let message = "vn.lgsp.document/1 office H44.10 H44.14,H62.77,H44,H44.90.01";
    let refusals = authorise(&control, "khcn.dms", publish(message), "2025-08-01").unwrap_err();
    let told: Vec<_> = refusals.iter().map(|it| (it.code.as_str(), it.path.as_str())).collect();
    assert_eq!(
        told,
        [("ADDRESSEE_UNKNOWN", "/To[2]"), ("ADDRESSEE_NO_ROUTE", "/To[4]")]
    );
    let message = "vn.lgsp.report/2 - H44.10 H44.14,H44,H62,H44.14";
    let refusals = authorise(&control, "khcn.dms", publish(message), "2025-08-01").unwrap_err();
    let told: Vec<_> = refusals.iter().map(|it| (it.code.as_str(), it.path.as_str())).collect();
    assert_eq!(told, [("NO_GRANT", "/To[2]"), ("NO_GRANT", "/To[3]")]);
}

#[test]
fn a_grant_may_be_bound_to_systems_or_follow_them() {
    let bound = FILE_GRANTS.replace("systems = [\"office\"]", "systems = [\"khcn.dms\"]");
    let message = "vn.lgsp.order/7 - H44 H44.10";
    assert!(authorise(&with_grants(FILE_GRANTS), "office", publish(message), "2025-08-01").is_ok());
    let refusal = refused(&with_grants(&bound), "office", message, "2025-08-01");
    assert_eq!(refusal.code.as_str(), "NO_GRANT");
    assert!(
        refusal
            .what
            .ends_with("; only `office.only` lets it be sent by other systems"),
        "{refusal}"
    );
    let control = with_grants(FILE_GRANTS);
    // The system speaks for both, and for the closed one until its last day of sending.
    for (from, now, reason) in [
        ("H44.14", "2025-08-01", None),
        ("H62.14", "2025-07-31", None),
        ("H62.14", "2025-08-01", Some("SENDER_CLOSED")),
    ] {
        let message = publish(&format!("vn.lgsp.notice/1 - {from} H44.10"));
        let answer = authorise(&control, "tp.dms", message, now);
        let told = answer.err().map(|refusals| refusals[0].code.to_string());
        assert_eq!(told.as_deref(), reason, "{from} on {now}");
    }
}

#[test]
fn who_is_closed_is_sent_to_by_its_own_grant_or_by_that_of_who_follows() {
    let grant = |to: &str| {
        with_grants(&format!(
            "[[grant]]\nid = \"g\"\ncontracts = [\"c/1\"]\nsenders = [\"H44.10\"]\naddressees = [\"{to}\"]\n"
        ))
    };
    for (to, is_allowed) in [("H62.*", true), ("H44.14", true), ("*.H62", true), ("H44.10", false)] {
        let answer = authorise(&grant(to), "khcn.dms", publish("c/1 - H44.10 H62.14"), "2025-08-01");
        assert_eq!(answer.is_ok(), is_allowed, "{to}: {answer:?}");
    }
    // To send for the one that follows is a right of its own.
    let of_old = "[[grant]]\nid = \"g\"\ncontracts = [\"c/1\"]\nsenders = [\"H62.14\"]\nto = 2025-07-31\naddressees = [\"H44\"]\n";
    let control = with_grants(of_old);
    assert!(authorise(&control, "tp.dms", publish("c/1 - H62.14 H44"), "2025-07-31").is_ok());
    let refusal = refused(&control, "tp.dms", "c/1 - H44.14 H44", "2025-07-31");
    assert_eq!(refusal.code.as_str(), "NO_GRANT");
}

#[test]
fn who_may_is_answered_by_the_grants_of_a_contract() {
    let registry = with_grants(FILE_GRANTS).registry();
    let ids = |contract: &str, from: Option<&str>, to: Option<&str>, on: &str| -> Vec<String> {
        let agency = |text: &str| registry.resolve(&code(text), day(on)).unwrap();
        let grants = registry.grants(contract, from.map(agency), to.map(agency), day(on));
        grants.iter().map(|grant| grant.id.to_string()).collect()
    };
    let (report, both) = ("vn.lgsp.report", ["reports", "reports.2026"]);
    assert_eq!(ids(report, None, None, "2025-08-01"), both);
    assert_eq!(ids(report, Some("H44.10"), Some("H62.14"), "2025-08-01"), both);
    assert!(ids(report, Some("H44.14"), None, "2025-08-01").is_empty());
    assert!(ids(report, None, Some("H44.10"), "2025-08-01").is_empty());
    assert_eq!(ids("vn.lgsp.notice", Some("H44.14"), None, "2025-08-01"), ["tp.any"]);
    assert!(ids("vn.lgsp.notice", Some("H44.10"), None, "2025-08-01").is_empty());
    assert!(ids("vn.lgsp.unheard", None, None, "2025-08-01").is_empty());
}

const CODES: [&str; 6] = ["H44", "H44.10", "H44.14", "H62.14", "H62.10", "000.00.11.H62"];
const PATTERNS: [&str; 7] = ["H44", "H44.10", "H44.14", "H44.*", "H62.*", "*.H62", "H62.14"];
const SYSTEMS: [&str; 3] = ["khcn.dms", "tp.dms", "office"];

fn any_grants() -> impl Strategy<Value = Vec<Grant>> {
    let patterns = |least: usize| subsequence(&PATTERNS[..], least..4);
    let any_day = || prop::option::of(select(&["2025-07-01", "2025-08-01", "2025-09-01"][..]));
    let purposes = subsequence(&["", "p", "q"][..], 0..3);
    let contracts = subsequence(&["c/1", "c/2-3", "c/*", "d/1"][..], 1..3);
    let sides = (patterns(0), subsequence(&SYSTEMS[..], 0..3), patterns(1));
    let one = (contracts, sides, purposes, any_day(), any_day());
    prop::collection::vec(one, 0..6).prop_map(|grants| {
        let grants = grants.into_iter().enumerate();
        let made = grants.map(
            |(at, (contracts, (senders, systems, addressees), purposes, one, other))| {
                let patterns = |texts: Vec<&str>| -> Vec<CodePattern> {
                    texts
                        .into_iter()
                        .map(|text| CodePattern::parse(text).unwrap())
                        .collect()
                };
                let (from, to) = if one <= other { (one, other) } else { (other, one) };
                Grant {
                    id: GrantId::parse(&format!("g{at}")).unwrap(),
                    contracts: contracts
                        .into_iter()
                        .map(|text| ContractRange::parse(text).unwrap())
                        .collect(),
                    systems: systems.into_iter().map(system).collect(),
                    senders: patterns(senders),
                    addressees: patterns(addressees),
                    purposes: purposes.into_iter().map(str::to_owned).collect(),
                    from: from.map(day),
                    to: to.map(day),
                    legal_basis: String::new(),
                }
            },
        );
        made.filter(|grant| !grant.senders.is_empty() || !grant.systems.is_empty())
            .collect()
    })
}

/// What a grant allows, said a second time without any index; the codes that each agency has.
fn allows(grant: &Grant, caller: &str, message: &Publish, on: &str) -> bool {
    let known: [(&str, &[&str]); 6] = [
        ("H44", &["H44", "000.00.00.H44"]),
        ("H44.10", &["H44.10"]),
        ("H44.14", &["H44.14"]),
        ("H62.14", &["H62.14", "000.00.14.H62"]),
        ("H62.10", &["H62.10"]),
        ("000.00.11.H62", &["000.00.11.H62", "H62.11"]),
    ];
    let codes = |written: &AgencyCode| {
        known
            .iter()
            .find(|(text, _)| *text == written.as_str())
            .unwrap()
            .1
            .iter()
    };
    let matches = |patterns: &[CodePattern], written: &AgencyCode| {
        codes(written).any(|text| patterns.iter().any(|pattern| pattern.matches(&code(text))))
    };
    let heir = match message.to[0].code.as_str() {
        "H62.14" => code("H44.14"),
        "H62.10" | "000.00.11.H62" => code("H44.10"),
        _ => message.to[0].code.clone(),
    };
    grant.contracts.iter().any(|range| range.contains(&message.contract))
        && (grant.senders.is_empty() || matches(&grant.senders, &message.from.code))
        && (grant.systems.is_empty() || grant.systems.contains(&system(caller)))
        && (matches(&grant.addressees, &message.to[0].code) || matches(&grant.addressees, &heir))
        && (grant.purposes.contains(&message.purpose) || grant.purposes.is_empty() && message.purpose.is_empty())
        && grant.from.is_none_or(|from| from <= day(on))
        && grant.to.is_none_or(|to| day(on) <= to)
}

proptest! {
    /// Source: reliability.md 6, abuse 3 (SEC-02).
    #[test]
    fn what_is_let_in_is_what_some_grant_allows(
        grants in any_grants(),
        (caller, from) in select(&[("khcn.dms", "H44.10"), ("tp.dms", "H44.14"), ("tp.dms", "H62.14"), ("office", "H44")][..]),
        to in select(&CODES[..]),
        contract in select(&["c/1", "c/2", "c/4", "d/1"][..]),
        purpose in select(&["-", "p", "q"][..]),
        on in select(&["2025-07-01", "2025-07-31"][..]),
    ) {
        let mut control = control(&[("province.toml", PROVINCE)]);
        let changes = grants.iter().map(|grant| {
            let content = Object::Grant(Arc::new(grant.clone()));
            Change { object: content.reference(), predecessor: None, content: Some(content), said: None }
        });
        let set = ChangeSet { source: Source::Person("op".to_owned()), changes: changes.collect() };
        if !set.changes.is_empty() {
            apply(&mut control, &set.to_bytes()).unwrap();
        }
        let message = publish(&format!("{contract} {purpose} {from} {to}"));
        let is_allowed = grants.iter().any(|grant| allows(grant, caller, &message, on));
        let answer = authorise(&control, caller, message, on);
        prop_assert_eq!(answer.is_ok(), is_allowed, "{:?}", answer);
    }
}

/// Two hundred addressees under a thousand grants of one contract, each of which covers all of them. Not a timed test: run it
/// with `--nocapture` to see how long one decision takes.
#[test]
fn many_grants_do_not_make_a_decision_long() {
    let mut text = "format = 1\n".to_owned();
    for at in 0..1000 {
        text += &format!(
            "[[grant]]\nid = \"g{at}\"\ncontracts = [\"c/1\"]\nsenders = [\"H44.*\"]\naddressees = [\"H44.*\", \"H62.*\"]\n\
             purposes = [\"p{at}\"]\n"
        );
    }
    let mut control = control(&[("province.toml", PROVINCE)]);
    import(&mut control, "grants.toml", &text);
    let message = publish(&format!("c/1 p999 H44.10 {}", ["H62.14"; 200].join(",")));
    let begun = std::time::Instant::now();
    for _ in 0..10 {
        assert!(authorise(&control, "khcn.dms", message.clone(), "2025-08-01").is_ok());
    }
    println!("{:?} a decision", begun.elapsed() / 10);
}

//! What codes mean, and where deliveries go, around 1 July 2025.

use super::*;
use crate::sample::{PROVINCE, agency, code, control, day, noon, system};

fn registry() -> Arc<Registry> {
    control(&[("province.toml", PROVINCE)]).registry()
}

#[test]
fn a_code_means_its_holder_on_the_day_or_its_last_one() {
    let registry = registry();
    for (written, on, holder) in [
        ("H62.11", "2025-02-28", Some("vp.tttt")),
        ("H62.11", "2025-03-01", Some("vp.tttt")),
        ("H62.11", "2026-01-05", Some("vp.tttt")),
        ("000.00.11.H62", "2018-05-01", Some("vp.tttt")),
        // The code of the new scheme was not issued yet.
        ("H62.11", "2018-05-01", None),
        // Given up by an agency that is still there.
        ("000.00.00.H44", "2025-07-01", Some("pt")),
        ("H44.14", "2025-06-30", None),
        ("H44.14", "2025-07-01", Some("pt.tp")),
        // What the formula would propose is nobody's.
        ("000.00.14.H44", "2025-07-01", None),
        ("H62.12", "2025-06-30", None),
    ] {
        let found = registry
            .resolve(&code(written), day(on))
            .map(|agency| agency.id.as_str());
        assert_eq!(found, holder, "{written} on {on}");
    }
}

#[test]
fn a_code_that_was_given_on_means_each_holder_in_its_time() {
    let text = r#"
        format = 1
        [[agency]]
        id = "one"
        kind = "unit"
        to = 2020-12-31
        names = ["Một"]
        codes = ["H44.01"]
        [[agency]]
        id = "two"
        kind = "unit"
        from = 2022-01-01
        names = ["Hai"]
        codes = ["H44.01"]
    "#;
    let registry = control(&[("f", text)]).registry();
    for (on, holder) in [("2020-12-31", "one"), ("2021-06-01", "one"), ("2022-01-01", "two")] {
        let found = registry.resolve(&code("H44.01"), day(on)).unwrap();
        assert_eq!(found.id.as_str(), holder, "{on}");
    }
}

#[test]
fn deliveries_go_to_whoever_is_there_on_the_day() {
    let registry = registry();
    for (addressee, on, end) in [
        ("vp.tttt", "2025-02-28", Ok(("vp.tttt", "khcn.vxp"))),
        ("vp.tttt", "2025-03-01", Ok(("vp.khcn", "khcn.vxp"))),
        ("vp.tttt", "2025-06-30", Ok(("vp.khcn", "khcn.vxp"))),
        ("vp.tttt", "2025-07-01", Ok(("pt.khcn", "khcn.vxp"))),
        ("vp.tp", "2025-06-30", Ok(("vp.tp", "tp.vxp"))),
        ("vp.tp", "2025-07-01", Ok(("pt.tp", "tp.vxp"))),
        ("vp", "2025-06-30", Ok(("vp", "office.push"))),
        ("vp", "2025-07-01", Ok(("pt", "office.push"))),
        ("vp", "2027-01-01", Err(NoRoute::NoConnector { agency: agency("pt") })),
        (
            "vp.gone",
            "2025-07-01",
            Err(NoRoute::Closed {
                agency: agency("vp.gone"),
                to: day("2025-06-30"),
            }),
        ),
        (
            "pt.mute",
            "2025-07-01",
            Err(NoRoute::NoConnector {
                agency: agency("pt.mute"),
            }),
        ),
        (
            "pt.tp",
            "2025-06-30",
            Err(NoRoute::NotYet {
                agency: agency("pt.tp"),
                from: day("2025-07-01"),
            }),
        ),
        (
            "vp.nobody",
            "2025-07-01",
            Err(NoRoute::Unknown {
                agency: agency("vp.nobody"),
            }),
        ),
    ] {
        let found = registry.route(&agency(addressee), day(on));
        let found = found
            .as_ref()
            .map(|route| (route.agency.as_str(), route.connector.as_str()));
        assert_eq!(found, end.as_ref().copied(), "{addressee} on {on}");
    }
    let route = registry.route(&agency("pt.khcn"), day("2025-07-01")).unwrap();
    assert_eq!(
        (route.system.as_str(), route.mode, route.collect_within_hours),
        ("khcn.dms", Mode::Pull, Some(24))
    );
}

#[test]
fn a_system_receives_for_its_agencies_and_for_those_they_follow() {
    let registry = registry();
    let received = |of: &str, on: &str| -> Vec<(String, String)> {
        let receptions = registry.receives(&system(of), day(on));
        receptions
            .into_iter()
            .map(|reception| (reception.addressee.to_string(), reception.receiver.agency.to_string()))
            .collect()
    };
    let pairs = |list: &[(&str, &str)]| -> Vec<(String, String)> {
        list.iter()
            .map(|(one, other)| ((*one).to_owned(), (*other).to_owned()))
            .collect()
    };
    assert_eq!(
        received("khcn.dms", "2025-02-28"),
        pairs(&[("vp.khcn", "vp.khcn"), ("vp.tttt", "vp.tttt")])
    );
    assert_eq!(
        received("khcn.dms", "2025-07-01"),
        pairs(&[("pt.khcn", "pt.khcn"), ("vp.khcn", "pt.khcn"), ("vp.tttt", "pt.khcn")])
    );
    assert_eq!(
        received("tp.dms", "2025-07-01"),
        pairs(&[("pt.tp", "pt.tp"), ("vp.tp", "pt.tp")])
    );
    let pulls = registry.pulls(day("2025-07-01"));
    let khcn = pulls
        .iter()
        .find(|(connector, _)| connector.system == system("khcn.dms"));
    let agencies: Vec<&str> = khcn.unwrap().1.iter().map(|agency| agency.as_str()).collect();
    assert_eq!(agencies, ["pt.khcn", "vp.khcn", "vp.tttt"], "the same, by connector");
    for agency in registry.unreached(day("2025-07-01")) {
        registry.route(&agency, day("2025-07-01")).unwrap_err();
        assert!(!agencies.contains(&agency.as_str()));
    }
    // Nothing is collected where the exchange pushes, or by nobody.
    assert!(received("office", "2025-07-01").is_empty() && received("stranger", "2025-07-01").is_empty());
}

#[test]
fn the_narrower_connector_receives_until_its_system_ends() {
    let text = r#"
        format = 1
        [[agency]]
        id = "pt"
        kind = "province"
        names = ["UBND tỉnh"]
        codes = ["H44"]
        [[agency]]
        id = "pt.tp"
        kind = "department"
        names = ["Sở Tư pháp"]
        codes = ["H44.14", "000.00.14.H44"]
        [[system]]
        id = "all"
        agency = "pt"
        speaks_for = ["H44.*"]
        [[connector]]
        id = "all"
        system = "all"
        adapter = "edxml-vxp"
        mode = "pull"
        [[system]]
        id = "own"
        agency = "pt.tp"
        speaks_for = ["000.00.14.H44"]
        to = 2025-12-31
        [[connector]]
        id = "own"
        system = "own"
        adapter = "edxml-vxp"
        mode = "pull"
    "#;
    let registry = control(&[("f", text)]).registry();
    let connector = |of: &str, on: &str| registry.route(&agency(of), day(on)).unwrap().connector.to_string();
    assert_eq!(connector("pt.tp", "2025-12-31"), "own");
    assert_eq!(connector("pt.tp", "2026-01-01"), "all");
    assert_eq!(connector("pt", "2025-12-31"), "all");
    let received = registry.receives(&system("all"), day("2025-12-31"));
    assert_eq!(
        received.len(),
        1,
        "what another receives is not received here: {received:?}"
    );
}

#[test]
fn the_list_of_agencies_is_that_of_the_day() {
    let registry = registry();
    let find = |on: &str, id: &str| {
        let mut views = registry.agencies(day(on)).into_iter();
        views.find(|view| view.agency.as_str() == id)
    };
    let ids: Vec<String> = registry
        .agencies(day("2025-06-30"))
        .iter()
        .map(|view| view.agency.to_string())
        .collect();
    assert_eq!(ids, ["pt", "pt.mute", "vp", "vp.gone", "vp.khcn", "vp.tp", "vp.tttt"]);
    let before = find("2008-12-31", "vp.tttt").unwrap();
    assert_eq!((before.name.as_str(), before.code), ("Sở Bưu chính, Viễn thông", None));
    let last = find("2025-02-28", "vp.tttt").unwrap();
    assert!(!last.closed);
    let closed = find("2025-07-01", "vp.tttt").unwrap();
    assert!(closed.closed);
    for view in [last, closed] {
        assert_eq!(view.name, "Sở Thông tin và Truyền thông");
        assert_eq!(
            (view.code, view.old_code),
            (Some(code("H62.11")), Some(code("000.00.11.H62")))
        );
        assert_eq!(view.parent, Some(agency("vp")));
    }
    let province = find("2025-07-01", "pt").unwrap();
    assert_eq!((province.code, province.old_code), (Some(code("H44")), None));
}

#[test]
fn a_system_is_known_while_it_is_active() {
    let registry = registry();
    let view = registry.system(&system("khcn.dms"), noon("2025-07-01")).unwrap();
    assert_eq!(
        (view.secret_ref.as_deref(), view.key_id.as_str()),
        (Some("khcn.dms"), "k1")
    );
    assert_eq!(
        registry
            .system(&system("tp.dms"), noon("2025-07-01"))
            .unwrap()
            .secret_ref,
        None
    );
    assert!(registry.system(&system("office"), noon("2026-12-31")).is_some());
    assert!(registry.system(&system("office"), noon("2027-01-01")).is_none());
    assert!(registry.system(&system("stranger"), noon("2025-07-01")).is_none());
    assert_eq!(registry.agency_of(&system("office")), Some(agency("pt")));
    assert_eq!(registry.successors(&agency("vp.tp")), [agency("pt.tp")]);
    assert_eq!(registry.agency(&agency("vp.tp")).unwrap().legal_basis, "");
}

#[test]
fn an_adapter_speaks_as_the_active_systems_of_its_list() {
    let adapter = "format = 1\n[[adapter]]\nid = \"a\"\nspeaks_as = [\"office\", \"tp.dms\"]\n";
    let registry = control(&[("province.toml", PROVINCE), ("adapters.toml", adapter)]).registry();
    let known = |name: &str, on: &str| {
        let views = registry.systems_of(&AdapterId::parse(name).unwrap(), noon(on))?;
        Some(
            views
                .into_iter()
                .map(|view| view.system.to_string())
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(known("a", "2026-12-31").unwrap(), ["office", "tp.dms"]);
    assert_eq!(
        known("a", "2027-01-01").unwrap(),
        ["tp.dms"],
        "the office's system has ended"
    );
    assert_eq!(known("b", "2026-12-31"), None);
    let a = AdapterId::parse("a").unwrap();
    for (name, on, may) in [
        ("office", "2026-12-31", true),
        ("office", "2027-01-01", false),
        ("khcn.dms", "2026-12-31", false),
        ("nobody", "2026-12-31", false),
    ] {
        assert_eq!(registry.speaks_as(&a, &system(name), noon(on)), may, "{name} {on}");
    }
    let connectors = |name: &str, kind: &str, on: &str| registry.pushed_by(&system(name), kind, noon(on)).len();
    assert_eq!(connectors("office", "edxml-vxp", "2026-12-31"), 1);
    assert_eq!(connectors("office", "edxml-vxp", "2027-01-01"), 0);
    assert_eq!(
        connectors("tp.dms", "edxml-vxp", "2026-12-31"),
        0,
        "its far side comes by itself"
    );
    assert_eq!(connectors("office", "igate", "2026-12-31"), 0);
}

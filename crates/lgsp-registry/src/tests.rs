//! What holds for every registry that the control ledger lets come about, however it was edited.

mod shipped;

pub(crate) use shipped::SHIPPED;

use std::sync::Arc;

use bytes::Bytes;
use lgsp_types::{AgencyId, CodePattern, ConnectorId, DocumentDate, EventId, GrantId, SystemId};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::strategy::ValueTree;

use crate::sample::{agency, apply, code, day};
use crate::{
    Agency, AgencyKind, Change, ChangeSet, Connector, ContractRange, Control, Grant, Import, Mode, NoRoute, Object,
    ObjectRef, PlainName, Registry, Source, System, Term, Void, plan_import,
};

const CODES: [&str; 5] = ["H62", "H62.11", "H62.14", "000.00.11.H62", "H44.10"];

const PATTERNS: [&str; 7] = ["H62", "H62.11", "H62.*", "*.H62", "H44.*", "H44.10", "H62.14.*"];

fn june(at: u8) -> DocumentDate {
    day(&format!("2025-06-{at:02}"))
}

fn every_day() -> impl Iterator<Item = DocumentDate> {
    (1..=12).map(june)
}

fn any_day() -> impl Strategy<Value = Option<DocumentDate>> {
    prop::option::weighted(0.4, (1u8..=12).prop_map(june))
}

fn any_agency_id() -> impl Strategy<Value = AgencyId> {
    (0..6).prop_map(|at| agency(&format!("a{at}")))
}

fn any_term<T: std::fmt::Debug>(is: impl Strategy<Value = T>) -> impl Strategy<Value = Term<T>> {
    (is, any_day(), any_day()).prop_map(|(is, from, to)| Term { is, from, to })
}

fn any_agency() -> impl Strategy<Value = Object> {
    let codes = prop::collection::vec(any_term(select(&CODES[..]).prop_map(code)), 0..3);
    let parents = prop::collection::vec(any_term(any_agency_id()), 0..2);
    let successors = prop::collection::vec(any_agency_id(), 0..3);
    (any_agency_id(), any_day(), any_day(), codes, parents, successors).prop_map(
        |(id, from, to, codes, parents, successors)| {
            let name = Term {
                is: id.to_string(),
                from: None,
                to: None,
            };
            let successors = if to.is_some() { successors } else { Vec::new() };
            Object::Agency(Arc::new(Agency {
                id,
                kind: AgencyKind::Unit,
                from,
                to,
                names: vec![name],
                codes,
                parents,
                mail: String::new(),
                successors,
                legal_basis: String::new(),
                sends_until: None,
            }))
        },
    )
}

fn any_patterns(least: usize) -> impl Strategy<Value = Vec<CodePattern>> {
    prop::collection::vec(
        select(&PATTERNS[..]).prop_map(|text| CodePattern::parse(text).unwrap()),
        least..4,
    )
}

fn any_system() -> impl Strategy<Value = Object> {
    (0..3, any_agency_id(), any_patterns(1), any_day(), any_day()).prop_map(|(at, agency, speaks_for, from, to)| {
        let id = SystemId::parse(&format!("s{at}")).unwrap();
        Object::System(Arc::new(System {
            id,
            agency,
            speaks_for,
            secret_ref: None,
            key_id: None,
            from,
            to,
        }))
    })
}

fn any_connector() -> impl Strategy<Value = Object> {
    (0..4, 0..3, any::<bool>(), any_patterns(0)).prop_map(|(at, system, pulls, receives_for)| {
        Object::Connector(Arc::new(Connector {
            id: ConnectorId::parse(&format!("c{at}")).unwrap(),
            system: SystemId::parse(&format!("s{system}")).unwrap(),
            adapter: PlainName::parse("edxml-vxp").unwrap(),
            mode: if pulls { Mode::Pull } else { Mode::Push },
            collect_within_hours: None,
            retry_waits_ms: Vec::new(),
            receives_for,
        }))
    })
}

/// A file names no closed agency in a grant by its code: [`a_file_is_imported_once`] would be refused.
const WIDE: [&str; 4] = ["H62.*", "*.H62", "H44.*", "H62.14.*"];

const RANGES: [&str; 4] = ["c/1", "c/1-2", "c/2-*", "d/*"];

fn any_grant() -> impl Strategy<Value = Object> {
    let contracts = prop::collection::hash_set(select(&RANGES[..]), 1..3);
    let systems = prop::collection::hash_set(0..3, 0..2);
    let purposes = prop::collection::hash_set(select(&["", "p", "q"][..]), 0..3);
    let wide = |least: usize| {
        let texts = subsequence(&WIDE[..], least..3);
        texts.prop_map(|texts| {
            texts
                .into_iter()
                .map(|text| CodePattern::parse(text).unwrap())
                .collect::<Vec<_>>()
        })
    };
    (
        0..4,
        contracts,
        (wide(0), systems, wide(1)),
        purposes,
        any_day(),
        any_day(),
    )
        .prop_map(|(at, contracts, (senders, systems, addressees), purposes, from, to)| {
            let contracts = contracts.into_iter().map(|text| ContractRange::parse(text).unwrap());
            let systems = systems
                .into_iter()
                .map(|at| SystemId::parse(&format!("s{at}")).unwrap());
            Object::Grant(Arc::new(Grant {
                id: GrantId::parse(&format!("g{at}")).unwrap(),
                contracts: contracts.collect(),
                senders,
                systems: systems.collect(),
                addressees,
                purposes: purposes.into_iter().map(str::to_owned).collect(),
                from,
                to,
                legal_basis: String::new(),
            }))
        })
}

/// One step of somebody who edits: which object, whether it goes, and whether he looked before.
#[derive(Clone, Debug)]
struct Edit {
    content: Object,
    removes: bool,
    is_stale: bool,
}

fn any_edit() -> impl Strategy<Value = Edit> {
    let content = prop_oneof![5 => any_agency(), 2 => any_system(), 2 => any_connector(), 2 => any_grant()];
    (content, prop::bool::weighted(0.1), prop::bool::weighted(0.1)).prop_map(|(content, removes, is_stale)| Edit {
        content,
        removes,
        is_stale,
    })
}

fn any_edits() -> impl Strategy<Value = Vec<Vec<Edit>>> {
    prop::collection::vec(prop::collection::vec(any_edit(), 1..3), 1..20)
}

fn change_set(control: &Control, edits: &[Edit]) -> Bytes {
    let changes = edits.iter().map(|edit| {
        let object = edit.content.reference();
        let (head, _) = control.head(&object);
        let predecessor = if edit.is_stale {
            Some(EventId::from_bytes([9; 16]))
        } else {
            head
        };
        Change {
            object,
            predecessor,
            content: (!edit.removes).then(|| edit.content.clone()),
            said: None,
        }
    });
    ChangeSet {
        source: Source::Person("op".to_owned()),
        changes: changes.collect(),
    }
    .to_bytes()
}

/// What the editors find: three agencies in a row of succession, three open ones, and who receives for them.
fn beginning() -> String {
    let mut text = "format = 1\n".to_owned();
    for (at, closing) in ["to = 2025-06-04", "to = 2025-06-08", "", "", "", ""]
        .into_iter()
        .enumerate()
    {
        text += &format!("[[agency]]\nid = \"a{at}\"\nkind = \"unit\"\nnames = [\"a{at}\"]\n{closing}\n");
        text += CODES
            .get(at)
            .map(|code| format!("codes = [\"{code}\"]\n"))
            .unwrap_or_default()
            .as_str();
        text += &if at < 2 {
            format!("successors = [\"a{}\"]\n", at + 1)
        } else {
            String::new()
        };
    }
    for (at, pattern) in ["H62.*", "000.00.11.H62", "H44.*"].into_iter().enumerate() {
        text += &format!("[[system]]\nid = \"s{at}\"\nagency = \"a{at}\"\nspeaks_for = [\"{pattern}\"]\n");
        text += &format!("[[connector]]\nid = \"c{at}\"\nsystem = \"s{at}\"\nadapter = \"x\"\nmode = \"pull\"\n");
    }
    text
}

/// Folds the edits; answers every change set, void or not.
fn fold(edits: &[Vec<Edit>]) -> (Control, Vec<Bytes>) {
    let mut control = Control::default();
    let mut log = Vec::new();
    for set in plan_import(&control, "beginning.toml", &beginning())
        .unwrap()
        .change_sets
    {
        apply(&mut control, &set.bytes).unwrap();
        log.push(set.bytes);
    }
    for edits in edits {
        let bytes = change_set(&control, edits);
        let before = control.registry();
        if apply(&mut control, &bytes).is_err() {
            assert!(Arc::ptr_eq(&before, &control.registry()), "void, and something changed");
        }
        log.push(bytes);
    }
    (control, log)
}

/// All that one can ask a registry, as text.
fn answers(registry: &Registry) -> String {
    let mut out = String::new();
    for day in every_day() {
        let views = registry.agencies(day);
        let routes: Vec<_> = views.iter().map(|view| registry.route(&view.agency, day)).collect();
        let holders = CODES.map(|text| registry.resolve(&code(text), day).map(|agency| agency.id.clone()));
        let received: Vec<_> = (0..3)
            .map(|at| registry.receives(&SystemId::parse(&format!("s{at}")).unwrap(), day))
            .collect();
        out += &format!("{views:?}{routes:?}{holders:?}{received:?}\n");
    }
    out
}

/// The registry as a file that says the same.
fn as_file(control: &Control) -> String {
    let objects = control.objects();
    let mut text = "format = 1\n".to_owned();
    let tables = serde_json::json!({
        "agency": objects.agencies.values().map(|agency| serde_json::to_value(&**agency).unwrap()).collect::<Vec<_>>(),
        "system": objects.systems.values().map(|system| serde_json::to_value(&**system).unwrap()).collect::<Vec<_>>(),
        "connector": objects.connectors.values().map(|it| serde_json::to_value(&**it).unwrap()).collect::<Vec<_>>(),
        "adapter": objects.adapters.values().map(|it| serde_json::to_value(&**it).unwrap()).collect::<Vec<_>>(),
        "grant": objects.grants.values().map(|it| serde_json::to_value(&**it).unwrap()).collect::<Vec<_>>(),
    });
    text += &toml::to_string(&tables).unwrap();
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_code_has_one_holder_a_day_and_resolve_finds_it(edits in any_edits()) {
        let (control, _) = fold(&edits);
        let registry = control.registry();
        for (text, day) in CODES.iter().flat_map(|text| every_day().map(move |day| (text, day))) {
            let agencies = control.objects().agencies.values();
            let terms = agencies.flat_map(|agency| agency.codes.iter().map(move |term| (agency, term)));
            let mut begun: Vec<_> = terms
                .filter(|(_, term)| term.is.as_str() == *text)
                .map(|(agency, term)| (term.within(agency.life()), &agency.id))
                .filter(|(period, _)| period.begun_by(day))
                .collect();
            prop_assert!(begun.iter().filter(|(period, _)| period.contains(day)).count() <= 1, "two holders");
            begun.sort_by_key(|(period, _)| period.from);
            let found = registry.resolve(&code(text), day).map(|agency| &agency.id);
            prop_assert_eq!(found, begun.last().map(|(_, id)| *id));
        }
    }

    #[test]
    fn the_same_change_sets_always_make_the_same_registry(edits in any_edits()) {
        let (control, log) = fold(&edits);
        let mut again = Control::default();
        for bytes in &log {
            // Whether one is void is part of the fold, and some are.
            let _void = apply(&mut again, bytes);
        }
        prop_assert_eq!(control.objects(), again.objects());
        prop_assert_eq!(answers(&control.registry()), answers(&again.registry()));
    }

    #[test]
    fn every_route_ends_at_an_open_agency_and_is_received_by_one_system(edits in any_edits()) {
        let (control, _) = fold(&edits);
        let registry = control.registry();
        for (id, day) in control.objects().agencies.keys().flat_map(|id| every_day().map(move |day| (id, day))) {
            let receiving = (0..3).map(|at| SystemId::parse(&format!("s{at}")).unwrap());
            let receiving = receiving.filter(|system| {
                registry.receives(system, day).iter().any(|reception| reception.addressee == *id)
            });
            let receiving: Vec<SystemId> = receiving.collect();
            match registry.route(id, day) {
                Ok(route) => {
                    prop_assert!(registry.agency(&route.agency).unwrap().life().contains(day));
                    let expected = if route.mode == Mode::Pull { vec![route.system] } else { vec![] };
                    prop_assert_eq!(receiving, expected);
                }
                Err(reason) => {
                    prop_assert!(!matches!(reason, NoRoute::Unknown { .. }), "{}", reason);
                    prop_assert_eq!(receiving, []);
                }
            }
        }
    }

    #[test]
    fn a_file_is_imported_once(edits in any_edits()) {
        let (control, _) = fold(&edits);
        let text = as_file(&control);
        let mut imported = Control::default();
        let plan = plan_import(&imported, "f.toml", &text).unwrap_or_else(|errors| panic!("{errors:#?}\n{text}"));
        for set in &plan.change_sets {
            apply(&mut imported, &set.bytes).unwrap();
        }
        prop_assert_eq!(control.objects(), imported.objects());
        prop_assert_eq!(plan_import(&imported, "f.toml", &text), Ok(Import::default()));
    }

    #[test]
    fn of_two_who_change_one_object_at_once_one_is_told(edits in any_edits(), one in any_agency(), other in any_agency()) {
        let (mut control, _) = fold(&edits);
        let (Object::Agency(one), Object::Agency(other)) = (one, other) else { unreachable!() };
        let other = Object::Agency(Arc::new(Agency { id: one.id.clone(), mail: "other@x.vn".to_owned(), ..(*other).clone() }));
        let edit = |content| Edit { content, removes: false, is_stale: false };
        let first = change_set(&control, &[edit(Object::Agency(Arc::clone(&one)))]);
        let second = change_set(&control, &[edit(other)]);
        if apply(&mut control, &first).is_ok() {
            let told = Err(Void::Overtaken(vec![ObjectRef::Agency(one.id.clone())]));
            prop_assert_eq!(apply(&mut control, &second), told);
            let registry = control.registry();
            prop_assert_eq!(registry.agency(&one.id), Some(&*one));
        }
    }
}

/// The tests above would be worth little if most random edits were void, or nothing could be reached.
#[test]
fn random_edits_come_to_something() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut edited, mut routes) = (0, 0);
    for _ in 0..100 {
        let edits = any_edits().new_tree(&mut runner).unwrap().current();
        let (control, log) = fold(&edits);
        let mut again = Control::default();
        edited += log.iter().filter(|bytes| apply(&mut again, bytes).is_ok()).count() - 1;
        let registry = control.registry();
        let agencies = control.objects().agencies.keys();
        let reached = agencies.flat_map(|id| {
            every_day()
                .map(|day| registry.route(id, day).is_ok())
                .collect::<Vec<_>>()
        });
        routes += reached.filter(|is_reached| *is_reached).count();
    }
    assert!(
        edited > 150 && routes > 1_500,
        "{edited} edits in force, {routes} routes"
    );
}

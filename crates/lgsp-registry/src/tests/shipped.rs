//! The registry files under config/: what is shipped can be read, and leads from every closed agency to an open one.

use std::collections::HashMap;

use lgsp_types::Scheme;

use super::june;
use crate::sample::{code, control, day, import, system};
use crate::{AgencyKind, Control, NoRoute};

const PHU_THO: (&str, &str) = ("phu-tho.toml", include_str!("../../../../config/registry/phu-tho.toml"));
const VINH_PHUC: (&str, &str) = (
    "vinh-phuc.toml",
    include_str!("../../../../config/registry/vinh-phuc.toml"),
);
const SYSTEMS: (&str, &str) = (
    "systems.toml",
    include_str!("../../../../config/registry/systems.toml.example"),
);

/// Everything under config/registry, the example too.
pub(crate) const SHIPPED: [(&str, &str); 3] = [PHU_THO, VINH_PHUC, SYSTEMS];

fn shipped() -> Control {
    // By name, as a node takes the files of a folder.
    control(&[PHU_THO, VINH_PHUC])
}

#[test]
fn the_shipped_files_are_imported_once_and_without_a_mistake() {
    let mut control = shipped();
    for (name, text) in [PHU_THO, VINH_PHUC] {
        assert_eq!(import(&mut control, name, text), 0, "{name}");
    }
}

#[test]
fn the_shipped_province_is_there_as_described() {
    let registry = shipped().registry();
    let count = |on: &str| {
        let mut count: HashMap<AgencyKind, usize> = HashMap::new();
        for view in registry.agencies(day(on)).into_iter().filter(|view| !view.closed) {
            *count.entry(registry.agency(&view.agency).unwrap().kind).or_default() += 1;
        }
        let of = |kind| count.get(&kind).copied().unwrap_or(0);
        [
            AgencyKind::Province,
            AgencyKind::Department,
            AgencyKind::District,
            AgencyKind::Commune,
        ]
        .map(of)
    };
    assert_eq!(count("2025-02-28"), [2, 19, 9, 40]);
    assert_eq!(count("2025-06-30"), [2, 14, 9, 40]);
    assert_eq!(count("2025-07-01"), [1, 14, 0, 13]);
}

#[test]
fn every_closed_agency_of_the_shipped_files_is_followed_by_an_open_one() {
    let control = shipped();
    let registry = control.registry();
    for on in [june(30), day("2025-07-01"), day("2026-11-25")] {
        for agency in control.objects().agencies.values() {
            match registry.route(&agency.id, on) {
                // Nobody is connected yet: that is where the way ends, not before.
                Err(NoRoute::NoConnector { agency: heir }) => {
                    assert!(
                        registry.agency(&heir).unwrap().life().contains(on),
                        "{} on {on}",
                        agency.id
                    );
                }
                Err(NoRoute::NotYet { .. }) => assert!(agency.life().from.is_some_and(|from| from > on)),
                other => panic!("{} on {on}: {other:?}", agency.id),
            }
        }
    }
}

#[test]
fn the_codes_of_the_samples_mean_what_they_should() {
    let registry = shipped().registry();
    for (text, on, id, heir) in [
        (
            "H62.11",
            "2025-02-28",
            "vp.so-thong-tin-va-truyen-thong",
            "vp.so-thong-tin-va-truyen-thong",
        ),
        (
            "H62.11",
            "2025-03-01",
            "vp.so-thong-tin-va-truyen-thong",
            "vp.so-khoa-hoc-va-cong-nghe",
        ),
        (
            "000.00.11.H62",
            "2025-07-01",
            "vp.so-thong-tin-va-truyen-thong",
            "pt.so-khoa-hoc-va-cong-nghe",
        ),
        ("H62.14", "2025-06-30", "vp.so-tu-phap", "vp.so-tu-phap"),
        ("000.00.14.H62", "2025-07-01", "vp.so-tu-phap", "pt.so-tu-phap"),
        ("H62", "2025-06-30", "vp", "vp"),
        ("H62", "2025-07-01", "vp", "pt"),
        ("H44", "2025-07-01", "pt", "pt"),
        (
            "H62.12",
            "2025-03-01",
            "vp.so-tai-nguyen-va-moi-truong",
            "vp.so-nong-nghiep-va-moi-truong",
        ),
    ] {
        let agency = registry.resolve(&code(text), day(on)).unwrap();
        assert_eq!(agency.id.as_str(), id, "{text} on {on}");
        let Err(NoRoute::NoConnector { agency }) = registry.route(&agency.id, day(on)) else {
            panic!("{text}")
        };
        assert_eq!(agency.as_str(), heir, "{text} on {on}");
    }
    assert_eq!(registry.resolve(&code("G22"), day("2025-07-01")), None);
}

#[test]
fn agencies_of_departments_and_below_have_codes_in_both_schemes() {
    let control = shipped();
    for agency in control.objects().agencies.values() {
        let last = agency.to.unwrap_or(day("2026-01-01"));
        let new = agency.code_on(Scheme::Qd20, last);
        let old = agency.code_on(Scheme::Qcvn102, last);
        let is_new_commune = agency.kind == AgencyKind::Commune && agency.to.is_none();
        assert!(
            new.is_some() && old.is_some() != is_new_commune,
            "{}: {new:?} {old:?}",
            agency.id
        );
    }
}

#[test]
fn the_example_of_systems_connects_everybody() {
    let mut control = shipped();
    let (name, text) = SYSTEMS;
    assert_eq!(import(&mut control, name, text), 7);
    let registry = control.registry();
    let today = day("2026-11-25");
    let received = |id: &str| registry.receives(&system(id), today);
    assert_eq!(received("phutho.tuphap.01").len(), 2);
    let science: Vec<_> = received("phutho.khcn.01")
        .iter()
        .map(|reception| reception.addressee.to_string())
        .collect();
    assert_eq!(
        science,
        [
            "pt.so-khoa-hoc-va-cong-nghe",
            "vp.so-khoa-hoc-va-cong-nghe",
            "vp.so-thong-tin-va-truyen-thong"
        ]
    );
    let all = control.objects().agencies.len();
    assert_eq!(
        received("phutho.vanphong.01").len(),
        all - 2 - 3,
        "whoever has no system of its own"
    );
}

//! Registries that contradict themselves.

use super::*;
use crate::file::RegistryFile;
use crate::sample::PROVINCE;

/// The province with this text instead of that, as object, path and code of each finding.
fn findings(changes: &[(&str, &str)]) -> Vec<(String, String, String)> {
    let mut text = PROVINCE.to_owned();
    for (old, new) in changes {
        assert_eq!(text.matches(old).count(), 1, "{old}");
        text = text.replace(old, new);
    }
    let file = RegistryFile::read("f", &text).unwrap_or_else(|errors| panic!("{errors:#?}"));
    let mut objects = Objects::default();
    for (reference, object) in file.objects {
        objects.set(&reference, Some(object));
    }
    let plain = |found: Contradiction| (found.object.to_string(), found.path, found.code.to_string());
    check_all(&objects).into_iter().map(plain).collect()
}

fn expect(changes: &[(&str, &str)], expected: &[(&str, &str, &str)]) {
    let owned =
        |(object, path, code): &(&str, &str, &str)| ((*object).to_owned(), (*path).to_owned(), (*code).to_owned());
    let expected: Vec<_> = expected.iter().map(owned).collect();
    assert_eq!(findings(changes), expected, "{changes:?}");
}

#[test]
fn the_province_stands() {
    expect(&[], &[]);
}

#[test]
fn who_is_named_must_be_there() {
    expect(
        &[(
            r#"parents = ["vp"]
successors = ["vp.khcn"]"#,
            r#"parents = ["vq"]
successors = ["vp.khcn", "vp.khnc"]"#,
        )],
        &[
            ("agency/vp.tttt", "parents[0]", "CONFIG_REFERENCE"),
            ("agency/vp.tttt", "successors[1]", "CONFIG_REFERENCE"),
        ],
    );
    expect(
        &[(
            r#"agency = "pt.khcn"
speaks_for = ["H44.10", "H62.10", "000.00.11.H62"]"#,
            r#"agency = "pt.khnc"
speaks_for = ["H44.10", "H44.100", "H99.*"]"#,
        )],
        &[
            ("system/khcn.dms", "agency", "CONFIG_REFERENCE"),
            ("system/khcn.dms", "speaks_for[1]", "CONFIG_REFERENCE"),
        ],
    );
    expect(
        &[
            (r#"system = "office""#, r#"system = "offices""#),
            (r#""H62", "H44"]"#, r#""H62", "H45"]"#),
        ],
        &[
            ("connector/office.push", "system", "CONFIG_REFERENCE"),
            ("connector/office.push", "receives_for[1]", "CONFIG_REFERENCE"),
        ],
    );
}

#[test]
fn an_adapter_speaks_as_systems_that_are_there() {
    let adapter = r#"
[[adapter]]
id = "vxp-1"
speaks_as = ["tp.dms", "tp.dns"]
[[connector]]
id = "tp.vxp""#;
    expect(
        &[("[[connector]]\nid = \"tp.vxp\"", adapter)],
        &[("adapter/vxp-1", "speaks_as[1]", "CONFIG_REFERENCE")],
    );
}

#[test]
fn one_code_has_one_holder_a_day() {
    let held = [
        ("agency/vp.gone", "codes[0]", "CONFIG_CODE_HELD_TWICE"),
        ("agency/vp.tp", "codes[0]", "CONFIG_CODE_HELD_TWICE"),
    ];
    expect(
        &[(r#""H62.14", "000"#, r#""H62.99", "000"#), (r#", "H62.14"]"#, "]")],
        &held,
    );
    // The last day of one is a day of the next.
    let ended = r#"{ is = "H62.99", to = 2020-12-31 }"#;
    let begun = |day: &str| format!(r#"{{ is = "H62.99", from = {day} }}, "000"#);
    for (day, expected) in [("2020-12-31", &held[..]), ("2021-01-01", &[])] {
        let changes = [
            (r#"codes = ["H62.99"]"#, format!("codes = [{ended}]")),
            (r#""H62.14", "000"#, begun(day)),
            (r#", "H62.14"]"#, "]".to_owned()),
        ];
        let changes: Vec<(&str, &str)> = changes.iter().map(|(old, new)| (*old, new.as_str())).collect();
        expect(&changes, expected);
    }
}

#[test]
fn nobody_follows_himself() {
    let cycle = |id| (id, "successors", "CONFIG_CYCLE");
    expect(
        &[(r#"successors = ["pt.khcn"]"#, r#"successors = ["vp.tttt"]"#)],
        &[cycle("agency/vp.khcn"), cycle("agency/vp.tttt")],
    );
    expect(
        &[(r#"successors = ["pt.tp"]"#, r#"successors = ["vp.tp"]"#)],
        &[cycle("agency/vp.tp")],
    );
    // Beside the circle stands one who only leads into it: its own successor is wrong by nothing else.
    expect(
        &[
            (r#"successors = ["pt.tp"]"#, r#"successors = ["vp.gone"]"#),
            (
                r#"codes = ["H62.99"]"#,
                "codes = [\"H62.99\"]\nsuccessors = [\"vp.gone\"]",
            ),
        ],
        &[
            cycle("agency/vp.gone"),
            ("agency/vp.tp", "successors[0]", "CONFIG_DATES"),
        ],
    );
}

#[test]
fn who_takes_over_is_there_on_the_next_day() {
    let late = [("agency/vp.tp", "successors[0]", "CONFIG_DATES")];
    let begins = |day: &str| format!("from = {day}\nnames = [\"Sở Tư pháp tỉnh Phú Thọ\"]");
    let written = begins("2025-07-01");
    for (day, expected) in [("2025-07-01", &[][..]), ("2025-06-30", &[]), ("2025-07-02", &late)] {
        expect(&[(written.as_str(), begins(day).as_str())], expected);
    }
    // A successor that was closed itself before it could take over.
    expect(
        &[(r#"successors = ["pt.khcn"]"#, r#"successors = ["pt.khcn", "vp.tp"]"#)],
        &[("agency/vp.khcn", "successors[1]", "CONFIG_DATES")],
    );
}

#[test]
fn nobody_stands_under_himself_on_any_day() {
    let under = |child: &str, name: &str| format!("kind = \"{child}\"\nnames = [\"{name}\"]\nparents = ");
    let (province, mute) = (
        "kind = \"province\"\nnames = [\"UBND tỉnh Phú Thọ\"]",
        r#"parents = ["pt"]"#,
    );
    assert!(PROVINCE.contains(province) && PROVINCE.contains(mute));
    let always = format!("{}[\"pt.mute\"]", under("province", "UBND tỉnh Phú Thọ"));
    expect(
        &[(province, always.as_str())],
        &[
            ("agency/pt", "parents[0]", "CONFIG_CYCLE"),
            ("agency/pt.mute", "parents[0]", "CONFIG_CYCLE"),
        ],
    );
    // First one way round, then the other: on no day a circle.
    let until = format!(
        "{}[{{ is = \"vp\", to = 2019-12-31 }}]",
        under("province", "UBND tỉnh Phú Thọ")
    );
    let from = "codes = [\"H62\", \"000.00.00.H62\"]\nparents = [{ is = \"pt\", from = 2020-01-01 }]";
    expect(
        &[
            (province, until.as_str()),
            (r#"codes = ["H62", "000.00.00.H62"]"#, from),
        ],
        &[],
    );
    let overlapping = from.replace("2020-01-01", "2019-12-31");
    let found = findings(&[
        (province, until.as_str()),
        (r#"codes = ["H62", "000.00.00.H62"]"#, &overlapping),
    ]);
    assert_eq!(
        found,
        [(
            "agency/vp".to_owned(),
            "parents[0]".to_owned(),
            "CONFIG_CYCLE".to_owned()
        )]
    );
}

#[test]
fn two_connectors_with_an_equal_claim_are_found_once() {
    expect(
        &[(
            r#"receives_for = ["H62", "H44"]"#,
            r#"receives_for = ["H62.14", "H44.14"]"#,
        )],
        &[
            ("connector/office.push", ".", "CONFIG_RECEIVED_TWICE"),
            ("connector/tp.vxp", ".", "CONFIG_RECEIVED_TWICE"),
        ],
    );
    // A wider claim gives way, and systems that share no day do not meet.
    expect(
        &[(
            r#"receives_for = ["H62", "H44"]"#,
            r#"receives_for = ["H62.14.*", "H44.*"]"#,
        )],
        &[],
    );
    expect(
        &[
            (r#"receives_for = ["H62", "H44"]"#, r#"receives_for = ["H44.14"]"#),
            (
                r#"speaks_for = ["H44.14", "H62.14"]"#,
                "speaks_for = [\"H44.14\"]\nfrom = 2027-01-01",
            ),
        ],
        &[],
    );
}

#[test]
fn a_grant_names_whom_there_is() {
    let grant = r#"addressees = ["H62.*", "H44.*"]
purposes = ["office"]"#;
    expect(
        &[(
            grant,
            "addressees = [\"H62.*\", \"H62.77\"]\nsystems = [\"office\", \"offices\"]\npurposes = [\"office\"]",
        )],
        &[
            ("grant/office", "addressees[1]", "CONFIG_REFERENCE"),
            ("grant/office", "systems[1]", "CONFIG_REFERENCE"),
        ],
    );
}

//! Change sets: their bytes for ever, and which of them are void.

use bytes::Bytes;

use super::*;
use crate::change::CHANGE_SET_MAX_BYTES;
use crate::object::ObjectKind;
use crate::sample::{PROVINCE, agency, apply, code, control, day, system};

fn object(kind: ObjectKind, json: &str) -> Object {
    kind.read(serde_json::from_str(json).unwrap()).unwrap()
}

fn unit(id: &str, code: &str) -> Object {
    object(
        ObjectKind::Agency,
        &format!(r#"{{"id":"{id}","kind":"unit","names":["{id}"],"codes":["{code}"]}}"#),
    )
}

fn by_person(changes: Vec<Change>) -> Bytes {
    ChangeSet {
        source: Source::Person("op-1".to_owned()),
        changes,
    }
    .to_bytes()
}

/// The next change of this object, as one who looks at it now makes it.
fn change(control: &Control, object: &ObjectRef, content: Option<Object>) -> Change {
    let (predecessor, _) = control.head(object);
    Change {
        object: object.clone(),
        predecessor,
        content,
        said: None,
    }
}

fn put(control: &Control, content: Object) -> Change {
    change(control, &content.reference(), Some(content))
}

/// A build that knows no adapters must stop at this set, not take it for void.
#[test]
fn a_change_set_of_an_adapter_has_the_format_that_knows_adapters() {
    let adapter = object(ObjectKind::Adapter, r#"{"id":"vxp-1","speaks_as":["vxp.a"]}"#);
    let bytes = by_person(vec![put(&Control::default(), adapter)]);
    let text = std::str::from_utf8(&bytes).unwrap();
    assert_eq!(
        text,
        concat!(
            r#"{"changes":[{"content":{"id":"vxp-1","speaks_as":["vxp.a"]},"object":"adapter/vxp-1","predecessor":null}],"#,
            r#""format":2,"source":{"person":"op-1"}}"#
        )
    );
    assert!(ChangeSet::read(&bytes).is_ok());
    let older = text.replace(r#""format":2"#, r#""format":1"#);
    assert!(matches!(
        ChangeSet::read(older.as_bytes()),
        Err(Void::Unreadable { .. })
    ));
}

/// A build that knows no grants must stop at this set: it would refuse nothing.
#[test]
fn a_change_set_of_a_grant_has_the_format_that_knows_grants() {
    let grant = r#"{"addressees":["H44.*"],"contracts":["a.b/1-2"],"id":"g","purposes":["","p"],"senders":["H62.11"],"to":"2026-12-31"}"#;
    let bytes = by_person(vec![put(&Control::default(), object(ObjectKind::Grant, grant))]);
    let text = std::str::from_utf8(&bytes).unwrap();
    let expected = format!(
        r#"{{"changes":[{{"content":{grant},"object":"grant/g","predecessor":null}}],"format":3,"source":{{"person":"op-1"}}}}"#
    );
    assert_eq!(text, expected);
    assert!(ChangeSet::read(&bytes).is_ok());
}

/// Stored for ever: a failure here means that the ledgers in the field read differently. Find the change, do not adjust.
#[test]
fn a_change_set_has_these_bytes_for_ever() {
    let agency = object(
        ObjectKind::Agency,
        r#"{"id":"vp.tp","kind":"department","to":"2025-06-30","names":["Sở Tư pháp"],"mail":"tp@x.vn",
            "codes":["H62.14",{"is":"000.00.14.H62","from":"2016-04-01"}],"successors":["pt.tp"]}"#,
    );
    let connector = ObjectRef::Connector(lgsp_types::ConnectorId::parse("tp.vxp").unwrap());
    let predecessor = Some(EventId::from_bytes([7; 16]));
    let change_set = ChangeSet {
        source: Source::File("vinh-phuc.toml".to_owned()),
        changes: vec![
            Change {
                object: agency.reference(),
                predecessor: None,
                content: Some(agency),
                said: None,
            },
            Change {
                object: connector,
                predecessor,
                content: None,
                said: Some(said(None)),
            },
        ],
    };
    let bytes = change_set.to_bytes();
    assert_eq!(
        std::str::from_utf8(&bytes).unwrap(),
        concat!(
            r#"{"changes":[{"content":{"codes":[{"is":"H62.14"},{"from":"2016-04-01","is":"000.00.14.H62"}],"#,
            r#""id":"vp.tp","kind":"department","mail":"tp@x.vn","names":[{"is":"Sở Tư pháp"}],"#,
            r#""successors":["pt.tp"],"to":"2025-06-30"},"object":"agency/vp.tp","predecessor":null},"#,
            r#"{"content":null,"object":"connector/tp.vxp","predecessor":"07070707-0707-0707-0707-070707070707","#,
            r#""said":"74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b"}],"#,
            r#""format":1,"source":{"file":"vinh-phuc.toml"}}"#,
        )
    );
    assert_eq!(
        ChangeSet::event_id(&bytes).to_string(),
        "cbb3a7f4-89a7-b78a-56c7-debb30cdbe5a"
    );
    assert_eq!(ChangeSet::read(&bytes), Ok(change_set));
}

#[test]
fn what_is_no_change_set_is_void() {
    let good = String::from_utf8(by_person(vec![put(&Control::default(), unit("a", "H62"))]).to_vec()).unwrap();
    assert_eq!(apply(&mut Control::default(), good.as_bytes()), Ok(()));
    for (old, new, why) in [
        (r#""format":1"#, r#""format": 1"#, "canonical"),
        (r#""format":1"#, r#""format":1,"colour":2"#, "unknown field"),
        (
            r#""predecessor":null"#,
            r#""predecessor":null,"predecessor":null"#,
            "duplicate field",
        ),
        (r#","predecessor":null"#, "", "canonical"),
        (r#""kind":"unit","#, "", "missing field `kind`"),
        (r#"[{"is":"a"}]"#, r#"["a"]"#, "canonical"),
        (r#""object":"agency/a""#, r#""object":"agency/b""#, "another id"),
        (r#""object":"agency/a""#, r#""object":"system/a""#, "unknown field"),
        (r#""object":"agency/a""#, r#""object":"right/a""#, "`agency/`"),
        (r#"{"person":"op-1"}"#, r#"{"person":""}"#, "1 to 128 bytes"),
        (r#"{"person":"op-1"}"#, r#"{"robot":"op-1"}"#, "unknown variant"),
        ("H62", "h62", "agency code"),
        ("{", "[", "invalid"),
    ] {
        let text = good.replacen(old, new, 1);
        assert_ne!(text, good, "{old}");
        match apply(&mut Control::default(), text.as_bytes()) {
            Err(Void::Unreadable { what }) => assert!(what.contains(why), "{text}: {what}"),
            other => panic!("{text}: {other:?}"),
        }
    }
    let unreadable = |bytes: &[u8]| matches!(apply(&mut Control::default(), bytes), Err(Void::Unreadable { .. }));
    assert!(unreadable(b"") && unreadable(b"\xff") && unreadable(&vec![b' '; CHANGE_SET_MAX_BYTES + 1]));
    assert!(unreadable(br#"{"changes":[],"format":1,"source":{"person":"op-1"}}"#));
    let twice = vec![
        put(&Control::default(), unit("a", "H62")),
        put(&Control::default(), unit("a", "H63")),
    ];
    assert!(unreadable(&by_person(twice)));
}

#[test]
fn a_change_set_of_a_later_build_is_told_from_a_bad_one() {
    let later = br#"{"format":4,"anything":[]}"#;
    assert_eq!(
        apply(&mut Control::default(), later),
        Err(Void::UnknownFormat { format: 4 })
    );
}

#[test]
fn a_change_set_belongs_to_its_id() {
    let bytes = by_person(vec![put(&Control::default(), unit("a", "H62"))]);
    let mut control = Control::default();
    assert_eq!(
        control.apply(EventId::from_bytes([1; 16]), &bytes),
        Err(Void::ForeignId)
    );
    assert_eq!(apply(&mut control, &bytes), Ok(()));
    assert_eq!(
        apply(&mut control, &bytes),
        Err(Void::Repeated),
        "a fact that was written twice"
    );
}

#[test]
fn of_two_who_edit_one_is_told() {
    let mut control = control(&[("province.toml", PROVINCE)]);
    let first = by_person(vec![put(&control, unit("pt.mute", "H44.90.01"))]);
    let second = by_person(vec![
        put(&control, unit("pt.mute", "H44.90.02")),
        put(&control, unit("new", "H44.91")),
    ]);
    assert_eq!(apply(&mut control, &first), Ok(()));
    let mute = ObjectRef::Agency(agency("pt.mute"));
    assert_eq!(apply(&mut control, &second), Err(Void::Overtaken(vec![mute])));
    let registry = control.registry();
    assert!(registry.resolve(&code("H44.90.01"), day("2025-07-01")).is_some());
    assert!(registry.agency(&agency("new")).is_none(), "void is void as a whole");
}

#[test]
fn a_change_set_that_contradicts_the_registry_is_void_as_a_whole() {
    let mut control = control(&[("province.toml", PROVINCE)]);
    let before = control.registry();
    let bytes = by_person(vec![
        put(&control, unit("new", "H44.91")),
        put(&control, unit("thief", "H44.14")),
    ]);
    let Err(Void::Contradicts(found)) = apply(&mut control, &bytes) else {
        panic!("it was applied")
    };
    assert_eq!((found.len(), found[0].code.as_str()), (2, "CONFIG_CODE_HELD_TWICE"));
    assert!(
        found[0]
            .to_string()
            .contains("agency/thief codes[0]: the code `H44.14` is held by `pt.tp`"),
        "{}",
        found[0]
    );
    let office = ObjectRef::System(system("office"));
    let bytes = by_person(vec![change(&control, &office, None)]);
    let Err(Void::Contradicts(found)) = apply(&mut control, &bytes) else {
        panic!("it was applied")
    };
    assert_eq!(
        (found[0].object.to_string().as_str(), found[0].path.as_str()),
        ("connector/office.push", "system")
    );
    let backwards = object(
        ObjectKind::Agency,
        r#"{"id":"new","kind":"unit","names":["A"],"from":"2025-07-01","to":"2025-06-30"}"#,
    );
    let bytes = by_person(vec![put(&control, backwards)]);
    assert!(
        matches!(apply(&mut control, &bytes), Err(Void::Contradicts(_))),
        "one object by itself is checked too"
    );
    assert!(Arc::ptr_eq(&before, &control.registry()), "nothing changed");
}

#[test]
fn a_text_of_many_reasons_has_an_end() {
    let overtaken = (0..25).map(|at| ObjectRef::Agency(agency(&format!("a{at}")))).collect();
    let text = Void::Overtaken(overtaken).to_string();
    assert!(text.ends_with("agency/a9, and 15 more"), "{text}");
    let one = Void::Overtaken(vec![ObjectRef::Agency(agency("a"))]).to_string();
    assert_eq!(one, "changed by somebody else meanwhile: agency/a");
}

#[test]
fn what_was_removed_can_come_again_after_its_removal() {
    let mut control = Control::default();
    let first = by_person(vec![put(&control, unit("a", "H62"))]);
    apply(&mut control, &first).unwrap();
    let removal = by_person(vec![change(&control, &ObjectRef::Agency(agency("a")), None)]);
    apply(&mut control, &removal).unwrap();
    assert!(control.registry().agency(&agency("a")).is_none());
    // As if it had never been: no.
    let ignorant = by_person(vec![put(&Control::default(), unit("a", "H63"))]);
    assert!(matches!(apply(&mut control, &ignorant), Err(Void::Overtaken(_))));
    let again = by_person(vec![put(&control, unit("a", "H63"))]);
    assert_eq!(apply(&mut control, &again), Ok(()));
    assert!(control.registry().agency(&agency("a")).is_some());
}

#[test]
fn a_snapshot_never_changes() {
    let mut control = control(&[("province.toml", PROVINCE)]);
    let before = control.registry();
    assert!(Arc::ptr_eq(&before, &control.registry()), "shared, not made anew");
    let bytes = by_person(vec![put(&control, unit("new", "H44.91"))]);
    apply(&mut control, &bytes).unwrap();
    assert!(before.agency(&agency("new")).is_none() && control.registry().agency(&agency("new")).is_some());
}

//! A file imported again and again, beside people who edit too.

use super::*;
use crate::change::CHANGE_SET_MAX_BYTES;
use crate::change::ChangeSet;
use crate::sample::{PROVINCE, agency, apply, control, import, system};

const FILE: &str = "province.toml";

fn plan(control: &Control, text: &str) -> Import {
    plan_import(control, FILE, text).unwrap_or_else(|errors| panic!("{errors:#?}"))
}

fn edited(old: &str, new: &str) -> String {
    assert_eq!(PROVINCE.matches(old).count(), 1, "{old}");
    PROVINCE.replace(old, new)
}

/// What the change sets of a plan change, as text.
fn changed(plan: &Import) -> Vec<String> {
    let sets = plan.change_sets.iter().map(|set| ChangeSet::read(&set.bytes).unwrap());
    sets.flat_map(|set| set.changes)
        .map(|change| change.object.to_string())
        .collect()
}

fn left(plan: &Import) -> Vec<(String, WhyLeft)> {
    plan.left
        .iter()
        .map(|left| (left.object.to_string(), left.why))
        .collect()
}

fn take(control: &mut Control, text: &str, take: Take) -> Vec<String> {
    let plan = plan_import_taking(control, FILE, text, take).unwrap();
    assert_eq!(plan.left, []);
    for set in &plan.change_sets {
        apply(control, &set.bytes).unwrap();
    }
    changed(&plan)
}

/// A person renames an agency or moves a system to another one, behind the file's back.
fn edit_by_person(control: &mut Control, object: &ObjectRef, content: impl FnOnce(Object) -> Option<Object>) {
    let (predecessor, present) = control.head(object);
    let change = Change {
        object: object.clone(),
        predecessor,
        content: content(present.unwrap()),
        said: None,
    };
    let set = ChangeSet {
        source: Source::Person("op-1".to_owned()),
        changes: vec![change],
    };
    apply(control, &set.to_bytes()).unwrap();
}

fn renamed(object: Object, name: &str) -> Object {
    let Object::Agency(known) = object else {
        panic!("no agency")
    };
    let mut new = known.as_ref().clone();
    new.names[0].is = name.to_owned();
    Object::Agency(new.into())
}

fn mute() -> ObjectRef {
    ObjectRef::Agency(agency("pt.mute"))
}

#[test]
fn a_file_without_news_plans_nothing() {
    let mut control = Control::default();
    assert_eq!(import(&mut control, FILE, PROVINCE), 16);
    assert_eq!(plan(&control, PROVINCE), Import::default());
    // Neither comments nor the order or spelling of what means the same are news.
    let text = edited(
        r#"names = ["Đơn vị chưa kết nối"]"#,
        "# moved\nnames = [{ is = \"Đơn vị chưa kết nối\" }]",
    );
    assert_eq!(plan(&control, &text), Import::default());
}

#[test]
fn only_what_changed_in_the_file_is_changed() {
    let mut control = control(&[(FILE, PROVINCE)]);
    let text = edited("Đơn vị chưa kết nối", "Đơn vị mới");
    assert_eq!(changed(&plan(&control, &text)), ["agency/pt.mute"]);
    import(&mut control, FILE, &text);
    assert_eq!(
        control.registry().agency(&agency("pt.mute")).unwrap().names[0].is,
        "Đơn vị mới"
    );
    assert_eq!(plan(&control, &text), Import::default());
    import(&mut control, FILE, PROVINCE);
    assert_eq!(
        control.registry().agency(&agency("pt.mute")).unwrap().names[0].is,
        "Đơn vị chưa kết nối"
    );
}

#[test]
fn what_a_person_changed_is_not_undone_by_an_old_file() {
    let mut control = control(&[(FILE, PROVINCE)]);
    edit_by_person(&mut control, &mute(), |object| Some(renamed(object, "Tên khác")));
    assert_eq!(plan(&control, PROVINCE), Import::default(), "the file has no news");
    let text = edited("Đơn vị chưa kết nối", "Đơn vị mới").replace("Ban quản lý đã giải thể", "Ban quản lý");
    let plan = plan(&control, &text);
    assert_eq!(
        changed(&plan),
        ["agency/vp.gone"],
        "the rest of the file is not held up"
    );
    assert_eq!(left(&plan), [("agency/pt.mute".to_owned(), WhyLeft::ChangedElsewhere)]);
    let line = text.lines().position(|line| line.contains("pt.mute")).unwrap();
    assert_eq!(plan.left[0].line, Some(line), "the heading above the id");
    assert!(
        plan.left[0].to_string().contains("agency/pt.mute (line"),
        "{}",
        plan.left[0]
    );
}

#[test]
fn what_both_changed_alike_is_no_dispute() {
    let mut control = control(&[(FILE, PROVINCE)]);
    edit_by_person(&mut control, &mute(), |object| Some(renamed(object, "Đơn vị mới")));
    let text = edited("Đơn vị chưa kết nối", "Đơn vị mới");
    import(&mut control, FILE, &text);
    assert_eq!(plan(&control, &text), Import::default());
    // From now on the file's word counts again.
    assert_eq!(import(&mut control, FILE, PROVINCE), 1);
}

#[test]
fn a_dispute_is_decided_for_the_file_or_for_the_ledger() {
    let text = edited("Đơn vị chưa kết nối", "Đơn vị mới");
    for (decision, name) in [(Take::File, "Đơn vị mới"), (Take::Ledger, "Tên khác")] {
        let mut control = control(&[(FILE, PROVINCE)]);
        edit_by_person(&mut control, &mute(), |object| Some(renamed(object, "Tên khác")));
        assert_eq!(take(&mut control, &text, decision), ["agency/pt.mute"]);
        assert_eq!(
            control.registry().agency(&agency("pt.mute")).unwrap().names[0].is,
            name,
            "{decision:?}"
        );
        assert_eq!(plan(&control, &text), Import::default(), "it is not asked again");
        assert_eq!(import(&mut control, FILE, PROVINCE), 1, "until the file has news");
    }
}

#[test]
fn all_but_agencies_that_vanish_from_the_file_are_removed() {
    let mut control = control(&[(FILE, PROVINCE)]);
    let (text, _) = PROVINCE.split_once("[[connector]]\nid = \"office.push\"").unwrap();
    let text = text.replace(
        "[[system]]\nid = \"office\"\nagency = \"pt\"\nspeaks_for = [\"H62.*\", \"H44\"]\nto = 2026-12-31\n",
        "",
    );
    assert_eq!(import(&mut control, FILE, &text), 3);
    assert!(control.registry().agency_of(&system("office")).is_none());
    assert_eq!(plan(&control, &text), Import::default());
    assert_eq!(import(&mut control, FILE, PROVINCE), 3, "and come again with the file");
    edit_by_person(&mut control, &ObjectRef::System(system("office")), |object| {
        let Object::System(known) = object else {
            panic!("no system")
        };
        Some(Object::System(
            crate::System {
                to: None,
                ..known.as_ref().clone()
            }
            .into(),
        ))
    });
    let plan = plan(&control, &text);
    assert_eq!(changed(&plan), ["connector/office.push", "grant/office"]);
    assert_eq!(left(&plan), [("system/office".to_owned(), WhyLeft::ChangedElsewhere)]);
}

#[test]
fn an_agency_that_vanishes_from_the_file_stays_until_it_is_removed_on_purpose() {
    let block = "[[agency]]\nid = \"pt.mute\"\nkind = \"unit\"\nnames = [\"Đơn vị chưa kết nối\"]\ncodes = [\"H44.90.01\"]\nparents = [\"pt\"]\n";
    let text = edited(block, "");
    for (decision, stays) in [(Take::File, false), (Take::Ledger, true)] {
        let mut control = control(&[(FILE, PROVINCE)]);
        let plan = plan(&control, &text);
        assert_eq!(
            (changed(&plan), left(&plan)),
            (vec![], vec![("agency/pt.mute".to_owned(), WhyLeft::AgencyGone)])
        );
        assert!(plan.left[0].to_string().contains("closed with a last day"));
        take(&mut control, &text, decision);
        assert_eq!(control.registry().agency(&agency("pt.mute")).is_some(), stays);
        assert_eq!(
            super::plan_import(&control, FILE, &text),
            Ok(Import::default()),
            "it is not asked again"
        );
    }
}

#[test]
fn an_object_that_moves_to_another_file_belongs_to_that_one() {
    let block = "[[agency]]\nid = \"pt.mute\"\nkind = \"unit\"\nnames = [\"Đơn vị chưa kết nối\"]\ncodes = [\"H44.90.01\"]\nparents = [\"pt\"]\n";
    let (rest, moved) = (edited(block, ""), format!("format = 1\n{block}"));
    let mut control = control(&[(FILE, PROVINCE)]);
    import(&mut control, "units.toml", &moved);
    assert_eq!(plan(&control, &rest), Import::default());
    assert_eq!(import(&mut control, "units.toml", &moved.replace("chưa", "đã")), 1);
    // Both files name it: the one that did not speak last asks before it overrules the other.
    let both = edited("Đơn vị chưa kết nối", "Đơn vị mới");
    assert_eq!(
        left(&plan(&control, &both)),
        [("agency/pt.mute".to_owned(), WhyLeft::ChangedElsewhere)]
    );
}

#[test]
fn a_file_that_would_contradict_the_registry_is_refused_with_its_lines() {
    let control = control(&[(FILE, PROVINCE)]);
    let text = "format = 1\n[[agency]]\nid = \"thief\"\nkind = \"unit\"\nnames = [\"T\"]\nparents = [\"nobody\"]\n\
                codes = [\"H44.15\",\n  \"H44.14\"]\n";
    let errors = plan_import(&control, "other.toml", text).unwrap_err();
    let found: Vec<_> = errors
        .iter()
        .map(|error| (error.line, error.path.as_str(), error.code.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (6, "agency[0].parents[0]", "CONFIG_REFERENCE"),
            (8, "agency[0].codes[1]", "CONFIG_CODE_HELD_TWICE")
        ]
    );
    // What contradicts may stand in another file.
    let (text, _) = PROVINCE.split_once("[[connector]]").unwrap();
    let mut control = self::control(&[(FILE, text)]);
    let connector = "format = 1\n[[connector]]\nid = \"c\"\nsystem = \"office\"\nadapter = \"x\"\nmode = \"push\"\n";
    import(&mut control, "connectors.toml", connector);
    let gone = text.replace("id = \"office\"", "id = \"bureau\"");
    let errors = plan_import(&control, FILE, &gone).unwrap_err();
    assert_eq!(
        (errors[0].path.as_str(), errors[0].code.as_str()),
        ("connector/c system", "CONFIG_REFERENCE")
    );
}

/// A file of so many units, each under a later one and all but the last followed by the last.
fn chain(length: usize, padding: usize) -> String {
    let mut text = "format = 1\n".to_owned();
    for at in 0..length {
        text += &format!(
            "[[agency]]\nid = \"u{at}\"\nkind = \"unit\"\nnames = [\"{}\"]\n",
            "x".repeat(padding)
        );
        if at + 1 < length {
            text += &format!("to = 2025-06-30\nsuccessors = [\"u{}\"]\n", length - 1);
            text += &format!("parents = [\"u{}\"]\n", (at + 45).min(length - 1));
        }
    }
    text
}

#[test]
fn a_large_file_becomes_several_change_sets_that_stand_one_after_the_other() {
    let text = chain(900, 590);
    let mut control = Control::default();
    let plan = plan(&control, &text);
    assert!(plan.change_sets.len() > 2, "{}", plan.change_sets.len());
    assert!(
        plan.change_sets
            .iter()
            .all(|set| set.bytes.len() <= CHANGE_SET_MAX_BYTES)
    );
    assert!(
        plan.change_sets[0].bytes.len() > CHANGE_SET_MAX_BYTES / 2,
        "no more sets than needed"
    );
    assert_eq!(plan.change_sets.iter().map(|set| set.objects).sum::<usize>(), 900);
    for set in &plan.change_sets {
        apply(&mut control, &set.bytes).unwrap();
    }
    assert_eq!(self::plan(&control, &text), Import::default());
    // A stop in between is made good by the next import.
    let mut half = Control::default();
    apply(&mut half, &plan.change_sets[0].bytes).unwrap();
    let rest = self::plan(&half, &text);
    assert_eq!(
        rest.change_sets.iter().map(|set| set.objects).sum::<usize>(),
        900 - plan.change_sets[0].objects
    );
}

#[test]
fn changes_that_cannot_be_cut_are_refused_clearly() {
    // Each agency stands under the next for one day and the last under the first, on days of their own: no circle on any
    // day, but none can come before another.
    let mut text = "format = 1\n".to_owned();
    let length = 600;
    for at in 0..length {
        let on = format!("{}-{:02}-{:02}", 1950 + at / 300, 1 + at / 28 % 10, 1 + at % 28);
        text += &format!(
            "[[agency]]\nid = \"u{at}\"\nkind = \"unit\"\nnames = [\"{}\"]\n",
            "x".repeat(550)
        );
        text += &format!(
            "parents = [{{ is = \"u{}\", from = {on}, to = {on} }}]\n",
            (at + 1) % length
        );
    }
    let errors = plan_import(&Control::default(), FILE, &text).unwrap_err();
    assert_eq!(
        (errors.len(), errors[0].line, errors[0].code.as_str()),
        (1, 1, "CONFIG_TOO_LARGE")
    );
    assert!(errors[0].mend.contains("in several steps"), "{}", errors[0]);
}

#[test]
fn a_grant_that_is_written_for_a_closed_agency_is_refused_and_an_older_one_holds_nothing_up() {
    let grant = |sides: &str| format!("format = 1\n[[grant]]\nid = \"g\"\ncontracts = [\"c/1\"]\n{sides}\n");
    let mut control = control(&[(FILE, PROVINCE)]);
    let heirs = "name its successor `H44.14` instead";
    for (sides, path, says) in [
        (
            "senders = [\"H62.14\"]\naddressees = [\"H44\"]",
            "senders[0]",
            "end the grant by then with `to = 2025-07-31`",
        ),
        (
            "senders = [\"H62.14\"]\naddressees = [\"H44\"]\nto = 2025-08-01",
            "senders[0]",
            heirs,
        ),
        (
            "senders = [\"H44\"]\naddressees = [\"000.00.14.H62\"]",
            "addressees[0]",
            heirs,
        ),
        (
            "senders = [\"H44\"]\naddressees = [\"H62.99\"]\nto = 2025-07-01",
            "addressees[0]",
            "or take the code out",
        ),
    ] {
        let errors = plan_import(&control, "grants.toml", &grant(sides)).unwrap_err();
        let told: Vec<_> = errors
            .iter()
            .map(|error| (error.path.as_str(), error.code.as_str()))
            .collect();
        assert_eq!(
            told,
            [(format!("grant[0].{path}").as_str(), "CONFIG_CLOSED_AGENCY")],
            "{sides}"
        );
        assert!(errors[0].to_string().contains(says), "{}", errors[0]);
    }
    for sides in [
        "senders = [\"H62.14\"]\naddressees = [\"H44\"]\nto = 2025-07-31",
        "senders = [\"H62.*\"]\naddressees = [\"H62.*\"]",
        "senders = [\"H44.10\"]\naddressees = [\"H44.14\"]",
    ] {
        import(&mut control, "grants.toml", &grant(sides));
    }
    // The agency is closed in its file first; who then writes the grant anew is told.
    let closed = edited(
        "from = 2025-07-01\nnames = [\"Sở Tư pháp tỉnh Phú Thọ\"]",
        "from = 2025-07-01\nto = 2026-12-31\nnames = [\"Sở Tư pháp tỉnh Phú Thọ\"]",
    );
    assert_eq!(import(&mut control, FILE, &closed), 1);
    assert_eq!(
        import(
            &mut control.clone(),
            "copy.toml",
            &grant("senders = [\"H44.10\"]\naddressees = [\"H44.14\"]")
        ),
        1,
        "what is there already may be said by another file too"
    );
    let again = grant("senders = [\"H44.10\"]\naddressees = [\"H44.14\"]\nfrom = 2026-01-01");
    let errors = plan_import(&control, "grants.toml", &again).unwrap_err();
    assert_eq!(errors[0].code.as_str(), "CONFIG_CLOSED_AGENCY");
    import(
        &mut control,
        "grants.toml",
        &again.replace("from = 2026-01-01", "to = 2026-12-31"),
    );
}

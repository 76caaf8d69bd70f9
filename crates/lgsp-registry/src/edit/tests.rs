//! People who edit one object each, from the text that they were shown.

use super::*;
use crate::object::Object;
use crate::sample::{PROVINCE, apply, control, import};
use crate::tests::SHIPPED;

fn reference(text: &str) -> ObjectRef {
    ObjectRef::try_from(text.to_owned()).unwrap()
}

fn shown(control: &Control, object: &str) -> String {
    text_to_edit(control, &reference(object)).unwrap()
}

fn edit(control: &mut Control, person: &str, text: &str) -> Result<(), EditError> {
    let set = plan_edit(control, person, text)?;
    apply(control, &set.bytes).unwrap();
    Ok(())
}

#[test]
fn every_object_reads_back_as_it_is_shown() {
    let mut all = control(&[("province.toml", PROVINCE)]);
    let name = r#"[[agency]]
id = "odd"
kind = "unit"
names = ["Đội \"một\" \\ hai"]
codes = [{ is = "H44.77", from = 2020-01-01, to = 2021-12-31 }, "000.00.77.H44"]
mail = "a@b.example"
[[connector]]
id = "slow"
system = "khcn.dms"
adapter = "far"
mode = "push"
retry_waits_ms = [0, 86400000]
receives_for = ["H44.77"]
[[adapter]]
id = "vxp-1"
speaks_as = ["khcn.dms", "tp.dms"]
"#;
    import(&mut all, "odd.toml", &format!("format = 1\n{name}"));
    for mut control in [all, control(&SHIPPED)] {
        let objects: Vec<ObjectRef> = control.heads().cloned().collect();
        assert!(objects.len() > 15);
        for object in objects {
            let text = text_to_edit(&control, &object).unwrap();
            let read = RegistryFile::read_edit("f", &text).unwrap_or_else(|errors| panic!("{text}\n{errors:#?}"));
            let (head, present) = control.head(&object);
            assert_eq!(read.objects.get(&object), present.as_ref(), "{text}");
            assert_eq!(read.predecessor, head);
            assert_eq!(edit(&mut control, "op", &text), Err(EditError::NoNews(object)));
        }
    }
}

#[test]
fn of_two_people_who_edit_one_object_the_second_is_told() {
    let mut control = control(&[("province.toml", PROVINCE)]);
    let (one, other) = (shown(&control, "grant/office"), shown(&control, "grant/office"));
    let one = one.replace("purposes = [\"office\"]", "purposes = [\"office\", \"report\"]");
    let other = format!("{other}to = 2026-12-31\n");
    assert_eq!(edit(&mut control, "op-1", &one), Ok(()));
    let overtaken = EditError::Overtaken(reference("grant/office"));
    assert_eq!(edit(&mut control, "op-2", &other), Err(overtaken));
    let (head, content) = control.head(&reference("grant/office"));
    assert_eq!(control.source(&head.unwrap()), Some(&Source::Person("op-1".to_owned())));
    let Some(Object::Grant(grant)) = content else { panic!() };
    assert_eq!((grant.purposes.len(), grant.to), (2, None));
    // From what it says now the second one's change goes through.
    let again = format!("{}to = 2026-12-31\n", shown(&control, "grant/office"));
    assert_eq!(edit(&mut control, "op-2", &again), Ok(()));
}

#[test]
fn a_new_object_needs_no_predecessor_and_one_that_was_removed_does() {
    let mut control = control(&[("province.toml", PROVINCE)]);
    let grant = "[[grant]]\nid = \"new\"\ncontracts = [\"c/1\"]\nsenders = [\"H44.10\"]\naddressees = [\"H44.14\"]\n";
    let text = format!("format = 1\n{grant}");
    import(&mut control, "one.toml", &text.replace("\"new\"", "\"gone\""));
    import(&mut control, "one.toml", "format = 1\n");
    let gone = EditError::Overtaken(reference("grant/gone"));
    assert_eq!(
        edit(&mut control, "op", &text.replace("\"new\"", "\"gone\"")),
        Err(gone)
    );
    assert_eq!(text_to_edit(&control, &reference("grant/gone")), None);
    assert_eq!(edit(&mut control, "op", &text), Ok(()));
    assert_eq!(
        edit(&mut control, "op", &text.replace("c/1", "c/2")),
        Err(EditError::Overtaken(reference("grant/new")))
    );
}

#[test]
fn what_is_wrong_with_an_edited_object_is_told_with_its_line() {
    let mut control = control(&[("province.toml", PROVINCE)]);
    let text = shown(&control, "grant/office");
    for (old, new, path, code) in [
        (
            "\"H62.*\", \"H44.*\"",
            "\"H62.99\"",
            "grant[0].addressees[0]",
            "CONFIG_CLOSED_AGENCY",
        ),
        (
            "\"H62.*\", \"H44.*\"",
            "\"H99\"",
            "grant[0].addressees[0]",
            "CONFIG_REFERENCE",
        ),
        ("predecessor = \"", "predecessor = \"x", "predecessor", "CONFIG_FIELD"),
        ("purposes", "purpose", "grant[0].purpose", "CONFIG_FIELD"),
        (
            "[[grant]]",
            "[[agency]]\nid = \"x\"\nkind = \"unit\"\nnames = [\"X\"]\n[[grant]]",
            "/",
            "CONFIG_FIELD",
        ),
    ] {
        let Err(EditError::Wrong(errors)) = edit(&mut control, "op", &text.replacen(old, new, 1)) else {
            panic!("{new}")
        };
        assert_eq!(
            (errors[0].path.as_str(), errors[0].code.as_str()),
            (path, code),
            "{errors:#?}"
        );
    }
    // A registry file has no predecessor.
    let errors = RegistryFile::read("f", &text).unwrap_err();
    assert_eq!((errors[0].line, errors[0].path.as_str()), (2, "predecessor"));
}

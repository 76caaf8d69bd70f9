//! Two who change one object at the same moment, and what the control ledger tells of it.

use lgsp_registry::{Change, ChangeSet, ObjectRef, Source};
use lgsp_types::{EventId, Kind, What};

use super::stage::Stage;
use crate::ImportError;

fn grant() -> ObjectRef {
    ObjectRef::try_from("grant/documents".to_owned()).unwrap()
}

#[tokio::test]
async fn of_two_edits_at_the_same_moment_one_is_told_by_whom_it_was_overtaken() {
    let stage = Stage::open().await;
    let (text, made) = stage.spine.object_to_edit(&grant()).unwrap();
    assert_eq!(
        (made.by.as_str(), made.position.as_str()),
        ("file test.toml", "test.control/0/3")
    );
    let [one, other] = ["2199-01-01", "2199-01-02"].map(|day| format!("{text}to = {day}\n"));
    // Both are planned before either is in force.
    let (one, other) = tokio::join!(stage.spine.edit("one", &one), stage.spine.edit("other", &other));
    let (won, lost) = if one.is_ok() { (one, other) } else { (other, one) };
    let won = won.unwrap();
    let Err(ImportError::Overtaken { object, made }) = lost else {
        panic!("{lost:?}")
    };
    assert_eq!((object, *made), (grant(), won.clone()));
    let told = stage.spine.chronicle(Some(&grant())).await.unwrap();
    let told: Vec<_> = told
        .iter()
        .map(|event| (event.made.by.as_str(), event.void.is_some()))
        .collect();
    assert_eq!(told.len(), 3);
    assert_eq!(told[0], ("file test.toml", false));
    assert_eq!(told[1], (won.by.as_str(), false));
    assert!(told[2].1, "the loser's is void, and still told");
    let again = stage.spine.edit("one", &text).await;
    assert!(matches!(again, Err(ImportError::Overtaken { .. })), "{again:?}");
    let (now, _) = stage.spine.object_to_edit(&grant()).unwrap();
    assert!(matches!(
        stage.spine.edit("one", &now).await,
        Err(ImportError::NoNews(_))
    ));
    stage.close().await;
}

#[tokio::test]
async fn a_change_that_was_written_twice_is_in_force_and_told_once() {
    let stage = Stage::open().await;
    let (predecessor, _) = {
        let folded = stage.spine.rules.folded();
        folded.control.head(&grant())
    };
    let set = ChangeSet {
        source: Source::Person("op".to_owned()),
        changes: vec![Change {
            object: grant(),
            predecessor,
            content: None,
            said: None,
        }],
    };
    let change_set = set.to_bytes();
    let event = EventId::of(Kind::Configured, &[&change_set]);
    for _ in 0..2 {
        let what = What::Configured {
            change_set: change_set.clone(),
        };
        stage.spine.configure(event, what).await.unwrap();
        assert_eq!(stage.spine.rules.void(event), None);
    }
    assert!(stage.spine.object_to_edit(&grant()).is_none());
    let told = stage.spine.chronicle(Some(&grant())).await.unwrap();
    let told: Vec<_> = told.iter().map(|event| event.changes[0].change).collect();
    assert_eq!(told, ["new", "removed"]);
    stage.close().await;
}

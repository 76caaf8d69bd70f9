//! A million rows stay fast: no question reads a table from one end to the other, and none sorts more than it answers.

use lgsp_types::{DocumentDate, UnixMs};
use rusqlite::{Connection, StatementStatus};

use super::facts::{Shelf, agency};
use crate::life::{DutyKind, Stand};
use crate::rows::Filter;
use crate::sqlite::pool::{self, Access};
use crate::sqlite::{filed, list, lives, read, report, sayings, search};

/// Every question that a store is asked.
const QUESTIONS: [&str; 35] = [
    read::ACCEPTED,
    read::MESSAGE,
    read::DOCUMENTS,
    read::OBJECTS,
    read::DELIVERY,
    read::DEAD,
    read::DELIVERY_IDS,
    read::EVENTS,
    read::LOGGED,
    list::PLACES,
    list::LISTED,
    list::PLACE,
    list::DEAD_BEFORE,
    list::SET_MARK,
    search::NAMING,
    search::RELATIONS,
    search::MESSAGE_OF,
    report::PENDING,
    report::REFUSALS,
    report::FINDINGS,
    report::NAMED,
    report::DIGESTS,
    sayings::KEYS_OF,
    sayings::NATURALLY,
    sayings::ACTED_ON,
    lives::SAID,
    lives::SAID_NATURALLY,
    lives::ANSWERED,
    lives::TO,
    lives::HANDED,
    lives::FILED,
    lives::LIVES,
    lives::REPLACED,
    lives::ELSEWHERE,
    filed::LAST,
];

fn plan(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let holes = statement.parameter_count();
    let lines = statement.query_map(rusqlite::params_from_iter(vec![""; holes]), |row| row.get("detail"));
    lines.unwrap().collect::<rusqlite::Result<_>>().unwrap()
}

#[tokio::test]
async fn every_question_is_answered_through_an_index() {
    let shelf = Shelf::new(1);
    shelf.open().await;
    let connection = Connection::open(shelf.path()).unwrap();
    for sql in QUESTIONS {
        let plan = plan(&connection, sql);
        let through_all = |line: &&String| line.starts_with("SCAN") && !line.contains("USING");
        assert_eq!(plan.iter().find(through_all), None, "{sql}");
        let sorts = plan.iter().any(|line| line.contains("TEMP B-TREE FOR ORDER BY"));
        // What refers to one document is little, and has to be put in order.
        assert!(
            !sorts || [search::NAMING, search::RELATIONS].contains(&sql),
            "{sql}: {plan:?}"
        );
    }
}

#[tokio::test]
async fn a_receivers_list_is_read_from_the_index_of_what_is_listed() {
    let shelf = Shelf::new(1);
    shelf.open().await;
    let connection = Connection::open(shelf.path()).unwrap();
    let plan = plan(&connection, list::PLACES);
    assert!(
        plan[0].contains("COVERING INDEX delivery_listed") && plan[0].contains("agency=?"),
        "{plan:?}"
    );
    assert!(
        plan[0].contains("accepted_ms,at_partition,at_offset,ordinal)>"),
        "{plan:?}"
    );
    // What may stand behind a dead letter is held against all of them at once.
    assert!(plan.contains(&String::from("MATERIALIZE dead")), "{plan:?}");
    assert!(
        plan.iter().any(|line| line.contains("SEARCH dead USING AUTOMATIC")),
        "{plan:?}"
    );
}

#[tokio::test]
async fn a_question_that_is_asked_again_is_not_planned_again() {
    let shelf = Shelf::new(1);
    shelf.open().await;
    let access = Access::Write { pages_max: None };
    let connection = pool::connect(&shelf.path(), access).unwrap();
    for sql in QUESTIONS {
        let mut statement = connection.prepare(sql).unwrap();
        for value in ["1", "2", "3"] {
            let values = vec![value; statement.parameter_count()];
            let mut rows = statement.query(rusqlite::params_from_iter(values)).unwrap();
            // Some take no text where they count: they are planned all the same.
            drop(rows.next());
        }
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0, "{sql}");
    }
}

/// Everything that can be asked for, one by one and all together.
fn filters() -> Vec<Filter> {
    let (all, none) = (
        Filter {
            number: Some(String::from("12")),
            notation: Some(String::from("qd ubnd")),
            agencies: vec![agency("a"), agency("b")],
            from_ms: Some(UnixMs(1)),
            before_ms: Some(UnixMs(2)),
            dated: Some(DocumentDate::parse("2026/01/05").unwrap()),
            stand: Some(Stand::Done),
            late: DutyKind::ALL.iter().map(|kind| (*kind, UnixMs(1))).collect(),
            words: String::from("do thi"),
        },
        Filter::default(),
    );
    vec![
        none.clone(),
        Filter {
            number: all.number.clone(),
            ..none.clone()
        },
        Filter {
            notation: all.notation.clone(),
            ..none.clone()
        },
        Filter {
            agencies: all.agencies.clone(),
            ..none.clone()
        },
        Filter {
            from_ms: all.from_ms,
            before_ms: all.before_ms,
            ..none.clone()
        },
        Filter {
            dated: all.dated,
            ..none.clone()
        },
        Filter {
            stand: all.stand,
            ..none.clone()
        },
        Filter {
            late: all.late.clone(),
            ..none.clone()
        },
        Filter {
            words: all.words.clone(),
            ..none.clone()
        },
        Filter {
            words: all.words.clone(),
            number: None,
            ..all.clone()
        },
        Filter {
            words: String::new(),
            number: None,
            dated: None,
            notation: None,
            ..all.clone()
        },
        all,
    ]
}

#[tokio::test]
async fn a_search_begins_with_what_is_narrowest_and_stops_when_the_page_is_full() {
    let shelf = Shelf::new(1);
    shelf.open().await;
    let connection = Connection::open(shelf.path()).unwrap();
    let shapes = filed::shapes(&filters());
    assert!(shapes.len() >= filters().len());
    for sql in shapes {
        let plan = plan(&connection, &sql);
        let narrow = ["SEARCH", "SCAN words VIRTUAL TABLE INDEX"];
        let newest = sql.contains(" FROM filed f WHERE 1 ") && plan[0].contains("f");
        assert!(
            newest || narrow.iter().any(|begin| plan[0].starts_with(begin)),
            "{sql}: {plan:?}"
        );
        assert!(!plan.iter().any(|line| line.contains("TEMP B-TREE")), "{sql}: {plan:?}");
    }
}

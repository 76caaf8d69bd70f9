//! A million rows stay fast: no question reads a table from one end to the other, and none sorts more than it answers.

use rusqlite::{Connection, StatementStatus};

use super::facts::Shelf;
use crate::sqlite::pool::{self, Access};
use crate::sqlite::{list, read, report, search};

/// Every question that a store is asked.
const QUESTIONS: [&str; 22] = [
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

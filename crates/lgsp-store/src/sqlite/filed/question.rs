//! The question for documents: by number, notation, agency, time, date, state, lateness and words; the latest first.
//!
//! It begins with what is narrowest, and reads that from the latest on through an index, so that a page costs what a page
//! holds; the rest is looked up row by row.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use lgsp_types::{AgencyId, DocumentDate, MsgId, UnixMs};
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use super::NUMBER_BITS;
use crate::life::DutyKind;
use crate::rows::{FiledPage, FiledRow, Filter};
use crate::sqlite::lives;
use crate::sqlite::values::{msg_id, number};

/// What a question begins with: the narrowest of what is asked for, read from the latest on.
struct Source {
    /// What stands behind FROM, the column that holds the `filed_id`, and what has to hold there.
    from: &'static str,
    id: &'static str,
    is: &'static str,
    values: Vec<Value>,
}

impl Source {
    fn new(from: &'static str, id: &'static str, is: &'static str, values: Vec<Value>) -> Self {
        Self { from, id, is, values }
    }
}

/// [`crate::Store::search`].
pub(in crate::sqlite) fn search(
    connection: &Connection,
    filter: &Filter,
    after: Option<u64>,
    limit: u32,
) -> rusqlite::Result<FiledPage> {
    let mut found = BTreeMap::new();
    for source in sources(filter) {
        let asked = question(filter, source, after, limit.saturating_add(1));
        let mut statement = connection.prepare_cached(&asked.sql)?;
        let mut rows = statement.query(params_from_iter(asked.values))?;
        while let Some(row) = rows.next()? {
            let id: i64 = row.get("filed_id")?;
            found.insert(Reverse(id), Found::read(row)?);
        }
    }
    let more = found.len() > limit as usize;
    let page: Vec<_> = found.into_iter().take(limit as usize).collect();
    let last = page.last().and_then(|(id, _)| u64::try_from(id.0).ok());
    let found = page.into_iter().map(|(_, found)| found.told(connection));
    Ok(FiledPage {
        next: last.filter(|_| more),
        found: found.collect::<rusqlite::Result<_>>()?,
    })
}

struct Found {
    msg_id: MsgId,
    key: String,
    title: String,
}

impl Found {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            msg_id: msg_id(row)?,
            key: row.get("doc_key")?,
            title: row.get("title")?,
        })
    }

    fn told(self, connection: &Connection) -> rusqlite::Result<FiledRow> {
        let life = if self.key.is_empty() {
            None
        } else {
            Some(lives::life_of(connection, &self.key)?)
        };
        Ok(FiledRow {
            msg_id: self.msg_id,
            title: self.title,
            life,
        })
    }
}

/// Several are read one after the other and put together.
fn sources(filter: &Filter) -> Vec<Source> {
    let filed = |is, value: &str| vec![Source::new("filed f", "f.filed_id", is, vec![text(value)])];
    if let Some(number) = &filter.number {
        return filed("f.number = ?", number);
    }
    if !filter.words.is_empty() {
        let from = "words CROSS JOIN filed f ON f.filed_id = words.rowid";
        let values = vec![text(&matching(&filter.words))];
        return vec![Source::new(from, "words.rowid", "words MATCH ?", values)];
    }
    if let Some(dated) = filter.dated {
        return filed("f.dated = ?", &dated.iso_text());
    }
    if let Some(notation) = &filter.notation {
        return filed("f.notation = ?", notation);
    }
    if !filter.agencies.is_empty() {
        let from = "party p CROSS JOIN filed f ON f.filed_id = p.filed_id";
        let of = |agency: &AgencyId| vec![text(agency.as_str())];
        let agencies = filter.agencies.iter();
        return agencies
            .map(|agency| Source::new(from, "p.filed_id", "p.agency = ?", of(agency)))
            .collect();
    }
    if let Some(stand) = filter.stand {
        let from = "life l CROSS JOIN filed f ON f.filed_id = l.filed_id";
        return vec![Source::new(from, "l.filed_id", "l.stand = ?", vec![text(stand.name())])];
    }
    if !filter.late.is_empty() {
        let from = "waiting t CROSS JOIN filed f ON f.filed_id = t.filed_id";
        let late = filter.late.iter();
        let of = |(kind, before): &(DutyKind, UnixMs)| vec![text(kind.name()), whole(before.0)];
        return late
            .map(|late| Source::new(from, "t.filed_id", "t.duty = ? AND t.since_ms < ?", of(late)))
            .collect();
    }
    vec![Source::new("filed f", "f.filed_id", "1", Vec::new())]
}

/// A question while it is being put together.
struct Question {
    sql: String,
    /// In the order of the holes.
    values: Vec<Value>,
}

impl Question {
    fn and(&mut self, condition: &str, values: impl IntoIterator<Item = Value>) {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
        self.values.extend(values);
    }
}

/// What the source asks for already is asked again: it holds.
fn question(filter: &Filter, source: Source, after: Option<u64>, limit: u32) -> Question {
    let Source { from, id, is, values } = source;
    let sql = format!("SELECT {id} AS filed_id, f.msg_id, f.doc_key, f.title FROM {from} WHERE {is}");
    let mut question = Question { sql, values };
    let at = |ms: UnixMs| Value::Integer(number(ms.0).saturating_mul(1 << NUMBER_BITS));
    let bounds = [
        ("<", after.map(whole)),
        (">=", filter.from_ms.map(at)),
        ("<", filter.before_ms.map(at)),
    ];
    for (relation, bound) in bounds {
        if let Some(bound) = bound {
            question.and(&format!("{id} {relation} ?"), [bound]);
        }
    }
    let columns = [
        ("f.number = ?", filter.number.clone()),
        ("f.notation = ?", filter.notation.clone()),
        ("f.dated = ?", filter.dated.map(DocumentDate::iso_text)),
    ];
    for (condition, value) in columns {
        question.and_if(condition, value.map(Value::Text));
    }
    if !(filter.words.is_empty() || from.starts_with("words")) {
        let condition = "EXISTS (SELECT 1 FROM words WHERE words MATCH ? AND words.rowid = f.filed_id)";
        question.and(condition, [text(&matching(&filter.words))]);
    }
    question.at_agencies(filter);
    // Several addressees of one document are one row.
    let several = from.starts_with("life") || from.starts_with("waiting");
    let group = if several { " GROUP BY 1" } else { "" };
    question.sql.push_str(&format!("{group} ORDER BY {id} DESC LIMIT ?"));
    question.values.push(Value::Integer(limit.into()));
    question
}

impl Question {
    fn and_if(&mut self, condition: &str, value: Option<Value>) {
        if let Some(value) = value {
            self.and(condition, [value]);
        }
    }

    /// Agency, state and lateness. Of an agency that sent the document everybody's state counts, of an addressee its own.
    fn at_agencies(&mut self, filter: &Filter) {
        let agencies: Vec<Value> = filter.agencies.iter().map(|agency| text(agency.as_str())).collect();
        let holes = vec!["?"; agencies.len()].join(", ");
        let mut whose = (String::new(), Vec::new());
        if !agencies.is_empty() {
            let at = format!("EXISTS (SELECT 1 FROM party p WHERE p.agency IN ({holes}) AND p.filed_id = f.filed_id)");
            self.and(&at, agencies.clone());
            let own = format!(" AND (o.agency IN ({holes}) OR f.sender IN ({holes}))");
            whose = (own, [agencies.clone(), agencies].concat());
        }
        let (own, of_whom) = whose;
        let of_document = "o.doc_key = f.doc_key AND o.filed_id = f.filed_id";
        if let Some(stand) = filter.stand {
            let stands = format!("EXISTS (SELECT 1 FROM life o WHERE {of_document} AND o.stand = ?{own})");
            self.and(&stands, [text(stand.name())].into_iter().chain(of_whom.clone()));
        }
        if !filter.late.is_empty() {
            let each = vec!["(o.duty = ? AND o.since_ms < ?)"; filter.late.len()].join(" OR ");
            let late = format!("EXISTS (SELECT 1 FROM waiting o WHERE {of_document} AND ({each}){own})");
            let values = filter
                .late
                .iter()
                .flat_map(|(kind, before)| [text(kind.name()), whole(before.0)]);
            self.and(&late, values.chain(of_whom));
        }
    }
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

fn whole(value: u64) -> Value {
    Value::Integer(number(value))
}

/// All of these words, each as it is: folded words have letters and digits only.
fn matching(words: &str) -> String {
    let quoted: Vec<String> = words.split(' ').map(|word| format!("\"{word}\"")).collect();
    quoted.join(" ")
}

/// Every shape that a question can have, for the test of their plans.
#[cfg(test)]
pub(in crate::sqlite) fn shapes(filters: &[Filter]) -> Vec<String> {
    let of = |filter: &Filter| -> Vec<String> {
        let sources = sources(filter).into_iter();
        sources
            .map(|source| question(filter, source, Some(1), 10).sql)
            .collect()
    };
    filters.iter().flat_map(of).collect()
}

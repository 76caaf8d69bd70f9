//! What every ledger has to pass: named cases over the trait alone; a case that fails panics with its name and why.

mod answers;
mod trouble;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::timeout;

use crate::ledger::{Append, Appended, Entry, Ledger, ReadLimit};

pub use trouble::{Count, Trouble, holds, write};

/// A case that takes longer is stuck.
const CASE_MAX: Duration = Duration::from_secs(120);
const PARTITIONS: u32 = 3;
const SMALL: ReadLimit = ReadLimit {
    entries: 7,
    bytes: 64 * 1024,
};

/// What a ledger may do that the strictest does not; each is a promise less.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leeway {
    /// After trouble a record may be in the log more than once (reliability.md 2.5).
    pub copies: bool,
    /// That there is no room is told as "not ready".
    pub full_is_not_ready: bool,
}

/// Makes the ledgers that the cases run on, and lets things befall them.
#[async_trait]
pub trait Bench: Send + Sync {
    /// A ledger with so many partitions and nothing in it.
    async fn fresh(&self, partitions: u32) -> Arc<dyn Ledger>;

    /// Closes the ledger that `fresh` made last, of which `ledger` is the only handle, and opens it again.
    async fn reopen(&self, ledger: Arc<dyn Ledger>) -> Arc<dyn Ledger>;

    /// Closes the ledger as `reopen` does, lets [`write`] append to it in a process of its own until `trouble` has come,
    /// and opens it again where there is room and no trouble. Answers every line that [`write`] said.
    ///
    /// # Panics
    /// When the process was killed elsewhere than in the middle of a group.
    async fn suffer(&self, ledger: Arc<dyn Ledger>, trouble: Trouble) -> (Vec<String>, Arc<dyn Ledger>);

    /// Closes the ledger as `reopen` does, changes one bit of the record at `offset` of partition 0 where it is stored,
    /// and opens it again; `None` when the ledger says that it is damaged and does not start. Answers with it the first
    /// offset that cannot be verified any more: a ledger that has one sum for many records loses all of them.
    async fn damage(&self, ledger: Arc<dyn Ledger>, offset: u64) -> Option<(Arc<dyn Ledger>, u64)>;

    /// What this ledger may do that the strictest does not.
    fn leeway(&self) -> Leeway {
        Leeway::default()
    }
}

type Case<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Runs every case on fresh ledgers of its own.
///
/// # Panics
/// When the ledger does not behave as exchange.md section 7 says; the text begins with the name of the case.
pub async fn run(bench: &dyn Bench) {
    let cases: [(&str, Case<'_>); 17] = [
        ("a new ledger is empty", Box::pin(answers::a_new_ledger_is_empty(bench))),
        (
            "offsets are dense",
            Box::pin(answers::offsets_are_dense_under_many_appenders(bench)),
        ),
        (
            "order is kept",
            Box::pin(answers::each_appender_finds_its_records_in_its_order(bench)),
        ),
        (
            "dense prefix",
            Box::pin(answers::reading_while_writing_sees_a_dense_prefix(bench)),
        ),
        ("grown wakes", Box::pin(answers::whoever_waits_is_woken(bench))),
        (
            "grown is cancel safe",
            Box::pin(answers::a_dropped_wait_loses_nothing(bench)),
        ),
        (
            "dropped append",
            Box::pin(answers::a_dropped_append_is_in_the_log_once_or_not_at_all(bench)),
        ),
        (
            "too large",
            Box::pin(answers::a_record_too_large_is_refused_and_poisons_nobody(bench)),
        ),
        (
            "no such partition",
            Box::pin(answers::an_unknown_partition_is_refused(bench)),
        ),
        ("past the end", Box::pin(answers::reading_past_the_end_is_empty(bench))),
        ("limits", Box::pin(answers::limits_are_respected(bench))),
        ("any bytes", Box::pin(answers::any_bytes_come_back_as_they_were(bench))),
        ("reopening", Box::pin(answers::reopening_gives_the_same_records(bench))),
        (
            "killed",
            Box::pin(trouble::a_kill_in_the_middle_of_a_group_loses_nothing_acknowledged(
                bench,
            )),
        ),
        ("unsure", Box::pin(trouble::unknown_is_there_once_or_not_at_all(bench))),
        (
            "full",
            Box::pin(trouble::a_full_ledger_refuses_and_goes_on_when_there_is_room(bench)),
        ),
        ("damaged", Box::pin(trouble::a_damaged_record_is_never_answered(bench))),
    ];
    for (name, case) in cases {
        if timeout(CASE_MAX, case).await.is_err() {
            panic!("{name}: not done after {CASE_MAX:?}");
        }
    }
}

async fn all(ledger: &Arc<dyn Ledger>, partition: u32) -> Vec<Entry> {
    let mut entries = Vec::new();
    loop {
        let more = read(ledger, partition, entries.len() as u64, SMALL).await;
        if more.is_empty() {
            return entries;
        }
        entries.extend(more);
    }
}

async fn appended(ledger: &Arc<dyn Ledger>, partition: u32, record: Bytes) -> Appended {
    match ledger.append(partition, record).await {
        Append::Appended(appended) => appended,
        other @ (Append::Refused(_) | Append::Unknown) => panic!("append to partition {partition}: {other:?}"),
    }
}

async fn read(ledger: &Arc<dyn Ledger>, partition: u32, from: u64, limit: ReadLimit) -> Vec<Entry> {
    let read = ledger.read(partition, from, limit).await;
    read.unwrap_or_else(|error| panic!("read partition {partition} from {from}: {error:?}"))
}

async fn end(ledger: &Arc<dyn Ledger>, partition: u32) -> u64 {
    ledger
        .end(partition)
        .await
        .unwrap_or_else(|error| panic!("end of partition {partition}: {error:?}"))
}

async fn grown(ledger: &Arc<dyn Ledger>, partition: u32, past: u64) -> u64 {
    let grown = ledger.grown(partition, past).await;
    grown.unwrap_or_else(|error| panic!("wait for partition {partition} to grow past {past}: {error:?}"))
}

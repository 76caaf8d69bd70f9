//! What a ledger answers while nothing goes wrong, and to callers that ask for what cannot be had.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{Bench, PARTITIONS, SMALL, all, appended, end, grown, read};
use crate::ledger::{Append, Entry, Ledger, RECORD_BYTES_MAX, ReadError, ReadLimit, Refusal};

const APPENDERS: u32 = 64;
const APPENDS_EACH: u32 = 20;

pub(super) async fn a_new_ledger_is_empty(bench: &dyn Bench) {
    let ledger = bench.fresh(PARTITIONS).await;
    assert_eq!(
        ledger.partitions(),
        PARTITIONS,
        "a new ledger is empty: number of partitions"
    );
    for partition in 0..PARTITIONS {
        assert_eq!(
            end(&ledger, partition).await,
            0,
            "a new ledger is empty: end of partition {partition}"
        );
        assert_eq!(
            all(&ledger, partition).await,
            [],
            "a new ledger is empty: records of partition {partition}"
        );
    }
}

/// The record of one appender's nth append, not all of one size.
fn record(appender: u32, nth: u32) -> Bytes {
    let mut record = format!("{appender}/{nth}/").into_bytes();
    record.resize(record.len() + (nth as usize * 97) % 700, b'.');
    Bytes::from(record)
}

/// Everybody appends to all partitions in turn; answers partition -> offset -> record as it was acknowledged.
async fn append_from_many(ledger: &Arc<dyn Ledger>) -> BTreeMap<u32, BTreeMap<u64, Bytes>> {
    let mut appenders = JoinSet::new();
    for appender in 0..APPENDERS {
        let ledger = Arc::clone(ledger);
        appenders.spawn(async move {
            let mut mine = Vec::new();
            for nth in 0..APPENDS_EACH {
                let (partition, record) = ((appender + nth) % PARTITIONS, record(appender, nth));
                mine.push((
                    partition,
                    appended(&ledger, partition, record.clone()).await.offset,
                    record,
                ));
            }
            mine
        });
    }
    let mut acknowledged = BTreeMap::<u32, BTreeMap<u64, Bytes>>::new();
    for (partition, offset, record) in appenders.join_all().await.into_iter().flatten() {
        let twice = acknowledged.entry(partition).or_default().insert(offset, record);
        assert_eq!(
            twice, None,
            "offsets are dense: two records got offset {offset} of partition {partition}"
        );
    }
    acknowledged
}

pub(super) async fn offsets_are_dense_under_many_appenders(bench: &dyn Bench) {
    let ledger = bench.fresh(PARTITIONS).await;
    for (partition, acknowledged) in append_from_many(&ledger).await {
        let records = acknowledged.len() as u64;
        assert!(
            acknowledged.keys().copied().eq(0..records),
            "offsets are dense: a gap in what was acknowledged"
        );
        assert_eq!(
            end(&ledger, partition).await,
            records,
            "offsets are dense: the end of partition {partition}"
        );
        let read = all(&ledger, partition)
            .await
            .into_iter()
            .map(|entry| (entry.offset, entry.record));
        assert!(
            read.eq(acknowledged),
            "offsets are dense: read is not what was acknowledged, partition {partition}"
        );
    }
}

pub(super) async fn each_appender_finds_its_records_in_its_order(bench: &dyn Bench) {
    let ledger = bench.fresh(PARTITIONS).await;
    append_from_many(&ledger).await;
    for partition in 0..PARTITIONS {
        let mut last = BTreeMap::<u32, u32>::new();
        for entry in all(&ledger, partition).await {
            let text = String::from_utf8_lossy(&entry.record).into_owned();
            let mut parts = text.split('/').map_while(|part| part.parse::<u32>().ok());
            let (Some(appender), Some(nth)) = (parts.next(), parts.next()) else {
                panic!(
                    "order is kept: a record that nobody appended at {partition}/{}",
                    entry.offset
                );
            };
            let before = last.insert(appender, nth);
            assert!(
                before.is_none_or(|before| before < nth),
                "order is kept: {nth} after {before:?} of {appender}"
            );
        }
    }
}

pub(super) async fn reading_while_writing_sees_a_dense_prefix(bench: &dyn Bench) {
    let ledger = bench.fresh(PARTITIONS).await;
    let total = u64::from(APPENDERS * APPENDS_EACH);
    let mut readers = JoinSet::new();
    for partition in 0..PARTITIONS {
        let ledger = Arc::clone(&ledger);
        readers.spawn(async move {
            let mut seen = Vec::new();
            // Record `last` of partition 0 tells every reader through its own end that the writing is over.
            while seen.last().is_none_or(|entry: &Entry| entry.record != "last") {
                let next = seen.len() as u64;
                grown(&ledger, partition, next).await;
                let entries = read(&ledger, partition, next, SMALL).await;
                assert!(
                    !entries.is_empty(),
                    "dense prefix: grown past {next}, but nothing to read"
                );
                let offsets = entries.iter().map(|entry| entry.offset);
                assert!(
                    offsets.eq(next..next + entries.len() as u64),
                    "dense prefix: a gap after {next}"
                );
                seen.extend(entries);
            }
            seen
        });
    }
    append_from_many(&ledger).await;
    for partition in 0..PARTITIONS {
        appended(&ledger, partition, Bytes::from_static(b"last")).await;
    }
    let mut counted = 0;
    for seen in readers.join_all().await {
        counted += seen.len() as u64;
    }
    assert_eq!(
        counted,
        total + u64::from(PARTITIONS),
        "dense prefix: records seen by the readers"
    );
}

pub(super) async fn whoever_waits_is_woken(bench: &dyn Bench) {
    let ledger = bench.fresh(2).await;
    let mut waiting = JoinSet::new();
    for past in 0..5 {
        let ledger = Arc::clone(&ledger);
        waiting.spawn(async move {
            let end = grown(&ledger, 1, past).await;
            assert!(
                end > past,
                "grown wakes: woken at {end} although it waits for more than {past}"
            );
        });
    }
    appended(&ledger, 0, Bytes::from_static(b"of another partition")).await;
    for nth in 0..5 {
        assert_eq!(end(&ledger, 1).await, nth, "grown wakes: the end before append {nth}");
        appended(&ledger, 1, Bytes::from_static(b"one")).await;
    }
    waiting.join_all().await;
    assert_eq!(
        grown(&ledger, 1, 2).await,
        5,
        "grown wakes: what is there already is answered at once"
    );
}

pub(super) async fn a_dropped_wait_loses_nothing(bench: &dyn Bench) {
    let ledger = bench.fresh(1).await;
    for past in 0..3 {
        let dropped = timeout(Duration::ZERO, ledger.grown(0, past)).await;
        assert!(
            dropped.is_err(),
            "grown is cancel safe: answered before there was anything"
        );
        appended(&ledger, 0, Bytes::from_static(b"one")).await;
        assert_eq!(
            grown(&ledger, 0, past).await,
            past + 1,
            "grown is cancel safe: after a dropped wait"
        );
    }
}

pub(super) async fn a_dropped_append_is_in_the_log_once_or_not_at_all(bench: &dyn Bench) {
    let ledger = bench.fresh(1).await;
    for nth in 0..20 {
        // Answered in time or not: what counts is that nobody waits for the answer any more.
        drop(timeout(Duration::ZERO, ledger.append(0, record(0, nth))).await);
    }
    appended(&ledger, 0, Bytes::from_static(b"last")).await;
    let log: Vec<_> = all(&ledger, 0).await.into_iter().map(|entry| entry.record).collect();
    let (last, dropped) = log
        .split_last()
        .unwrap_or_else(|| panic!("dropped append: nothing in the log"));
    assert_eq!(last, "last", "dropped append: something came after the last");
    let mut known = (0..20).map(|nth| record(0, nth));
    for found in dropped {
        assert!(
            known.any(|record| record == *found),
            "dropped append: {found:?} is there twice, late or changed"
        );
    }
}

pub(super) async fn a_record_too_large_is_refused_and_poisons_nobody(bench: &dyn Bench) {
    let ledger = bench.fresh(1).await;
    let (largest, larger) = (
        Bytes::from(vec![7; RECORD_BYTES_MAX]),
        Bytes::from(vec![7; RECORD_BYTES_MAX + 1]),
    );
    let mut others = JoinSet::new();
    for nth in 0..16 {
        let ledger = Arc::clone(&ledger);
        others.spawn(async move { appended(&ledger, 0, record(0, nth)).await });
    }
    let refused = ledger.append(0, larger).await;
    assert_eq!(
        refused,
        Append::Refused(Refusal::TooLarge),
        "too large: one byte over the limit"
    );
    others.join_all().await;
    assert_eq!(end(&ledger, 0).await, 16, "too large: appended beside it");
    let offset = appended(&ledger, 0, largest.clone()).await.offset;
    let back = read(&ledger, 0, offset, SMALL).await;
    assert!(
        back.iter().map(|entry| &entry.record).eq([&largest]),
        "too large: the largest record comes back"
    );
}

pub(super) async fn an_unknown_partition_is_refused(bench: &dyn Bench) {
    let ledger = bench.fresh(2).await;
    for partition in [2, 3, u32::MAX] {
        let append = ledger.append(partition, Bytes::from_static(b"lost")).await;
        assert_eq!(
            append,
            Append::Refused(Refusal::NoSuchPartition),
            "no such partition: append to {partition}"
        );
        let answers = [
            ledger.read(partition, 0, SMALL).await.map(drop),
            ledger.end(partition).await.map(drop),
            ledger.grown(partition, 0).await.map(drop),
        ];
        for answer in answers {
            let named = matches!(answer, Err(ReadError::NoSuchPartition { partition: named }) if named == partition);
            assert!(named, "no such partition: {answer:?} for {partition}");
        }
    }
    assert_eq!(
        end(&ledger, 0).await + end(&ledger, 1).await,
        0,
        "no such partition: something was appended"
    );
}

pub(super) async fn reading_past_the_end_is_empty(bench: &dyn Bench) {
    let ledger = bench.fresh(1).await;
    for nth in 0..3 {
        appended(&ledger, 0, record(0, nth)).await;
    }
    for from in [3, 4, 1_000, i64::MAX.unsigned_abs(), u64::MAX] {
        assert_eq!(read(&ledger, 0, from, SMALL).await, [], "past the end: from {from}");
    }
}

pub(super) async fn limits_are_respected(bench: &dyn Bench) {
    let ledger = bench.fresh(1).await;
    for nth in 0..10 {
        appended(&ledger, 0, Bytes::from(vec![nth; 100])).await;
    }
    let cases = [
        // entries, bytes, from -> records
        (0, 10_000, 0, 0),
        (1, 10_000, 0, 1),
        (4, 10_000, 3, 4),
        (100, 10_000, 3, 7),
        (100, 299, 0, 2),
        (100, 300, 0, 3),
        (100, 99, 5, 1),
        (100, 0, 5, 1),
        (usize::MAX, usize::MAX, 0, 10),
    ];
    for (entries, bytes, from, expected) in cases {
        let read = read(&ledger, 0, from, ReadLimit { entries, bytes }).await;
        let offsets: Vec<_> = read.iter().map(|entry| entry.offset).collect();
        let expected: Vec<_> = (from..from + expected).collect();
        assert_eq!(
            offsets, expected,
            "limits: {entries} entries, {bytes} bytes, from {from}"
        );
    }
}

pub(super) async fn any_bytes_come_back_as_they_were(bench: &dyn Bench) {
    let ledger = bench.fresh(1).await;
    let every_byte: Vec<u8> = (0..=255).collect();
    let records = [
        Vec::new(),
        vec![0],
        vec![0; 5_000],
        every_byte,
        b"\xEF\xBB\xBF\xFF';--\n".to_vec(),
    ];
    for record in &records {
        appended(&ledger, 0, Bytes::from(record.clone())).await;
    }
    let back: Vec<_> = all(&ledger, 0)
        .await
        .into_iter()
        .map(|entry| Vec::from(entry.record))
        .collect();
    assert_eq!(back, records, "any bytes: they came back otherwise");
}

pub(super) async fn reopening_gives_the_same_records(bench: &dyn Bench) {
    let mut ledger = bench.fresh(PARTITIONS).await;
    append_from_many(&ledger).await;
    for round in 0..3_u32 {
        let before = everything(&ledger).await;
        ledger = bench.reopen(ledger).await;
        assert!(
            everything(&ledger).await == before,
            "reopening: other records than before, round {round}"
        );
        let next = end(&ledger, 1).await;
        let offset = appended(&ledger, 1, record(0, round)).await.offset;
        assert_eq!(offset, next, "reopening: the first offset afterwards, round {round}");
    }
}

async fn everything(ledger: &Arc<dyn Ledger>) -> Vec<Vec<Entry>> {
    let mut partitions = Vec::new();
    for partition in 0..ledger.partitions() {
        partitions.push(all(ledger, partition).await);
    }
    partitions
}

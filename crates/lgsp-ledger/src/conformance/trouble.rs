//! What a ledger holds after something befell it: a kill, a commit that failed, no room, damage.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::{Bench, Leeway, PARTITIONS, SMALL, all, appended, end, read};
use crate::ledger::{Append, Appended, Entry, Ledger, ReadError, Refusal};

const WRITERS: u32 = 64;
/// A trouble that has not come after so many appends of each writer does not come.
const APPENDS_MAX: u64 = 2_000;
/// So many appends of each writer may fail before it gives up.
const FAILURES_MAX: u32 = 3;
/// More records than a ledger checks when it is opened.
const LONG: u64 = 1_200;

/// What befalls a ledger while [`write`] appends to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// SIGKILL, certainly in the middle of a group.
    Killed,
    /// Some commits fail so that nobody knows whether the log holds their records.
    Unsure,
    /// There is room for less than 16 MiB of records.
    Full,
}

/// Appends from many tasks and says in one line each what became of every append, until the process is killed or each
/// task met trouble a few times.
pub async fn write(ledger: Arc<dyn Ledger>, say: fn(&str)) {
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let ledger = Arc::clone(&ledger);
        writers.spawn(async move {
            let mut failures = 0;
            for nth in 0..APPENDS_MAX {
                let append = ledger.append(writer % PARTITIONS, record(writer, nth)).await;
                say(&Told { writer, nth, append }.to_string());
                failures += u32::from(!matches!(append, Append::Appended(_)));
                if failures == FAILURES_MAX {
                    break;
                }
            }
        });
    }
    writers.join_all().await;
}

/// What one writer was told of its nth append.
#[derive(Debug)]
struct Told {
    writer: u32,
    nth: u64,
    append: Append,
}

impl Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { writer, nth, append } = self;
        match append {
            Append::Appended(Appended { offset, append_ms }) => {
                write!(f, "{writer} {nth} appended {offset} {append_ms}")
            }
            Append::Unknown => write!(f, "{writer} {nth} unknown"),
            Append::Refused(Refusal::Full) => write!(f, "{writer} {nth} full"),
            Append::Refused(Refusal::NotReady) => write!(f, "{writer} {nth} not-ready"),
            Append::Refused(refusal @ (Refusal::TooLarge | Refusal::NoSuchPartition)) => panic!("refused: {refusal}"),
        }
    }
}

impl Told {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let (writer, nth) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let append = match words.next()? {
            "appended" => Append::Appended(Appended {
                offset: words.next()?.parse().ok()?,
                append_ms: words.next()?.parse().ok()?,
            }),
            "unknown" => Append::Unknown,
            "full" => Append::Refused(Refusal::Full),
            "not-ready" => Append::Refused(Refusal::NotReady),
            _ => return None,
        };
        Some(Self { writer, nth, append })
    }
}

/// How many appends had which answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// [`Append::Appended`].
    pub appended: usize,
    /// [`Append::Unknown`].
    pub unknown: usize,
    /// [`Append::Refused`].
    pub refused: usize,
}

/// Holds the log against the lines that [`write`] said: appended is where it was said to be, refused is nowhere, unknown
/// and untold are there once or not at all (with leeway: or more than once), and nothing else is there.
///
/// # Panics
/// When the log holds anything else.
pub async fn holds(ledger: &Arc<dyn Ledger>, lines: &[String], leeway: Leeway) -> Count {
    let mut log = Log::read(ledger, leeway).await;
    let mut count = Count::default();
    let mut next = BTreeMap::<u32, u64>::new();
    for line in lines {
        let told = Told::parse(line).unwrap_or_else(|| panic!("not a line of a writer: {line}"));
        let nth = next.entry(told.writer).or_default();
        assert_eq!(told.nth, *nth, "a line of writer {} is missing", told.writer);
        *nth += 1;
        let found = log.take(told.writer, told.nth);
        match told.append {
            Append::Appended(Appended { offset, append_ms }) => {
                let there = found.contains(&(offset, append_ms));
                assert!(there, "acknowledged, but not there: {line}; found {found:?}");
                count.appended += 1;
            }
            Append::Refused(_) => {
                assert_eq!(found, [], "refused, but there: {line}");
                count.refused += 1;
            }
            Append::Unknown => count.unknown += 1,
        }
    }
    for writer in 0..WRITERS {
        // The append whose answer the kill cut off.
        log.take(writer, next.get(&writer).copied().unwrap_or_default());
    }
    log.is_used_up();
    count
}

/// The records of a log by what they are, each with every place where it is.
struct Log {
    places: BTreeMap<Bytes, Vec<(u32, u64, u64)>>,
}

impl Log {
    async fn read(ledger: &Arc<dyn Ledger>, leeway: Leeway) -> Self {
        let mut places = BTreeMap::<_, Vec<_>>::new();
        for partition in 0..ledger.partitions() {
            let entries = all(ledger, partition).await;
            assert_eq!(
                entries.len() as u64,
                end(ledger, partition).await,
                "read and end differ"
            );
            for (offset, entry) in (0..).zip(entries) {
                assert_eq!(entry.offset, offset, "offsets are not dense in partition {partition}");
                let copies = places.entry(entry.record).or_default();
                assert!(
                    copies.is_empty() || leeway.copies,
                    "a record is there twice, again at {partition}/{offset}"
                );
                copies.push((partition, offset, entry.append_ms));
            }
        }
        Self { places }
    }

    /// Where and when the record came into the log, as often as it is there.
    fn take(&mut self, writer: u32, nth: u64) -> Vec<(u64, u64)> {
        let places = self.places.remove(&record(writer, nth)).unwrap_or_default();
        let in_partition = places.into_iter().map(|(partition, offset, append_ms)| {
            assert_eq!(partition, writer % PARTITIONS, "a record in another partition");
            (offset, append_ms)
        });
        in_partition.collect()
    }

    fn is_used_up(&self) {
        let left: Vec<_> = self.places.values().take(5).collect();
        assert!(left.is_empty(), "nobody appended what is at {left:?}");
    }
}

/// The record of one writer's nth append, not all of one size.
fn record(writer: u32, nth: u64) -> Bytes {
    let mut record = format!("{writer}/{nth}/").into_bytes();
    let filling = std::iter::repeat_n(b'.', usize::try_from(nth * 131 % 900).unwrap_or_default());
    record.extend(filling);
    Bytes::from(record)
}

pub(super) async fn a_kill_in_the_middle_of_a_group_loses_nothing_acknowledged(bench: &dyn Bench) {
    for _ in 0..3 {
        let ledger = bench.fresh(PARTITIONS).await;
        let (lines, ledger) = bench.suffer(ledger, Trouble::Killed).await;
        let count = holds(&ledger, &lines, bench.leeway()).await;
        assert!(count.appended > 0, "killed: before anything was acknowledged");
        goes_on(&ledger).await;
    }
}

pub(super) async fn unknown_is_there_once_or_not_at_all(bench: &dyn Bench) {
    let ledger = bench.fresh(PARTITIONS).await;
    let (lines, ledger) = bench.suffer(ledger, Trouble::Unsure).await;
    let count = holds(&ledger, &lines, bench.leeway()).await;
    assert!(count.unknown > 0, "unsure: no append was, {count:?}");
    let after = lines.iter().skip_while(|line| !line.ends_with(" unknown"));
    assert!(
        after.filter(|line| line.contains(" appended ")).count() > 10,
        "unsure: appends did not go on after it, {count:?}"
    );
    goes_on(&ledger).await;
}

pub(super) async fn a_full_ledger_refuses_and_goes_on_when_there_is_room(bench: &dyn Bench) {
    let ledger = bench.fresh(PARTITIONS).await;
    let (lines, ledger) = bench.suffer(ledger, Trouble::Full).await;
    let count = holds(&ledger, &lines, bench.leeway()).await;
    assert!(count.appended > 0 && count.refused > 0, "full: {count:?}");
    assert!(
        bench.leeway().full_is_not_ready || lines.iter().any(|line| line.ends_with(" full")),
        "full: nobody was told so"
    );
    goes_on(&ledger).await;
}

/// The next record takes the next offset.
async fn goes_on(ledger: &Arc<dyn Ledger>) {
    for partition in 0..ledger.partitions() {
        let next = end(ledger, partition).await;
        let offset = appended(ledger, partition, Bytes::from_static(b"afterwards"))
            .await
            .offset;
        assert_eq!(offset, next, "afterwards: the next offset of partition {partition}");
    }
}

pub(super) async fn a_damaged_record_is_never_answered(bench: &dyn Bench) {
    for damaged in [0, 3, LONG - 50, LONG - 1] {
        let ledger = bench.fresh(1).await;
        let mut writers = JoinSet::new();
        for nth in 0..LONG {
            let ledger = Arc::clone(&ledger);
            writers.spawn(async move { appended(&ledger, 0, record(0, nth)).await });
        }
        writers.join_all().await;
        let before = all(&ledger, 0).await;
        // A ledger that will not start on a damaged file has said enough.
        let Some((ledger, first)) = bench.damage(ledger, damaged).await else {
            continue;
        };
        assert!(first <= damaged, "damaged: {damaged} is not part of it");
        assert_eq!(
            sound(&ledger, first).await,
            before.get(..usize_of(first)).unwrap_or_default(),
            "damaged: {damaged}"
        );
        for from in [first, damaged] {
            let answer = ledger.read(0, from, SMALL).await;
            let named = matches!(answer, Err(ReadError::Damaged { partition: 0, offset, .. }) if offset == from);
            assert!(named, "damaged: {damaged}, {from} was answered {answer:?}");
        }
    }
}

/// Everything before the damage, each read up to it.
async fn sound(ledger: &Arc<dyn Ledger>, damaged: u64) -> Vec<Entry> {
    let mut entries = Vec::new();
    while (entries.len() as u64) < damaged {
        entries.extend(read(ledger, 0, entries.len() as u64, SMALL).await);
    }
    entries
}

fn usize_of(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

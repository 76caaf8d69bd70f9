//! Prints how many durable appends a second the local ledger takes: `throughput <folder> [callers] [seconds] [bytes]`.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use lgsp_ledger::{Append, Ledger, Local};
use tokio::task::JoinSet;

fn argument(nth: usize, otherwise: u64) -> Result<u64, Box<dyn Error>> {
    Ok(std::env::args()
        .nth(nth)
        .map(|text| text.parse())
        .transpose()?
        .unwrap_or(otherwise))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(
        std::env::args()
            .nth(1)
            .ok_or("usage: throughput <folder> [callers] [seconds] [bytes]")?,
    );
    let (callers, seconds, bytes) = (argument(2, 64)?, argument(3, 5)?, argument(4, 2_048)?);
    let path = folder.join(format!("throughput-{}.db", std::process::id()));
    Local::create(&path, "throughput", 1, 0)?;
    let begin = Instant::now();
    let clock = move || u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
    let ledger = Arc::new(Local::open(&path, Arc::new(clock))?);
    let record = Bytes::from(vec![b'x'; usize::try_from(bytes)?]);
    let mut appenders = JoinSet::new();
    for _ in 0..callers {
        let (ledger, record) = (Arc::clone(&ledger), record.clone());
        appenders.spawn(async move {
            let mut waits = Vec::new();
            while begin.elapsed() < Duration::from_secs(seconds) {
                let asked = Instant::now();
                let append = ledger.append(0, record.clone()).await;
                if !matches!(append, Append::Appended(_)) {
                    return Err(format!("{append:?}"));
                }
                waits.push(asked.elapsed());
            }
            Ok(waits)
        });
    }
    let mut waits = Vec::new();
    for appender in appenders.join_all().await {
        waits.extend(appender?);
    }
    waits.sort_unstable();
    let share = |percent: usize| waits.get(waits.len() * percent / 100).copied().unwrap_or_default();
    let rate = waits.len() as u64 / seconds;
    println!(
        "{callers} callers, {bytes} bytes: {rate} appends/s, p50 {:?}, p99 {:?}",
        share(50),
        share(99)
    );
    ledger.close().await;
    let reopening = Instant::now();
    let ledger = Local::open(&path, Arc::new(|| 0))?;
    println!("opening {} records: {:?}", ledger.end(0).await?, reopening.elapsed());
    drop(ledger);
    let reader = Local::open_read_only(&path)?;
    let scanning = Instant::now();
    let scanned = reader.entries(0, 0)?.collect::<Result<Vec<_>, _>>()?.len();
    println!("scanning {scanned} records: {:?}", scanning.elapsed());
    Ok(std::fs::remove_file(path)?)
}

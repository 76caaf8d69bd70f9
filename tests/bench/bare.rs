//! The floors: what the same disk and the same ledger do without a platform around them.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{Context, SHA256};
use lgsp_ledger::{Append, Ledger, Local};

/// So many callers append so many records of this size, each waiting for its answer.
pub(crate) fn appends(folder: &Path, record: usize, callers: usize, each: usize) -> Duration {
    let path = folder.join("bare.ledger");
    Local::create(&path, "bare", 1, 0).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let ledger = Arc::new(Local::open(&path, Arc::new(|| 0)).unwrap());
    let took = runtime.block_on(async {
        let began = Instant::now();
        let mut appending = tokio::task::JoinSet::new();
        for _ in 0..callers {
            let ledger = Arc::clone(&ledger);
            appending.spawn(async move {
                for _ in 0..each {
                    let append = ledger.append(0, vec![b'x'; record].into()).await;
                    assert!(matches!(append, Append::Appended(_)), "{append:?}");
                }
            });
        }
        appending.join_all().await;
        began.elapsed()
    });
    runtime.block_on(ledger.close());
    for left in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if left.file_name().to_string_lossy().starts_with("bare.") {
            fs::remove_file(left.path()).unwrap();
        }
    }
    took
}

/// The bytes of this file written to another and synced, hashed on the way or not.
pub(crate) fn write(folder: &Path, from: &Path, hash: bool) -> Duration {
    let path = folder.join("bare.bytes");
    let began = Instant::now();
    let (mut from, mut to) = (File::open(from).unwrap(), File::create(&path).unwrap());
    let mut context = Context::new(&SHA256);
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let read = from.read(&mut buffer).unwrap();
        if read == 0 {
            break;
        }
        to.write_all(&buffer[..read]).unwrap();
        if hash {
            context.update(&buffer[..read]);
        }
    }
    to.sync_all().unwrap();
    let took = began.elapsed();
    assert!(!hash || context.finish().as_ref().len() == 32);
    fs::remove_file(path).unwrap();
    took
}

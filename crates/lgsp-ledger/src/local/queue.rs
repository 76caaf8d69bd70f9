//! The bounded queue between those who append and the one who writes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::ledger::{Append, Refusal};

const QUEUED_RECORDS_MAX: usize = 4_096;
const QUEUED_BYTES_MAX: usize = 64 * 1024 * 1024;
const GROUP_RECORDS_MAX: usize = 1_024;
const GROUP_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A record whose appender waits for the answer.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) partition: u32,
    pub(super) record: Bytes,
    pub(super) answer: oneshot::Sender<Append>,
}

/// Where records are put in.
#[derive(Debug)]
pub(super) struct Inlet {
    sender: Mutex<Option<SyncSender<Waiting>>>,
    bytes: Arc<AtomicUsize>,
}

/// Where records are taken out, a group at a time.
#[derive(Debug)]
pub(super) struct Outlet {
    receiver: Receiver<Waiting>,
    bytes: Arc<AtomicUsize>,
}

pub(super) fn queue() -> (Inlet, Outlet) {
    let (sender, receiver) = sync_channel(QUEUED_RECORDS_MAX);
    let bytes = Arc::new(AtomicUsize::new(0));
    (
        Inlet {
            sender: Mutex::new(Some(sender)),
            bytes: Arc::clone(&bytes),
        },
        Outlet { receiver, bytes },
    )
}

impl Inlet {
    /// Never waits: a full queue, in records or in bytes, says so.
    pub(super) fn offer(&self, waiting: Waiting) -> Result<(), Refusal> {
        let bytes = waiting.record.len();
        let queued = self.bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        let taken = queued <= QUEUED_BYTES_MAX && self.put(waiting);
        if taken {
            return Ok(());
        }
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        Err(Refusal::NotReady)
    }

    fn put(&self, waiting: Waiting) -> bool {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        sender.as_ref().is_some_and(|sender| sender.try_send(waiting).is_ok())
    }

    /// Nothing comes in any more; what is in comes out.
    pub(super) fn close(&self) {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Outlet {
    /// Waits for one record and takes everything that waits behind it, up to the bounds of a group; `None` when the
    /// queue is closed and empty.
    pub(super) fn group(&self) -> Option<Vec<Waiting>> {
        let first = self.receiver.recv().ok()?;
        let mut bytes = first.record.len();
        let mut group = vec![first];
        while group.len() < GROUP_RECORDS_MAX && bytes < GROUP_BYTES_MAX {
            let Ok(waiting) = self.receiver.try_recv() else { break };
            bytes = bytes.saturating_add(waiting.record.len());
            group.push(waiting);
        }
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        Some(group)
    }
}

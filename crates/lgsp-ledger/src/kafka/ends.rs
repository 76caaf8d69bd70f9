//! What is known of each partition's end: it only grows. A log that ends before it was cut, and is no longer ours.

use tokio::sync::watch;

use crate::ledger::ReadError;

/// What is known of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// The log holds every record before this offset.
    pub(super) end: u64,
    /// The tail brought every record before this offset.
    pub(super) brought: u64,
    /// The ledger was closed.
    closed: bool,
    /// The log was found to end here, before `end`.
    cut: Option<u64>,
}

/// What is known of every partition of a ledger, and who waits for more.
#[derive(Debug)]
pub(super) struct Ends {
    partitions: Vec<watch::Sender<Known>>,
}

impl Ends {
    pub(super) fn new(ends: &[u64]) -> Self {
        let known = |end: &u64| Known {
            end: *end,
            brought: 0,
            closed: false,
            cut: None,
        };
        Self {
            partitions: ends.iter().map(|end| watch::channel(known(end)).0).collect(),
        }
    }

    fn sender(&self, partition: u32) -> Result<&watch::Sender<Known>, ReadError> {
        self.partitions
            .get(partition as usize)
            .ok_or(ReadError::NoSuchPartition { partition })
    }

    /// The known end of a partition that can be read.
    pub(super) fn end(&self, partition: u32) -> Result<u64, ReadError> {
        let known = *self.sender(partition)?.borrow();
        refuse(partition, known)?;
        Ok(known.end)
    }

    /// The log was seen to hold every record before `end`.
    pub(super) fn reached(&self, partition: u32, end: u64) {
        self.change(partition, |known| known.end = known.end.max(end));
    }

    /// The tail brings the records from `from` on.
    pub(super) fn follows_from(&self, partition: u32, from: u64) {
        self.change(partition, |known| known.brought = from);
    }

    /// Does the tail still bring this record?
    pub(super) fn is_followed(&self, partition: u32, offset: u64) -> bool {
        self.partitions
            .get(partition as usize)
            .is_some_and(|sender| sender.borrow().brought <= offset)
    }

    /// The tail has every record before `end`.
    pub(super) fn brought(&self, partition: u32, end: u64) {
        self.change(partition, |known| {
            known.end = known.end.max(end);
            known.brought = end;
        });
    }

    /// The log ends at `at`, before what it was seen to hold.
    pub(super) fn cut(&self, partition: u32, at: u64) {
        self.change(partition, |known| known.cut = known.cut.or(Some(at)));
    }

    /// Was any partition cut? Then nothing is appended any more.
    pub(super) fn is_cut(&self) -> bool {
        self.partitions.iter().any(|sender| sender.borrow().cut.is_some())
    }

    /// Wakes everyone who waits: no record can come any more.
    pub(super) fn close(&self) {
        for sender in &self.partitions {
            sender.send_modify(|known| known.closed = true);
        }
    }

    /// Waits until `enough` holds. Cancel safe.
    pub(super) async fn wait(&self, partition: u32, enough: impl Fn(&Known) -> bool) -> Result<Known, ReadError> {
        let mut receiver = self.sender(partition)?.subscribe();
        let over = |known: &Known| known.closed || known.cut.is_some() || enough(known);
        let known = *receiver.wait_for(over).await.map_err(|_| ReadError::Closed)?;
        refuse(partition, known)?;
        Ok(known)
    }

    /// Nobody is woken by what is known already.
    fn change(&self, partition: u32, change: impl FnOnce(&mut Known)) {
        if let Ok(sender) = self.sender(partition) {
            sender.send_if_modified(|known| {
                let before = *known;
                change(known);
                *known != before
            });
        }
    }
}

fn refuse(partition: u32, known: Known) -> Result<(), ReadError> {
    match known {
        Known { cut: Some(offset), .. } => Err(ReadError::Damaged {
            partition,
            offset,
            what: "the log was truncated: it ends before records that it held",
            source: None,
        }),
        Known { closed: true, .. } => Err(ReadError::Closed),
        Known { .. } => Ok(()),
    }
}

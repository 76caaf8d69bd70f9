//! Writes facts into a ledger: makes the record, has it signed with others of the same moment, appends it.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use bytes::Bytes;
use lgsp_audit::{NoteKey, Unsigned};
use lgsp_ledger::{Append, Ledger, Refusal, Tenure};
use lgsp_types::{Clock, Digest, Fact, Node, SpanId, SystemId, UnixMs};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Most leaves under one signature; the path in each leaf then has 8 hashes.
const GROUP_MAX: usize = 256;

/// Why a fact is not in the ledger for certain, sorted by what the caller does.
#[derive(Debug, Error)]
pub(crate) enum WriteError {
    /// Certainly not written, and never can be: the leaf or record would be too large.
    #[error("the fact is too large for the ledger")]
    TooLarge,
    /// Certainly not written: try again after a moment.
    #[error("the ledger takes no facts now")]
    Busy,
    /// Certainly not written: try again when an operator made room.
    #[error("the ledger is full")]
    Full,
    /// Perhaps written: do the same again.
    #[error("it is not known whether the fact was written")]
    Unknown,
}

/// Where a fact came to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Inscribed {
    pub(crate) partition: u32,
    pub(crate) offset: u64,
    pub(crate) append_ms: UnixMs,
    pub(crate) leaf_hash: Digest,
}

struct Waiting {
    unsigned: Unsigned,
    answer: oneshot::Sender<Vec<u8>>,
}

/// The node's hand: one key, one queue, one signature per group.
pub(crate) struct Scribe {
    queue: mpsc::Sender<Waiting>,
    random: SystemRandom,
    clock: Clock,
    node: SystemId,
    build: String,
    tenure: Tenure,
}

impl Scribe {
    /// Starts the signer, which ends when `stop` is cancelled; `waiting_max` facts may wait for it. `node` is who writes,
    /// which build it is, and its right to.
    pub(crate) fn start(
        key: Arc<NoteKey>,
        node: (SystemId, String, Tenure),
        clock: Clock,
        waiting_max: usize,
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        let (queue, outlet) = mpsc::channel(waiting_max);
        tasks.spawn(sign_groups(key, outlet, stop));
        let (node, build, tenure) = node;
        Self {
            queue,
            random: SystemRandom::new(),
            clock,
            node,
            build,
            tenure,
        }
    }

    /// Who makes the facts of this node, at this moment.
    pub(crate) fn node(&self) -> Node {
        Node {
            id: self.node.clone(),
            build: self.build.clone(),
            node_ms: (self.clock)(),
        }
    }

    pub(crate) fn now(&self) -> UnixMs {
        (self.clock)()
    }

    /// The name of a new span; none: the machine has no randomness.
    pub(crate) fn span_id(&self) -> Option<SpanId> {
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes).ok()?;
        SpanId::from_bytes(bytes)
    }

    /// Appends one fact, while this node holds the ledger; what was under way when it lost it is unknown to it. Whoever
    /// drops this future before its answer holds [`WriteError::Unknown`].
    pub(crate) async fn write(
        &self,
        ledger: &dyn Ledger,
        partition: u32,
        fact: &Fact,
    ) -> Result<Inscribed, WriteError> {
        let mut salt = [0; 32];
        self.random.fill(&mut salt).map_err(|_| WriteError::Busy)?;
        let unsigned = lgsp_audit::prepare(fact, salt).map_err(|_| WriteError::TooLarge)?;
        let (answer, signed) = oneshot::channel();
        self.queue
            .try_send(Waiting { unsigned, answer })
            .map_err(|_| WriteError::Busy)?;
        let record = Bytes::from(signed.await.map_err(|_| WriteError::Busy)?);
        if !self.tenure.holds() {
            return Err(WriteError::Busy);
        }
        match ledger.append(partition, record.clone()).await {
            Append::Appended(_) if !self.tenure.holds() => Err(WriteError::Unknown),
            Append::Appended(appended) => {
                let leaf_hash = lgsp_audit::entry_hash(appended.append_ms, &record);
                Ok(Inscribed {
                    partition,
                    offset: appended.offset,
                    append_ms: UnixMs(appended.append_ms),
                    leaf_hash,
                })
            }
            Append::Refused(Refusal::Full) => Err(WriteError::Full),
            Append::Refused(Refusal::TooLarge) => Err(WriteError::TooLarge),
            Append::Refused(Refusal::NotReady | Refusal::NoSuchPartition) => Err(WriteError::Busy),
            Append::Unknown => Err(WriteError::Unknown),
        }
    }
}

async fn sign_groups(key: Arc<NoteKey>, mut outlet: mpsc::Receiver<Waiting>, stop: CancellationToken) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            taken = outlet.recv_many(&mut group, GROUP_MAX) => if taken == 0 { return },
        }
        // Whoever is ready to write goes first: a signature costs as much for one as for all of them.
        yield_now().await;
        while group.len() < GROUP_MAX
            && let Ok(next) = outlet.try_recv()
        {
            group.push(next);
        }
        let (leaves, answers): (Vec<_>, Vec<_>) = group
            .drain(..)
            .map(|waiting| (waiting.unsigned, waiting.answer))
            .unzip();
        for (record, answer) in lgsp_audit::sign(leaves, &key).into_iter().zip(answers) {
            // Whoever left does not append: the fact never was.
            drop(answer.send(record));
        }
    }
}

impl fmt::Debug for Scribe {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Scribe")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

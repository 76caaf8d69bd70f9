//! The lease: of several nodes on one Kafka ledger one holds it, the others wait for their turn (reliability.md 3.2, R4).

mod course;
mod keeper;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::error;

use super::open::{self, OpenError};
use super::settings::Settings;
use crate::tenure::{Lost, Shared, Standing, Tenure};
use keeper::Keeper;

/// Who claims, and what it says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimant {
    /// The node's name, which others tell their operators.
    pub node: String,
    /// What it holds is over when nothing renewed it for so long; whoever waits hears nothing for so long. 1 to 60 s.
    pub ttl: Duration,
    /// What all nodes of one ledger share, in any short text: with another one nothing is claimed.
    pub keys: String,
}

/// Why a ledger is not held.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Copy the keys from that node: what this one would write, it and the others would not know again.
    #[error("`{holder}` holds this ledger with other keys than those in this folder: copy keys/ from it")]
    OtherKeys { holder: String },
    /// The lease was closed.
    #[error("the lease ended before this node held it")]
    Ended(#[source] Lost),
}

/// The topic of a ledger's lease, followed by a thread that claims, renews and gives back.
///
/// Close it with [`Lease::close`]; when it is dropped, others are told as well, but nobody waits for it.
#[derive(Debug)]
pub struct Lease {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Lease {
    /// Opens the topic whose manifest is at `path`, holds it against that, reads what others said last, and waits for this
    /// node's turn from then on.
    ///
    /// # Errors
    /// [`OpenError`]: nothing was claimed.
    pub async fn open(path: &Path, settings: &Settings, claimant: Claimant) -> Result<Self, OpenError> {
        let (path, settings, handle) = (path.to_owned(), settings.clone(), Handle::current());
        let patience = settings.socket_timeout;
        let opening = spawn_blocking(move || {
            let (manifest, reader) = open::looked_at(&path, &settings, handle)?;
            let bounds = reader.bounds(0, settings.socket_timeout);
            let bounds = bounds.map_err(OpenError::unreachable)?;
            let shared = Arc::new(Shared::new(true, Standing::Reading));
            let keeper = Keeper::new(&manifest.name, bounds, &settings, claimant, Arc::clone(&shared));
            let keeper = keeper.map_err(OpenError::client)?;
            let thread = thread::Builder::new()
                .name(String::from("ledger-lease"))
                .spawn(move || keeper.run());
            let thread = thread.map_err(|source| OpenError::io(&path, source))?;
            Ok(Self {
                shared,
                thread: Mutex::new(Some(thread)),
            })
        });
        let lease: Self = opening.await.map_err(OpenError::unreachable)??;
        let mut standing = lease.shared.standing();
        let read = standing.wait_for(|standing| *standing != Standing::Reading);
        drop(timeout(patience, read).await.map_err(OpenError::unreachable)?);
        Ok(lease)
    }

    /// Waits until this node holds the ledger. Before it serves, it reads the ledger to the end that it has then.
    ///
    /// Cancel safe: a dropped wait loses nothing, and the ledger may be held even so: close the lease.
    ///
    /// # Errors
    /// [`LeaseError`]: it never will.
    pub async fn held(&self) -> Result<Tenure, LeaseError> {
        let mut standing = self.shared.standing();
        let undecided = [Standing::Reading, Standing::Waiting];
        let decided = standing.wait_for(|standing| !undecided.contains(standing)).await;
        match decided.as_deref() {
            Ok(Standing::Held) => Ok(Tenure::of(&self.shared)),
            Ok(Standing::Stranger { holder }) => Err(LeaseError::OtherKeys { holder: holder.clone() }),
            Ok(Standing::Lost(lost)) => Err(LeaseError::Ended(lost.clone())),
            Ok(Standing::Reading | Standing::Waiting) | Err(_) => Err(LeaseError::Ended(Lost::GivenBack)),
        }
    }

    /// Gives back what is held, tells the others, and ends. Again: does nothing.
    pub async fn close(&self) {
        self.shared.give_back();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let ended = spawn_blocking(move || thread.is_none_or(|thread| thread.join().is_ok()));
        if !ended.await.unwrap_or(false) {
            error!("the thread of the lease ended early");
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.shared.give_back();
    }
}

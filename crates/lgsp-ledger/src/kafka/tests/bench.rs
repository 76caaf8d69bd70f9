//! The conformance suite's bench: a real broker that is frozen, killed, and has its disk's bits flipped.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Mutex;

use super::super::*;
use super::stage::{self, Stage};
use crate::conformance::{self, Bench, Leeway, Trouble};
use crate::twin::{Twin, say, this_program};

const BOOTSTRAP: &str = "LGSP_LEDGER_BOOTSTRAP";
/// What befalls the twin's ledger, so that it chooses its settings.
const TROUBLE: &str = "LGSP_LEDGER_TROUBLE";
/// So many lines before and after trouble: it comes into the middle.
const LINES: usize = 300;

/// A stage as the suite uses it.
pub(super) struct Trial<'a> {
    stage: Mutex<&'a mut Stage>,
    /// The test that runs the suite, whose twins write for it.
    suite: &'static str,
    killed: AtomicUsize,
    damaged: AtomicUsize,
}

impl<'a> Trial<'a> {
    pub(super) fn new(stage: &'a mut Stage, suite: &'static str) -> Self {
        Self {
            stage: Mutex::new(stage),
            suite,
            killed: AtomicUsize::new(0),
            damaged: AtomicUsize::new(0),
        }
    }

    fn twin(&self, stage: &Stage, trouble: Trouble) -> Twin {
        let mut command = this_program();
        command
            .env(BOOTSTRAP, stage.cluster.bootstrap())
            .env(TROUBLE, format!("{trouble:?}"));
        Twin::start(command, self.suite, &stage.path())
    }

    /// SIGKILL while 64 appends are in flight; the last time its only broker is killed with it; those of three are
    /// killed in a test of their own.
    fn killed(&self, stage: &mut Stage) -> Vec<String> {
        let mut twin = self.twin(stage, Trouble::Killed);
        let mut said = lines(&mut twin, LINES);
        if self.killed.fetch_add(1, Ordering::Relaxed) == 2 && stage.cluster.nodes() == 1 {
            stage.cluster.kill(1).unwrap();
        }
        said.extend(twin.kill());
        stage.cluster.start_again().unwrap();
        said
    }

    /// The brokers are frozen until an append has timed out.
    fn unsure(&self, stage: &mut Stage) -> Vec<String> {
        let mut twin = self.twin(stage, Trouble::Unsure);
        let mut said = lines(&mut twin, LINES);
        for node in stage.nodes() {
            stage.cluster.freeze(node).unwrap();
        }
        while let Some(line) = twin.said() {
            let unknown = line.ends_with(" unknown");
            said.push(line);
            if unknown {
                break;
            }
        }
        for node in stage.nodes() {
            stage.cluster.thaw(node).unwrap();
        }
        said.extend(lines(&mut twin, LINES));
        said.extend(twin.kill());
        said
    }
}

fn lines(twin: &mut Twin, count: usize) -> Vec<String> {
    let said: Vec<_> = std::iter::from_fn(|| twin.said()).take(count).collect();
    assert_eq!(said.len(), count, "the twin ended: {:?}", said.last());
    said
}

async fn close(ledger: Arc<dyn Ledger>) {
    assert_eq!(Arc::strong_count(&ledger), 1);
    spawn_blocking(move || drop(ledger)).await.unwrap();
}

#[async_trait]
impl Bench for Trial<'_> {
    async fn fresh(&self, partitions: u32) -> Arc<dyn Ledger> {
        Arc::new(self.stage.lock().await.ledger(partitions).await)
    }

    async fn reopen(&self, ledger: Arc<dyn Ledger>) -> Arc<dyn Ledger> {
        close(ledger).await;
        Arc::new(self.stage.lock().await.open().await)
    }

    async fn suffer(&self, ledger: Arc<dyn Ledger>, trouble: Trouble) -> (Vec<String>, Arc<dyn Ledger>) {
        close(ledger).await;
        let mut stage = self.stage.lock().await;
        let said = match trouble {
            Trouble::Killed => self.killed(&mut stage),
            Trouble::Unsure => self.unsure(&mut stage),
            // Some are refused at once, for the others it goes on.
            Trouble::Full => {
                let mut twin = self.twin(&stage, trouble);
                let mut said = lines(&mut twin, LINES);
                said.extend(twin.kill());
                said
            }
        };
        (said, Arc::new(stage.open().await))
    }

    /// While the brokers run, which answer what lies on the disk; the last time of an only broker that was killed,
    /// which throws away what it cannot verify when it starts again.
    async fn damage(&self, ledger: Arc<dyn Ledger>, offset: u64) -> Option<(Arc<dyn Ledger>, u64)> {
        let one = ReadLimit { entries: 1, bytes: 0 };
        let text = ledger.read(0, offset, one).await.unwrap()[0].record.clone();
        close(ledger).await;
        let mut stage = self.stage.lock().await;
        let running = self.damaged.fetch_add(1, Ordering::Relaxed) < 3 || stage.cluster.nodes() > 1;
        if !running {
            for node in stage.nodes() {
                stage.cluster.kill(node).unwrap();
            }
        }
        let first = stage.flip(0, &text);
        stage.cluster.start_again().unwrap();
        match Kafka::open(&stage.path(), &stage.settings()).await {
            Ok(ledger) => {
                assert!(running, "the brokers threw away what follows, and nobody noticed");
                Some((Arc::new(ledger), first))
            }
            Err(OpenError::Damaged { partition: 0, .. }) => None,
            Err(other) => panic!("{other:?}"),
        }
    }

    fn leeway(&self) -> Leeway {
        Leeway {
            copies: true,
            full_is_not_ready: true,
        }
    }
}

/// If this process is a twin that is to write for the suite, it does, and answers so.
pub(super) async fn wrote_as_twin() -> bool {
    let Some(path) = Twin::ledger() else { return false };
    let bootstrap = std::env::var(BOOTSTRAP).unwrap();
    let mut settings = stage::settings(&bootstrap);
    match std::env::var(TROUBLE).unwrap().as_str() {
        "Unsure" => settings = stage::impatient(&bootstrap),
        // Less than the writers that append at one time.
        "Full" => settings.queue_records_max = 40,
        _ => {}
    }
    let ledger = Arc::new(Kafka::open(&path, &settings).await.unwrap());
    conformance::write(Arc::clone(&ledger) as Arc<dyn Ledger>, say).await;
    ledger.close().await;
    true
}

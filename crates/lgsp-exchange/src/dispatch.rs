//! Pushing: what goes to a push connector is tried, in the order of its keys, until it has ended (architecture.md section 5,
//! hops 8 to 10).

mod line;
mod schedule;
mod tried;
mod turn;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use lgsp_registry::Pushing;
use lgsp_types::{Adapter, ConnectorId, DocumentDate, PushLine};
use tokio::sync::{Notify, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::info;

use crate::control::Ruling;
use crate::spine::Spine;
use line::Line;
use turn::Turns;

/// A change of the rules is seen within it, even if nothing arrives.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Bounds of pushing, from config/lgsp.toml.
#[derive(Clone, Copy, Debug)]
pub struct PushLimits {
    /// Tries of one connector at one time.
    pub tries_at_once_max: usize,
    /// A far side that has not answered by then has failed this try.
    pub answer_within: Duration,
    /// How often a far side that is left alone is asked whether it can be reached.
    pub probe_every: Duration,
    /// One that could not be reached for so long is not asked any more, until an operator resumes it (reliability.md G5).
    pub switch_off_after: Duration,
}

/// Tries under way, and the word that no more begin.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pushers {
    tasks: TaskTracker,
    stop: CancellationToken,
    /// Whoever takes a delivery back asks them as well.
    pub(crate) turns: Turns,
    /// How each line stands, for whoever asks.
    lines: Arc<Mutex<BTreeMap<ConnectorId, Stands>>>,
}

/// How a line stands, and the bell that has it go on.
#[derive(Debug)]
struct Stands {
    line: PushLine,
    resume: Arc<Notify>,
}

impl Pushers {
    /// How each line stands, by connector.
    pub(crate) fn lines(&self) -> Vec<PushLine> {
        self.stands().values().map(|stands| stands.line.clone()).collect()
    }

    fn stands(&self) -> MutexGuard<'_, BTreeMap<ConnectorId, Stands>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins no more tries, and waits for those under way.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// What all lines share.
struct Dispatch {
    spine: Arc<Spine>,
    adapter: Arc<dyn Adapter>,
    limits: PushLimits,
}

/// The line of each connector, told of what goes to it; one whose sender is gone ends.
type Lines = HashMap<ConnectorId, watch::Sender<Pushing>>;

impl Spine {
    /// Begins to push through `adapter`, until the node stops.
    pub fn push_through(self: &Arc<Self>, adapter: Arc<dyn Adapter>, limits: PushLimits) {
        let dispatch = Dispatch {
            spine: Arc::clone(self),
            adapter,
            limits,
        };
        self.pushers.tasks.spawn(Arc::new(dispatch).run());
    }

    /// Has a far side that is left alone, or switched off, tried at once; false: nothing is pushed to this connector.
    pub fn resume(&self, connector: &ConnectorId) -> bool {
        let stands = self.pushers.stands();
        let found = stands.get(connector);
        found.inspect(|stands| stands.resume.notify_one()).is_some()
    }
}

impl Dispatch {
    fn stop(&self) -> &CancellationToken {
        &self.spine.pushers.stop
    }

    async fn run(self: Arc<Self>) {
        let mut arrivals = self.spine.arriving();
        let mut tick = tokio::time::interval(LOOK_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut lines, mut known) = (Lines::new(), None);
        loop {
            self.tend(&mut lines, &mut known);
            tokio::select! {
                () = self.stop().cancelled() => return,
                Some(()) = arrivals.next() => {}
                _ = tick.tick() => {}
            }
        }
    }

    /// One line for each push connector of the rules and the day.
    fn tend(self: &Arc<Self>, lines: &mut Lines, known: &mut Option<(Arc<Ruling>, DocumentDate)>) {
        let (ruling, day) = (self.spine.ruling(), self.spine.scribe.now().day_in_vietnam());
        let same = |known: &(Arc<Ruling>, DocumentDate)| Arc::ptr_eq(&known.0, &ruling) && known.1 == day;
        if known.as_ref().is_some_and(same) {
            return;
        }
        let mut pushes = ruling.registry.pushes(day);
        lines.retain(|connector, _| pushes.contains_key(connector));
        for (connector, tell) in lines.iter() {
            if let Some(pushing) = pushes.remove(connector) {
                tell.send_if_modified(|before| {
                    let changed = *before != pushing;
                    *before = pushing;
                    changed
                });
            }
        }
        for (connector, pushing) in pushes {
            info!(connector.id = %connector, "deliveries are pushed");
            let (tell, told) = watch::channel(pushing);
            self.spine.pushers.tasks.spawn(Line::new(Arc::clone(self), told).run());
            lines.insert(connector, tell);
        }
        *known = Some((ruling, day));
    }
}

//! One stream of one adapter process, as the node holds it: let in, served, told what is new, and ended.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use lgsp_proto::adapter::v1::{
    AdapterAnswer, Arrived, AttachRequest, AttachResponse, Drain, ExchangeCall, Health, Hello, Welcome, attach_request,
    attach_response, exchange_call,
};
use lgsp_proto::exchange::v1::upload_attachment_request::Start;
use lgsp_proto::{AgenciesOf, ViewOf, write_view};
use lgsp_types::{
    AdapterId, Arrivals, Attachment, DocumentDate, Exchange, ObjectReader, ReasonCode, Refusal, Roster, SystemId,
};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tracing::{info, warn};

use super::asked::Asked;
use super::calls::{Moving, not_its_system};
use super::content::{Allowance, passage};
use super::fault::Fault;
use super::gateway::Gateway;
use super::line::Line;
use super::table::{Content, Table};
use super::uploads::Uploads;
use super::{DRAIN_MAX, HEALTH_MISSED, LEAVE_MAX};
use crate::identity::certificate::Peer;
use crate::status::{forbidden, refused};
use attach_request::Frame as In;
use attach_response::Frame as Out;

/// Longest wait for Hello. Source: adapter.proto.
const HELLO_MAX: Duration = Duration::from_secs(10);
const PROGRAM_MAX_BYTES: usize = 128;
const SYSTEMS_MAX: usize = 1000;
/// Version of what both sides speak.
pub(super) const MINOR: u32 = 0;

const ADAPTER_UNKNOWN: ReasonCode = ReasonCode::new("ADAPTER_UNKNOWN");
const CERTIFICATE_NOT_GOOD: ReasonCode = ReasonCode::new("CERTIFICATE_NOT_GOOD");
const FIELD_INVALID: ReasonCode = ReasonCode::new("FIELD_INVALID");

/// A process that said Hello and was let in.
pub(super) struct Session {
    gateway: Gateway,
    pub(super) adapter: AdapterId,
    /// Kind of its connectors.
    pub(super) kind: String,
    program: String,
    /// Those that it wants to speak as; none: all of its list.
    systems: HashSet<SystemId>,
    pub(super) line: Line<AttachResponse>,
    pub(super) table: Table<Start>,
    pub(super) asked: Arc<Asked<AdapterAnswer>>,
    pub(super) uploads: Uploads,
    /// What our own deliver calls carry, by their numbers, so that their objects can be read.
    delivering: Mutex<Vec<(u64, SystemId, Vec<Attachment>)>>,
    draining: CancellationToken,
}

/// What a view shows: the registry's revision, and the day.
type Revision = (u64, DocumentDate);

pub(super) fn frame(frame: Out) -> AttachResponse {
    AttachResponse { frame: Some(frame) }
}

/// Holds one stream to its end.
pub(super) async fn hold<S>(
    gateway: Gateway,
    adapter: AdapterId,
    peer: Option<Peer>,
    line: Line<AttachResponse>,
    frames: S,
) where
    S: Stream<Item = Result<AttachRequest, Status>> + Send + Unpin,
{
    let mut frames = frames;
    // Kept to the last: what leaves ends with the word that is said here.
    let end = Arc::clone(line.end());
    let session = match let_in(&gateway, &adapter, line.clone(), &mut frames).await {
        Ok(session) => Arc::new(session),
        Err(status) => {
            info!(adapter.id = %adapter, status = %status.message(), "an adapter was not let in");
            end.come(Some(*status));
            return;
        }
    };
    info!(adapter.id = %adapter, adapter.kind = session.kind, program = session.program, "an adapter is attached");
    // Before the greeting: what arrives from here on is told. Behind it: nobody is called before he was greeted.
    let arrivals = session.exchange().arrivals();
    let shown = session.greet().await;
    gateway.hosts().add(&session);
    gateway.tasks().spawn(Arc::clone(&session).tell(arrivals, shown));
    gateway.tasks().spawn(Arc::clone(&session).look());
    let ended = session.listen(frames, peer).await;
    session.table.abandon();
    session.asked.abandon();
    gateway.hosts().remove(&session);
    match &ended {
        Ok(()) => info!(adapter.id = %adapter, "an adapter has left"),
        Err(status) => warn!(adapter.id = %adapter, status = %status.message(), "the stream of an adapter has ended"),
    }
    end.come(ended.err().map(|status| *status));
    drop(line);
}

/// Reads Hello, and holds it against the registry.
async fn let_in<S>(
    gateway: &Gateway,
    adapter: &AdapterId,
    line: Line<AttachResponse>,
    frames: &mut S,
) -> Result<Session, Box<Status>>
where
    S: Stream<Item = Result<AttachRequest, Status>> + Send + Unpin,
{
    let first = timeout(HELLO_MAX, frames.next()).await.ok().flatten();
    let Some(Some(In::Hello(hello))) = first.and_then(Result::ok).map(|first| first.frame) else {
        return Err(broken(Fault::HelloExpected));
    };
    let systems = check_hello(&hello).map_err(|refusal| Box::new(refused(&[refusal])))?;
    if gateway.roster().systems(adapter).is_none() {
        let what = "the registry does not know this adapter";
        let mend = "have the operator add it as `[[adapter]]` with the systems it speaks as";
        let refusal = Refusal::new(ADAPTER_UNKNOWN, "/certificate", what, mend);
        return Err(Box::new(forbidden(&refusal)));
    }
    if let Some(system) = systems
        .iter()
        .find(|system| !gateway.roster().speaks_as(adapter, system))
    {
        let refusal = not_its_system(&format!("hello.systems[{system}]"));
        return Err(Box::new(forbidden(&refusal)));
    }
    let calls_max = gateway.settings().calls_in_flight_max as usize;
    Ok(Session {
        gateway: gateway.clone(),
        adapter: adapter.clone(),
        kind: hello.kind,
        program: hello.program,
        systems: systems.into_iter().collect(),
        line,
        table: Table::new(calls_max),
        asked: Arc::new(Asked::new(calls_max)),
        uploads: Uploads::default(),
        delivering: Mutex::default(),
        draining: CancellationToken::new(),
    })
}

/// What a process says of itself, in form; its systems.
fn check_hello(hello: &Hello) -> Result<Vec<SystemId>, Refusal> {
    let wrong = |path: String, what: &str, mend: &str| Refusal::new(FIELD_INVALID, path, what, mend);
    let text = &hello.program;
    if text.is_empty() || text.len() > PROGRAM_MAX_BYTES || text.chars().any(char::is_control) {
        let mend = "name the program and its version in 1 to 128 bytes";
        return Err(wrong("hello.program".to_owned(), "is no name of a program", mend));
    }
    // A kind has the letters of every name of ours.
    AdapterId::parse(&hello.kind).map_err(|error| {
        wrong(
            "hello.kind".to_owned(),
            &error.to_string(),
            "name a kind as connectors do",
        )
    })?;
    if hello.systems.len() > SYSTEMS_MAX {
        return Err(wrong(
            "hello.systems".to_owned(),
            "are more than 1000",
            "name fewer, or none for all",
        ));
    }
    let systems = hello.systems.iter().enumerate();
    let read = systems.map(|(at, name)| {
        let path = format!("hello.systems[{at}]");
        SystemId::parse(name).map_err(|error| wrong(path, &error.to_string(), "name a system of the registry"))
    });
    read.collect()
}

fn broken(fault: Fault) -> Box<Status> {
    Box::new(refused(&[fault.refusal()]))
}

impl Session {
    pub(super) fn exchange(&self) -> &dyn Exchange {
        self.gateway.exchange()
    }

    pub(super) fn objects(&self) -> &dyn ObjectReader {
        self.gateway.objects()
    }

    pub(super) fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    pub(super) fn roster(&self) -> &dyn Roster {
        self.gateway.roster()
    }

    /// May it speak as this system now?
    pub(super) fn speaks_as(&self, system: &SystemId) -> bool {
        (self.systems.is_empty() || self.systems.contains(system))
            && self.gateway.roster().speaks_as(&self.adapter, system)
    }

    /// No new calls, in either direction.
    pub(super) fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// The systems it speaks as now.
    pub(super) fn its_systems(&self) -> Vec<lgsp_types::SystemView> {
        let mut systems = self.gateway.roster().systems(&self.adapter).unwrap_or_default();
        systems.retain(|view| self.systems.is_empty() || self.systems.contains(&view.system));
        systems
    }

    /// The objects of a deliver call of ours that is not answered yet.
    pub(super) fn delivering(&self, system: &SystemId, call: u64) -> Option<Vec<Attachment>> {
        let delivering = self.delivering.lock().unwrap_or_else(PoisonError::into_inner);
        let found = delivering.iter().find(|(id, owner, _)| *id == call && owner == system);
        found.map(|(_, _, objects)| objects.clone())
    }

    pub(super) fn begin_delivering(&self, call: u64, system: &SystemId, objects: Vec<Attachment>) {
        let mut delivering = self.delivering.lock().unwrap_or_else(PoisonError::into_inner);
        delivering.push((call, system.clone(), objects));
    }

    pub(super) fn end_delivering(&self, call: u64) {
        let mut delivering = self.delivering.lock().unwrap_or_else(PoisonError::into_inner);
        delivering.retain(|(id, _, _)| *id != call);
    }

    /// Takes frames as they come, and never waits for anything else: what has to wait is a task of its own.
    async fn listen<S>(self: &Arc<Self>, mut frames: S, peer: Option<Peer>) -> Result<(), Box<Status>>
    where
        S: Stream<Item = Result<AttachRequest, Status>> + Send + Unpin,
    {
        let every = self.gateway.health_interval();
        let mut ticks = interval(every.min(Duration::from_secs(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        let mut leaves = false;
        let mut drained = std::pin::pin!(self.drained());
        loop {
            tokio::select! {
                () = self.line.end().wait() => return Ok(()),
                () = &mut drained => return Ok(()),
                frame = frames.next(), if !leaves => match frame {
                    Some(Ok(frame)) => {
                        heard = Instant::now();
                        self.take(frame).map_err(broken)?;
                    }
                    // It broke off: nobody is there to be told.
                    Some(Err(status)) => return Err(Box::new(status)),
                    None => {
                        leaves = true;
                        self.draining.cancel();
                        self.table.no_more_content();
                        self.asked.abandon();
                    }
                },
                _ = ticks.tick() => {
                    if !leaves && heard.elapsed() > every * HEALTH_MISSED {
                        return Err(broken(Fault::HealthMissing));
                    }
                    self.still_good(peer.as_ref())?;
                }
            }
        }
    }

    /// The process had its certificate at its coming; it must be good as long as it stays.
    fn still_good(&self, peer: Option<&Peer>) -> Result<(), Box<Status>> {
        if peer.is_some_and(|peer| peer.name().is_err()) {
            let what = "the certificate was revoked, or expired";
            let refusal = Refusal::new(
                CERTIFICATE_NOT_GOOD,
                "/certificate",
                what,
                "come with a new certificate",
            );
            return Err(Box::new(forbidden(&refusal)));
        }
        if self.gateway.roster().systems(&self.adapter).is_none() {
            let what = "the registry does not know this adapter any more";
            let refusal = Refusal::new(ADAPTER_UNKNOWN, "/certificate", what, "ask the operator");
            return Err(Box::new(forbidden(&refusal)));
        }
        Ok(())
    }

    /// Both sides have finished what was in flight, or took too long.
    async fn drained(&self) {
        self.draining.cancelled().await;
        let late = async {
            tokio::select! {
                () = sleep(LEAVE_MAX) => {}
                () = async { self.gateway.stopping().await; sleep(DRAIN_MAX).await } => {}
            }
        };
        let quiet = async {
            self.table.quiet().await;
            self.asked.quiet().await;
        };
        tokio::select! {
            () = quiet => {}
            () = late => warn!(adapter.id = %self.adapter, "calls are cut off at the end of the grace"),
        }
    }

    fn take(self: &Arc<Self>, frame: AttachRequest) -> Result<(), Fault> {
        match frame.frame.ok_or(Fault::FrameUnknown)? {
            In::Hello(_) => Err(Fault::HelloTwice),
            In::Call(call) => self.begin(call),
            In::Chunk(chunk) => self.table.chunk(chunk.call_id, chunk.data),
            In::UploadEnd(end) => self.table.content_end(end.call_id, end.object.unwrap_or_default()),
            In::Credit(credit) => self.table.credit(credit.call_id, credit.bytes),
            In::Cancel(cancel) => self.table.cancel(cancel.call_id),
            In::Answer(answer) => self.asked.answer(answer.call_id, answer),
            In::Health(health) => {
                if !health.serving {
                    warn!(adapter.id = %self.adapter, reason = health.reason, "an adapter does not do its work");
                }
                Ok(())
            }
            In::Drain(_) => {
                self.draining.cancel();
                Ok(())
            }
        }
    }

    fn begin(self: &Arc<Self>, call: ExchangeCall) -> Result<(), Fault> {
        let (content, moving) = match &call.call {
            None => return Err(Fault::FrameUnknown),
            Some(exchange_call::Call::Upload(_)) => {
                let (inlet, outlet) = passage();
                (Content::In(inlet), Moving::In(outlet))
            }
            Some(exchange_call::Call::ReadObject(read)) => {
                let allowance = Arc::new(Allowance::new(read.credit_bytes));
                (Content::Out(Arc::clone(&allowance)), Moving::Out(allowance))
            }
            Some(_) => (Content::None, Moving::Nothing),
        };
        let cancelled = self.table.begin(call.call_id, content)?;
        let session = Arc::clone(self);
        self.gateway.tasks().spawn(session.serve(call, moving, cancelled));
        Ok(())
    }

    /// Welcome and the first view; what the view shows. Broken: whoever sends next finds out.
    async fn greet(&self) -> Revision {
        let shown = self.revision();
        for first in [Out::Welcome(self.welcome()), Out::View(write_view(&self.view()))] {
            self.line.send(frame(first)).await.ok();
        }
        shown
    }

    /// Tells the process what is new: arrivals, the registry, health, and the end.
    async fn tell(self: Arc<Self>, arrivals: Arrivals, mut shown: Revision) {
        let every = self.gateway.health_interval();
        let mut arrivals = arrivals.fuse();
        let mut ticks = interval(every.min(Duration::from_secs(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut said = Instant::now();
        let mut stay = std::pin::pin!(sleep(self.gateway.stay_max()));
        loop {
            let next = tokio::select! {
                () = self.line.end().wait() => return,
                () = self.gateway.stopping(), if !self.is_draining() => {
                    self.draining.cancel();
                    Out::Drain(Drain {})
                }
                // A connection has an end; whoever is told before loses no call by it.
                () = &mut stay, if !self.is_draining() => {
                    self.draining.cancel();
                    Out::Drain(Drain {})
                }
                Some(()) = arrivals.next() => Out::Arrived(Arrived {}),
                _ = ticks.tick() => {
                    let revision = self.revision();
                    if revision != shown {
                        shown = revision;
                        Out::View(write_view(&self.view()))
                    } else if said.elapsed() >= every / 2 {
                        Out::Health(Health { serving: true, reason: String::new() })
                    } else {
                        continue;
                    }
                }
            };
            if self.line.send(frame(next)).await.is_err() {
                return;
            }
            said = Instant::now();
        }
    }

    fn welcome(&self) -> Welcome {
        let settings = self.gateway.settings();
        Welcome {
            node: settings.node.to_string(),
            program: settings.program.clone(),
            minor: MINOR,
            calls_in_flight_max: settings.calls_in_flight_max,
            object_max_bytes: settings.object_max_bytes,
            health_interval_ms: settings.health_interval_ms,
        }
    }

    /// Changes when the view does.
    fn revision(&self) -> Revision {
        (self.gateway.roster().revision(), self.gateway.today())
    }

    fn view(&self) -> ViewOf {
        let today = self.gateway.today();
        let agencies = [today, today.tomorrow()].map(|day| AgenciesOf {
            day,
            agencies: self.exchange().agencies(day),
        });
        ViewOf {
            systems: self.its_systems(),
            agencies: agencies.into(),
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Session")
            .field("adapter", &self.adapter)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

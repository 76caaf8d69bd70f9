//! A node's parts in a folder, two departments, and a clock that the test moves.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use lgsp_audit::{NoteKey, Record};
use lgsp_contract::Folder;
use lgsp_ledger::{Ledger, Local, ReadLimit, Tenure};
use lgsp_store::{ObjectSettings, Objects, SqliteStore, Store};
use lgsp_types::{
    AdapterId, AgencyCode, Caller, Clock, ContractRef, Evidence, EvidenceKind, Exchange, IdKey, Kind, MsgId,
    OpenDelivery, OpenQuery, Operations, Publish, PushLine, Receipt, SystemId, TraceContext, TraceId, Uncollected,
    UnixMs, Written,
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::deadlines::tests::deadlines;
use crate::{Limits, Parts, Spine, Waits, Warm, stand_by};

pub(super) const SEAL_STOP_AFTER_MS: u64 = 100_000;
const PATIENCE: Duration = Duration::from_secs(30);
/// 25 November 2026 in Vietnam.
pub(super) const BEGIN_MS: u64 = 1_795_600_000_000;

pub(super) const REGISTRY: &str = r#"
format = 1
[[agency]]
id = "test.one"
kind = "department"
names = ["One"]
codes = ["H44.01"]
[[agency]]
id = "test.two"
kind = "department"
names = ["Two"]
codes = ["H44.02"]
[[system]]
id = "sys.one"
agency = "test.one"
speaks_for = ["H44.01"]
secret_ref = "sys.one"
key_id = "k1"
[[system]]
id = "sys.two"
agency = "test.two"
speaks_for = ["H44.02"]
secret_ref = "sys.two"
key_id = "k2"
[[connector]]
id = "one"
system = "sys.one"
adapter = "edxml-vxp"
mode = "pull"
[[connector]]
id = "two"
system = "sys.two"
adapter = "edxml-vxp"
mode = "pull"
[[grant]]
id = "documents"
contracts = ["vn.lgsp.document/*"]
senders = ["H44.*"]
addressees = ["H44.*"]
"#;

const SCHEMA: &[u8] = include_bytes!("../../../../config/contracts/vn.lgsp.document/1/schema.json");
const RULES: &[u8] = include_bytes!("../../../../config/contracts/vn.lgsp.document/1/contract.toml");

/// The contract that is shipped.
fn document_contract() -> Folder {
    Folder::new(ContractRef::parse("vn.lgsp.document/1").unwrap(), SCHEMA, RULES)
}

/// Its next version, of which what comes after a dead letter waits.
pub(super) fn blocking_contract() -> Folder {
    let rules = [b"after_dead_letter = \"block\"\n", RULES].concat();
    Folder::new(ContractRef::parse("vn.lgsp.document/2").unwrap(), SCHEMA, &rules)
}

#[derive(Debug)]
pub(super) struct Stage {
    pub(super) spine: Arc<Spine>,
    pub(super) receiver: Caller,
    folder: TempDir,
    ledgers: [Arc<Local>; 2],
    now: Arc<AtomicU64>,
    pub(super) tenure: Tenure,
}

impl Stage {
    pub(super) async fn open() -> Self {
        Self::try_open(tempfile::tempdir().unwrap()).await.unwrap()
    }

    /// The error is the whole chain of causes in one text.
    pub(super) async fn try_open(folder: TempDir) -> Result<Self, String> {
        Self::try_open_after(folder, false).await
    }

    async fn try_open_after(folder: TempDir, standing_by: bool) -> Result<Self, String> {
        let now = Arc::new(AtomicU64::new(BEGIN_MS));
        let tells = Arc::clone(&now);
        let clock: Clock = Arc::new(move || UnixMs(tells.load(Ordering::Relaxed)));
        let at = folder.path();
        let ledgers = [
            open_ledger(&at.join("data.ledger"), "test", 1, &clock),
            open_ledger(&at.join("control.ledger"), "test.control", 1, &clock),
        ];
        let [data, control] = [Arc::clone(&ledgers[0]), Arc::clone(&ledgers[1])];
        let mut parts = parts(at, ("test", data), ("test.control", control)).await;
        if standing_by {
            stands_by(&mut parts, &clock).await;
        }
        let tenure = Tenure::always();
        let spine = start(parts, &tenure, (limits(), clock), &[document_contract()]).await?;
        let receiver = caller("sys.two");
        Ok(Self {
            spine,
            receiver,
            folder,
            ledgers,
            now,
            tenure,
        })
    }

    pub(super) fn sender(&self) -> Caller {
        caller("sys.one")
    }

    pub(super) fn receiver(&self) -> Caller {
        self.receiver.clone()
    }

    /// The sender's message, accepted.
    pub(super) async fn accepted(&self, order_key: &str, idempotency_key: &str, text: &str) -> Receipt {
        let publish = publish(order_key, idempotency_key, text);
        self.spine.publish(&self.sender(), publish).await.unwrap()
    }

    pub(super) fn data_ledger(&self) -> &Local {
        &self.ledgers[0]
    }

    pub(super) fn clock(&self) -> Clock {
        let now = Arc::clone(&self.now);
        Arc::new(move || UnixMs(now.load(Ordering::Relaxed)))
    }

    pub(super) fn node_key(&self) -> NoteKey {
        node_key()
    }

    pub(super) fn log_key(&self) -> NoteKey {
        log_key()
    }

    pub(super) fn advance(&self, by: UnixMs) {
        self.now.fetch_add(by.0, Ordering::Relaxed);
    }

    /// Waits until all that is in the ledger is projected.
    pub(super) async fn projected(&self) {
        let end = self.ledgers[0].end(0).await.unwrap();
        if let Some(last) = end.checked_sub(1) {
            self.spine.projection.passed(0, last).await.unwrap();
        }
    }

    pub(super) async fn open_for_receiver(&self) -> Vec<OpenDelivery> {
        self.projected().await;
        let query = OpenQuery {
            contract: None,
            limit: 100,
            after: None,
            dead_letters: true,
        };
        self.spine.open(&self.receiver, query).await.unwrap()
    }

    /// Kinds of all facts of the data ledger, in order.
    pub(super) async fn kinds(&self) -> Vec<Kind> {
        self.traces().await.into_iter().map(|(kind, _)| kind).collect()
    }

    /// Kind and trace of all facts of the data ledger, in order.
    pub(super) async fn traces(&self) -> Vec<(Kind, Option<String>)> {
        let limit = ReadLimit {
            entries: 1_000,
            bytes: usize::MAX,
        };
        let entries = self.ledgers[0].read(0, 0, limit).await.unwrap();
        let facts = entries.iter().map(|entry| Record::read(&entry.record).unwrap().fact);
        facts
            .map(|fact| {
                let trace = fact.trace_id.and_then(TraceId::from_bytes);
                (fact.what.kind(), trace.map(|trace| trace.to_string()))
            })
            .collect()
    }

    /// What the node does by itself with a message belongs to the message's trace.
    pub(super) async fn all_is_in_the_trace_of_the_calls(&self) {
        let facts = self.traces().await;
        let own = |trace: &Option<String>| trace.as_ref().is_some_and(|trace| TRACE.contains(trace));
        assert!(facts.iter().all(|(_, trace)| own(trace)), "{facts:?}");
    }

    pub(super) async fn until_kind(&self, kind: Kind) {
        let waiting = async {
            let mut end = 0;
            while !self.kinds().await.contains(&kind) {
                end = self.ledgers[0].grown(0, end).await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap();
    }

    /// Waits until all that is in the ledger is sealed: the clock may be moved far.
    pub(super) async fn sealed(&self) {
        let end = self.ledgers[0].end(0).await.unwrap().to_string();
        let waiting = async {
            loop {
                // The second line of a checkpoint is the size that it covers.
                let checkpoint = self.spine.checkpoint(0).await.unwrap().unwrap_or_default();
                if checkpoint.lines().nth(1) == Some(end.as_str()) && self.spine.late_since_is_zero() {
                    return;
                }
                tokio::time::sleep(limits().seal_interval).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap();
    }

    /// Waits until these alarms are raised.
    pub(super) async fn until_uncollected(&self, fits: impl Fn(&[Uncollected]) -> bool) -> Vec<Uncollected> {
        let waiting = async {
            loop {
                let uncollected = self.spine.status().await.unwrap().uncollected;
                if fits(&uncollected) {
                    return uncollected;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap()
    }

    /// Waits until the line of a push connector stands so.
    pub(super) async fn until_line(&self, stands: impl Fn(&PushLine) -> bool) {
        let waiting = async {
            while !self.spine.pushers.lines().iter().any(&stands) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap();
    }

    /// The inclusion proof of a message, once it is sealed.
    pub(super) async fn sealed_proof(&self, id: MsgId) -> String {
        self.projected().await;
        let waiting = async {
            loop {
                if let Some(proof) = self.spine.evidence(None, id).await.unwrap().unwrap().proof {
                    return proof;
                }
                tokio::time::sleep(limits().seal_interval).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap()
    }

    /// Sealing ends for good: the checkpoint's place is taken by a folder.
    pub(super) async fn sealer_stands_still(&self) {
        let checkpoint = self.folder.path().join("audit/test-0.checkpoint");
        std::fs::remove_file(&checkpoint).unwrap();
        std::fs::create_dir_all(checkpoint.join("in-the-way")).unwrap();
        self.spine
            .publish(&self.sender(), publish("z", "z", "z"))
            .await
            .unwrap();
        let waiting = async {
            while self.spine.late_since_is_zero() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap();
    }

    pub(super) async fn close(self) -> TempDir {
        self.spine.stop(PATIENCE).await;
        self.spine.store.close().await;
        for ledger in &self.ledgers {
            ledger.close().await;
        }
        self.folder
    }

    /// [`Self::reopen`] by a node that stood by before, with nothing of its own.
    pub(super) async fn reopen_elsewhere(self) -> Self {
        let folder = self.close().await;
        for own in ["audit", "store.sqlite", "store.sqlite-shm", "store.sqlite-wal"] {
            let own = folder.path().join(own);
            drop(std::fs::remove_dir_all(&own));
            drop(std::fs::remove_file(&own));
        }
        Self::try_open_after(folder, true).await.unwrap()
    }

    pub(super) async fn reopen(self) -> Self {
        Self::try_open(self.close().await).await.unwrap()
    }
}

/// What a node is made of that keeps all but its ledgers in this folder.
pub(super) async fn parts(
    at: &Path,
    (ledger_name, ledger): (&str, Arc<dyn Ledger>),
    (control_name, control): (&str, Arc<dyn Ledger>),
) -> Parts {
    std::fs::create_dir_all(at.join("audit")).unwrap();
    let ids = IdKey::new(&[1; 32]);
    let store = SqliteStore::open(&at.join("store.sqlite"), ledger_name, ids.id(), ledger.partitions())
        .await
        .unwrap();
    let settings = ObjectSettings {
        root: at.to_owned(),
        object_max_bytes: 1024 * 1024,
    };
    Parts {
        store: Arc::new(store) as Arc<dyn Store>,
        ledger,
        ledger_name: ledger_name.to_owned(),
        control,
        control_name: control_name.to_owned(),
        objects: Objects::open(settings).await.unwrap(),
        ids,
        node_key: node_key(),
        log_key: Arc::new(log_key()),
        node: (SystemId::parse("node").unwrap(), "test".to_owned()),
        audit: at.join("audit"),
        warm: Warm::default(),
        deadlines: deadlines(),
    }
}

/// Starts a node that knows the two departments and this contract; the error is the whole chain of causes.
pub(super) async fn start(
    parts: Parts,
    tenure: &Tenure,
    (limits, clock): (Limits, Clock),
    contracts: &[Folder],
) -> Result<Arc<Spine>, String> {
    let spine = Spine::start(parts, tenure.clone(), limits, clock)
        .await
        .map_err(|error| chain(&error))?;
    spine.import_contracts(contracts).await.map_err(|error| chain(&error))?;
    spine
        .import("test.toml", REGISTRY)
        .await
        .map_err(|error| chain(&error))?;
    Ok(spine)
}

/// Until all that is in the ledger is projected and hashed; nothing may be signed by then.
async fn stands_by(parts: &mut Parts, clock: &Clock) {
    let (stop, store, audit) = (CancellationToken::new(), Arc::clone(&parts.store), parts.audit.clone());
    let end = parts.ledger.end(0).await.unwrap();
    let hashes = audit.join("test-0.hashes");
    let ready = async {
        let hashed = || std::fs::metadata(&hashes).map_or(0, |file| file.len() / 32);
        while store.next_offset(0).await.unwrap() < end || hashed() < end {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.cancel();
    };
    let limits = limits();
    let standing_by = stand_by(parts, &limits, clock, stop.clone());
    let (stood, ()) = tokio::join!(standing_by, async {
        tokio::time::timeout(PATIENCE, ready).await.unwrap()
    });
    stood.unwrap();
    assert!(
        !audit.join("test-0.checkpoint").exists(),
        "a node that stands by signs nothing"
    );
}

pub(super) fn limits() -> Limits {
    Limits {
        facts_waiting_max: 64,
        project_batch_max: 100,
        refusals_per_second_max: 50,
        seal_interval: Duration::from_millis(10),
        seal_stop_after: Duration::from_millis(SEAL_STOP_AFTER_MS),
        seal_alarm_after: Duration::from_secs(60),
        staging_keep: Duration::from_secs(3_600),
        waits: Waits {
            no_route_after: Duration::from_millis(100),
            collect_within_hours: 72,
        },
    }
}

/// The ledger in this file, made with so many partitions if there is none.
pub(super) fn open_ledger(path: &Path, name: &str, partitions: u32, clock: &Clock) -> Arc<Local> {
    if !path.exists() {
        Local::create(path, name, partitions, BEGIN_MS).unwrap();
    }
    let clock = Arc::clone(clock);
    Arc::new(Local::open(path, Arc::new(move || clock().0)).unwrap())
}

pub(super) fn node_key() -> NoteKey {
    NoteKey::from_seed("node", &[2; 32]).unwrap()
}

pub(super) fn log_key() -> NoteKey {
    NoteKey::from_seed("log", &[3; 32]).unwrap()
}

pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(": ");
        text.push_str(&source.to_string());
        cause = source.source();
    }
    text
}

/// The trace of every call.
pub(super) const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

pub(super) fn caller(system: &str) -> Caller {
    Caller {
        system: SystemId::parse(system).unwrap(),
        adapter: AdapterId::parse("test").unwrap(),
        trace: TraceContext::parse(TRACE).unwrap(),
    }
}

pub(super) fn written(code: &str, path: &str) -> Written {
    Written {
        code: AgencyCode::parse(code).unwrap(),
        path: path.to_owned(),
    }
}

/// What the contract of documents asks for, and no more; the subject tells letters apart.
pub(super) fn letter(subject: &str) -> String {
    format!(
        r#"{{"id":"1","code":{{"number":"1","notation":"A"}},"promulgation":{{"date":"2026-11-24"}},"type":{{"name":"Công văn"}},"subject":"{subject}","signer":{{"full_name":"Nguyễn Văn Mẫu"}},"from":{{"code":"H44.01"}},"to":[{{"code":"H44.02"}}],"business":{{"kind":0}}}}"#
    )
}

pub(super) fn publish(order_key: &str, idempotency_key: &str, text: &str) -> Publish {
    Publish {
        contract: ContractRef::parse("vn.lgsp.document/1").unwrap(),
        from: written("H44.01", "/from"),
        to: vec![written("H44.02", "/to[1]")],
        purpose: String::new(),
        order_key: order_key.to_owned(),
        idempotency_key: idempotency_key.to_owned(),
        case: String::new(),
        codes_as_of: None,
        documents: Vec::new(),
        act: "0".to_owned(),
        due: None,
        payload: Bytes::from(letter(text)),
        objects: Vec::new(),
    }
}

pub(super) fn evidence() -> Evidence {
    Evidence {
        kind: EvidenceKind::SharedSecret,
        key_id: "k2".to_owned(),
        proof: Bytes::from_static(&[7; 32]),
        signed: Bytes::from_static(b"{}"),
    }
}

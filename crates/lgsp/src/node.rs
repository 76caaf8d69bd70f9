//! One node: opens what lies in its folder, joins the parts, serves, and stops in order.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lgsp_adapters::edxml_vxp::server::{BindError, Server, UnusableSecret};
use lgsp_api::GatewaySettings;
use lgsp_exchange::{ContractsError, ImportError, Limits, Parts, Spine, StartError, Waits, Warm, stand_by};
use lgsp_files::{Existing, write_whole};
use lgsp_ledger::kafka::{Claimant, Kafka, Lease, LeaseError};
use lgsp_ledger::{Ledger, Local, Lost, OpenError, Tenure};
use lgsp_store::{ObjectSettings, Objects, SqliteStore};
use lgsp_types::{Clock, UnixMs};
use serde_json::json;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::adapters::Adapters;
use crate::contract_files;
use crate::grpc::{Grpc, GrpcError, Ports};
use crate::hexadecimal::hexadecimal;
use crate::home::{Home, HomeError, Keys};
use crate::metrics::{self, MeasuredAdapter, MeasuredExchange, Metrics};
use crate::operations;
use crate::registry_files;
use crate::settings::{LedgerKind, Problems, Settings};
use crate::traces::{CollectorError, Traces};

/// Why a node does not run.
#[derive(Debug, Error)]
pub(crate) enum NodeError {
    #[error(transparent)]
    Home(#[from] HomeError),
    #[error("the ledger {path} cannot be opened")]
    Ledger {
        path: PathBuf,
        #[source]
        source: OpenError,
    },
    #[error("the ledger whose topic {path} tells of cannot be opened")]
    Topic {
        path: PathBuf,
        #[source]
        source: lgsp_ledger::kafka::OpenError,
    },
    /// The ledger's shape is fixed when it is made.
    #[error("the ledger has {found} partitions and the name `{name}`; the settings say otherwise")]
    OtherLedger { found: u32, name: String },
    #[error("the store cannot be opened")]
    Store(#[from] lgsp_store::OpenError),
    #[error("the objects in {path} cannot be opened")]
    Objects {
        path: PathBuf,
        #[source]
        source: lgsp_store::ObjectError,
    },
    #[error("the façade cannot be served")]
    Facade(#[from] BindError),
    #[error(transparent)]
    Secret(#[from] UnusableSecret),
    #[error("the exchange cannot start")]
    Start(#[from] StartError),
    #[error("the registry is wrong:\n{0}")]
    Registry(Problems),
    #[error("the registry file {path} was not imported")]
    Import {
        path: PathBuf,
        #[source]
        source: ImportError,
    },
    #[error("the contracts are wrong:\n{0}")]
    Contracts(Problems),
    #[error("the contracts did not come into force")]
    ContractsNotTaken(#[source] ContractsError),
    #[error("this node cannot hold the ledger")]
    Lease(#[from] LeaseError),
    /// Another node serves: started again, this one stands by.
    #[error("this node does not hold the ledger any more; started again, it stands by")]
    Lost(#[source] Lost),
    #[error(transparent)]
    Grpc(#[from] GrpcError),
    #[error("spans cannot be sent")]
    Traces(#[from] CollectorError),
    #[error("{what} cannot be served")]
    Serve {
        what: &'static str,
        #[source]
        source: std::io::Error,
    },
}

/// A ledger that nobody holds is held within it.
const MOMENT: Duration = Duration::from_millis(500);
/// What this build calls itself in facts.
pub(crate) const BUILD: &str = concat!("lgsp ", env!("CARGO_PKG_VERSION"));

/// The machine's clock: the only place that reads it.
pub(crate) fn clock() -> Clock {
    #[expect(clippy::disallowed_methods, reason = "this is the Clock that everybody else takes")]
    fn now() -> UnixMs {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        UnixMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
    Arc::new(now)
}

/// Runs a node until `stop`, then lets what is in progress end, at most for `node.stop_grace_ms`. It stands by while another
/// node holds the ledger, and ends when another took it over.
pub(crate) async fn serve(settings: Settings, stop: CancellationToken) -> Result<(), NodeError> {
    let clock = clock();
    let home = Home::new(&settings.node.data_dir);
    let (name, partitions) = (&settings.ledger.name, settings.ledger.partitions);
    let keys = home.keys(name, settings.node.id.as_str())?;
    if settings.ledger.kind == LedgerKind::Local {
        home.local_ledgers(name, partitions, clock())?;
    }
    let Opened {
        mut parts,
        data,
        control,
        reader,
        lease,
    } = open(&settings, &home, keys, &clock).await?;
    let served = match turn(&settings, &mut parts, lease.as_ref(), &clock, &stop).await {
        Ok(Some(tenure)) => serve_while_held(&settings, &home, (parts, tenure), reader, clock, stop).await,
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    if let Some(lease) = lease {
        lease.close().await;
    }
    for ledger in [&data, &control] {
        ledger.close().await;
    }
    served
}

/// Waits for this node's turn, and keeps its store near the ledger's end meanwhile; none: it was told to stop.
async fn turn(
    settings: &Settings,
    parts: &mut Parts,
    lease: Option<&Lease>,
    clock: &Clock,
    stop: &CancellationToken,
) -> Result<Option<Tenure>, NodeError> {
    let Some(lease) = lease else {
        return Ok(Some(Tenure::always()));
    };
    // Where nobody holds it, or never will with these keys, that is known in a moment.
    if let Ok(held) = tokio::time::timeout(MOMENT, lease.held()).await {
        return Ok(Some(held?));
    }
    let waiting_ends = stop.child_token();
    let limits = limits(settings);
    let waiting = stand_by(parts, &limits, clock, waiting_ends.clone());
    tokio::pin!(waiting);
    let held = tokio::select! {
        ended = &mut waiting => {
            ended?;
            return Ok(None);
        }
        held = lease.held() => held,
    };
    waiting_ends.cancel();
    waiting.await?;
    Ok(Some(held?))
}

/// Takes over, and serves until it is told to stop or another node took over.
async fn serve_while_held(
    settings: &Settings,
    home: &Home,
    (parts, tenure): (Parts, Tenure),
    reader: Objects,
    clock: Clock,
    stop: CancellationToken,
) -> Result<(), NodeError> {
    let over = stop.child_token();
    let metrics = Metrics::new();
    let traces = Traces::start(
        &settings.traces,
        &settings.node.id,
        Arc::clone(&clock),
        metrics.spans.clone(),
    )?;
    let started = Spine::start(parts, tenure.clone(), limits(settings), Arc::clone(&clock)).await;
    // What failed because the ledger was lost is told as that.
    let lost_or = |error| tenure.ended().map_or(error, NodeError::Lost);
    let spine = started.map_err(|error| lost_or(error.into()))?;
    let serving = serve_on(
        settings,
        home,
        &spine,
        (reader, metrics, traces.clone()),
        clock,
        over.clone(),
    );
    tokio::pin!(serving);
    let served = tokio::select! {
        served = &mut serving => served.map_err(lost_or),
        lost = tenure.lost() => {
            error!(reason = %lost, epoch = tenure.epoch(), "the ledger is lost to another node: nothing more is accepted or handed out");
            over.cancel();
            serving.await.and(Err(NodeError::Lost(lost)))
        }
    };
    spine.stop(settings.stop_grace()).await;
    traces.stop(settings.stop_grace()).await;
    served
}

async fn serve_on(
    settings: &Settings,
    home: &Home,
    spine: &Arc<Spine>,
    (objects, metrics, traces): (Objects, Metrics, Traces),
    clock: Clock,
    stop: CancellationToken,
) -> Result<(), NodeError> {
    import(settings, spine).await?;
    let serve_error = |what| move |source| NodeError::Serve { what, source };
    let exchange = Arc::clone(spine) as Arc<dyn lgsp_types::Exchange>;
    let exchange: Arc<dyn lgsp_types::Exchange> =
        Arc::new(MeasuredExchange::new(exchange, metrics.clone(), traces.clone()));
    let now = clock();
    let objects: Arc<dyn lgsp_types::ObjectReader> = Arc::new(objects);
    let ports = Ports {
        exchange: Arc::clone(&exchange),
        objects: Arc::clone(&objects),
        operations: Arc::clone(spine) as Arc<dyn lgsp_types::Operations>,
        roster: Arc::clone(spine) as Arc<dyn lgsp_types::Roster>,
        gateway: gateway(settings),
    };
    let grpc = Grpc::open(&settings.grpc, home.root(), ports, Arc::clone(&clock)).await?;
    let facade = match settings.vxp.listen {
        Some(_) => Some(Server::bind(
            &settings.vxp,
            &home.secrets(),
            exchange,
            Arc::clone(&objects),
            Arc::clone(&clock),
        )?),
        None => None,
    };
    if let Some(facade) = &facade {
        facade.check_secrets(&spine.ruling().registry.systems(now))?;
    }
    let numbers = match settings.metrics.listen() {
        Some(address) => Some(
            TcpListener::bind(address)
                .await
                .map_err(serve_error("the port of metrics"))?,
        ),
        None => None,
    };
    let socket = operations::bind(&home.socket()).map_err(serve_error("the operations socket"))?;
    let vxp = facade.as_ref().map(|facade| format!("http://{}", facade.local_addr()));
    let grpc_url = grpc.as_ref().map(Grpc::url);
    let metrics_url = numbers.as_ref().and_then(|numbers| numbers.local_addr().ok());
    let metrics_url = metrics_url.map(|address| format!("http://{address}/metrics"));
    let announcement = json!({ "pid": std::process::id(), "vxp": vxp, "grpc": grpc_url, "metrics": metrics_url });
    let announcement = announcement.to_string();
    write_whole(&home.announcement(), announcement.as_bytes(), Existing::Replace, 0o644)
        .map_err(serve_error("the announcement"))?;
    info!(vxp, grpc = grpc_url, metrics = metrics_url, data_dir = %home.root().display(), "serving");
    let processes = grpc.as_ref().map(Grpc::adapters);
    let adapters = Adapters::new(
        spine,
        settings.webhook.clone(),
        home,
        objects,
        Arc::clone(&clock),
        processes,
    );
    let adapters = MeasuredAdapter::new(Arc::new(adapters), metrics.clone(), traces);
    spine.push_through(Arc::new(adapters), settings.push.limits());
    let ((), (), (), served) = tokio::join!(
        serve_facade(facade, stop.clone(), settings.stop_grace()),
        operations::serve(socket, Arc::clone(spine), clock, stop.clone()),
        serve_metrics(numbers, metrics, spine, stop.clone()),
        serve_grpc(grpc, stop, settings.stop_grace()),
    );
    // The folder says no longer that somebody serves it.
    for left in [home.announcement(), home.socket()] {
        drop(std::fs::remove_file(left));
    }
    Ok(served?)
}

/// Serves metrics, if they are served.
async fn serve_metrics(numbers: Option<TcpListener>, metrics: Metrics, spine: &Arc<Spine>, stop: CancellationToken) {
    if let Some(numbers) = numbers {
        metrics::serve(numbers, metrics, Arc::clone(spine), stop).await;
    }
}

async fn serve_facade(facade: Option<Server>, stop: CancellationToken, grace: Duration) {
    if let Some(facade) = facade {
        facade.serve(stop, grace).await;
    }
}

/// Serves gRPC, if it is served; after `stop`, what is in progress has so long to end.
async fn serve_grpc(grpc: Option<Grpc>, stop: CancellationToken, grace: Duration) -> Result<(), GrpcError> {
    let Some(grpc) = grpc else { return Ok(()) };
    let late = async {
        stop.cancelled().await;
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        served = grpc.serve(stop.clone()) => served,
        () = late => {
            warn!("the stop did not wait for every gRPC call");
            Ok(())
        }
    }
}

/// Everything a spine is made of, and what outlives it.
struct Opened {
    parts: Parts,
    data: Arc<dyn Ledger>,
    control: Arc<dyn Ledger>,
    reader: Objects,
    /// None: the lock on the ledger's file is enough.
    lease: Option<Lease>,
}

async fn open(settings: &Settings, home: &Home, keys: Keys, clock: &Clock) -> Result<Opened, NodeError> {
    let ((data, name), (control, control_name), lease) = match settings.ledger.kind {
        LedgerKind::Local => {
            let pages_max = settings.ledger.pages_max;
            let data = open_local(home.data_ledger(), clock, pages_max).await?;
            (data, open_local(home.control_ledger(), clock, pages_max).await?, None)
        }
        LedgerKind::Kafka => {
            let data = open_topic(home.data_topic(), settings).await?;
            let control = open_topic(home.control_topic(), settings).await?;
            (data, control, Some(home.lease_topic()))
        }
    };
    let partitions = data.partitions();
    if partitions != settings.ledger.partitions || name != settings.ledger.name {
        return Err(NodeError::OtherLedger {
            found: partitions,
            name,
        });
    }
    let store = SqliteStore::open(&home.store(), &name, keys.ids.id(), partitions).await?;
    let path = settings.objects.folder(home.root()).to_owned();
    let objects = Objects::open(ObjectSettings {
        root: path.clone(),
        object_max_bytes: settings.objects.object_max_bytes,
    });
    let objects = objects.await.map_err(|source| NodeError::Objects { path, source })?;
    // Last, as the ledger may be this node's as soon as it is open.
    let lease = match lease {
        Some(path) => Some(open_lease(path, settings, &keys).await?),
        None => None,
    };
    let parts = Parts {
        ledger: Arc::clone(&data),
        ledger_name: name,
        control: Arc::clone(&control),
        control_name,
        store: Arc::new(store),
        objects: objects.clone(),
        ids: keys.ids,
        node_key: keys.node,
        log_key: Arc::new(keys.log),
        node: (settings.node.id.clone(), BUILD.to_owned()),
        audit: home.audit(),
        warm: Warm::default(),
        deadlines: settings.documents.deadlines(),
    };
    Ok(Opened {
        parts,
        data,
        control,
        reader: objects,
        lease,
    })
}

async fn open_lease(path: PathBuf, settings: &Settings, keys: &Keys) -> Result<Lease, NodeError> {
    // A verifier knows a key by the one that announced it: of several nodes it is one key under several names.
    let node_key = hexadecimal(&keys.node.public_key());
    let claimant = Claimant {
        node: settings.node.id.to_string(),
        ttl: settings.kafka.lease(),
        keys: format!("{} {node_key} {}", keys.ids.id(), keys.log.vkey()),
    };
    let opened = Lease::open(&path, &settings.kafka.settings(), claimant).await;
    opened.map_err(|source| NodeError::Topic { path, source })
}

/// A ledger that was opened, and its name.
type Named = (Arc<dyn Ledger>, String);

async fn open_topic(path: PathBuf, settings: &Settings) -> Result<Named, NodeError> {
    let opened = Kafka::open(&path, &settings.kafka.settings()).await;
    let ledger = opened.map_err(|source| NodeError::Topic { path, source })?;
    let name = ledger.manifest().name.clone();
    Ok((Arc::new(ledger), name))
}

async fn open_local(path: PathBuf, clock: &Clock, pages_max: u32) -> Result<Named, NodeError> {
    let ledger_clock = Arc::clone(clock);
    let settings = lgsp_ledger::Settings {
        pages_max: (pages_max > 0).then_some(pages_max),
    };
    let at = path.clone();
    let opening =
        tokio::task::spawn_blocking(move || Local::open_with(&at, Arc::new(move || ledger_clock().0), settings));
    let opened = opening.await.map_err(|error| NodeError::Serve {
        what: "the ledger",
        source: error.into(),
    })?;
    let ledger = opened.map_err(|source| NodeError::Ledger { path, source })?;
    let name = ledger.manifest().name.clone();
    Ok((Arc::new(ledger), name))
}

/// What adapter processes are told and allowed.
fn gateway(settings: &Settings) -> GatewaySettings {
    GatewaySettings {
        node: settings.node.id.clone(),
        program: BUILD.to_owned(),
        calls_in_flight_max: settings.grpc.adapter_calls_in_flight_max,
        object_max_bytes: settings.objects.object_max_bytes,
        health_interval_ms: settings.grpc.adapter_health_interval_ms,
    }
}

fn limits(settings: &Settings) -> Limits {
    Limits {
        facts_waiting_max: settings.exchange.facts_waiting_max,
        project_batch_max: settings.exchange.project_batch_max,
        refusals_per_second_max: settings.exchange.refusals_per_second_max,
        seal_interval: Duration::from_millis(settings.seal.interval_ms),
        seal_stop_after: Duration::from_millis(settings.seal.stop_after_ms),
        seal_alarm_after: Duration::from_millis(settings.seal.alarm_after_ms),
        staging_keep: Duration::from_secs(u64::from(settings.objects.staging_keep_hours) * 3_600),
        waits: Waits {
            no_route_after: Duration::from_millis(settings.exchange.no_route_after_ms),
            collect_within_hours: settings.exchange.collect_within_hours,
        },
    }
}

/// Imports contracts and registry files; a wrong one keeps the node from serving, so that nobody serves half of them.
async fn import(settings: &Settings, spine: &Spine) -> Result<(), NodeError> {
    let folders = contract_files::read_all(&settings.contracts.folders).map_err(NodeError::Contracts)?;
    match spine.import_contracts(&folders).await {
        Ok(new) => info!(new, known = folders.len(), "contracts read"),
        Err(ContractsError::Unsound(wrong)) => return Err(NodeError::Contracts(contract_files::problems(wrong))),
        Err(error) => return Err(NodeError::ContractsNotTaken(error)),
    }
    for file in registry_files::read(&settings.registry.files).map_err(NodeError::Registry)? {
        let path: &Path = &file.path;
        match spine.import(&file.name, &file.text).await {
            Ok(imported) => {
                info!(file = %path.display(), changed = imported.changed, "registry file read");
                for left in imported.left {
                    warn!(file = %path.display(), object = %left, "changed by someone else since: left as it is");
                }
            }
            Err(ImportError::File(mistakes)) => {
                return Err(NodeError::Registry(registry_files::problems(&file, mistakes)));
            }
            Err(source) => {
                return Err(NodeError::Import {
                    path: path.to_owned(),
                    source,
                });
            }
        }
    }
    if spine.ruling().registry.grants_nothing() {
        warn!("the registry has no grant: every message will be refused");
    }
    Ok(())
}

//! Both ends of a stream joined without a network: what the port says must be what the exchange said.

mod double;
mod faults;
mod pushes;
mod trouble;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use lgsp_types::{
    AcknowledgeError, Acknowledged, AdapterId, AgencyCode, Caller, ContentError, DeliveryId, Digest, DocumentDate,
    Evidence, EvidenceKind, Exchange, Fate, FetchError, ObjectReader, OpenQuery, Outcome, PublishError, ReasonCode,
    Refusal, Rejection, Role, TraceContext, UploadError, WithdrawError,
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::gateway::{Gateway, GatewayParts, GatewaySettings};
use super::remote::{Remote, RemoteSettings};
use crate::{LimitSettings, Limits};
use double::{Double, Roll, TRACEPARENT, attachment, fetched, id, message, system, waiting};

/// Longest wait of a test for something to happen.
const WAIT: Duration = Duration::from_secs(20);

/// A node and one process, joined.
struct Joined {
    exchange: Arc<Double>,
    roll: Arc<Roll>,
    gateway: Gateway,
    remote: Remote,
    /// The node stops.
    node_stop: CancellationToken,
    /// The process stops.
    stop: CancellationToken,
    tasks: TaskTracker,
    /// Breaks the stream of this moment.
    breaks: Arc<tokio::sync::Notify>,
}

fn settings() -> GatewaySettings {
    GatewaySettings {
        node: system("node-1"),
        program: String::from("lgsp test"),
        calls_in_flight_max: 8,
        object_max_bytes: 1 << 30,
        health_interval_ms: 60_000,
    }
}

fn adapter() -> AdapterId {
    AdapterId::parse("vxp-1").unwrap()
}

fn gateway(exchange: &Arc<Double>, roll: &Arc<Roll>, settings: GatewaySettings, stop: &CancellationToken) -> Gateway {
    staying(exchange, roll, settings, stop, Duration::from_secs(3600))
}

fn staying(
    exchange: &Arc<Double>,
    roll: &Arc<Roll>,
    settings: GatewaySettings,
    stop: &CancellationToken,
    stay_max: Duration,
) -> Gateway {
    let parts = GatewayParts {
        exchange: Arc::clone(exchange) as Arc<dyn Exchange>,
        objects: Arc::clone(exchange) as Arc<dyn ObjectReader>,
        roster: Arc::clone(roll) as Arc<dyn lgsp_types::Roster>,
        clock: Arc::new(|| lgsp_types::UnixMs(1_795_594_503_000)),
        limits: Limits::new(LimitSettings {
            calls_per_second: 1_000,
            calls_burst: 1_000,
            // Two uploads at a time.
            bytes_in_flight_max: 512 * 1024,
            node_bytes_in_flight_max: 1 << 30,
            streams_max: 8,
            node_streams_max: 8,
        }),
        settings,
    };
    Gateway::new(parts, TaskTracker::new(), stop.clone(), stay_max)
}

impl Joined {
    async fn new(adapter_of_process: Option<Arc<dyn lgsp_types::Adapter>>) -> Self {
        Self::staying(adapter_of_process, Duration::from_secs(3600)).await
    }

    /// With a node that has its streams come anew as often as this.
    async fn staying(adapter_of_process: Option<Arc<dyn lgsp_types::Adapter>>, stay_max: Duration) -> Self {
        let exchange = Arc::new(Double::default());
        let roll = Arc::new(Roll::new(&["a", "b"]));
        let (node_stop, stop) = (CancellationToken::new(), CancellationToken::new());
        let gateway = staying(&exchange, &roll, settings(), &node_stop, stay_max);
        let breaks = Arc::new(tokio::sync::Notify::new());
        let (dialled, broken) = (gateway.clone(), Arc::clone(&breaks));
        let dial = Box::new(move |leaving: super::remote::Leaving| -> super::remote::Dialling {
            let (gateway, broken) = (dialled.clone(), Arc::clone(&broken));
            Box::pin(async move {
                let coming = gateway.hold(adapter(), None, Box::pin(leaving.map(Ok)));
                let cut = async move { broken.notified().await };
                Ok(Box::pin(coming.take_until(Box::pin(cut))) as super::remote::Coming)
            })
        });
        let settings = RemoteSettings {
            program: String::from("test 1"),
            kind: String::from("edxml-vxp"),
            systems: Vec::new(),
            connect_wait: Duration::from_secs(5),
            answer_timeout: Duration::from_secs(10),
            retry_first: Duration::from_millis(1),
            retry_max: Duration::from_millis(5),
        };
        let remote = Remote::over(dial, settings, adapter_of_process);
        let tasks = TaskTracker::new();
        let (running, stopping) = (remote.clone(), stop.clone());
        tasks.spawn(async move { running.run(stopping, Duration::from_secs(5)).await });
        timeout(WAIT, remote.attached()).await.unwrap();
        Self {
            exchange,
            roll,
            gateway,
            remote,
            node_stop,
            stop,
            tasks,
            breaks,
        }
    }

    /// The process ends in order.
    async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        timeout(WAIT, self.tasks.wait()).await.unwrap();
    }
}

/// What façade and others say of themselves; the node knows better.
fn caller(name: &str) -> Caller {
    Caller {
        system: system(name),
        adapter: AdapterId::parse("edxml-vxp").unwrap(),
        trace: TraceContext::parse("4bf92f3577b34da6a3ce929d0e0e4736").unwrap(),
    }
}

async fn upload(remote: &Remote, bytes: &[u8]) -> lgsp_types::Staged {
    let mut upload = remote.upload(&caller("a")).await.unwrap();
    for chunk in bytes.chunks(100_000) {
        upload.write(Bytes::copy_from_slice(chunk)).await.unwrap();
    }
    upload
        .finish("edoc.edxml", "application/xml", Role::Original)
        .await
        .unwrap()
}

fn large() -> Vec<u8> {
    (0..3_000_000u32).map(|at| (at % 251) as u8).collect()
}

#[tokio::test]
async fn a_message_with_its_original_is_accepted_as_inside_the_node() {
    let joined = Joined::new(None).await;
    let staged = upload(&joined.remote, &large()).await;
    assert_eq!(staged.attachment.digest, Digest::of(&large()));
    let mut publish = message("key");
    publish.objects = vec![staged];
    let receipt = joined.remote.publish(&caller("a"), publish.clone()).await.unwrap();
    {
        let state = joined.exchange.state();
        let (by, published) = state.published.last().unwrap();
        assert_eq!(by.system, system("a"));
        assert_eq!(by.adapter, adapter(), "as its certificate says, not as it says itself");
        assert_eq!(published.from, publish.from);
        assert_eq!(published.to, publish.to);
        assert_eq!(state.stored(&published.objects[0].staging), large());
        assert_eq!(Some(&receipt), state.receipts.last());
    }
    joined.end().await;
}

#[tokio::test]
async fn a_call_keeps_its_trace_on_its_way_to_the_node_whoever_began_it() {
    let joined = Joined::new(None).await;
    let named = TraceContext::parse(TRACEPARENT).unwrap();
    for trace in [caller("a").trace, named] {
        let caller = Caller { trace, ..caller("a") };
        joined.remote.publish(&caller, message("key")).await.unwrap();
        let (by, _) = joined.exchange.state().published.last().cloned().unwrap();
        assert_eq!(by.trace, trace);
    }
    joined.end().await;
}

#[tokio::test]
async fn an_error_of_the_exchange_is_the_same_error_in_the_process() {
    let joined = Joined::new(None).await;
    let refusal = Refusal::new(
        ReasonCode::new("ADDRESSEE_UNKNOWN"),
        "/edXML/To[1]",
        "nobody",
        "another",
    );
    let conflict = PublishError::Conflict { msg_id: id(9) };
    let refused = PublishError::Refused(vec![refusal]);
    for error in [refused, conflict, PublishError::Busy, PublishError::Unknown] {
        let told = error.to_string();
        joined.exchange.state().publish_errors.push_back(error);
        let error = joined.remote.publish(&caller("a"), message("key")).await.unwrap_err();
        assert_eq!(error.to_string(), told);
    }
    joined.exchange.state().upload_errors.push_back(UploadError::Full);
    assert!(matches!(
        joined.remote.upload(&caller("a")).await,
        Err(UploadError::Full)
    ));
    joined.exchange.state().object_max_bytes = Some(10);
    let mut upload = joined.remote.upload(&caller("a")).await.unwrap();
    let written = loop {
        if let Err(error) = upload.write(Bytes::from(vec![0; 100_000])).await {
            break error;
        }
    };
    assert!(
        matches!(written, UploadError::TooLarge { limit_bytes: 10 }),
        "{written}"
    );
    let (a, delivery) = (caller("a"), DeliveryId::from_bytes([1; 16]));
    assert!(matches!(
        joined.remote.fetch(&caller("a"), delivery).await,
        Err(FetchError::NotFound)
    ));
    let word = joined.remote.acknowledge(&a, delivery, Outcome::Delivered, evidence());
    assert!(matches!(word.await, Err(AcknowledgeError::NotFound)));
    joined.end().await;
}

fn evidence() -> Evidence {
    Evidence {
        kind: EvidenceKind::SharedSecret,
        key_id: String::from("k"),
        proof: Bytes::from_static(&[1; 32]),
        signed: Bytes::from_static(b"{}"),
    }
}

#[tokio::test]
async fn a_delivery_is_listed_fetched_read_and_acknowledged() {
    let a = caller("a");
    let joined = Joined::new(None).await;
    let delivery = DeliveryId::from_bytes([7; 16]);
    {
        let mut state = joined.exchange.state();
        state.keep(&large());
        state
            .waiting
            .push((system("a"), waiting(delivery), fetched(&[&large()])));
    }
    let query = OpenQuery {
        contract: None,
        limit: 5_000,
        after: None,
        dead_letters: true,
    };
    let listed = joined.remote.open(&caller("a"), query.clone()).await.unwrap();
    assert_eq!(listed, [waiting(delivery)]);
    assert_eq!(joined.remote.open(&caller("b"), query).await.unwrap(), []);
    let content = joined.remote.fetch(&caller("a"), delivery).await.unwrap();
    assert_eq!(content, fetched(&[&large()]));
    let read = joined.remote.read(&content.objects[0]).await.unwrap();
    let chunks: Vec<Bytes> = read.try_collect().await.unwrap();
    assert!(chunks.concat() == large(), "changed on its way");
    let outcome = joined.remote.acknowledge(&a, delivery, Outcome::Delivered, evidence());
    assert_eq!(outcome.await.unwrap(), Acknowledged::Done);
    assert_eq!(
        joined.exchange.state().words,
        [(delivery, Outcome::Delivered, evidence())]
    );
    let rejection = Rejection {
        content: Digest::of(b"x"),
        refusals: vec![Refusal::new(ReasonCode::new("CHARSET"), "/", "no UTF-8", "send UTF-8")],
    };
    joined.remote.reject(&caller("a"), rejection.clone()).await.unwrap();
    let rejected = joined.exchange.state().rejected.last().cloned().unwrap();
    assert_eq!((rejected.0.system, rejected.1), (system("a"), rejection));
    assert_eq!(joined.remote.sent(&caller("a"), id(3)).await.unwrap(), None);
    let code = AgencyCode::parse("H62.02").unwrap();
    let taken_back = joined.remote.withdraw(&caller("a"), id(3), Some(code.clone())).await;
    let [withdrawal] = &taken_back.unwrap()[..] else {
        panic!()
    };
    assert_eq!((&withdrawal.to, withdrawal.fate), (&code, Fate::Withdrawn));
    let unknown = joined.remote.withdraw(&caller("a"), id(9), None).await;
    assert!(matches!(unknown, Err(WithdrawError::NotFound)), "{unknown:?}");
    joined.end().await;
}

#[tokio::test]
async fn a_damaged_object_is_told_and_never_taken_for_whole() {
    let joined = Joined::new(None).await;
    let delivery = DeliveryId::from_bytes([7; 16]);
    {
        let mut state = joined.exchange.state();
        state.keep(&large());
        state.damaged = true;
        state
            .waiting
            .push((system("a"), waiting(delivery), fetched(&[&large()])));
    }
    let content = joined.remote.fetch(&caller("a"), delivery).await.unwrap();
    let read = joined.remote.read(&content.objects[0]).await.unwrap();
    let chunks: Vec<Result<Bytes, ContentError>> = read.collect().await;
    assert!(matches!(chunks.last(), Some(Err(ContentError::Damaged { .. }))));
    let strange = joined.remote.read(&attachment(b"never fetched")).await;
    assert!(matches!(strange, Err(ContentError::Unreadable { .. })));
    joined.end().await;
}

#[tokio::test]
async fn who_reads_slowly_holds_up_nobody_and_fills_no_memory() {
    let joined = Joined::new(None).await;
    let delivery = DeliveryId::from_bytes([7; 16]);
    let object = vec![7; 20 * 1024 * 1024];
    {
        let mut state = joined.exchange.state();
        state.keep(&object);
        state
            .waiting
            .push((system("a"), waiting(delivery), fetched(&[&object])));
    }
    let content = joined.remote.fetch(&caller("a"), delivery).await.unwrap();
    let mut slow = joined.remote.read(&content.objects[0]).await.unwrap();
    slow.next().await.unwrap().unwrap();
    // An upload that stands still beside it.
    let mut stands = joined.remote.upload(&caller("a")).await.unwrap();
    stands.write(Bytes::from(vec![1; 50_000])).await.unwrap();
    for round in 0..20 {
        let staged = upload(&joined.remote, &large()).await;
        let mut publish = message(&round.to_string());
        publish.objects = vec![staged];
        joined.remote.publish(&caller("a"), publish).await.unwrap();
    }
    let handed_out = joined.exchange.state().handed_out;
    assert!(
        handed_out < 2 * 1024 * 1024,
        "{handed_out} bytes were read for one chunk taken"
    );
    let rest: Vec<Bytes> = slow.try_collect().await.unwrap();
    assert!(rest.iter().map(Bytes::len).sum::<usize>() > object.len() - 100_000);
    drop(stands);
    timeout(WAIT, joined.exchange.dropped_uploads(1)).await.unwrap();
    joined.end().await;
}

#[tokio::test]
async fn the_process_knows_what_the_registry_says_now() {
    let joined = Joined::new(None).await;
    let day = DocumentDate::parse("2026/11/25").unwrap();
    assert_eq!(joined.remote.system(&system("a")).unwrap().system, system("a"));
    assert_eq!(joined.remote.system(&system("c")), None);
    assert_eq!(joined.remote.agencies(day), joined.exchange.agencies(day));
    assert_eq!(
        joined.remote.agencies(day.tomorrow()),
        joined.exchange.agencies(day.tomorrow())
    );
    joined.roll.set(&["a", "c"]);
    let known = async {
        while joined.remote.system(&system("c")).is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(WAIT, known).await.unwrap();
    assert_eq!(joined.remote.system(&system("b")), None);
    joined.end().await;
}

#[tokio::test]
async fn arrivals_are_told_and_many_may_be_one() {
    let joined = Joined::new(None).await;
    let mut arrivals = joined.remote.arrivals();
    joined.exchange.arrived();
    timeout(WAIT, arrivals.next()).await.unwrap().unwrap();
    joined.end().await;
}

#[tokio::test]
async fn a_system_of_another_adapter_is_refused_and_that_is_recorded_under_its_own_name() {
    let joined = Joined::new(None).await;
    let error = joined.remote.publish(&caller("c"), message("key")).await.unwrap_err();
    let PublishError::Refused(refusals) = error else {
        panic!("{error}")
    };
    assert_eq!(refusals[0].code.as_str(), "ADAPTER_NOT_SYSTEM");
    let recorded = joined.exchange.state().rejected.last().cloned().unwrap();
    assert_eq!(recorded.0.system.as_str(), "vxp-1");
    assert_eq!(recorded.1.refusals, refusals);
    joined.roll.set(&["b"]);
    let late = joined.remote.fetch(&caller("a"), DeliveryId::from_bytes([7; 16])).await;
    assert!(
        matches!(late, Err(FetchError::Unavailable(_))),
        "taken from its list a moment ago"
    );
    assert!(joined.exchange.state().published.is_empty());
    joined.end().await;
}

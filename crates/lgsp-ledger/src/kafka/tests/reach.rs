//! Settings that cannot be, and a producer that is lost.

use rdkafka::mocking::MockCluster;
use rdkafka::types::RDKafkaApiKey;

use super::super::*;
use super::stage::settings;

fn mistakes(change: impl FnOnce(&mut Settings)) -> Vec<String> {
    let mut settings = settings("127.0.0.1:9092,localhost:9093,[::1]:9094");
    change(&mut settings);
    settings.mistakes().iter().map(ToString::to_string).collect()
}

#[test]
fn plaintext_is_for_the_loopback_address() {
    assert_eq!(mistakes(|_| {}), [""; 0]);
    let far = |settings: &mut Settings| settings.bootstrap = vec![String::from("kafka.example:9092")];
    assert_eq!(
        mistakes(far),
        [
            "bootstrap: `kafka.example:9092` would be reached in plaintext, which is for the loopback address; name ca, \
          cert and key, or set plaintext_beyond_loopback"
        ]
    );
    let allowed = |settings: &mut Settings| {
        far(settings);
        settings.plaintext_beyond_loopback = true;
    };
    assert_eq!(mistakes(allowed), [""; 0]);
    let with_tls = |settings: &mut Settings| {
        far(settings);
        settings.tls = Some(Tls {
            ca: "ca.pem".into(),
            certificate: "cert.pem".into(),
            key: "key.pem".into(),
        });
    };
    assert_eq!(mistakes(with_tls), [""; 0]);
}

#[test]
fn a_broker_is_named_by_host_and_port() {
    for bootstrap in [
        "",
        "127.0.0.1",
        "127.0.0.1:0",
        "127.0.0.1:70000",
        ":9092",
        "a b:9092",
        "localhost:9092,x:1",
    ] {
        let wrong = mistakes(|settings| settings.bootstrap = vec![bootstrap.to_owned()]);
        assert_eq!(wrong.len(), 1, "{bootstrap}: {wrong:?}");
        assert!(wrong[0].starts_with("bootstrap: "), "{wrong:?}");
    }
    assert_eq!(mistakes(|settings| settings.bootstrap.clear()).len(), 1);
}

#[test]
fn a_wait_is_longer_than_the_waits_within_it() {
    let equal = mistakes(|settings| settings.socket_timeout = settings.request_timeout);
    assert_eq!(
        equal,
        [
            "request_timeout_ms: 8000 ms is not less than socket_timeout_ms, 8000 ms; keep request_timeout_ms < \
          socket_timeout_ms < message_timeout_ms"
        ]
    );
    let both = mistakes(|settings| settings.socket_timeout = Duration::from_mins(1));
    assert!(
        both.len() == 1 && both[0].starts_with("socket_timeout_ms: 60000 ms"),
        "{both:?}"
    );
}

#[tokio::test]
async fn an_unusable_certificate_is_said_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.kafka");
    let mut settings = settings("127.0.0.1:9092");
    settings.tls = Some(Tls {
        ca: folder.path().join("ca.pem"),
        certificate: folder.path().join("cert.pem"),
        key: folder.path().join("key.pem"),
    });
    let manifest = Manifest {
        format: Manifest::FORMAT,
        name: String::from("data"),
        partitions: 1,
        replication: 1,
        min_insync: 1,
        retention_ms: -1,
        sync_each_write: false,
        compacted: false,
    };
    let refused = Kafka::create(&path, manifest.clone(), &settings).await;
    let ca = folder.path().join("ca.pem");
    assert!(
        matches!(&refused, Err(OpenError::Io { path, .. }) if *path == ca),
        "{refused:?}"
    );
    for name in ["ca.pem", "cert.pem", "key.pem"] {
        std::fs::write(folder.path().join(name), "no certificate").unwrap();
    }
    let refused = Kafka::create(&path, manifest, &settings).await;
    let Err(OpenError::Unreachable { source }) = &refused else {
        panic!("{refused:?}");
    };
    assert!(source.to_string().contains("ssl.ca.location"), "{source}");
    settings.tls = None;
    let missing = Kafka::open(&path, &settings).await;
    assert!(matches!(missing, Err(OpenError::Missing { .. })), "{missing:?}");
}

/// The library gives a producer up when a broker says that its sequence is broken; ours is replaced.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_producer_answers_unknown_and_a_new_one_takes_its_place() {
    let mock = MockCluster::new(1).unwrap();
    mock.create_topic("t", 1, 1).unwrap();
    let writer = Arc::new(Writer::new("t", 1, &settings(&mock.bootstrap_servers())).unwrap());
    let sound = writer.append(0, Bytes::from_static(b"one")).await;
    assert_ne!(sound, Append::Refused(Refusal::NotReady));
    let broken = rdkafka::types::RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
    mock.request_errors(RDKafkaApiKey::Produce, &[broken]);
    assert_eq!(writer.append(0, Bytes::from_static(b"two")).await, Append::Unknown);
    assert_eq!(writer.losses(), 1);
    let refused = timeout(Duration::from_secs(30), async {
        let mut refused = 0;
        while writer.append(0, Bytes::from_static(b"three")).await == Append::Refused(Refusal::NotReady) {
            refused += 1;
            tokio::task::yield_now().await;
        }
        refused
    });
    assert!(refused.await.is_ok(), "no new producer");
    writer.close();
    assert_eq!(
        writer.append(0, Bytes::from_static(b"four")).await,
        Append::Refused(Refusal::NotReady)
    );
}

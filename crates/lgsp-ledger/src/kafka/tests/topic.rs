//! A topic that is not as the manifest says, is not the one that was, or holds what we did not write.

use rdkafka::admin::{AdminOptions, NewTopic, TopicReplication};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, FutureProducer, FutureRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

use super::super::*;
use super::stage::{self, ALL, Stage, put, text};

/// What the manifest of the tests asks for on one broker.
const AS_IT_SHOULD_BE: [(&str, &str); 8] = [
    ("min.insync.replicas", "1"),
    ("unclean.leader.election.enable", "false"),
    ("message.timestamp.type", "LogAppendTime"),
    ("cleanup.policy", "delete"),
    ("retention.ms", "-1"),
    ("retention.bytes", "-1"),
    ("max.message.bytes", "1114112"),
    ("compression.type", "uncompressed"),
];

/// Somebody else makes the topic of the manifest, with some settings of their own.
async fn make(stage: &Stage, name: &str, partitions: i32, other: &[(&str, &str)]) {
    let settings = AS_IT_SHOULD_BE
        .into_iter()
        .filter(|(name, _)| other.iter().all(|(other, _)| other != name));
    let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
    let topic = settings
        .chain(other.iter().copied())
        .fold(topic, |topic, (name, value)| topic.set(name, value));
    let made = stage
        .admin()
        .create_topics([&topic], &AdminOptions::new())
        .await
        .unwrap();
    made[0].as_ref().unwrap();
}

async fn delete(stage: &Stage, name: &str) {
    let deleted = stage
        .admin()
        .delete_topics(&[name], &AdminOptions::new())
        .await
        .unwrap();
    deleted[0].as_ref().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_topic_with_another_setting_is_refused_and_the_setting_named() {
    let stage = stage::one().await;
    let cases = [
        ("min.insync.replicas", "1", "2"),
        ("unclean.leader.election.enable", "false", "true"),
        ("message.timestamp.type", "LogAppendTime", "CreateTime"),
        ("cleanup.policy", "delete", "compact"),
        ("retention.ms", "-1", "604800000"),
        ("retention.bytes", "-1", "1073741824"),
        ("max.message.bytes", "1114112", "1048588"),
        ("compression.type", "uncompressed", "producer"),
        ("flush.messages", "9223372036854775807", "1"),
    ];
    for (setting, expected, found) in cases {
        let manifest = stage.next_manifest(2);
        make(&stage, &manifest.name, 2, &[(setting, found)]).await;
        let refused = Kafka::create(&stage.path(), manifest, &stage.settings()).await;
        let mismatch = Mismatch {
            topic: stage.name(),
            setting,
            expected: expected.to_owned(),
            found: found.to_owned(),
        };
        assert!(
            matches!(&refused, Err(OpenError::Mismatch(all)) if *all == [mismatch]),
            "{refused:?}"
        );
        assert!(!stage.path().exists(), "a manifest of a topic that was refused");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn too_few_partitions_and_too_few_replicas_are_refused() {
    let stage = stage::one().await;
    let mut manifest = stage.next_manifest(3);
    manifest.replication = 3;
    let no_room = Kafka::create(&stage.path(), manifest.clone(), &stage.settings()).await;
    assert!(
        matches!(&no_room, Err(OpenError::NotMade { topic, .. }) if *topic == stage.name()),
        "{no_room:?}"
    );
    make(&stage, &manifest.name, 2, &[]).await;
    let refused = Kafka::create(&stage.path(), manifest, &stage.settings())
        .await
        .unwrap_err();
    let name = stage.name();
    assert_eq!(
        refused.to_string(),
        format!(
            "topic `{name}`: partitions is 2, the manifest asks for 3\n\
             topic `{name}`: replication.factor is 1, the manifest asks for 3"
        )
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_topic_is_made_once_and_a_second_node_takes_it_as_it_is() {
    let stage = stage::one().await;
    let manifest = stage.next_manifest(2);
    let (path, other) = (stage.path(), stage.path().with_added_extension("of-another-node"));
    let settings = stage.settings();
    for (path, expected) in [(&path, Made::Topic), (&path, Made::Nothing), (&other, Made::Manifest)] {
        assert_eq!(
            Kafka::create(path, manifest.clone(), &settings).await.unwrap(),
            expected
        );
    }
    let ours = Kafka::open(&path, &settings).await.unwrap();
    let theirs = Kafka::open(&other, &settings).await.unwrap();
    // What one appends, the other is woken by and reads.
    let (grown, ()) = tokio::join!(theirs.grown(1, 0), put(&ours, 1, 1));
    assert_eq!(grown.unwrap(), 1);
    assert_eq!(theirs.read(1, 0, ALL).await.unwrap()[0].record, text(1, 0));
    let twice = Kafka::open(&path, &settings).await;
    assert!(matches!(twice, Err(OpenError::Locked { .. })), "{twice:?}");
    let beside = Kafka::open_read_only(&path, &settings).await.unwrap();
    let read = spawn_blocking(move || beside.entries(1, 0).unwrap().collect::<Result<Vec<_>, _>>());
    assert_eq!(read.await.unwrap().unwrap(), theirs.read(1, 0, ALL).await.unwrap());
    let mut more = manifest;
    more.partitions = 3;
    let refused = Kafka::create(&path, more, &settings).await;
    assert!(matches!(refused, Err(OpenError::OtherManifest { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_topic_that_was_made_anew_behind_our_back_stops_the_ledger() {
    let stage = stage::one().await;
    drop(stage.ledger(2).await);
    let ledger = Kafka::open(&stage.path(), &stage.impatient()).await.unwrap();
    put(&ledger, 0, 20).await;
    put(&ledger, 1, 20).await;
    let grown = ledger.grown(0, 20);
    let hands = async {
        delete(&stage, &stage.name()).await;
        make(&stage, &stage.name(), 2, &[]).await;
    };
    let (grown, ()) = tokio::join!(grown, hands);
    for answer in [
        grown.map(drop),
        ledger.end(0).await.map(drop),
        ledger.read(0, 0, ALL).await.map(drop),
    ] {
        assert!(
            matches!(
                answer,
                Err(ReadError::Damaged {
                    partition: 0,
                    offset: 0,
                    ..
                })
            ),
            "{answer:?}"
        );
    }
    for partition in 0..2 {
        let append = ledger.append(partition, Bytes::from_static(b"one more")).await;
        assert_eq!(append, Append::Refused(Refusal::NotReady), "partition {partition}");
    }
    ledger.close().await;
    let again = Kafka::open(&stage.path(), &stage.settings()).await;
    assert!(matches!(again, Err(OpenError::Damaged { offset: 0, .. })), "{again:?}");
    delete(&stage, &stage.name()).await;
    let gone = Kafka::open(&stage.path(), &stage.impatient()).await;
    assert!(matches!(gone, Err(OpenError::TopicLost { .. })), "{gone:?}");
    let manifest = Manifest {
        name: stage.name(),
        partitions: 2,
        ..stage.next_manifest(2)
    };
    let path = stage.path().with_file_name(format!("{}.kafka", manifest.name));
    let remade = Kafka::create(&path, manifest, &stage.impatient()).await;
    assert!(
        matches!(remade, Err(OpenError::TopicLost { .. })),
        "made again in its place: {remade:?}"
    );
}

/// As long as what was seen, and longer: only its content tells that it is another.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn another_log_of_the_same_length_is_not_taken_for_ours() {
    let stage = stage::one().await;
    let ledger = stage.ledger(1).await;
    put(&ledger, 0, 5).await;
    ledger.close().await;
    delete(&stage, &stage.name()).await;
    make(&stage, &stage.name(), 1, &[]).await;
    let theirs = stage.path().with_added_extension("theirs");
    let manifest = ledger.manifest().clone();
    Kafka::create(&theirs, manifest, &stage.settings()).await.unwrap();
    let other = Kafka::open(&theirs, &stage.settings()).await.unwrap();
    put(&other, 0, 8).await;
    let refused = Kafka::open(&stage.path(), &stage.settings()).await;
    assert!(
        matches!(
            refused,
            Err(OpenError::Damaged {
                partition: 0,
                // The close does not wait until the last of them was seen.
                offset: ..=4,
                ..
            })
        ),
        "the same texts at another time: {refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn records_that_the_topic_threw_away_are_said_to_be_gone() {
    let stage = stage::one().await;
    let ledger = stage.ledger(1).await;
    put(&ledger, 0, 10).await;
    ledger.close().await;
    let mut before = TopicPartitionList::new();
    before
        .add_partition_offset(&stage.name(), 0, Offset::Offset(4))
        .unwrap();
    stage
        .admin()
        .delete_records(&before, &AdminOptions::new())
        .await
        .unwrap();
    let ledger = stage.open().await;
    let gone = ledger.read(0, 3, ALL).await;
    assert!(matches!(gone, Err(ReadError::Damaged { offset: 3, .. })), "{gone:?}");
    let kept = ledger.read(0, 4, ALL).await.unwrap();
    assert!(kept.iter().map(|entry| entry.offset).eq(4..10), "{kept:?}");
    ledger.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_foreign_record_is_bytes_like_any_other() {
    let stage = stage::one().await;
    let ledger = stage.ledger(1).await;
    put(&ledger, 0, 1).await;
    let mut config = client::any(&stage.settings());
    let foreign: FutureProducer = config.set("compression.type", "gzip").create().unwrap();
    let name = stage.name();
    let headers = OwnedHeaders::new().insert(Header {
        key: "by",
        value: Some("hand"),
    });
    let record = FutureRecord::to(&name)
        .partition(0)
        .key("key")
        .payload("foreign")
        .headers(headers);
    foreign.send(record, Duration::from_secs(5)).await.unwrap();
    let empty = FutureRecord::<str, str>::to(&name).partition(0).key("key");
    foreign.send(empty, Duration::from_secs(5)).await.unwrap();
    assert_eq!(ledger.grown(0, 2).await.unwrap(), 3);
    ledger.close().await;
    let ledger = stage.open().await;
    let records: Vec<_> = ledger
        .read(0, 0, ALL)
        .await
        .unwrap()
        .into_iter()
        .map(|entry| entry.record)
        .collect();
    assert_eq!(records, [text(0, 0), Bytes::from_static(b"foreign"), Bytes::new()]);
    ledger.close().await;
}

/// A transaction's marker takes an offset that nobody reads: the log is not dense any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_offset_without_a_record_is_damage() {
    let stage = stage::one().await;
    drop(stage.ledger(1).await);
    let ledger = Kafka::open(&stage.path(), &stage.impatient()).await.unwrap();
    put(&ledger, 0, 2).await;
    let name = stage.name();
    let bootstrap = stage.settings();
    spawn_blocking(move || {
        let mut config = client::any(&bootstrap);
        let foreign: BaseProducer = config.set("transactional.id", "foreign").create().unwrap();
        foreign.init_transactions(Duration::from_secs(20)).unwrap();
        foreign.begin_transaction().unwrap();
        foreign
            .send(BaseRecord::<str, str>::to(&name).partition(0).payload("foreign"))
            .unwrap();
        foreign.commit_transaction(Duration::from_secs(20)).unwrap();
    })
    .await
    .unwrap();
    // The marker is written after the commit was answered.
    ledger.grown(0, 2).await.unwrap();
    assert_eq!(
        ledger.end(0).await.unwrap(),
        4,
        "two of ours, the foreign one, the marker"
    );
    let sound = ledger.read(0, 0, ALL).await.unwrap();
    assert_eq!(sound.len(), 3);
    let at_the_end = ledger.read(0, 3, ALL).await;
    assert!(
        matches!(at_the_end, Err(ReadError::Damaged { offset: 3, .. })),
        "{at_the_end:?}"
    );
    put(&ledger, 0, 1).await;
    let in_the_middle = ledger.read(0, 3, ALL).await;
    assert!(
        matches!(in_the_middle, Err(ReadError::Damaged { offset: 3, .. })),
        "{in_the_middle:?}"
    );
    assert_eq!(ledger.read(0, 4, ALL).await.unwrap()[0].record, text(0, 0));
    ledger.close().await;
}

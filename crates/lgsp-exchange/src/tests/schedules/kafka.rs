//! The same schedules on a real broker: a restart is a new node on the same topic.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use lgsp_ledger::kafka::{Cluster, Settings};

use super::stand::Ground;
use super::{play, runner, schedule};

const SCHEDULES: u32 = 10;

#[test]
fn they_hold_on_kafka_too() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(1, folder.path()).unwrap();
    let settings = Settings {
        bootstrap: vec![cluster.bootstrap()],
        tls: None,
        plaintext_beyond_loopback: false,
        linger: Duration::ZERO,
        request_timeout: Duration::from_secs(5),
        socket_timeout: Duration::from_secs(10),
        message_timeout: Duration::from_secs(20),
        queue_records_max: 1_000,
        queue_kib_max: 16_384,
    };
    let topics = AtomicU32::new(0);
    let played = runner(SCHEDULES).run(&schedule(), |schedule| {
        let name = format!("schedule-{}", topics.fetch_add(1, Ordering::Relaxed));
        play(&schedule, Ground::Topic(name, settings.clone()), 3);
        Ok(())
    });
    played.unwrap_or_else(|failed| panic!("{failed}"));
}

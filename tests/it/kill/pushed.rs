//! SIGKILL at every step of pushing and projecting: each letter has its effect once, in its order, whatever came between.

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use lgsp_api::Link;
use lgsp_proto::exchange::v1;
use lgsp_proto::exchange::v1::exchange_client::ExchangeClient;
use tokio::task::block_in_place;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::inbox::{Event, Inbox, thinks};
use crate::support::{Home, Node, data, letter, run, to_lgsp};

/// Where the node is killed, and at the which passage after it began to serve.
const POINTS: [(&str, u32); 14] = [
    ("before-push", 3),
    (IN_ITS_HANDS, 1),
    ("after-push", 2),
    ("after-attempt-started", 1),
    // The answer is there, the fact is not.
    ("before-dead-letter", 1),
    // The last try is counted, that it was the last is not.
    ("before-dead-letter", 2),
    ("after-attempt-failed", 1),
    ("inside-claim", 2),
    ("inside-claim", 5),
    ("after-outcome", 2),
    ("before-redriven", 1),
    ("inside-projection", 6),
    ("after-projection", 5),
    ("between-projections", 4),
];
/// No fail point: the far side has the letter, and has not answered.
const IN_ITS_HANDS: &str = "in its hands";
/// Longest work at one point; a node that never comes back fails the test.
const TIME_LIMIT: Duration = Duration::from_secs(60);
/// What a polite client waits before it asks again.
const PAUSE: Duration = Duration::from_millis(15);

/// The order key of each letter, to whom it goes, and what its far side thinks of it.
const LETTERS: [(&str, &str, &str); 7] = [
    ("a", OWN, thinks::WELL),
    ("b", OWN, thinks::NEVER),
    ("a", OWN, thinks::LATER),
    ("c", OWN, thinks::TIRED),
    ("a", PREDECESSOR, thinks::WELL),
    ("a", OWN, thinks::WELL),
    ("b", OWN, thinks::WELL),
];
const OWN: &str = "H62.93";
/// Closed: what is sent to it goes to the other.
const PREDECESSOR: &str = "H62.94";

const REGISTRY: &str = r#"
format = 1
[[agency]]
id = "test.so-nhan"
kind = "department"
names = ["Sở nhận (thử)"]
codes = ["H62.93"]
[[agency]]
id = "test.so-nhan-cu"
kind = "department"
names = ["Sở nhận cũ (thử)"]
codes = ["H62.94"]
to = 2026-06-30
successors = ["test.so-nhan"]
[[system]]
id = "inbox.test.93"
agency = "test.so-nhan"
speaks_for = ["H62.93"]
[[connector]]
id = "inbox-93"
system = "inbox.test.93"
adapter = "inbox"
mode = "push"
# More than fail while it is not there yet, after a restart.
retry_waits_ms = [0, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10]
[[adapter]]
id = "inbox-1"
speaks_as = ["inbox.test.93"]
"#;

fn home() -> Home {
    let mut home = super::home();
    home.serve_grpc();
    // A restarted node must be found again.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    home.set("grpc", "listen", free.to_string());
    home.set("push", "probe_interval_ms", 100);
    let file = home.root().join("pushed.toml");
    fs::write(&file, REGISTRY).unwrap();
    let files = [data("registry/test.toml"), file].map(|path| path.to_str().unwrap().to_owned());
    home.set("registry", "files", files.to_vec());
    home
}

/// Those who send to the far side, and who gives what it would not take another round, whatever becomes of the node.
#[derive(Clone)]
struct Senders {
    exchange: ExchangeClient<Link>,
    inbox: Inbox,
    settings: String,
}

impl Senders {
    /// All letters of one round; it ends when each was delivered.
    async fn work(mut self, round: usize) {
        self.inbox.is_mended(false);
        let mut sent = Vec::new();
        for (nth, (order_key, to, thinks)) in LETTERS.iter().enumerate() {
            let subject = format!("{thinks} {round}/{nth}");
            let message = v1::Message {
                contract: String::from("vn.lgsp.document/1"),
                from: String::from("H62.11"),
                to: vec![(*to).to_owned()],
                order_key: format!("{order_key} {round}"),
                idempotency_key: nth.to_string(),
                payload: letter(&subject).to_string().into_bytes().into(),
                ..v1::Message::default()
            };
            sent.push(self.publish(message).await);
        }
        for (id, (_, _, thinks)) in sent.iter().zip(&LETTERS) {
            if [thinks::NEVER, thinks::TIRED].contains(thinks) {
                self.until(id, v1::DeliveryState::DeadLettered).await;
            }
        }
        self.inbox.is_mended(true);
        let delivered = async {
            for id in &sent {
                self.clone().until(id, v1::DeliveryState::Delivered).await;
            }
        };
        tokio::select! { () = delivered => {}, () = self.clone().redrive() => {} }
    }

    async fn publish(&mut self, message: v1::Message) -> String {
        loop {
            let message = Some(message.clone());
            if let Ok(answer) = self.exchange.publish(v1::PublishRequest { message }).await {
                return answer.into_inner().receipt.unwrap().message_id;
            }
            sleep(PAUSE).await;
        }
    }

    async fn until(&mut self, message_id: &str, state: v1::DeliveryState) {
        loop {
            let message_id = message_id.to_owned();
            let told = self.exchange.get_message(v1::GetMessageRequest { message_id }).await;
            if told.is_ok_and(|told| told.into_inner().deliveries[0].state() == state) {
                return;
            }
            sleep(PAUSE).await;
        }
    }

    /// An operator who looks again and again.
    async fn redrive(self) {
        loop {
            let settings = self.settings.clone();
            let redriving = move || run(to_lgsp(&["redrive", "--all", "--config", &settings]));
            tokio::task::spawn_blocking(redriving).await.unwrap();
            sleep(PAUSE).await;
        }
    }
}

/// Of the letters of one order key to one addressee none comes before the one before it has had its effect, or is a dead
/// letter; and none has its effect twice.
fn each_once_and_in_order(events: &[Event], round: usize) {
    let subject = |nth: usize| format!("{} {round}/{nth}", LETTERS[nth].2);
    let place = |event: &Event| events.iter().position(|it| it == event);
    for (nth, (order_key, to, thinks)) in LETTERS.iter().enumerate() {
        let took = Event::Took(subject(nth));
        let effects = events.iter().filter(|event| **event == took).count();
        assert_eq!(effects, 1, "{took:?}: {events:?}");
        let stands_aside = [thinks::NEVER, thinks::TIRED].contains(thinks);
        for behind in (nth + 1..LETTERS.len()).filter(|other| (LETTERS[*other].0, LETTERS[*other].1) == (order_key, to))
        {
            let before = if stands_aside {
                Event::Came(subject(nth))
            } else {
                took.clone()
            };
            let came = place(&Event::Came(subject(behind)));
            assert!(
                place(&before) < came,
                "{} overtook {}: {events:?}",
                subject(behind),
                subject(nth)
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_pushing_is_killed_each_letter_has_its_effect_once_and_in_its_order() {
    let mut node = block_in_place(|| Node::start(home()));
    let (tasks, stop, inbox) = (TaskTracker::new(), CancellationToken::new(), Inbox::new());
    let papers = block_in_place(|| node.endpoint("adapter/inbox-1"));
    inbox.attach(papers, &tasks, stop.clone());
    let senders = Senders {
        exchange: node.exchange("system/vxp.test.11").await,
        inbox: inbox.clone(),
        settings: node.home().settings_file().to_str().unwrap().to_owned(),
    };
    for (round, (point, nth)) in POINTS.into_iter().enumerate() {
        block_in_place(|| node.stop());
        if point == IN_ITS_HANDS {
            inbox.holds_the_next();
            block_in_place(|| node.restart());
        } else {
            block_in_place(|| node.restart_failing_at(point, nth));
        }
        let work = tasks.spawn(senders.clone().work(round));
        if point == IN_ITS_HANDS {
            inbox.holds_one().await;
        } else {
            block_in_place(|| node.wait_marker());
        }
        block_in_place(|| node.kill());
        inbox.lets_go();
        block_in_place(|| node.restart());
        timeout(TIME_LIMIT, work)
            .await
            .unwrap_or_else(|_| panic!("{point}: it does not come to its end"))
            .unwrap();
        each_once_and_in_order(&inbox.events(), round);
        assert!(block_in_place(|| node.fact_counts())["Delivered"] >= ((round + 1) * LETTERS.len()) as u64);
    }
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    block_in_place(|| {
        super::rebuilds_the_same(&node);
        node.stop();
        let verified = node.verify(&[]);
        assert_eq!(verified.code, Some(0), "{verified:?}");
    });
}

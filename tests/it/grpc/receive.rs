//! Receiving on a stream: credit, order, words on deliveries, a stream that breaks off.

use std::fs;

use futures_util::{Stream, stream};
use lgsp_api::{Link, Told};
use lgsp_proto::exchange::v1;
use lgsp_proto::exchange::v1::exchange_client::ExchangeClient;
use lgsp_proto::exchange::v1::receive_request::{Begin, Request};
use lgsp_proto::exchange::v1::receive_response::{Acknowledged, Handed, Response, acknowledged};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::letter::{INFORMATION, JUSTICE, delivered, letter, listed};
use super::{TIME_LIMIT, node, node_with};
use crate::support::{Home, repository, subject};

/// A receiver's end of a stream.
struct Receiver {
    say: mpsc::Sender<v1::ReceiveRequest>,
    answers: Box<dyn FnMut() -> Answer + Send>,
}

type Answer = std::pin::Pin<Box<dyn Future<Output = Result<Option<v1::ReceiveResponse>, Told>> + Send>>;

fn asked(requests: mpsc::Receiver<v1::ReceiveRequest>) -> impl Stream<Item = v1::ReceiveRequest> {
    stream::unfold(requests, |mut requests| async {
        let request = requests.recv().await?;
        Some((request, requests))
    })
}

impl Receiver {
    async fn open(client: &mut ExchangeClient<Link>, first: &[Request]) -> Self {
        let (say, requests) = mpsc::channel(16);
        for request in first {
            let request = Some(request.clone());
            say.send(v1::ReceiveRequest { request }).await.unwrap();
        }
        let answers = client.receive(asked(requests)).await.unwrap().into_inner();
        let answers = std::sync::Arc::new(tokio::sync::Mutex::new(answers));
        let answers = Box::new(move || {
            let answers = std::sync::Arc::clone(&answers);
            let next = async move { answers.lock().await.message().await.map_err(|status| Told::of(&status)) };
            Box::pin(next) as Answer
        });
        Self { say, answers }
    }

    async fn say(&self, request: Request) {
        let request = Some(request);
        self.say.send(v1::ReceiveRequest { request }).await.unwrap();
    }

    async fn next(&mut self) -> Result<Option<v1::ReceiveResponse>, Told> {
        timeout(TIME_LIMIT, (self.answers)()).await.expect("an answer in time")
    }

    async fn handed(&mut self) -> Handed {
        match self.next().await.unwrap().unwrap().response.unwrap() {
            Response::Delivery(handed) => handed,
            Response::Acknowledged(said) => panic!("{said:?}"),
        }
    }

    async fn acknowledged(&mut self) -> Acknowledged {
        match self.next().await.unwrap().unwrap().response.unwrap() {
            Response::Acknowledged(said) => said,
            Response::Delivery(handed) => panic!("{handed:?}"),
        }
    }
}

fn begin() -> Request {
    Request::Begin(Begin::default())
}

fn failed(delivery: &str) -> v1::AcknowledgeDeliveryRequest {
    let reason = String::from("FULL");
    let failed = v1::acknowledge_delivery_request::Failed { reason };
    v1::AcknowledgeDeliveryRequest {
        outcome: Some(v1::acknowledge_delivery_request::Outcome::Failed(failed)),
        ..delivered(delivery)
    }
}

fn number(handed: &Handed) -> String {
    subject(&handed.content.as_ref().unwrap().payload)
}

fn id(handed: &Handed) -> String {
    handed.summary.as_ref().unwrap().delivery_id.clone()
}

async fn publish(client: &mut ExchangeClient<Link>, number: &str, order_key: &str) {
    let mut message = letter(number, &["H62.14"]);
    message.order_key = order_key.to_owned();
    let message = Some(message);
    client.publish(v1::PublishRequest { message }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_come_as_they_are_sent_and_no_more_than_there_is_credit_for() {
    let node = node();
    let mut sender = node.exchange(INFORMATION).await;
    for number in ["1", "2", "3"] {
        publish(&mut sender, number, "").await;
    }
    let mut client = node.exchange(JUSTICE).await;
    let mut receiver = Receiver::open(&mut client, &[begin(), Request::Credit(2)]).await;
    let first = receiver.handed().await;
    let second = receiver.handed().await;
    assert_eq!([number(&first), number(&second)], ["1", "2"]);
    receiver.say(Request::Acknowledge(delivered(&id(&first)))).await;
    let said = receiver.acknowledged().await;
    assert_eq!(said.delivery_id, id(&first), "no third one before there is credit");
    receiver.say(Request::Credit(10)).await;
    assert_eq!(number(&receiver.handed().await), "3");
    // Nothing waits now: what is sent from here on comes by itself.
    publish(&mut sender, "4", "").await;
    assert_eq!(number(&receiver.handed().await), "4");
    drop(receiver);
    // Not acknowledged, they come again on the next stream.
    let mut receiver = Receiver::open(&mut client, &[begin(), Request::Credit(64)]).await;
    let rest = [
        receiver.handed().await,
        receiver.handed().await,
        receiver.handed().await,
    ];
    assert_eq!(rest.each_ref().map(number), ["2", "3", "4"]);
    for handed in rest {
        receiver.say(Request::Acknowledge(delivered(&id(&handed)))).await;
        receiver.acknowledged().await;
    }
    assert_eq!(listed(&mut client, 0).await, []);
    let facts = node.fact_counts();
    assert_eq!((facts["Collected"], facts["Delivered"]), (4, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_letter_of_one_order_key_waits_for_the_earlier_one_and_nobody_else_does() {
    let node = node();
    let mut sender = node.exchange(INFORMATION).await;
    for (number, order_key) in [("1", "case"), ("2", "case"), ("3", "case"), ("4", "other")] {
        publish(&mut sender, number, order_key).await;
    }
    let mut client = node.exchange(JUSTICE).await;
    let mut receiver = Receiver::open(&mut client, &[begin(), Request::Credit(64)]).await;
    let first = receiver.handed().await;
    let other = receiver.handed().await;
    assert_eq!([number(&first), number(&other)], ["1", "4"]);
    // A mark ends nothing.
    let mut mark = delivered(&id(&first));
    mark.outcome = Some(v1::acknowledge_delivery_request::Outcome::Mark(
        v1::Mark::Processing.into(),
    ));
    receiver.say(Request::Acknowledge(mark)).await;
    receiver.acknowledged().await;
    receiver.say(Request::Acknowledge(delivered(&id(&first)))).await;
    receiver.acknowledged().await;
    let second = receiver.handed().await;
    assert_eq!(number(&second), "2");
    // It cannot take the second: a dead letter holds nobody up, and does not come again.
    receiver.say(Request::Acknowledge(failed(&id(&second)))).await;
    receiver.acknowledged().await;
    let third = receiver.handed().await;
    assert_eq!(number(&third), "3");
    // Said by a call of its own, the stream hears of it as well.
    publish(&mut sender, "5", "case").await;
    client.acknowledge_delivery(delivered(&id(&third))).await.unwrap();
    assert_eq!(number(&receiver.handed().await), "5");
}

/// The contract of documents in a folder of its own, with what comes after a dead letter waiting behind it.
fn know_a_contract_that_blocks(home: &mut Home) {
    let shipped = repository("config/contracts/vn.lgsp.document/1");
    let own = home.root().join("contracts");
    let version = own.join("vn.lgsp.document/1");
    fs::create_dir_all(&version).unwrap();
    fs::copy(shipped.join("schema.json"), version.join("schema.json")).unwrap();
    let rules = fs::read_to_string(shipped.join("contract.toml")).unwrap();
    let rules = format!("after_dead_letter = \"block\"\n{rules}");
    fs::write(version.join("contract.toml"), rules).unwrap();
    home.set("contracts", "folders", vec![own.to_str().unwrap()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_contract_blocks_what_comes_after_a_dead_letter_waits_until_that_was_redriven() {
    let node = node_with(know_a_contract_that_blocks);
    let mut sender = node.exchange(INFORMATION).await;
    for (number, order_key) in [("1", "case"), ("2", "case"), ("3", "other")] {
        publish(&mut sender, number, order_key).await;
    }
    let mut client = node.exchange(JUSTICE).await;
    let mut receiver = Receiver::open(&mut client, &[begin(), Request::Credit(64)]).await;
    let (first, other) = (receiver.handed().await, receiver.handed().await);
    assert_eq!([number(&first), number(&other)], ["1", "3"]);
    receiver.say(Request::Acknowledge(failed(&id(&first)))).await;
    receiver.acknowledged().await;
    // The list shows what waits behind it; no stream hands that out, also none that knows nothing of before.
    assert_eq!(listed(&mut client, 2).await.len(), 2);
    publish(&mut sender, "4", "third").await;
    assert_eq!(number(&receiver.handed().await), "4");
    let mut another = Receiver::open(&mut client, &[begin(), Request::Credit(64)]).await;
    let waiting = [another.handed().await, another.handed().await];
    assert_eq!(waiting.each_ref().map(number), ["3", "4"]);
    // An operator who looks at what waits is told what holds it up.
    let second = listed(&mut client, 3).await.remove(0).message_id;
    let traced = node.lgsp(&["trace", &second]);
    assert!(
        traced
            .out
            .contains(&format!("waits until the dead letter {} was redriven", id(&first))),
        "{traced:?}"
    );
    // It is redriven: it comes, and what was behind it when it has ended.
    let redriven = node.lgsp(&["redrive", "--all"]);
    assert_eq!(redriven.code, Some(0), "{redriven:?}");
    for wanted in ["1", "2"] {
        let handed = another.handed().await;
        assert_eq!(number(&handed), wanted);
        another.say(Request::Acknowledge(delivered(&id(&handed)))).await;
        another.acknowledged().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_says_what_it_may_not_is_told_and_loses_nothing() {
    let node = node();
    let mut sender = node.exchange(INFORMATION).await;
    publish(&mut sender, "1", "").await;
    let mut client = node.exchange(JUSTICE).await;
    for (said, reason) in [
        (vec![Request::Credit(1)], "BEGIN_MISSING"),
        (vec![begin(), begin()], "BEGIN_TWICE"),
        (vec![begin(), Request::Credit(0)], "CREDIT_INVALID"),
        (vec![begin(), Request::Credit(65)], "CREDIT_INVALID"),
        (vec![begin(), Request::Credit(u32::MAX)], "CREDIT_INVALID"),
    ] {
        let mut receiver = Receiver::open(&mut client, &said).await;
        let told = receiver.next().await.unwrap_err();
        assert_eq!(told.reason, reason, "{said:?}");
    }
    // A wrong word is answered, and the stream goes on.
    let mut receiver = Receiver::open(&mut client, &[begin()]).await;
    let nowhere = "00000000-0000-0000-0000-000000000000";
    for (delivery, reason) in [("x", "FIELD_INVALID"), (nowhere, "NOT_FOUND")] {
        receiver.say(Request::Acknowledge(delivered(delivery))).await;
        let said = receiver.acknowledged().await;
        assert_eq!(said.delivery_id, delivery);
        match said.outcome.unwrap() {
            acknowledged::Outcome::Error(error) => assert_eq!(Told::within(&error).reason, reason),
            acknowledged::Outcome::Done(done) => panic!("{done:?}"),
        }
    }
    receiver.say(Request::Credit(1)).await;
    assert_eq!(number(&receiver.handed().await), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_says_so_to_its_streams() {
    let mut node = node();
    let mut client = node.exchange(JUSTICE).await;
    let mut receiver = Receiver::open(&mut client, &[begin(), Request::Credit(1)]).await;
    let stopped = tokio::task::spawn_blocking(move || {
        node.stop();
        node
    });
    let told = receiver.next().await.unwrap_err();
    assert_eq!(
        (told.status.as_str(), told.reason.as_str()),
        ("UNAVAILABLE", "OUTCOME_UNKNOWN")
    );
    assert!(told.retry_after.is_some());
    stopped.await.unwrap();
}

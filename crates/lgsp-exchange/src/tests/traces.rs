//! Which trace each fact belongs to, and what goes on from it.

use lgsp_types::{Caller, Exchange as _, Kind, MsgId, Operations as _, Outcome, TraceContext};

use super::stage::{Stage, evidence, publish, written};

const SENDING: &str = "11111111111111111111111111111111";
const RECEIVING: &str = "22222222222222222222222222222222";
const REPEATING: &str = "33333333333333333333333333333333";

fn in_trace(caller: Caller, trace: &str) -> Caller {
    let trace = TraceContext::parse(trace).unwrap();
    Caller { trace, ..caller }
}

async fn told(stage: &Stage, message: MsgId) -> String {
    let trace = stage.spine.trace(None, &message.to_string()).await.unwrap();
    trace.messages[0].trace_id.clone()
}

#[tokio::test]
async fn a_fact_is_in_the_trace_of_the_call_that_made_it_and_a_message_keeps_the_one_it_came_in() {
    let stage = Stage::open().await;
    let sender = in_trace(stage.sender(), SENDING);
    let receiver = in_trace(stage.receiver(), RECEIVING);
    let receipt = stage.spine.publish(&sender, publish("a", "1", "one")).await.unwrap();
    let delivery = stage.open_for_receiver().await[0].delivery;
    let fetched = stage.spine.fetch(&receiver, delivery).await.unwrap();
    let again = stage.spine.fetch(&receiver, delivery).await.unwrap();
    let handed = [fetched, again].map(|fetched| fetched.trace.unwrap());
    assert_eq!(handed.map(|trace| trace.trace_id.to_string()), [SENDING; 2]);
    assert_ne!(handed[0].span_id, handed[1].span_id, "each is a span of its own");
    assert!(!handed[0].sampled, "who records it says so");
    let done = stage
        .spine
        .acknowledge(&receiver, delivery, Outcome::Delivered, evidence());
    done.await.unwrap();
    let mut refused = publish("b", "2", "two");
    refused.to = vec![written("H44.99", "/to[1]")];
    stage.spine.publish(&sender, refused).await.unwrap_err();
    let taken = stage.spine.publish(&sender, publish("c", "3", "three")).await.unwrap();
    let withdrawing = in_trace(stage.sender(), REPEATING);
    stage.spine.withdraw(&withdrawing, taken.msg_id, None).await.unwrap();
    let of = |kind, trace: &str| (kind, Some(trace.to_owned()));
    assert_eq!(
        stage.traces().await,
        [
            of(Kind::Accepted, SENDING),
            of(Kind::Collected, RECEIVING),
            of(Kind::Delivered, RECEIVING),
            of(Kind::Rejected, SENDING),
            of(Kind::Accepted, SENDING),
            of(Kind::Withdrawn, REPEATING),
        ]
    );
    assert_eq!(told(&stage, receipt.msg_id).await, SENDING);
    stage.close().await;
}

#[tokio::test]
async fn a_repeat_in_another_trace_is_the_same_message_in_the_first_one() {
    let stage = Stage::open().await;
    let first = stage
        .spine
        .publish(&in_trace(stage.sender(), SENDING), publish("a", "1", "one"))
        .await
        .unwrap();
    stage.projected().await;
    let again = stage
        .spine
        .publish(&in_trace(stage.sender(), REPEATING), publish("a", "1", "one"))
        .await
        .unwrap();
    assert_eq!((again.repeat, &again.note), (true, &first.note));
    assert_eq!(told(&stage, first.msg_id).await, SENDING);
    stage.close().await;
}

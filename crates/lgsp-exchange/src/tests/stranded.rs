//! What waits for somebody who does not come.

use lgsp_types::{DeliveryState, Exchange as _, Kind, MsgId, Operations as _, UnixMs};

use super::stage::{REGISTRY, Stage};

const HOUR_MS: u64 = 3_600_000;

/// Where the only delivery of this message stands, and why.
async fn stands(stage: &Stage, message: MsgId) -> (DeliveryState, Option<String>) {
    let sent = stage.spine.sent(&stage.sender(), message).await.unwrap().unwrap();
    let delivery = &sent.deliveries[0];
    (delivery.state, delivery.reason.as_ref().map(ToString::to_string))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_nowhere_any_more_is_a_dead_letter_and_is_redriven_when_there_is_a_way_again() {
    let stage = Stage::open().await;
    let message = stage.accepted("k", "1", "letter").await.msg_id;
    let connector = REGISTRY.find("[[connector]]\nid = \"two\"").unwrap();
    stage.spine.import("test.toml", &REGISTRY[..connector]).await.unwrap();
    stage.until_kind(Kind::DeadLettered).await;
    stage.projected().await;
    let no_route = (DeliveryState::DeadLettered, Some(String::from("NO_ROUTE")));
    assert_eq!(stands(&stage, message).await, no_route);
    let dead = stage.spine.dead_letters().await.unwrap().remove(0);
    let why = "`test.two` has no connector to an active system";
    assert_eq!(
        (dead.message, dead.reason.as_str(), dead.no_route.as_str()),
        (message, "NO_ROUTE", why)
    );
    stage.spine.import("test.toml", REGISTRY).await.unwrap();
    assert_eq!(
        stage.spine.dead_letters().await.unwrap()[0].no_route,
        "",
        "there is a way again"
    );
    assert_eq!(stage.spine.redrive(dead.delivery).await.unwrap(), 1);
    assert_eq!(stage.open_for_receiver().await.len(), 1);
    stage.spine.fetch(&stage.receiver(), dead.delivery).await.unwrap();
    stage.all_is_in_the_trace_of_the_calls().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_nobody_fetches_is_an_alarm_and_never_ends_by_time() {
    let stage = Stage::open().await;
    stage.accepted("a", "a", "fetched").await;
    stage.accepted("b", "b", "not fetched").await;
    let fetched = stage.open_for_receiver().await[0].delivery;
    stage.spine.fetch(&stage.receiver(), fetched).await.unwrap();
    stage.sealed().await;
    stage.advance(UnixMs(71 * HOUR_MS));
    stage.accepted("c", "c", "later").await;
    stage.projected().await;
    assert_eq!(stage.spine.status().await.unwrap().uncollected, []);
    stage.advance(UnixMs(2 * HOUR_MS));
    let alarm = stage.until_uncollected(|alarms| alarms.len() == 1).await.remove(0);
    let told = (alarm.connector.as_str(), alarm.deliveries, alarm.within_hours);
    assert_eq!(told, ("two", 1, 72), "what was fetched is none, nor what is younger");
    stage.advance(UnixMs(10_000 * HOUR_MS));
    stage.until_uncollected(|alarms| alarms[0].deliveries == 2).await;
    assert!(!stage.kinds().await.contains(&Kind::DeadLettered));
    for open in stage.open_for_receiver().await {
        stage.spine.fetch(&stage.receiver(), open.delivery).await.unwrap();
    }
    stage.until_uncollected(<[_]>::is_empty).await;
    stage.close().await;
}

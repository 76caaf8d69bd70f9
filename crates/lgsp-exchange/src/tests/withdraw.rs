//! Taking back: in time from whoever has had nothing, too late from everybody else, and never half.

use lgsp_types::{
    AgencyCode, DeliveryState, Exchange as _, Fate, FetchError, Kind, MsgId, Outcome, WithdrawError, Withdrawal,
};

use super::stage::{Stage, caller, evidence, publish, written};

async fn take_back(stage: &Stage, message: MsgId, to: Option<&str>) -> Result<Vec<Withdrawal>, WithdrawError> {
    let to = to.map(|code| AgencyCode::parse(code).unwrap());
    stage.spine.withdraw(&stage.sender(), message, to).await
}

fn fates(withdrawals: &[Withdrawal]) -> Vec<(&str, Fate, DeliveryState)> {
    let told = withdrawals.iter().map(|it| (it.to.as_str(), it.fate, it.state));
    told.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_has_fetched_is_taken_back_once_and_is_handed_to_nobody() {
    let stage = Stage::open().await;
    let message = stage.accepted("k", "1", "letter").await.msg_id;
    let waiting = stage.open_for_receiver().await;
    for _ in 0..2 {
        let told = take_back(&stage, message, None).await.unwrap();
        let expected = [("H44.02", Fate::Withdrawn, DeliveryState::Withdrawn)];
        assert_eq!(fates(&told), expected, "the same call is the same answer");
    }
    assert_eq!(stage.open_for_receiver().await, []);
    let fetched = stage.spine.fetch(&stage.receiver(), waiting[0].delivery).await;
    assert!(matches!(fetched, Err(FetchError::Gone)), "{fetched:?}");
    let sent = stage.spine.sent(&stage.sender(), message).await.unwrap().unwrap();
    let reason = sent.deliveries[0].reason.as_ref().unwrap();
    assert_eq!(reason.as_str(), "WITHDRAWN_BY_SENDER");
    assert_eq!(stage.kinds().await, [Kind::Accepted, Kind::Withdrawn]);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_fetched_delivered_or_refused_stays_and_no_fact_says_otherwise() {
    let stage = Stage::open().await;
    for (name, outcome) in [
        ("fetched", None),
        ("delivered", Some(Outcome::Delivered)),
        (
            "refused",
            Some(Outcome::Failed(lgsp_types::ReasonCode::new("UNREADABLE"))),
        ),
    ] {
        let message = stage.accepted(name, name, name).await.msg_id;
        let waiting = stage.open_for_receiver().await;
        let own = waiting.iter().find(|open| open.msg_id == message).unwrap();
        stage.spine.fetch(&stage.receiver(), own.delivery).await.unwrap();
        if let Some(outcome) = outcome {
            let receiver = stage.receiver();
            let word = stage.spine.acknowledge(&receiver, own.delivery, outcome, evidence());
            word.await.unwrap();
        }
        stage.projected().await;
        let told = take_back(&stage, message, None).await.unwrap();
        assert_eq!(told[0].fate, Fate::TooLate, "{name}");
    }
    assert!(!stage.kinds().await.contains(&Kind::Withdrawn));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_its_sender_takes_a_message_back_and_only_from_its_addressees() {
    let stage = Stage::open().await;
    let mut letter = publish("k", "1", "letter");
    letter.to = vec![written("H44.01", "/to[1]"), written("H44.02", "/to[2]")];
    let message = stage.spine.publish(&stage.sender(), letter).await.unwrap().msg_id;
    for (who, message, to) in [
        ("sys.two", message, None),
        ("sys.one", MsgId::from_bytes([9; 16]), None),
        ("sys.one", message, Some("H44.99")),
    ] {
        let to = to.map(|code| AgencyCode::parse(code).unwrap());
        let told = stage.spine.withdraw(&caller(who), message, to).await;
        assert!(matches!(told, Err(WithdrawError::NotFound)), "{told:?}");
    }
    let one = take_back(&stage, message, Some("H44.02")).await.unwrap();
    assert_eq!(fates(&one), [("H44.02", Fate::Withdrawn, DeliveryState::Withdrawn)]);
    let all = take_back(&stage, message, None).await.unwrap();
    assert!(
        all.len() == 2 && all.iter().all(|it| it.fate == Fate::Withdrawn),
        "{all:?}"
    );
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_fetch_and_a_withdrawal_at_one_moment_exactly_one_is_first() {
    let stage = Stage::open().await;
    for nth in 0..20 {
        let key = nth.to_string();
        let message = stage.accepted(&key, &key, "letter").await.msg_id;
        let waiting = stage.open_for_receiver().await;
        let own = waiting.iter().find(|open| open.msg_id == message).unwrap().delivery;
        let receiver = stage.receiver();
        let (fetched, told) = tokio::join!(stage.spine.fetch(&receiver, own), take_back(&stage, message, None));
        match (fetched, told.unwrap()[0].fate) {
            (Ok(_), Fate::TooLate) | (Err(FetchError::Gone), Fate::Withdrawn) => {}
            both => panic!("{both:?}"),
        }
    }
    stage.close().await;
}

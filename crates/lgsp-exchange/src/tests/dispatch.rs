//! Pushing: what a far side sees, and what the ledger says of it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use lgsp_types::{
    Adapter, Answered, CheckError, ConnectorId, ContractRef, DeliveryId, DeliveryState, Exchange as _, Fate, Kind,
    MsgId, Push, Pushed, Question, ReasonCode,
};
use tokio::sync::{Semaphore, mpsc};

use super::stage::{Stage, blocking_contract, evidence, letter, publish, written};
use crate::{PushLimits, RedriveError};

const PATIENCE: Duration = Duration::from_secs(30);

/// Two agencies with a push connector each, one of them with a predecessor.
const REGISTRY: &str = r#"
format = 1
[[agency]]
id = "test.three"
kind = "department"
names = ["Three"]
codes = ["H44.03"]
[[agency]]
id = "test.old"
kind = "department"
to = 2025-06-30
names = ["Old"]
codes = ["H44.09"]
successors = ["test.three"]
[[system]]
id = "sys.three"
agency = "test.three"
speaks_for = ["H44.03"]
[[connector]]
id = "three"
system = "sys.three"
adapter = "far"
mode = "push"
retry_waits_ms = [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120]
[[agency]]
id = "test.four"
kind = "department"
names = ["Four"]
codes = ["H44.04"]
[[system]]
id = "sys.four"
agency = "test.four"
speaks_for = ["H44.04"]
[[connector]]
id = "four"
system = "sys.four"
adapter = "far"
mode = "push"
retry_waits_ms = [0, 10, 20]
"#;

/// A far side that answers as it was told to, else that it has it.
#[derive(Debug)]
struct Far {
    answers: Mutex<HashMap<String, VecDeque<Pushed>>>,
    saw: mpsc::Sender<(String, u32)>,
    reachable: AtomicBool,
    asked: AtomicUsize,
    /// One place for each letter that begins with `held` to be answered.
    door: Semaphore,
}

#[async_trait]
impl Adapter for Far {
    async fn check(&self, connector: &ConnectorId) -> Result<(), CheckError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.reachable.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(CheckError {
            connector: connector.clone(),
            source: "away".into(),
        })
    }

    async fn deliver(&self, push: Push) -> Pushed {
        let text = String::from_utf8(push.content.payload.to_vec()).unwrap();
        self.saw.send((text.clone(), push.attempt)).await.unwrap();
        if text.contains(r#""subject":"held"#) {
            self.door.acquire().await.unwrap().forget();
        }
        if !self.reachable.load(Ordering::Relaxed) {
            return again();
        }
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = answers.get_mut(&text).and_then(VecDeque::pop_front);
        answer.unwrap_or_else(|| Pushed::Done(evidence()))
    }

    async fn answer(&self, _: Question) -> Answered {
        Answered::NotFound
    }
}

fn again() -> Pushed {
    Pushed::TryAgain {
        reason: ReasonCode::new("FAR_TROUBLE"),
        after: None,
    }
}

/// A stage whose push connectors go to a far side, and what that sees.
async fn stage(answers: &[(&str, &[Pushed])]) -> (Stage, Arc<Far>, mpsc::Receiver<(String, u32)>) {
    stage_with(answers, limits()).await
}

async fn stage_with(
    answers: &[(&str, &[Pushed])],
    limits: PushLimits,
) -> (Stage, Arc<Far>, mpsc::Receiver<(String, u32)>) {
    let stage = Stage::open().await;
    stage.spine.import("push.toml", REGISTRY).await.unwrap();
    let (saw, seen) = mpsc::channel(1_024);
    let answers = answers
        .iter()
        .map(|(text, answers)| (letter(text), answers.to_vec().into()));
    let far = Arc::new(Far {
        answers: Mutex::new(answers.collect()),
        saw,
        reachable: AtomicBool::new(true),
        asked: AtomicUsize::new(0),
        door: Semaphore::new(0),
    });
    stage.spine.push_through(Arc::clone(&far) as Arc<dyn Adapter>, limits);
    (stage, far, seen)
}

fn limits() -> PushLimits {
    PushLimits {
        tries_at_once_max: 4,
        answer_within: Duration::from_secs(10),
        probe_every: Duration::from_millis(20),
        switch_off_after: Duration::from_secs(3_600),
    }
}

async fn send(stage: &Stage, to: &str, key: &str, text: &str) -> MsgId {
    send_by(stage, "vn.lgsp.document/1", (to, key, text)).await
}

async fn send_by(stage: &Stage, contract: &str, (to, key, text): (&str, &str, &str)) -> MsgId {
    let mut letter = publish(key, text, text);
    letter.contract = ContractRef::parse(contract).unwrap();
    letter.to = vec![written(to, "/to[1]")];
    stage.spine.publish(&stage.sender(), letter).await.unwrap().msg_id
}

async fn next(seen: &mut mpsc::Receiver<(String, u32)>) -> (String, u32) {
    tokio::time::timeout(PATIENCE, seen.recv()).await.unwrap().unwrap()
}

/// Waits until the only delivery of this message has ended; its state and reason.
async fn ended(stage: &Stage, message: MsgId) -> (DeliveryState, Option<String>) {
    let waiting = async {
        loop {
            let sent = stage.spine.sent(&stage.sender(), message).await.unwrap().unwrap();
            let delivery = sent.deliveries.into_iter().next().unwrap();
            if delivery.state != DeliveryState::Open {
                return (delivery.state, delivery.reason.map(|reason| reason.as_str().to_owned()));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_of_one_key_go_one_after_another_and_others_do_not_wait() {
    let (stage, _far, mut seen) = stage(&[("a1", &[again(), again()])]).await;
    let mut sent = Vec::new();
    for (key, text) in [("a", "a1"), ("a", "a2"), ("a", "a3"), ("b", "b1")] {
        sent.push(send(&stage, "H44.03", key, text).await);
    }
    let mut came = Vec::new();
    while came.len() < 6 {
        came.push(next(&mut seen).await);
    }
    let of_a: Vec<_> = came.iter().filter(|(text, _)| text.contains('a')).cloned().collect();
    let of_a: Vec<_> = of_a.iter().filter(|(text, _)| *text != letter("b1")).collect();
    let expected = [("a1", 1), ("a1", 2), ("a1", 3), ("a2", 1), ("a3", 1)];
    assert!(
        of_a.iter()
            .map(|(text, attempt)| (text.clone(), *attempt))
            .eq(expected.map(|(text, attempt)| (letter(text), attempt))),
        "{came:?}"
    );
    let place = |text: &str| came.iter().position(|(it, _)| *it == letter(text)).unwrap();
    assert!(place("b1") < place("a2"), "another key waits for nobody: {came:?}");
    for message in sent {
        assert_eq!(ended(&stage, message).await, (DeliveryState::Delivered, None));
    }
    let kinds = stage.kinds().await;
    let count = |kind| kinds.iter().filter(|it| **it == kind).count();
    assert_eq!((count(Kind::AttemptFailed), count(Kind::Delivered)), (2, 4));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_is_refused_or_fails_too_often_is_a_dead_letter_with_its_reason_and_holds_nobody_back() {
    let refused = Pushed::Refused(ReasonCode::new("FORM_UNKNOWN"));
    let (stage, _far, _seen) = stage(&[("bad", &[refused]), ("poison", &[again(), again(), again(), again()])]).await;
    let bad = send(&stage, "H44.04", "k", "bad").await;
    let poison = send(&stage, "H44.04", "k", "poison").await;
    let good = send(&stage, "H44.04", "k", "good").await;
    assert_eq!(
        ended(&stage, bad).await,
        (DeliveryState::DeadLettered, Some("FORM_UNKNOWN".into()))
    );
    assert_eq!(
        ended(&stage, poison).await,
        (DeliveryState::DeadLettered, Some("TRIES_EXHAUSTED".into()))
    );
    assert_eq!(ended(&stage, good).await, (DeliveryState::Delivered, None));
    use Kind::{Accepted, AttemptFailed, DeadLettered, Delivered};
    let kinds: Vec<_> = stage
        .kinds()
        .await
        .into_iter()
        .filter(|kind| *kind != Accepted)
        .collect();
    assert_eq!(
        kinds,
        [
            DeadLettered,
            AttemptFailed,
            AttemptFailed,
            AttemptFailed,
            DeadLettered,
            Delivered
        ]
    );
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_far_side_that_is_away_is_left_alone_and_costs_no_more_tries_until_it_is_back() {
    let (stage, far, mut seen) = stage(&[]).await;
    far.reachable.store(false, Ordering::Relaxed);
    let late = send(&stage, "H44.03", "k", "letter").await;
    for attempt in 1..=10 {
        assert_eq!(next(&mut seen).await, (letter("letter"), attempt));
    }
    let asked = async {
        while far.asked.load(Ordering::Relaxed) < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.unwrap();
    assert!(
        seen.try_recv().is_err(),
        "it is asked whether it is there, and gets nothing"
    );
    far.reachable.store(true, Ordering::Relaxed);
    assert_eq!(next(&mut seen).await, (letter("letter"), 11));
    assert_eq!(ended(&stage, late).await, (DeliveryState::Delivered, None));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_gets_another_round_with_all_its_tries_and_what_is_none_does_not() {
    let (stage, _far, mut seen) = stage(&[("late", &[again(), again(), again(), again()])]).await;
    let letter = send(&stage, "H44.04", "k", "late").await;
    assert_eq!(ended(&stage, letter).await.0, DeliveryState::DeadLettered);
    let dead = stage.spine.dead_letters().await.unwrap();
    assert_eq!(
        (
            dead.len(),
            dead[0].message,
            dead[0].reason.as_str(),
            dead[0].to.as_str()
        ),
        (1, letter, "TRIES_EXHAUSTED", "H44.04")
    );
    let id = dead[0].delivery;
    assert_eq!(stage.spine.redrive(id).await.unwrap(), 1);
    let mut attempts = Vec::new();
    while attempts.len() < 5 {
        attempts.push(next(&mut seen).await.1);
    }
    assert_eq!(attempts, [1, 2, 3, 1, 2], "its fourth answer is the last that fails");
    assert_eq!(ended(&stage, letter).await, (DeliveryState::Delivered, None));
    assert!(stage.spine.dead_letters().await.unwrap().is_empty());
    stage.all_is_in_the_trace_of_the_calls().await;
    let error = stage.spine.redrive(id).await.unwrap_err();
    assert!(
        matches!(
            error,
            RedriveError::NotDead {
                state: DeliveryState::Delivered,
                ..
            }
        ),
        "{error}"
    );
    let error = stage.spine.redrive(DeliveryId::from_bytes([9; 16])).await.unwrap_err();
    assert!(matches!(error, RedriveError::NotFound(_)), "{error}");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_to_a_successor_is_written_down_before_it_goes() {
    let (stage, _far, mut seen) = stage(&[]).await;
    let letter = send(&stage, "H44.09", "k", "letter").await;
    next(&mut seen).await;
    assert_eq!(ended(&stage, letter).await, (DeliveryState::Delivered, None));
    assert_eq!(
        stage.kinds().await,
        [Kind::Accepted, Kind::AttemptStarted, Kind::Delivered]
    );
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_tries_are_counted_on_and_what_was_delivered_is_not_pushed_again() {
    let (stage, far, mut seen) = stage(&[]).await;
    let done = send(&stage, "H44.04", "k", "done").await;
    assert_eq!(ended(&stage, done).await.0, DeliveryState::Delivered);
    next(&mut seen).await;
    far.reachable.store(false, Ordering::Relaxed);
    let waiting = send(&stage, "H44.04", "k", "waiting").await;
    assert_eq!(next(&mut seen).await, (letter("waiting"), 1));
    stage.until_kind(Kind::AttemptFailed).await;
    let stage = stage.reopen().await;
    let before = stage
        .kinds()
        .await
        .iter()
        .filter(|kind| **kind == Kind::AttemptFailed)
        .count();
    while seen.try_recv().is_ok() {}
    far.reachable.store(true, Ordering::Relaxed);
    stage.spine.push_through(Arc::clone(&far) as Arc<dyn Adapter>, limits());
    let (text, attempt) = next(&mut seen).await;
    assert_eq!((text, attempt as usize), (letter("waiting"), before + 1));
    assert_eq!(ended(&stage, waiting).await.0, DeliveryState::Delivered);
    stage.close().await;
}

async fn taken_back(stage: &Stage, message: MsgId) -> (Fate, DeliveryState) {
    let told = stage.spine.withdraw(&stage.sender(), message, None).await.unwrap();
    (told[0].fate, told[0].state)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_pushed_cannot_be_taken_back_and_what_stands_behind_it_can() {
    let (stage, far, mut seen) = stage(&[]).await;
    let held = send(&stage, "H44.03", "k", "held").await;
    assert_eq!(next(&mut seen).await, (letter("held"), 1));
    let behind = send(&stage, "H44.03", "k", "behind").await;
    let last = send(&stage, "H44.03", "k", "last").await;
    assert_eq!(taken_back(&stage, held).await, (Fate::Tried, DeliveryState::Open));
    assert_eq!(
        taken_back(&stage, behind).await,
        (Fate::Withdrawn, DeliveryState::Withdrawn)
    );
    far.door.add_permits(1);
    assert_eq!(ended(&stage, held).await, (DeliveryState::Delivered, None));
    assert_eq!(
        next(&mut seen).await,
        (letter("last"), 1),
        "what was taken back is never pushed"
    );
    assert_eq!(ended(&stage, last).await.0, DeliveryState::Delivered);
    assert_eq!(
        taken_back(&stage, held).await,
        (Fate::TooLate, DeliveryState::Delivered)
    );
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_try_that_failed_the_receiver_may_have_it_and_it_cannot_be_taken_back() {
    let (stage, far, mut seen) = stage(&[]).await;
    far.reachable.store(false, Ordering::Relaxed);
    let one = send(&stage, "H44.03", "k", "letter").await;
    let behind = send(&stage, "H44.03", "k", "behind").await;
    // Left alone: nobody is at it, and yet.
    for attempt in 1..=10 {
        assert_eq!(next(&mut seen).await, (letter("letter"), attempt));
    }
    stage.until_line(|line| line.left_alone && line.trying == 0).await;
    assert_eq!(taken_back(&stage, one).await, (Fate::Tried, DeliveryState::Open));
    assert_eq!(taken_back(&stage, behind).await.0, Fate::Withdrawn);
    far.reachable.store(true, Ordering::Relaxed);
    assert_eq!(ended(&stage, one).await.0, DeliveryState::Delivered);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_far_side_that_cannot_be_reached_for_too_long_is_switched_off_until_an_operator_resumes_it() {
    let limits = PushLimits {
        switch_off_after: Duration::from_millis(200),
        ..limits()
    };
    let (stage, far, mut seen) = stage_with(&[], limits).await;
    far.reachable.store(false, Ordering::Relaxed);
    let one = send(&stage, "H44.03", "k", "letter").await;
    for attempt in 1..=10 {
        assert_eq!(next(&mut seen).await, (letter("letter"), attempt));
    }
    stage.until_line(|line| line.switched_off).await;
    // It is back, and nobody looks.
    let asked = far.asked.load(Ordering::Relaxed);
    far.reachable.store(true, Ordering::Relaxed);
    tokio::time::sleep(limits.probe_every * 10).await;
    assert_eq!(far.asked.load(Ordering::Relaxed), asked);
    assert!(seen.try_recv().is_err(), "its deliveries wait, and cost no try");
    assert!(!stage.spine.resume(&ConnectorId::parse("nobody").unwrap()));
    assert!(stage.spine.resume(&ConnectorId::parse("three").unwrap()));
    assert_eq!(next(&mut seen).await, (letter("letter"), 11));
    assert_eq!(ended(&stage, one).await, (DeliveryState::Delivered, None));
    stage.until_line(|line| !line.switched_off && !line.left_alone).await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_contract_blocks_what_follows_a_dead_letter_waits_until_that_was_redriven() {
    let (stage, _far, mut seen) = stage(&[("poison", &[again(), again(), again()])]).await;
    let contract = blocking_contract();
    stage.spine.import_contracts(&[contract]).await.unwrap();
    let send = async |key, text| send_by(&stage, "vn.lgsp.document/2", ("H44.04", key, text)).await;
    let poison = send("k", "poison").await;
    let behind = send("k", "behind").await;
    assert_eq!(ended(&stage, poison).await.0, DeliveryState::DeadLettered);
    let other = send("other", "other").await;
    assert_eq!(
        ended(&stage, other).await.0,
        DeliveryState::Delivered,
        "another key waits for nobody"
    );
    let came = async |seen: &mut mpsc::Receiver<(String, u32)>| next(seen).await.0;
    let mut before = Vec::new();
    for _ in 0..4 {
        before.push(came(&mut seen).await);
    }
    assert!(!before.contains(&letter("behind")), "{before:?}");
    let dead = stage.spine.dead_letters().await.unwrap().remove(0);
    stage.spine.redrive(dead.delivery).await.unwrap();
    assert_eq!(came(&mut seen).await, letter("poison"));
    assert_eq!(came(&mut seen).await, letter("behind"));
    assert_eq!(ended(&stage, behind).await.0, DeliveryState::Delivered);
    stage.close().await;
}

//! The node calls a process as if it were an adapter of its own.

use std::sync::Mutex;

use lgsp_types::{Adapter, AgencyCode, Answered, CheckError, ConnectorId, ContractRef, Push, Pushed, Question, UnixMs};
use tonic::async_trait;

use super::*;

/// A far side that keeps what it is given, and says what a test scripts.
#[derive(Debug, Default)]
struct FarSide {
    objects: Mutex<Option<Remote>>,
    got: Mutex<Vec<(u32, Vec<u8>)>>,
    says: Mutex<Option<Pushed>>,
}

#[async_trait]
impl Adapter for FarSide {
    async fn check(&self, connector: &ConnectorId) -> Result<(), CheckError> {
        Err(CheckError {
            connector: connector.clone(),
            source: "no route".into(),
        })
    }

    async fn deliver(&self, push: Push) -> Pushed {
        let objects = self.objects.lock().unwrap().clone().unwrap();
        let content = objects.read(&push.content.objects[0]).await.unwrap();
        let chunks: Vec<Bytes> = content.try_collect().await.unwrap();
        self.got.lock().unwrap().push((push.attempt, chunks.concat()));
        let says = self.says.lock().unwrap().take();
        says.unwrap_or(Pushed::Done(evidence()))
    }

    async fn answer(&self, question: Question) -> Answered {
        Answered::Record(question.payload)
    }
}

fn connector() -> ConnectorId {
    ConnectorId::parse("push-b").unwrap()
}

fn push(attempt: u32) -> Push {
    Push {
        connector: connector(),
        delivery: DeliveryId::from_bytes([7; 16]),
        attempt,
        accepted_ms: UnixMs(5),
        from: AgencyCode::parse("H62.11").unwrap(),
        to: AgencyCode::parse("H62.14").unwrap(),
        content: fetched(&[&large()]),
    }
}

async fn with_far_side() -> (Joined, Arc<FarSide>) {
    let far_side = Arc::new(FarSide::default());
    let joined = Joined::new(Some(Arc::clone(&far_side) as Arc<dyn Adapter>)).await;
    *far_side.objects.lock().unwrap() = Some(joined.remote.clone());
    joined.exchange.state().keep(&large());
    (joined, far_side)
}

#[tokio::test]
async fn a_message_is_pushed_with_its_objects() {
    let (joined, far_side) = with_far_side().await;
    assert_eq!(joined.gateway.deliver(push(1)).await, Pushed::Done(evidence()));
    let again = Pushed::TryAgain {
        reason: ReasonCode::new("FAR_SIDE_DOWN"),
        after: Some(Duration::from_secs(3)),
    };
    for says in [again, Pushed::Refused(ReasonCode::new("NOT_OURS"))] {
        *far_side.says.lock().unwrap() = Some(says.clone());
        assert_eq!(joined.gateway.deliver(push(2)).await, says);
    }
    assert!(far_side.got.lock().unwrap().iter().all(|(_, bytes)| *bytes == large()));
    assert_eq!(far_side.got.lock().unwrap().len(), 3);
    joined.end().await;
}

#[tokio::test]
async fn a_question_is_answered_and_a_check_says_why_not() {
    let (joined, _far_side) = with_far_side().await;
    let question = Question {
        connector: connector(),
        msg_id: id(1),
        contract: ContractRef::parse("a/1").unwrap(),
        payload: Bytes::from_static(b"?"),
    };
    let answered = joined.gateway.answer(question).await;
    assert_eq!(answered, Answered::Record(Bytes::from_static(b"?")));
    let failed = joined.gateway.check(&connector()).await.unwrap_err();
    assert_eq!(failed.source.to_string(), "no route");
    joined.end().await;
}

#[tokio::test]
async fn where_nobody_serves_the_connector_it_is_tried_again() {
    let joined = Joined::new(None).await;
    let reason = |pushed: Pushed| match &pushed {
        Pushed::TryAgain { reason, .. } => reason.to_string(),
        Pushed::Done(_) | Pushed::Refused(_) => panic!("{pushed:?}"),
    };
    assert_eq!(reason(joined.gateway.deliver(push(1)).await), "ADAPTER_PUSHES_NOT");
    joined.roll.set(&["a"]);
    assert_eq!(
        reason(joined.gateway.deliver(push(1)).await),
        "ADAPTER_AWAY",
        "b is no system of its list"
    );
    assert!(joined.gateway.check(&connector()).await.is_err());
    joined.end().await;
}

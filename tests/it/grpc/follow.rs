//! Following what becomes of letters: receipts for their sender, everything for an operator, from where one broke off.

use lgsp_api::Told;
use lgsp_proto::audit::v1::audit_client::AuditClient;
use lgsp_proto::audit::v1::{GetCheckpointRequest, GetEvidenceRequest};
use lgsp_proto::exchange::v1;
use lgsp_proto::operations::v1::operations_client::OperationsClient;
use lgsp_proto::operations::v1::tail_request::{From, Now, Start};
use lgsp_proto::operations::v1::{TailRequest, TailResponse};
use tokio::time::timeout;

use super::letter::{INFORMATION, JUSTICE, PROVINCE, delivered, letter, listed};
use super::{TIME_LIMIT, node};

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_hears_what_becomes_of_its_letters_and_goes_on_where_it_broke_off() {
    let mut node = node();
    let mut sender = node.exchange(INFORMATION).await;
    let mut receiver = node.exchange(JUSTICE).await;
    let mut other = node.exchange(PROVINCE).await;
    for (client, number) in [(&mut other, "grpc"), (&mut sender, "1")] {
        let message = Some(letter(number, &["H62.14"]));
        client.publish(v1::PublishRequest { message }).await.unwrap();
    }
    let follow = |cursor: &str| v1::FollowReceiptsRequest {
        cursor: cursor.to_owned(),
    };
    let mut receipts = sender.follow_receipts(follow("")).await.unwrap().into_inner();
    let accepted = receipts.message().await.unwrap().unwrap();
    assert_eq!(
        (accepted.kind.as_str(), accepted.delivery_id.as_str()),
        ("Accepted", "")
    );

    // While it listens, the receiver takes both letters.
    for row in listed(&mut receiver, 2).await {
        let mut word = delivered(&row.delivery_id);
        word.evidence = "vào sổ số 7".into();
        receiver.acknowledge_delivery(word).await.unwrap();
    }
    let told = timeout(TIME_LIMIT, receipts.message()).await.unwrap().unwrap().unwrap();
    assert_eq!(
        (told.kind.as_str(), &told.message_id),
        ("Delivered", &accepted.message_id)
    );
    assert_eq!(
        (told.system.as_str(), told.effect.as_str()),
        ("vxp.test.14", "in force")
    );
    let evidence = told.evidence.unwrap();
    assert_eq!(
        (evidence.kind.as_str(), &evidence.signed[..]),
        ("answer", "vào sổ số 7".as_bytes())
    );

    // The node starts again; the sender goes on behind the first receipt and hears the second again, and no other's.
    drop(receipts);
    node.stop();
    node.restart();
    let mut sender = node.exchange(INFORMATION).await;
    let mut receipts = sender
        .follow_receipts(follow(&accepted.cursor))
        .await
        .unwrap()
        .into_inner();
    let again = timeout(TIME_LIMIT, receipts.message()).await.unwrap().unwrap().unwrap();
    assert_eq!((again.position, again.cursor), (told.position, told.cursor));

    for cursor in ["x", "1.0.0", "1.999"] {
        let told = Told::of(&sender.follow_receipts(follow(cursor)).await.unwrap_err());
        assert_eq!(
            (told.reason.as_str(), told.fields[0].0.as_str()),
            ("CURSOR_INVALID", "cursor")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_every_fact_and_nobody_else_does() {
    let node = node();
    let mut sender = node.exchange(INFORMATION).await;
    let publish = |number: &str| v1::PublishRequest {
        message: Some(letter(number, &["H62.14"])),
    };
    sender.publish(publish("1")).await.unwrap();
    let mut operations = OperationsClient::new(node.link("operator/lan").await);
    let tail = |from| TailRequest { from: Some(from) };
    let next = |told: Option<TailResponse>| told.unwrap().event.unwrap().kind;
    let mut all = operations.tail(tail(From::Start(Start {}))).await.unwrap().into_inner();
    assert_eq!(next(all.message().await.unwrap()), "Accepted");
    listed(&mut node.exchange(JUSTICE).await, 1).await;
    let mut new = operations.tail(tail(From::Now(Now {}))).await.unwrap().into_inner();
    let second = sender
        .publish(publish("2"))
        .await
        .unwrap()
        .into_inner()
        .receipt
        .unwrap();
    let told = timeout(TIME_LIMIT, new.message()).await.unwrap().unwrap().unwrap();
    assert_eq!(told.message_id, second.message_id, "the first came before");
    let mut curious = OperationsClient::new(node.link(INFORMATION).await);
    let told = Told::of(&curious.tail(tail(From::Now(Now {}))).await.unwrap_err());
    assert_eq!(told.reason, "CALLER_KIND");
    let told = Told::of(&operations.tail(TailRequest { from: None }).await.unwrap_err());
    assert_eq!(told.fields[0].0, "from");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_holds_its_receipt_against_the_checkpoint() {
    let node = node();
    let mut sender = node.exchange(INFORMATION).await;
    let message = Some(letter("1", &["H62.14"]));
    let receipt = sender
        .publish(v1::PublishRequest { message })
        .await
        .unwrap()
        .into_inner()
        .receipt
        .unwrap();
    let mut audit = AuditClient::new(node.link(INFORMATION).await);
    let mut receipts = sender
        .follow_receipts(v1::FollowReceiptsRequest::default())
        .await
        .unwrap()
        .into_inner();
    receipts.message().await.unwrap().unwrap();
    // Sealed within seconds: asks until it is.
    let evidence = timeout(TIME_LIMIT, async {
        loop {
            let message_id = receipt.message_id.clone();
            let evidence = audit
                .get_evidence(GetEvidenceRequest { message_id })
                .await
                .unwrap()
                .into_inner();
            if !evidence.proof.is_empty() {
                return evidence;
            }
        }
    })
    .await
    .unwrap();
    assert_eq!(evidence.receipt, receipt.note);
    let checkpoint = audit
        .get_checkpoint(GetCheckpointRequest { partition: 0 })
        .await
        .unwrap();
    assert!(
        evidence.proof.contains(&checkpoint.into_inner().checkpoint),
        "the proof leads to it"
    );
    let told = Told::of(
        &audit
            .get_checkpoint(GetCheckpointRequest { partition: 9 })
            .await
            .unwrap_err(),
    );
    assert_eq!(told.reason, "NOT_FOUND");
}

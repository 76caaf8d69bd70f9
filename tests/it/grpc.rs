//! The public interface: departments' systems that send and receive by gRPC, on a real node over real TLS.

mod credentials;
mod follow;
mod greedy;
mod letter;
mod misread;
mod payload;
mod receive;
mod refused;
mod rude;
mod traced;
mod upload;
mod wire;

use std::time::Duration;

use futures_util::stream;
use lgsp_api::Told;
use lgsp_proto::exchange::v1;
use lgsp_proto::exchange::v1::publish_stream_response::Outcome;

use crate::support::{Home, Node};
use letter::{INFORMATION, JUSTICE, PROVINCE, delivered, letter, listed};

/// Longest wait for anything.
const TIME_LIMIT: Duration = Duration::from_secs(30);

fn node() -> Node {
    node_with(|_| {})
}

fn node_with(set: impl FnOnce(&mut Home)) -> Node {
    Node::start_with_grpc(set)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_goes_from_one_department_to_another() {
    let node = node();
    let mut sender = node.exchange(INFORMATION).await;
    let message = letter("1", &["H62.14"]);
    let request = v1::PublishRequest {
        message: Some(message.clone()),
    };
    let receipt = sender
        .publish(request.clone())
        .await
        .unwrap()
        .into_inner()
        .receipt
        .unwrap();
    assert!(!receipt.repeat);
    assert!(receipt.note.contains(&receipt.message_id), "{}", receipt.note);
    let again = sender.publish(request).await.unwrap().into_inner().receipt.unwrap();
    assert!(again.repeat);
    assert_eq!(
        (&again.message_id, again.offset, &again.note),
        (&receipt.message_id, receipt.offset, &receipt.note)
    );

    let mut receiver = node.exchange(JUSTICE).await;
    let summary = listed(&mut receiver, 1).await.remove(0);
    assert_eq!((summary.from.as_str(), summary.to.as_str()), ("H62.11", "H62.14"));
    assert_eq!(summary.state(), v1::DeliveryState::Open);
    let fetch = v1::FetchDeliveryRequest {
        delivery_id: summary.delivery_id.clone(),
    };
    let content = receiver
        .fetch_delivery(fetch)
        .await
        .unwrap()
        .into_inner()
        .content
        .unwrap();
    assert_eq!(
        (content.payload, content.message_id),
        (message.payload, receipt.message_id.clone())
    );
    let said = receiver
        .acknowledge_delivery(delivered(&summary.delivery_id))
        .await
        .unwrap();
    assert!(!said.into_inner().already);
    let said = receiver
        .acknowledge_delivery(delivered(&summary.delivery_id))
        .await
        .unwrap();
    assert!(said.into_inner().already, "the same word is the same answer");
    assert_eq!(listed(&mut receiver, 0).await, []);

    let asked = v1::GetMessageRequest {
        message_id: receipt.message_id,
    };
    let sent = sender.get_message(asked).await.unwrap().into_inner();
    assert_eq!(sent.deliveries[0].state(), v1::DeliveryState::Delivered);
    let facts = node.fact_counts();
    assert_eq!((facts["Accepted"], facts["Collected"], facts["Delivered"]), (1, 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_letters_is_answered_in_its_order_and_a_refused_one_ends_nothing() {
    let node = node();
    let mut sender = node.exchange(INFORMATION).await;
    let mut letters: Vec<_> = (0..300)
        .map(|number| {
            let mut letter = letter(&number.to_string(), &["H62.14"]);
            // Ten sequences, which must stay in order each.
            letter.order_key = format!("case-{}", number % 10);
            letter
        })
        .collect();
    letters[100].to = vec![String::from("H62.77")];
    letters[200] = letters[199].clone();
    let requests = letters
        .into_iter()
        .map(|message| v1::PublishStreamRequest { message: Some(message) });
    let mut answers = sender
        .publish_stream(stream::iter(requests))
        .await
        .unwrap()
        .into_inner();
    let mut offsets = Vec::new();
    for index in 0..300 {
        let answer = answers.message().await.unwrap().unwrap();
        assert_eq!(answer.index, index);
        match (index, answer.outcome.unwrap()) {
            (100, Outcome::Error(error)) => {
                let told = Told::within(&error);
                assert_eq!(
                    (told.status.as_str(), told.reason.as_str()),
                    ("INVALID_ARGUMENT", "ADDRESSEE_UNKNOWN")
                );
                assert_eq!(told.fields[0].0, "message.to[0]");
                offsets.push(None);
            }
            (200, Outcome::Receipt(receipt)) => {
                assert_eq!(Some(receipt.offset), offsets[199], "it repeats the one before");
                offsets.push(None);
            }
            (_, Outcome::Receipt(receipt)) => offsets.push(Some(receipt.offset)),
            (_, Outcome::Error(error)) => panic!("{index}: {:?}", Told::within(&error)),
        }
    }
    assert!(answers.message().await.unwrap().is_none());
    for sequence in 0..10 {
        let of_one: Vec<_> = offsets.iter().skip(sequence).step_by(10).flatten().collect();
        assert!(of_one.is_sorted(), "case-{sequence}: {of_one:?}");
    }
    assert_eq!(node.fact_counts()["Accepted"], 298);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_by_grpc_and_one_by_the_facade_are_in_one_list() {
    let node = node();
    let mut sender = node.exchange(PROVINCE).await;
    let request = v1::PublishRequest {
        message: Some(letter("grpc", &["H62.14"])),
    };
    sender.publish(request).await.unwrap();
    let node = tokio::task::spawn_blocking(move || {
        let packet = crate::support::INFORMATION.letter("vxp", &[crate::support::JUSTICE]);
        let packet = crate::support::written(&packet);
        crate::support::INFORMATION.desk(&node).send(&packet).unwrap();
        node
    })
    .await
    .unwrap();
    let mut receiver = node.exchange(JUSTICE).await;
    let rows = listed(&mut receiver, 2).await;
    let fetch = v1::FetchDeliveryRequest {
        delivery_id: rows[1].delivery_id.clone(),
    };
    let content = receiver
        .fetch_delivery(fetch)
        .await
        .unwrap()
        .into_inner()
        .content
        .unwrap();
    assert_eq!(content.attachments[0].role(), v1::attachment::Role::Original);
    let read = v1::ReadAttachmentRequest {
        delivery_id: rows[1].delivery_id.clone(),
        index: 0,
    };
    let mut chunks = receiver.read_attachment(read).await.unwrap().into_inner();
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.message().await.unwrap() {
        bytes.extend_from_slice(&chunk.chunk);
    }
    assert_eq!(bytes.len() as u64, content.attachments[0].size_bytes);
    assert!(bytes.starts_with(b"<?xml"), "the very bytes of the packet");
}

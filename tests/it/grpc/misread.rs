//! Bytes that are no message: each is told what is wrong with it, nothing of it is recorded, and the node goes on.

use bytes::Bytes;
use futures_util::stream;
use lgsp_api::Told;
use lgsp_proto::exchange::v1;
use lgsp_proto::exchange::v1::publish_stream_response::Outcome;

use super::letter::{INFORMATION, JUSTICE, letter};
use super::node;
use super::wire::{GRPC, PUBLISH, PUBLISH_STREAM, RECEIVE, UPLOAD, Wire, framed, with_prefix};

/// The largest request that is read.
const REQUEST_MAX_BYTES: u32 = 2 * 1024 * 1024;

/// What is wrong, the bytes, whether the call ends with them, and the reason that is told.
fn no_messages() -> Vec<(&'static str, Bytes, bool, &'static str)> {
    let whole = framed(&letter("1", &["H62.14"]));
    vec![
        ("nothing", Bytes::new(), true, "MESSAGE_MALFORMED"),
        (
            "no protobuf",
            with_prefix(0, None, &[0xff; 10]),
            true,
            "MESSAGE_MALFORMED",
        ),
        (
            "a number where a message belongs",
            with_prefix(0, None, &[0x08, 1]),
            true,
            "MESSAGE_MALFORMED",
        ),
        (
            "a text that is no UTF-8",
            with_prefix(0, None, &[0x0a, 3, 0x0a, 1, 0xff]),
            true,
            "MESSAGE_MALFORMED",
        ),
        (
            "a varint without an end",
            with_prefix(0, None, &[0x80; 11]),
            true,
            "MESSAGE_MALFORMED",
        ),
        (
            "half a prefix",
            Bytes::from_static(&[0, 0, 0]),
            true,
            "MESSAGE_MALFORMED",
        ),
        (
            "half a message",
            whole.slice(..whole.len() / 2),
            true,
            "MESSAGE_MALFORMED",
        ),
        (
            "compressed, in no encoding",
            with_prefix(1, None, &[7; 10]),
            true,
            "MESSAGE_MALFORMED",
        ),
        (
            "a flag that does not exist",
            with_prefix(7, None, &[7; 10]),
            true,
            "MESSAGE_MALFORMED",
        ),
        (
            "the largest, of zeros",
            with_prefix(0, None, &vec![0; REQUEST_MAX_BYTES as usize]),
            true,
            "MESSAGE_MALFORMED",
        ),
        (
            "one byte more than the largest",
            with_prefix(0, Some(REQUEST_MAX_BYTES + 1), b""),
            false,
            "MESSAGE_TOO_LARGE",
        ),
        (
            "4 GiB, it says",
            with_prefix(0, Some(u32::MAX), b""),
            false,
            "MESSAGE_TOO_LARGE",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_message_is_told_so_in_single_calls_and_in_streams() {
    let node = node();
    let wire = Wire::open(&node, INFORMATION).await;
    let mut neighbour = node.exchange(JUSTICE).await;
    for path in [PUBLISH, PUBLISH_STREAM, RECEIVE, UPLOAD] {
        for (case, body, last, reason) in no_messages() {
            // A stream may well be empty.
            if case == "nothing" && path != PUBLISH {
                continue;
            }
            // An upload's number there is a chunk's beginning, and a stream's is credit.
            if case.starts_with("a number") && path != PUBLISH && path != PUBLISH_STREAM {
                continue;
            }
            let ended = wire.begin(path, &GRPC, body, last).await.ended().await;
            let told = ended
                .told
                .as_ref()
                .unwrap_or_else(|| panic!("{path}, {case}: {ended:?}"));
            let said = (ended.http, told.status.as_str(), told.reason.as_str());
            assert_eq!(said, (200, "INVALID_ARGUMENT", reason), "{path}, {case}");
            assert!(!told.mend.is_empty(), "{path}, {case}: {told:?}");
        }
        neighbour
            .list_deliveries(v1::ListDeliveriesRequest::default())
            .await
            .unwrap();
    }
    // On the very connection of all that.
    let request = v1::PublishRequest {
        message: Some(letter("1", &["H62.14"])),
    };
    let ended = wire.call(PUBLISH, framed(&request)).await;
    assert_eq!(ended.told.unwrap().status, "OK");
    let facts = node.fact_counts();
    assert_eq!(
        (facts["Accepted"], facts.get("Rejected")),
        (1, None),
        "framing is only counted"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_no_call_of_ours_is_told_so() {
    let node = node();
    let wire = Wire::open(&node, INFORMATION).await;
    let request = framed(&v1::PublishRequest {
        message: Some(letter("1", &["H62.14"])),
    });
    for path in [
        "/lgsp.exchange.v1.Exchange/Nothing",
        "/lgsp.exchange.v2.Exchange/Publish",
        "/lgsp.exchange.v1.Exchange",
        "/",
        "/lgsp.exchange.v1.Exchange/publish",
        "/lgsp.exchange.v1.Exchange/Publish/",
    ] {
        let told = wire.call(path, request.clone()).await.told.unwrap();
        let said = (told.status.as_str(), told.reason.as_str());
        assert_eq!(said, ("UNIMPLEMENTED", "METHOD_UNKNOWN"), "{path}");
    }
    let gzip = [GRPC[0], GRPC[1], ("grpc-encoding", "gzip")];
    let ended = wire.begin(PUBLISH, &gzip, request.clone(), true).await.ended().await;
    let told = ended.told.unwrap();
    assert_eq!(
        (told.status.as_str(), told.reason.as_str()),
        ("UNIMPLEMENTED", "ENCODING_UNKNOWN")
    );
    for kind in [
        "application/json",
        "application/grpc-web",
        "application/grpc+json",
        "text/plain",
        "",
    ] {
        let headers = [("content-type", kind)];
        let ended = wire.begin(PUBLISH, &headers, request.clone(), true).await.ended().await;
        assert_eq!((ended.http, ended.told.is_none()), (415, true), "{kind}");
    }
    let ended = wire.begin(PUBLISH, &[], request.clone(), true).await.ended().await;
    assert_eq!(ended.http, 415, "no content type at all");
    for kind in ["application/grpc", "application/grpc+proto", "application/grpc;x=y"] {
        let ended = wire
            .begin(PUBLISH, &[("content-type", kind)], request.clone(), true)
            .await;
        assert_eq!(ended.ended().await.told.unwrap().status, "OK", "{kind}");
    }
    assert_eq!(node.fact_counts()["Accepted"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_choice_that_was_not_made_is_told_by_its_name() {
    let node = node();
    let mut exchange = node.exchange(INFORMATION).await;
    let told = |status| Told::of(&status);
    let named = |told: &Told| (told.reason.clone(), told.fields[0].0.clone());

    let words = v1::AcknowledgeDeliveryRequest {
        delivery_id: String::from("00000000-0000-0000-0000-000000000000"),
        ..v1::AcknowledgeDeliveryRequest::default()
    };
    let said = told(exchange.acknowledge_delivery(words).await.unwrap_err());
    assert_eq!(named(&said), (String::from("FIELD_MISSING"), String::from("outcome")));

    let parts = stream::iter([v1::UploadAttachmentRequest::default()]);
    let said = told(exchange.upload_attachment(parts).await.unwrap_err());
    assert_eq!(named(&said), (String::from("FIELD_MISSING"), String::from("start")));

    let requests = stream::iter([v1::ReceiveRequest::default()]);
    let mut answers = exchange.receive(requests).await.unwrap().into_inner();
    let said = told(answers.message().await.unwrap_err());
    assert_eq!(named(&said), (String::from("BEGIN_MISSING"), String::from("begin")));

    let begin = v1::receive_request::Request::Begin(v1::receive_request::Begin::default());
    let begin = v1::ReceiveRequest { request: Some(begin) };
    let requests = stream::iter([begin, v1::ReceiveRequest::default()]);
    let mut answers = exchange.receive(requests).await.unwrap().into_inner();
    let said = told(answers.message().await.unwrap_err());
    assert_eq!(named(&said), (String::from("FIELD_MISSING"), String::from("request")));

    // In a stream of messages it is an answer like any other: those before and behind it are accepted.
    let letters = [Some(letter("1", &["H62.14"])), None, Some(letter("2", &["H62.14"]))];
    let requests = stream::iter(letters.map(|message| v1::PublishStreamRequest { message }));
    let mut answers = exchange.publish_stream(requests).await.unwrap().into_inner();
    let mut said = Vec::new();
    while let Some(answer) = answers.message().await.unwrap() {
        said.push(match answer.outcome.unwrap() {
            Outcome::Receipt(_) => String::from("ok"),
            Outcome::Error(error) => named(&Told::within(&error)).1,
        });
    }
    assert_eq!(said, ["ok", "message", "ok"]);
    let facts = node.fact_counts();
    assert_eq!((facts["Accepted"], facts["Rejected"]), (2, 1));
}

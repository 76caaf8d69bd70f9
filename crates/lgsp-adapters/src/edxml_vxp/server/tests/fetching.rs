//! getEdoc and downloadEdoc when something is wrong: never a well-formed wrong answer.

use super::*;
use crate::edxml_vxp::client::SdkVersion::{V2_0_0, V2_0_1};
use crate::edxml_vxp::client::answer::CallError;
use crate::edxml_vxp::client::operation::Operation;
use crate::edxml_vxp::client::raw;
use lgsp_types::DeliveryState;
use proptest::prelude::*;

fn packet(bytes: usize) -> bytes::Bytes {
    (0..=255).cycle().take(bytes).collect::<Vec<u8>>().into()
}

#[test]
fn what_is_not_the_callers_is_not_told_from_nothing() {
    let facade = Facade::start();
    let of_another = facade
        .exchange
        .state()
        .deliver(&system(INFORMATION), "x".into())
        .to_string();
    let mut told = Vec::new();
    for id in [
        of_another.as_str(),
        "00000000-0000-4000-8000-000000000000",
        "../../keys/id.key",
        &"0".repeat(20_000),
    ] {
        for version in [V2_0_0, V2_0_1] {
            let refused = facade
                .service(JUSTICE)
                .version(version)
                .get_edoc(id, &mut Vec::new())
                .unwrap_err();
            let answer = refused.refusal().unwrap().clone();
            assert_eq!(
                (answer.error_code.as_str(), answer.doc_id.as_deref()),
                ("18", Some("")),
                "data and DocId are there"
            );
            told.push(answer.error_desc);
        }
        let refused = facade.service(JUSTICE).download_edoc(id, &mut Vec::new()).unwrap_err();
        assert_eq!(refused.error_code(), Some("100"), "an empty body");
    }
    told.dedup();
    assert_eq!(told.len(), 1);
    assert_eq!(facade.exchange.rejected_codes(), ["DELIVERY_UNKNOWN"; 12]);
}

#[test]
fn every_failure_of_a_download_is_an_empty_body() {
    let facade = Facade::start();
    let mut service = facade.service(JUSTICE);
    let headers = service.signed(Operation::DownloadEdoc, &[]);
    let no_id = service.request(Operation::DownloadEdoc, &headers, b"");
    let unsigned = b"GET /vxp/downloadEdoc HTTP/1.1\r\nHost: vxp\r\n\r\n".to_vec();
    let wrong = {
        let mut service = facade.service_at("", JUSTICE, "wrong");
        let headers = service.signed(Operation::DownloadEdoc, &[("docId", "x")]);
        service.request(Operation::DownloadEdoc, &headers, b"")
    };
    for request in [no_id, unsigned, wrong] {
        let answer = raw::exchange(facade.address, &request).unwrap();
        assert_eq!((answer.status, answer.body), (200, Vec::new()));
    }
}

#[test]
fn a_withdrawn_document_is_gone() {
    let facade = Facade::start();
    let id = facade
        .exchange
        .state()
        .deliver(&system(JUSTICE), "x".into())
        .to_string();
    facade.exchange.state().deliveries[0].1.state = DeliveryState::Withdrawn;
    let refused = facade.service(JUSTICE).get_edoc(&id, &mut Vec::new()).unwrap_err();
    assert_eq!(refused.error_code(), Some("18"));
    assert_eq!(facade.exchange.rejected_codes(), ["DELIVERY_WITHDRAWN"]);
}

#[test]
fn an_object_that_is_damaged_from_the_start_is_told() {
    let facade = Facade::start();
    let id = facade
        .exchange
        .state()
        .deliver(&system(JUSTICE), packet(200_000))
        .to_string();
    facade.exchange.state().damaged_chunk = Some(0);
    let refused = facade.service(JUSTICE).get_edoc(&id, &mut Vec::new()).unwrap_err();
    assert_eq!(refused.error_code(), Some("20"));
    assert!(
        refused
            .refusal()
            .unwrap()
            .error_desc
            .starts_with("OBJECT_DAMAGED at /: ")
    );
    let refused = facade.service(JUSTICE).download_edoc(&id, &mut Vec::new()).unwrap_err();
    assert_eq!(refused.error_code(), Some("100"));
}

#[test]
fn an_object_that_is_damaged_later_cuts_the_answer() {
    let facade = Facade::start();
    let id = facade
        .exchange
        .state()
        .deliver(&system(JUSTICE), packet(200_000))
        .to_string();
    facade.exchange.state().damaged_chunk = Some(3);
    let (mut got, mut downloaded) = (Vec::new(), Vec::new());
    let cut = facade.service(JUSTICE).get_edoc(&id, &mut got).unwrap_err();
    assert!(matches!(cut, CallError::Cut { .. }), "{cut:?}");
    let cut = facade.service(JUSTICE).download_edoc(&id, &mut downloaded).unwrap_err();
    assert!(matches!(cut, CallError::Cut { .. }), "{cut:?}");
    assert!(downloaded.len() < 200_000);
}

#[test]
fn an_object_of_another_size_than_recorded_cuts_the_answer() {
    for recorded in [199_999, 200_001] {
        let facade = Facade::start();
        let id = facade
            .exchange
            .state()
            .deliver(&system(JUSTICE), packet(200_000))
            .to_string();
        facade.exchange.state().deliveries[0].2.objects[0].size_bytes = recorded;
        let cut = facade.service(JUSTICE).get_edoc(&id, &mut Vec::new()).unwrap_err();
        assert!(matches!(cut, CallError::Cut { .. }), "{recorded}: {cut:?}");
        let cut = facade.service(JUSTICE).download_edoc(&id, &mut Vec::new()).unwrap_err();
        assert!(matches!(cut, CallError::Cut { .. }), "{recorded}: {cut:?}");
    }
}

#[test]
fn answers_say_their_length() {
    let facade = Facade::start();
    for size in [0, 1, 2, 3, 4, 100_000] {
        let id = facade
            .exchange
            .state()
            .deliver(&system(JUSTICE), packet(size))
            .to_string();
        for (operation, body) in [(Operation::GetEdoc, b"{}".as_slice()), (Operation::DownloadEdoc, b"")] {
            let mut service = facade.service(JUSTICE);
            let headers = service.signed(operation, &[("docId", &id), ("filePath", "xml")]);
            let answer = raw::exchange(facade.address, &service.request(operation, &headers, body)).unwrap();
            let length = answer
                .headers
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
            assert_eq!(length.unwrap().1, answer.body.len().to_string());
            if operation == Operation::DownloadEdoc {
                assert_eq!(answer.body, packet(size));
            }
        }
    }
}

#[test]
fn a_message_without_an_original_is_trouble_of_ours() {
    let facade = Facade::start();
    let id = facade
        .exchange
        .state()
        .deliver(&system(JUSTICE), "x".into())
        .to_string();
    facade.exchange.state().deliveries[0].2.objects.clear();
    let refused = facade.service(JUSTICE).get_edoc(&id, &mut Vec::new()).unwrap_err();
    assert_eq!(refused.error_code(), Some("20"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn however_an_object_is_read_its_base64_is_the_same(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 0..6),
    ) {
        use base64::Engine;
        use http_body_util::BodyExt;
        use crate::edxml_vxp::server::{answer, body, gate, route, trace};

        let whole = chunks.concat();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let sent = runtime.block_on(async {
            let stream = Box::pin(futures_util::stream::iter(chunks.into_iter().map(|chunk| Ok(chunk.into()))));
            let packet = body::Packet::in_json(stream, whole.len() as u64);
            let serving = gate::Turn::new(tokio::time::Instant::now()).begin().0;
            let trace = trace::Trace::begin(route::Operation::GetEdoc);
            let body = body::Body::new(body::Content::Packet(packet), trace, serving);
            let said = http_body::Body::size_hint(&body).exact().unwrap();
            let sent = body.collect().await.unwrap().to_bytes();
            assert_eq!(said, sent.len() as u64);
            sent
        });
        let text = base64::engine::general_purpose::STANDARD.encode(&whole);
        prop_assert_eq!(sent, format!("{}{text}{}", answer::PACKET_BEFORE, answer::PACKET_BEHIND));
    }
}

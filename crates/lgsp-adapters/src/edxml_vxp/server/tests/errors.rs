//! What callers are told when something is wrong, and what the ledger hears of it first.

use super::*;
use crate::edxml_vxp::client::MessageType::{Edoc, Status};
use crate::edxml_vxp::client::answer::CallError;
use crate::edxml_vxp::client::operation::Operation;
use crate::edxml_vxp::client::raw;
use crate::edxml_vxp::client::sign::SignedHeaders;
use crate::edxml_vxp::client::source::Source;
use lgsp_types::{MsgId, PublishError, ReasonCode, Refusal, Unavailable, UploadError};

fn list_bytes(facade: &Facade, spoil: impl FnOnce(&mut SignedHeaders), name: &str, secret: &str) -> Vec<u8> {
    let mut service = facade.service_at("", name, secret);
    let operation = Operation::GetReceivedEdocList;
    let mut headers = service.signed(operation, &[("servicetype", "eDoc"), ("messagetype", "edoc")]);
    spoil(&mut headers);
    raw::exchange(facade.address, &service.request(operation, &headers, b""))
        .unwrap()
        .body
}

#[test]
fn an_unknown_system_and_a_wrong_signature_are_answered_alike() {
    let facade = Facade::start();
    let secret = secret_of(INFORMATION);
    let told = list_bytes(&facade, |_| {}, INFORMATION, "wrong");
    let text = String::from_utf8(told.clone()).unwrap();
    assert!(
        text.contains(r#""ErrorCode":"15","ErrorDesc":"SIGNATURE_INVALID at /XroadVnpt-hash-header: "#),
        "{text}"
    );
    let change = |headers: &mut SignedHeaders, find: &str, put: &str| {
        let text = headers.sign_header.take().unwrap();
        assert!(text.contains(find));
        headers.sign_header = Some(text.replace(find, put));
    };
    for same in [
        list_bytes(&facade, |_| {}, "vxp.nobody", &secret),
        list_bytes(&facade, |_| {}, "../secrets", &secret),
        list_bytes(&facade, |_| {}, "", &secret),
        list_bytes(&facade, |_| {}, JUSTICE, &secret),
        list_bytes(
            &facade,
            |headers| change(headers, "edoc", "status"),
            INFORMATION,
            &secret,
        ),
        list_bytes(
            &facade,
            |headers| change(headers, INFORMATION, JUSTICE),
            INFORMATION,
            &secret,
        ),
        list_bytes(&facade, |headers| change(headers, "{\"", "{ \""), INFORMATION, &secret),
        list_bytes(
            &facade,
            |headers| headers.hash_header = Some(String::new()),
            INFORMATION,
            &secret,
        ),
        list_bytes(
            &facade,
            |headers| headers.hash_header = Some("ad6c".to_owned()),
            INFORMATION,
            &secret,
        ),
        list_bytes(
            &facade,
            |headers| headers.hash_header = Some("z".repeat(64)),
            INFORMATION,
            &secret,
        ),
    ] {
        assert_eq!(String::from_utf8(same).unwrap(), text);
    }
    let missing = list_bytes(&facade, |headers| headers.sign_header = None, INFORMATION, &secret);
    assert!(
        String::from_utf8(missing)
            .unwrap()
            .contains("SIGNATURE_MISSING at /XroadVnpt-sign-header: ")
    );
    assert_eq!(facade.exchange.rejected_codes(), [""; 0], "nobody was known");
}

#[test]
fn plain_headers_count_for_nothing() {
    let facade = Facade::start();
    facade.exchange.state().deliver(&system(INFORMATION), "x".into());
    let other = |headers: &mut SignedHeaders| {
        for (name, value) in &mut headers.parameters {
            if matches!(name.as_str(), "messagetype" | "systemid") {
                *value = "status".to_owned();
            }
        }
    };
    let told = list_bytes(&facade, other, INFORMATION, &secret_of(INFORMATION));
    assert!(String::from_utf8(told).unwrap().contains(r#""messageType":"edoc""#));
}

#[test]
fn a_secret_without_a_file_or_open_to_others_lets_nobody_in() {
    let facade = Facade::start();
    let mut view = facade.exchange.state().systems[&system(INFORMATION)].clone();
    view.secret_ref = None;
    facade.exchange.state().systems.insert(
        system("none"),
        lgsp_types::SystemView {
            system: system("none"),
            ..view.clone()
        },
    );
    view.secret_ref = Some("nowhere".to_owned());
    facade.exchange.state().systems.insert(
        system("nowhere"),
        lgsp_types::SystemView {
            system: system("nowhere"),
            ..view
        },
    );
    let path = facade.write_secret(JUSTICE, "current", &secret_of(JUSTICE));
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o604)).unwrap();
    for (name, secret) in [("none", ""), ("nowhere", ""), (JUSTICE, &secret_of(JUSTICE))] {
        let refused = facade.service_at("", name, secret).received_list(Edoc).unwrap_err();
        assert_eq!(refused.error_code(), Some("15"), "{name}");
    }
}

#[test]
fn both_secrets_count_while_one_takes_over_from_the_other() {
    let facade = Facade::start();
    facade.write_secret(JUSTICE, "next", "bi-mat-moi\n");
    let lists = |secret: &str| facade.service_at("", JUSTICE, secret).received_list(Edoc).is_ok();
    let old = secret_of(JUSTICE);
    assert!(lists(&old) && lists("bi-mat-moi") && !lists("bi-mat-khac"));
    std::fs::rename(
        facade.secrets.path().join(JUSTICE).join("next"),
        facade.secrets.path().join(JUSTICE).join("current"),
    )
    .unwrap();
    assert!(!lists(&old) && lists("bi-mat-moi"));
}

fn refused_by(facade: &Facade, error: PublishError) -> CallError {
    facade.exchange.state().publish_errors.push_back(error);
    let packet = written(&document());
    facade
        .service(INFORMATION)
        .send_edoc("H62.11", None, Edoc, Source::Bytes(&packet))
        .unwrap_err()
}

#[test]
fn what_the_exchange_refuses_has_the_number_of_its_gravest_reason() {
    let facade = Facade::start();
    let refusal = |code, path: &str| Refusal::new(ReasonCode::new(code), path, "đã khóa", "hỏi");
    for (code, number) in [
        ("SENDER_NOT_SPOKEN_FOR", "19"),
        ("ADDRESSEE_UNKNOWN", "18"),
        ("ADDRESSEE_CLOSED", "23"),
        ("LEAF_TOO_LARGE", "22"),
    ] {
        let refusals = vec![refusal(code, "/a"), refusal("ADDRESSEE_NO_ROUTE", "/b")];
        let refused = refused_by(&facade, PublishError::Refused(refusals));
        assert_eq!(refused.error_code(), Some(number));
        let told = &refused.refusal().unwrap().error_desc;
        let listed = format!("{code} at /a: da khoa; hoi | ADDRESSEE_NO_ROUTE at /b: da khoa; hoi");
        assert!(told.ends_with(&listed), "{told}");
        let axis = "Don vi gui H62.11 khong dung voi ma da dang ky: vxp.test.11 | ";
        assert_eq!(told.starts_with(axis), number == "19", "{told}");
    }
    assert_eq!(
        facade.exchange.rejected_codes(),
        [""; 0],
        "the exchange records its own"
    );
}

#[test]
fn a_key_that_stands_for_another_message_is_a_recorded_refusal() {
    let facade = Facade::start();
    let refused = refused_by(
        &facade,
        PublishError::Conflict {
            msg_id: MsgId::from_bytes([0; 16]),
        },
    );
    assert_eq!(refused.error_code(), Some("10"));
    assert_eq!(facade.exchange.rejected_codes(), ["KEY_CONFLICT"]);
}

#[test]
fn trouble_of_ours_is_told_as_send_again_and_recorded_as_nothing() {
    let facade = Facade::start();
    for error in [
        PublishError::Busy,
        PublishError::Unknown,
        PublishError::Unavailable(Unavailable::new("down")),
    ] {
        let refused = refused_by(&facade, error);
        assert_eq!(refused.error_code(), Some("20"));
        assert!(refused.refusal().unwrap().error_desc.contains("gui lai"));
    }
    for error in [UploadError::Full, UploadError::Unavailable(Unavailable::new("down"))] {
        facade.exchange.state().upload_errors.push_back(error);
        let packet = written(&document());
        let refused = facade
            .service(INFORMATION)
            .send_edoc("H62.11", None, Edoc, Source::Bytes(&packet))
            .unwrap_err();
        assert_eq!(refused.error_code(), Some("20"));
    }
    facade.exchange.state().unavailable = true;
    let mut service = facade.service(JUSTICE);
    let id = "00000000-0000-4000-8000-000000000000";
    let answers = [
        service.received_list(Edoc).map(drop),
        service.count_received_edoc().map(drop),
        service.get_edoc(id, &mut Vec::new()).map(drop),
        service.update_status(id, "done").map(drop),
        // Refused for good, but not before the ledger knows: until then it is not refused.
        service.update_status(id, "no word").map(drop),
        service.received_list(Status).map(drop),
        service.send_edoc("no code", None, Edoc, Source::Bytes(b"")).map(drop),
    ];
    for answer in answers {
        assert_eq!(answer.unwrap_err().error_code(), Some("20"));
    }
    facade.exchange.state().unavailable = false;
    assert_eq!(facade.exchange.rejected_codes(), [""; 0]);
    let refused = service.update_status(id, "no word").unwrap_err();
    assert_eq!(refused.error_code(), Some("10"));
    assert_eq!(facade.exchange.rejected_codes(), ["PARAMETER_INVALID"]);
}

#[test]
fn all_wrong_parameters_of_a_packet_are_named_at_once() {
    let facade = Facade::start();
    let mut service = facade.service(INFORMATION);
    let parameters = [
        ("from", "h62"),
        ("messagetype", "letter"),
        ("to", "[\"H62.14\",\"' OR 1=1 --\"]"),
    ];
    let headers = service.signed(Operation::SendEdoc, &parameters);
    let answer = raw::exchange(
        facade.address,
        &service.request(Operation::SendEdoc, &headers, b"x\r\n"),
    )
    .unwrap();
    let told = String::from_utf8(answer.body).unwrap();
    assert!(
        told.starts_with(
            r#"{"status":"FAIL","ErrorCode":"10","ErrorDesc":"PARAMETER_INVALID at /XroadVnpt-messagetype"#
        )
    );
    assert!(told.ends_with(r#","DocId":"","data":""}"#) && told.is_ascii(), "{told}");
    let codes = facade.exchange.rejected_codes();
    assert_eq!(
        codes,
        [
            "PARAMETER_INVALID",
            "PARAMETER_INVALID",
            "PARAMETER_INVALID",
            "PARAMETER_MISSING"
        ]
    );
    assert!(!told.contains("OR 1=1"), "what was written is not told back");
}

#[test]
fn the_kinds_of_packets_are_not_mixed_up() {
    let facade = Facade::start();
    let (document, status) = (written(&document()), status());
    for (name, from, kind, packet) in [
        (INFORMATION, "H62.11", Status, &document),
        (JUSTICE, "H62.14", Edoc, &status),
    ] {
        let refused = facade
            .service(name)
            .send_edoc(from, None, kind, Source::Bytes(packet))
            .unwrap_err();
        assert_eq!(refused.error_code(), Some("22"));
        assert!(
            refused
                .refusal()
                .unwrap()
                .error_desc
                .starts_with("FIELD_MISSING at /edXML/edXMLEnvelope/")
        );
    }
    assert_eq!(facade.exchange.state().published.len(), 0);
}

#[test]
fn a_packet_over_the_limit_is_refused_however_it_says_its_size() {
    let facade = Facade::with(|settings| settings.body_max_bytes = 100_000);
    let body = vec![b'x'; 100_001];
    let mut service = facade.service(INFORMATION);
    let refused = service
        .send_edoc("H62.11", None, Edoc, Source::Bytes(&body))
        .unwrap_err();
    assert_eq!(refused.error_code(), Some("10"));
    let refused = service
        .send_edoc("H62.11", None, Edoc, Source::Bytes(&vec![b'x'; 5_000_000]))
        .unwrap_err();
    assert_eq!(refused.error_code(), Some("10"));
    assert_eq!(facade.exchange.state().uploads_begun, 0, "not even begun");

    let headers = service.signed(Operation::SendEdoc, &[]);
    let no_line_end = service.request(Operation::SendEdoc, &headers, &body);
    let answer = raw::exchange(facade.address, &no_line_end).unwrap();
    assert!(String::from_utf8_lossy(&answer.body).contains("BODY_TOO_LARGE"));
    assert_eq!(
        facade.exchange.state().uploads_begun,
        1,
        "the line end would have had room"
    );
    let head = String::from_utf8(service.request(Operation::SendEdoc, &headers, b"")).unwrap();
    let mut request = head
        .replace("Content-Length: 0", "Transfer-Encoding: chunked")
        .into_bytes();
    request.extend_from_slice(b"30d40\r\n");
    request.extend_from_slice(&vec![b'x'; 200_000]);
    request.extend_from_slice(b"\r\n0\r\n\r\n");
    let answer = raw::exchange(facade.address, &request).unwrap();
    assert!(
        String::from_utf8_lossy(&answer.body).contains("BODY_TOO_LARGE at /: the packet is larger than 100000 bytes")
    );
    assert_eq!(facade.exchange.rejected_codes(), ["BODY_TOO_LARGE"; 4]);

    let refused = service.update_status("x", "done").unwrap_err();
    assert_eq!(refused.error_code(), Some("18"), "a body of two bytes is fine");
}

#[test]
fn absurd_pages_are_refused_and_sensible_ones_have_no_effect() {
    let facade = Facade::start();
    let mut service = facade.service(JUSTICE);
    service.put("pageSize", "99999999999999999999");
    service.put("pageIndex", "-1");
    let refused = service.received_list(Edoc).unwrap_err();
    assert_eq!(refused.error_code(), Some("10"));
    assert!(
        refused
            .refusal()
            .unwrap()
            .error_desc
            .starts_with("PARAMETER_INVALID at /XroadVnpt-pageSize, /XroadVnpt-pageIndex: ")
    );
}

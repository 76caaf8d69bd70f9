//! What a document system does all day, with both versions of the SDK.

use super::*;
use crate::edxml_vxp::client::MessageType::{Edoc, Status};
use crate::edxml_vxp::client::SdkVersion::{V2_0_0, V2_0_1};
use crate::edxml_vxp::client::answer::CallError;
use crate::edxml_vxp::client::source::Source;
use lgsp_types::{DeliveryState, EvidenceKind, Mark, Outcome, ReasonCode};

#[test]
fn a_document_goes_from_one_system_to_another_and_is_done_with() {
    for version in [V2_0_0, V2_0_1] {
        let facade = Facade::start();
        let packet = written(&document());
        let sent = facade
            .service(INFORMATION)
            .version(version)
            .send_edoc("H62.11", Some(&["H62.14"]), Edoc, Source::Bytes(&packet))
            .unwrap();
        let msg_id = facade.exchange.state().published[0].0.to_string();
        assert_eq!(
            (sent.doc_id.as_deref(), sent.error_desc.as_str()),
            (Some(msg_id.as_str()), "Thanh cong")
        );

        let mut justice = facade.service(JUSTICE).version(version);
        let list = justice.received_list(Edoc).unwrap();
        let [item] = list.as_slice() else { panic!("{list:?}") };
        assert_eq!((item.from.as_str(), item.to.as_str()), ("H62.11", "H62.14"));
        assert_eq!(
            (item.service_type.as_str(), item.message_type.as_str()),
            ("eDoc", "edoc")
        );
        assert_eq!((item.status.as_str(), item.status_desc.as_str()), ("initial", "Đã đến"));
        assert_eq!(item.created_time, "23/11/2026 16:52:46");
        assert_eq!(item.updated_time, "23/11/2026 16:52:47");

        let mut got = Vec::new();
        justice.get_edoc(&item.doc_id, &mut got).unwrap();
        assert_eq!(got, packet);
        if version == V2_0_1 {
            got.clear();
            justice.download_edoc(&item.doc_id, &mut got).unwrap();
            assert_eq!(got, packet);
            assert_eq!(justice.count_received_edoc().unwrap(), 1);
            assert_eq!(justice.count_received_status().unwrap(), 0);
        }
        justice.update_status(&item.doc_id, "done").unwrap();
        assert_eq!(justice.received_list(Edoc).unwrap(), []);
    }
}

#[test]
fn a_status_goes_to_whom_it_answers() {
    let facade = Facade::start();
    let packet = status();
    let mut justice = facade.service(JUSTICE);
    justice
        .send_edoc("H62.14", None, Status, Source::Bytes(&packet))
        .unwrap();
    assert_eq!(
        facade.exchange.state().published[0].1.contract.to_string(),
        "vn.lgsp.document-status/1"
    );

    let mut information = facade.service(INFORMATION);
    assert_eq!(information.received_list(Edoc).unwrap(), []);
    let list = information.received_list(Status).unwrap();
    assert_eq!((list.len(), list[0].message_type.as_str()), (1, "status"));
    assert_eq!(information.count_received_status().unwrap(), 1);
    let mut got = Vec::new();
    information.get_edoc(&list[0].doc_id, &mut got).unwrap();
    assert_eq!(got, packet);
}

#[test]
fn what_earlier_calls_leak_changes_no_later_one() {
    let facade = Facade::start();
    let packet = written(&document());
    let mut one = facade.service(INFORMATION);
    facade
        .exchange
        .state()
        .receivers
        .insert(code("H62.14"), system(INFORMATION));
    one.put("pageSize", "1");
    one.put("pageIndex", "7");
    one.put("status", "received");
    one.put("toDate", "01/01/1999");
    for number in ["1", "2"] {
        let packet = written(&DocumentPacket {
            number: number.to_owned(),
            ..document()
        });
        one.send_edoc("H62.11", Some(&["H62.14"]), Edoc, Source::Bytes(&packet))
            .unwrap();
    }
    let list = one.received_list(Edoc).unwrap();
    assert_eq!(list.len(), 2);
    one.get_edoc(&list[0].doc_id, &mut Vec::new()).unwrap();
    one.update_status(&list[0].doc_id, "processing").unwrap();
    // `status`, `docId`, `from`, `to`, `hash-file` and `filePath` now travel with everything.
    let marked = one.received_list(Edoc).unwrap();
    assert_eq!((marked.len(), marked[0].status.as_str()), (2, "processing"));
    assert_eq!(one.received_list(Status).unwrap(), []);
    one.agencies().unwrap();
    assert_eq!(one.count_received_edoc().unwrap(), 2);
    let mut got = Vec::new();
    one.download_edoc(&list[1].doc_id, &mut got).unwrap();
    assert!(!got.is_empty() && got != packet);
}

#[test]
fn both_spellings_of_the_document_id_are_understood() {
    let facade = Facade::start();
    let justice = system(JUSTICE);
    let [first, second] = [b"a", b"b"].map(|packet| {
        facade
            .exchange
            .state()
            .deliver(&justice, packet.as_slice().into())
            .to_string()
    });
    let mut service = facade.service(JUSTICE);
    let mut got = Vec::new();
    service.get_edoc(&first, &mut got).unwrap();
    // getEdoc left docId = first behind: docid counts for updateStatus.
    service.update_status_lower(&second, "done").unwrap();
    // And docid = second stays behind from now on: the fetches do not look at it.
    service.get_edoc(&first, &mut got).unwrap();
    service.download_edoc(&first, &mut got).unwrap();
    assert_eq!(got, b"aaa");
    let acknowledged: Vec<String> = facade
        .exchange
        .state()
        .acknowledged
        .iter()
        .map(|(delivery, ..)| delivery.to_string())
        .collect();
    assert_eq!(acknowledged, [second]);
    facade.service(JUSTICE).update_status(&first, "done").unwrap();
    assert_eq!(facade.exchange.state().acknowledged[1].0.to_string(), first);
}

#[test]
fn each_word_of_the_axis_is_passed_on_with_its_evidence() {
    let facade = Facade::start();
    let delivery = facade.exchange.state().deliver(&system(JUSTICE), "x".into());
    let id = delivery.to_string();
    for (word, outcome, shown) in [
        ("initial", Outcome::Mark(Mark::Initial), "initial"),
        ("inbox", Outcome::Mark(Mark::Inbox), "inbox"),
        ("processing", Outcome::Mark(Mark::Processing), "processing"),
        ("acceptance", Outcome::Mark(Mark::Acceptance), "acceptance"),
        ("rejection", Outcome::Mark(Mark::Rejection), "rejection"),
        ("fail", Outcome::Failed(ReasonCode::new("RECEIVER_FAILED")), "fail"),
    ] {
        let mut service = facade.service(JUSTICE);
        let headers = {
            let mut same = facade.service(JUSTICE);
            same.signed(
                crate::edxml_vxp::client::operation::Operation::UpdateStatus,
                &[("docId", &id), ("status", word)],
            )
        };
        service.update_status(&id, word).unwrap();
        assert_eq!(service.received_list(Edoc).unwrap()[0].status, shown);
        let acknowledged = facade.exchange.state().acknowledged.pop().unwrap();
        assert_eq!((acknowledged.0, acknowledged.1), (delivery, outcome));
        let evidence = acknowledged.2;
        assert_eq!(
            (evidence.kind, evidence.key_id.as_str()),
            (EvidenceKind::SharedSecret, "key-of-vxp.test.14")
        );
        assert_eq!(evidence.signed, headers.sign_header.unwrap().as_bytes());
        let proof: String = evidence.proof.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(proof, headers.hash_header.unwrap());
    }
    facade.service(JUSTICE).update_status(&id, "done").unwrap();
    assert_eq!(facade.exchange.state().deliveries[0].1.state, DeliveryState::Delivered);
}

#[test]
fn a_word_that_is_none_and_an_unknown_document_change_nothing() {
    let facade = Facade::start();
    let id = facade
        .exchange
        .state()
        .deliver(&system(JUSTICE), "x".into())
        .to_string();
    let unknown = "00000000-0000-4000-8000-000000000000";
    for (name, doc_id, word, number) in [
        (JUSTICE, id.as_str(), "finished", "10"),
        (JUSTICE, id.as_str(), "Done", "10"),
        (JUSTICE, id.as_str(), "", "10"),
        (JUSTICE, unknown, "done", "18"),
        (JUSTICE, "../../keys/id.key", "done", "18"),
        (JUSTICE, "", "done", "10"),
        (INFORMATION, id.as_str(), "done", "18"),
    ] {
        let refused = facade.service(name).update_status(doc_id, word).unwrap_err();
        assert_eq!(refused.error_code(), Some(number), "{doc_id} {word}");
    }
    assert_eq!(facade.exchange.state().acknowledged, []);
    assert_eq!(facade.exchange.rejected_codes().len(), 7, "each is recorded");
}

#[test]
fn the_catalogues_hold_what_the_registry_holds() {
    let facade = Facade::start();
    facade.exchange.state().agencies = vec![
        agency("ubnd", Some("000.00.00.H62"), Some("H62")),
        AgencyView {
            parent: Some(AgencyId::parse("ubnd").unwrap()),
            ..agency("new", None, Some("H62.11"))
        },
        agency("old", Some("000.00.12.H62"), None),
        AgencyView {
            closed: true,
            ..agency("closed", Some("000.00.13.H62"), Some("H62.13"))
        },
        agency("none", None, None),
    ];
    let rows = facade.service(JUSTICE).agencies().unwrap();
    let shown: Vec<_> = rows
        .iter()
        .map(|row| (row.code.as_str(), row.old_code.as_str(), row.pid.as_str()))
        .collect();
    assert_eq!(
        shown,
        [
            ("000.00.00.H62", "H62", "0"),
            ("H62.11", "", "ubnd"),
            ("000.00.12.H62", "", "0")
        ]
    );
    assert_eq!(rows[0].name, "Sở ubnd");

    let rows = facade.service(JUSTICE).agencies_qd20("1").unwrap();
    let shown: Vec<_> = rows
        .iter()
        .map(|row| (row.code.as_str(), row.code102.as_str()))
        .collect();
    assert_eq!(shown, [("H62", "000.00.00.H62"), ("H62.11", "")]);
}

#[test]
fn a_list_ends_at_its_longest() {
    let facade = Facade::with(|settings| settings.list_max = 2);
    for packet in ["a", "b", "c"] {
        facade.exchange.state().deliver(&system(JUSTICE), packet.into());
    }
    let mut justice = facade.service(JUSTICE);
    let list = justice.received_list(Edoc).unwrap();
    assert_eq!((list.len(), justice.count_received_edoc().unwrap()), (2, 2));
    justice.update_status(&list[0].doc_id, "done").unwrap();
    assert_eq!(justice.received_list(Edoc).unwrap().len(), 2);
}

#[test]
fn endpoints_with_a_prefix_and_with_a_slash_at_the_end_work() {
    let facade = Facade::start();
    let packet = written(&document());
    for path in ["/", "/truc/vxp", "/truc/", "/a//b"] {
        let mut service = facade.service_at(path, INFORMATION, &secret_of(INFORMATION));
        service.send_edoc("H62.11", None, Edoc, Source::Bytes(&packet)).unwrap();
        service.agencies().unwrap();
        let mut justice = facade.service_at(path, JUSTICE, &secret_of(JUSTICE));
        let list = justice.received_list(Edoc).unwrap();
        justice.download_edoc(&list[0].doc_id, &mut Vec::new()).unwrap();
    }
}

#[test]
fn operations_that_are_not_offered_yet_are_refused_politely() {
    let facade = Facade::start();
    let mut service = facade.service(INFORMATION);
    let answers: [Result<(), CallError>; 4] = [
        service.register_agency("{\"code\":\"H62.99\"}").map(drop),
        service.delete_agency("H62.99").map(drop),
        service.synchronize_units().map(drop),
        service.sent_list(Edoc, None).map(drop),
    ];
    for answer in answers {
        let refused = answer.unwrap_err();
        let answer = refused.refusal().unwrap();
        assert_eq!((answer.http_status, answer.error_code.as_str()), (200, "10"));
        assert!(
            answer.error_desc.starts_with("OPERATION_UNKNOWN at /: "),
            "{}",
            answer.error_desc
        );
    }
}

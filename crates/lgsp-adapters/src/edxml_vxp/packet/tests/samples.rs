//! The ten packets of the field: nine are read, one is refused where it is wrong.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lgsp_types::{Digest, Relation};

use super::super::Kind;
use super::*;

const NINE: [&str; 9] = [
    "document_new",
    "document_update",
    "document_replacement",
    "document_revocation",
    "status_01_inbox",
    "status_02_rejection",
    "status_03_acceptance",
    "status_13_take_back",
    "status_15_agreed",
];

/// Decodes the part of the original that `part` names, by other means than the reader.
fn decoded(original: &[u8], part: &super::super::Part) -> Vec<u8> {
    let range = usize::try_from(part.range.start).unwrap()..usize::try_from(part.range.end).unwrap();
    let text: Vec<u8> = original[range]
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    STANDARD.decode(text).unwrap()
}

#[test]
fn nine_are_read_and_their_parts_are_those_of_the_original() {
    for name in NINE {
        let original = sample(name);
        let packet = read(&original).unwrap_or_else(|refusals| panic!("{name}: {refusals:?}"));
        assert_eq!(
            (packet.digest(), packet.size_bytes()),
            (Digest::of(&original), original.len() as u64),
            "{name}"
        );
        for part in packet.parts() {
            let bytes = decoded(&original, part);
            assert_eq!(
                (part.digest, part.size_bytes),
                (Digest::of(&bytes), bytes.len() as u64),
                "{name}"
            );
        }
        assert_eq!(packet.kind() == Kind::Status, name.starts_with("status"), "{name}");
    }
}

#[test]
fn the_placeholder_is_refused_at_its_attachment_and_nowhere_else() {
    let refusals = read(&sample("document_placeholder")).unwrap_err();
    let path = "/edXML/AttachmentEncoded/Attachment[1]/ContentTransferEncoded";
    assert_eq!(
        refused(&sample("document_placeholder")),
        [("ATTACHMENT_BASE64".into(), path.into())]
    );
    assert!(
        refusals[0].what.starts_with("letter 1 of its base64"),
        "{}",
        refusals[0].what
    );
    let text = String::from_utf8(sample("document_placeholder")).unwrap();
    let mended = text.replace("${__StringFromFile(test.txt,,,)}", "JVBERi0xLjQK");
    let packet = read(mended.as_bytes()).unwrap();
    let header = document(&packet);
    assert_eq!(header.id, "5b0c3a52-7f0e-4f5c-9d5e-0a1b2c3d4e5f");
    assert_eq!(
        (header.from.code.as_str(), header.response_for.len()),
        ("002.00.20.H13", 0)
    );
    assert_eq!(
        packet.parts()[0].name,
        "Hu\u{31b}o\u{31b}\u{301}ng da\u{302}\u{303}n.SIGNED.PDF"
    );
}

#[test]
fn a_new_document_says_who_what_and_when() {
    let packet = read(&sample("document_new")).unwrap();
    let header = document(&packet);
    assert_eq!(
        header.subject.as_deref(),
        Some("V/v thử nghiệm liên thông văn bản điện tử")
    );
    assert_eq!(header.signer.position.as_deref(), Some("Phó Giám đốc"));
    assert_eq!((header.priority.as_deref(), header.steering_type), (Some("0"), Some(1)));
    assert_eq!(header.other.appendixes, ["Phụ lục"]);
    assert_eq!(header.business.staff.mobile.as_deref(), Some("84900000000"));
    assert_eq!(packet.from().code.as_str(), "H62.11");
    let to = packet.to();
    assert_eq!((to.len(), to[0].code.as_str()), (1, "H62.14"));
    assert_eq!(
        to[0].path,
        "/edXML/edXMLEnvelope/edXMLHeader/MessageHeader/To[1]/OrganId"
    );
    assert_eq!(packet.order_key(), "H62.11,2026/01/05,2451/STTTT-CNTT");
    assert_eq!(
        (packet.act().as_str(), packet.kind().contract()),
        ("0", "vn.lgsp.document/1")
    );
    assert_eq!(packet.due().unwrap().to_string(), "2026/01/05");
    assert_eq!(packet.codes_as_of().unwrap().to_string(), "2026/01/05");
    let documents = packet.documents();
    assert_eq!(documents.len(), 1);
    assert_eq!(
        (documents[0].relation, documents[0].code.as_str()),
        (Relation::Is, "2451/STTTT-CNTT")
    );
    assert_eq!(
        (documents[0].organ.as_str(), documents[0].date.as_str()),
        ("H62.11", "2026/01/05")
    );
    assert_eq!(packet.parts()[0].content_id, "1");
}

#[test]
fn an_update_is_ordered_by_what_it_updates() {
    let packet = read(&sample("document_update")).unwrap();
    let to = packet.to();
    assert_eq!(
        to.iter().map(|to| to.code.as_str()).collect::<Vec<_>>(),
        ["H62", "000.00.14.H62", "H62.11"]
    );
    assert_eq!(
        to[1].path,
        "/edXML/edXMLEnvelope/edXMLHeader/MessageHeader/To[2]/OrganId"
    );
    assert_eq!(packet.order_key(), "000.00.00.G22,2025/12/30,7806/VPCP-KSTT");
    assert_eq!(packet.act(), "2");
    let relations: Vec<_> = packet
        .documents()
        .into_iter()
        .map(|document| (document.relation, document.id))
        .collect();
    assert_eq!(
        relations[0],
        (Relation::Is, "000.00.00.G22,2025/12/30,7816/VPCP-KSTT".to_owned())
    );
    assert_eq!(
        relations[1],
        (Relation::ActsOn, "000.00.00.G22,2025/12/30,7806/VPCP-KSTT".to_owned())
    );
    let receivers = &document(&packet).business.receivers;
    assert_eq!(
        (receivers[1].organ.as_str(), receivers[1].change.as_deref()),
        ("H62.11", Some("1"))
    );
    assert_eq!(packet.parts()[0].media_type, "application/zip");
}

#[test]
fn a_replacement_names_what_it_replaces_and_has_an_empty_attachment() {
    let packet = read(&sample("document_replacement")).unwrap();
    let documents = packet.documents();
    assert_eq!((documents.len(), documents[1].relation), (2, Relation::Replaces));
    assert_eq!(documents[1].id, "H62.11,2026/01/05,2451/STTTT-CNTT");
    assert_eq!(packet.order_key(), "H62.11,2026/01/19,2460/STTTT-CNTT");
    let empty = &packet.parts()[1];
    assert_eq!(
        (empty.name.as_str(), empty.size_bytes, empty.digest),
        ("trong.txt", 0, Digest::of(b""))
    );
    assert!(empty.range.is_empty());
}

#[test]
fn a_status_goes_to_whom_it_names_and_into_the_sequence_of_its_document() {
    let packet = read(&sample("status_01_inbox")).unwrap();
    let to = packet.to();
    assert_eq!((to.len(), to[0].code.as_str()), (1, "H62.11"));
    assert_eq!(
        to[0].path,
        "/edXML/edXMLEnvelope/edXMLHeader/MessageHeader/ResponseFor/OrganId"
    );
    assert_eq!(packet.order_key(), read(&sample("document_new")).unwrap().order_key());
    assert_eq!(
        (packet.act().as_str(), packet.kind().contract()),
        ("01", "vn.lgsp.document-status/1")
    );
    assert_eq!(
        (packet.codes_as_of().unwrap().to_string().as_str(), packet.due()),
        ("2026/01/05", None)
    );
    assert_eq!(status(&packet).staff.staff.as_deref(), Some("Trần Thử Nghiệm"));
    let reference = &packet.documents()[0];
    assert_eq!(
        (reference.relation, reference.organ.as_str()),
        (Relation::About, "H62.11")
    );
}

#[test]
fn a_take_back_goes_to_the_counterpart_and_is_about_the_senders_own_document() {
    let packet = read(&sample("status_13_take_back")).unwrap();
    assert_eq!(packet.to()[0].code.as_str(), "H62.14");
    assert_eq!(packet.documents()[0].organ, "H62.11");
    assert_eq!(packet.order_key(), "H62.11,2026/01/05,2451/STTTT-CNTT");
}

#[test]
fn the_json_is_the_same_bytes_every_time_and_pleasant_to_read() {
    for name in NINE {
        let (first, second) = (read(&sample(name)).unwrap(), read_in(&sample(name), 17).unwrap());
        assert_eq!(first.json(), second.json());
        assert!(first.json().len() < 20_000, "{name}: {}", first.json().len());
    }
    let json = read(&sample("status_01_inbox")).unwrap().json();
    let json = std::str::from_utf8(&json).unwrap();
    let typed = concat!(
        r#"{"status_code":"01","response_for":{"organ":"H62.11","code":"2451/STTTT-CNTT","date":"2026-01-05","#,
        r#""id":"H62.11,2026/01/05,2451/STTTT-CNTT"},"description":"Văn thư - Phòng Hành chính: Đã đến - "#,
        r#"phần mềm đã nhận, văn thư chưa xử lý","timestamp":"2026-01-05T08:20:10+07:00","staff":{"department":"#,
        r#""Phòng Hành chính - Tổ chức","staff":"Trần Thử Nghiệm","email":"thu.nghiem@tinh.example.vn","mobile":"#,
        r#""84900000000"},"from":{"code":"H62.14","name":"Sở Tư pháp","in_charge":"UBND tỉnh Vĩnh Phúc","#,
    );
    assert!(json.starts_with(typed), "{json}");
    let tree = r#""xml":[["edXML",["xmlns","http://www.mic.gov.vn/TBT/QCVN_102_2016"],"\n  ",["edXML:edXMLEnvelope","#;
    assert!(
        json.contains(r#""attachments":[],"original":{"size_bytes":1730,"sha256":""#) && json.contains(tree),
        "{json}"
    );
}

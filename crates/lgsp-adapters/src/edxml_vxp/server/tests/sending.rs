//! sendEdoc: what is published, what is one message, and what files may hold.

use super::*;
use crate::edxml_vxp::client::MessageType::{Edoc, Status};
use crate::edxml_vxp::client::builder::attachment::{Attachment, Base64Lines, Content, Packing};
use crate::edxml_vxp::client::operation::Operation;
use crate::edxml_vxp::client::raw;
use crate::edxml_vxp::client::source::Source;
use lgsp_types::{Digest, Role};

#[test]
fn the_message_is_what_call_and_packet_say() {
    let facade = Facade::start();
    let packet = written(&document());
    facade
        .service(INFORMATION)
        .send_edoc("H62.11", None, Edoc, Source::Bytes(&packet))
        .unwrap();
    let (_, publish) = facade.exchange.state().published[0].clone();
    assert_eq!(publish.contract.to_string(), "vn.lgsp.document/1");
    assert_eq!(publish.from.code, code("H62.11"));
    assert_eq!(publish.to.len(), 1);
    assert_eq!(publish.to[0].code, code("H62.14"));
    assert!(
        publish.to[0].path.contains("/MessageHeader/To"),
        "{}",
        publish.to[0].path
    );
    assert_eq!(publish.order_key, "H62.11,2026/11/20,2451/STTTT-CNTT");
    assert_eq!(publish.idempotency_key, format!("edoc:{}:H62.14", Digest::of(&packet)));
    let [original] = publish.objects.as_slice() else {
        panic!("{:?}", publish.objects)
    };
    assert_eq!(
        (original.attachment.role, original.attachment.digest),
        (Role::Original, Digest::of(&packet))
    );
    assert_eq!(original.attachment.size_bytes, packet.len() as u64);
    let payload: serde_json::Value = serde_json::from_slice(&publish.payload).unwrap();
    assert!(payload.is_object());
}

#[test]
fn the_addressees_of_the_call_stand_before_those_of_the_packet() {
    let facade = Facade::start();
    let packet = written(&document());
    let mut service = facade.service(INFORMATION);
    service
        .send_edoc("H62.11", Some(&["H62.20", "H62.21"]), Edoc, Source::Bytes(&packet))
        .unwrap();
    let (_, publish) = facade.exchange.state().published[0].clone();
    let to: Vec<_> = publish
        .to
        .iter()
        .map(|to| (to.code.as_str(), to.path.as_str()))
        .collect();
    assert_eq!(to, [("H62.20", "/XroadVnpt-to"), ("H62.21", "/XroadVnpt-to")]);

    // One code in quotes, as the SDK sends a member that was no list.
    let mut service = facade.service(INFORMATION);
    service.put("to", "\"H62.22\"");
    service.send_edoc("H62.11", None, Edoc, Source::Bytes(&packet)).unwrap();
    assert_eq!(facade.exchange.state().published[1].1.to[0].code, code("H62.22"));
}

#[test]
fn the_same_packet_to_the_same_addressees_is_one_message_always() {
    let facade = Facade::start();
    let packet = written(&document());
    let sent = |service: &mut Service, to: Option<&[&str]>| {
        service
            .send_edoc("H62.11", to, Edoc, Source::Bytes(&packet))
            .unwrap()
            .doc_id
            .unwrap()
    };
    let mut service = facade.service(INFORMATION);
    let first = sent(&mut service, Some(&["H62.14", "H62.20"]));
    assert_eq!(sent(&mut service, Some(&["H62.14", "H62.20"])), first);
    assert_eq!(
        sent(&mut facade.service(INFORMATION), Some(&["H62.20", "H62.14", "H62.20"])),
        first
    );
    assert_ne!(sent(&mut service, Some(&["H62.14"])), first);
    assert_eq!(facade.exchange.state().published.len(), 2);
}

#[test]
fn files_come_out_as_they_went_in() {
    let facade = Facade::start();
    let attached = |name: &str, bytes: &[u8]| Attachment {
        id: "1".to_owned(),
        name: name.to_owned(),
        description: String::new(),
        content: Content::Bytes(bytes.to_vec()),
        packing: Packing::ByName,
    };
    let all_bytes: Vec<u8> = (0..=255).collect();
    let base = || {
        written(&DocumentPacket {
            attachments: vec![attached("a.pdf", b"%PDF-1.4")],
            ..document()
        })
    };
    let files = [
        base(),
        [base().as_slice(), b"\r\n"].concat(),
        [base().as_slice(), b"\r\n\r\n"].concat(),
        base().strip_suffix(b"\r\n").unwrap().to_vec(),
        [b"\xef\xbb\xbf".as_slice(), &base()].concat(),
        written(&DocumentPacket {
            attachments: vec![attached("b.bin", &all_bytes.repeat(3000))],
            ..document()
        }),
        written(&DocumentPacket {
            attachments: vec![attached("c.pdf", &all_bytes.repeat(300))],
            base64: Base64Lines::Columns76,
            ..document()
        }),
    ];
    for (at, file) in files.iter().enumerate() {
        facade
            .service(INFORMATION)
            .send_edoc("H62.11", None, Edoc, Source::Bytes(file))
            .unwrap();
        let id = facade.exchange.state().deliveries[at].1.delivery.to_string();
        let mut justice = facade.service(JUSTICE);
        let (mut got, mut downloaded) = (Vec::new(), Vec::new());
        justice.get_edoc(&id, &mut got).unwrap();
        justice.download_edoc(&id, &mut downloaded).unwrap();
        assert!(got == *file && downloaded == *file, "file {at}");
    }
}

#[test]
fn files_that_are_no_packets_are_refused_but_not_for_their_hash() {
    let facade = Facade::start();
    let binary: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let files: [&[u8]; 5] = [b"", b"\r\n", b"x", b"\r", &binary];
    for file in files {
        for kind in [Edoc, Status] {
            let refused = facade
                .service(INFORMATION)
                .send_edoc("H62.11", None, kind, Source::Bytes(file))
                .unwrap_err();
            assert_eq!(
                refused.error_code(),
                Some("22"),
                "{}",
                refused.refusal().unwrap().error_desc
            );
        }
    }
    let state = facade.exchange.state();
    assert_eq!((state.published.len(), state.rejected.len()), (0, 10));
    for (at, (_, rejection)) in state.rejected.iter().enumerate() {
        assert_eq!(
            rejection.content,
            Digest::of(files[at / 2]),
            "what came is named by its hash"
        );
    }
    assert_eq!(state.uploads_begun, state.dropped, "nothing stays behind");
}

#[test]
fn a_large_packet_passes_and_both_ways_out_give_it_back() {
    let facade = Facade::start();
    let large = DocumentPacket {
        attachments: vec![Attachment {
            id: "1".to_owned(),
            name: "large.dat".to_owned(),
            description: String::new(),
            content: Content::Bytes(vec![b'z'; 8 * 1024 * 1024]),
            packing: Packing::Raw("application/octet-stream".to_owned()),
        }],
        ..document()
    };
    let packet = written(&large);
    facade
        .service(INFORMATION)
        .send_edoc("H62.11", None, Edoc, Source::Bytes(&packet))
        .unwrap();
    let id = facade.exchange.state().deliveries[0].1.delivery.to_string();
    let mut justice = facade.service(JUSTICE);
    let (mut got, mut downloaded) = (Vec::new(), Vec::new());
    justice.get_edoc(&id, &mut got).unwrap();
    justice.download_edoc(&id, &mut downloaded).unwrap();
    assert!(got == packet && downloaded == packet);
}

#[test]
fn bytes_that_changed_on_their_way_leave_nothing_behind() {
    let facade = Facade::start();
    let packet = written(&document());
    let mut service = facade.service(INFORMATION);
    let hash = Source::Bytes(&packet).hash_file().unwrap().0;
    let parameters = [
        ("from", "H62.11"),
        ("messagetype", "edoc"),
        ("hash-file", hash.as_str()),
    ];
    let headers = service.signed(Operation::SendEdoc, &parameters);
    for changed in [
        &packet[..packet.len() - 1],
        &[packet.as_slice(), b" "].concat(),
        b"<x",
        b"",
    ] {
        let body = [changed, b"\r\n"].concat();
        let answer = raw::exchange(facade.address, &service.request(Operation::SendEdoc, &headers, &body)).unwrap();
        let answer = String::from_utf8(answer.body).unwrap();
        assert!(
            answer.contains(r#""ErrorCode":"21","ErrorDesc":"HASH_MISMATCH at /XroadVnpt-hash-file: "#),
            "{answer}"
        );
    }
    let state = facade.exchange.state();
    assert_eq!((state.published.len(), state.rejected.len(), state.dropped), (0, 4, 4));
}

#[test]
fn the_padded_hash_and_a_body_in_chunks_are_taken_too() {
    let facade = Facade::start();
    let packet = written(&document());
    let mut service = facade.service(INFORMATION);
    let hash = Digest::of(&packet).to_string();
    let parameters = [
        ("from", "H62.11"),
        ("messagetype", "edoc"),
        ("hash-file", hash.as_str()),
    ];
    let headers = service.signed(Operation::SendEdoc, &parameters);
    let whole = service.request(Operation::SendEdoc, &headers, b"");
    let head = String::from_utf8(whole)
        .unwrap()
        .replace("Content-Length: 0", "Transfer-Encoding: chunked");
    let mut request = head.into_bytes();
    for chunk in packet.chunks(700) {
        request.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        request.extend_from_slice(chunk);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"2\r\n\r\n\r\n0\r\n\r\n");
    let answer = raw::exchange(facade.address, &request).unwrap();
    assert!(String::from_utf8_lossy(&answer.body).contains("\"ErrorCode\":\"0\""));
    assert_eq!(
        facade.exchange.state().published[0].1.objects[0].attachment.digest,
        Digest::of(&packet)
    );
}

#[test]
fn two_codes_of_one_agency_are_one_sender() {
    let facade = Facade::start();
    facade.exchange.state().agencies = vec![agency("stttt", Some("000.00.11.H62"), Some("H62.11"))];
    let packet = written(&document());
    facade
        .service(INFORMATION)
        .send_edoc("000.00.11.H62", None, Edoc, Source::Bytes(&packet))
        .unwrap();
    let refused = facade
        .service(INFORMATION)
        .send_edoc("H62.14", None, Edoc, Source::Bytes(&packet))
        .unwrap_err();
    let told = &refused.refusal().unwrap().error_desc;
    let axis = "Don vi gui H62.14 khong dung voi ma da dang ky: vxp.test.11 | SENDER_NOT_SPOKEN_FOR at /edXML/";
    assert!(told.starts_with(axis), "{told}");
    assert_eq!(refused.error_code(), Some("19"));
}

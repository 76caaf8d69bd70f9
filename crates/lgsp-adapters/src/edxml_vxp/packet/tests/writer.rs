//! Packets of an independent writer, the department's client, are read as it meant them.

use std::io::Write;

use crate::edxml_vxp::client::builder::attachment::{Attachment, Base64Lines, Content, Packing};
use crate::edxml_vxp::client::builder::{Business, DocumentPacket, Organ, ResponseFor, Signer, Staff, StatusPacket};
use lgsp_types::Digest;

use super::*;

fn letter() -> DocumentPacket {
    DocumentPacket {
        from: Organ::new("H62.11", "Sở Thông tin & Truyền thông"),
        to: vec![
            Organ::new("H62.14", "Sở Tư pháp"),
            Organ::new("000.00.00.H62", "UBND tỉnh"),
        ],
        number: "2451".to_owned(),
        notation: "STTTT-CNTT".to_owned(),
        place: "Vĩnh Phúc".to_owned(),
        date: "2026/01/05".to_owned(),
        type_name: "Công văn".to_owned(),
        subject: "V/v <thử> \"liên thông\"".to_owned(),
        signer: Signer {
            full_name: "Lê Thị Mẫu".to_owned(),
            ..Signer::default()
        },
        due_date: "2026/02/01".to_owned(),
        priority: 3,
        steering_type: -1,
        to_places: vec!["Như trên".to_owned()],
        response_for: vec![ResponseFor {
            organ_id: "G22".to_owned(),
            code: "7/VPCP".to_owned(),
            ..ResponseFor::default()
        }],
        business: Business {
            doc_type: 3,
            replaces: vec![("old".to_owned(), vec!["H62.14".to_owned()])],
            staff: Staff {
                staff: "Trần".to_owned(),
                ..Staff::default()
            },
            ..Business::default()
        },
        ..DocumentPacket::default()
    }
}

#[test]
fn a_document_comes_through_field_by_field() {
    let mut bytes = Vec::new();
    letter().write(&mut bytes).unwrap();
    let packet = read(&bytes).unwrap();
    let header = document(&packet);
    assert_eq!(header.id, letter().id());
    assert_eq!(header.from.name.as_deref(), Some("Sở Thông tin & Truyền thông"));
    assert_eq!(header.to[1].code.as_str(), "000.00.00.H62");
    assert_eq!(header.subject.as_deref(), Some("V/v <thử> \"liên thông\""));
    assert_eq!(
        (header.priority.as_deref(), header.steering_type),
        (Some("3"), Some(-1))
    );
    assert_eq!(
        (header.due.unwrap().iso_text().as_str(), header.to_places.len()),
        ("2026-02-01", 1)
    );
    assert_eq!(header.business.replaces[0].organs[0].as_str(), "H62.14");
    assert_eq!(header.response_for[0].code.as_deref(), Some("7/VPCP"));
    assert_eq!((packet.act().as_str(), packet.order_key()), ("3", letter().id()));
}

#[test]
fn attachments_come_through_byte_by_byte() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.pdf");
    let large: Vec<u8> = (0..3_000_000u32)
        .map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    std::fs::File::create(&path).unwrap().write_all(&large).unwrap();
    for base64 in [Base64Lines::One, Base64Lines::Columns76] {
        let raw = |id: &str, name: &str, content: Content| Attachment {
            packing: Packing::Raw("text/plain".to_owned()),
            ..Attachment::new(id, name, content)
        };
        let packet = DocumentPacket {
            attachments: vec![
                Attachment::new("1", "thư.pdf", Content::Bytes(b"%PDF-1.4".to_vec())),
                Attachment::new("2", "large.pdf", Content::File(path.clone())),
                raw("3", "empty.txt", Content::Bytes(Vec::new())),
                Attachment::new("4", "bảng.xlsx", Content::Bytes(b"PK\x03\x04not really".to_vec())),
                Attachment::new("5", "none", Content::Bytes(Vec::new())),
            ],
            base64,
            ..letter()
        };
        let mut bytes = Vec::new();
        packet.write(&mut bytes).unwrap();
        let read = read_in(&bytes, 4097).unwrap();
        let digests: Vec<(&str, u64, Digest)> = read
            .parts()
            .iter()
            .map(|part| (part.name.as_str(), part.size_bytes, part.digest))
            .collect();
        assert_eq!(digests[0], ("thư.pdf", 8, Digest::of(b"%PDF-1.4")));
        assert_eq!(digests[1], ("large.pdf", 3_000_000, Digest::of(&large)));
        assert_eq!(digests[2], ("empty.txt", 0, Digest::of(b"")));
        assert_eq!(
            (digests[3].0, read.parts()[3].media_type.as_str()),
            ("bảng.xlsx", "application/zip")
        );
        assert_eq!((digests[4].0, read.parts()[4].content_id.as_str()), ("none", "5"));
    }
}

#[test]
fn a_status_comes_through_field_by_field() {
    let sent = StatusPacket {
        from: Organ::new("H62.14", "Sở Tư pháp"),
        response_for: letter().referred_to(),
        staff: Staff {
            staff: "Trần".to_owned(),
            ..Staff::default()
        },
        status_code: "02".to_owned(),
        description: "Tệp không mở được".to_owned(),
        timestamp: "2026/01/05 16:40:02".to_owned(),
    };
    let mut bytes = Vec::new();
    sent.write(&mut bytes).unwrap();
    let packet = read(&bytes).unwrap();
    assert_eq!(status(&packet).description.as_deref(), Some("Tệp không mở được"));
    assert_eq!(status(&packet).timestamp.unwrap().to_string(), sent.timestamp);
    assert_eq!(
        (packet.order_key(), packet.to()[0].code.as_str()),
        (letter().id(), "H62.11")
    );
}

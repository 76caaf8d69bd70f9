//! Packets as written, line by line, and what is in them.

use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::attachment::{Attachment, Base64Lines, Content, Packing};
use super::*;

fn text(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn letter() -> DocumentPacket {
    DocumentPacket {
        from: Organ::new("H62.11", " Sở Thông tin & Truyền thông "),
        to: vec![Organ::new("H62.14", "Sở Tư pháp"), Organ::new("H62", "UBND tỉnh")],
        number: "2451".to_owned(),
        notation: "STTTT-CNTT".to_owned(),
        date: "2026/01/05".to_owned(),
        subject: "V/v <thử>".to_owned(),
        ..DocumentPacket::default()
    }
}

fn contents(packet: &str) -> Vec<Vec<u8>> {
    let ends = packet.split("</edXML:ContentTransferEncoded>");
    let texts = ends.filter_map(|part| Some(part.split_once("<edXML:ContentTransferEncoded")?.1.split_once('>')?.1));
    texts
        .map(|text| STANDARD.decode(text.replace("\r\n", "")).unwrap())
        .collect()
}

#[test]
fn a_status_is_written_line_by_line_as_the_library_writes_it() {
    let status = StatusPacket {
        from: Organ::new("H62.14", "Sở Tư pháp"),
        response_for: letter().referred_to(),
        status_code: "01".to_owned(),
        description: "Đã đến".to_owned(),
        timestamp: "2026/01/05 08:20:10".to_owned(),
        staff: Staff {
            staff: "Trần Thử Nghiệm".to_owned(),
            ..Staff::default()
        },
    };
    let expected = r#"<?xml version="1.0" encoding="UTF-8"?>
<edXML xmlns="http://www.mic.gov.vn/TBT/QCVN_102_2016">
  <edXML:edXMLEnvelope xmlns:edXML="http://www.mic.gov.vn/TBT/QCVN_102_2016">
    <edXML:edXMLHeader>
      <edXML:MessageHeader>
        <edXML:From>
          <edXML:OrganId>H62.14</edXML:OrganId>
          <edXML:OrganName>Sở Tư pháp</edXML:OrganName>
        </edXML:From>
        <edXML:ResponseFor>
          <edXML:OrganId>H62.11</edXML:OrganId>
          <edXML:Code>2451/STTTT-CNTT</edXML:Code>
          <edXML:DocumentId>H62.11,2026/01/05,2451/STTTT-CNTT</edXML:DocumentId>
          <edXML:PromulgationDate>2026/01/05</edXML:PromulgationDate>
        </edXML:ResponseFor>
        <edXML:StaffInfo>
          <edXML:Staff>Trần Thử Nghiệm</edXML:Staff>
        </edXML:StaffInfo>
        <edXML:StatusCode>01</edXML:StatusCode>
        <edXML:Description>Đã đến</edXML:Description>
        <edXML:Timestamp>2026/01/05 08:20:10</edXML:Timestamp>
      </edXML:MessageHeader>
    </edXML:edXMLHeader>
  </edXML:edXMLEnvelope>
</edXML>
"#;
    assert_eq!(text(|out| status.write(out)), expected.replace('\n', "\r\n"));
}

#[test]
fn the_elements_of_a_document_stand_in_the_order_of_the_library() {
    let packet = DocumentPacket {
        signer: Signer {
            full_name: "Lê Thị Mẫu".to_owned(),
            ..Signer::default()
        },
        due_date: "2026/02/01".to_owned(),
        response_for: vec![letter().referred_to()],
        to_places: vec!["Lưu: VT".to_owned()],
        traces: vec![("H62.11".to_owned(), "2026/01/05 08:15:00".to_owned())],
        business: Business {
            doc_type: 3,
            replaces: vec![("H62.11,2026/01/01,1/X".to_owned(), vec!["H62.14".to_owned()])],
            receivers: vec![("H62".to_owned(), 0)],
            staff: Staff {
                staff: "A".to_owned(),
                ..Staff::default()
            },
            ..Business::default()
        },
        attachments: vec![Attachment::new("1", "a.pdf", Content::Bytes(b"%PDF".to_vec()))],
        ..letter()
    };
    let packet = text(|out| packet.write(out));
    let mut place = 0;
    for element in [
        "MessageHeader",
        "From",
        "To",
        "DocumentId",
        "Code",
        "PromulgationInfo",
        "DocumentType",
        "Subject",
        "Content",
        "SignerInfo",
        "DueDate",
        "OtherInfo",
        "Direction",
        "ResponseFor",
        "SteeringType",
        "ToPlaces",
        "TraceHeaderList",
        "Bussiness",
        "BussinessDocType",
        "Paper",
        "BussinessDocumentInfo",
        "ReplacementInfoList",
        "StaffInfo",
        "TraceHeader",
        "edXMLBody",
        "edXMLManifest version=\"1.0\"",
        "Reference",
    ] {
        let found = packet[place..].find(&format!("<edXML:{element}>"));
        place += found.unwrap_or_else(|| panic!("{element} is not behind the one before"));
    }
    assert!(
        packet.contains("<edXML:OrganName>Sở Thông tin &amp; Truyền thông</edXML:OrganName>"),
        "trimmed"
    );
    assert!(packet.contains("<edXML:Subject>V/v &lt;thử&gt;</edXML:Subject>"));
    assert!(packet.ends_with("  </AttachmentEncoded>\r\n</edXML>\r\n"));
    let ends: Vec<&str> = packet.split('\n').collect();
    assert!(
        ends[..ends.len() - 1].iter().all(|line| line.ends_with('\r')),
        "only CR LF"
    );
    let mut reader = quick_xml::Reader::from_str(&packet);
    while reader.read_event().unwrap() != quick_xml::events::Event::Eof {}
}

#[test]
fn attachments_are_raw_or_zipped_by_their_extension_and_come_back_byte_for_byte() {
    let bytes = Content::Bytes((0..=255).cycle().take(70_000).collect());
    let packet = DocumentPacket {
        attachments: vec![
            Attachment::new("1", "công văn.PDF", bytes.clone()),
            Attachment::new("2", "bảng.xlsx", bytes.clone()),
            Attachment::new("3", "không đuôi", Content::Bytes(Vec::new())),
            Attachment {
                packing: Packing::Raw("text/plain".to_owned()),
                ..Attachment::new("4", "a.txt", bytes)
            },
        ],
        ..letter()
    };
    let packet = text(|out| packet.write(out));
    let types = packet
        .split("<ContentType>")
        .skip(1)
        .filter_map(|part| part.split('<').next());
    let types: Vec<&str> = types.collect();
    assert_eq!(
        types,
        ["application/pdf", "application/zip", "application/zip", "text/plain"]
    );
    let contents = contents(&packet);
    let expected: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    assert_eq!((&contents[0], &contents[3]), (&expected, &expected));
    for (content, expected, extension) in [(&contents[1], &expected, "xlsx"), (&contents[2], &Vec::new(), "unk")] {
        let mut archive = zip::ZipArchive::new(io::Cursor::new(content)).unwrap();
        assert_eq!(archive.len(), 1);
        let mut entry = archive.by_index(0).unwrap();
        let name = entry.name().unwrap().into_owned();
        assert_eq!(name.len(), 37 + extension.len());
        assert!(name.ends_with(extension));
        let mut unpacked = Vec::new();
        entry.read_to_end(&mut unpacked).unwrap(); // checks the CRC
        assert_eq!(&unpacked, expected);
    }
}

#[test]
fn a_large_file_streams_through_in_lines_of_76() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let bytes: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    file.write_all(&bytes).unwrap();
    let packet = DocumentPacket {
        base64: Base64Lines::Columns76,
        attachments: vec![Attachment::new("1", "to.pdf", Content::File(file.path().to_owned()))],
        ..letter()
    };
    let packet = text(|out| packet.write(out));
    assert!(contents(&packet)[0] == bytes);
    let inner = packet
        .lines()
        .skip_while(|line| !line.contains("ContentTransferEncoded"))
        .skip(1);
    assert!(inner.take(1_000).all(|line| line.len() == 76));
}

#[test]
fn a_missing_file_fails_instead_of_writing_a_smaller_packet() {
    let attachments = vec![Attachment::new("1", "a.pdf", Content::File("/no/such/file".into()))];
    let packet = DocumentPacket {
        attachments,
        ..letter()
    };
    assert!(packet.write(&mut Vec::new()).is_err());
}

//! What packets of the field look like and still are in order.

use lgsp_types::{Digest, Relation};

use super::*;

const NAMESPACE: &str = "http://www.mic.gov.vn/TBT/QCVN_102_2016";

/// What must not depend on how a packet is written.
fn meaning(bytes: &[u8]) -> (serde_json::Value, Vec<(String, Digest)>) {
    let packet = read(bytes).unwrap_or_else(|refusals| panic!("{refusals:?}"));
    let parts = packet
        .parts()
        .iter()
        .map(|part| (part.content_id.clone(), part.digest))
        .collect();
    (serde_json::to_value(packet.header()).unwrap(), parts)
}

/// What may stand in place of what without changing the packet; `¶` is a line end.
const WARTS: &str = r#"
encoding="UTF-8" => encoding='utf-8' standalone='no'
<To> => <q:To q:a="" q:b="x > y">
<Reference> => <Reference xlink:href="">
<Reference><ContentId>cid:1</ContentId> => <Reference xlink:href='cid:1'>
<Attachment><ContentId>cid:1 => <Attachment><ContentId>1
<Attachment><ContentId>cid:1 => <Attachment><ContentId>cid:cid:1
<OrganId>H62.14< => <OrganId>¶  H62.14 <
<OrganId>H62.14< => <OrganId><![CDATA[H62]]>.14<
<OrganId>H62.14< => <OrganId>&#72;62.14<
<Subject>V/v thử => <Subject>V/v<!-- & < --> thử
<To> => <!--<To><OrganId>H99</OrganId></To>--><To>
<To> => <?xml-stylesheet href='http://x'?><To>
<edXML xmlns => <!-- <a> --><?b?><edXML xmlns
<To> => <New><To><OrganId>X</OrganId></To></New><To>
JVBERi0xLjQK => ¶JVBERi0x¶LjQK¶
JVBERi0xLjQK => JVBERi0x&#13;¶LjQK&#xD;¶
JVBERi0xLjQK =>  <![CDATA[¶JVBERi0x LjQK]]>¶
<To> => <!--<ContentTransferEncoded>$</ContentTransferEncoded>--><To>
<To> => <X><![CDATA[<ContentTransferEncoded>$]]></X><To>
<To> => <X y="&lt;ContentTransferEncoded>"/><To>
</Subject> => </Subject><X a='>"' b="/>'">]] ></X>
<ContentTransferEncoded> => <ContentTransferEncoded a=">">
<ContentTransferEncoded>JVBERi0xLjQK</ContentTransferEncoded> => <z:ContentTransferEncoded>JVBERi0xLjQK</z:ContentTransferEncoded >
"#;

#[test]
fn the_same_packet_may_be_written_in_many_ways() {
    let plain = meaning(PLAIN.as_bytes());
    for line in WARTS.lines().filter(|line| !line.is_empty()) {
        let (old, new) = line.split_once(" => ").unwrap();
        let mut written = PLAIN.replacen(old, &new.replace('¶', "\r\n"), 1);
        written = if new.starts_with("<q:To") {
            written.replacen("</To>", "</q:To>", 1)
        } else {
            written
        };
        assert!(written != PLAIN, "{line}");
        assert_eq!(meaning(written.as_bytes()), plain, "{line}");
    }
    let prefixed = format!("<e:edXMLEnvelope xmlns:e=\"{NAMESPACE}\"");
    for (wart, written) in [
        ("a byte-order mark", format!("\u{feff}{PLAIN}")),
        ("no declaration", PLAIN.split_once("?>\n").unwrap().1.to_owned()),
        ("CR LF", PLAIN.replace('\n', "\r\n")),
        ("no line ends", PLAIN.replace(">\n<", "><")),
        (
            "another root",
            PLAIN
                .replace("<edXML xmlns", "<goiTin xmlns")
                .replace("</edXML>", "</goiTin>"),
        ),
        (
            "a prefix",
            PLAIN
                .replace("<edXMLEnvelope", &prefixed)
                .replace("</edXMLEnvelope", "</e:edXMLEnvelope"),
        ),
        ("a comment behind", format!("{PLAIN}<!-- x -->\r\n")),
        ("the single s", PLAIN.replace("Bussiness", "Business")),
    ] {
        assert_eq!(meaning(written.as_bytes()), plain, "{wart}");
    }
}

#[test]
fn elements_may_stand_in_any_order() {
    let (head, body) = PLAIN.split_once("<edXMLEnvelope>").unwrap();
    let (envelope, attachments) = body.split_once("</edXMLEnvelope>").unwrap();
    let attachments = attachments.replace("</edXML>", "");
    let envelope = envelope
        .replace("<DocumentId>H62.11,2026/01/05,2451/STTTT-CNTT</DocumentId>", "")
        .replace(
            "</MessageHeader>",
            "<DocumentId>H62.11,2026/01/05,2451/STTTT-CNTT</DocumentId></MessageHeader>",
        );
    let turned = format!("{head}{attachments}<edXMLEnvelope>{envelope}</edXMLEnvelope></edXML>");
    assert_eq!(meaning(turned.as_bytes()), meaning(PLAIN.as_bytes()));
}

#[test]
fn an_id_that_is_missing_is_joined_of_organ_date_and_code() {
    let own = "<DocumentId>H62.11,2026/01/05,2451/STTTT-CNTT</DocumentId>\n";
    assert_eq!(meaning(&plain_but(own, "")), meaning(PLAIN.as_bytes()));
    assert_eq!(
        meaning(&plain_but(own, "<DocumentId> </DocumentId>")),
        meaning(PLAIN.as_bytes())
    );
    let without_id = status_but(",2451/STTTT-CNTT</DocumentId>", "</DocumentId>");
    let without_id = String::from_utf8(without_id)
        .unwrap()
        .replace("<DocumentId>H62.11,2026/01/05</DocumentId>", "");
    assert_eq!(
        read(without_id.as_bytes()).unwrap().order_key(),
        "H62.11,2026/01/05,2451/STTTT-CNTT"
    );
    let taken_back = without_id
        .replace("<StatusCode>01", "<StatusCode>13")
        .replace("H62.14", "X")
        .replace("H62.11", "H62.14");
    let taken_back = taken_back.replace("<From><OrganId>X", "<From><OrganId>H62.11");
    assert_eq!(
        read(taken_back.as_bytes()).unwrap().order_key(),
        "H62.11,2026/01/05,2451/STTTT-CNTT"
    );
}

#[test]
fn two_spellings_of_one_id_are_one_order_key_and_each_stays_as_written() {
    let composed = read(&plain_but("2451/STTTT-CNTT</DocumentId>", "1/QĐ-ỦY</DocumentId>")).unwrap();
    let decomposed = read(&plain_but(
        "2451/STTTT-CNTT</DocumentId>",
        "1/QĐ-U\u{309}Y</DocumentId>",
    ))
    .unwrap();
    assert_eq!(composed.order_key(), decomposed.order_key());
    assert_ne!(document(&composed).id, document(&decomposed).id);
}

#[test]
fn what_vendors_leave_out_or_fill_with_na_is_absent() {
    let packet = read(&plain_but(
        "<CodeNumber>2451</CodeNumber><CodeNotation>STTTT-CNTT</CodeNotation>",
        "<CodeNumber>N/A</CodeNumber>",
    ))
    .unwrap();
    assert_eq!(
        (
            document(&packet).code.number.clone(),
            document(&packet).code.notation.clone()
        ),
        (None, None)
    );
    assert_eq!(packet.documents()[0].code, "");
    let packet = read(PLAIN.replace("PromulgationInfo>", "X>").as_bytes()).unwrap();
    assert_eq!(packet.codes_as_of(), None);
    let packet = read(&plain_but("<BussinessDocType>0</BussinessDocType>", "")).unwrap();
    assert_eq!(packet.act(), "0");
    let packet = read(&plain_but("<ContentType>application/pdf</ContentType>", "")).unwrap();
    assert_eq!(packet.parts()[0].media_type, "application/octet-stream");
    let packet = read(&status_but("<Timestamp>2026/01/05 08:20:10</Timestamp>", "")).unwrap();
    assert_eq!(packet.codes_as_of(), None);
}

#[test]
fn kinds_one_to_three_are_ordered_by_the_document_they_act_on() {
    let acting = |kind: u8| {
        let business = format!("<BussinessDocType>{kind}</BussinessDocType><DocumentId>old</DocumentId>");
        let packet = read(&plain_but("<BussinessDocType>0</BussinessDocType>", &business)).unwrap();
        let acted = packet
            .documents()
            .into_iter()
            .nth(1)
            .map(|document| (document.relation, document.id));
        (packet.order_key(), acted)
    };
    let own = "H62.11,2026/01/05,2451/STTTT-CNTT".to_owned();
    assert_eq!(acting(0), (own.clone(), None));
    assert_eq!(
        acting(1),
        ("old".to_owned(), Some((Relation::ActsOn, "old".to_owned())))
    );
    assert_eq!(
        acting(2),
        ("old".to_owned(), Some((Relation::ActsOn, "old".to_owned())))
    );
    assert_eq!(
        acting(3),
        ("old".to_owned(), Some((Relation::Replaces, "old".to_owned())))
    );
    let silent = read(&plain_but(
        "<BussinessDocType>0</BussinessDocType>",
        "<BussinessDocType>1</BussinessDocType>",
    ))
    .unwrap();
    assert_eq!(silent.order_key(), own);
}

#[test]
fn a_date_of_tomorrow_is_borne() {
    assert!(
        read(&plain_but(
            "<PromulgationDate>2026/01/05",
            "<PromulgationDate>2026/02/02"
        ))
        .is_ok()
    );
}

#[test]
fn a_zip_of_another_format_or_one_that_stays_a_zip_may_have_folders() {
    use base64::Engine;
    // A local header, a directory and an end record, for one empty entry `d/x`.
    let mut zip = b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x03\0\0\0d/x".to_vec();
    let offset = zip.len();
    zip.extend_from_slice(
        b"PK\x01\x02\x14\0\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0d/x",
    );
    let length = zip.len() - offset;
    zip.extend_from_slice(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    zip.extend_from_slice(&u32::try_from(length).unwrap().to_le_bytes());
    zip.extend_from_slice(&u32::try_from(offset).unwrap().to_le_bytes());
    zip.extend_from_slice(b"\0\0");
    let encoded = base64::engine::general_purpose::STANDARD.encode(&zip);
    let packet = |name: &str, media_type: &str, encoded: &str| {
        let text = String::from_utf8(plain_but("JVBERi0xLjQK", encoded)).unwrap();
        read(
            text.replace(">a.pdf<", &format!(">{name}<"))
                .replace(">application/pdf<", &format!(">{media_type}<"))
                .as_bytes(),
        )
    };
    for (name, media_type) in [
        ("a.docx", "application/docx"),
        ("a.zip", "application/zip"),
        ("a.pdf", "application/pdf"),
    ] {
        assert!(packet(name, media_type, &encoded).is_ok(), "{name}");
    }
    for (name, media_type) in [
        ("a.xlsx", "application/zip"),
        ("a.ZIP", "application/zip"),
        ("a.xlsx", ""),
    ] {
        let refusals = packet(name, media_type, &encoded).unwrap_err();
        assert_eq!(
            (refusals[0].code.as_str(), refusals[0].what.as_str()),
            ("ATTACHMENT_ZIP", "entry 1 of the zip stands in a folder")
        );
    }
    let none = packet("a.xlsx", "application/zip", "JVBERi0xLjQK").unwrap_err();
    assert_eq!(none[0].what, "the file is called a zip and is none");
    assert!(packet("a.zip", "application/zip", "JVBERi0xLjQK").is_ok());
    let cut = base64::engine::general_purpose::STANDARD.encode(&zip[..zip.len() - 1]);
    assert!(packet("a.docx", "application/docx", &cut).is_ok());
    assert!(
        packet("a.zip", "application/zip", &cut).unwrap_err()[0]
            .what
            .contains("directory")
    );
}

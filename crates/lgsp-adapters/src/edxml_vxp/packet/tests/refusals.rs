//! What is wrong, the code it is refused with, and where.

use super::*;

const HEADER: &str = "/edXML/edXMLEnvelope/edXMLHeader/MessageHeader";
const ATTACHMENT: &str = "/edXML/AttachmentEncoded/Attachment";

/// One change of the plain packet, the code, and the end of the path behind `base`.
fn each(base: &str, cases: &[(&str, &str, &str, &str)]) {
    for (old, new, code, path) in cases {
        assert_eq!(
            refused(&plain_but(old, new)),
            [((*code).to_owned(), format!("{base}{path}"))],
            "{old} -> {new}"
        );
    }
}

#[test]
fn fields_of_a_document_are_refused_where_they_stand() {
    let long = |length: usize| "x".repeat(length);
    let subject = format!("<Subject>{}", long(4001));
    let name = format!("<Place>{}", long(1001));
    let id = format!("<DocumentId>{}", long(256));
    each(
        HEADER,
        &[
            ("<From><OrganId>H62.11</OrganId></From>", "", "FIELD_MISSING", "/From"),
            (
                "<From><OrganId>H62.11</OrganId></From>",
                "<From/>",
                "FIELD_MISSING",
                "/From/OrganId",
            ),
            ("<To><OrganId>H62.14</OrganId></To>", "", "FIELD_MISSING", "/To"),
            ("<OrganId>H62.14</OrganId>", "", "FIELD_MISSING", "/To/OrganId"),
            (
                "<OrganId>H62.14</OrganId>",
                "<OrganId> </OrganId>",
                "FIELD_MISSING",
                "/To/OrganId",
            ),
            ("<OrganId>H62.14<", "<OrganId>h62.14<", "FIELD_INVALID", "/To/OrganId"),
            ("<OrganId>H62.14<", "<OrganId>../H62<", "FIELD_INVALID", "/To/OrganId"),
            (
                "<OrganId>H62.14<",
                "<OrganId>H62' OR '1'='1<",
                "FIELD_INVALID",
                "/To/OrganId",
            ),
            (
                "<OrganId>H62.14<",
                "<OrganId>H62<!-- -->.14<",
                "FIELD_INVALID",
                "/To/OrganId",
            ),
            (
                "<OrganId>H62.14<",
                "<OrganId>H62.14444444444444444444444444444444444<",
                "FIELD_TOO_LONG",
                "/To/OrganId",
            ),
            (
                "</To>",
                "</To><To><OrganId>H62</OrganId></To><To><OrganId>?</OrganId></To>",
                "FIELD_INVALID",
                "/To[3]/OrganId",
            ),
            (
                "</From>",
                "</From><From><OrganId>H62</OrganId></From>",
                "FIELD_INVALID",
                "/From[2]",
            ),
            (
                "<DocumentId>",
                "<q:DocumentId>1</q:DocumentId><DocumentId>",
                "FIELD_INVALID",
                "/DocumentId[2]",
            ),
            ("<DocumentId>", &id, "FIELD_TOO_LONG", "/DocumentId"),
            ("<DocumentId>", "<DocumentId>a\nb", "FIELD_INVALID", "/DocumentId"),
            (
                "<CodeNumber>2451",
                "<CodeNumber>24'51",
                "FIELD_INVALID",
                "/Code/CodeNumber",
            ),
            (
                "<CodeNumber>2451",
                "<CodeNumber>123456789012",
                "FIELD_TOO_LONG",
                "/Code/CodeNumber",
            ),
            (
                "<CodeNotation>STTTT",
                "<CodeNotation>A;DROP TABLE",
                "FIELD_INVALID",
                "/Code/CodeNotation",
            ),
            (
                "<PromulgationDate>2026/01/05",
                "<PromulgationDate>05/01/2026",
                "FIELD_INVALID",
                "/PromulgationInfo/PromulgationDate",
            ),
            (
                "<PromulgationDate>2026/01/05",
                "<PromulgationDate>2026/02/30",
                "FIELD_INVALID",
                "/PromulgationInfo/PromulgationDate",
            ),
            (
                "<PromulgationDate>2026/01/05",
                "<PromulgationDate>2026/02/03",
                "FIELD_INVALID",
                "/PromulgationInfo/PromulgationDate",
            ),
            (
                "<Subject>",
                "<DueDate>2027-02-28</DueDate><Subject>",
                "FIELD_INVALID",
                "/DueDate",
            ),
            (
                "<Subject>",
                "<SteeringType/><Subject>",
                "FIELD_INVALID",
                "/SteeringType",
            ),
            (
                "<Subject>",
                "<SteeringType> 1 </SteeringType><Subject>",
                "FIELD_INVALID",
                "/SteeringType",
            ),
            (
                "<Subject>",
                "<SteeringType>báo cáo</SteeringType><Subject>",
                "FIELD_INVALID",
                "/SteeringType",
            ),
            ("<Subject>", &subject, "FIELD_TOO_LONG", "/Subject"),
            ("<Place>", &name, "FIELD_TOO_LONG", "/PromulgationInfo/Place"),
            (
                "<Subject>",
                "<ResponseFor><PromulgationDate>x</PromulgationDate></ResponseFor><Subject>",
                "FIELD_INVALID",
                "/ResponseFor/PromulgationDate",
            ),
        ],
    );
    each(
        "/edXML/edXMLEnvelope/edXMLHeader/TraceHeaderList/Bussiness",
        &[
            (
                "<BussinessDocType>0",
                "<BussinessDocType>4",
                "FIELD_INVALID",
                "/BussinessDocType",
            ),
            (
                "<BussinessDocType>0",
                "<BussinessDocType>-1",
                "FIELD_INVALID",
                "/BussinessDocType",
            ),
            (
                "<BussinessDocType>",
                "<ReplacementInfoList><ReplacementInfo><OrganIdList><OrganId>H62</OrganId></OrganIdList></ReplacementInfo></ReplacementInfoList><BussinessDocType>",
                "FIELD_MISSING",
                "/ReplacementInfoList/ReplacementInfo/DocumentId",
            ),
            (
                "<BussinessDocType>",
                "<BussinessDocumentInfo><ReceiverList><Receiver><OrganId>?</OrganId></Receiver></ReceiverList></BussinessDocumentInfo><BussinessDocType>",
                "FIELD_INVALID",
                "/BussinessDocumentInfo/ReceiverList/Receiver/OrganId",
            ),
        ],
    );
    let no_id = String::from_utf8(plain_but(
        "<DocumentId>H62.11,2026/01/05,2451/STTTT-CNTT</DocumentId>",
        "",
    ))
    .unwrap();
    let no_date = no_id.replace("<PromulgationDate>2026/01/05</PromulgationDate>", "");
    assert_eq!(
        refused(no_date.as_bytes()),
        [("FIELD_MISSING".to_owned(), format!("{HEADER}/DocumentId"))]
    );
}

#[test]
fn fields_of_a_status_are_refused_where_they_stand() {
    let second = "</ResponseFor><ResponseFor><OrganId>H62</OrganId></ResponseFor>";
    for (old, new, code, path) in [
        ("<StatusCode>01", "<StatusCode>07", "STATUS_UNKNOWN", "/StatusCode"),
        ("<StatusCode>01", "<StatusCode>1", "STATUS_UNKNOWN", "/StatusCode"),
        ("<StatusCode>01", "<StatusCode>", "FIELD_MISSING", "/StatusCode"),
        ("<StatusCode>01</StatusCode>", "", "FIELD_MISSING", "/StatusCode"),
        (
            "2026/01/05 08:20:10",
            "2026/01/05T08:20:10",
            "FIELD_INVALID",
            "/Timestamp",
        ),
        (
            "2026/01/05 08:20:10",
            "2026/02/03 00:00:00",
            "FIELD_INVALID",
            "/Timestamp",
        ),
        ("<OrganId>H62.11</OrganId>", "", "FIELD_MISSING", "/ResponseFor/OrganId"),
        (
            "<OrganId>H62.11<",
            "<OrganId>H62/11<",
            "FIELD_INVALID",
            "/ResponseFor/OrganId",
        ),
        ("</ResponseFor>", second, "FIELD_INVALID", "/ResponseFor[2]"),
        ("<From><OrganId>H62.14</OrganId></From>", "", "FIELD_MISSING", "/From"),
        (
            "<Code>2451/STTTT-CNTT</Code><PromulgationDate>2026/01/05</PromulgationDate><DocumentId>H62.11,2026/01/05,2451/STTTT-CNTT</DocumentId>",
            "",
            "FIELD_MISSING",
            "/ResponseFor/DocumentId",
        ),
    ] {
        assert_eq!(
            refused(&status_but(old, new)),
            [(code.to_owned(), format!("{HEADER}{path}"))],
            "{old} -> {new}"
        );
    }
    let (before, behind) = PLAIN_STATUS.split_once("<ResponseFor>").unwrap();
    let alone = format!("{before}{}", behind.split_once("</ResponseFor>").unwrap().1);
    assert_eq!(
        refused(alone.as_bytes()),
        [("FIELD_MISSING".to_owned(), format!("{HEADER}/ResponseFor"))]
    );
}

#[test]
fn attachments_are_refused_where_they_stand() {
    let long = format!("<AttachmentName>{}", "ệ".repeat(86));
    each(
        ATTACHMENT,
        &[
            (
                "JVBERi0xLjQK",
                "JVBERi0xLjQ",
                "ATTACHMENT_BASE64",
                "/ContentTransferEncoded",
            ),
            (
                "JVBERi0xLjQK",
                "JVBERi0xLjQK=",
                "ATTACHMENT_BASE64",
                "/ContentTransferEncoded",
            ),
            (
                "JVBERi0xLjQK",
                "JVBERi<!-- -->0xLjQK",
                "ATTACHMENT_BASE64",
                "/ContentTransferEncoded",
            ),
            (
                "JVBERi0xLjQK",
                "JVBERi<b/>0xLjQK",
                "ATTACHMENT_BASE64",
                "/ContentTransferEncoded",
            ),
            (
                "JVBERi0xLjQK",
                "<b>JVBERi0xLjQK</b>",
                "ATTACHMENT_BASE64",
                "/ContentTransferEncoded",
            ),
            (
                "JVBERi0xLjQK",
                "JVBERi0x<![CDATA[LjQK]]>",
                "ATTACHMENT_BASE64",
                "/ContentTransferEncoded",
            ),
            (
                "JVBERi0xLjQK",
                "<![CDATA[JVBERi0x]]>LjQK",
                "ATTACHMENT_BASE64",
                "/ContentTransferEncoded",
            ),
            (
                "JVBERi0xLjQK",
                "<![CDATA[JVBERi0x]]><![CDATA[LjQK]]>",
                "ATTACHMENT_BASE64",
                "/ContentTransferEncoded",
            ),
            (
                "JVBERi0xLjQK",
                "<![CDATA[JVBERi0xLjQK&#13;]]>",
                "ATTACHMENT_BASE64",
                "/ContentTransferEncoded",
            ),
            (
                "JVBERi0xLjQK",
                "<![CDATA[JVBE]]Ri0xLjQK]]>",
                "ATTACHMENT_BASE64",
                "/ContentTransferEncoded",
            ),
            (
                "JVBERi0xLjQK",
                "<![CDATA[JVBE]]]>",
                "ATTACHMENT_BASE64",
                "/ContentTransferEncoded",
            ),
            (
                "JVBERi0xLjQK",
                "JVBERi0xLjQK&amp;",
                "ATTACHMENT_BASE64",
                "/ContentTransferEncoded",
            ),
            (
                "<ContentTransferEncoded>JVBERi0xLjQK</ContentTransferEncoded>",
                "",
                "ATTACHMENT_MISSING",
                "",
            ),
            (
                "</ContentTransferEncoded>",
                "</ContentTransferEncoded><ContentTransferEncoded/>",
                "ATTACHMENT_DUPLICATE",
                "/ContentTransferEncoded[2]",
            ),
            (
                "<AttachmentName>a.pdf</AttachmentName>",
                "",
                "ATTACHMENT_NAME",
                "/AttachmentName",
            ),
            (">a.pdf<", "> <", "ATTACHMENT_NAME", "/AttachmentName"),
            (">a.pdf<", ">../a.pdf<", "ATTACHMENT_NAME", "/AttachmentName"),
            (">a.pdf<", ">a\\b.pdf<", "ATTACHMENT_NAME", "/AttachmentName"),
            (">a.pdf<", ">..<", "ATTACHMENT_NAME", "/AttachmentName"),
            (">a.pdf<", ">a&#13;b.pdf<", "ATTACHMENT_NAME", "/AttachmentName"),
            (">a.pdf<", ">a\u{202e}fdp.exe<", "ATTACHMENT_NAME", "/AttachmentName"),
            ("<AttachmentName>", &long, "ATTACHMENT_NAME", "/AttachmentName"),
            (">application/pdf<", ">tệp<", "FIELD_INVALID", "/ContentType"),
        ],
    );
    let no_id = refused(&plain_but("<Attachment><ContentId>cid:1</ContentId>", "<Attachment>"));
    assert!(no_id.contains(&("FIELD_MISSING".to_owned(), format!("{ATTACHMENT}/ContentId"))));
    let manifest = "/edXML/edXMLEnvelope/edXMLBody/edXMLManifest/Reference";
    each(
        manifest,
        &[(
            "<ContentId>cid:1</ContentId></Reference>",
            "<ContentId>cid:1</ContentId><AttachmentName>/etc/x</AttachmentName></Reference>",
            "ATTACHMENT_NAME",
            "/AttachmentName",
        )],
    );
}

#[test]
fn manifest_and_attachments_pair_one_to_one() {
    let manifest = "/edXML/edXMLEnvelope/edXMLBody/edXMLManifest/Reference";
    let twin = "<Attachment><ContentId>1</ContentId><AttachmentName>b</AttachmentName><ContentTransferEncoded/></Attachment></AttachmentEncoded>";
    let other = twin.replace(">1<", ">2<");
    for (old, new, expected) in [
        (
            "<Reference><ContentId>cid:1</ContentId></Reference>",
            "",
            vec![("ATTACHMENT_UNREFERENCED", format!("{ATTACHMENT}/ContentId"))],
        ),
        (
            "</Reference>",
            "</Reference><Reference><ContentId>2</ContentId></Reference>",
            vec![("ATTACHMENT_MISSING", format!("{manifest}[2]/ContentId"))],
        ),
        (
            "</Reference>",
            "</Reference><Reference xlink:href='1'/>",
            vec![("ATTACHMENT_DUPLICATE", format!("{manifest}[2]/@href"))],
        ),
        (
            "</Reference>",
            "</Reference><Reference/>",
            vec![("FIELD_MISSING", format!("{manifest}[2]/ContentId"))],
        ),
        (
            "</AttachmentEncoded>",
            twin,
            vec![("ATTACHMENT_DUPLICATE", format!("{ATTACHMENT}[2]/ContentId"))],
        ),
        (
            "</AttachmentEncoded>",
            &other,
            vec![("ATTACHMENT_UNREFERENCED", format!("{ATTACHMENT}[2]/ContentId"))],
        ),
        (
            "<ContentId>cid:1</ContentId></Reference>",
            "<ContentId>cid:7</ContentId></Reference>",
            vec![
                ("ATTACHMENT_MISSING", format!("{manifest}/ContentId")),
                ("ATTACHMENT_UNREFERENCED", format!("{ATTACHMENT}/ContentId")),
            ],
        ),
        (
            "<Subject>",
            "<ContentTransferEncoded>QUJD</ContentTransferEncoded><Subject>",
            vec![("ATTACHMENT_UNREFERENCED", format!("{HEADER}/ContentTransferEncoded"))],
        ),
    ] {
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(code, path)| (code.to_owned(), path))
            .collect();
        assert_eq!(refused(&plain_but(old, new)), expected, "{new}");
    }
    let inside = PLAIN
        .replace("</edXMLEnvelope>", "")
        .replace("</AttachmentEncoded>", "</AttachmentEncoded></edXMLEnvelope>");
    let codes: Vec<String> = refused(inside.as_bytes()).into_iter().map(|(code, _)| code).collect();
    assert_eq!(
        codes,
        ["ATTACHMENT_MISSING", "ATTACHMENT_UNREFERENCED"],
        "attachments inside the envelope are seen by nobody"
    );
}

#[test]
fn everything_wrong_is_told_together() {
    let many = PLAIN
        .replace("H62.11<", "h62<")
        .replace("H62.14", "")
        .replace("<BussinessDocType>0", "<BussinessDocType>9")
        .replace("JVBERi0xLjQK", "$")
        .replace("a.pdf", "/a")
        .replace("2026/01/05<", "x<");
    let codes: Vec<String> = refused(many.as_bytes()).into_iter().map(|(code, _)| code).collect();
    assert_eq!(
        codes,
        [
            "FIELD_INVALID",
            "FIELD_MISSING",
            "FIELD_INVALID",
            "FIELD_INVALID",
            "ATTACHMENT_NAME",
            "ATTACHMENT_BASE64"
        ]
    );
}

//! Which fields and attachments are refused, with which code, and where.

use super::*;

const HEADER: &str = "/edXML/edXMLEnvelope/edXMLHeader/MessageHeader";
const BUSINESS: &str = "/edXML/edXMLEnvelope/edXMLHeader/TraceHeaderList/Bussiness";
const REFERENCE: &str = "/edXML/edXMLEnvelope/edXMLBody/edXMLManifest/Reference[";
const ATTACHMENT: &str = "/edXML/AttachmentEncoded/Attachment[";

/// Lines of what stands in a packet in order, what is put there, the code, and the path behind a common beginning. `¶` is
/// a line end, `…` so many letters that they are too many.
fn each(packet: &str, base: &str, table: &str) {
    for line in table.lines().filter(|line| !line.is_empty()) {
        let mut columns = line
            .split(" => ")
            .map(|column| column.trim().replace('¶', "\n").replace('…', &"x".repeat(4001)));
        let [old, new, finding] = std::array::from_fn(|_| columns.next().unwrap_or_else(|| panic!("{line}")));
        let (code, path) = finding.split_once(' ').unwrap_or((&finding, ""));
        assert!(packet.contains(&old), "{line}");
        let expected = [(code.to_owned(), format!("{base}{path}"))];
        assert_eq!(refused(packet.replace(&old, &new).as_bytes()), expected, "{line}");
    }
}

#[test]
fn fields_of_a_document_are_refused_where_they_stand() {
    each(
        PLAIN,
        HEADER,
        r"
<From><OrganId>H62.11</OrganId></From> =>  => FIELD_MISSING /From
<From><OrganId>H62.11</OrganId></From> => <From/> => FIELD_MISSING /From/OrganId
</From> => </From><From><OrganId>H62</OrganId></From> => FIELD_INVALID /From[2]
<To><OrganId>H62.14</OrganId></To> =>  => FIELD_MISSING /To
<OrganId>H62.14</OrganId> =>  => FIELD_MISSING /To[1]/OrganId
<OrganId>H62.14</OrganId> => <OrganId> </OrganId> => FIELD_MISSING /To[1]/OrganId
<OrganId>H62.14< => <OrganId>h62.14< => FIELD_INVALID /To[1]/OrganId
<OrganId>H62.14< => <OrganId>../H62< => FIELD_INVALID /To[1]/OrganId
<OrganId>H62.14< => <OrganId>H62' OR '1'='1< => FIELD_INVALID /To[1]/OrganId
<OrganId>H62.14< => <OrganId>H62<!-- -->.14< => FIELD_INVALID /To[1]/OrganId
<OrganId>H62.14< => <OrganId>H62.14444444444444444444444444444444444< => FIELD_TOO_LONG /To[1]/OrganId
</To> => </To><To><OrganId>H62</OrganId></To><To><OrganId>?</OrganId></To> => FIELD_INVALID /To[3]/OrganId
<DocumentId> => <q:DocumentId>1</q:DocumentId><DocumentId> => FIELD_INVALID /DocumentId[2]
<DocumentId> => <DocumentId>… => FIELD_TOO_LONG /DocumentId
<DocumentId> => <DocumentId>a¶b => FIELD_INVALID /DocumentId
<CodeNumber>2451 => <CodeNumber>24'51 => FIELD_INVALID /Code/CodeNumber
<CodeNumber>2451 => <CodeNumber>123456789012 => FIELD_TOO_LONG /Code/CodeNumber
<CodeNotation>STTTT => <CodeNotation>A;DROP TABLE => FIELD_INVALID /Code/CodeNotation
<PromulgationDate>2026/01/05 => <PromulgationDate>05/01/2026 => FIELD_INVALID /PromulgationInfo/PromulgationDate
<PromulgationDate>2026/01/05 => <PromulgationDate>2026/02/30 => FIELD_INVALID /PromulgationInfo/PromulgationDate
<PromulgationDate>2026/01/05 => <PromulgationDate>2026/02/03 => FIELD_INVALID /PromulgationInfo/PromulgationDate
<Place> => <Place>… => FIELD_TOO_LONG /PromulgationInfo/Place
<Subject> => <Subject>… => FIELD_TOO_LONG /Subject
<Subject> => <DueDate>2027-02-28</DueDate><Subject> => FIELD_INVALID /DueDate
<Subject> => <SteeringType/><Subject> => FIELD_INVALID /SteeringType
<Subject> => <SteeringType> 1 </SteeringType><Subject> => FIELD_INVALID /SteeringType
<Subject> => <SteeringType>báo cáo</SteeringType><Subject> => FIELD_INVALID /SteeringType
<Subject> => <ResponseFor><OrganId>?</OrganId></ResponseFor><Subject> => FIELD_INVALID /ResponseFor/OrganId
<Subject> => <ResponseFor><PromulgationDate>x</PromulgationDate></ResponseFor><Subject> => FIELD_INVALID /ResponseFor/PromulgationDate
",
    );
    each(
        PLAIN,
        BUSINESS,
        r"
<BussinessDocType>0 => <BussinessDocType>4 => FIELD_INVALID /BussinessDocType
<BussinessDocType>0 => <BussinessDocType>-1 => FIELD_INVALID /BussinessDocType
<BussinessDocType> => <BusinessDocType>1</BusinessDocType><BussinessDocType> => FIELD_INVALID /BusinessDocType
<Bussiness> => <Bussiness><ReplacementInfoList><ReplacementInfo><X>1</X></ReplacementInfo></ReplacementInfoList> => FIELD_MISSING /ReplacementInfoList/ReplacementInfo/DocumentId
<Bussiness> => <Bussiness><BussinessDocumentInfo><ReceiverList><Receiver><OrganId>?</OrganId></Receiver></ReceiverList></BussinessDocumentInfo> => FIELD_INVALID /BussinessDocumentInfo/ReceiverList/Receiver/OrganId
",
    );
    let no_id = PLAIN.replace("<DocumentId>H62.11,2026/01/05,2451/STTTT-CNTT</DocumentId>", "");
    each(
        &no_id,
        HEADER,
        "<PromulgationDate>2026/01/05</PromulgationDate> =>  => FIELD_MISSING /DocumentId",
    );
}

#[test]
fn fields_of_a_status_are_refused_where_they_stand() {
    each(
        PLAIN_STATUS,
        HEADER,
        r"
<StatusCode>01 => <StatusCode>07 => STATUS_UNKNOWN /StatusCode
<StatusCode>01 => <StatusCode>1 => STATUS_UNKNOWN /StatusCode
<StatusCode>01 => <StatusCode> => FIELD_MISSING /StatusCode
<StatusCode>01</StatusCode> =>  => FIELD_MISSING /StatusCode
2026/01/05 08:20:10 => 2026/01/05T08:20:10 => FIELD_INVALID /Timestamp
2026/01/05 08:20:10 => 2026/02/03 00:00:00 => FIELD_INVALID /Timestamp
<OrganId>H62.11</OrganId> =>  => FIELD_MISSING /ResponseFor/OrganId
<OrganId>H62.11< => <OrganId>H62/11< => FIELD_INVALID /ResponseFor/OrganId
</ResponseFor> => </ResponseFor><ResponseFor><OrganId>H62</OrganId></ResponseFor> => FIELD_INVALID /ResponseFor[2]
<From><OrganId>H62.14</OrganId></From> =>  => FIELD_MISSING /From
",
    );
    let no_id = PLAIN_STATUS.replace("<DocumentId>H62.11,2026/01/05,2451/STTTT-CNTT</DocumentId>", "");
    each(
        &no_id,
        HEADER,
        "<Code>2451/STTTT-CNTT</Code> =>  => FIELD_MISSING /ResponseFor/DocumentId",
    );
    let nothing = no_id.replace("<OrganId>H62.11</OrganId><Code>2451/STTTT-CNTT</Code>", "");
    each(
        &nothing,
        HEADER,
        "<PromulgationDate>2026/01/05</PromulgationDate> =>  => FIELD_MISSING /ResponseFor",
    );
}

#[test]
fn attachments_are_refused_where_they_stand() {
    each(
        PLAIN,
        ATTACHMENT,
        r"
JVBERi0xLjQK => JVBERi0xLjQ => ATTACHMENT_BASE64 1]/ContentTransferEncoded
JVBERi0xLjQK => JVBERi0xLjQK= => ATTACHMENT_BASE64 1]/ContentTransferEncoded
JVBERi0xLjQK => JVBERi0xLjQK&amp; => ATTACHMENT_BASE64 1]/ContentTransferEncoded
JVBERi0xLjQK => JVBERi<!-- -->0xLjQK => ATTACHMENT_BASE64 1]/ContentTransferEncoded
JVBERi0xLjQK => JVBERi<b/>0xLjQK => ATTACHMENT_BASE64 1]/ContentTransferEncoded
JVBERi0xLjQK => <b>JVBERi0xLjQK</b> => ATTACHMENT_BASE64 1]/ContentTransferEncoded
JVBERi0xLjQK => <ContentTransferEncoded>JVBERi0xLjQK</ContentTransferEncoded> => ATTACHMENT_BASE64 1]/ContentTransferEncoded
JVBERi0xLjQK => JVBERi0x<![CDATA[LjQK]]> => ATTACHMENT_BASE64 1]/ContentTransferEncoded
JVBERi0xLjQK => <![CDATA[JVBERi0x]]>LjQK => ATTACHMENT_BASE64 1]/ContentTransferEncoded
JVBERi0xLjQK => <![CDATA[JVBERi0x]]><![CDATA[LjQK]]> => ATTACHMENT_BASE64 1]/ContentTransferEncoded
JVBERi0xLjQK => <![CDATA[JVBERi0xLjQK&#13;]]> => ATTACHMENT_BASE64 1]/ContentTransferEncoded
JVBERi0xLjQK => <![CDATA[JVBE]]Ri0xLjQK]]> => ATTACHMENT_BASE64 1]/ContentTransferEncoded
JVBERi0xLjQK => <![CDATA[JVBE]]]> => ATTACHMENT_BASE64 1]/ContentTransferEncoded
<ContentTransferEncoded>JVBERi0xLjQK</ContentTransferEncoded> =>  => FIELD_MISSING 1]/ContentTransferEncoded
</ContentTransferEncoded> => </ContentTransferEncoded><ContentTransferEncoded/> => ATTACHMENT_DUPLICATE 1]/ContentTransferEncoded[2]
<AttachmentName>a.pdf</AttachmentName> =>  => ATTACHMENT_NAME 1]/AttachmentName
>a.pdf< => > < => ATTACHMENT_NAME 1]/AttachmentName
>a.pdf< => >../a.pdf< => ATTACHMENT_NAME 1]/AttachmentName
>a.pdf< => >a\b.pdf< => ATTACHMENT_NAME 1]/AttachmentName
>a.pdf< => >..< => ATTACHMENT_NAME 1]/AttachmentName
>a.pdf< => >a&#13;b.pdf< => ATTACHMENT_NAME 1]/AttachmentName
>a.pdf< => >a&#x202e;fdp.exe< => ATTACHMENT_NAME 1]/AttachmentName
<AttachmentName> => <AttachmentName>… => ATTACHMENT_NAME 1]/AttachmentName
>application/pdf< => >tệp< => FIELD_INVALID 1]/ContentType
>application/pdf< => >application/pdf¶x< => FIELD_INVALID 1]/ContentType
</AttachmentName> => </AttachmentName><Description>…</Description> => FIELD_TOO_LONG 1]/Description
",
    );
    let no_id = refused(&plain_but("<Attachment><ContentId>cid:1</ContentId>", "<Attachment>"));
    assert!(no_id.contains(&("FIELD_MISSING".to_owned(), format!("{ATTACHMENT}1]/ContentId"))));
    each(
        PLAIN,
        REFERENCE,
        "</Reference> => <AttachmentName>/etc/x</AttachmentName></Reference> => ATTACHMENT_NAME 1]/AttachmentName",
    );
}

#[test]
fn manifest_and_attachments_pair_one_to_one() {
    each(
        PLAIN,
        REFERENCE,
        r"
</Reference> => </Reference><Reference><ContentId>2</ContentId></Reference> => ATTACHMENT_MISSING 2]
</Reference> => </Reference><Reference xlink:href='1'/> => ATTACHMENT_DUPLICATE 2]
</Reference> => </Reference><Reference/> => FIELD_MISSING 2]/ContentId
",
    );
    let twin =
        "<Attachment><ContentId>1</ContentId><AttachmentName>b</AttachmentName><ContentTransferEncoded/></Attachment>";
    each(
        PLAIN,
        ATTACHMENT,
        &format!(
            "
<Reference><ContentId>cid:1</ContentId></Reference> =>  => ATTACHMENT_UNREFERENCED 1]
</AttachmentEncoded> => {twin}</AttachmentEncoded> => ATTACHMENT_DUPLICATE 2]
</AttachmentEncoded> => {}</AttachmentEncoded> => ATTACHMENT_UNREFERENCED 2]
",
            twin.replace(">1<", ">2<")
        ),
    );
    each(
        PLAIN,
        HEADER,
        "<Subject> => <ContentTransferEncoded/><Subject> => ATTACHMENT_UNREFERENCED /ContentTransferEncoded",
    );
    let both = |bytes: &[u8]| refused(bytes).into_iter().map(|(code, _)| code).collect::<Vec<_>>();
    let other = plain_but(
        "<ContentId>cid:1</ContentId></Reference>",
        "<ContentId>cid:7</ContentId></Reference>",
    );
    assert_eq!(both(&other), ["ATTACHMENT_MISSING", "ATTACHMENT_UNREFERENCED"]);
    let inside = PLAIN
        .replace("</edXMLEnvelope>", "")
        .replace("</AttachmentEncoded>", "</AttachmentEncoded></edXMLEnvelope>");
    assert_eq!(
        both(inside.as_bytes()),
        ["ATTACHMENT_MISSING", "ATTACHMENT_UNREFERENCED"],
        "nobody looks into the envelope"
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
    let fields = ["FIELD_INVALID", "FIELD_MISSING", "FIELD_INVALID", "FIELD_INVALID"];
    assert_eq!(codes, [&fields[..], &["ATTACHMENT_NAME", "ATTACHMENT_BASE64"]].concat());
}

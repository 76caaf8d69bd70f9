//! What is no packet at all: no envelope, no XML, no UTF-8.

use super::*;

const HEADER: &str = "/edXML/edXMLEnvelope/edXMLHeader/MessageHeader";

#[test]
fn without_the_envelope_there_is_no_packet() {
    let namespace = "http://www.mic.gov.vn/TBT/QCVN_102_2016";
    for wrong in [
        PLAIN.replace(namespace, "http://www.e-doc.vn/Schema/"),
        PLAIN.replace(&format!(" xmlns=\"{namespace}\""), ""),
        PLAIN.replace("edXMLEnvelope", "Envelope"),
        PLAIN.replace("<edXMLEnvelope>", "<edXMLEnvelope xmlns=''>"),
        PLAIN
            .replace("<edXMLEnvelope>", "<X><edXMLEnvelope>")
            .replace("</edXMLEnvelope>", "</edXMLEnvelope></X>"),
    ] {
        assert_eq!(
            refused(wrong.as_bytes()),
            [("EDXML_ENVELOPE_MISSING".into(), "/edXML/edXMLEnvelope".into())]
        );
    }
    assert_eq!(
        refused(b"<a/>"),
        [("EDXML_ENVELOPE_MISSING".into(), "/a/edXMLEnvelope".into())]
    );
    let twice = PLAIN.replace(
        "<edXMLEnvelope>",
        &format!("<a:edXMLEnvelope xmlns:a='{namespace}'/><edXMLEnvelope>"),
    );
    assert_eq!(
        refused(twice.as_bytes()),
        [("FIELD_INVALID".into(), "/edXML/edXMLEnvelope[2]".into())]
    );
    let headless = PLAIN.replace("edXMLHeader>", "Header>");
    assert_eq!(
        refused(headless.as_bytes()),
        [(
            "EDXML_ENVELOPE_MISSING".into(),
            "/edXML/edXMLEnvelope/edXMLHeader".into()
        )]
    );
}

#[test]
fn what_is_no_xml_is_refused_with_line_and_column() {
    let envelope = "/edXML/edXMLEnvelope";
    for (old, new, path, place) in [
        ("</To>", "</From>", &*format!("{HEADER}/To[1]"), "line 5, column 30"),
        ("<To>", "< To>", HEADER, "line 5, column 1"),
        ("<To>", "<To a=b>", HEADER, "line 5, column 1"),
        ("<To>", "<To a='1' a='2'>", HEADER, "line 5, column 1"),
        ("<To>", "<To a='1'b='2'>", HEADER, "line 5, column 1"),
        ("<To>", "<To a='<'>", HEADER, "line 5, column 1"),
        ("<To>", "<To a='&x;'>", HEADER, "line 5, column 1"),
        ("<To>", "<To a>", HEADER, "line 5, column 1"),
        ("<To>", "<a:b:To>", HEADER, "line 5, column 1"),
        ("<To>", "<!-- -- --><To>", HEADER, "line 5, column 1"),
        ("<To>", "<? x?><To>", HEADER, "line 5, column 1"),
        ("<To>", "<?xml version=\"1.0\"?><To>", HEADER, "line 5, column 1"),
        ("<To>", "<!><To>", HEADER, "line 5, column 1"),
        ("V/v thử", "&nbsp;", &*format!("{HEADER}/Subject"), "line 9, column 10"),
        ("V/v thử", "&#0;", &*format!("{HEADER}/Subject"), "line 9, column 10"),
        ("V/v thử", "a\u{1}", &*format!("{HEADER}/Subject"), "line 9, column 10"),
        ("V/v thử", "a]]>", &*format!("{HEADER}/Subject"), "line 9, column 10"),
        ("V/v thử", "a & b", &*format!("{HEADER}/Subject"), "line 9, column 10"),
        (
            "</edXMLHeader>",
            "",
            &*format!("{envelope}/edXMLHeader"),
            "line 15, column 29",
        ),
        ("<?xml", "1212<?xml", "/", "line 1, column 1"),
        ("<?xml", "\n<?xml", "/", "line 2, column 1"),
        ("version=\"1.0\"", "version=\"1.1\"", "/", "line 1, column 1"),
        ("</edXML>\n", "</edXML>\n<a/>", "/", "line 20, column 1"),
        ("</edXML>\n", "</edXML>\nx", "/", "line 19, column 9"),
        ("</edXML>\n", "</edXML>\n\0", "/", "line 19, column 9"),
        ("</edXML>\n", "", "/edXML", "line 19, column 1"),
        ("</edXML>\n", "<", "/edXML", "line 19, column 1"),
    ] {
        let refusals = read(&plain_but(old, new)).unwrap_err();
        let [refusal] = refusals.as_slice() else {
            panic!("{refusals:?}")
        };
        assert_eq!(
            (refusal.code.as_str(), refusal.path.as_str()),
            ("XML_MALFORMED", path),
            "{new}: {refusal}"
        );
        assert!(refusal.what.ends_with(place), "{new}: {refusal}");
    }
    for nothing in ["", " \n", "<!-- -->", "text", "\u{feff}"] {
        assert_eq!(
            refused(nothing.as_bytes()),
            [("XML_MALFORMED".into(), "/".into())],
            "{nothing}"
        );
    }
}

#[test]
fn a_document_type_is_refused_wherever_it_stands() {
    for wrong in [
        PLAIN.replace(
            "<edXML xmlns",
            "<!DOCTYPE edXML [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><edXML xmlns",
        ),
        PLAIN.replace("<edXML xmlns", "<!doctype x><edXML xmlns"),
        PLAIN.replace("<To>", "<!ENTITY a \"b\"><To>"),
        format!("{PLAIN}<!DOCTYPE x"),
    ] {
        assert_eq!(refused(wrong.as_bytes())[0].0, "XML_DOCTYPE");
    }
}

#[test]
fn only_utf_8_comes_in() {
    let utf16: Vec<u8> = PLAIN.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let cases: [(&str, Vec<u8>); 6] = [
        ("UTF-16 with a mark", [b"\xff\xfe".as_slice(), &utf16].concat()),
        ("UTF-16 that says so", plain_but("UTF-8", "UTF-16")),
        ("Latin letters declared", plain_but("UTF-8", "ISO-8859-1")),
        ("windows-1258", plain_but("UTF-8", "windows-1258")),
        ("a byte that is none", [PLAIN.as_bytes(), b"\xff"].concat()),
        ("an end inside a letter", [PLAIN.as_bytes(), b"\xe1\xbb"].concat()),
    ];
    for (what, bytes) in cases {
        assert_eq!(refused(&bytes), [("CHARSET".into(), "/".into())], "{what}");
    }
    assert_eq!(refused(&utf16)[0].0, "CHARSET", "UTF-16 without a mark");
}

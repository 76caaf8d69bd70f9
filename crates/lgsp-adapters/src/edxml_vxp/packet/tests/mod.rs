//! Packets whole: the samples, the warts of the field, bad input, and what holds for any input.

mod hostile;
mod lossless;
mod malformed;
mod refusals;
mod samples;
mod split;
mod warts;
mod writer;

use lgsp_types::{DocumentDate, Refusal};

use super::header::{Document, Header, Status};
use super::{Limits, Packet, PacketReader};

const LIMITS: Limits = Limits {
    packet_bytes_max: 64 * 1024 * 1024,
};

fn today() -> DocumentDate {
    DocumentDate::parse("2026/02/01").unwrap()
}

/// Reads a packet in chunks of this size.
fn read_in(bytes: &[u8], size: usize) -> Result<Packet, Vec<Refusal>> {
    let mut reader = PacketReader::new(LIMITS);
    for chunk in bytes.chunks(size) {
        if let Err(refusal) = reader.feed(chunk) {
            assert_eq!(reader.feed(b"more"), Err(refusal.clone()), "a refusal stays");
            return reader.finish(today()).map_err(|refusals| {
                assert_eq!(refusals, [refusal]);
                refusals
            });
        }
    }
    reader.finish(today())
}

pub(super) fn read(bytes: &[u8]) -> Result<Packet, Vec<Refusal>> {
    read_in(bytes, 64 * 1024)
}

/// What a packet is refused for: codes and paths.
fn refused(bytes: &[u8]) -> Vec<(String, String)> {
    let refusals = read(bytes).expect_err("a refusal");
    refusals
        .iter()
        .map(|refusal| (refusal.code.to_string(), refusal.path.clone()))
        .collect()
}

pub(super) fn sample(name: &str) -> Vec<u8> {
    std::fs::read(format!(
        "{}/../../tests/data/edxml/{name}.edxml",
        env!("CARGO_MANIFEST_DIR")
    ))
    .unwrap()
}

fn document(packet: &Packet) -> &Document {
    match packet.header() {
        Header::Document(document) => document,
        Header::Status(_) => panic!("a status"),
    }
}

fn status(packet: &Packet) -> &Status {
    match packet.header() {
        Header::Status(status) => status,
        Header::Document(_) => panic!("a document"),
    }
}

/// A small packet in order, into which tests put what is wrong.
const PLAIN: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<edXML xmlns="http://www.mic.gov.vn/TBT/QCVN_102_2016">
<edXMLEnvelope><edXMLHeader><MessageHeader>
<From><OrganId>H62.11</OrganId></From>
<To><OrganId>H62.14</OrganId></To>
<DocumentId>H62.11,2026/01/05,2451/STTTT-CNTT</DocumentId>
<Code><CodeNumber>2451</CodeNumber><CodeNotation>STTTT-CNTT</CodeNotation></Code>
<PromulgationInfo><Place>Vĩnh Phúc</Place><PromulgationDate>2026/01/05</PromulgationDate></PromulgationInfo>
<Subject>V/v thử</Subject>
</MessageHeader>
<TraceHeaderList><Bussiness><BussinessDocType>0</BussinessDocType></Bussiness></TraceHeaderList>
</edXMLHeader>
<edXMLBody><edXMLManifest>
<Reference><ContentId>cid:1</ContentId></Reference>
</edXMLManifest></edXMLBody></edXMLEnvelope>
<AttachmentEncoded>
<Attachment><ContentId>cid:1</ContentId><AttachmentName>a.pdf</AttachmentName><ContentType>application/pdf</ContentType><ContentTransferEncoded>JVBERi0xLjQK</ContentTransferEncoded></Attachment>
</AttachmentEncoded>
</edXML>
"#;

/// A small status in order.
const PLAIN_STATUS: &str = r#"<edXML xmlns="http://www.mic.gov.vn/TBT/QCVN_102_2016">
<edXMLEnvelope><edXMLHeader><MessageHeader>
<From><OrganId>H62.14</OrganId></From>
<ResponseFor><OrganId>H62.11</OrganId><Code>2451/STTTT-CNTT</Code><PromulgationDate>2026/01/05</PromulgationDate><DocumentId>H62.11,2026/01/05,2451/STTTT-CNTT</DocumentId></ResponseFor>
<StatusCode>01</StatusCode><Timestamp>2026/01/05 08:20:10</Timestamp>
</MessageHeader></edXMLHeader></edXMLEnvelope></edXML>"#;

/// The plain packet with one text put in place of another, which must stand there.
fn plain_but(old: &str, new: &str) -> Vec<u8> {
    assert!(PLAIN.contains(old), "{old}");
    PLAIN.replace(old, new).into_bytes()
}

fn status_but(old: &str, new: &str) -> Vec<u8> {
    assert!(PLAIN_STATUS.contains(old), "{old}");
    PLAIN_STATUS.replace(old, new).into_bytes()
}

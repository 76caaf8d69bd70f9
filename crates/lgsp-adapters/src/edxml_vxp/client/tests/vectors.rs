//! The twenty vectors taken from the vendor's SDK, byte for byte, by the calls an application makes.

use serde::Deserialize;

use super::{Axis, Seen, Service, Step, Timestamp, ok};
use crate::edxml_vxp::client::MessageType;
use crate::edxml_vxp::client::answer::CallError;
use crate::edxml_vxp::client::source::Source;

const VECTORS: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../tests/data/vxp-vectors.json"
));

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    op: String,
    secret: String,
    request_line: String,
    sign_header_key: String,
    sign_header: String,
    hash_header: String,
    file_hex: Option<String>,
    body_hex: Option<String>,
    sha256: Option<String>,
    hash_file: Option<String>,
}

impl Vector {
    fn parameter(&self, name: &str) -> Option<String> {
        let signed: serde_json::Value = serde_json::from_str(&self.sign_header).unwrap();
        Some(signed.get(format!("XroadVnpt-{name}"))?.as_str().unwrap().to_owned())
    }

    fn file(&self) -> Vec<u8> {
        bytes(self.file_hex.as_ref().unwrap())
    }

    /// Makes the call that gave this vector, with the application's parameters in the order of its header JSON.
    fn call(&self, service: &mut Service) -> Result<(), CallError> {
        let needed = |name: &str| self.parameter(name).unwrap();
        match self.op.as_str() {
            "getAgenciesList" => {
                if let Some(note) = self.parameter("ghichu") {
                    service.put("ghichu", &note);
                }
                service.agencies().map(drop)
            }
            "getAgenciesListQD20" => service.agencies_qd20(&needed("level")).map(drop),
            "deleteAgency" => service.delete_agency(&needed("AgencyCode")).map(drop),
            "registerAgency" => service.register_agency("{\"code\":\"H62.99\"}").map(drop),
            "getReceivedEdocList" => {
                for name in ["to", "fromDate", "toDate", "status", "pageSize", "pageIndex"] {
                    if let Some(value) = self.parameter(name) {
                        service.put(name, &value);
                    }
                }
                service.received_list(self.kind()).map(drop)
            }
            "sendEdoc" => {
                let to: Option<Vec<String>> = self.parameter("to").map(|to| serde_json::from_str(&to).unwrap());
                let to: Option<Vec<&str>> = to.as_ref().map(|to| to.iter().map(String::as_str).collect());
                service
                    .send_edoc(&needed("from"), to.as_deref(), self.kind(), Source::Bytes(&self.file()))
                    .map(drop)
            }
            "getEdoc" => service.get_edoc(&needed("docId"), &mut Vec::new()).map(drop),
            "downloadEdoc" => service.download_edoc(&needed("docId"), &mut Vec::new()).map(drop),
            "updateStatus" => service.update_status(&needed("docId"), &needed("status")).map(drop),
            "getSentEdocList" => service
                .sent_list(self.kind(), self.parameter("docId").as_deref())
                .map(drop),
            "countReceiveEdoc" => service.count_received_edoc().map(drop),
            unknown => panic!("no call for {unknown}"),
        }
    }

    fn kind(&self) -> MessageType {
        let word = self.parameter("messagetype").unwrap();
        [MessageType::Edoc, MessageType::Status]
            .into_iter()
            .find(|kind| kind.word() == word)
            .unwrap()
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

fn raw_value(seen: &Seen, name: &str) -> Vec<u8> {
    let prefix = format!("{name}: ").into_bytes();
    let line = seen
        .head
        .split(|byte| *byte == b'\n')
        .find(|line| line.starts_with(&prefix))
        .unwrap();
    line[prefix.len()..].strip_suffix(b"\r").unwrap().to_vec()
}

#[test]
fn all_twenty_vectors_come_out_byte_for_byte() {
    let vectors: Vec<Vector> = serde_json::from_str(VECTORS).unwrap();
    assert_eq!(vectors.len(), 20);
    for vector in vectors {
        let answer = r#"{"status":"OK","ErrorCode":"0","ErrorDesc":"","DocId":"1","count":0,"data":[]}"#;
        let answer = if vector.op == "getEdoc" {
            answer.replace("[]", "\"\"")
        } else {
            answer.to_owned()
        };
        let axis = Axis::playing(vec![Step::Answer(ok(&answer))]);
        let timestamp = Timestamp::written(&vector.parameter("timestamp").unwrap());
        let system = vector.parameter("systemid").unwrap();
        let mut service = Service::new(&axis.url, &system, &vector.secret, &timestamp).unwrap();
        vector.call(&mut service).unwrap();

        let seen = axis.seen().pop().unwrap();
        let line = seen.head.split(|byte| *byte == b'\r').next().unwrap();
        assert_eq!(String::from_utf8_lossy(line), vector.request_line);
        assert_eq!(
            raw_value(&seen, "XroadVnpt-sign-header-key"),
            vector.sign_header_key.as_bytes(),
            "{}",
            vector.op
        );
        assert_eq!(
            raw_value(&seen, "XroadVnpt-hash-header"),
            vector.hash_header.as_bytes(),
            "{}",
            vector.op
        );
        let low_bytes: Vec<u8> = vector
            .sign_header
            .encode_utf16()
            .map(|unit| unit.to_le_bytes()[0])
            .collect();
        let signed = if vector.op == "sendEdoc" {
            vector.sign_header.clone().into_bytes()
        } else {
            low_bytes
        };
        assert_eq!(raw_value(&seen, "XroadVnpt-sign-header"), signed, "{}", vector.op);
        if let Some(body) = &vector.body_hex {
            assert_eq!(seen.body, bytes(body));
            assert_eq!(
                raw_value(&seen, "XroadVnpt-hash-file"),
                vector.hash_file.as_ref().unwrap().as_bytes()
            );
            let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &vector.file());
            assert_eq!(digest.as_ref(), bytes(vector.sha256.as_ref().unwrap()));
        }
    }
}

#[test]
fn letters_beyond_ascii_travel_as_utf8_when_the_url_has_no_port() {
    let vectors: Vec<Vector> = serde_json::from_str(VECTORS).unwrap();
    let vector = vectors
        .iter()
        .find(|vector| vector.parameter("ghichu").is_some())
        .unwrap();
    let timestamp = Timestamp::written(&vector.parameter("timestamp").unwrap());
    let mut service = Service::new("http://truc.example.vn", "vxp.vinhphuc.01", &vector.secret, &timestamp).unwrap();
    let operation = crate::edxml_vxp::client::operation::Operation::GetAgenciesList;
    let headers = service.signed(operation, &[("ghichu", &vector.parameter("ghichu").unwrap())]);
    assert_eq!(headers.sign_header.as_deref(), Some(vector.sign_header.as_str()));
    assert_eq!(headers.hash_header.as_deref(), Some(vector.hash_header.as_str()));
    let request = service.request(operation, &headers, b"");
    let line = format!("\r\nXroadVnpt-sign-header: {}\r\n", vector.sign_header);
    assert!(request.windows(line.len()).any(|window| window == line.as_bytes()));
}

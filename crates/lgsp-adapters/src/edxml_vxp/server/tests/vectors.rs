//! The twenty requests of the vendor's SDK: every signature is taken, and none that was changed.

use std::io::Write;

use super::*;
use crate::edxml_vxp::client::raw::{self, RawAnswer};

const VECTORS: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../tests/data/vxp-vectors.json"
));

#[derive(Deserialize)]
struct Vector {
    op: String,
    secret: String,
    request_line: String,
    sign_header: String,
    hash_header: String,
    body_hex: Option<String>,
}

impl Vector {
    fn all() -> Vec<Self> {
        let all: Vec<Self> = serde_json::from_str(VECTORS).unwrap();
        assert_eq!(all.len(), 20);
        all
    }

    fn system(&self) -> String {
        let signed: serde_json::Value = serde_json::from_str(&self.sign_header).unwrap();
        signed["XroadVnpt-systemid"].as_str().unwrap().to_owned()
    }

    /// The request with only the headers that count.
    fn ask(&self, facade: &Facade, sign_header: &str) -> RawAnswer {
        let hex = self.body_hex.as_deref().unwrap_or_default();
        let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        let body: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
        let mut request = Vec::new();
        write!(
            request,
            "{}\r\nHost: vxp\r\nXroadVnpt-sign-header: {sign_header}\r\nXroadVnpt-hash-header: {}\r\nContent-Length: {}\r\n\r\n",
            self.request_line,
            self.hash_header,
            body.len()
        )
        .unwrap();
        request.extend_from_slice(&body);
        raw::exchange(facade.address, &request).unwrap()
    }
}

fn error_code(answer: &RawAnswer) -> String {
    let read: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    read["ErrorCode"].as_str().unwrap().to_owned()
}

#[test]
fn all_twenty_signatures_are_taken() {
    let facade = Facade::start();
    for vector in Vector::all() {
        facade.know(&vector.system(), &vector.secret);
        let answer = vector.ask(&facade, &vector.sign_header);
        assert_eq!(answer.status, 200);
        let proven = match vector.op.as_str() {
            // What they name is not there; an empty body is the SDK's only sign of it.
            "downloadEdoc" => answer.body.is_empty() && facade.exchange.rejected_codes() != [""; 0],
            // Their files are no packets.
            "sendEdoc" => error_code(&answer) == "22",
            "getEdoc" | "updateStatus" => error_code(&answer) == "18",
            "registerAgency" | "deleteAgency" | "getSentEdocList" => error_code(&answer) == "10",
            _ => error_code(&answer) == "0",
        };
        assert!(proven, "{}: {}", vector.op, String::from_utf8_lossy(&answer.body));
        facade.exchange.state().rejected.clear();
    }
}

#[test]
fn no_signature_is_taken_for_another_text_or_under_another_secret() {
    let facade = Facade::start();
    for vector in Vector::all() {
        facade.know(&vector.system(), &vector.secret);
        let changed = vector.sign_header.replacen("+0", "+1", 1);
        assert_ne!(changed, vector.sign_header);
        let refused = |answer: &RawAnswer| match vector.op.as_str() {
            "downloadEdoc" => answer.body.is_empty(),
            _ => error_code(answer) == "15",
        };
        assert!(refused(&vector.ask(&facade, &changed)), "{}", vector.op);
        facade.know(&vector.system(), &format!("{} ", vector.secret));
        assert!(refused(&vector.ask(&facade, &vector.sign_header)), "{}", vector.op);
    }
    assert_eq!(facade.exchange.rejected_codes(), [""; 0], "nobody was known");
}

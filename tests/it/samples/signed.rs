//! The twenty requests that were taken from the vendor's library, sent as it sends them, to the real program.

use std::fs;

use lgsp_adapters::edxml_vxp::client::Service;
use lgsp_adapters::edxml_vxp::client::operation::Operation;
use lgsp_adapters::edxml_vxp::client::raw::{RawAnswer, exchange};
use lgsp_adapters::edxml_vxp::client::sign::{SignedHeaders, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use crate::support::{Home, Node, data};

/// Who speaks in the vectors, beside the registry of the tests.
const OVERLAY: &str = r#"
format = 1

[[agency]]
id = "vectors.so"
kind = "department"
names = ["Cơ quan của các mẫu chữ ký"]
codes = ["H62.01"]

[[system]]
id = "vxp.vinhphuc.01"
agency = "vectors.so"
speaks_for = ["H62.01"]
secret_ref = "vectors"
key_id = "k-vectors"

[[connector]]
id = "vxp-vectors"
system = "vxp.vinhphuc.01"
adapter = "edxml-vxp"
mode = "pull"
"#;

#[derive(Debug, Deserialize)]
struct Vector {
    op: String,
    secret: String,
    request_line: String,
    sign_header_key: String,
    sign_header: String,
    hash_header: String,
    body_hex: Option<String>,
}

impl Vector {
    fn all() -> Vec<Self> {
        let all: Vec<Self> = serde_json::from_slice(&fs::read(data("vxp-vectors.json")).unwrap()).unwrap();
        assert_eq!(all.len(), 20);
        all
    }

    fn operation(&self) -> Operation {
        let all = [
            Operation::GetAgenciesList,
            Operation::GetAgenciesListQd20,
            Operation::RegisterAgency,
            Operation::DeleteAgency,
            Operation::SendEdoc,
            Operation::GetReceivedEdocList,
            Operation::GetEdoc,
            Operation::DownloadEdoc,
            Operation::UpdateStatus,
            Operation::GetSentEdocList,
            Operation::CountReceiveEdoc,
        ];
        all.into_iter().find(|operation| operation.name() == self.op).unwrap()
    }

    /// Every header as the library sent it, with this MAC.
    fn headers(&self, mac: &str) -> SignedHeaders {
        let signed: Value = serde_json::from_str(&self.sign_header).unwrap();
        let parameter = |name: &str| {
            let value = signed[format!("XroadVnpt-{name}")].as_str().unwrap();
            (name.to_owned(), value.to_owned())
        };
        SignedHeaders {
            parameters: self.sign_header_key.split(';').map(parameter).collect(),
            sign_header_key: Some(self.sign_header_key.clone()),
            sign_header: Some(self.sign_header.clone()),
            hash_header: Some(mac.to_owned()),
        }
    }

    fn ask(&self, node: &Node, mac: &str) -> RawAnswer {
        let hex = self.body_hex.as_deref().unwrap_or_default();
        let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        let body: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
        // A URL without a port: with one, the vendor's library sends only the low byte of each letter (vxp-wire.md 3.3).
        let client = Service::new("http://truc.example.vn", "", "", &Timestamp::written("")).unwrap();
        let request = client.request(self.operation(), &self.headers(mac), &body);
        assert!(request.starts_with(self.request_line.as_bytes()));
        let answer = exchange(node.address(), &request).unwrap();
        assert_eq!(answer.status, 200, "{self:?}: {answer:?}");
        answer
    }

    /// What is answered once the signature is taken: none of what they name is there.
    fn expected(&self) -> &str {
        match self.operation() {
            Operation::DownloadEdoc => "",
            // Their files are no packets.
            Operation::SendEdoc => "22",
            Operation::GetEdoc | Operation::UpdateStatus => "18",
            // Not built yet.
            Operation::RegisterAgency | Operation::DeleteAgency | Operation::GetSentEdocList => "10",
            Operation::GetAgenciesList
            | Operation::GetAgenciesListQd20
            | Operation::GetSynchronizeUnit
            | Operation::GetReceivedEdocList
            | Operation::CountReceiveEdoc
            | Operation::CountReceiveStatus => "0",
        }
    }
}

/// The code of the envelope; of downloadEdoc's empty body none.
fn error_code(answer: &RawAnswer) -> String {
    if answer.body.is_empty() {
        return String::new();
    }
    let read: Value = serde_json::from_slice(&answer.body).unwrap();
    read["ErrorCode"].as_str().unwrap().to_owned()
}

fn node(secret: &str) -> Node {
    let mut home = Home::new();
    let overlay = home.root().join("vectors.toml");
    fs::write(&overlay, OVERLAY).unwrap();
    let files = [data("registry/test.toml"), overlay].map(|path| path.to_str().unwrap().to_owned());
    home.set("registry", "files", files.to_vec());
    home.add_secret("vectors", secret);
    Node::start(home)
}

fn rejected(node: &Node) -> u64 {
    node.fact_counts().get("Rejected").copied().unwrap_or(0)
}

#[test]
fn all_twenty_signatures_of_the_vendors_library_are_taken_and_none_that_was_changed() {
    let vectors = Vector::all();
    let mut secrets: Vec<&str> = vectors.iter().map(|vector| vector.secret.as_str()).collect();
    secrets.sort_unstable();
    secrets.dedup();
    let mut asked = 0;
    for secret in secrets {
        let node = node(secret);
        for vector in vectors.iter().filter(|vector| vector.secret == secret) {
            let before = rejected(&node);
            let wrong = if vector.hash_header.starts_with('0') { "1" } else { "0" };
            let forged = vector.ask(&node, &format!("{wrong}{}", &vector.hash_header[1..]));
            let refused = if vector.operation() == Operation::DownloadEdoc {
                ""
            } else {
                "15"
            };
            assert_eq!(error_code(&forged), refused, "{}", vector.op);
            assert_eq!(rejected(&node), before, "nobody was known: {}", vector.op);

            let answer = vector.ask(&node, &vector.hash_header);
            assert_eq!(error_code(&answer), vector.expected(), "{}", vector.op);
            // The empty body of downloadEdoc says nothing; that the caller was known shows in the ledger.
            if vector.operation() == Operation::DownloadEdoc {
                assert_eq!(rejected(&node), before + 1);
            }
            asked += 1;
        }
    }
    assert_eq!(asked, 20);
}

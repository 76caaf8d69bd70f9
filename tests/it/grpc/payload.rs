//! Payloads that do not fit: each broken rule with its code and its place, and nothing of the payload in what is told.

use lgsp_api::Told;
use lgsp_proto::exchange::v1;
use serde::Deserialize;

use super::letter::{INFORMATION, letter};
use super::node;
use crate::bad_input::{Edits, Named, cases};
use crate::support;

/// One of tests/data/bad-input/payload.toml, whose head says what each member means.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default = "documents")]
    contract: String,
    payload: Option<String>,
    edits: Option<Edits>,
    bytes: Option<String>,
    depth: Option<usize>,
    reason: String,
    path: Option<String>,
}

fn documents() -> String {
    "vn.lgsp.document/1".to_owned()
}

impl Named for Case {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Case {
    fn payload(&self) -> Vec<u8> {
        if let Some(bytes) = &self.bytes {
            let pairs = bytes
                .as_bytes()
                .chunks(2)
                .map(|pair| std::str::from_utf8(pair).unwrap());
            return pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
        }
        if let Some(depth) = self.depth {
            return "[".repeat(depth).into_bytes();
        }
        if let Some(payload) = &self.payload {
            return payload.clone().into_bytes();
        }
        let mut payload = support::letter("thử").to_string();
        for (find, put) in self.edits.as_ref().unwrap() {
            assert_eq!(payload.matches(find).count(), 1, "{}: {find}", self.name);
            payload = payload.replace(find, put);
        }
        payload.into_bytes()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_does_not_fit_is_refused_with_every_broken_rule_and_its_place() {
    let node = node();
    let mut sender = node.exchange(INFORMATION).await;
    let all = cases::<Case>("payload.toml");
    for case in &all {
        let message = v1::Message {
            contract: case.contract.clone(),
            idempotency_key: case.name.clone(),
            payload: case.payload().into(),
            ..letter("1", &["H62.14"])
        };
        let request = v1::PublishRequest { message: Some(message) };
        let told = Told::of(&sender.publish(request).await.unwrap_err());
        let said = (told.status.as_str(), told.reason.as_str());
        assert_eq!(
            said,
            ("INVALID_ARGUMENT", case.reason.as_str()),
            "{}: {told:?}",
            case.name
        );
        assert!(!told.mend.is_empty(), "{}: {told:?}", case.name);
        if let Some(path) = &case.path {
            let paths: Vec<&str> = told.fields.iter().map(|(path, _)| path.as_str()).collect();
            assert!(paths.contains(&path.as_str()), "{}: {told:?}", case.name);
        }
        // The contract's own words, with its limits.
        assert!(
            !told.vietnamese.is_empty() && !told.fields_in_vietnamese.is_empty(),
            "{told:?}"
        );
        if told.reason == "SECRECY_MARK" {
            assert!(told.vietnamese.starts_with("có dấu chỉ độ mật; "), "{told:?}");
        }
    }
    assert_eq!(node.fact_counts()["Rejected"], u64::try_from(all.len()).unwrap());
    node.wait_message("security alert: a message with a mark of state secrecy was stopped at the door");
}

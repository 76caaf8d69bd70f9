//! The payload of a letter that is no packet: what the contract of documents asks for, and no more.

use serde_json::{Value, json};

/// A letter with this subject, from the department of information to that of justice.
pub(crate) fn letter(subject: &str) -> Value {
    json!({
        "id": format!("H62.11,2026/11/24,{subject}"),
        "code": { "number": "12", "notation": "STTTT-THUNGHIEM" },
        "promulgation": { "place": "Vĩnh Phúc", "date": "2026-11-24" },
        "type": { "name": "Công văn" },
        "subject": subject,
        "signer": { "full_name": "Nguyễn Văn Mẫu" },
        "from": { "code": "H62.11" },
        "to": [{ "code": "H62.14" }],
        "business": { "kind": 0 },
    })
}

/// The subject of a letter that came.
pub(crate) fn subject(payload: &[u8]) -> String {
    let payload: Value = serde_json::from_slice(payload).unwrap();
    payload["subject"].as_str().unwrap().to_owned()
}

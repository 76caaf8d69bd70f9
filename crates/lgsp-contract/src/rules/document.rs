//! What a document or a status says of itself, beyond the form of its fields.

use lgsp_types::DocumentDate;
use serde_json::Value;

use crate::catalogue::{
    ANTIVIRUS_REPORT, Broken, DATE_AHEAD, DOCUMENT_FIELD_EMPTY, REPLACEMENT_WITHOUT_LIST, UPDATE_WITHOUT_CHANGES,
};

/// What every document bears. Source: Decree 30/2020/ND-CP, article 8; vietnam.md 1.16, V4.
const BORNE: [&str; 6] = [
    "/code/number",
    "/code/notation",
    "/promulgation/date",
    "/type/name",
    "/subject",
    "/signer/full_name",
];
/// Days that say when something happened. Source: vietnam.md 1.16, V5.
const HAPPENED: [&str; 2] = ["/promulgation/date", "/timestamp"];
/// Both spellings travel. Source: vietnam.md 1.4.
const CHANGES: [&str; 2] = ["BussinessDocumentInfo", "BusinessDocumentInfo"];
const REPORT: &str = "AVReport";

/// V4. What is of another type than text is the schema's matter.
pub(super) fn filled(payload: &Value) -> Vec<Broken> {
    let empty = BORNE.iter().filter(|path| match at(payload, path) {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.trim().is_empty() || text.trim().eq_ignore_ascii_case("N/A"),
        Some(_) => false,
    });
    empty.map(|path| DOCUMENT_FIELD_EMPTY.at(*path, &[])).collect()
}

/// V5. What is no date is the schema's matter.
pub(super) fn not_ahead(payload: &Value, today: DocumentDate) -> Vec<Broken> {
    let day = |path: &str| {
        let text = at(payload, path)?.as_str()?;
        DocumentDate::parse_iso(text.get(..10)?).ok()
    };
    let ahead = HAPPENED
        .iter()
        .filter(|path| day(path).is_some_and(|day| day > today.tomorrow()));
    ahead.map(|path| DATE_AHEAD.at(*path, &[])).collect()
}

/// V9. A packet of the axis says what changes in elements that have no field of their own here.
pub(super) fn says_what_changes(payload: &Value) -> Vec<Broken> {
    let Some(business) = payload.get("business") else {
        return Vec::new();
    };
    let lists = |field: &str| {
        business
            .get(field)
            .and_then(Value::as_array)
            .is_some_and(|list| !list.is_empty())
    };
    match business.get("kind").and_then(Value::as_u64) {
        Some(3) if !lists("replaces") => vec![REPLACEMENT_WITHOUT_LIST.at("/business/replaces", &[])],
        Some(2) if !lists("receivers") && !has_element(payload, &CHANGES) => {
            vec![UPDATE_WITHOUT_CHANGES.at("/business/receivers", &[])]
        }
        _ => Vec::new(),
    }
}

/// V12: reports of the national centre for cyber security reuse the header of a document.
pub(super) fn antivirus_report(payload: &Value) -> Vec<Broken> {
    if has_element(payload, &[REPORT]) {
        vec![ANTIVIRUS_REPORT.at("/xml", &[])]
    } else {
        Vec::new()
    }
}

/// As [`Value::pointer`] for the paths above, which have neither indexes nor escapes: each message is asked for all of them.
fn at<'a>(payload: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('/').skip(1).try_fold(payload, |value, name| value.get(name))
}

/// Does the packet that came have an element of one of these local names? An element is `[name, [attribute, …], child, …]`.
fn has_element(payload: &Value, names: &[&str]) -> bool {
    let mut open: Vec<&Value> = payload.get("xml").into_iter().collect();
    while let Some(value) = open.pop() {
        let Some(list) = value.as_array() else { continue };
        let name = list.first().and_then(Value::as_str).unwrap_or_default();
        let local = name.rsplit(':').next().unwrap_or_default();
        if list.get(1).is_some_and(Value::is_array) && names.contains(&local) {
            return true;
        }
        open.extend(list);
    }
    false
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn paths(broken: &[Broken]) -> Vec<&str> {
        broken.iter().map(|broken| broken.path.as_str()).collect()
    }

    #[test]
    fn a_document_bears_what_the_decree_asks_for() {
        let whole = json!({
            "code": {"number": "12", "notation": "STP-VP"}, "promulgation": {"date": "2025-01-02"},
            "type": {"name": "Công văn"}, "subject": "V/v họp", "signer": {"full_name": "Nguyễn Văn Mẫu"},
        });
        assert!(filled(&whole).is_empty());
        assert_eq!(paths(&filled(&json!({}))), BORNE);
        let mut part = whole;
        part["subject"] = json!("  ");
        part["signer"]["full_name"] = json!("n/a");
        part["type"]["name"] = json!(" N/A ");
        assert_eq!(paths(&filled(&part)), ["/type/name", "/subject", "/signer/full_name"]);
    }

    #[test]
    fn the_day_after_tomorrow_lies_ahead() {
        let today = DocumentDate::parse_iso("2026-11-30").unwrap();
        let document = |day: &str| json!({"promulgation": {"date": day}});
        assert!(not_ahead(&document("2026-12-01"), today).is_empty());
        assert_eq!(
            paths(&not_ahead(&document("2026-12-02"), today)),
            ["/promulgation/date"]
        );
        let status = |time: &str| json!({ "timestamp": time });
        assert!(not_ahead(&status("2026-12-01T23:59:59+07:00"), today).is_empty());
        assert_eq!(
            paths(&not_ahead(&status("2026-12-02T00:00:00+07:00"), today)),
            ["/timestamp"]
        );
        assert!(
            not_ahead(&document("mai"), today).is_empty(),
            "no date: told by the schema"
        );
        assert!(not_ahead(&document("ngày mười hai tháng một"), today).is_empty());
    }

    #[test]
    fn a_replacement_and_an_update_say_what_changes() {
        let kind = |kind: u8| json!({"business": {"kind": kind}});
        assert!(says_what_changes(&kind(0)).is_empty() && says_what_changes(&kind(1)).is_empty());
        assert_eq!(paths(&says_what_changes(&kind(3))), ["/business/replaces"]);
        assert_eq!(paths(&says_what_changes(&kind(2))), ["/business/receivers"]);
        let mut update = kind(2);
        update["xml"] = json!([["edXML", [], ["e:BussinessDocumentInfo", [], "x"]]]);
        assert!(says_what_changes(&update).is_empty());
        let mut replacement = kind(3);
        replacement["business"]["replaces"] = json!([{"document_id": "H62.11,2025/01/02,1/STP"}]);
        assert!(says_what_changes(&replacement).is_empty());
    }

    #[test]
    fn a_report_on_malware_is_seen_and_a_text_of_that_name_is_not() {
        let packet = |child: Value| json!({"xml": [["edXML", ["a", "AVReport"], child]]});
        assert_eq!(paths(&antivirus_report(&packet(json!(["AVReport", []])))), ["/xml"]);
        assert!(antivirus_report(&packet(json!("AVReport"))).is_empty());
    }
}

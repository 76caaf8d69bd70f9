//! The answer envelope: exact spelling, no nulls, both `DocId` and `data` in every failure, short texts in ASCII.
//!
//! Source: vxp-wire.md 1 (facts 7 to 11) and 4.

use std::fmt::Write as _;

use bytes::Bytes;
use http::StatusCode;
use lgsp_types::{ReasonCode, Refusal};
use serde::Serialize;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::body::{Content, Packet};
use super::call::Proven;
use super::head::Verdict;
use super::reason::{self, error_code};
use super::route::Operation;

/// Longest `ErrorDesc`, in characters; refusals that do not fit are counted.
const ERROR_DESC_MAX: usize = 400;
/// Room kept for the count of what did not fit.
const MORE_MAX: usize = 16;
/// The axis' own word for success.
const SUCCESS: &str = "Thanh cong";

/// Before and behind the base64 text of a packet.
pub(super) const PACKET_BEFORE: &str = r#"{"status":"OK","ErrorCode":"0","ErrorDesc":"Thanh cong","data":""#;
pub(super) const PACKET_BEHIND: &str = r#""}"#;

const JSON: &str = "application/json; charset=utf-8";
const BINARY: &str = "application/octet-stream";
const TEXT: &str = "text/plain; charset=utf-8";

/// What goes back to a caller.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) media_type: &'static str,
    pub(super) content: Content,
    /// Nothing more is read from this connection.
    pub(super) closes: bool,
}

impl Answer {
    pub(super) fn json(text: Vec<u8>) -> Self {
        Self::new(StatusCode::OK, JSON, Content::Text(Bytes::from(text)))
    }

    /// The packet inside the JSON of getEdoc.
    pub(super) fn json_packet(packet: Packet) -> Self {
        Self::new(StatusCode::OK, JSON, Content::Packet(packet))
    }

    /// The packet as it is.
    pub(super) fn packet(packet: Packet) -> Self {
        Self::new(StatusCode::OK, BINARY, Content::Packet(packet))
    }

    /// A failure, told as the operation's caller can read it: the SDK takes anything from downloadEdoc for a packet.
    pub(super) fn failed(operation: Operation, refusals: &[Refusal], proven: Option<&Proven>) -> Self {
        if operation == Operation::DownloadEdoc {
            return Self::new(StatusCode::OK, BINARY, Content::Text(Bytes::new()));
        }
        let from = proven.and_then(|proven| proven.signed.get("from"));
        let system = proven.map(|proven| proven.caller.system.as_str());
        let reason = refusals
            .first()
            .map_or(reason::UNAVAILABLE, |refusal| refusal.code.clone());
        Self::json(failed(&reason, &error_desc(refusals, from, system)))
    }

    /// No call came through; nothing of the SDK's kind was sent.
    pub(super) fn verdict(verdict: Verdict) -> Self {
        let (status, text) = match verdict {
            Verdict::Malformed => (
                StatusCode::BAD_REQUEST,
                "HTTP_MALFORMED at /: no HTTP/1.1 request with one Host and one length; send it as RFC 9112 says\n",
            ),
            Verdict::HeadTooLarge => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "HEADERS_TOO_LARGE at /headers: the headers are too many or too large; send fewer\n",
            ),
        };
        Self::new(status, TEXT, Content::Text(Bytes::from_static(text.as_bytes()))).closing(true)
    }

    pub(super) fn method_not_allowed() -> Self {
        let text = "METHOD_NOT_ALLOWED at /: the axis does not know the method; use POST\n";
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            TEXT,
            Content::Text(Bytes::from_static(text.as_bytes())),
        )
    }

    fn new(status: StatusCode, media_type: &'static str, content: Content) -> Self {
        Self {
            status,
            media_type,
            content,
            closes: false,
        }
    }

    pub(super) fn closing(self, closes: bool) -> Self {
        Self {
            closes: self.closes || closes,
            ..self
        }
    }
}

#[derive(Serialize)]
struct Envelope<'a, D> {
    status: &'static str,
    #[serde(rename = "ErrorCode")]
    error_code: &'static str,
    #[serde(rename = "ErrorDesc")]
    error_desc: &'a str,
    #[serde(rename = "DocId", skip_serializing_if = "Option::is_none")]
    doc_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<D>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<usize>,
}

impl<D> Envelope<'_, D> {
    const OK: Self = Self {
        status: "OK",
        error_code: "0",
        error_desc: SUCCESS,
        doc_id: None,
        data: None,
        count: None,
    };
}

fn written<D: Serialize>(envelope: &Envelope<'_, D>) -> Vec<u8> {
    // Texts, numbers and lists of texts: there is nothing in them that JSON could not hold.
    serde_json::to_vec(envelope).unwrap_or_default()
}

pub(super) fn done() -> Vec<u8> {
    written(&Envelope::<&str>::OK)
}

/// An accepted packet. Pure ASCII, as the SDK reads it.
pub(super) fn sent(doc_id: &str) -> Vec<u8> {
    written(&Envelope::<&str> {
        doc_id: Some(doc_id),
        ..Envelope::OK
    })
}

pub(super) fn rows<R: Serialize>(rows: &[R]) -> Vec<u8> {
    written(&Envelope {
        data: Some(rows),
        ..Envelope::OK
    })
}

pub(super) fn count(count: usize) -> Vec<u8> {
    written(&Envelope::<&str> {
        count: Some(count),
        ..Envelope::OK
    })
}

/// A failure of any operation. Pure ASCII.
pub(super) fn failed(reason: &ReasonCode, error_desc: &str) -> Vec<u8> {
    written(&Envelope {
        status: "FAIL",
        error_code: error_code(reason),
        error_desc: &ascii(error_desc),
        doc_id: Some(""),
        data: Some(""),
        count: None,
    })
}

/// The refusals as one text, as many as fit. A sender that is not the system's begins with the real axis' words.
pub(super) fn error_desc(refusals: &[Refusal], from: Option<&str>, system: Option<&str>) -> String {
    let mut text = String::new();
    let is_sender = |refusal: &Refusal| refusal.code.as_str().starts_with("SENDER_");
    if let (Some(from), Some(system), true) = (from, system, refusals.first().is_some_and(is_sender)) {
        let _written = write!(text, "Don vi gui {from} khong dung voi ma da dang ky: {system} | ");
    }
    let mut told = 0;
    for alike in refusals.chunk_by(is_alike) {
        let one = ascii(&together(alike));
        let separator = if told == 0 { "" } else { " | " };
        let room = ERROR_DESC_MAX.saturating_sub(text.len() + separator.len() + MORE_MAX);
        if one.len() <= room {
            text.push_str(separator);
            text.push_str(&one);
        } else if told == 0 {
            text.extend(one.chars().take(room.saturating_sub(3)));
            text.push_str("...");
        } else {
            let _written = write!(text, " | +{} more", refusals.len() - told);
            break;
        }
        told += alike.len();
    }
    text
}

/// The same is wrong with both, in two places.
fn is_alike(one: &Refusal, other: &Refusal) -> bool {
    (&one.code, &one.what, &one.mend) == (&other.code, &other.what, &other.mend)
}

/// Refusals that are alike as one, with every place.
fn together(alike: &[Refusal]) -> String {
    let Some((first, rest)) = alike.split_first() else {
        return String::new();
    };
    let mut all = first.clone();
    for other in rest {
        let _written = write!(all.path, ", {}", other.path);
    }
    all.to_string()
}

/// Vietnamese without its marks; what is still no printable ASCII becomes `?`.
fn ascii(text: &str) -> String {
    text.nfd()
        .filter(|letter| !is_combining_mark(*letter))
        .map(|letter| match letter {
            'đ' => 'd',
            'Đ' => 'D',
            ' '..='~' => letter,
            _ => '?',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::edxml_vxp::server::reason::{PARAMETER_INVALID, SIGNATURE_INVALID};

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn answers_are_written_to_the_letter() {
        assert_eq!(
            text(done()),
            r#"{"status":"OK","ErrorCode":"0","ErrorDesc":"Thanh cong"}"#
        );
        assert_eq!(
            text(sent("f25fd32f-ebad-45c4-a13f-be31a65e70d7")),
            r#"{"status":"OK","ErrorCode":"0","ErrorDesc":"Thanh cong","DocId":"f25fd32f-ebad-45c4-a13f-be31a65e70d7"}"#
        );
        assert_eq!(
            text(rows::<&str>(&[])),
            r#"{"status":"OK","ErrorCode":"0","ErrorDesc":"Thanh cong","data":[]}"#
        );
        assert_eq!(
            text(count(2)),
            r#"{"status":"OK","ErrorCode":"0","ErrorDesc":"Thanh cong","count":2}"#
        );
        assert_eq!(
            text(failed(&SIGNATURE_INVALID, "Sai chữ ký \"x\"")),
            r#"{"status":"FAIL","ErrorCode":"15","ErrorDesc":"Sai chu ky \"x\"","DocId":"","data":""}"#
        );
        let packet = format!("{PACKET_BEFORE}PGE+{PACKET_BEHIND}");
        assert_eq!(
            packet,
            r#"{"status":"OK","ErrorCode":"0","ErrorDesc":"Thanh cong","data":"PGE+"}"#
        );
    }

    #[test]
    fn a_foreign_sender_is_refused_in_the_words_of_the_real_axis() {
        let refusal = Refusal::new(ReasonCode::new("SENDER_NOT_SPOKEN_FOR"), "/From", "no", "ask");
        let told = error_desc(&[refusal], Some("H62.01"), Some("vxp.vinhphuc.01"));
        assert_eq!(
            told,
            "Don vi gui H62.01 khong dung voi ma da dang ky: vxp.vinhphuc.01 | SENDER_NOT_SPOKEN_FOR at /From: no; ask"
        );
    }

    #[test]
    fn refusals_that_do_not_fit_are_counted() {
        let refusal = |nth: usize| Refusal::new(PARAMETER_INVALID, "/To", format!("{nth}{}", "x".repeat(100)), "mend");
        let refusals: Vec<_> = (0..9).map(refusal).collect();
        let told = error_desc(&refusals, None, None);
        assert!(told.ends_with(" | +7 more") && told.len() <= ERROR_DESC_MAX, "{told}");
    }

    proptest! {
        #[test]
        fn no_refusal_makes_a_long_or_accented_text(what in ".{0,600}", path in ".{0,600}", count in 1usize..5) {
            let refusals = vec![Refusal::new(PARAMETER_INVALID, path, what, "mend"); count];
            let told = error_desc(&refusals, None, None);
            prop_assert!(told.len() <= ERROR_DESC_MAX && told.is_ascii());
            let answer = failed(&PARAMETER_INVALID, &told);
            prop_assert!(answer.is_ascii());
            let read: serde_json::Value = serde_json::from_slice(&answer).unwrap();
            prop_assert_eq!(read["ErrorDesc"].as_str().unwrap(), told);
        }
    }
}

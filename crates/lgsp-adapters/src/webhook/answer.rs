//! What an answer means: only the receiver's own word that it has the delivery makes it delivered.

use std::time::Duration;

use bytes::Bytes;
use jiff::fmt::rfc2822;
use lgsp_types::{DeliveryId, Evidence, EvidenceKind, Pushed, ReasonCode, UnixMs};
use serde::Deserialize;

use super::call::Answer;

/// A redirect: whoever moved has to be called at its new address by the registry.
const REDIRECTED: ReasonCode = ReasonCode::new("REDIRECTED");
/// 2xx with something else than the receiver's word about this delivery, such as an error page.
const ANSWER_UNKNOWN: ReasonCode = ReasonCode::new("ANSWER_UNKNOWN");
/// 2xx with a body of more than 64 KiB.
const ANSWER_TOO_LARGE: ReasonCode = ReasonCode::new("ANSWER_TOO_LARGE");
/// Refused without a reason.
const RECEIVER_REFUSED: ReasonCode = ReasonCode::new("RECEIVER_REFUSED");

/// The receiver's word; more members may stand beside these.
#[derive(Debug, Deserialize)]
struct Word {
    delivery_id: DeliveryId,
    outcome: Outcome,
    #[serde(default)]
    reason: Option<ReasonCode>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Done,
    Refused,
}

/// Judges an answer. `now`: for a `Retry-After` that names a moment.
pub(super) fn judge(delivery: DeliveryId, answer: Answer, now: UnixMs) -> Pushed {
    let again = |reason, after| Pushed::TryAgain { reason, after };
    let about_this = |body: &Bytes| {
        let word: Option<Word> = serde_json::from_slice(body).ok();
        word.filter(|word| word.delivery_id == delivery)
    };
    let word = answer.body.as_ref().and_then(about_this);
    let refused = |word: Option<Word>, or: ReasonCode| Pushed::Refused(word.and_then(|word| word.reason).unwrap_or(or));
    match (answer.status.as_u16(), word) {
        (200..=299, Some(word)) if word.outcome == Outcome::Done => Pushed::Done(Evidence {
            kind: EvidenceKind::Answer,
            key_id: String::new(),
            proof: Bytes::new(),
            signed: answer.body.unwrap_or_default(),
        }),
        (200..=299, Some(word)) => refused(Some(word), RECEIVER_REFUSED),
        (200..=299, None) if answer.body.is_none() => again(ANSWER_TOO_LARGE, None),
        (200..=299, None) => again(ANSWER_UNKNOWN, None),
        (300..=399, _) => again(REDIRECTED, None),
        (status @ (400 | 410 | 422), word) => {
            let word = word.filter(|word| word.outcome == Outcome::Refused);
            refused(word, of_status(status))
        }
        (status @ (429 | 503), _) => again(of_status(status), after(answer.retry_after.as_deref(), now)),
        (status, _) => again(of_status(status), None),
    }
}

/// `HTTP_404`.
fn of_status(status: u16) -> ReasonCode {
    ReasonCode::parse(&format!("HTTP_{status}")).unwrap_or(ANSWER_UNKNOWN)
}

/// Seconds, or a moment. Source: RFC 9110, section 10.2.3.
fn after(text: Option<&str>, now: UnixMs) -> Option<Duration> {
    let text = text?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let moment = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    let moment_ms = u64::try_from(moment.as_millisecond()).ok()?;
    Some(Duration::from_millis(moment_ms.saturating_sub(now.0)))
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    const ID: &str = "07070707-0707-0707-0707-070707070707";

    fn judged(status: u16, retry_after: Option<&str>, body: &str) -> Pushed {
        let answer = Answer {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: retry_after.map(str::to_owned),
            body: Some(Bytes::from(body.to_owned())),
        };
        judge(
            DeliveryId::from_bytes([7; 16]),
            answer,
            UnixMs(1_445_412_480_000 - 60_000),
        )
    }

    fn said(pushed: &Pushed) -> (&str, &str, Option<u64>) {
        match pushed {
            Pushed::Done(_) => ("done", "", None),
            Pushed::Refused(reason) => ("refused", reason.as_str(), None),
            Pushed::TryAgain { reason, after } => ("again", reason.as_str(), after.map(|after| after.as_secs())),
        }
    }

    #[test]
    fn only_the_receivers_word_about_this_delivery_ends_it() {
        let done = format!(r#"{{"delivery_id":"{ID}","outcome":"done","number":"12/SVB"}}"#);
        let Pushed::Done(evidence) = judged(200, None, &done) else {
            panic!()
        };
        assert_eq!(evidence.kind, EvidenceKind::Answer);
        assert_eq!(evidence.signed, done.as_bytes(), "its very words");
        let refused = format!(r#"{{"delivery_id":"{ID}","outcome":"refused","reason":"FORM_UNKNOWN"}}"#);
        let bare = format!(r#"{{"delivery_id":"{ID}","outcome":"refused"}}"#);
        let bad = format!(r#"{{"delivery_id":"{ID}","outcome":"refused","reason":"no code"}}"#);
        let twice = format!(r#"{{"delivery_id":"{ID}","outcome":"done","outcome":"refused"}}"#);
        let other = done.replace("07070707-0", "08070707-0");
        for (status, body, expected) in [
            (201, done.as_str(), ("done", "")),
            (200, &refused, ("refused", "FORM_UNKNOWN")),
            (200, &bare, ("refused", "RECEIVER_REFUSED")),
            (200, &bad, ("again", "ANSWER_UNKNOWN")),
            (200, &twice, ("again", "ANSWER_UNKNOWN")),
            (200, &other, ("again", "ANSWER_UNKNOWN")),
            (200, "<html>Service unavailable</html>", ("again", "ANSWER_UNKNOWN")),
            (200, "", ("again", "ANSWER_UNKNOWN")),
            (204, "", ("again", "ANSWER_UNKNOWN")),
            (302, &done, ("again", "REDIRECTED")),
            (307, "", ("again", "REDIRECTED")),
            (400, "", ("refused", "HTTP_400")),
            (410, "gone", ("refused", "HTTP_410")),
            (422, &refused, ("refused", "FORM_UNKNOWN")),
            (422, &done, ("refused", "HTTP_422")),
            (401, "", ("again", "HTTP_401")),
            (404, &refused, ("again", "HTTP_404")),
            (413, "", ("again", "HTTP_413")),
            (500, &done, ("again", "HTTP_500")),
        ] {
            let pushed = judged(status, None, body);
            let (outcome, reason, after) = said(&pushed);
            assert_eq!(((outcome, reason), after), (expected, None), "{status} {body}");
        }
    }

    #[test]
    fn a_receiver_may_say_when_to_come_again() {
        for (status, retry_after, after) in [
            (429, Some("17"), Some(17)),
            (503, Some(" 5 "), Some(5)),
            (503, Some("Wed, 21 Oct 2015 07:28:00 GMT"), Some(60)),
            (503, Some("Tue, 20 Oct 2015 07:28:00 GMT"), Some(0)),
            (503, Some("soon"), None),
            (503, Some("-1"), None),
            (503, None, None),
            (500, Some("17"), None),
        ] {
            assert_eq!(
                said(&judged(status, retry_after, "")).2,
                after,
                "{status} {retry_after:?}"
            );
        }
    }
}

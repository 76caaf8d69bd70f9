//! Where documents stand, as people read it.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::Value;

use crate::operations::{list, text};

/// A date that a document may not have.
pub(super) fn day_of(date: &str) -> &str {
    if date.is_empty() { "no date" } else { date }
}

/// One addressee, and what it owes or was late with.
pub(super) fn print(out: &mut impl Write, addressee: &Value) -> io::Result<()> {
    let to = addressee.get("to").unwrap_or(&Value::Null);
    let late = if addressee.get("late") == Some(&Value::Bool(true)) {
        ", LATE"
    } else {
        ""
    };
    let state = text(addressee, "state");
    writeln!(out, "  at {} ({}): {state}{late}", text(to, "name"), text(to, "code"))?;
    for duty in list(addressee, "duties") {
        let late_ms = duty.get("late_ms").and_then(Value::as_u64).unwrap_or(0);
        let (by, met) = (minute_of(text(duty, "deadline")), text(duty, "met"));
        let name = text(duty, "duty");
        match (met, late_ms) {
            ("", 0) => writeln!(out, "     has to {name} by {by}")?,
            ("", late) => writeln!(out, "     had to {name} by {by}: late by {}", span(late))?,
            (_, 0) => {}
            (met, late) => writeln!(
                out,
                "     had to {name} by {by}, did at {}: late by {}",
                minute_of(met),
                span(late)
            )?,
        }
    }
    Ok(())
}

/// The document of a trace: its line, each addressee, and all that was said in the order in which it came.
pub(super) fn print_document(out: &mut impl Write, document: &Value) -> io::Result<()> {
    let name = match text(document, "document") {
        "" => text(document, "id"),
        code => code,
    };
    let issuer = document.get("issuer").filter(|issuer| !issuer.is_null());
    let from = match issuer {
        Some(issuer) => format!("from {} ({})", text(issuer, "name"), text(issuer, "code")),
        None => "NEVER SEEN HERE".to_owned(),
    };
    writeln!(out, "\nlife of {name} of {}, {from}", day_of(text(document, "date")))?;
    for (list_name, words) in [("replaces", "replaces"), ("replaced_by", "is replaced by")] {
        for other in list(document, list_name).iter().filter_map(Value::as_str) {
            writeln!(out, "  {words} {other}")?;
        }
    }
    for addressee in list(document, "addressees") {
        print(out, addressee)?;
    }
    for saying in list(document, "said") {
        print_saying(out, saying)?;
    }
    Ok(())
}

fn print_saying(out: &mut impl Write, saying: &Value) -> io::Result<()> {
    let from = saying.get("from").unwrap_or(&Value::Null);
    let flags: Vec<&str> = list(saying, "flags").iter().filter_map(Value::as_str).collect();
    let flagged = if flags.is_empty() {
        String::new()
    } else {
        format!("  [{}]", flags.join(", "))
    };
    let (said, accepted) = (text(saying, "said"), text(saying, "accepted"));
    let own = if said == accepted {
        String::new()
    } else {
        format!(" (says {})", minute_of(said))
    };
    writeln!(
        out,
        "  {accepted}{own}  {}, {}{flagged}",
        what_is_said(text(saying, "what")),
        text(from, "name"),
    )
}

/// The words of the field for what is said of a document. Source: vietnam.md 1.5 and 1.12.
fn what_is_said(what: &str) -> &str {
    match what {
        "is" => "sent, gửi văn bản",
        "recalls" => "recalled, thu hồi",
        "updates" => "updated, cập nhật",
        "replaces" => "replaced by another, thay thế",
        "answers" => "answered by a document, văn bản phúc đáp",
        "has-its-number" => "another document has its number, trùng số",
        "01" => "01 arrived, đã đến",
        "02" => "02 refused, từ chối tiếp nhận",
        "03" => "03 registered, đã tiếp nhận",
        "04" => "04 assigned, phân công",
        "05" => "05 in progress, đang xử lý",
        "06" => "06 done, hoàn thành",
        "13" => "13 asked back, lấy lại",
        "15" => "15 agreed, đồng ý",
        "16" => "16 declined, từ chối",
        other => other,
    }
}

/// A moment to the minute.
fn minute_of(moment: &str) -> String {
    moment
        .chars()
        .take("2026-01-31T07:30".len())
        .collect::<String>()
        .replace('T', " ")
}

fn span(ms: u64) -> String {
    let minutes = Duration::from_millis(ms).as_secs() / 60;
    let (days, hours) = (minutes / (24 * 60), minutes / 60 % 24);
    match (days, hours) {
        (0, 0) => format!("{} min", minutes.max(1)),
        (0, hours) => format!("{hours} h {} min", minutes % 60),
        (days, hours) => format!("{days} d {hours} h"),
    }
}

//! V10: a mark of state secrecy in any text of a document. Such documents never enter the exchange.
//!
//! Source: Decision 28/2018/QD-TTg; exchange.md 5.3: a mark is a whole field, or stands in capitals in brackets or at the
//! start of a field before `:` `.` `-` `)`; it is never a word inside of "bảo mật" or "mật khẩu".

use lgsp_types::fold;
use serde_json::Value;

use crate::catalogue::{Broken, SECRECY_MARK, escaped};
use crate::check::FINDINGS_MAX;

/// In NFC, the longest first, so that a longer one is not taken for a shorter.
const MARKS: [&str; 3] = ["TUYỆT MẬT", "TỐI MẬT", "MẬT"];
/// The field that holds a packet as it was written; the typed fields are a reading of it.
const PACKET: &str = "xml";

/// Every text that bears a mark; those of the packet as written only where no typed field bears one.
pub(super) fn marks(payload: &Value) -> Vec<Broken> {
    let mut search = Search::default();
    for (name, value) in payload.as_object().into_iter().flatten() {
        if name != PACKET {
            search.within(Step::Name(name), |search| search.value(value));
        }
    }
    if let (true, Some(packet)) = (search.found.is_empty(), payload.get(PACKET)) {
        search.within(Step::Name(PACKET), |search| search.packet(packet));
    }
    search.found
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Name(&'a str),
    Index(usize),
}

/// Where we are, put into words only where a mark is found: almost nowhere.
#[derive(Default)]
struct Search<'a> {
    steps: Vec<Step<'a>>,
    found: Vec<Broken>,
}

impl<'a> Search<'a> {
    fn within(&mut self, step: Step<'a>, look: impl FnOnce(&mut Self)) {
        self.steps.push(step);
        look(self);
        self.steps.pop();
    }

    fn value(&mut self, value: &'a Value) {
        match value {
            Value::String(text) => self.text(text),
            Value::Array(items) => {
                for (nth, item) in items.iter().enumerate() {
                    self.within(Step::Index(nth), |search| search.value(item));
                }
            }
            Value::Object(fields) => {
                for (name, value) in fields {
                    self.within(Step::Name(name), |search| search.value(value));
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// As [`Self::value`]; what an element says is all of its own text together, comments and sections between it or not.
    fn packet(&mut self, value: &'a Value) {
        let Some(list) = value.as_array() else {
            return;
        };
        let mut texts = list.iter().skip(2).filter_map(own_text);
        match (texts.next(), texts.next()) {
            (Some(only), None) => self.text(only),
            (Some(first), Some(second)) => {
                let all: String = [first, second].into_iter().chain(texts).collect();
                self.text(&all);
            }
            (None, _) => {}
        }
        for (nth, child) in list.iter().enumerate() {
            self.within(Step::Index(nth), |search| search.packet(child));
        }
    }

    fn text(&mut self, text: &str) {
        if is_marked(text) && self.found.len() <= FINDINGS_MAX {
            let steps = self.steps.iter().map(|step| match step {
                Step::Name(name) => format!("/{}", escaped(name)),
                Step::Index(nth) => format!("/{nth}"),
            });
            self.found.push(SECRECY_MARK.at(steps.collect::<String>(), &[]));
        }
    }
}

fn own_text(child: &Value) -> Option<&str> {
    child.as_str().or_else(|| child.get("cdata")?.as_str())
}

fn is_marked(text: &str) -> bool {
    // Almost no text has the word at all; texts come in NFC.
    if text.is_ascii() || !text.contains(['Ậ', 'ậ']) {
        return false;
    }
    let whole = fold(text).split_whitespace().collect::<Vec<_>>().join(" ");
    let capitals = text.split_whitespace().collect::<Vec<_>>().join(" ");
    MARKS.iter().any(|mark| {
        whole == *mark
            || capitals.strip_prefix(mark).is_some_and(|rest| {
                let rest = rest.trim_start();
                rest.starts_with([':', '.', '-', '–', '—', ')'])
            })
            || [('(', ')'), ('[', ']'), ('{', '}')]
                .iter()
                .any(|brackets| stands_within(&capitals, mark, *brackets))
    })
}

/// `(MẬT)`, also with blanks inside.
fn stands_within(text: &str, mark: &str, (open, close): (char, char)) -> bool {
    text.split(open).skip(1).any(|rest| {
        let inner = rest.trim_start().strip_prefix(mark);
        inner.is_some_and(|rest| rest.trim_start().starts_with(close))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_mark_is_a_whole_field_or_capitals_at_its_place() {
        for text in [
            "MẬT",
            "mật",
            " Tối  mật ",
            "tuyệt mật",
            "TUYỆT\u{a0}MẬT",
            "MẬT: Kế hoạch",
            "MẬT - Kế hoạch",
            "TỐI MẬT. Kế hoạch",
            "TỐI MẬT) Kế hoạch",
            "TUYỆT MẬT – Phương án",
            "V/v phương án (MẬT)",
            "V/v phương án [ TỐI MẬT ]",
            "MẬT.pdf",
        ] {
            assert!(is_marked(text), "{text}");
        }
    }

    #[test]
    fn a_word_within_others_is_no_mark() {
        for text in [
            "V/v bảo mật thông tin",
            "BẢO MẬT: hướng dẫn",
            "Mật khẩu của hệ thống",
            "MẬT KHẨU: cách đặt",
            "MẬT ĐỘ XÂY DỰNG",
            "Mật ong - sản phẩm OCOP",
            "mật: ghi chú",
            "(bảo mật)",
            "(mật)",
            "(BẢO MẬT)",
            "V/v công tác bảo vệ bí mật nhà nước",
            "MAT",
            "",
        ] {
            assert!(!is_marked(text), "{text}");
        }
    }

    #[test]
    fn every_text_is_looked_at_and_told_by_its_place() {
        let paths = |payload: &Value| marks(payload).into_iter().map(|broken| broken.path).collect::<Vec<_>>();
        let typed = json!({
            "subject": "TỐI MẬT: x", "other": {"appendixes": ["a", "MẬT"]}, "attachments": [{"name": "MẬT.pdf"}],
            "xml": [["edXML", [], ["Subject", [], "TỐI MẬT: x"]]],
        });
        assert_eq!(
            paths(&typed),
            ["/attachments/0/name", "/other/appendixes/1", "/subject"]
        );
        let only_written = json!({"xml": [["edXML", [], ["Level", [], "M", {"comment": "x"}, {"cdata": "ẬT"}]]]});
        assert_eq!(paths(&only_written), ["/xml/0/2"]);
    }
}

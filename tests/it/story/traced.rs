//! What joins the log of a façade with a message: the trace that both name.

use super::*;

#[test]
pub(crate) fn the_line_of_a_call_names_the_trace_of_the_message_that_it_sent() {
    let node = Node::start(Home::new());
    let doc_id = INFORMATION
        .desk(&node)
        .send(&written(&INFORMATION.letter("61", &[JUSTICE])));
    doc_id.unwrap();
    let told = traced(&node, "61/THU-NGHIEM");
    let trace = text(&list(&told, "messages")[0], "trace_id").to_owned();
    assert_eq!(trace.len(), 32);
    let log = if node.home().is_outside() {
        node.outside().log()
    } else {
        node.log()
    };
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let answered = lines
        .filter(|line| line["message"] == "answered")
        .find(|line| line["span"]["operation"] == "sendEdoc");
    assert_eq!(answered.unwrap()["span"]["trace"], trace, "{log}");
    let shown = node.lgsp(&["trace", "61/THU-NGHIEM"]);
    assert!(shown.out.contains(&format!(", trace {trace}")), "{shown:?}");
}

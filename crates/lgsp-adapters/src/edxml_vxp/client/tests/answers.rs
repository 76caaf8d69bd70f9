//! How answers are read: framings, the envelope's rules, what each version of the SDK makes of bad ones.

use super::{Axis, Step, http, ok};
use crate::edxml_vxp::client::MessageType::Edoc;
use crate::edxml_vxp::client::SdkVersion::{V2_0_0, V2_0_1};
use crate::edxml_vxp::client::answer::CallError;
use crate::edxml_vxp::client::source::Source;

const ROW: &str = r#"{"docId":"96d3df06","from":"H62.01","status_desc":"Đã đến","more":[1,{}]}"#;

fn list_of(row: &str) -> String {
    format!(r#"{{"status":"OK","ErrorCode":0,"ErrorDesc":"Thanh cong","data":[{row}]}}"#)
}

fn refused(code: &str) -> String {
    format!(r#"{{"status":"FAIL","ErrorCode":"{code}","ErrorDesc":"Không tìm thấy","DocId":"","data":""}}"#)
}

#[test]
fn the_three_framings_of_an_answer_are_the_same_list() {
    let list = list_of(ROW);
    let (left, right) = list.split_at(20);
    let chunked = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x};a=b\r\n{left}\r\n{:X}\r\n{right}\r\n0\r\nT: 1\r\n\r\n",
        left.len(),
        right.len()
    );
    for answer in [
        ok(&list),
        chunked.into_bytes(),
        format!("HTTP/1.0 500 No\r\n\r\n{list}").into_bytes(),
    ] {
        let axis = Axis::playing(vec![Step::Answer(answer)]);
        let rows = axis.service().received_list(Edoc).unwrap();
        assert_eq!(
            (rows[0].doc_id.as_str(), rows[0].status_desc.as_str()),
            ("96d3df06", "Đã đến")
        );
        assert_eq!(rows[0].to, "", "left out");
        assert_eq!(axis.seen().len(), 1);
    }
}

#[test]
fn an_answer_cut_in_the_middle_is_noticed_and_not_asked_for_again() {
    let cut = |head: &str| format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{{\"status\"").into_bytes();
    for head in ["Content-Length: 99", "Transfer-Encoding: chunked\r\n\r\n40"] {
        let axis = Axis::playing(vec![
            Step::Answer(cut(head)),
            Step::Answer(cut(head)),
            Step::Answer(cut(head)),
        ]);
        let mut service = axis.service();
        let mut sink = Vec::new();
        assert!(
            matches!(service.received_list(Edoc), Err(CallError::Cut { .. })),
            "{head}"
        );
        assert!(matches!(
            service.download_edoc("1", &mut sink),
            Err(CallError::Cut { .. })
        ));
        let sent = service.send_edoc("H62.01", None, Edoc, Source::Bytes(b"x"));
        assert!(matches!(sent, Err(CallError::Cut { .. })));
        assert!(sink.ends_with(b"{\"status\""), "the partial file stays");
        assert_eq!(axis.seen().len(), 3);
    }
}

#[test]
fn a_download_is_any_body_that_is_not_empty() {
    let page = "<html>404</html>";
    let axis = Axis::playing(vec![Step::Answer(http("404 Not Found", page)), Step::Answer(ok(""))]);
    let mut service = axis.service();
    let mut sink = Vec::new();
    let fetched = service.download_edoc("1", &mut sink).unwrap();
    assert_eq!((fetched.answer.status.as_str(), fetched.size_bytes), ("SUCCESS", 16));
    assert_eq!(sink, page.as_bytes());
    let empty = service.download_edoc("1", &mut sink).unwrap_err();
    assert_eq!(empty.error_code(), Some("100"));
    axis.seen();
}

#[test]
fn a_packet_comes_out_of_json_as_it_went_in() {
    let packet = "\u{feff}<a>Đơn vị</a>\r\n".repeat(20_000);
    use base64::Engine;
    let data = base64::engine::general_purpose::STANDARD
        .encode(&packet)
        .replace('/', "\\/");
    let answer = |tail: &str| {
        ok(&format!(
            r#"{{"data":"{data}","status":"OK","ErrorCode":"{tail}","ErrorDesc":""}}"#
        ))
    };
    let axis = Axis::playing(vec![Step::Answer(answer("0")), Step::Answer(answer("18"))]);
    let mut service = axis.service();
    let mut sink = Vec::new();
    let fetched = service.get_edoc("1", &mut sink).unwrap();
    assert_eq!(fetched.size_bytes, packet.len() as u64);
    assert_eq!(sink, packet.as_bytes());
    let late_refusal = service.get_edoc("1", &mut Vec::new()).unwrap_err();
    assert_eq!(
        late_refusal.error_code(),
        Some("18"),
        "the code may stand behind the data"
    );
    assert_eq!(axis.seen()[0].body, b"{}");
}

#[test]
fn a_refusal_keeps_its_code_and_text() {
    let axis = Axis::playing(
        (0..4)
            .map(|_| Step::Answer(http("404 Not Found", &refused("18"))))
            .collect(),
    );
    let mut service = axis.service();
    let send = service
        .send_edoc("H62.01", None, Edoc, Source::Bytes(b"x"))
        .unwrap_err();
    for error in [
        send,
        service.get_edoc("1", &mut Vec::new()).unwrap_err(),
        service.received_list(Edoc).unwrap_err(),
        service.count_received_edoc().unwrap_err(),
    ] {
        let answer = error.refusal().unwrap();
        assert_eq!((answer.status.as_str(), answer.error_code.as_str()), ("FAIL", "18"));
        assert_eq!(answer.error_desc, "Không tìm thấy");
    }
    axis.seen();
}

#[test]
fn the_answer_to_a_packet_is_read_as_ascii_by_the_newer_sdk_only() {
    let axis = Axis::playing((0..2).map(|_| Step::Answer(ok(&refused("18")))).collect());
    let code_and_text = |version| {
        let mut service = axis.service().version(version);
        let error = service
            .send_edoc("H62.01", None, Edoc, Source::Bytes(b"x"))
            .unwrap_err();
        error.refusal().unwrap().error_desc.clone()
    };
    assert_eq!(
        code_and_text(V2_0_1),
        "Kh\u{fffd}\u{fffd}ng t\u{fffd}\u{fffd}m th\u{fffd}\u{fffd}\u{fffd}y"
    );
    assert_eq!(code_and_text(V2_0_0), "Không tìm thấy");
    axis.seen();
}

#[test]
fn a_refused_packet_without_doc_id_loses_its_code() {
    for (answer, blank) in [
        (ok(r#"{"status":"FAIL","ErrorCode":"15","ErrorDesc":""}"#), true),
        (
            ok(r#"{"status":"FAIL","ErrorCode":"15","ErrorDesc":"","docId":""}"#),
            true,
        ),
        (ok("word"), true),
        (http("202 Accepted", &refused("15")), false),
        (http("500 Oh", ""), false),
        (ok("<html lang=vi>"), false),
    ] {
        let axis = Axis::playing(vec![Step::Answer(answer)]);
        let error = axis
            .service()
            .send_edoc("H62.01", None, Edoc, Source::Bytes(b"x"))
            .unwrap_err();
        assert_eq!(matches!(error, CallError::Blank { .. }), blank, "{error}");
        assert_eq!(matches!(error, CallError::Unreadable { .. }), !blank, "{error}");
        axis.seen();
    }
}

#[test]
fn a_null_kills_the_answer_it_is_in() {
    for list in [
        list_of(ROW).replace("\"Thanh cong\"", "null"),
        list_of(&ROW.replace("\"H62.01\"", "null")),
        list_of(&ROW.replace("\"H62.01\"", "[1,2]")),
        list_of("null"),
        list_of(ROW).replace("\"status\":", "\"Status\":"),
        r#"{"status":"OK","ErrorCode":"0","ErrorDesc":"","data":{}}"#.to_owned(),
    ] {
        let axis = Axis::answering(&list);
        assert!(
            matches!(axis.service().received_list(Edoc), Err(CallError::Unreadable { .. })),
            "{list}"
        );
        axis.seen();
    }
    let axis = Axis::answering(&list_of(&ROW.replace("\"H62.01\"", "[\"one\"]")));
    assert_eq!(axis.service().received_list(Edoc).unwrap()[0].from, "one");
    axis.seen();
}

#[test]
fn a_page_of_html_is_an_empty_list_for_the_newer_sdk_and_nothing_for_the_older() {
    let html = "<html><body class=\"x\">Bad gateway</body></html>";
    let axis = Axis::playing((0..3).map(|_| Step::Answer(http("502 Bad Gateway", html))).collect());
    assert!(axis.service().version(V2_0_1).received_list(Edoc).unwrap().is_empty());
    assert!(matches!(
        axis.service().version(V2_0_0).received_list(Edoc),
        Err(CallError::Unreadable { .. })
    ));
    assert!(matches!(
        axis.service().version(V2_0_1).agencies(),
        Err(CallError::Unreadable { .. })
    ));
    axis.seen();
}

#[test]
fn the_older_sdk_loses_a_refusal_without_data_and_lacks_four_calls() {
    let without_data = r#"{"status":"FAIL","ErrorCode":"18","ErrorDesc":""}"#;
    let axis = Axis::playing((0..2).map(|_| Step::Answer(ok(without_data))).collect());
    let mut older = axis.service().version(V2_0_0);
    assert!(matches!(
        older.get_edoc("1", &mut Vec::new()),
        Err(CallError::Blank { .. })
    ));
    let newer = axis.service().get_edoc("1", &mut Vec::new()).unwrap_err();
    assert_eq!(newer.error_code(), Some("18"));
    axis.seen();
    let missing = |result: Result<(), CallError>| matches!(result, Err(CallError::NotInThisVersion { .. }));
    assert!(missing(older.download_edoc("1", &mut Vec::new()).map(drop)));
    assert!(missing(older.agencies_qd20("1").map(drop)));
    assert!(missing(older.count_received_edoc().map(drop)));
    assert!(missing(older.count_received_status().map(drop)));
}

#[test]
fn counts_wrap_at_32_bits_and_catalogues_have_their_own_columns() {
    let count = r#"{"status":"OK","ErrorCode":"0","ErrorDesc":"","count":3000000000}"#;
    let agency = r#"{"id":"1","pid":"0","code":"000.00.00.H62","name":"UBND tỉnh","mail":"","oldCode":"H62"}"#;
    let unit = r#"{"id":"1","code":"H62","centerCode":"vxp.01","version":3,"deleted":false,"isAgency":true}"#;
    let sent = r#"{"senderDocId":"a","toCode":"H62.02","receiveStatus":"done"}"#;
    let axis = Axis::playing(vec![
        Step::Answer(ok(count)),
        Step::Answer(ok(&count.replace("3000000000", "2.9"))),
        Step::Answer(ok(&list_of(agency))),
        Step::Answer(ok(&list_of(unit))),
        Step::Answer(ok(&list_of(sent))),
    ]);
    let mut service = axis.service();
    assert_eq!(service.count_received_edoc().unwrap(), -1_294_967_296);
    assert!(matches!(
        service.count_received_status(),
        Err(CallError::Unreadable { .. })
    ));
    assert_eq!(service.agencies().unwrap()[0].old_code, "H62");
    let units = service.synchronize_units().unwrap();
    assert_eq!(
        (units[0].version, units[0].deleted, units[0].is_agency),
        (Some(3), Some(false), Some(true))
    );
    assert_eq!(service.sent_list(Edoc, Some("a")).unwrap()[0].receive_status, "done");
    axis.seen();
}

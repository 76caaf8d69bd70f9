//! What goes over the wire: heads as captured, repeats, `100 Continue`, connections, leaking parameters.

use std::io::Write;
use std::time::{Duration, Instant};

use super::{Axis, Step, http, ok};
use crate::edxml_vxp::client::MessageType::{Edoc, Status};
use crate::edxml_vxp::client::answer::CallError;
use crate::edxml_vxp::client::operation::Operation;
use crate::edxml_vxp::client::raw;
use crate::edxml_vxp::client::source::Source;

const ENVELOPE: &str = r#"{"status":"OK","ErrorCode":"0","ErrorDesc":"Thanh cong"}"#;
const SENT: &str = r#"{"status":"OK","ErrorCode":"0","ErrorDesc":"Thanh cong","DocId":"f25fd32f"}"#;
const NO_ROWS: &str = r#"{"status":"OK","ErrorCode":"0","ErrorDesc":"Thanh cong","data":[]}"#;

#[test]
fn a_packet_goes_out_as_captured_from_the_sdk() {
    let axis = Axis::answering(SENT);
    let answer = axis
        .service()
        .send_edoc("H62.01", Some(&["H62.02", "H62.03"]), Edoc, Source::Bytes(b"x"))
        .unwrap();
    assert_eq!(answer.doc_id.as_deref(), Some("f25fd32f"));
    let host = axis.url.replace("http://", "");
    let seen = axis.seen().pop().unwrap();
    assert_eq!(
        seen.text(),
        format!(
            "POST /sendEdoc HTTP/1.1\r\n\
             Content-Type: application/octet-stream\r\n\
             XroadVnpt-systemid: vxp.vinhphuc.01\r\n\
             XroadVnpt-servicetype: eDoc\r\n\
             XroadVnpt-messagetype: edoc\r\n\
             XroadVnpt-hash-file: 2d711642b726b0441627ca9fbac32f5c853fb1903cc4db2258717921a4881\r\n\
             XroadVnpt-from: H62.01\r\n\
             XroadVnpt-to: [\"H62.02\",\"H62.03\"]\r\n\
             XroadVnpt-timestamp: 23112026T164020+0389\r\n\
             XroadVnpt-Content-Type: application/octet-stream\r\n\
             XroadVnpt-sign-header-key: systemid;servicetype;messagetype;hash-file;from;to;timestamp;Content-Type\r\n\
             XroadVnpt-sign-header: {{\"XroadVnpt-systemid\":\"vxp.vinhphuc.01\",\"XroadVnpt-servicetype\":\"eDoc\",\
             \"XroadVnpt-messagetype\":\"edoc\",\
             \"XroadVnpt-hash-file\":\"2d711642b726b0441627ca9fbac32f5c853fb1903cc4db2258717921a4881\",\
             \"XroadVnpt-from\":\"H62.01\",\"XroadVnpt-to\":\"[\\\"H62.02\\\",\\\"H62.03\\\"]\",\
             \"XroadVnpt-timestamp\":\"23112026T164020+0389\",\"XroadVnpt-Content-Type\":\"application/octet-stream\"}}\r\n\
             XroadVnpt-hash-header: c30535262dc0e92a257a2137970625dc558efee535d3db60c34f43dade0f86c0\r\n\
             User-Agent: JAVASDKAgent/1.0.0 XRoad/VPCP\r\n\
             XroadVnpt-version: 3.0.201608\r\n\
             Cache-Control: no-cache\r\n\
             Pragma: no-cache\r\n\
             Host: {host}\r\n\
             Accept: text/html, image/gif, image/jpeg, */*; q=0.2\r\n\
             Connection: keep-alive\r\n\
             Content-Length: 3\r\n\r\n"
        )
    );
    assert_eq!(seen.body, b"x\r\n");
}

#[test]
fn a_list_goes_out_as_captured_but_for_gzip() {
    let axis = Axis::answering(NO_ROWS);
    axis.service().received_list(Edoc).unwrap();
    let host = axis.url.replace("http://", "");
    let text = axis.seen().pop().unwrap().text();
    let names: Vec<&str> = text
        .lines()
        .skip(1)
        .filter_map(|line| Some(line.split_once(": ")?.0))
        .collect();
    let captured = "XroadVnpt-systemid XroadVnpt-servicetype XroadVnpt-messagetype XroadVnpt-timestamp Content-Type \
                    XroadVnpt-Content-Type XroadVnpt-sign-header-key XroadVnpt-sign-header XroadVnpt-hash-header \
                    User-Agent XroadVnpt-version Content-Length Host Connection";
    assert_eq!(names.join(" "), captured);
    assert!(text.ends_with(&format!(
        "Content-Length: 0\r\nHost: {host}\r\nConnection: Keep-Alive\r\n\r\n"
    )));
}

#[test]
fn a_file_is_followed_by_cr_lf_even_when_it_ends_so() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let packet = [b"<a/>".repeat(50_000), b"\r\n".to_vec()].concat();
    file.write_all(&packet).unwrap();
    let axis = Axis::answering(SENT);
    axis.service()
        .send_edoc("H62.01", None, Edoc, Source::File(file.path()))
        .unwrap();
    let seen = axis.seen().pop().unwrap();
    assert_eq!(seen.value("Content-Length"), Some((packet.len() + 2).to_string()));
    assert_eq!(seen.body, [packet.as_slice(), b"\r\n"].concat());
}

#[test]
fn a_missing_file_is_not_sent() {
    let axis = Axis::answering(NO_ROWS);
    let mut service = axis.service();
    let sent = service.send_edoc("H62.01", None, Edoc, Source::File("/no/such/packet.edxml".as_ref()));
    assert!(matches!(sent, Err(CallError::NotSent { .. })));
    let sent = service.send_edoc("H62\r\n.01", None, Edoc, Source::Bytes(b"x"));
    assert!(
        matches!(sent, Err(CallError::NotSent { source: None, .. })),
        "a line end in a header value"
    );
    service.received_list(Edoc).unwrap();
    assert_eq!(axis.seen().len(), 1);
}

#[test]
fn a_packet_whose_connection_dies_is_repeated_once_with_the_same_bytes() {
    let axis = Axis::playing(vec![Step::Drop, Step::Answer(ok(SENT))]);
    axis.service()
        .send_edoc("H62.01", None, Edoc, Source::Bytes(b"packet"))
        .unwrap();
    let seen = axis.seen();
    assert_eq!((&seen[0].head, &seen[0].body), (&seen[1].head, &seen[1].body));

    let axis = Axis::playing(vec![Step::Drop, Step::Drop]);
    let sent = axis.service().send_edoc("H62.01", None, Edoc, Source::Bytes(b"packet"));
    assert!(matches!(sent, Err(CallError::NoAnswer { requests: 2, .. })));
    assert_eq!(axis.seen().len(), 2);
}

#[test]
fn the_other_calls_are_repeated_as_often_as_retry_says() {
    let axis = Axis::playing(vec![Step::Drop, Step::Drop, Step::Answer(ok(ENVELOPE))]);
    axis.service().update_status("1", "done").unwrap();
    let seen = axis.seen();
    assert_eq!(seen.len(), 3);
    assert_eq!(seen[0].head, seen[2].head);

    let axis = Axis::playing(vec![Step::Drop, Step::Drop]);
    let listed = axis.service().retry(2).received_list(Edoc);
    assert!(matches!(listed, Err(CallError::NoAnswer { requests: 2, .. })));
    assert_eq!(axis.seen().len(), 2);
}

#[test]
fn where_nobody_listens_there_is_no_answer() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let axis = Axis {
        url: format!("http://{closed}"),
        thread: std::thread::spawn(Vec::new),
    };
    assert!(matches!(
        axis.service().agencies(),
        Err(CallError::NoAnswer { requests: 3, .. })
    ));
    let sent = axis.service().send_edoc("H62.01", None, Edoc, Source::Bytes(b"x"));
    assert!(matches!(sent, Err(CallError::NoAnswer { requests: 1, .. })));
}

#[test]
fn only_calls_with_a_small_body_ask_for_100_continue() {
    let axis = Axis::playing(vec![
        Step::Answer(ok(ENVELOPE)),
        Step::Answer(b"HTTP/1.1 200 OK\r\n\r\n<x/>".to_vec()),
    ]);
    let mut service = axis.service();
    service.register_agency("{\"name\":\"Đơn vị thử\"}").unwrap();
    service.download_edoc("1", &mut Vec::new()).unwrap();
    let seen = axis.seen();
    assert!(
        seen[0]
            .text()
            .contains("Connection: Keep-Alive\r\nExpect: 100-continue\r\n\r\n")
    );
    assert_eq!(seen[0].body, "{\"name\":\"Đơn vị thử\"}".as_bytes());
    assert!(seen[1].text().starts_with("GET /downloadEdoc HTTP/1.1\r\n"));
    assert_eq!((seen[1].value("Expect"), seen[1].value("Content-Length")), (None, None));
}

#[test]
fn a_server_that_never_says_100_gets_the_body_after_three_seconds() {
    let axis = Axis::playing(vec![Step::NeverContinue(ok(ENVELOPE))]);
    let begun = Instant::now();
    axis.service().update_status("1", "done").unwrap();
    assert!(
        begun.elapsed() >= Duration::from_millis(2_900),
        "sent after {:?}",
        begun.elapsed()
    );
    assert_eq!(axis.seen()[0].body, b"{}");
}

#[test]
fn a_final_answer_instead_of_100_keeps_the_body_back() {
    let refusal = r#"{"status":"FAIL","ErrorCode":"15","ErrorDesc":"x"}"#;
    let axis = Axis::playing(vec![Step::AnswerHead(http("417 Expectation Failed", refusal))]);
    let refused = axis.service().update_status("1", "done").unwrap_err();
    assert_eq!(refused.error_code(), Some("15"));
    assert_eq!(refused.refusal().unwrap().http_status, 417);
    assert_eq!(axis.seen()[0].body, b"");
}

#[test]
fn parameters_of_earlier_calls_stay_in_later_ones() {
    let axis = Axis::playing(vec![
        Step::AnswerAndKeep(ok(SENT)),
        Step::Answer(ok(SENT)),
        Step::Answer(ok(r#"{"status":"OK","ErrorCode":"0","ErrorDesc":"","data":""}"#)),
        Step::Answer(ok(ENVELOPE)),
        Step::Answer(ok(NO_ROWS)),
    ]);
    let mut service = axis.service();
    service
        .send_edoc("H62.01", Some(&["H62.02"]), Edoc, Source::Bytes(b"x"))
        .unwrap();
    service.send_edoc("H62.01", None, Status, Source::Bytes(b"y")).unwrap();
    service.get_edoc("A", &mut Vec::new()).unwrap();
    service.update_status_lower("B", "done").unwrap();
    service.received_list(Edoc).unwrap();
    let seen = axis.seen();
    assert_eq!(
        seen[1].value("XroadVnpt-to").as_deref(),
        Some("[\"H62.02\"]"),
        "even the addressees stay"
    );
    assert_eq!(
        (seen[0].connection, seen[1].connection, seen[2].connection),
        (1, 1, 2),
        "one kept connection"
    );
    let list = &seen[4];
    assert_eq!(
        list.value("XroadVnpt-sign-header-key").unwrap(),
        "systemid;servicetype;messagetype;hash-file;docId;docid;filePath;from;to;timestamp;Content-Type;status"
    );
    assert_eq!(list.value("XroadVnpt-docId").as_deref(), Some("A"));
    assert_eq!(list.value("XroadVnpt-docid").as_deref(), Some("B"));
    assert_eq!(list.value("XroadVnpt-status").as_deref(), Some("done"));
    assert_eq!(list.value("XroadVnpt-messagetype").as_deref(), Some("edoc"));
    assert!(list.text().contains("\r\nContent-Type: application/json\r\n"));
}

#[test]
fn a_kept_connection_that_has_died_costs_the_one_repeat() {
    let axis = Axis::playing(vec![Step::AnswerAndKeep(ok(SENT)), Step::Drop, Step::Answer(ok(SENT))]);
    let mut service = axis.service();
    for packet in [b"1", b"2"] {
        service.send_edoc("H62.01", None, Edoc, Source::Bytes(packet)).unwrap();
    }
    let seen = axis.seen();
    assert_eq!(seen.iter().map(|seen| seen.connection).collect::<Vec<_>>(), [1, 1, 2]);
    assert_eq!(seen[1].head, seen[2].head);
}

#[test]
fn silence_ends_the_call_at_the_time_limit_without_a_repeat() {
    let axis = Axis::playing(vec![Step::Silence, Step::Silence]);
    let service = || axis.service().time_limit(Some(Duration::from_millis(200)));
    assert!(matches!(service().received_list(Edoc), Err(CallError::Late)));
    let sent = service().send_edoc("H62.01", None, Edoc, Source::Bytes(b"x"));
    assert!(matches!(sent, Err(CallError::Late)));
    assert_eq!(axis.seen().len(), 2);
}

#[test]
fn forgotten_connections_stay_open_until_the_object_goes() {
    let axis = Axis::playing(vec![Step::AnswerAndKeep(ok(NO_ROWS)), Step::Silence]);
    let mut service = axis.service().forget_connections();
    service.received_list(Edoc).unwrap();
    let request = b"POST /x HTTP/1.1\r\n\r\n";
    (&service.forgotten.as_ref().unwrap()[0]).write_all(request).unwrap();
    drop(service);
    let seen = axis.seen();
    assert_eq!(seen[1].head, request, "it was open after the answer");
    assert_eq!(seen[1].connection, 1);
}

#[test]
fn hostile_requests_can_be_signed_wrong_and_sent_raw() {
    let refusal = http(
        "200 OK",
        r#"{"status":"FAIL","ErrorCode":"15","ErrorDesc":"","DocId":""}"#,
    );
    let axis = Axis::playing(vec![Step::Answer(refusal.clone()), Step::Answer(refusal)]);
    let address = axis.url.replace("http://", "").parse().unwrap();
    let mut service = axis.service();
    let parameters = [("servicetype", "eDoc"), ("messagetype", "edoc")];
    let mut headers = service.signed(Operation::GetReceivedEdocList, &parameters);
    headers.sign_header = headers.sign_header.map(|text| text.replace("edoc", "status"));
    headers.hash_header = None;
    let request = service.request(Operation::GetReceivedEdocList, &headers, b"");
    let answer = raw::exchange(address, &request).unwrap();
    assert_eq!((answer.status, answer.headers.len()), (200, 1));
    assert!(answer.body.starts_with(b"{\"status\":\"FAIL\""));
    let (first, rest) = request.split_at(10);
    raw::answer_to(raw::begin(address, first).unwrap(), rest).unwrap();
    let seen = axis.seen();
    assert_eq!(seen[0].head, request);
    assert_eq!(seen[1].head, request);
    assert_eq!(seen[0].value("XroadVnpt-hash-header"), None);
}

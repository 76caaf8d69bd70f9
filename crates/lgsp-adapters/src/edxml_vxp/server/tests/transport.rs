//! Connections that are no friends: framing tricks, slow and silent far sides, cuts, too many of them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use lgsp_types::TraceContext;

use super::*;
use crate::edxml_vxp::client::MessageType::Edoc;
use crate::edxml_vxp::client::operation::Operation;
use crate::edxml_vxp::client::raw;
use crate::edxml_vxp::client::source::Source;

/// A signed getReceivedEdocList, its head to be continued behind these lines.
fn list_request(facade: &Facade, lines: &str) -> Vec<u8> {
    let mut service = facade.service(JUSTICE);
    let operation = Operation::GetReceivedEdocList;
    let headers = service.signed(operation, &[("servicetype", "eDoc"), ("messagetype", "edoc")]);
    let head = String::from_utf8(service.request(operation, &headers, b"")).unwrap();
    head.replace("Content-Length: 0\r\n", lines).into_bytes()
}

/// A signed sendEdoc of this packet, whole.
fn send_request(facade: &Facade, packet: &[u8]) -> Vec<u8> {
    let mut service = facade.service(INFORMATION);
    let hash = Source::Bytes(packet).hash_file().unwrap().0;
    let parameters = [
        ("from", "H62.11"),
        ("messagetype", "edoc"),
        ("hash-file", hash.as_str()),
    ];
    let headers = service.signed(Operation::SendEdoc, &parameters);
    service.request(Operation::SendEdoc, &headers, &[packet, b"\r\n"].concat())
}

fn connect(facade: &Facade) -> TcpStream {
    let stream = TcpStream::connect(facade.address).unwrap();
    stream.set_read_timeout(Some(WAIT)).unwrap();
    stream
}

/// Everything until the connection ends; a reset is an end too.
fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return bytes,
            Ok(read) => bytes.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return bytes,
            Err(error) => panic!("the connection does not end: {error}"),
        }
    }
}

fn rest_of(facade: &Facade, bytes: &[u8]) -> String {
    let mut stream = connect(facade);
    stream.write_all(bytes).unwrap();
    String::from_utf8(rest(&mut stream)).unwrap()
}

/// One answer on a connection that stays open.
fn answer(stream: &mut BufReader<TcpStream>) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(
            stream.read_line(&mut head).unwrap(),
            0,
            "the connection ended in {head:?}"
        );
    }
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .unwrap_or("0");
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}

#[test]
fn nothing_is_smuggled_behind_a_request_that_can_be_read_in_two_ways() {
    let facade = Facade::start();
    let smuggled = list_request(&facade, "Content-Length: 0\r\n");
    for lines in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 0\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 0, 5\r\n",
        "Content-Length: +5\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Content-Length : 0\r\n",
        "Host: other\r\n",
    ] {
        let told = rest_of(
            &facade,
            &[list_request(&facade, lines), b"0\r\n\r\n".to_vec(), smuggled.clone()].concat(),
        );
        assert!(told.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{lines:?}: {told}");
        assert!(
            told.contains("HTTP_MALFORMED at /: ") && told.contains("connection: close\r\n"),
            "{told}"
        );
        assert_eq!(
            told.matches("HTTP/1.1").count(),
            2,
            "{lines:?}: one status line, one in its text: {told}"
        );
    }
}

#[test]
fn a_body_in_chunks_ends_its_connection() {
    let facade = Facade::start();
    let chunked = [
        list_request(&facade, "Transfer-Encoding: chunked\r\n"),
        b"0\r\n\r\n".to_vec(),
    ]
    .concat();
    let told = rest_of(&facade, &[chunked.clone(), chunked].concat());
    assert_eq!(told.matches("HTTP/1.1 200 OK\r\n").count(), 1);
    assert!(
        told.contains("connection: close\r\n") && told.ends_with("\"data\":[]}"),
        "{told}"
    );
}

#[test]
fn chunks_that_are_none_are_refused() {
    let facade = Facade::start();
    for body in ["zz\r\nab\r\n0\r\n\r\n", "fffffffffffffffff\r\nab\r\n0\r\n\r\n"] {
        let request = [list_request(&facade, "Transfer-Encoding: chunked\r\n"), body.into()].concat();
        let told = rest_of(&facade, &request);
        assert!(told.contains("BODY_BROKEN at /: "), "{told}");
    }
    assert_eq!(facade.exchange.rejected_codes(), ["BODY_BROKEN"; 2]);
}

#[test]
fn heads_that_are_too_large_are_refused() {
    let facade = Facade::start();
    let lines = |count: usize, length: usize| format!("X-Long: {}\r\n", "x".repeat(length)).repeat(count);
    for lines in [lines(64, 1), lines(1, 100_000), lines(200, 5000)] {
        let told = rest_of(&facade, &list_request(&facade, &lines));
        assert!(
            told.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"),
            "{told}"
        );
        assert!(told.contains("HEADERS_TOO_LARGE at /headers: "), "{told}");
    }
    let endless = format!("GET /{}", "x".repeat(200_000));
    assert!(rest_of(&facade, endless.as_bytes()).starts_with("HTTP/1.1 431 "));
    let fits = list_request(&facade, &lines(1, 50_000));
    assert_eq!(raw::exchange(facade.address, &fits).unwrap().status, 200);
}

#[test]
fn other_protocols_are_hung_up_on() {
    let facade = Facade::start();
    let tls = b"\x16\x03\x01\x00\x61\x01\x00\x00\x5d\x03\x03\x5f\x8e\x11\x2a\x7c\x4d\x90\xb1\x3a\x44\x52\x7e\x88";
    let mut stream = connect(&facade);
    stream.write_all(tls).unwrap();
    assert_eq!(rest(&mut stream), b"");
    for bytes in [
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "GET /x\r\n\r\n",
        "GET / HTTP/3.0\r\n\r\n",
    ] {
        assert!(
            rest_of(&facade, bytes.as_bytes()).starts_with("HTTP/1.1 400 "),
            "{bytes:?}"
        );
    }
    for method in ["TRACE /", "CONNECT h:22"] {
        let request = format!("{method} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        assert!(
            rest_of(&facade, request.as_bytes()).starts_with("HTTP/1.1 405 "),
            "{method}"
        );
    }
    for request in [
        "DELETE /sendEdoc",
        "BREW /x",
        "GET /sendEdoc",
        "POST /../../keys/id.key",
        "POST /",
    ] {
        let request = format!("{request} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        let told = rest_of(&facade, request.as_bytes());
        assert!(
            told.starts_with("HTTP/1.1 200 ") && told.contains("OPERATION_UNKNOWN at /: "),
            "{told}"
        );
    }
}

#[test]
fn requests_on_one_connection_are_answered_in_turn_also_when_they_come_at_once() {
    let facade = Facade::start();
    facade.exchange.state().deliver(&system(JUSTICE), "x".into());
    let packet = written(&document());
    let all = [
        list_request(&facade, "Content-Length: 0\r\n"),
        send_request(&facade, &packet),
        list_request(&facade, "Content-Length: 2\r\n"),
        b"{}".to_vec(),
        b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n".to_vec(),
    ]
    .concat();
    for step in [1, 7, 1000, all.len()] {
        let mut stream = connect(&facade);
        stream.set_nodelay(true).unwrap();
        for piece in all.chunks(step) {
            stream.write_all(piece).unwrap();
        }
        let mut stream = BufReader::new(stream);
        assert!(answer(&mut stream).contains("\"data\":[{"));
        assert!(answer(&mut stream).contains("\"DocId\":\""));
        assert!(answer(&mut stream).contains("\"data\":[{"));
        assert!(answer(&mut stream).contains("OPERATION_UNKNOWN"));
    }
}

#[test]
fn who_expects_to_be_told_to_continue_is_told() {
    let facade = Facade::start();
    let mut stream = BufReader::new(connect(&facade));
    stream
        .get_mut()
        .write_all(&list_request(&facade, "Expect: 100-continue\r\nContent-Length: 2\r\n"))
        .unwrap();
    assert_eq!(answer(&mut stream), "HTTP/1.1 100 Continue\r\n\r\n");
    stream.get_mut().write_all(b"{}").unwrap();
    assert!(answer(&mut stream).contains("\"data\":[]"));

    // Who is refused without a look at the body need not send it.
    let request = list_request(&facade, "Expect: 100-continue\r\nContent-Length: 2\r\n");
    let unsigned = String::from_utf8(request)
        .unwrap()
        .replace("sign-header: {", "sign-header: [");
    assert!(rest_of(&facade, unsigned.as_bytes()).starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn a_refusal_is_read_by_who_is_still_sending() {
    let facade = Facade::start();
    let packet = vec![b'x'; 20_000_000];
    let mut wrong = facade.service_at("", INFORMATION, "wrong");
    let refused = wrong
        .send_edoc("H62.11", None, Edoc, Source::Bytes(&packet))
        .unwrap_err();
    assert_eq!(refused.error_code(), Some("15"));
    assert_eq!(facade.exchange.state().uploads_begun, 0);
}

#[test]
fn silent_connections_and_unfinished_heads_are_closed() {
    let facade = Facade::with(|settings| {
        settings.idle_timeout_ms = 200;
        settings.header_timeout_ms = 100;
    });
    let mut silent = connect(&facade);
    assert_eq!(rest(&mut silent), b"");
    let mut unfinished = connect(&facade);
    unfinished
        .write_all(b"POST /getReceivedEdocList HTTP/1.1\r\nHost: v")
        .unwrap();
    assert_eq!(rest(&mut unfinished), b"");
    // After an answer, too: the SDK forgets its connections.
    let mut used = BufReader::new(connect(&facade));
    used.get_mut()
        .write_all(&list_request(&facade, "Content-Length: 0\r\n"))
        .unwrap();
    assert!(answer(&mut used).contains("\"data\":[]"));
    assert_eq!(rest(used.get_mut()), b"");
}

#[test]
fn a_connection_that_is_being_served_is_not_idle() {
    let facade = Facade::with(|settings| settings.idle_timeout_ms = 100);
    let held = facade.runtime.block_on(facade.exchange.door.acquire()).unwrap();
    let packet = written(&document());
    let mut stream = BufReader::new(connect(&facade));
    stream.get_mut().write_all(&send_request(&facade, &packet)).unwrap();
    // Another connection is opened and closed as idle meanwhile.
    assert_eq!(rest(&mut connect(&facade)), b"");
    assert_eq!(rest(&mut connect(&facade)), b"");
    drop(held);
    assert!(answer(&mut stream).contains("\"ErrorCode\":\"0\""));
}

#[test]
fn a_body_that_does_not_get_on_is_cut_off_and_leaves_nothing_behind() {
    let facade = Facade::with(|settings| settings.no_progress_timeout_ms = 100);
    let request = send_request(&facade, &written(&document()));
    let mut stream = connect(&facade);
    stream.write_all(&request[..request.len() - 100]).unwrap();
    assert_eq!(rest(&mut stream), b"");
    facade
        .exchange
        .wait_until("the upload is gone", |state| state.dropped == 1);
    let state = facade.exchange.state();
    assert_eq!(
        (state.published.len(), state.rejected.len(), state.objects.len()),
        (0, 0, 0)
    );
}

#[test]
fn a_body_that_comes_in_drops_is_cut_off() {
    let facade = Facade::with(|settings| settings.no_progress_timeout_ms = 200);
    let request = send_request(&facade, &[b' '; 4000]);
    let mut stream = connect(&facade);
    stream.write_all(&request[..request.len() - 3900]).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
    let mut dropped = 0;
    let ended = loop {
        match stream.read(&mut [0]) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                dropped += 1;
                if stream.write_all(b" ").is_err() {
                    break true;
                }
            }
            Ok(0) | Err(_) => break true,
            Ok(_) => break false,
        }
    };
    assert!(
        ended && (1..3900).contains(&dropped),
        "cut off after {dropped} drops, unanswered"
    );
    facade
        .exchange
        .wait_until("the upload is gone", |state| state.dropped == 1);
}

#[test]
fn a_packet_whose_sender_goes_away_leaves_nothing_behind() {
    let facade = Facade::start();
    let request = send_request(&facade, &written(&document()));
    for half_closes in [true, false] {
        let mut stream = connect(&facade);
        stream.write_all(&request[..request.len() - 1]).unwrap();
        facade
            .exchange
            .wait_until("the upload has begun", |state| state.uploads_begun == state.dropped + 1);
        if half_closes {
            stream.shutdown(Shutdown::Write).unwrap();
            assert_eq!(rest(&mut stream), b"", "nobody is answered");
        }
        let gone = facade.exchange.state().uploads_begun;
        drop(stream);
        facade
            .exchange
            .wait_until("the upload is gone", |state| state.dropped == gone);
    }
    let state = facade.exchange.state();
    assert_eq!(
        (state.published.len(), state.rejected.len(), state.objects.len()),
        (0, 0, 0)
    );
}

#[test]
fn a_packet_that_came_whole_is_published_even_if_its_sender_goes_away() {
    let facade = Facade::with(|settings| settings.connections_max = 1);
    let packet = written(&document());
    let held = facade.runtime.block_on(facade.exchange.door.acquire()).unwrap();
    let mut stream = connect(&facade);
    stream.write_all(&send_request(&facade, &packet)).unwrap();
    facade
        .exchange
        .wait_until("the packet is stored", |state| !state.objects.is_empty());
    stream.shutdown(Shutdown::Both).unwrap();
    drop(stream);
    // The only place is taken until the façade has seen that the sender is gone.
    facade.service(JUSTICE).received_list(Edoc).unwrap();
    drop(held);
    facade
        .exchange
        .wait_until("the packet is published", |state| state.published.len() == 1);
    let sent = facade
        .service(INFORMATION)
        .send_edoc("H62.11", None, Edoc, Source::Bytes(&packet))
        .unwrap();
    assert_eq!(sent.doc_id.unwrap(), facade.exchange.state().published[0].0.to_string());
}

#[test]
fn a_reader_that_takes_nothing_is_cut_off() {
    let facade = Facade::with(|settings| settings.no_progress_timeout_ms = 200);
    let size = 64 * 1024 * 1024;
    let id = facade
        .exchange
        .state()
        .deliver(&system(JUSTICE), vec![b'x'; size].into())
        .to_string();
    let mut service = facade.service(JUSTICE);
    let headers = service.signed(Operation::DownloadEdoc, &[("docId", &id)]);
    let mut stream = connect(&facade);
    stream
        .write_all(&service.request(Operation::DownloadEdoc, &headers, b""))
        .unwrap();
    facade
        .exchange
        .wait_until("the reading is given up", |state| state.dropped == 1);
    assert!(rest(&mut stream).len() < size);
}

#[test]
fn more_packets_at_a_time_than_set_are_told_to_come_again() {
    let facade = Facade::with(|settings| settings.send_in_flight_max = 1);
    let packet = written(&document());
    let request = send_request(&facade, &packet);
    let (first, last) = request.split_at(request.len() - 1);
    let mut stream = BufReader::new(raw::begin(facade.address, first).unwrap());
    facade
        .exchange
        .wait_until("the first is coming in", |state| state.uploads_begun == 1);
    let refused = facade
        .service(INFORMATION)
        .send_edoc("H62.11", None, Edoc, Source::Bytes(&packet))
        .unwrap_err();
    assert_eq!(refused.error_code(), Some("20"));
    assert!(refused.refusal().unwrap().error_desc.starts_with("BUSY at /: "));
    stream.get_mut().write_all(last).unwrap();
    assert!(answer(&mut stream).contains("\"ErrorCode\":\"0\""));
    facade
        .service(INFORMATION)
        .send_edoc("H62.11", None, Edoc, Source::Bytes(&packet))
        .unwrap();
}

#[test]
fn more_connections_than_set_wait_for_their_turn() {
    let facade = Facade::with(|settings| settings.connections_max = 1);
    let mut first = BufReader::new(connect(&facade));
    first
        .get_mut()
        .write_all(&list_request(&facade, "Content-Length: 0\r\n"))
        .unwrap();
    assert!(answer(&mut first).contains("\"data\":[]"));
    let mut second = connect(&facade);
    second
        .write_all(&list_request(&facade, "Connection: close\r\nContent-Length: 0\r\n"))
        .unwrap();
    // The first still has the only place, and is served again.
    first
        .get_mut()
        .write_all(&list_request(&facade, "Content-Length: 0\r\n"))
        .unwrap();
    assert!(answer(&mut first).contains("\"data\":[]"));
    drop(first);
    assert!(String::from_utf8(rest(&mut second)).unwrap().contains("\"data\":[]"));
}

#[test]
fn a_stop_ends_what_is_in_progress_and_takes_up_nothing_more() {
    let facade = Facade::start();
    let packet = written(&document());
    let request = send_request(&facade, &packet);
    let (first, last) = request.split_at(request.len() - 1);
    let mut stream = raw::begin(facade.address, first).unwrap();
    let idle = connect(&facade);
    facade
        .exchange
        .wait_until("it is coming in", |state| state.uploads_begun == 1);
    facade.stop.cancel();
    // The idle connection is closed at once, which shows that the stop has begun.
    let mut idle = idle;
    assert_eq!(rest(&mut idle), b"");
    stream.write_all(last).unwrap();
    let told = String::from_utf8(rest(&mut stream)).unwrap();
    assert!(
        told.contains("\"ErrorCode\":\"0\"") && told.contains("connection: close"),
        "{told}"
    );
    let (address, exchange) = (facade.address, Arc::clone(&facade.exchange));
    facade.end();
    assert!(TcpStream::connect(address).is_err());
    assert_eq!(exchange.state().published.len(), 1);
}

#[test]
fn the_trace_that_a_caller_names_is_that_of_its_call_and_what_is_none_is_no_reason_to_refuse() {
    const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let facade = Facade::start();
    let good = format!("traceparent: {TRACEPARENT}\r\n");
    let mut begun = Vec::new();
    for lines in [&good, "", "traceparent: 00-zz\r\n", &good.repeat(2)] {
        // What is no packet is refused under its caller.
        let request = send_request(&facade, b"no packet");
        let line_end = request.windows(2).position(|bytes| bytes == b"\r\n").unwrap() + 2;
        let (line, rest) = request.split_at(line_end);
        let mut stream = connect(&facade);
        stream.write_all(&[line, lines.as_bytes(), rest].concat()).unwrap();
        let told = answer(&mut BufReader::new(stream));
        assert!(told.contains("\"status\":\"FAIL\""), "{told}");
        begun.push(facade.exchange.state().rejected.last().unwrap().0.trace);
    }
    let named = begun.remove(0);
    assert_eq!(named, TraceContext::parse(TRACEPARENT).unwrap());
    let own = |trace: &TraceContext| matches!(trace, TraceContext::Begun(id) if *id != named.trace_id());
    assert!(begun.iter().all(own), "{begun:?}");
    assert!(begun[0] != begun[1] && begun[1] != begun[2], "one of its own each");
    facade.end();
}

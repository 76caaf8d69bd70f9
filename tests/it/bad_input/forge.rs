//! Makes the bytes of a case: from a good packet or request, by edits that must fit.

use std::fs;

use aws_lc_rs::digest::{SHA256, digest};
use lgsp_adapters::edxml_vxp::client::Service;
use lgsp_adapters::edxml_vxp::client::operation::Operation;
use lgsp_adapters::edxml_vxp::client::sign::{Timestamp, hash_file, hmac_hex};

use super::case::{Base, Bytes, Call, Edits, Encoding, Repeats};
use crate::support::data;

/// What the cases find in the node: deliveries that are there.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) vxp: String,
    /// A delivery of the department that calls unless a case says otherwise.
    pub(super) own_delivery: String,
    /// A delivery of another department.
    pub(super) delivery: String,
}

impl Scene {
    /// A request and the number that makes it one of its kind.
    pub(super) fn call(&self, case: &Call, number: usize) -> Vec<u8> {
        let packet = if case.operation == "sendEdoc" {
            packet(case, number)
        } else {
            Vec::new()
        };
        let head = self.head(case, number, &packet);
        let mut body = packet;
        edit(&mut body, &case.body_edits);
        body.extend_from_slice(case.body.as_bytes());
        repeat(&mut body, &case.repeat);
        if case.operation == "sendEdoc" && !case.bare {
            body.extend_from_slice(b"\r\n");
        }
        let mut request = head;
        if case.chunked {
            request.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
            for chunk in body.chunks(100_000) {
                request.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                request.extend_from_slice(chunk);
                request.extend_from_slice(b"\r\n");
            }
            request.extend_from_slice(b"0\r\n\r\n");
        } else {
            let length = case.declare.unwrap_or(body.len() as u64);
            request.extend_from_slice(format!("Content-Length: {length}\r\n\r\n").as_bytes());
            request.extend_from_slice(&body);
        }
        request
    }

    /// Request line and headers, all but what says how long the body is.
    fn head(&self, case: &Call, number: usize, packet: &[u8]) -> Vec<u8> {
        let department = case.system.department();
        let system = case.system_id.as_deref().unwrap_or(department.system);
        let secret_of = case.secret_of.map_or(department.secret, |who| who.department().secret);
        let secret = case.secret.as_deref().unwrap_or(secret_of);
        let operation = operation(&case.operation);
        let mut service = Service::new(&self.vxp, system, secret, &timestamp(number)).unwrap();
        let parameters = self.parameters(case, packet);
        let parameters: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (&**name, &**value)).collect();
        let signed = service.signed(operation, &parameters);
        let mut text = signed.sign_header.unwrap().into_bytes();
        edit(&mut text, &case.signed_edits);
        repeat(&mut text, &case.repeat);
        put_bytes(&mut text, &case.signed_bytes);
        let mac = case.hash_header.clone().unwrap_or_else(|| hmac_hex(secret, &text));
        edit(&mut text, &case.late_edits);
        let mut head = format!("{} /{} HTTP/1.1\r\n", operation.method(), operation.name()).into_bytes();
        for (name, value) in &signed.parameters {
            line(&mut head, &format!("XroadVnpt-{name}"), value.as_bytes());
        }
        for (name, value) in [
            ("sign-header-key", signed.sign_header_key.unwrap().as_bytes()),
            ("sign-header", &text),
            ("hash-header", mac.as_bytes()),
        ] {
            if !case.drop.iter().any(|dropped| dropped == name) {
                line(&mut head, &format!("XroadVnpt-{name}"), value);
            }
        }
        line(&mut head, "Host", b"vxp");
        line(&mut head, "Connection", b"close");
        edit(&mut head, &case.header_edits);
        repeat(&mut head, &case.repeat);
        head
    }

    /// The operation's own parameters with those of the case in their place or behind them.
    fn parameters(&self, case: &Call, packet: &[u8]) -> Vec<(String, String)> {
        let kind = if case.packet == Base::Status { "status" } else { "edoc" };
        let kind = case.messagetype.as_deref().unwrap_or(kind).to_owned();
        let numbered = case
            .to_numbered
            .map(|count| (1..=count).map(|at| format!("H62.14.{at}")).collect());
        let mut own: Vec<(&str, String)> = Vec::new();
        if case.operation == "sendEdoc" {
            let from = case.from.as_deref().unwrap_or(case.system.department().code);
            own.push(("from", from.to_owned()));
            if let Some(to) = numbered.or_else(|| case.to.clone()) {
                own.push(("to", serde_json::to_string(&to).unwrap()));
            }
        }
        if matches!(case.operation.as_str(), "sendEdoc" | "getReceivedEdocList") {
            own.extend([("servicetype", "eDoc".to_owned()), ("messagetype", kind)]);
        }
        if case.operation == "sendEdoc" {
            own.push(("hash-file", hash_file(&digest(&SHA256, packet))));
        }
        let own = own.into_iter().map(|(name, value)| (name.to_owned(), value));
        let own = own.filter(|(name, _)| !case.without.contains(name));
        let of_case = case.parameters.iter().map(|(name, value)| {
            let value = value
                .replace("{own_delivery}", &self.own_delivery)
                .replace("{delivery}", &self.delivery);
            let mut value = value.into_bytes();
            repeat(&mut value, &case.repeat);
            (name.clone(), String::from_utf8(value).unwrap())
        });
        own.chain(of_case).collect()
    }

    /// The bytes of a case of http.toml.
    pub(super) fn bytes(&self, case: &Bytes, number: usize) -> Vec<u8> {
        let mut request = case.request.clone().into_bytes();
        repeat(&mut request, &case.repeat);
        let mut request: Vec<u8> = String::from_utf8(request).unwrap().replace('\n', "\r\n").into_bytes();
        for (marker, operation) in [("{signed}", "getReceivedEdocList"), ("{signed_packet}", "sendEdoc")] {
            let head = self.head(&Call::proper(operation), number, case.body.as_bytes());
            let head = String::from_utf8(head).unwrap();
            // Behind the request line, and without what the case says itself.
            let (_, signed) = head.split_once("\r\n").unwrap();
            let (signed, _) = signed.split_once("\r\nHost:").unwrap();
            replace_all(&mut request, marker.as_bytes(), signed.as_bytes());
        }
        request.extend_from_slice(case.body.as_bytes());
        request.extend(hex(&case.hex));
        request
    }
}

/// No two cases sign the same bytes: a refusal of the same would only be counted.
fn timestamp(number: usize) -> Timestamp {
    Timestamp::written(&format!("25112026T080000+{number:04}"))
}

fn operation(name: &str) -> Operation {
    let known = [
        Operation::SendEdoc,
        Operation::GetReceivedEdocList,
        Operation::GetEdoc,
        Operation::DownloadEdoc,
        Operation::UpdateStatus,
        Operation::GetAgenciesList,
    ];
    let found = known.into_iter().find(|operation| operation.name() == name);
    found.unwrap_or_else(|| panic!("the corpus calls no {name}"))
}

fn packet(case: &Call, number: usize) -> Vec<u8> {
    let mut packet = match case.packet {
        Base::Document => fs::read(data("bad-input/document.edxml")).unwrap(),
        Base::Status => fs::read(data("bad-input/status.edxml")).unwrap(),
        Base::None => Vec::new(),
    };
    edit(&mut packet, &case.edits);
    replace_all(&mut packet, b"{number}", (20_000 + number).to_string().as_bytes());
    repeat(&mut packet, &case.repeat);
    put_bytes(&mut packet, &case.bytes);
    if let Some(end) = &case.cut_before {
        packet.truncate(only(&packet, end.as_bytes()));
    }
    let Some(encoding) = case.encode else {
        return packet;
    };
    let text = format!("\u{feff}{}", String::from_utf8(packet).unwrap());
    let units = text.encode_utf16();
    match encoding {
        Encoding::Utf16Le => units.flat_map(u16::to_le_bytes).collect(),
        Encoding::Utf16Be => units.flat_map(u16::to_be_bytes).collect(),
    }
}

fn line(head: &mut Vec<u8>, name: &str, value: &[u8]) {
    head.extend_from_slice(name.as_bytes());
    head.extend_from_slice(b": ");
    head.extend_from_slice(value);
    head.extend_from_slice(b"\r\n");
}

/// Each `find` must stand there exactly once; an empty one only where there is nothing yet.
pub(super) fn edit(bytes: &mut Vec<u8>, edits: &Edits) {
    for (find, put) in edits {
        if find.is_empty() {
            assert!(bytes.is_empty(), "an edit finds nothing and there is something");
        }
        let at = only(bytes, find.as_bytes());
        bytes.splice(at..at + find.len(), put.bytes());
    }
}

fn put_bytes(bytes: &mut Vec<u8>, edits: &Edits) {
    for (find, put) in edits {
        let at = only(bytes, find.as_bytes());
        bytes.splice(at..at + find.len(), hex(put));
    }
}

/// Where the only occurrence begins.
fn only(bytes: &[u8], find: &[u8]) -> usize {
    let mut places = places(bytes, find);
    let at = places
        .next()
        .unwrap_or_else(|| panic!("{} is not there", String::from_utf8_lossy(find)));
    assert!(
        places.next().is_none(),
        "{} is there more than once",
        String::from_utf8_lossy(find)
    );
    at
}

fn places<'a>(bytes: &'a [u8], find: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let last = (bytes.len() + 1).saturating_sub(find.len());
    (0..last).filter(move |at| bytes[*at..].starts_with(find))
}

/// Markers become what they stand for, wherever they are.
pub(super) fn repeat(bytes: &mut Vec<u8>, repeats: &Repeats) {
    for (marker, (text, times)) in repeats {
        if places(bytes, marker.as_bytes()).next().is_none() {
            continue;
        }
        let mut many = String::with_capacity(text.len() * times);
        for number in 1..=*times {
            if text.contains("{n}") {
                many.push_str(&text.replace("{n}", &number.to_string()));
            } else {
                many.push_str(text);
            }
        }
        replace_all(bytes, marker.as_bytes(), many.as_bytes());
    }
}

fn replace_all(bytes: &mut Vec<u8>, find: &[u8], put: &[u8]) {
    let mut edited = Vec::with_capacity(bytes.len() + put.len());
    let mut copied = 0;
    for at in places(bytes, find) {
        edited.extend_from_slice(&bytes[copied..at]);
        edited.extend_from_slice(put);
        copied = at + find.len();
    }
    edited.extend_from_slice(&bytes[copied..]);
    *bytes = edited;
}

/// Hexadecimal digits in pairs, blanks anywhere.
pub(super) fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

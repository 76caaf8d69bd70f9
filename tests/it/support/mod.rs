//! What all stories stand on: the real program as a process of its own, its folder, and the departments that call it.

mod arrival;
mod collector;
mod department;
mod desk;
mod disk;
mod home;
mod letter;
mod lines;
mod link;
mod node;
mod outside;
mod program;
mod python;
mod webhook;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;

pub(crate) use collector::{Collector, Manner, Span, SpanKind, says};
pub(crate) use department::{Department, INFORMATION, JUSTICE, OUTSIDE, PROVINCE};
pub(crate) use desk::{Way, written, written_status};
pub(crate) use home::Home;
pub(crate) use letter::{letter, subject};
pub(crate) use lines::Lines;
pub(crate) use node::Node;
pub(crate) use outside::facade_outside;
pub(crate) use program::{Ended, run, run_into, to_lgsp};
pub(crate) use python::python;
pub(crate) use webhook::{WEBHOOK_SECRET, WEBHOOK_SYSTEM};

/// Status code and body of one GET, spoken by hand; `address` is a host and a port.
pub(crate) fn http_get(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// A file or folder of this repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(path)
}

/// A file or folder of tests/data.
pub(crate) fn data(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/data")).join(path)
}

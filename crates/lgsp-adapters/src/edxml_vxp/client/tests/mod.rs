//! The client against a scripted axis on 127.0.0.1.

mod answers;
mod vectors;
mod wire;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Service;
use super::sign::Timestamp;

/// What the axis does with one request.
pub(super) enum Step {
    /// Reads it whole and closes without a byte.
    Drop,
    /// Reads it (saying `100 Continue` if asked to), sends these bytes, closes.
    Answer(Vec<u8>),
    /// The same, and waits for the next request on this connection.
    AnswerAndKeep(Vec<u8>),
    /// Never says `100 Continue`.
    NeverContinue(Vec<u8>),
    /// Answers as soon as the head is there.
    AnswerHead(Vec<u8>),
    /// Reads it and stays silent until the client goes away.
    Silence,
}

pub(super) struct Seen {
    pub(super) head: Vec<u8>,
    pub(super) body: Vec<u8>,
    pub(super) connection: usize,
}

impl Seen {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.head.clone()).unwrap()
    }

    pub(super) fn value(&self, name: &str) -> Option<String> {
        let prefix = format!("{name}: ");
        self.text()
            .lines()
            .find_map(|line| line.strip_prefix(&prefix).map(str::to_owned))
    }
}

pub(super) struct Axis {
    pub(super) url: String,
    thread: JoinHandle<Vec<Seen>>,
}

impl Axis {
    /// Plays the steps in order, then ends; gives up after 20 s without a connection.
    pub(super) fn playing(steps: Vec<Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        Self {
            url,
            thread: std::thread::spawn(move || play(&listener, steps)),
        }
    }

    pub(super) fn answering(body: &str) -> Self {
        Self::playing(vec![Step::Answer(ok(body))])
    }

    pub(super) fn service(&self) -> Service {
        let timestamp = Timestamp::written("23112026T164020+0389");
        let service = Service::new(&self.url, "vxp.vinhphuc.01", "bi-mat-thu-nghiem-0123456789", &timestamp).unwrap();
        service.time_limit(Some(Duration::from_secs(10)))
    }

    /// The requests it saw, when it has played to the end.
    pub(super) fn seen(self) -> Vec<Seen> {
        self.thread.join().unwrap()
    }
}

pub(super) fn ok(body: &str) -> Vec<u8> {
    http("200 OK", body)
}

pub(super) fn http(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn play(listener: &TcpListener, steps: Vec<Step>) -> Vec<Seen> {
    let mut seen = Vec::new();
    let mut connection = 0;
    let mut kept: Option<BufReader<TcpStream>> = None;
    for step in steps {
        let mut stream = match kept.take() {
            Some(stream) => stream,
            None => {
                connection += 1;
                accept(listener)
            }
        };
        let head = read_head(&mut stream);
        if let Step::AnswerHead(answer) = &step {
            stream.get_mut().write_all(answer).unwrap();
        }
        let text = String::from_utf8_lossy(&head).into_owned();
        if text.contains("Expect: 100-continue") && !matches!(step, Step::NeverContinue(_) | Step::AnswerHead(_)) {
            stream.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
        }
        let length = text
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "))
            .unwrap_or("0");
        let mut body = Vec::new();
        stream
            .by_ref()
            .take(length.parse().unwrap())
            .read_to_end(&mut body)
            .unwrap();
        seen.push(Seen { head, body, connection });
        match step {
            Step::Drop | Step::AnswerHead(_) => {}
            Step::Answer(answer) | Step::NeverContinue(answer) => stream.get_mut().write_all(&answer).unwrap(),
            Step::AnswerAndKeep(answer) => {
                stream.get_mut().write_all(&answer).unwrap();
                kept = Some(stream);
            }
            Step::Silence => assert_eq!(stream.read(&mut [0]).unwrap(), 0, "the client goes away first"),
        }
    }
    seen
}

fn accept(listener: &TcpListener) -> BufReader<TcpStream> {
    listener.set_nonblocking(true).unwrap();
    let begun = Instant::now();
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false).unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                return BufReader::new(stream);
            }
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
                assert!(begun.elapsed() < Duration::from_secs(20), "the client never came");
                std::thread::park_timeout(Duration::from_millis(1));
            }
        }
    }
}

fn read_head(stream: &mut BufReader<TcpStream>) -> Vec<u8> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        assert_ne!(stream.read_until(b'\n', &mut head).unwrap(), 0, "a head without end");
    }
    head
}

//! Sends the bytes of a case and reads all that comes back, to the end of the connection.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::case::Then;

/// Longest wait for the node to end a connection.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// How a sender behaves.
#[derive(Debug)]
pub(super) struct Sender<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) then: Then,
    /// What is sent byte by byte, over and over.
    pub(super) drop: &'a [u8],
    pub(super) every: Duration,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) answers: Vec<Answer>,
    /// The node ended the connection in time.
    pub(super) ended: bool,
    /// Bytes that are no whole answer.
    pub(super) rest: Vec<u8>,
}

/// One HTTP answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// Plays one sender.
pub(super) fn exchange(address: SocketAddr, sender: &Sender<'_>) -> Seen {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_write_timeout(Some(TIME_LIMIT)).unwrap();
    // A node that has answered may stop reading: the answer counts.
    let sent = stream.write_all(sender.bytes);
    if sender.then == Then::HalfClose {
        drop(stream.shutdown(Shutdown::Write));
    }
    let deadline = Instant::now() + TIME_LIMIT;
    let mut received = Vec::new();
    let mut trickle = sender.drop.iter().cycle().filter(|_| sent.is_ok());
    let ended = loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break false;
        }
        let wait = if sender.then == Then::Trickle {
            sender.every.min(left)
        } else {
            left
        };
        stream.set_read_timeout(Some(wait)).unwrap();
        match read_more(&mut stream, &mut received) {
            Ok(0) => break true,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                // The pause of a slow sender is over. That nobody reads any more shows when it reads itself.
                if let Some(byte) = trickle.next() {
                    drop(stream.write(&[*byte]));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => break true,
            Err(error) => panic!("the connection cannot be read: {error}"),
        }
    };
    let (answers, rest) = answers(received);
    Seen { answers, ended, rest }
}

fn read_more(stream: &mut TcpStream, received: &mut Vec<u8>) -> io::Result<usize> {
    let mut piece = [0; 16 * 1024];
    let read = stream.read(&mut piece)?;
    received.extend_from_slice(&piece[..read]);
    Ok(read)
}

/// The answers in the bytes, each framed by its length; "go on" is no answer.
fn answers(mut bytes: Vec<u8>) -> (Vec<Answer>, Vec<u8>) {
    let mut answers = Vec::new();
    while let Some((answer, length)) = first_answer(&bytes) {
        if answer.status >= 200 {
            answers.push(answer);
        }
        bytes.drain(..length);
    }
    (answers, bytes)
}

fn first_answer(bytes: &[u8]) -> Option<(Answer, usize)> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.parse().ok())
            .flatten()
    });
    let length: usize = length.unwrap_or(0);
    let body = bytes.get(end..end + length)?.to_vec();
    Some((Answer { status, body }, end + length))
}

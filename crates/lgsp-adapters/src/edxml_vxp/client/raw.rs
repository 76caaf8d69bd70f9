//! Bytes to the axis, whatever they are, and its answer: for requests no SDK would send.

use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::connection::{Broken, Connection, Payload};

/// Longest time without progress.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// An answer with its body, whatever it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawAnswer {
    pub status: u16,
    /// Names as they came.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Sends these bytes over a new connection and reads one final answer, also when the far side stopped reading midway.
///
/// # Errors
/// No connection, no answer, no HTTP, or nothing moved for 60 s (`TimedOut`).
pub fn exchange(address: SocketAddr, bytes: &[u8]) -> io::Result<RawAnswer> {
    answer_to(TcpStream::connect_timeout(&address, TIME_LIMIT)?, bytes)
}

/// The same over a connection that exists: what was sent before (slowly, or in part) belongs to the request.
///
/// # Errors
/// As [`exchange`].
pub fn answer_to(stream: TcpStream, bytes: &[u8]) -> io::Result<RawAnswer> {
    stream.set_read_timeout(Some(TIME_LIMIT))?;
    stream.set_write_timeout(Some(TIME_LIMIT))?;
    let connection = Connection::reused(BufReader::new(stream), Some(TIME_LIMIT));
    let mut reply = connection
        .ask(bytes, &Payload::Text(b""), false)
        .map_err(|broken| match broken {
            Broken::Late => io::ErrorKind::TimedOut.into(),
            Broken::NoHost(error)
            | Broken::Refused(error)
            | Broken::Dead(error)
            | Broken::Cut(error)
            | Broken::Packet(error) => error,
        })?;
    let mut body = Vec::new();
    reply.body.read_to_end(&mut body)?;
    Ok(RawAnswer {
        status: reply.head.status,
        headers: reply.head.lines,
        body,
    })
}

/// Opens a connection and sends only these bytes, to be continued by the test.
///
/// # Errors
/// No connection, or the far side does not take them.
pub fn begin(address: SocketAddr, bytes: &[u8]) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&address, TIME_LIMIT)?;
    stream.set_write_timeout(Some(TIME_LIMIT))?;
    stream.write_all(bytes)?;
    Ok(stream)
}

//! One request and the head of its answer over one TCP connection, blocking.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::body::Body;

/// How long HttpClient waits for `100 Continue` before it sends the body unasked. Source: vxp-wire.md 2.
const CONTINUE_WAIT: Duration = Duration::from_secs(3);
/// Longest head of an answer, in bytes, and its most header lines.
const HEAD_BYTES_MAX: usize = 64 * 1024;
const HEAD_LINES_MAX: usize = 128;

/// How an attempt ended without a readable answer.
#[derive(Debug)]
pub(super) enum Broken {
    /// The host name means nothing; asking again at once helps nobody.
    NoHost(io::Error),
    /// Nobody listens.
    Refused(io::Error),
    /// The connection died before any byte of an answer: the SDK repeats silently.
    Dead(io::Error),
    /// No progress within the time limit.
    Late,
    /// The answer broke off, or is no HTTP.
    Cut(io::Error),
    /// The packet to be sent could not be read, or changed while it was sent.
    Packet(io::Error),
}

/// What goes after the head.
pub(super) enum Payload<'a> {
    Text(&'a [u8]),
    /// Exactly so many bytes of a file, then CR LF.
    Packet {
        source: &'a super::source::Source<'a>,
        bytes: u64,
    },
}

/// Status line and header lines of an answer.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) keeps_alive: bool,
    pub(super) lines: Vec<(String, String)>,
}

impl Head {
    /// The value of a header, its name in lower case.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.lines
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// An answer whose body is still to be read.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) head: Head,
    pub(super) body: Body,
}

pub(super) struct Connection {
    stream: BufReader<TcpStream>,
    limit: Option<Duration>,
}

impl Connection {
    pub(super) fn open(host: &str, port: u16, limit: Option<Duration>) -> Result<Self, Broken> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        let mut known = false;
        for address in (host, port).to_socket_addrs().map_err(Broken::NoHost)? {
            known = true;
            let opened = match limit {
                Some(limit) => TcpStream::connect_timeout(&address, limit),
                None => TcpStream::connect(address),
            };
            match opened {
                Ok(stream) => return Self::over(stream, limit).map_err(Broken::Dead),
                Err(error) => last = error,
            }
        }
        if last.kind() == io::ErrorKind::TimedOut {
            return Err(Broken::Late);
        }
        Err(if known {
            Broken::Refused(last)
        } else {
            Broken::NoHost(last)
        })
    }

    fn over(stream: TcpStream, limit: Option<Duration>) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(limit)?;
        stream.set_write_timeout(limit)?;
        Ok(Self {
            stream: BufReader::with_capacity(64 * 1024, stream),
            limit,
        })
    }

    /// A connection that an earlier answer left open.
    pub(super) fn reused(stream: BufReader<TcpStream>, limit: Option<Duration>) -> Self {
        Self { stream, limit }
    }

    /// Sends head and payload, reads the head of the final answer.
    ///
    /// Like both clients, it looks for an answer even when the far side stopped reading in the middle of the payload.
    pub(super) fn ask(mut self, head: &[u8], payload: &Payload<'_>, expects: bool) -> Result<Reply, Broken> {
        let sent = self.stream.get_mut().write_all(head);
        let mut early = None;
        if sent.is_ok() && expects {
            early = self.await_continue()?;
        }
        if early.is_none() && sent.is_ok() {
            self.send(payload)?;
        } else if let Err(error) = sent {
            late_or_ignored(&error)?;
        }
        let head = match early {
            Some(head) => head,
            None => self.final_head()?,
        };
        let body = Body::new(self.stream, &head);
        Ok(Reply { head, body })
    }

    /// `None`: send the body now. `Some`: the final answer came instead of `100 Continue`.
    fn await_continue(&mut self) -> Result<Option<Head>, Broken> {
        self.stream
            .get_ref()
            .set_read_timeout(Some(CONTINUE_WAIT))
            .map_err(Broken::Dead)?;
        let waited = self.stream.fill_buf().map(<[u8]>::len);
        self.stream
            .get_ref()
            .set_read_timeout(self.limit)
            .map_err(Broken::Dead)?;
        match waited {
            Err(error) if is_late(&error) => return Ok(None),
            Err(error) => return Err(Broken::Dead(error)),
            Ok(_) => {}
        }
        let head = self.read_head()?;
        match head.status {
            100 => Ok(None),
            200.. => Ok(Some(head)),
            _ => Err(Broken::Cut(io::ErrorKind::InvalidData.into())), // HttpClient knows no other interim answer here
        }
    }

    fn send(&mut self, payload: &Payload<'_>) -> Result<(), Broken> {
        let stream = self.stream.get_mut();
        let written = match payload {
            Payload::Text(text) => stream.write_all(text),
            Payload::Packet { source, bytes } => {
                let mut packet = source.open().map_err(Broken::Packet)?.take(*bytes);
                match copy(&mut packet, stream)? {
                    Ok(copied) if copied < *bytes => {
                        return Err(Broken::Packet(io::ErrorKind::UnexpectedEof.into()));
                    }
                    Ok(_) => stream.write_all(b"\r\n"),
                    Err(error) => Err(error),
                }
            }
        };
        written
            .and_then(|()| stream.flush())
            .or_else(|error| late_or_ignored(&error))
    }

    fn final_head(&mut self) -> Result<Head, Broken> {
        loop {
            let head = self.read_head()?;
            if head.status >= 200 {
                return Ok(head);
            }
        }
    }

    fn read_head(&mut self) -> Result<Head, Broken> {
        let mut bytes = Vec::new();
        loop {
            let before = bytes.len();
            let line = (&mut self.stream)
                .take((HEAD_BYTES_MAX - before) as u64)
                .read_until(b'\n', &mut bytes);
            let died = |error: io::Error| match bytes.is_empty() {
                _ if is_late(&error) => Broken::Late,
                true => Broken::Dead(error),
                false => Broken::Cut(error),
            };
            line.map_err(&died)?;
            let last = bytes.get(before..).unwrap_or_default();
            if last.is_empty() || !last.ends_with(b"\n") {
                return Err(died(io::ErrorKind::UnexpectedEof.into()));
            }
            if before > 0 && (last == b"\r\n" || last == b"\n") {
                return parse_head(&bytes).map_err(Broken::Cut);
            }
        }
    }
}

/// Copies to the far side: the outer error is the packet's, the inner one the connection's.
fn copy(packet: &mut impl Read, stream: &mut TcpStream) -> Result<io::Result<u64>, Broken> {
    let mut buffer = vec![0; 64 * 1024];
    let mut copied = 0;
    loop {
        let read = packet.read(&mut buffer).map_err(Broken::Packet)?;
        if read == 0 {
            return Ok(Ok(copied));
        }
        if let Err(error) = stream.write_all(buffer.get(..read).unwrap_or_default()) {
            return Ok(Err(error));
        }
        copied += read as u64;
    }
}

fn parse_head(bytes: &[u8]) -> io::Result<Head> {
    let mut lines = [httparse::EMPTY_HEADER; HEAD_LINES_MAX];
    let mut response = httparse::Response::new(&mut lines);
    let no_http = || io::Error::from(io::ErrorKind::InvalidData);
    response.parse(bytes).map_err(|_| no_http())?;
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let lines: Vec<_> = response
        .headers
        .iter()
        .map(|line| (line.name.to_owned(), text(line.value)))
        .collect();
    let closes = |(name, value): &(String, String)| {
        name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case("close")
    };
    let keeps_alive = response.version == Some(1) && !lines.iter().any(closes);
    Ok(Head {
        status: response.code.ok_or_else(no_http)?,
        keeps_alive,
        lines,
    })
}

/// A write that ran into the time limit ends the call; any other failed write leaves the answer to be looked for.
fn late_or_ignored(error: &io::Error) -> Result<(), Broken> {
    if is_late(error) { Err(Broken::Late) } else { Ok(()) }
}

pub(super) fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

//! The body of an answer in its three framings; a cut is an error where the framing lets one see it.

use std::io::{self, BufRead, BufReader, Read};
use std::net::TcpStream;

/// Longest line of a chunked body, in bytes.
const LINE_BYTES_MAX: u64 = 8 * 1024;

#[derive(Debug)]
enum Framing {
    Length { left: u64 },
    Chunked { left: u64, first: bool },
    UntilClose,
    Done,
}

/// Reads one answer's body from its connection.
#[derive(Debug)]
pub(super) struct Body {
    stream: BufReader<TcpStream>,
    framing: Framing,
    self_delimited: bool,
}

impl Body {
    /// Chooses the framing as RFC 9112, section 6.3 does: none, chunked, length, until the connection closes.
    pub(super) fn new(stream: BufReader<TcpStream>, head: &super::connection::Head) -> Self {
        let framing = if head.status == 204 || head.status == 304 {
            Framing::Done
        } else if head
            .value("transfer-encoding")
            .is_some_and(|value| value.to_ascii_lowercase().contains("chunked"))
        {
            Framing::Chunked { left: 0, first: true }
        } else {
            match head.value("content-length").and_then(|value| value.trim().parse().ok()) {
                Some(left) => Framing::Length { left },
                None => Framing::UntilClose,
            }
        };
        let self_delimited = !matches!(framing, Framing::UntilClose);
        Self {
            stream,
            framing,
            self_delimited,
        }
    }

    /// The connection, if the body was read to an end that the framing itself marked.
    pub(super) fn into_reusable(self) -> Option<BufReader<TcpStream>> {
        let over = matches!(self.framing, Framing::Done | Framing::Length { left: 0 });
        (over && self.self_delimited).then_some(self.stream)
    }

    /// The connection, whatever is left in it.
    pub(super) fn into_stream(self) -> TcpStream {
        self.stream.into_inner()
    }

    /// Moves on to the next chunk where one is due; `true` when more bytes may come.
    fn prepare(&mut self) -> io::Result<bool> {
        match self.framing {
            Framing::Done | Framing::Length { left: 0 } => return Ok(false),
            Framing::Length { .. } | Framing::UntilClose => return Ok(true),
            Framing::Chunked { left: 1.., .. } => return Ok(true),
            Framing::Chunked { left: 0, first } => {
                if !first {
                    self.line()?;
                }
            }
        }
        let line = self.line()?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let left = u64::from_str_radix(size, 16).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        if left == 0 {
            while !self.line()?.is_empty() {}
            self.framing = Framing::Done;
            return Ok(false);
        }
        self.framing = Framing::Chunked { left, first: false };
        Ok(true)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        (&mut self.stream).take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        String::from_utf8(line).map_err(|_| io::ErrorKind::InvalidData.into())
    }
}

impl Read for Body {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let mut available = self.fill_buf()?;
        let read = available.read(space)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Body {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if !self.prepare()? {
            return Ok(&[]);
        }
        let bytes = self.stream.fill_buf()?;
        match self.framing {
            Framing::Length { left } | Framing::Chunked { left, .. } => {
                if bytes.is_empty() {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                let most = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                Ok(bytes.get(..most).unwrap_or_default())
            }
            Framing::UntilClose | Framing::Done => Ok(bytes),
        }
    }

    fn consume(&mut self, read: usize) {
        self.stream.consume(read);
        if let Framing::Length { left } | Framing::Chunked { left, .. } = &mut self.framing {
            *left = left.saturating_sub(read as u64);
        }
    }
}

//! Is this the head of a request, and how long is what follows it: the questions where two readers of one stream must
//! never differ (request smuggling).
//!
//! Source: RFC 9112 sections 3.2, 6.1, 6.3 and 11.2. Stricter than hyper, which lets chunked win over a length.

use memchr::memmem;

/// Most header lines of a request.
const LINES_MAX: usize = 64;

/// How much follows a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes, then the next head.
    Length(u64),
    /// Chunks; the connection ends after the answer.
    Chunked,
}

/// Why a connection ends before anybody looks at the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// 400: no HTTP/1, or two ways to read it.
    Malformed,
    /// 431: the head is too large, or has too many lines.
    HeadTooLarge,
}

impl Verdict {
    /// The reason in the log.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Malformed => "HTTP_MALFORMED",
            Self::HeadTooLarge => "HEADERS_TOO_LARGE",
        }
    }
}

/// The end of the first head in `held`, at the earliest behind `from`, where the search ended last time.
pub(super) fn end(held: &[u8], from: usize) -> Option<usize> {
    // An end may have begun up to three bytes before.
    let from = from.saturating_sub(3);
    let rest = held.get(from..)?;
    let crlf = memmem::find(rest, b"\n\r\n").map(|at| from + at + 3);
    let lf = memmem::find(rest, b"\n\n").map(|at| from + at + 2);
    crlf.into_iter().chain(lf).min()
}

/// A byte that no method and no empty line before one begins with: another protocol, such as TLS, has dialled in.
pub(super) fn is_foreign(first: u8) -> bool {
    !(first.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~\r\n".contains(&first))
}

/// Reads a whole head and finds how its body is framed, if there is exactly one way to.
pub(super) fn framing(head: &[u8]) -> Result<Framing, Verdict> {
    let mut lines = [httparse::EMPTY_HEADER; LINES_MAX];
    let mut request = httparse::Request::new(&mut lines);
    match request.parse(head) {
        Ok(httparse::Status::Complete(length)) if length == head.len() => {}
        Err(httparse::Error::TooManyHeaders) => return Err(Verdict::HeadTooLarge),
        Ok(_) | Err(_) => return Err(Verdict::Malformed),
    }
    let values = |name: &str| {
        let lines = request.headers.iter();
        let named: Vec<&[u8]> = lines
            .filter(|line| line.name.eq_ignore_ascii_case(name))
            .map(|line| line.value)
            .collect();
        named
    };
    let http_1_1 = request.version == Some(1);
    match (values("Host").len(), http_1_1) {
        (1, _) | (0, false) => {}
        _ => return Err(Verdict::Malformed),
    }
    match (
        values("Transfer-Encoding").as_slice(),
        values("Content-Length").as_slice(),
    ) {
        ([], []) => Ok(Framing::Length(0)),
        ([], [length]) => decimal(length).map(Framing::Length).ok_or(Verdict::Malformed),
        ([coding], []) if http_1_1 && coding.eq_ignore_ascii_case(b"chunked") => Ok(Framing::Chunked),
        _ => Err(Verdict::Malformed),
    }
}

/// Digits only: no sign, no list, no blank; at most what hyper counts to.
fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: u64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (number < u64::MAX - 2).then_some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn judged(lines: &str) -> Result<Framing, Verdict> {
        framing(format!("POST /sendEdoc HTTP/1.1\r\nHost: h\r\n{lines}\r\n").as_bytes())
    }

    #[test]
    fn one_way_to_read_the_body_is_let_through() {
        assert_eq!(judged(""), Ok(Framing::Length(0)));
        assert_eq!(judged("Content-Length: 12\r\n"), Ok(Framing::Length(12)));
        assert_eq!(judged("transfer-encoding: Chunked\r\n"), Ok(Framing::Chunked));
        assert_eq!(framing(b"\r\nGET / HTTP/1.0\n\n"), Ok(Framing::Length(0)));
    }

    #[test]
    fn two_ways_to_read_the_body_are_refused() {
        for lines in [
            "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n",
            "Content-Length: 1\r\nContent-Length: 2\r\n",
            "Content-Length: 1\r\nContent-Length: 1\r\n",
            "Content-Length: 1, 1\r\n",
            "Content-Length: +1\r\n",
            "Content-Length: 0x1\r\n",
            "Content-Length:\r\n",
            "Content-Length: 18446744073709551616\r\n",
            "Transfer-Encoding: chunked, chunked\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: xchunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
            "Transfer-Encoding:\x0bchunked\r\n",
            "Content-Length : 1\r\n",
            "X: a\r\n Content-Length: 1\r\n",
            "Host: other\r\n",
        ] {
            assert_eq!(judged(lines), Err(Verdict::Malformed), "{lines:?}");
        }
        assert_eq!(framing(b"GET / HTTP/1.1\r\n\r\n"), Err(Verdict::Malformed), "no Host");
        assert_eq!(
            framing(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
            Err(Verdict::Malformed)
        );
    }

    #[test]
    fn too_many_lines_are_too_large() {
        let lines = |count: usize| "A: b\r\n".repeat(count);
        assert_eq!(judged(&lines(LINES_MAX - 1)), Ok(Framing::Length(0)));
        assert_eq!(judged(&lines(LINES_MAX)), Err(Verdict::HeadTooLarge));
    }

    #[test]
    fn another_protocol_shows_in_its_first_byte() {
        assert!(is_foreign(0x16) && is_foreign(0x80) && is_foreign(0) && is_foreign(b' '));
        assert!(!is_foreign(b'P') && !is_foreign(b'G') && !is_foreign(b'\r'));
    }

    proptest! {
        #[test]
        fn the_end_of_a_head_is_found_however_it_arrives(cut in 0usize..40, lf in any::<bool>()) {
            let head: &[u8] = if lf { b"GET / HTTP/1.0\nHost: h\n\nrest" } else { b"GET / HTTP/1.0\r\nHost: h\r\n\r\nrest" };
            let cut = cut.min(head.len());
            let whole = end(head, 0).unwrap();
            prop_assert_eq!(&head[whole..], b"rest");
            if end(&head[..cut], 0).is_none() {
                prop_assert_eq!(end(head, cut), Some(whole));
            }
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let judged = framing(&bytes);
            prop_assert!(judged.is_err() || end(&bytes, 0).is_some());
        }
    }
}

//! HTTP/1.1 and the signature of Standard Webhooks, as a receiver reads them by hand.

use std::io::{self, Read, Write};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Longest head, and longest body, that it reads.
const HEAD_MAX_BYTES: usize = 64 * 1024;
const BODY_MAX_BYTES: usize = 1024 * 1024 * 1024;

/// A request.
#[derive(Debug)]
pub(super) struct Asked {
    /// The request line, then the lines of the head.
    pub(super) head: Vec<String>,
    pub(super) body: Vec<u8>,
}

impl Asked {
    pub(super) fn read(stream: &mut impl Read) -> io::Result<Self> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.extend(byte);
            if head.len() > HEAD_MAX_BYTES {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
        let text = String::from_utf8(head).map_err(io::Error::other)?;
        let mut asked = Self {
            head: text
                .split("\r\n")
                .filter(|line| !line.is_empty())
                .map(String::from)
                .collect(),
            body: Vec::new(),
        };
        let length: usize = asked.field("content-length").parse().map_err(io::Error::other)?;
        if length > BODY_MAX_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
        asked.body.resize(length, 0);
        stream.read_exact(&mut asked.body)?;
        Ok(asked)
    }

    /// The value of a field of the head; empty if it is not there, or there more than once.
    fn field(&self, name: &str) -> &str {
        let mut values = self.head.iter().skip(1).filter_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then_some(value.trim())
        });
        match (values.next(), values.next()) {
            (Some(value), None) => value,
            (Some(_), Some(_)) | (None, _) => "",
        }
    }

    pub(super) fn id(&self) -> &str {
        self.field("webhook-id")
    }

    /// Whether one of its signatures is made with this secret.
    pub(super) fn is_signed_with(&self, secret: &str) -> bool {
        let key = secret
            .strip_prefix("whsec_")
            .and_then(|text| STANDARD.decode(text).ok());
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key.unwrap_or_default());
        let mut covered = format!("{}.{}.", self.id(), self.field("webhook-timestamp")).into_bytes();
        covered.extend_from_slice(&self.body);
        let signatures = self.field("webhook-signature").split(' ');
        let mut tags = signatures.filter_map(|signature| STANDARD.decode(signature.strip_prefix("v1,")?).ok());
        tags.any(|tag| hmac::verify(&key, &covered, &tag).is_ok())
    }
}

/// Writes an answer; the connection ends with it.
pub(super) fn write(stream: &mut impl Write, status: u16, lines: &[String], body: &str) -> io::Result<()> {
    let more: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let length = body.len();
    let head = format!("HTTP/1.1 {status} So\r\n{more}content-length: {length}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())?;
    stream.flush()
}

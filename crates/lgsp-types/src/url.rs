//! Where a far side is called: the address of an HTTP service, read once and strictly.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest address, in bytes.
const URL_MAX_BYTES: usize = 2_000;
/// Longest name of a host, in bytes. Source: RFC 1035, section 2.3.4.
const HOST_MAX_BYTES: usize = 253;

/// `https://host[:port]/path?query`, or the same with `http://`; the host a name, an IPv4 address, or an IPv6 address in
/// brackets.
///
/// At most 2,000 bytes of ASCII. No name of a user and no password, which would be a secret in a fact; no fragment.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Url {
    text: String,
    plain: bool,
    host: String,
    port: u16,
    /// Where path and query begin.
    target: usize,
}

/// Why a text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error("an address begins with `https://` or `http://`")]
    Scheme,
    #[error("an address is at most {URL_MAX_BYTES} bytes of ASCII without blanks")]
    Letters,
    #[error("an address names no user and no password: secrets are files")]
    User,
    #[error("the host is no name of a-z 0-9 . -, no IPv4 address, and no IPv6 address in brackets")]
    Host,
    #[error("the port is not 1 to 65535")]
    Port,
    #[error("an address of a service has no fragment")]
    Fragment,
}

impl Url {
    /// # Errors
    /// [`UrlError`]; refuse the configuration and name its path.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let (plain, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (false, rest),
            (None, Some(rest)) => (true, rest),
            (None, None) => return Err(UrlError::Scheme),
        };
        if text.len() > URL_MAX_BYTES || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(UrlError::Letters);
        }
        if rest.contains('#') {
            return Err(UrlError::Fragment);
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, _) = rest.split_at(end);
        if authority.contains('@') {
            return Err(UrlError::User);
        }
        let (host, port) = host_and_port(authority)?;
        let port = match port {
            None if plain => 80,
            None => 443,
            Some(port) => digits(port).ok_or(UrlError::Port)?,
        };
        Ok(Self {
            text: text.to_owned(),
            plain,
            host: host.to_ascii_lowercase(),
            port,
            target: text.len() - rest.len() + end,
        })
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Without TLS.
    #[must_use]
    pub const fn is_plain(&self) -> bool {
        self.plain
    }

    /// In lower case; an IPv6 address without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Host and port as a request names them; the port only where it is not the usual one.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        match (self.plain, self.port) {
            (true, 80) | (false, 443) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }

    /// Path and query as a request names them; `/` at least.
    #[must_use]
    pub fn target(&self) -> String {
        match self.text.get(self.target..).unwrap_or_default() {
            "" => String::from("/"),
            query if query.starts_with('?') => format!("/{query}"),
            target => target.to_owned(),
        }
    }
}

/// Reads `host`, `host:port`, `[v6]` or `[v6]:port`.
fn host_and_port(authority: &str) -> Result<(&str, Option<&str>), UrlError> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, behind) = rest.split_once(']').ok_or(UrlError::Host)?;
        host.parse::<core::net::Ipv6Addr>().map_err(|_| UrlError::Host)?;
        let port = match behind {
            "" => None,
            behind => Some(behind.strip_prefix(':').ok_or(UrlError::Host)?),
        };
        return Ok((host, port));
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    let fits = (1..=HOST_MAX_BYTES).contains(&host.len()) && host.bytes().all(letter);
    let parts = host.split('.').all(|part| !part.is_empty() && part.len() <= 63);
    if fits && parts {
        Ok((host, port))
    } else {
        Err(UrlError::Host)
    }
}

fn digits(port: &str) -> Option<u16> {
    let only = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let port = only.then(|| port.parse::<u16>().ok()).flatten();
    port.filter(|port| *port > 0)
}

impl fmt::Display for Url {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl TryFrom<String> for Url {
    type Error = UrlError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Url> for String {
    fn from(url: Url) -> Self {
        url.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_host_port_and_what_is_asked_for() {
        for (text, plain, host, port, authority, target) in [
            (
                "https://app.phutho.gov.vn",
                false,
                "app.phutho.gov.vn",
                443,
                "app.phutho.gov.vn",
                "/",
            ),
            ("https://App.VN/lgsp/in", false, "app.vn", 443, "app.vn", "/lgsp/in"),
            ("https://app.vn?x=1", false, "app.vn", 443, "app.vn", "/?x=1"),
            (
                "http://10.1.2.3:8080/a?b=c",
                true,
                "10.1.2.3",
                8080,
                "10.1.2.3:8080",
                "/a?b=c",
            ),
            ("https://[::1]:9000/", false, "::1", 9000, "[::1]:9000", "/"),
            ("https://[fd00::5]", false, "fd00::5", 443, "[fd00::5]", "/"),
        ] {
            let url = Url::parse(text).unwrap();
            let told = (url.is_plain(), url.host(), url.port(), url.authority(), url.target());
            assert_eq!(
                told,
                (plain, host, port, authority.to_owned(), target.to_owned()),
                "{text}"
            );
            assert_eq!(url.to_string(), text, "it is written as it was");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_none() {
        for (text, error) in [
            ("ftp://a.vn", UrlError::Scheme),
            ("a.vn", UrlError::Scheme),
            ("HTTPS://a.vn", UrlError::Scheme),
            ("https://a.vn/ b", UrlError::Letters),
            ("https://sở.vn", UrlError::Letters),
            ("https://a.vn/\r\nx: y", UrlError::Letters),
            ("https://user:pass@a.vn", UrlError::User),
            ("https://a.vn@b.vn", UrlError::User),
            ("https://a.vn#b", UrlError::Fragment),
            ("https://", UrlError::Host),
            ("https:///x", UrlError::Host),
            ("https://a..vn", UrlError::Host),
            ("https://a.vn.", UrlError::Host),
            ("https://a_b.vn", UrlError::Host),
            ("https://[::1", UrlError::Host),
            ("https://[::1]x", UrlError::Host),
            ("https://[a.vn]", UrlError::Host),
            ("https://a.vn:0", UrlError::Port),
            ("https://a.vn:", UrlError::Port),
            ("https://a.vn:+1", UrlError::Port),
            ("https://a.vn:65536", UrlError::Port),
            ("https://a.vn:1:2", UrlError::Port),
        ] {
            assert_eq!(Url::parse(text), Err(error), "{text}");
        }
        let long = format!("https://a.vn/{}", "x".repeat(URL_MAX_BYTES));
        assert_eq!(Url::parse(&long), Err(UrlError::Letters));
    }
}

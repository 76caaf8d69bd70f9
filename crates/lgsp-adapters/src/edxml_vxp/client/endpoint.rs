//! Where the axis is: the URL a document system is configured with, and what the SDK makes of it.

use thiserror::Error;

/// Why a service object cannot be made; correct the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EndpointError {
    #[error("the endpoint is not an http:// address")]
    Scheme,
    #[error("the endpoint is https, which this client does not speak yet")]
    Tls,
    #[error("the endpoint has no host, a bad port, or blanks")]
    Authority,
}

/// `http://host[:port][/prefix]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    host: String,
    port: Option<u16>,
    prefix: String,
}

impl Endpoint {
    /// Reads a URL. Blanks around it are refused: the SDK fails on every call then (vxp-wire.md 2).
    ///
    /// # Errors
    /// [`EndpointError`].
    pub fn parse(url: &str) -> Result<Self, EndpointError> {
        if url.starts_with("https://") {
            return Err(EndpointError::Tls);
        }
        let rest = url.strip_prefix("http://").ok_or(EndpointError::Scheme)?;
        let (authority, prefix) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        let (host, port) = host_and_port(authority).ok_or(EndpointError::Authority)?;
        if host.is_empty() || url.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(EndpointError::Authority);
        }
        Ok(Self {
            host: host.to_owned(),
            port,
            prefix: prefix.to_owned(),
        })
    }

    /// Host name or address, an IPv6 address without its brackets.
    pub(super) fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    pub(super) fn port(&self) -> u16 {
        self.port.unwrap_or(80)
    }

    /// An explicit port changes how HttpClient writes letters beyond ASCII (vxp-wire.md 3.3).
    pub(super) fn has_port(&self) -> bool {
        self.port.is_some()
    }

    pub(super) fn authority(&self) -> String {
        self.port
            .map_or_else(|| self.host.clone(), |port| format!("{}:{port}", self.host))
    }

    /// The path as `HttpURLConnection` sends it: nothing is tidied.
    pub(super) fn path_as_written(&self, name: &str) -> String {
        format!("{}/{name}", self.prefix)
    }

    /// The path as HttpClient sends it: `//x` without a prefix becomes `/x`, with one it stays.
    pub(super) fn path_tidied(&self, name: &str) -> String {
        let path = self.path_as_written(name);
        path.strip_prefix('/')
            .filter(|rest| rest.starts_with('/'))
            .map_or_else(|| path.clone(), ToOwned::to_owned)
    }
}

fn host_and_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let host_end = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    match authority.get(host_end..)?.find(':') {
        None => Some((authority, None)),
        Some(colon) => {
            let (host, port) = authority.split_at(host_end + colon);
            Some((host, Some(port.strip_prefix(':')?.parse().ok()?)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailing_slash_is_tidied_only_by_one_of_the_two_clients_and_only_without_prefix() {
        let path = |url: &str| {
            let endpoint = Endpoint::parse(url).unwrap();
            (endpoint.path_tidied("op"), endpoint.path_as_written("op"))
        };
        assert_eq!(path("http://h"), ("/op".into(), "/op".into()));
        assert_eq!(path("http://h:81/"), ("/op".into(), "//op".into()));
        assert_eq!(
            path("http://h/truc/vxp"),
            ("/truc/vxp/op".into(), "/truc/vxp/op".into())
        );
        assert_eq!(path("http://h/truc/"), ("/truc//op".into(), "/truc//op".into()));
    }

    #[test]
    fn the_host_header_has_the_port_only_when_the_url_has_it() {
        let authority = |url: &str| Endpoint::parse(url).unwrap().authority();
        assert_eq!(authority("http://truc.example.vn/x"), "truc.example.vn");
        assert_eq!(authority("http://127.0.0.1:18095"), "127.0.0.1:18095");
        assert_eq!(authority("http://[::1]:8080/x"), "[::1]:8080");
        assert_eq!(Endpoint::parse("http://[::1]:8080/x").unwrap().host(), "::1");
    }

    #[test]
    fn what_is_no_plain_http_address_is_refused() {
        for (url, error) in [
            ("https://h", EndpointError::Tls),
            ("ftp://h", EndpointError::Scheme),
            (" http://h", EndpointError::Scheme),
            ("http://h ", EndpointError::Authority),
            ("http://", EndpointError::Authority),
            ("http://h:99999", EndpointError::Authority),
        ] {
            assert_eq!(Endpoint::parse(url), Err(error), "{url}");
        }
    }
}

//! The operations of the axis and the request heads the SDK's two HTTP clients write for them.

use super::endpoint::Endpoint;
use super::sign::SignedHeaders;

/// What a document system can ask the axis. Source: vxp-wire.md 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    GetAgenciesList,
    GetAgenciesListQd20,
    GetSynchronizeUnit,
    RegisterAgency,
    DeleteAgency,
    SendEdoc,
    GetReceivedEdocList,
    GetEdoc,
    DownloadEdoc,
    UpdateStatus,
    GetSentEdocList,
    CountReceiveEdoc,
    CountReceiveStatus,
}

impl Operation {
    /// The last path segment.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::GetAgenciesList => "getAgenciesList",
            Self::GetAgenciesListQd20 => "getAgenciesListQD20",
            Self::GetSynchronizeUnit => "getSynchronizeUnit",
            Self::RegisterAgency => "registerAgency",
            Self::DeleteAgency => "deleteAgency",
            Self::SendEdoc => "sendEdoc",
            Self::GetReceivedEdocList => "getReceivedEdocList",
            Self::GetEdoc => "getEdoc",
            Self::DownloadEdoc => "downloadEdoc",
            Self::UpdateStatus => "updateStatus",
            Self::GetSentEdocList => "getSentEdocList",
            Self::CountReceiveEdoc => "countReceiveEdoc",
            Self::CountReceiveStatus => "countReceiveStatus",
        }
    }

    /// `GET` for downloadEdoc, `POST` for all others.
    #[must_use]
    pub const fn method(self) -> &'static str {
        if matches!(self, Self::DownloadEdoc) {
            "GET"
        } else {
            "POST"
        }
    }

    /// The first line of the request, without its line end.
    #[must_use]
    pub fn request_line(self, endpoint: &Endpoint) -> String {
        let path = if self == Self::SendEdoc {
            endpoint.path_as_written(self.name())
        } else {
            endpoint.path_tidied(self.name())
        };
        format!("{} {path} HTTP/1.1", self.method())
    }

    /// The value of both `Content-Type` headers.
    pub(super) const fn content_type(self) -> &'static str {
        if matches!(self, Self::SendEdoc) {
            "application/octet-stream"
        } else {
            "application/json"
        }
    }

    /// Every POST of HttpClient that has a body waits for `100 Continue` first.
    pub(super) const fn expects_continue(self) -> bool {
        matches!(
            self,
            Self::RegisterAgency
                | Self::DeleteAgency
                | Self::GetEdoc
                | Self::UpdateStatus
                | Self::CountReceiveEdoc
                | Self::CountReceiveStatus
        )
    }

    /// The client forgets these connections without closing them (vxp-wire.md 2.1).
    pub(super) const fn forgets_connection(self) -> bool {
        matches!(
            self,
            Self::GetAgenciesList
                | Self::GetAgenciesListQd20
                | Self::GetSynchronizeUnit
                | Self::GetReceivedEdocList
                | Self::GetSentEdocList
                | Self::DownloadEdoc
        )
    }

    /// Operations that version 2.0.0 of the SDK does not have yet.
    pub(super) const fn only_in_2_0_1(self) -> bool {
        matches!(
            self,
            Self::DownloadEdoc | Self::CountReceiveEdoc | Self::CountReceiveStatus | Self::GetAgenciesListQd20
        )
    }
}

/// The bytes of a request up to and with the empty line, as the SDK would send them.
///
/// Source: vxp-wire.md 6 for the order, 3.3 for letters beyond ASCII.
#[must_use]
pub fn head(operation: Operation, endpoint: &Endpoint, headers: &SignedHeaders, body_bytes: u64) -> Vec<u8> {
    let mut head = operation.request_line(endpoint).into_bytes();
    head.extend_from_slice(b"\r\n");
    let url_connection = operation == Operation::SendEdoc;
    let letters = if endpoint.has_port() && !url_connection {
        Letters::LowByte
    } else {
        Letters::Utf8
    };
    for (name, value) in signed_lines(url_connection, headers) {
        line(&mut head, &name, &value, letters);
    }
    for (name, value) in transport_lines(operation, endpoint, body_bytes) {
        line(&mut head, name, &value, Letters::Utf8);
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// `HttpURLConnection` refuses a value with a line end; HttpClient sends a blank instead.
pub(super) fn url_connection_refuses(headers: &SignedHeaders) -> bool {
    headers.parameters.iter().any(|(_, value)| value.contains(['\r', '\n']))
}

fn signed_lines(content_type_first: bool, headers: &SignedHeaders) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    for (name, value) in &headers.parameters {
        if name == "Content-Type" {
            let place = if content_type_first { 0 } else { lines.len() };
            lines.insert(place, (name.clone(), value.clone()));
        }
        lines.push((format!("XroadVnpt-{name}"), value.clone()));
    }
    let signature = [
        ("XroadVnpt-sign-header-key", &headers.sign_header_key),
        ("XroadVnpt-sign-header", &headers.sign_header),
        ("XroadVnpt-hash-header", &headers.hash_header),
    ];
    lines.extend(
        signature
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?))),
    );
    lines
}

fn transport_lines(operation: Operation, endpoint: &Endpoint, body_bytes: u64) -> Vec<(&'static str, String)> {
    let mut lines = vec![
        ("User-Agent", "JAVASDKAgent/1.0.0 XRoad/VPCP".to_owned()),
        ("XroadVnpt-version", "3.0.201608".to_owned()),
    ];
    let length = ("Content-Length", body_bytes.to_string());
    let host = ("Host", endpoint.authority());
    if operation == Operation::SendEdoc {
        lines.push(("Cache-Control", "no-cache".to_owned()));
        lines.push(("Pragma", "no-cache".to_owned()));
        lines.push(host);
        lines.push(("Accept", "text/html, image/gif, image/jpeg, */*; q=0.2".to_owned()));
        lines.push(("Connection", "keep-alive".to_owned()));
        lines.push(length);
        return lines;
    }
    if operation.method() == "POST" {
        lines.push(length);
    }
    lines.push(host);
    lines.push(("Connection", "Keep-Alive".to_owned()));
    if operation.expects_continue() {
        lines.push(("Expect", "100-continue".to_owned()));
    }
    // No `Accept-Encoding: gzip,deflate`, which the SDK sends here: this client cannot unpack the answer.
    lines
}

/// How characters become bytes.
#[derive(Clone, Copy)]
enum Letters {
    Utf8,
    /// HttpClient with an explicit port keeps the low byte of each UTF-16 unit.
    LowByte,
}

fn line(head: &mut Vec<u8>, name: &str, value: &str, letters: Letters) {
    head.extend_from_slice(name.as_bytes());
    head.extend_from_slice(b": ");
    let one_line = value.replace(['\r', '\n', '\u{b}', '\u{c}'], " ");
    match letters {
        Letters::Utf8 => head.extend_from_slice(one_line.as_bytes()),
        Letters::LowByte => head.extend(one_line.encode_utf16().map(|unit| unit.to_le_bytes()[0])),
    }
    head.extend_from_slice(b"\r\n");
}

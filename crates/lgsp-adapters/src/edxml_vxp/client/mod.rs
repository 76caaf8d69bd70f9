//! A client that speaks to the axis as the vendor's Java SDK does: the departments' software in demo and tests.
//!
//! It shares no code with the façade, so that both can be wrong only separately. Source: vxp-wire.md 2 to 9.

pub mod answer;
mod body;
pub mod builder;
mod connection;
mod decode;
pub mod endpoint;
mod fetch;
pub mod items;
pub mod java_map;
mod json;
mod lists;
mod manage;
pub mod operation;
pub mod raw;
mod send;
pub mod sign;
pub mod source;

#[cfg(test)]
mod tests;

use std::fmt;
use std::io::BufReader;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use answer::{Answer, CallError};
use connection::{Broken, Connection, Payload, Reply};
use endpoint::{Endpoint, EndpointError};
use java_map::JavaMap;
use operation::Operation;
use sign::{SignedHeaders, Timestamp};

/// No byte moved for so long: give up. The SDK waits for ever; tests must not.
const TIME_LIMIT: Duration = Duration::from_secs(60);
/// Requests in all when a connection dies, for every operation but sendEdoc; the SDK takes 2 to 5.
const RETRY: u32 = 3;
/// Most connections kept open by [`Service::forget_connections`].
const FORGOTTEN_MAX: usize = 256;

/// Which SDK reads the answers; what is sent does not differ. Source: vxp-wire.md 9.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SdkVersion {
    V2_0_0,
    V2_0_1,
}

/// The two kinds of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageType {
    Edoc,
    Status,
}

impl MessageType {
    /// The word in the header `messagetype`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Edoc => "edoc",
            Self::Status => "status",
        }
    }
}

/// One service object: one header map that never forgets, one frozen timestamp.
pub struct Service {
    endpoint: Endpoint,
    secret: String,
    map: JavaMap,
    pending: Vec<(String, String)>,
    version: SdkVersion,
    retry: u32,
    time_limit: Option<Duration>,
    file_path: String,
    idle: Option<(BufReader<TcpStream>, Instant)>,
    forgotten: Option<Vec<TcpStream>>,
}

impl Service {
    /// Makes the object an application keeps for its lifetime. Nothing is sent yet.
    ///
    /// # Errors
    /// [`EndpointError`]: correct the URL.
    pub fn new(endpoint: &str, system_id: &str, secret: &str, timestamp: &Timestamp) -> Result<Self, EndpointError> {
        let mut map = JavaMap::default();
        map.put("timestamp", timestamp.as_str());
        map.put("systemid", system_id);
        Ok(Self {
            endpoint: Endpoint::parse(endpoint)?,
            secret: secret.to_owned(),
            map,
            pending: Vec::new(),
            version: SdkVersion::V2_0_1,
            retry: RETRY,
            time_limit: Some(TIME_LIMIT),
            file_path: "xml".to_owned(),
            idle: None,
            forgotten: None,
        })
    }

    /// Reads answers as that version of the SDK does; 2.0.1 unless told.
    #[must_use]
    pub fn version(mut self, version: SdkVersion) -> Self {
        self.version = version;
        self
    }

    /// Requests in all when connections die, 2 to 5 as in the SDK, 3 unless told. sendEdoc always has 2.
    #[must_use]
    pub fn retry(mut self, requests: u32) -> Self {
        self.retry = requests.clamp(2, 5);
        self
    }

    /// Longest time without progress, 60 s unless told; `None` waits for ever as the SDK does.
    #[must_use]
    pub fn time_limit(mut self, limit: Option<Duration>) -> Self {
        self.time_limit = limit.filter(|limit| !limit.is_zero());
        self
    }

    /// The client's own folder, which getEdoc and downloadEdoc name to the axis for no reason; `xml` unless told.
    #[must_use]
    pub fn file_path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.file_path);
        self
    }

    /// Keeps the connections of lists and downloads open until the object is dropped, as the SDK does until garbage
    /// collection; the oldest of more than 256 is closed. Otherwise they are closed after the answer.
    #[must_use]
    pub fn forget_connections(mut self) -> Self {
        self.forgotten = Some(Vec::new());
        self
    }

    /// Adds a member to the header JSON of the next call, behind the operation's own. As in the SDK it stays in all
    /// later calls.
    pub fn put(&mut self, name: &str, value: &str) {
        self.pending.push((name.to_owned(), value.to_owned()));
    }

    /// Signs the header map for a call of this operation with these parameters, as the call itself would.
    pub fn signed(&mut self, operation: Operation, parameters: &[(&str, &str)]) -> SignedHeaders {
        self.map.put("Content-Type", operation.content_type());
        for (name, value) in parameters {
            self.map.put(name, *value);
        }
        for (name, value) in self.pending.drain(..) {
            self.map.put(&name, value);
        }
        SignedHeaders::sign(&self.map, &self.secret)
    }

    /// The bytes of a request with any signed headers and body, for [`raw::exchange`].
    #[must_use]
    pub fn request(&self, operation: Operation, headers: &SignedHeaders, body: &[u8]) -> Vec<u8> {
        let mut bytes = operation::head(operation, &self.endpoint, headers, body.len() as u64);
        bytes.extend_from_slice(body);
        bytes
    }

    /// One call through HttpClient: up to `retry` requests, each over a connection of its own.
    fn call(&mut self, operation: Operation, parameters: &[(&str, &str)], body: &[u8]) -> Result<Reply, CallError> {
        if self.version == SdkVersion::V2_0_0 && operation.only_in_2_0_1() {
            return Err(CallError::NotInThisVersion {
                operation: operation.name(),
            });
        }
        let headers = self.signed(operation, parameters);
        let head = operation::head(operation, &self.endpoint, &headers, body.len() as u64);
        let mut requests = 0;
        loop {
            requests += 1;
            let asked = self
                .connect()
                .and_then(|connection| connection.ask(&head, &Payload::Text(body), operation.expects_continue()));
            match asked {
                Err(Broken::Dead(_) | Broken::Refused(_)) if requests < self.retry => {}
                Err(broken) => return Err(CallError::broken(broken, requests)),
                Ok(reply) => return Ok(reply),
            }
        }
    }

    fn connect(&self) -> Result<Connection, Broken> {
        Connection::open(self.endpoint.host(), self.endpoint.port(), self.time_limit)
    }

    fn forget(&mut self, operation: Operation, reply: Reply) {
        if let Some(forgotten) = self.forgotten.as_mut().filter(|_| operation.forgets_connection()) {
            if forgotten.len() >= FORGOTTEN_MAX {
                forgotten.remove(0);
            }
            forgotten.push(reply.body.into_stream());
        }
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Service")
            .field("endpoint", &self.endpoint)
            .field("version", &self.version)
            .field("retry", &self.retry)
            .field("time_limit", &self.time_limit)
            .finish_non_exhaustive()
    }
}

/// A call that brings back nothing but the envelope.
type Enveloped = Result<Answer, CallError>;

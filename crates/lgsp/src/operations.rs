//! What operators ask a running node: HTTP and JSON on a Unix socket that only the node's user can open.
//!
//! It serves `lgsp trace`, `lgsp search`, `lgsp redrive`, `lgsp resume` and `lgsp registry` until the gRPC service of operations takes its place.

pub(crate) mod registry;
pub(crate) mod rights;

use std::convert::Infallible;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use lgsp_exchange::{RedriveError, SEARCH_INVALID, SearchError, Spine};
use lgsp_types::{Clock, ConnectorId, DeliveryId, DocumentQuery, MsgId, Operations};
use serde::Serialize;
use serde_json::{Value, json};
use thiserror::Error;
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

use crate::hexadecimal::hexadecimal;
use crate::http1::{self, Served};

/// Longest wait for a question's head, and for an answer.
const TIME_LIMIT: Duration = Duration::from_secs(30);
const SERVED: Served = Served {
    what: "the operations socket",
    connections_max: 32,
    head_limit: TIME_LIMIT,
    exchange_limit: EXCHANGE_LIMIT,
};
/// A registry file of megabytes takes its time.
const EXCHANGE_LIMIT: Duration = Duration::from_mins(10);
/// Longest answer that the client reads, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Serves until `stop`, then finishes the answers it is at.
pub(crate) async fn serve(listener: UnixListener, spine: Arc<Spine>, clock: Clock, stop: CancellationToken) {
    http1::serve(listener, SERVED, stop, |stream: &UnixStream| {
        let user = stream.peer_cred().ok().map(|peer| peer.uid());
        let (spine, clock) = (Arc::clone(&spine), Arc::clone(&clock));
        service_fn(move |request: Request<Incoming>| {
            let (spine, now) = (Arc::clone(&spine), clock());
            async move {
                let answer = if request.uri().path().starts_with(registry::PATH) {
                    respond(registry::answer(&spine, now, user, request).await)
                } else {
                    answer(&spine, &request).await
                };
                Ok::<_, Infallible>(answer)
            }
        })
    })
    .await;
}

/// Makes the socket; one left by a node that was killed is removed. The caller holds the ledger's lock, so no other
/// node lives in this folder.
pub(crate) fn bind(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

async fn answer(spine: &Spine, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let (status, body) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/v1/trace") => match query(request.uri().query().unwrap_or_default()) {
            Some(text) => match spine.trace(None, &text).await {
                Ok(trace) => (StatusCode::OK, json!(trace)),
                Err(error) => (StatusCode::SERVICE_UNAVAILABLE, json!({"error": error.to_string()})),
            },
            None => (
                StatusCode::BAD_REQUEST,
                json!({"error": "ask /v1/trace?query=<document number or id>"}),
            ),
        },
        (&Method::GET, "/v1/search") => searched(spine, request).await,
        (&Method::GET, "/v1/evidence") => match message_id(request) {
            Some(id) => match spine.evidence(None, id).await {
                Ok(Some(evidence)) => (
                    StatusCode::OK,
                    json!({"receipt": evidence.receipt, "entry": hexadecimal(&evidence.entry), "proof": evidence.proof}),
                ),
                Ok(None) => (StatusCode::NOT_FOUND, json!({"error": "no message has this id"})),
                Err(error) => (StatusCode::SERVICE_UNAVAILABLE, json!({"error": error.to_string()})),
            },
            None => (
                StatusCode::BAD_REQUEST,
                json!({"error": "ask /v1/evidence?query=<message id>"}),
            ),
        },
        (&Method::GET, "/v1/dead-letters") => match spine.dead_letters().await {
            Ok(letters) => (StatusCode::OK, json!({"dead_letters": letters})),
            Err(error) => (StatusCode::SERVICE_UNAVAILABLE, json!({"error": error.to_string()})),
        },
        (&Method::POST, "/v1/redrive") => match delivery_id(request) {
            Some(id) => redriven(spine, id).await,
            None => (
                StatusCode::BAD_REQUEST,
                json!({"error": "post to /v1/redrive?query=<delivery id>"}),
            ),
        },
        (&Method::POST, "/v1/resume") => match connector_id(request) {
            Some(connector) if spine.resume(&connector) => (StatusCode::OK, json!({"connector": connector})),
            Some(_) => (
                StatusCode::NOT_FOUND,
                json!({"error": "nothing is pushed to a connector of this name"}),
            ),
            None => (
                StatusCode::BAD_REQUEST,
                json!({"error": "post to /v1/resume?query=<connector>"}),
            ),
        },
        (&Method::GET, "/v1/tables") => match spine.tables().await {
            Ok(tables) => (StatusCode::OK, json!(tables)),
            Err(error) => (StatusCode::SERVICE_UNAVAILABLE, json!({"error": error.to_string()})),
        },
        (&Method::GET, "/v1/status") => match spine.status().await {
            Ok(status) => (StatusCode::OK, json!(status)),
            Err(error) => (StatusCode::SERVICE_UNAVAILABLE, json!({"error": error.to_string()})),
        },
        _ => (
            StatusCode::NOT_FOUND,
            json!({"error": "there are GET /v1/trace, /v1/search, /v1/evidence, /v1/dead-letters, /v1/tables and /v1/status, and POST /v1/redrive and /v1/resume"}),
        ),
    };
    respond((status, body))
}

fn respond((status, body): (StatusCode, Value)) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("application/json"),
    );
    response
}

/// What is looked for comes as JSON, so that every field keeps its name and kind.
async fn searched(spine: &Spine, request: &Request<Incoming>) -> (StatusCode, Value) {
    let asked = query(request.uri().query().unwrap_or_default());
    let asked = asked.as_deref().map(serde_json::from_str::<DocumentQuery>);
    let error = match asked {
        Some(Ok(asked)) => match spine.search(&asked).await {
            Ok(found) => return (StatusCode::OK, json!(found)),
            Err(SearchError::Unavailable(error)) => {
                return (StatusCode::SERVICE_UNAVAILABLE, json!({"error": error.to_string()}));
            }
            Err(error @ SearchError::Refused(_)) => error.to_string(),
        },
        Some(Err(error)) => format!("{SEARCH_INVALID} at /: {error}; ask with the fields that `lgsp search` has"),
        None => "ask /v1/search?query=<JSON of what to look for>".to_owned(),
    };
    (StatusCode::BAD_REQUEST, json!({ "error": error }))
}

async fn redriven(spine: &Spine, id: DeliveryId) -> (StatusCode, Value) {
    match spine.redrive(id).await {
        Ok(round) => (StatusCode::OK, json!({"delivery": id, "generation": round})),
        Err(error) => {
            let status = match error {
                RedriveError::NotFound(_) => StatusCode::NOT_FOUND,
                RedriveError::NotDead { .. } | RedriveError::Overtaken(_) => StatusCode::CONFLICT,
                RedriveError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            };
            (status, json!({"error": error.to_string()}))
        }
    }
}

fn delivery_id(request: &Request<Incoming>) -> Option<DeliveryId> {
    DeliveryId::parse(&query(request.uri().query().unwrap_or_default())?).ok()
}

fn connector_id(request: &Request<Incoming>) -> Option<ConnectorId> {
    ConnectorId::parse(&query(request.uri().query().unwrap_or_default())?).ok()
}

fn message_id(request: &Request<Incoming>) -> Option<MsgId> {
    MsgId::parse(&query(request.uri().query().unwrap_or_default())?).ok()
}

/// The value of `query=`, percent-decoded.
fn query(text: &str) -> Option<String> {
    let value = text.split('&').find_map(|pair| pair.strip_prefix("query="))?;
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'%', [high, low, after @ ..]) => {
                let digits = [*high, *low];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
                rest = after;
            }
            (b'%', _) => return None,
            (byte, _) => bytes.push(*byte),
        }
    }
    String::from_utf8(bytes).ok()
}

/// Why a node gave no answer.
#[derive(Debug, Error)]
pub(crate) enum AskError {
    /// Start the node, or name its settings with --config.
    #[error("no node answers at {path}: is `lgsp serve` running with the same settings?")]
    NoNode {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the node's answer could not be read")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the node did not answer within {} s", TIME_LIMIT.as_secs())]
    Late,
    #[error("the node answers: {what}")]
    Refused { what: String, status: StatusCode },
}

/// Asks a node one question.
pub(crate) async fn ask(socket: &Path, path: &str, asked: Option<&str>) -> Result<Value, AskError> {
    call(socket, Method::GET, path, asked).await
}

/// Has a node do something.
pub(crate) async fn call(socket: &Path, method: Method, path: &str, asked: Option<&str>) -> Result<Value, AskError> {
    let uri = asked.map_or_else(|| path.to_owned(), |asked| format!("{path}?query={}", percent(asked)));
    within_time(call_in_time(socket, method, uri, Bytes::new())).await
}

/// Asks a node a question of its registry, or has it change something there.
pub(crate) async fn ask_registry(socket: &Path, question: &str, asked: &impl Serialize) -> Result<Value, AskError> {
    let body = serde_json::to_vec(asked).map_err(|error| AskError::Broken(error.into()))?;
    let uri = format!("{}{question}", registry::PATH);
    within_time(call_in_time(socket, Method::POST, uri, body.into())).await
}

async fn within_time(call: impl Future<Output = Result<Value, AskError>>) -> Result<Value, AskError> {
    tokio::time::timeout(TIME_LIMIT, call)
        .await
        .map_err(|_| AskError::Late)?
}

async fn call_in_time(socket: &Path, method: Method, uri: String, asked: Bytes) -> Result<Value, AskError> {
    let broken = |error: Box<dyn std::error::Error + Send + Sync>| AskError::Broken(error);
    let stream = UnixStream::connect(socket).await.map_err(|source| AskError::NoNode {
        path: socket.to_owned(),
        source,
    })?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| broken(error.into()))?;
    let request = Request::builder()
        .method(method)
        .uri(uri)
        .header("host", "lgsp")
        .body(Full::new(asked))
        .map_err(|error| broken(error.into()))?;
    let answered = async {
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| broken(error.into()))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await
            .map_err(broken)?
            .to_bytes();
        let value: Value = serde_json::from_slice(&body).map_err(|error| broken(error.into()))?;
        if status.is_success() {
            return Ok(value);
        }
        let what = value
            .get("error")
            .and_then(Value::as_str)
            .unwrap_or("an error without a text")
            .to_owned();
        Err(AskError::Refused { what, status })
    };
    // The connection moves the bytes while the answer is awaited; both end together.
    tokio::pin!(connection);
    tokio::select! {
        answer = answered => answer,
        Err(error) = &mut connection => Err(broken(error.into())),
    }
}

/// The list of this name in an answer; empty if there is none.
pub(crate) fn list<'a>(answer: &'a Value, name: &str) -> &'a [Value] {
    answer.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The text of this name in an answer; empty if there is none.
pub(crate) fn text<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_document_number_travels_in_a_question() {
        for text in ["2451/STTTT-CNTT", "28/2018/QĐ-TTg", "a b&c=d%", ""] {
            assert_eq!(query(&format!("query={}", percent(text))).as_deref(), Some(text));
        }
        for bad in ["", "query=%", "query=%4", "query=%zz", "query=%ff"] {
            assert_eq!(query(bad), None, "{bad}");
        }
    }
}

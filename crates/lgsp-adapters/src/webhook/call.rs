//! One request and its answer on one connection, which ends with it.

use std::error::Error;

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt as _};
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use lgsp_types::{ContentError, Traceparent, Url};

use super::reach::Link;
use super::sign::Signed;
use super::trouble::{ANSWER_BROKEN, Trouble};

/// Longest head of an answer, in bytes.
const HEAD_MAX_BYTES: usize = 64 * 1024;
/// Longest body of an answer that is read, in bytes.
const ANSWER_MAX_BYTES: usize = 64 * 1024;
const PROGRAM: &str = concat!("lgsp/", env!("CARGO_PKG_VERSION"));

/// What a receiver answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<String>,
    /// None: it is longer than anybody reads.
    pub(super) body: Option<Bytes>,
}

/// Posts a delivery. Redirects are answers like others: they are never followed.
pub(super) async fn call(
    link: Box<dyn Link>,
    url: &Url,
    signed: Signed,
    trace: Option<Traceparent>,
    (bytes, body): (u64, impl Stream<Item = Result<Bytes, ContentError>> + Send + 'static),
) -> Result<Answer, Trouble> {
    let mut request = Request::post(url.target())
        .header(HOST, url.authority())
        .header(USER_AGENT, PROGRAM)
        .header(CONTENT_TYPE, "application/json")
        .header(CONTENT_LENGTH, bytes)
        .header(CONNECTION, "close")
        .header("webhook-id", signed.id)
        .header("webhook-timestamp", signed.timestamp)
        .header("webhook-signature", signed.signature);
    if let Some(trace) = trace {
        request = request.header("traceparent", trace.to_string());
    }
    let request = request
        .body(StreamBody::new(body.map_ok(Frame::data)))
        .map_err(Trouble::by(ANSWER_BROKEN))?;
    let mut http = http1::Builder::new();
    let shaking = http.max_buf_size(HEAD_MAX_BYTES).handshake(TokioIo::new(link));
    let (mut sender, connection) = shaking.await.map_err(Trouble::by(ANSWER_BROKEN))?;
    let answering = async {
        let response = sender.send_request(request).await.map_err(Trouble::by(ANSWER_BROKEN))?;
        read(response).await.map_err(Trouble::by(ANSWER_BROKEN))
    };
    // The connection moves the bytes while the answer is awaited; both end together. Its error is the answer's as well,
    // and an answer may have come before it.
    let mut connection = std::pin::pin!(connection);
    let mut answering = std::pin::pin!(answering);
    tokio::select! {
        answer = &mut answering => answer,
        _ = &mut connection => answering.await,
    }
}

async fn read(response: http::Response<Incoming>) -> Result<Answer, Box<dyn Error + Send + Sync>> {
    let (head, body) = response.into_parts();
    let retry_after = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let body = match Limited::new(body, ANSWER_MAX_BYTES).collect().await {
        Ok(body) => Some(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => None,
        // The head has said it all.
        Err(_) if !head.status.is_success() => Some(Bytes::new()),
        Err(error) => return Err(error),
    };
    Ok(Answer {
        status: head.status,
        retry_after: retry_after.map(str::to_owned),
        body,
    })
}

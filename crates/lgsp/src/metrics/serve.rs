//! `[metrics]`: HTTP for Prometheus and for whoever watches whether the node lives. No caller is known here: it says numbers.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use lgsp_exchange::Spine;
use lgsp_types::Operations as _;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::Metrics;

/// Connections at one time; more are closed at once.
const CONNECTIONS_MAX: usize = 16;
/// A head that has not come by then, and an answer that is not taken, end the connection.
const TIME_LIMIT: Duration = Duration::from_secs(10);
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// Serves until `stop`.
pub(crate) async fn serve(listener: TcpListener, metrics: Metrics, spine: Arc<Spine>, stop: CancellationToken) {
    let tasks = TaskTracker::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, place) = match (accepted, Arc::clone(&places).try_acquire_owned()) {
            (Ok((stream, _)), Ok(place)) => (stream, place),
            (Ok(_), Err(_)) => continue,
            (Err(error), _) => {
                warn!(
                    error = &error as &dyn std::error::Error,
                    "the port of metrics took no connection"
                );
                continue;
            }
        };
        let (metrics, spine) = (metrics.clone(), Arc::clone(&spine));
        tasks.spawn(async move {
            let service = service_fn(move |request| {
                let (metrics, spine) = (metrics.clone(), Arc::clone(&spine));
                async move { Ok::<_, Infallible>(answer(&metrics, &spine, &request).await) }
            });
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new())
                .header_read_timeout(TIME_LIMIT)
                .keep_alive(false);
            let serving = http.serve_connection(TokioIo::new(stream), service);
            match tokio::time::timeout(TIME_LIMIT, serving).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => debug!(
                    error = &error as &dyn std::error::Error,
                    "a reader of metrics broke off"
                ),
                Err(_) => debug!("a reader of metrics was too slow"),
            }
            drop(place);
        });
    }
    tasks.close();
    tasks.wait().await;
}

async fn answer(metrics: &Metrics, spine: &Spine, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => match metrics.told(spine).await {
            Ok(told) => said(StatusCode::OK, OPEN_METRICS, told),
            Err(error) => said(StatusCode::SERVICE_UNAVAILABLE, PLAIN, format!("{error}\n")),
        },
        (&Method::GET, "/health/live") => said(StatusCode::OK, PLAIN, "lives\n".to_owned()),
        (&Method::GET, "/health/ready") => match spine.status().await {
            Ok(status) if status.holder.is_some() => said(StatusCode::OK, PLAIN, "accepts and hands out\n".to_owned()),
            Ok(_) => {
                let what = "does not hold the ledger now\n".to_owned();
                said(StatusCode::SERVICE_UNAVAILABLE, PLAIN, what)
            }
            Err(error) => said(StatusCode::SERVICE_UNAVAILABLE, PLAIN, format!("{error}\n")),
        },
        _ => {
            let what = "there are GET /metrics, /health/live and /health/ready\n".to_owned();
            said(StatusCode::NOT_FOUND, PLAIN, what)
        }
    }
}

fn said(status: StatusCode, kind: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

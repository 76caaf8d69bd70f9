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
use lgsp_exchange::Spine;
use lgsp_types::Operations as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Metrics;
use crate::http1::{self, Served};

const SERVED: Served = Served {
    what: "the port of metrics",
    connections_max: 16,
    head_limit: Duration::from_secs(10),
    exchange_limit: Duration::from_secs(10),
};
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// Serves until `stop`.
pub(crate) async fn serve(listener: TcpListener, metrics: Metrics, spine: Arc<Spine>, stop: CancellationToken) {
    http1::serve(listener, SERVED, stop, |_| {
        let (metrics, spine) = (metrics.clone(), Arc::clone(&spine));
        service_fn(move |request| {
            let (metrics, spine) = (metrics.clone(), Arc::clone(&spine));
            async move { Ok::<_, Infallible>(answer(&metrics, &spine, &request).await) }
        })
    })
    .await;
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

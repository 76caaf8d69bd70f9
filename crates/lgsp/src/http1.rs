//! A small HTTP/1.1 server for what operators and their tools ask of a node: few connections, one question each.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

/// What is served, and its bounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Served {
    /// For the log, as in `the operations socket`.
    pub(crate) what: &'static str,
    /// At one time; more are closed at once.
    pub(crate) connections_max: usize,
    /// A head that has not come by then, and a whole exchange that has not ended by `exchange_limit`, end the connection.
    pub(crate) head_limit: Duration,
    pub(crate) exchange_limit: Duration,
}

/// A socket that takes connections.
pub(crate) trait Listener {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection.
    fn next(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl Listener for UnixListener {
    type Stream = UnixStream;

    async fn next(&self) -> io::Result<UnixStream> {
        Ok(self.accept().await?.0)
    }
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn next(&self) -> io::Result<TcpStream> {
        Ok(self.accept().await?.0)
    }
}

/// Serves until `stop`, then finishes the answers it is at. `service_of` says who answers a connection.
pub(crate) async fn serve<L, S>(
    listener: L,
    served: Served,
    stop: CancellationToken,
    service_of: impl Fn(&L::Stream) -> S + Send,
) where
    L: Listener,
    S: Service<Request<Incoming>, Response = Response<Full<Bytes>>, Error = Infallible> + Send + 'static,
    S::Future: Send,
{
    let what = served.what;
    let tasks = TaskTracker::new();
    let places = Arc::new(Semaphore::new(served.connections_max));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.next() => accepted,
        };
        let (stream, place) = match (accepted, Arc::clone(&places).try_acquire_owned()) {
            (Ok(stream), Ok(place)) => (stream, place),
            (Ok(_), Err(_)) => continue,
            (Err(error), _) => {
                warn!(
                    what,
                    error = &error as &dyn std::error::Error,
                    "no connection was taken"
                );
                continue;
            }
        };
        let service = service_of(&stream);
        tasks.spawn(async move {
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new())
                .header_read_timeout(served.head_limit)
                .keep_alive(false);
            let serving = http.serve_connection(TokioIo::new(stream), service);
            match tokio::time::timeout(served.exchange_limit, serving).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    debug!(
                        what,
                        error = &error as &dyn std::error::Error,
                        "a question was not finished"
                    );
                }
                Err(_) => debug!(what, "a question took too long"),
            }
            drop(place);
        });
    }
    tasks.close();
    tasks.wait().await;
}

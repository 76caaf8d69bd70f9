//! The façade for document systems: an HTTP/1.1 server that answers the vendor's SDK as the axis does, over the port
//! `Exchange` alone.
//!
//! Source: vxp-wire.md; exchange.md 5.1. Shares no code with `client`, so that both can be wrong only separately.

mod acknowledge;
mod answer;
mod asked;
mod body;
mod call;
mod fetch;
mod gate;
mod head;
mod intake;
mod lists;
mod patience;
mod reason;
mod route;
mod secrets;
mod send;
mod settings;
mod signed;
mod trace;

#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand;
use http::{HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use lgsp_types::{Clock, Exchange, ObjectReader, SystemView};
use thiserror::Error;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, debug, info, warn};

use answer::Answer;
use body::Body;
use call::{Facade, Ground};
use gate::{Gate, Limits, Serving, Turn};
use route::Operation;
use secrets::Secrets;
pub use secrets::UnusableSecret;
pub use settings::Settings;
use settings::count;
use trace::Trace;

/// Connections that the kernel holds for us.
const BACKLOG: u32 = 1024;
/// Hyper's buffers per connection and direction, in bytes.
const BUFFER_BYTES: usize = 64 * 1024;
/// Hyper takes a head only while its buffer has room behind it, in bytes.
const HEAD_SLACK_BYTES: usize = 8 * 1024;
/// The kernel's buffer of what a far side has not taken yet: small, so that a slow reader shows that it gets on.
const SEND_BUFFER_BYTES: u32 = 256 * 1024;
/// After the kernel refused a connection (no file descriptors left) it is asked again so much later.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why the façade does not listen.
#[derive(Debug, Error)]
pub enum BindError {
    /// Choose another address, or stop who has it.
    #[error("listen on {address} failed")]
    Listen {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    /// Name an address.
    #[error("no address to listen on is set")]
    Nowhere,
    /// The machine gives no random bytes: nothing can be done safely.
    #[error("no random bytes are to be had")]
    Random,
}

/// The façade, listening.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    local_addr: SocketAddr,
    facade: Arc<Facade>,
    connections: Arc<Semaphore>,
    limits: Limits,
    work: TaskTracker,
}

impl Server {
    /// Listens; connections wait until [`Self::serve`]. Secrets are `<secrets_dir>/<secret_ref>/{current,next}`.
    ///
    /// # Errors
    /// [`BindError`].
    pub fn bind(
        settings: &Settings,
        secrets_dir: &Path,
        exchange: Arc<dyn Exchange>,
        objects: Arc<dyn ObjectReader>,
        clock: Clock,
    ) -> Result<Self, BindError> {
        let mut nobody = [0; 32];
        rand::fill(&mut nobody).map_err(|_| BindError::Random)?;
        let address = settings.listen.ok_or(BindError::Nowhere)?;
        let listen = |source| BindError::Listen { address, source };
        let listener = listener(address).map_err(listen)?;
        let work = TaskTracker::new();
        let ground = Ground {
            exchange,
            objects,
            clock,
            secrets: Secrets::new(secrets_dir, &nobody),
            work: work.clone(),
        };
        Ok(Self {
            local_addr: listener.local_addr().map_err(listen)?,
            listener,
            facade: Arc::new(Facade::new(settings.clone(), ground)),
            connections: Arc::new(Semaphore::new(
                count(settings.connections_max).min(Semaphore::MAX_PERMITS),
            )),
            limits: Limits {
                head_max_bytes: count(settings.headers_max_bytes),
                header_timeout: settings.header_timeout(),
                idle_timeout: settings.idle_timeout(),
                no_progress_timeout: settings.no_progress_timeout(),
            },
            work,
        })
    }

    /// Looks at the secrets of these systems before anybody is served. One that is not there yet is only warned of: its
    /// system cannot connect.
    ///
    /// # Errors
    /// [`UnusableSecret`]: an operator must mend the file.
    pub fn check_secrets(&self, systems: &[SystemView]) -> Result<(), UnusableSecret> {
        for view in systems {
            let Some(reference) = &view.secret_ref else { continue };
            if !self.facade.secrets.check(reference)? {
                warn!(system.id = %view.system, secret.reference = reference, "the system has no secret yet");
            }
        }
        Ok(())
    }

    /// Where it listens: the port that was chosen when the settings say 0.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Serves until `stop`, then ends what is in progress, for at most `grace`.
    pub async fn serve(self, stop: CancellationToken, grace: Duration) {
        info!(address = %self.local_addr, "the facade serves");
        let cut = CancellationToken::new();
        loop {
            let next = tokio::select! {
                () = stop.cancelled() => break,
                next = self.next() => next,
            };
            if let Some((stream, room)) = next {
                let connection = self.connection(stream, room, stop.clone(), cut.clone());
                self.work.spawn(connection);
            }
        }
        drop(self.listener);
        self.work.close();
        if timeout(grace, self.work.wait()).await.is_err() {
            warn!(tasks = self.work.len(), "calls are cut off at the end of the grace");
            cut.cancel();
        }
        info!("the facade has ended");
    }

    /// The next connection, once there is room for it. Cancel safe: nothing is taken up before there is.
    async fn next(&self) -> Option<(TcpStream, OwnedSemaphorePermit)> {
        let room = Arc::clone(&self.connections).acquire_owned().await.ok()?;
        match self.listener.accept().await {
            Ok((stream, _)) => {
                let delay = stream.set_nodelay(true);
                delay
                    .inspect_err(|error| debug!(%error, "a connection keeps its delay"))
                    .ok();
                Some((stream, room))
            }
            Err(error) => {
                warn!(%error, "a connection could not be taken up");
                sleep(ACCEPT_PAUSE).await;
                None
            }
        }
    }

    /// One connection to its end.
    fn connection(
        &self,
        stream: TcpStream,
        room: OwnedSemaphorePermit,
        stop: CancellationToken,
        cut: CancellationToken,
    ) -> impl Future<Output = ()> + Send + use<> {
        let turn = Turn::new(Instant::now());
        let gate = Gate::new(stream, self.limits, Arc::clone(&turn));
        let facade = Arc::clone(&self.facade);
        let service = service_fn(move |request| {
            let (serving, verdict) = turn.begin();
            let operation = Operation::of(request.method(), request.uri().path());
            respond(
                Arc::clone(&facade),
                request,
                Call {
                    operation,
                    verdict,
                    serving,
                },
            )
        });
        let connection = http1::Builder::new()
            .header_read_timeout(None)
            .max_buf_size(BUFFER_BYTES.max(self.limits.head_max_bytes + HEAD_SLACK_BYTES))
            .serve_connection(TokioIo::new(gate), service);
        async move {
            let _room = room;
            let mut connection = std::pin::pin!(connection);
            let mut stopping = false;
            let ended = loop {
                tokio::select! {
                    ended = connection.as_mut() => break ended,
                    () = stop.cancelled(), if !stopping => {
                        stopping = true;
                        connection.as_mut().graceful_shutdown();
                    }
                    () = cut.cancelled() => return,
                }
            };
            if let Err(error) = ended {
                debug!(error = &error as &dyn std::error::Error, "a connection broke off");
            }
        }
    }
}

fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The caller broke off: there is nobody to answer.
#[derive(Debug, Error)]
#[error("the caller broke off")]
struct Abandoned;

/// What is known of a request when it begins.
struct Call {
    operation: Operation,
    verdict: Option<head::Verdict>,
    serving: Serving,
}

async fn respond(facade: Arc<Facade>, request: Request<Incoming>, call: Call) -> Result<Response<Body>, Abandoned> {
    let mut trace = Trace::begin(call.operation);
    let span = trace.span().clone();
    let answer = facade
        .answer(request, call.operation, call.verdict, &mut trace)
        .instrument(span)
        .await
        .ok_or(Abandoned)?;
    let Answer {
        status,
        media_type,
        content,
        closes,
    } = answer;
    let mut response = Response::new(Body::new(content, trace, call.serving));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    if closes {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

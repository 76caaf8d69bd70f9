//! The door: accepts, shakes hands on the side, and hands over connections; bounded, and it survives odd sockets.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::certificate::Peer;
use super::tls::Tls;

/// How long the door waits after the machine refused it a socket (no file descriptors, no memory).
const AFTER_ACCEPT_FAILED: Duration = Duration::from_millis(100);

/// What the door lets in at one time.
#[derive(Clone, Copy, Debug)]
pub struct ListenSettings {
    /// Connections served at one time; more wait outside.
    pub connections_max: u32,
    /// Handshakes at one time; more wait outside.
    pub handshakes_max: u32,
}

/// A listening socket and its TLS.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    tls: Tls,
    settings: ListenSettings,
}

/// A connection after its handshake. Its place at the door is free again when it is dropped.
#[derive(Debug)]
pub struct Connection {
    stream: TlsStream<TcpStream>,
    peer: Peer,
    _place: OwnedSemaphorePermit,
}

impl Listener {
    #[must_use]
    pub fn new(tcp: TcpListener, tls: Tls, settings: ListenSettings) -> Self {
        Self { tcp, tls, settings }
    }

    /// Hands over connections until told to stop, or until nobody takes them.
    ///
    /// Handshakes run on the tracker, each with its time limit: one that says nothing holds up nobody.
    pub async fn run(self, connections: mpsc::Sender<Connection>, tasks: TaskTracker, stop: CancellationToken) {
        let places = Arc::new(Semaphore::new(self.settings.connections_max as usize));
        let handshakes = Arc::new(Semaphore::new(self.settings.handshakes_max as usize));
        loop {
            let (tcp, place, turn) = tokio::select! {
                () = stop.cancelled() => return,
                () = connections.closed() => return,
                arrived = self.next(&places, &handshakes) => match arrived {
                    Some(arrived) => arrived,
                    None => return,
                },
            };
            let (tls, connections, stop) = (self.tls.clone(), connections.clone(), stop.clone());
            tasks.spawn(async move {
                let shaken = tokio::select! { () = stop.cancelled() => return, shaken = tls.accept(tcp) => shaken };
                drop(turn);
                let (stream, peer) = match shaken {
                    Ok(shaken) => shaken,
                    Err(error) => {
                        debug!(error = &error as &dyn std::error::Error, "no handshake");
                        return;
                    }
                };
                let connection = Connection {
                    stream,
                    peer,
                    _place: place,
                };
                // Where nobody takes it any more, it is closed.
                tokio::select! { () = stop.cancelled() => {}, sent = connections.send(connection) => drop(sent) }
            });
        }
    }

    /// Cancel safe: what waits for a place waits outside. None: the places are closed, which they never are.
    async fn next(
        &self,
        places: &Arc<Semaphore>,
        handshakes: &Arc<Semaphore>,
    ) -> Option<(TcpStream, OwnedSemaphorePermit, OwnedSemaphorePermit)> {
        let place = Arc::clone(places).acquire_owned().await.ok()?;
        let turn = Arc::clone(handshakes).acquire_owned().await.ok()?;
        loop {
            match self.tcp.accept().await {
                Ok((tcp, _)) => {
                    // A refused option only makes small answers slower.
                    drop(tcp.set_nodelay(true));
                    return Some((tcp, place, turn));
                }
                // That far side is gone already; the next one may be waiting.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    warn!(
                        error = &error as &dyn std::error::Error,
                        "no connection can be accepted"
                    );
                    tokio::time::sleep(AFTER_ACCEPT_FAILED).await;
                }
            }
        }
    }
}

impl Connection {
    #[must_use]
    pub fn peer(&self) -> &Peer {
        &self.peer
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

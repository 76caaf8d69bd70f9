//! Dials the node and shakes hands: Hello, Welcome, the first view.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use lgsp_proto::adapter::v1::adapter_gateway_client::AdapterGatewayClient;
use lgsp_proto::adapter::v1::{AttachRequest, AttachResponse, Hello, attach_request, attach_response};
use lgsp_proto::read_view;
use tokio::time::timeout;
use tonic::Status;
use tracing::info;

use super::link::{self, Link};
use super::{DialError, Remote};
use crate::adapter::line::Line;
use crate::adapter::session::MINOR;
use crate::client::{Endpoint, connect};

/// Longest wait for Welcome and the first view behind it.
const GREETING_MAX: Duration = Duration::from_secs(10);
/// Largest frame of a node, in bytes: a view of some ten thousand agencies.
const FRAME_MAX_BYTES: usize = 16 * 1024 * 1024;

/// Frames of the process, on their way to the node. A type of its own: with the bare box the compiler cannot tell that
/// the call may move between threads.
pub(crate) struct Leaving(Pin<Box<dyn Stream<Item = AttachRequest> + Send>>);

impl Stream for Leaving {
    type Item = AttachRequest;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<AttachRequest>> {
        self.0.as_mut().poll_next(cx)
    }
}

/// Frames of the node.
pub(crate) type Coming = Pin<Box<dyn Stream<Item = Result<AttachResponse, Status>> + Send>>;
pub(crate) type Dialling = Pin<Box<dyn Future<Output = Result<Coming, DialError>> + Send>>;
/// Opens one stream.
pub(crate) type Dial = Box<dyn Fn(Leaving) -> Dialling + Send + Sync>;

/// Over TLS; files are read at each attempt, so that new certificates are taken up.
pub(super) fn to(endpoint: Endpoint) -> Dial {
    let endpoint = Arc::new(endpoint);
    Box::new(move |leaving| Box::pin(attach(Arc::clone(&endpoint), leaving)))
}

async fn attach(endpoint: Arc<Endpoint>, leaving: Leaving) -> Result<Coming, DialError> {
    let channel = connect(&endpoint).await?;
    let mut client = AdapterGatewayClient::new(channel).max_decoding_message_size(FRAME_MAX_BYTES);
    let opened = client.attach(leaving).await.map_err(Box::new)?;
    Ok(Box::pin(opened.into_inner()))
}

impl Remote {
    /// A stream that takes calls.
    pub(super) async fn open(&self) -> Result<Arc<Link>, DialError> {
        let settings = &self.0.settings;
        let (line, leaving) = Line::new();
        // A process says in its last frame that it leaves, never by a status.
        let leaving = leaving.filter_map(|frame| std::future::ready(frame.ok()));
        line.try_send(link::frame(attach_request::Frame::Hello(Hello {
            program: settings.program.clone(),
            kind: settings.kind.clone(),
            systems: settings.systems.iter().map(ToString::to_string).collect(),
            minor: MINOR,
        })));
        let mut coming = (self.0.dial)(Leaving(Box::pin(leaving))).await?;
        let greeting = timeout(GREETING_MAX, async {
            Ok::<_, DialError>((next(&mut coming).await?, next(&mut coming).await?))
        });
        let greeting = greeting.await.map_err(|_| DialError::Greeting)??;
        let (attach_response::Frame::Welcome(welcome), attach_response::Frame::View(view)) = greeting else {
            return Err(DialError::Greeting);
        };
        let view = read_view(view).map_err(|_| DialError::Greeting)?;
        info!(
            node.id = welcome.node,
            program = welcome.program,
            systems = view.systems.len(),
            "attached to the node"
        );
        self.0.view.store(Arc::new(view));
        let link = Arc::new(Link::new(self.next_stream(), line, &welcome));
        self.0.tasks.spawn(Arc::clone(&link).listen(self.clone(), coming));
        Ok(link)
    }
}

async fn next(coming: &mut Coming) -> Result<attach_response::Frame, DialError> {
    let frame = coming.next().await.ok_or(DialError::Greeting)?;
    frame.map_err(Box::new)?.frame.ok_or(DialError::Greeting)
}

//! The adapters that push, as one to the exchange: what is built in, and what runs as a process of its own.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use lgsp_adapters::webhook::{self, Endpoint, Endpoints, Webhook};
use lgsp_api::{ADAPTER_AWAY, Gateway};
use lgsp_exchange::Spine;
use lgsp_types::{Adapter, Answered, CheckError, Clock, ConnectorId, ObjectReader, Push, Pushed, Question};

use crate::home::Home;

/// Every adapter of a node; the connector's kind in the registry says which one is called.
pub(crate) struct Adapters {
    spine: Arc<Spine>,
    webhook: Webhook,
    /// None: gRPC is not served, so no process serves any connector.
    processes: Option<Gateway>,
}

impl Adapters {
    pub(crate) fn new(
        spine: &Arc<Spine>,
        settings: webhook::Settings,
        home: &Home,
        objects: Arc<dyn ObjectReader>,
        clock: Clock,
        processes: Option<Gateway>,
    ) -> Self {
        let webhook = Webhook::new(settings, &home.secrets(), endpoints(spine), objects, clock);
        Self {
            spine: Arc::clone(spine),
            webhook,
            processes,
        }
    }

    /// None: nobody serves this connector.
    fn serving(&self, connector: &ConnectorId) -> Option<&dyn Adapter> {
        let ruling = self.spine.ruling();
        let kind = ruling.registry.connector(connector).map(|it| it.adapter.as_str());
        if kind == Some(webhook::KIND) {
            return Some(&self.webhook);
        }
        self.processes.as_ref().map(|processes| processes as &dyn Adapter)
    }
}

/// Where each connector goes, by the rules of the moment at which it is asked.
fn endpoints(spine: &Arc<Spine>) -> Endpoints {
    let spine = Arc::clone(spine);
    Arc::new(move |connector| {
        let ruling = spine.ruling();
        let connector = ruling.registry.connector(connector)?;
        Some(Endpoint {
            url: connector.url.clone(),
            secret_ref: ruling.registry.secret_of(&connector.system),
        })
    })
}

#[async_trait]
impl Adapter for Adapters {
    async fn check(&self, connector: &ConnectorId) -> Result<(), CheckError> {
        match self.serving(connector) {
            Some(adapter) => adapter.check(connector).await,
            None => Err(CheckError {
                connector: connector.clone(),
                source: ADAPTER_AWAY.as_str().into(),
            }),
        }
    }

    async fn deliver(&self, push: Push) -> Pushed {
        match self.serving(&push.connector) {
            Some(adapter) => adapter.deliver(push).await,
            None => Pushed::TryAgain {
                reason: ADAPTER_AWAY,
                after: None,
            },
        }
    }

    async fn answer(&self, question: Question) -> Answered {
        match self.serving(&question.connector) {
            Some(adapter) => adapter.answer(question).await,
            None => Answered::TryAgain {
                reason: ADAPTER_AWAY,
                after: None,
            },
        }
    }
}

impl fmt::Debug for Adapters {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Adapters")
            .field("webhook", &self.webhook)
            .finish_non_exhaustive()
    }
}

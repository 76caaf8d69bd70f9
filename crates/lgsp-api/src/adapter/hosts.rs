//! The processes that are attached, and the calls of the node that they answer: one adapter to the exchange.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lgsp_proto::adapter::v1::{AdapterAnswer, AdapterCall, AttachResponse, Cancel, adapter_call, attach_response};
use lgsp_proto::{Said, read_adapter_answer, write_ask, write_deliver};
use lgsp_types::{
    Adapter, Answered, Attachment, Cause, CheckError, ConnectorId, Push, Pushed, Question, ReasonCode, SystemId,
};
use thiserror::Error;
use tokio::time::timeout;
use tonic::async_trait;
use tracing::{info, warn};

use super::gateway::Gateway;
use super::session::{Session, frame};
use super::table::Content;
use adapter_call::Call;

/// Longest wait for the answer of a process. Source: adapter.proto.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// No process serves the connector.
pub const ADAPTER_AWAY: ReasonCode = ReasonCode::new("ADAPTER_AWAY");
const ADAPTER_SILENT: ReasonCode = ReasonCode::new("ADAPTER_SILENT");
const ADAPTER_GARBLED: ReasonCode = ReasonCode::new("ADAPTER_GARBLED");

/// Every stream that was let in and has not ended.
#[derive(Default)]
pub(super) struct Hosts(Mutex<Vec<Arc<Session>>>);

/// Why a process did not answer a call of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
enum Mute {
    #[error("no process is attached that serves the connector")]
    Away,
    #[error("the process did not answer in time, or left")]
    Silent,
    #[error("the process answered something else")]
    Garbled,
}

impl Mute {
    const fn reason(self) -> ReasonCode {
        match self {
            Self::Away => ADAPTER_AWAY,
            Self::Silent => ADAPTER_SILENT,
            Self::Garbled => ADAPTER_GARBLED,
        }
    }
}

impl Hosts {
    pub(super) fn add(&self, session: &Arc<Session>) {
        self.sessions().push(Arc::clone(session));
    }

    pub(super) fn remove(&self, session: &Arc<Session>) {
        self.sessions().retain(|known| !Arc::ptr_eq(known, session));
    }

    /// A process that serves this connector, the one that came last, and the connector's system.
    fn serving(&self, connector: &ConnectorId) -> Option<(Arc<Session>, SystemId)> {
        let sessions = self.sessions().clone();
        sessions
            .into_iter()
            .rev()
            .filter(|session| !session.is_draining() && !session.line.end().has_come())
            .find_map(|session| {
                let system = session.system_of(connector)?;
                Some((session, system))
            })
    }

    fn sessions(&self) -> MutexGuard<'_, Vec<Arc<Session>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    /// The system of one of its connectors.
    fn system_of(&self, connector: &ConnectorId) -> Option<SystemId> {
        let mut pairs = self.connectors().into_iter();
        pairs.find_map(|(system, own)| (own == *connector).then_some(system))
    }

    /// The connectors that it is called for.
    fn connectors(&self) -> Vec<(SystemId, ConnectorId)> {
        let systems = self.its_systems().into_iter().map(|view| view.system);
        let own = systems.flat_map(|system| {
            let connectors = self.roster().connectors(&system, &self.kind).into_iter();
            connectors.map(move |connector| (system.clone(), connector))
        });
        own.collect()
    }

    /// Asks for each of its far sides, one after another, and tells the operator.
    pub(super) async fn look(self: Arc<Self>) {
        for (system, connector) in self.connectors() {
            let call = Call::Check(adapter_call::Check {});
            match self.call(&system, &connector, call, &[]).await {
                Ok(Said::Checked(Ok(()))) => info!(connector.id = %connector, "the far side can be used"),
                Ok(Said::Checked(Err(what))) => warn!(connector.id = %connector, what, "the far side cannot be used"),
                Ok(_) => warn!(connector.id = %connector, "the check was answered with something else"),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    warn!(connector.id = %connector, error, "the far side could not be checked");
                }
            }
        }
    }

    async fn call(
        &self,
        system: &SystemId,
        connector: &ConnectorId,
        call: Call,
        objects: &[Attachment],
    ) -> Result<Said, Mute> {
        let make = |id| {
            self.begin_delivering(id, system, objects.to_vec());
            frame(attach_response::Frame::Call(AdapterCall {
                call_id: id,
                system: system.to_string(),
                connector: connector.to_string(),
                call: Some(call),
            }))
        };
        let asked = timeout(ANSWER_MAX, self.asked.ask(&self.line, Content::None, make, cancel)).await;
        let mut ticket = asked.map_err(|_| Mute::Silent)?.map_err(|_| Mute::Away)?;
        let answer = timeout(ANSWER_MAX, ticket.answer()).await;
        self.end_delivering(ticket.id);
        let answer: AdapterAnswer = answer.map_err(|_| Mute::Silent)?.map_err(|_| Mute::Silent)?;
        read_adapter_answer(answer).map_err(|wrong| {
            let wrong = wrong.first().map(ToString::to_string).unwrap_or_default();
            warn!(connector.id = %connector, wrong, "an answer of an adapter cannot be read");
            Mute::Garbled
        })
    }
}

fn cancel(call_id: u64) -> AttachResponse {
    frame(attach_response::Frame::Cancel(Cancel { call_id }))
}

impl Gateway {
    async fn ask(&self, connector: &ConnectorId, call: Call, objects: &[Attachment]) -> Result<Said, Mute> {
        let (session, system) = self.hosts().serving(connector).ok_or(Mute::Away)?;
        session.call(&system, connector, call, objects).await
    }
}

#[async_trait]
impl Adapter for Gateway {
    async fn check(&self, connector: &ConnectorId) -> Result<(), CheckError> {
        let failed = |source: Cause| CheckError {
            connector: connector.clone(),
            source,
        };
        match self.ask(connector, Call::Check(adapter_call::Check {}), &[]).await {
            Ok(Said::Checked(checked)) => checked.map_err(|what| failed(what.into())),
            Ok(_) => Err(failed(Mute::Garbled.into())),
            Err(mute) => Err(failed(mute.into())),
        }
    }

    async fn deliver(&self, push: Push) -> Pushed {
        let call = Call::Deliver(write_deliver(&push));
        let again = |reason| Pushed::TryAgain { reason, after: None };
        match self.ask(&push.connector, call, &push.content.objects).await {
            Ok(Said::Pushed(pushed)) => pushed,
            Ok(Said::Refused(reason)) => Pushed::Refused(reason),
            Ok(Said::TryAgain { reason, after }) => Pushed::TryAgain { reason, after },
            Ok(Said::Checked(_) | Said::Answered(_)) => again(ADAPTER_GARBLED),
            Err(mute) => again(mute.reason()),
        }
    }

    async fn answer(&self, question: Question) -> Answered {
        let again = |reason| Answered::TryAgain { reason, after: None };
        match self
            .ask(&question.connector, Call::Ask(write_ask(&question)), &[])
            .await
        {
            Ok(Said::Answered(answered)) => answered,
            Ok(Said::Refused(reason)) => Answered::Refused(reason),
            Ok(Said::TryAgain { reason, after }) => Answered::TryAgain { reason, after },
            Ok(Said::Checked(_) | Said::Pushed(_)) => again(ADAPTER_GARBLED),
            Err(mute) => again(mute.reason()),
        }
    }
}

impl fmt::Debug for Hosts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let adapters: Vec<String> = self
            .sessions()
            .iter()
            .map(|session| session.adapter.to_string())
            .collect();
        out.debug_tuple("Hosts").field(&adapters).finish()
    }
}

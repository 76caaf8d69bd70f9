//! Answers the node's calls with this process's own adapter.

use std::sync::Arc;

use lgsp_proto::adapter::v1::adapter_answer::Answer;
use lgsp_proto::adapter::v1::adapter_call::Call;
use lgsp_proto::adapter::v1::{AdapterAnswer, AdapterCall, attach_request};
use lgsp_proto::{Garbled, read_ask, read_deliver, write_answered, write_checked, write_pushed};
use lgsp_types::{Adapter, CheckError, ConnectorId, Pushed, ReasonCode, SystemId};
use tracing::{Instrument as _, error, info_span};

use super::Remote;
use super::link::{Link, frame};
use super::read::Place;
use crate::adapter::fault::Fault;
use crate::adapter::table::Content;

const ADAPTER_PUSHES_NOT: ReasonCode = ReasonCode::new("ADAPTER_PUSHES_NOT");
const NODE_GARBLED: ReasonCode = ReasonCode::new("NODE_GARBLED");

impl Remote {
    /// Takes up a call of the node.
    pub(super) fn begin(&self, link: &Arc<Link>, call: AdapterCall) -> Result<(), Fault> {
        if call.call.is_none() {
            return Err(Fault::FrameUnknown);
        }
        link.table.begin(call.call_id, Content::None)?;
        let (remote, link) = (self.clone(), Arc::clone(link));
        let span = info_span!("node call", call.id = call.call_id, connector.id = call.connector);
        let serving = async move {
            let call_id = call.call_id;
            let answer = Some(remote.serve(&link, call).await);
            let answer = frame(attach_request::Frame::Answer(AdapterAnswer { call_id, answer }));
            let place = link.line.place().await;
            link.table.end(call_id);
            if let Ok(place) = place {
                place.send(answer);
            }
        };
        self.0.tasks.spawn(serving.instrument(span));
        Ok(())
    }

    async fn serve(&self, link: &Link, call: AdapterCall) -> Answer {
        let Ok(connector) = ConnectorId::parse(&call.connector) else {
            return garbled(Garbled { field: "connector" });
        };
        let adapter = self.0.adapter.as_deref();
        match (call.call, adapter) {
            (Some(Call::Check(_)), Some(adapter)) => write_checked(&adapter.check(&connector).await),
            (Some(Call::Check(_)), None) => write_checked(&Err(CheckError {
                connector,
                source: "this program pushes to no far side".into(),
            })),
            (Some(Call::Deliver(deliver)), Some(adapter)) => match read_deliver(connector, deliver) {
                Ok(push) => self.push(link, call.call_id, &call.system, push, adapter).await,
                Err(error) => garbled(error),
            },
            (Some(Call::Ask(ask)), Some(adapter)) => match read_ask(connector, ask) {
                Ok(question) => write_answered(adapter.answer(question).await),
                Err(error) => garbled(error),
            },
            (_, None) | (None, _) => write_pushed(Pushed::TryAgain {
                reason: ADAPTER_PUSHES_NOT,
                after: None,
            }),
        }
    }

    async fn push(
        &self,
        link: &Link,
        call: u64,
        system: &str,
        push: lgsp_types::Push,
        adapter: &dyn Adapter,
    ) -> Answer {
        let Ok(system) = SystemId::parse(system) else {
            return garbled(Garbled { field: "system" });
        };
        let stream = link.number;
        let place = Place::Deliver { stream, call };
        self.0.sources.know(&push.content.objects, &system, place);
        write_pushed(adapter.deliver(push).await)
    }
}

/// The two programs do not fit together: an operator must look, and the node tries again.
fn garbled(garbled: Garbled) -> Answer {
    error!(
        error = &garbled as &dyn std::error::Error,
        "a call of the node cannot be read"
    );
    write_pushed(Pushed::TryAgain {
        reason: NODE_GARBLED,
        after: None,
    })
}

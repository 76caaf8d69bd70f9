//! Finding messages, how the node stands, and proof: for operators, and for systems of what is theirs.

use std::sync::Arc;

use lgsp_proto::audit::v1 as audit;
use lgsp_proto::audit::v1::audit_server::Audit;
use lgsp_proto::operations::v1;
use lgsp_proto::operations::v1::operations_server::Operations as Service;
use lgsp_proto::{
    read_message_id, read_trace_query, write_evidence, write_status, write_tables, write_tailed, write_trace,
};
use lgsp_types::{Caller, Operations, ReasonCode, Refusal};
use tonic::{Request, Response, Status};

use super::history::{Answers, From, follow};
use super::{Common, caller, principal};
use crate::identity::caller::Principal;
use crate::identity::scope::Scope;
use crate::identity::who::Who;
use crate::status::{ToStatus as _, forbidden, not_found, refused};

/// Both services over the port.
#[derive(Clone, Debug)]
pub(crate) struct OperationsService {
    common: Common,
    operations: Arc<dyn Operations>,
}

impl OperationsService {
    pub(crate) fn new(common: Common, operations: Arc<dyn Operations>) -> Self {
        Self { common, operations }
    }
}

/// Whose messages are shown: an operator sees all, a system its own.
fn viewer<T>(request: &Request<T>, principal: &Principal) -> Result<Option<Caller>, Status> {
    match principal.who() {
        Who::Operator(_) => Ok(None),
        Who::System(_) | Who::Adapter(_) => caller(request, principal).map(Some),
    }
}

/// What concerns the node and no message of the caller.
fn operator(principal: &Principal) -> Result<(), Status> {
    match principal.who() {
        Who::Operator(_) => Ok(()),
        Who::System(_) | Who::Adapter(_) => Err(forbidden(&Refusal::new(
            ReasonCode::new("CALLER_KIND"),
            "/",
            "the caller is no operator",
            "ask an operator",
        ))),
    }
}

#[tonic::async_trait]
impl Service for OperationsService {
    async fn trace(&self, request: Request<v1::TraceRequest>) -> Result<Response<v1::TraceResponse>, Status> {
        let viewer = viewer(&request, &principal(&request, Scope::Trace)?)?;
        let query = read_trace_query(&request.get_ref().query).map_err(|wrong| refused(&[wrong]))?;
        let trace = self.operations.trace(viewer.as_ref(), query).await;
        Ok(Response::new(write_trace(trace.map_err(|error| error.status())?)))
    }

    type TailStream = Answers<v1::TailResponse>;

    async fn tail(&self, request: Request<v1::TailRequest>) -> Result<Response<Self::TailStream>, Status> {
        operator(&principal(&request, Scope::Trace)?)?;
        let from = match request.into_inner().from {
            Some(v1::tail_request::From::Cursor(cursor)) => From::Cursor(cursor),
            Some(v1::tail_request::From::Now(_)) => From::Now,
            Some(v1::tail_request::From::Start(_)) => From::Start,
            None => {
                return Err(refused(&[Refusal::new(
                    ReasonCode::new("FIELD_MISSING"),
                    "from",
                    "is absent",
                    "say `cursor`, `now` or `start`",
                )]));
            }
        };
        let followed = follow(&self.common, &self.operations, None, from, write_tailed);
        followed.await.map(Response::new)
    }

    async fn get_status(
        &self,
        request: Request<v1::GetStatusRequest>,
    ) -> Result<Response<v1::GetStatusResponse>, Status> {
        operator(&principal(&request, Scope::Trace)?)?;
        let status = self.operations.status().await.map_err(|error| error.status())?;
        Ok(Response::new(write_status(&status)))
    }

    async fn get_tables(
        &self,
        request: Request<v1::GetTablesRequest>,
    ) -> Result<Response<v1::GetTablesResponse>, Status> {
        operator(&principal(&request, Scope::Trace)?)?;
        let tables = self.operations.tables().await.map_err(|error| error.status())?;
        Ok(Response::new(write_tables(&tables)))
    }
}

#[tonic::async_trait]
impl Audit for OperationsService {
    async fn get_evidence(
        &self,
        request: Request<audit::GetEvidenceRequest>,
    ) -> Result<Response<audit::GetEvidenceResponse>, Status> {
        let viewer = viewer(&request, &principal(&request, Scope::Audit)?)?;
        let message = read_message_id(&request.get_ref().message_id, "message_id");
        let message = message.map_err(|wrong| refused(&[wrong]))?;
        let evidence = self.operations.evidence(viewer.as_ref(), message).await;
        let evidence = evidence.map_err(|error| error.status())?.ok_or_else(|| {
            not_found(&Refusal::new(
                ReasonCode::new("NOT_FOUND"),
                "message_id",
                "no message of this id concerns the caller",
                "give the id of a receipt, or of a delivery's message",
            ))
        })?;
        Ok(Response::new(write_evidence(evidence)))
    }

    async fn get_checkpoint(
        &self,
        request: Request<audit::GetCheckpointRequest>,
    ) -> Result<Response<audit::GetCheckpointResponse>, Status> {
        principal(&request, Scope::Audit)?;
        let checkpoint = self.operations.checkpoint(request.get_ref().partition).await;
        let checkpoint = checkpoint.map_err(|error| error.status())?.ok_or_else(|| {
            not_found(&Refusal::new(
                ReasonCode::new("NOT_FOUND"),
                "partition",
                "there is no such partition, or it has no checkpoint yet",
                "ask for one that a receipt names; a new record is sealed within seconds",
            ))
        })?;
        Ok(Response::new(audit::GetCheckpointResponse { checkpoint }))
    }
}

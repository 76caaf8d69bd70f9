//! The exchange, for departments' systems: send, see what became of it, receive, acknowledge.

mod receive;
mod send;
mod upload;

use std::sync::Arc;

use futures_util::StreamExt as _;
use lgsp_proto::exchange::v1;
use lgsp_proto::exchange::v1::exchange_server::Exchange;
use lgsp_proto::{
    read_delivery_id, read_list_query, read_message_id, read_outcome, read_withdraw, write_content, write_followed,
    write_receipt, write_sent, write_summary, write_withdrawals,
};
use lgsp_types::{Acknowledged, Operations, ReasonCode, Refusal};
use tonic::{Request, Response, Status, Streaming};

use super::history::{Answers, From, follow};
use super::{Common, caller, principal};
use crate::door::AnswerRoom;
use crate::identity::scope::Scope;
use crate::status::{ToStatus as _, not_found, refused};
use upload::Uploads;

/// The service over the port.
#[derive(Clone, Debug)]
pub(crate) struct ExchangeService {
    common: Common,
    operations: Arc<dyn Operations>,
    uploads: Uploads,
}

impl ExchangeService {
    pub(crate) fn new(common: Common, operations: Arc<dyn Operations>) -> Self {
        Self {
            common,
            operations,
            uploads: Uploads::default(),
        }
    }
}

#[tonic::async_trait]
impl Exchange for ExchangeService {
    async fn publish(&self, request: Request<v1::PublishRequest>) -> Result<Response<v1::PublishResponse>, Status> {
        let caller = caller(&request, &principal(&request, Scope::Publish)?)?;
        let receipt = self.send(&caller, request.into_inner().message).await?;
        let receipt = Some(write_receipt(&receipt));
        Ok(Response::new(v1::PublishResponse { receipt }))
    }

    type PublishStreamStream = Answers<v1::PublishStreamResponse>;

    async fn publish_stream(
        &self,
        request: Request<Streaming<v1::PublishStreamRequest>>,
    ) -> Result<Response<Self::PublishStreamStream>, Status> {
        let principal = principal(&request, Scope::Publish)?;
        let caller = caller(&request, &principal)?;
        Ok(Response::new(self.send_many(principal, caller, request.into_inner())))
    }

    async fn upload_attachment(
        &self,
        request: Request<Streaming<v1::UploadAttachmentRequest>>,
    ) -> Result<Response<v1::UploadAttachmentResponse>, Status> {
        let principal = principal(&request, Scope::Publish)?;
        let caller = caller(&request, &principal)?;
        self.take_in(principal.who(), &caller, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn list_deliveries(
        &self,
        request: Request<v1::ListDeliveriesRequest>,
    ) -> Result<Response<v1::ListDeliveriesResponse>, Status> {
        let caller = caller(&request, &principal(&request, Scope::Receive)?)?;
        let query = read_list_query(request.into_inner()).map_err(|wrong| refused(&wrong))?;
        let open = self.common.exchange.open(&caller, query).await;
        let deliveries = open
            .map_err(|error| error.status())?
            .iter()
            .map(write_summary)
            .collect();
        Ok(Response::new(v1::ListDeliveriesResponse { deliveries }))
    }

    async fn fetch_delivery(
        &self,
        request: Request<v1::FetchDeliveryRequest>,
    ) -> Result<Response<v1::FetchDeliveryResponse>, Status> {
        let principal = principal(&request, Scope::Receive)?;
        let caller = caller(&request, &principal)?;
        let delivery = read_delivery_id(&request.get_ref().delivery_id, "delivery_id");
        let delivery = delivery.map_err(|wrong| refused(&[wrong]))?;
        let fetched = self.common.exchange.fetch(&caller, delivery).await;
        let fetched = fetched.map_err(|error| error.status())?;
        let room = self
            .common
            .limits
            .bytes(principal.who(), fetched.payload.len() as u64, std::time::Instant::now());
        let room = room.map_err(|error| error.status())?;
        let content = Some(write_content(&fetched));
        let mut response = Response::new(v1::FetchDeliveryResponse { content });
        response.extensions_mut().insert(AnswerRoom::new(room));
        Ok(response)
    }

    type ReadAttachmentStream = Answers<v1::ReadAttachmentResponse>;

    async fn read_attachment(
        &self,
        request: Request<v1::ReadAttachmentRequest>,
    ) -> Result<Response<Self::ReadAttachmentStream>, Status> {
        let caller = caller(&request, &principal(&request, Scope::Receive)?)?;
        let request = request.into_inner();
        let delivery = read_delivery_id(&request.delivery_id, "delivery_id").map_err(|wrong| refused(&[wrong]))?;
        // Whoever may fetch the delivery may read its files, and nobody else.
        let fetched = self.common.exchange.fetch(&caller, delivery).await;
        let fetched = fetched.map_err(|error| error.status())?;
        let object = fetched.objects.get(request.index as usize).ok_or_else(|| {
            not_found(&Refusal::new(
                ReasonCode::new("NOT_FOUND"),
                "index",
                format!("the delivery has {} files", fetched.objects.len()),
                "count Content.attachments from 0",
            ))
        })?;
        let content = self.common.objects.read(object).await;
        let content = content.map_err(|error| error.status())?;
        let chunks = content.map(|chunk| match chunk {
            Ok(chunk) => Ok(v1::ReadAttachmentResponse { chunk }),
            Err(error) => Err(error.status()),
        });
        Ok(Response::new(Box::pin(chunks)))
    }

    async fn acknowledge_delivery(
        &self,
        request: Request<v1::AcknowledgeDeliveryRequest>,
    ) -> Result<Response<v1::AcknowledgeDeliveryResponse>, Status> {
        let caller = caller(&request, &principal(&request, Scope::Receive)?)?;
        let (delivery, outcome, evidence) = read_outcome(request.into_inner(), "").map_err(|wrong| refused(&wrong))?;
        let acknowledged = self.common.exchange.acknowledge(&caller, delivery, outcome, evidence);
        let already = acknowledged.await.map_err(|error| error.status())? == Acknowledged::Already;
        Ok(Response::new(v1::AcknowledgeDeliveryResponse { already }))
    }

    type ReceiveStream = Answers<v1::ReceiveResponse>;

    async fn receive(
        &self,
        request: Request<Streaming<v1::ReceiveRequest>>,
    ) -> Result<Response<Self::ReceiveStream>, Status> {
        let principal = principal(&request, Scope::Receive)?;
        let caller = caller(&request, &principal)?;
        Ok(Response::new(receive::begin(
            self.common.clone(),
            principal,
            caller,
            request.into_inner(),
        )))
    }

    async fn get_message(
        &self,
        request: Request<v1::GetMessageRequest>,
    ) -> Result<Response<v1::GetMessageResponse>, Status> {
        let caller = caller(&request, &principal(&request, Scope::Publish)?)?;
        let message = read_message_id(&request.get_ref().message_id, "message_id");
        let message = message.map_err(|wrong| refused(&[wrong]))?;
        let sent = self.common.exchange.sent(&caller, message).await;
        let sent = sent.map_err(|error| error.status())?.ok_or_else(|| {
            not_found(&Refusal::new(
                ReasonCode::new("NOT_FOUND"),
                "message_id",
                "this system sent no such message",
                "give the id of a receipt",
            ))
        })?;
        Ok(Response::new(write_sent(&sent)))
    }

    async fn withdraw(&self, request: Request<v1::WithdrawRequest>) -> Result<Response<v1::WithdrawResponse>, Status> {
        let caller = caller(&request, &principal(&request, Scope::Publish)?)?;
        let (message, to) = read_withdraw(request.get_ref()).map_err(|wrong| refused(&wrong))?;
        let withdrawals = self.common.exchange.withdraw(&caller, message, to).await;
        let withdrawals = withdrawals.map_err(|error| error.status())?;
        Ok(Response::new(write_withdrawals(&withdrawals)))
    }

    type FollowReceiptsStream = Answers<v1::FollowReceiptsResponse>;

    async fn follow_receipts(
        &self,
        request: Request<v1::FollowReceiptsRequest>,
    ) -> Result<Response<Self::FollowReceiptsStream>, Status> {
        let viewer = caller(&request, &principal(&request, Scope::Publish)?)?;
        let cursor = request.into_inner().cursor;
        let from = if cursor.is_empty() {
            From::Start
        } else {
            From::Cursor(cursor)
        };
        let followed = follow(&self.common, &self.operations, Some(viewer), from, write_followed);
        followed.await.map(Response::new)
    }
}

//! What the departments of these stories write, and how they look for it.

use std::time::Instant;

use lgsp_api::Link;
use lgsp_proto::exchange::v1;
use lgsp_proto::exchange::v1::acknowledge_delivery_request::{Delivered, Outcome};
use lgsp_proto::exchange::v1::exchange_client::ExchangeClient;

use super::TIME_LIMIT;
use crate::support;

pub(super) const PROVINCE: &str = "system/vxp.test.00";
pub(super) const INFORMATION: &str = "system/vxp.test.11";
pub(super) const JUSTICE: &str = "system/vxp.test.14";

/// A letter from the department of information.
pub(super) fn letter(number: &str, to: &[&str]) -> v1::Message {
    v1::Message {
        contract: String::from("vn.lgsp.document/1"),
        from: String::from(if number == "grpc" { "H62" } else { "H62.11" }),
        to: to.iter().map(|code| (*code).to_owned()).collect(),
        idempotency_key: format!("{number}/THU-NGHIEM"),
        payload: support::letter(number).to_string().into_bytes().into(),
        ..v1::Message::default()
    }
}

/// The list of what waits, once it has so many rows.
pub(super) async fn listed(receiver: &mut ExchangeClient<Link>, rows: usize) -> Vec<v1::DeliverySummary> {
    let deadline = Instant::now() + TIME_LIMIT;
    loop {
        let request = v1::ListDeliveriesRequest::default();
        let list = receiver.list_deliveries(request).await.unwrap().into_inner().deliveries;
        if list.len() == rows || Instant::now() > deadline {
            return list;
        }
    }
}

pub(super) fn delivered(delivery: &str) -> v1::AcknowledgeDeliveryRequest {
    v1::AcknowledgeDeliveryRequest {
        delivery_id: delivery.to_owned(),
        outcome: Some(Outcome::Delivered(Delivered {})),
        ..v1::AcknowledgeDeliveryRequest::default()
    }
}

//! From our types to the wire.

use bytes::Bytes;
use lgsp_types::{
    AgencyView, Attachment, DeliveryState, Fetched, Mark, OpenDelivery, Receipt, Role, SentDelivery, SentMessage,
    UnixMs,
};
use prost_types::Timestamp;

use crate::{exchange, registry};
use exchange::v1;

/// A moment; ours are whole milliseconds.
#[must_use]
pub fn write_time(at: UnixMs) -> Timestamp {
    // Both fit: a second has a thousand milliseconds, and u64 milliseconds are fewer seconds than i64 holds.
    let seconds = i64::try_from(at.0 / 1000).unwrap_or(i64::MAX);
    let nanos = i32::try_from(at.0 % 1000).unwrap_or_default() * 1_000_000;
    Timestamp { seconds, nanos }
}

#[must_use]
pub fn write_receipt(receipt: &Receipt) -> v1::Receipt {
    v1::Receipt {
        message_id: receipt.msg_id.to_string(),
        ledger: receipt.position.ledger.clone(),
        partition: receipt.position.partition,
        offset: receipt.position.offset,
        appended_at: Some(write_time(receipt.append_ms)),
        leaf_hash: Bytes::copy_from_slice(receipt.leaf_hash.as_bytes()),
        note: receipt.note.clone(),
        repeat: receipt.repeat,
    }
}

#[must_use]
pub fn write_summary(delivery: &OpenDelivery) -> v1::DeliverySummary {
    v1::DeliverySummary {
        delivery_id: delivery.delivery.to_string(),
        message_id: delivery.msg_id.to_string(),
        contract: delivery.contract.to_string(),
        from: delivery.from.as_str().to_owned(),
        to: delivery.to.as_str().to_owned(),
        accepted_at: Some(write_time(delivery.accepted_ms)),
        changed_at: Some(write_time(delivery.changed_ms)),
        state: write_state(delivery.state).into(),
        mark: delivery.mark.map_or(v1::Mark::Unspecified, write_mark).into(),
    }
}

#[must_use]
pub fn write_sent(sent: &SentMessage) -> v1::GetMessageResponse {
    v1::GetMessageResponse {
        receipt: Some(write_receipt(&sent.receipt)),
        deliveries: sent.deliveries.iter().map(write_sent_delivery).collect(),
    }
}

fn write_sent_delivery(delivery: &SentDelivery) -> v1::get_message_response::Delivery {
    v1::get_message_response::Delivery {
        delivery_id: delivery.delivery.to_string(),
        to: delivery.to.as_str().to_owned(),
        state: write_state(delivery.state).into(),
        late: delivery.late,
        reason: delivery.reason.as_ref().map(ToString::to_string).unwrap_or_default(),
        mark: delivery.mark.map_or(v1::Mark::Unspecified, write_mark).into(),
        changed_at: Some(write_time(delivery.changed_ms)),
    }
}

#[must_use]
pub fn write_content(fetched: &Fetched) -> v1::Content {
    v1::Content {
        message_id: fetched.msg_id.to_string(),
        contract: fetched.contract.to_string(),
        payload: fetched.payload.clone(),
        attachments: fetched.objects.iter().map(write_attachment).collect(),
    }
}

#[must_use]
pub fn write_attachment(attachment: &Attachment) -> v1::Attachment {
    let role = match attachment.role {
        Role::Original => v1::attachment::Role::Original,
        Role::Attachment => v1::attachment::Role::Attachment,
    };
    v1::Attachment {
        role: role.into(),
        name: attachment.name.clone(),
        media_type: attachment.media_type.clone(),
        size_bytes: attachment.size_bytes,
        sha256: Bytes::copy_from_slice(attachment.digest.as_bytes()),
    }
}

#[must_use]
pub const fn write_state(state: DeliveryState) -> v1::DeliveryState {
    match state {
        DeliveryState::Open => v1::DeliveryState::Open,
        DeliveryState::Collected => v1::DeliveryState::Collected,
        DeliveryState::Delivered => v1::DeliveryState::Delivered,
        DeliveryState::DeadLettered => v1::DeliveryState::DeadLettered,
        DeliveryState::Withdrawn => v1::DeliveryState::Withdrawn,
    }
}

#[must_use]
pub const fn write_mark(mark: Mark) -> v1::Mark {
    match mark {
        Mark::Initial => v1::Mark::Initial,
        Mark::Inbox => v1::Mark::Inbox,
        Mark::Processing => v1::Mark::Processing,
        Mark::Acceptance => v1::Mark::Acceptance,
        Mark::Rejection => v1::Mark::Rejection,
    }
}

#[must_use]
pub fn write_agency(agency: &AgencyView) -> registry::v1::Agency {
    let code = |code: &Option<lgsp_types::AgencyCode>| code.as_ref().map(ToString::to_string).unwrap_or_default();
    registry::v1::Agency {
        agency_id: agency.agency.to_string(),
        name: agency.name.clone(),
        parent: agency.parent.as_ref().map(ToString::to_string).unwrap_or_default(),
        code: code(&agency.code),
        old_code: code(&agency.old_code),
        mail: agency.mail.clone(),
        closed: agency.closed,
    }
}

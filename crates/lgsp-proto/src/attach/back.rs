//! What the node answered, read back into the port's own types.

use lgsp_types::{
    AgencyCode, AgencyId, Attachment, ContractRef, DeliveryId, DeliveryState, Digest, Fate, Fetched, LedgerPosition,
    Mark, MsgId, OpenDelivery, OrderKey, ReasonCode, Receipt, Role, SentDelivery, SentMessage, Staged, SystemId,
    Traceparent, UnixMs, Withdrawal,
};
use prost_types::Timestamp;

use super::{Garbled, garbled};
use crate::adapter::v1::exchange_answer;
use crate::exchange::v1;
use crate::read::read_mark;
use v1::attachment::Role as WireRole;

pub(super) fn read_time(at: Option<Timestamp>) -> Option<UnixMs> {
    let at = at?;
    let seconds = u64::try_from(at.seconds).ok()?;
    let nanos = u64::try_from(at.nanos).ok()?;
    Some(UnixMs(seconds.checked_mul(1_000)?.checked_add(nanos / 1_000_000)?))
}

fn digest(bytes: &[u8]) -> Option<Digest> {
    <[u8; 32]>::try_from(bytes).map(Digest::from_bytes).ok()
}

/// # Errors
/// [`Garbled`].
pub fn read_receipt(receipt: v1::Receipt) -> Result<Receipt, Garbled> {
    Ok(Receipt {
        msg_id: MsgId::parse(&receipt.message_id).map_err(|_| garbled("receipt.message_id"))?,
        position: LedgerPosition {
            ledger: receipt.ledger,
            partition: receipt.partition,
            offset: receipt.offset,
        },
        append_ms: read_time(receipt.appended_at).ok_or(garbled("receipt.appended_at"))?,
        leaf_hash: digest(&receipt.leaf_hash).ok_or(garbled("receipt.leaf_hash"))?,
        note: receipt.note,
        repeat: receipt.repeat,
    })
}

fn read_attachment(attachment: v1::Attachment) -> Result<Attachment, Garbled> {
    let role = match attachment.role() {
        WireRole::Original => Role::Original,
        WireRole::Attachment => Role::Attachment,
        WireRole::Unspecified => return Err(garbled("attachment.role")),
    };
    Ok(Attachment {
        role,
        digest: digest(&attachment.sha256).ok_or(garbled("attachment.sha256"))?,
        name: attachment.name,
        media_type: attachment.media_type,
        size_bytes: attachment.size_bytes,
    })
}

/// # Errors
/// [`Garbled`].
pub fn read_uploaded(uploaded: exchange_answer::Uploaded) -> Result<Staged, Garbled> {
    Ok(Staged {
        staging: uploaded.upload.ok_or(garbled("uploaded.upload"))?.handle,
        attachment: read_attachment(uploaded.attachment.ok_or(garbled("uploaded.attachment"))?)?,
    })
}

/// # Errors
/// [`Garbled`].
pub fn read_content(content: v1::Content) -> Result<Fetched, Garbled> {
    Ok(Fetched {
        msg_id: MsgId::parse(&content.message_id).map_err(|_| garbled("content.message_id"))?,
        contract: ContractRef::parse(&content.contract).map_err(|_| garbled("content.contract"))?,
        payload: content.payload,
        objects: content
            .attachments
            .into_iter()
            .map(read_attachment)
            .collect::<Result<_, _>>()?,
        // Without one nothing is lost but a line between two systems.
        trace: Traceparent::parse(&content.traceparent).ok(),
    })
}

fn read_state(state: v1::DeliveryState) -> Option<DeliveryState> {
    match state {
        v1::DeliveryState::Unspecified => None,
        v1::DeliveryState::Open => Some(DeliveryState::Open),
        v1::DeliveryState::Collected => Some(DeliveryState::Collected),
        v1::DeliveryState::Delivered => Some(DeliveryState::Delivered),
        v1::DeliveryState::DeadLettered => Some(DeliveryState::DeadLettered),
        v1::DeliveryState::Withdrawn => Some(DeliveryState::Withdrawn),
    }
}

/// A mark that we do not know is shown as none: it is lost without harm.
fn read_soft_mark(number: i32) -> Option<Mark> {
    v1::Mark::try_from(number).ok().and_then(read_mark)
}

/// # Errors
/// [`Garbled`].
pub fn read_opened(opened: exchange_answer::Opened) -> Result<Vec<OpenDelivery>, Garbled> {
    opened.deliveries.into_iter().map(read_waiting).collect()
}

fn read_waiting(waiting: exchange_answer::opened::Waiting) -> Result<OpenDelivery, Garbled> {
    let summary = waiting.summary.ok_or(garbled("opened.summary"))?;
    Ok(OpenDelivery {
        delivery: DeliveryId::parse(&summary.delivery_id).map_err(|_| garbled("opened.delivery_id"))?,
        msg_id: MsgId::parse(&summary.message_id).map_err(|_| garbled("opened.message_id"))?,
        contract: ContractRef::parse(&summary.contract).map_err(|_| garbled("opened.contract"))?,
        from: AgencyCode::parse(&summary.from).map_err(|_| garbled("opened.from"))?,
        to: AgencyCode::parse(&summary.to).map_err(|_| garbled("opened.to"))?,
        order: read_order(waiting.order.ok_or(garbled("opened.order"))?)?,
        accepted_ms: read_time(summary.accepted_at).ok_or(garbled("opened.accepted_at"))?,
        changed_ms: read_time(summary.changed_at).ok_or(garbled("opened.changed_at"))?,
        state: read_state(summary.state()).ok_or(garbled("opened.state"))?,
        mark: read_soft_mark(summary.mark),
    })
}

fn read_order(order: exchange_answer::opened::Order) -> Result<OrderKey, Garbled> {
    Ok(OrderKey {
        system: SystemId::parse(&order.system).map_err(|_| garbled("opened.order.system"))?,
        key: order.key,
        addressee: AgencyId::parse(&order.agency_id).map_err(|_| garbled("opened.order.agency_id"))?,
    })
}

/// # Errors
/// [`Garbled`].
pub fn read_sent_message(sent: exchange_answer::Sent) -> Result<Option<SentMessage>, Garbled> {
    let Some(message) = sent.message else { return Ok(None) };
    Ok(Some(SentMessage {
        receipt: read_receipt(message.receipt.ok_or(garbled("message.receipt"))?)?,
        deliveries: message
            .deliveries
            .into_iter()
            .map(read_sent_delivery)
            .collect::<Result<_, _>>()?,
    }))
}

/// # Errors
/// [`Garbled`].
pub fn read_withdrawals(response: v1::WithdrawResponse) -> Result<Vec<Withdrawal>, Garbled> {
    use v1::withdraw_response::{Delivery, Outcome};
    let read = |delivery: Delivery| {
        Ok(Withdrawal {
            delivery: DeliveryId::parse(&delivery.delivery_id).map_err(|_| garbled("withdrawn.delivery_id"))?,
            to: AgencyCode::parse(&delivery.to).map_err(|_| garbled("withdrawn.to"))?,
            fate: match delivery.outcome() {
                Outcome::Unspecified => return Err(garbled("withdrawn.outcome")),
                Outcome::Withdrawn => Fate::Withdrawn,
                Outcome::Tried => Fate::Tried,
                Outcome::TooLate => Fate::TooLate,
            },
            state: read_state(delivery.state()).ok_or(garbled("withdrawn.state"))?,
        })
    };
    response.deliveries.into_iter().map(read).collect()
}

fn read_sent_delivery(delivery: v1::get_message_response::Delivery) -> Result<SentDelivery, Garbled> {
    Ok(SentDelivery {
        delivery: DeliveryId::parse(&delivery.delivery_id).map_err(|_| garbled("message.delivery_id"))?,
        to: AgencyCode::parse(&delivery.to).map_err(|_| garbled("message.to"))?,
        state: read_state(delivery.state()).ok_or(garbled("message.state"))?,
        late: delivery.late,
        reason: match delivery.reason.as_str() {
            "" => None,
            code => Some(ReasonCode::parse(code).map_err(|_| garbled("message.reason"))?),
        },
        mark: read_soft_mark(delivery.mark),
        changed_ms: read_time(delivery.changed_at).ok_or(garbled("message.changed_at"))?,
    })
}

//! From our types to the wire.

use bytes::Bytes;
use lgsp_types::{
    AgencyView, Attachment, DeliveryState, Evidence, EvidenceKind, Fate, Fetched, Happened, Mark, MessageEvidence,
    NodeStatus, OpenDelivery, PushLine, Receipt, Role, SentDelivery, SentMessage, Tables, Trace, TracedAgency,
    TracedDelivery, TracedEvent, TracedMessage, Uncollected, UnixMs, Withdrawal,
};
use prost_types::Timestamp;

use crate::{audit, exchange, operations, registry};
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
pub fn write_withdrawals(withdrawals: &[Withdrawal]) -> v1::WithdrawResponse {
    use v1::withdraw_response::{Delivery, Outcome};
    let deliveries = withdrawals.iter().map(|withdrawal| Delivery {
        delivery_id: withdrawal.delivery.to_string(),
        to: withdrawal.to.to_string(),
        outcome: match withdrawal.fate {
            Fate::Withdrawn => Outcome::Withdrawn,
            Fate::Tried => Outcome::Tried,
            Fate::TooLate => Outcome::TooLate,
        }
        .into(),
        state: write_state(withdrawal.state).into(),
    });
    v1::WithdrawResponse {
        deliveries: deliveries.collect(),
    }
}

#[must_use]
pub fn write_content(fetched: &Fetched) -> v1::Content {
    v1::Content {
        message_id: fetched.msg_id.to_string(),
        contract: fetched.contract.to_string(),
        payload: fetched.payload.clone(),
        attachments: fetched.objects.iter().map(write_attachment).collect(),
        traceparent: fetched.trace.map(|trace| trace.to_string()).unwrap_or_default(),
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

#[must_use]
pub fn write_trace(trace: Trace) -> operations::v1::TraceResponse {
    let messages = trace.messages.into_iter().map(write_traced).collect();
    operations::v1::TraceResponse { messages }
}

fn write_traced(message: TracedMessage) -> operations::v1::TracedMessage {
    operations::v1::TracedMessage {
        message_id: message.msg_id.to_string(),
        contract: message.contract,
        act: message.act,
        document: message.document,
        relation: message.relation,
        from: Some(write_traced_agency(message.from)),
        system: message.system,
        position: message.position,
        accepted_at: Some(write_time(UnixMs(message.accepted_ms))),
        due: message.due.map(|day| day.to_string()).unwrap_or_default(),
        deliveries: message.deliveries.into_iter().map(write_traced_delivery).collect(),
        events: message.events.into_iter().map(write_traced_event).collect(),
        receipt: message.receipt,
        trace_id: message.trace_id,
    }
}

fn write_traced_agency(agency: TracedAgency) -> operations::v1::TracedAgency {
    operations::v1::TracedAgency {
        agency_id: agency.agency.to_string(),
        code: agency.code,
        name: agency.name,
    }
}

fn write_traced_delivery(delivery: TracedDelivery) -> operations::v1::TracedDelivery {
    operations::v1::TracedDelivery {
        delivery_id: delivery.delivery.to_string(),
        to: Some(write_traced_agency(delivery.to)),
        state: delivery.state.to_owned(),
        late: delivery.late,
        reason: delivery.reason.unwrap_or_default(),
        mark: delivery.mark.unwrap_or_default().to_owned(),
        changed_at: Some(write_time(UnixMs(delivery.changed_ms))),
        behind: delivery.behind.map(|id| id.to_string()).unwrap_or_default(),
    }
}

fn write_traced_event(event: TracedEvent) -> operations::v1::TracedEvent {
    operations::v1::TracedEvent {
        kind: event.kind.to_owned(),
        position: event.position,
        at: Some(write_time(UnixMs(event.at_ms))),
        delivery_id: event.delivery.map(|id| id.to_string()).unwrap_or_default(),
        agency_id: event.agency.unwrap_or_default(),
        system: event.system,
        reason: event.reason.unwrap_or_default(),
        effect: event.effect.to_owned(),
    }
}

#[must_use]
pub fn write_status(status: &NodeStatus) -> operations::v1::GetStatusResponse {
    operations::v1::GetStatusResponse {
        accepted: status.accepted,
        repeats: status.repeats,
        conflicts: status.conflicts,
        open: status.open,
        collected: status.collected,
        delivered: status.delivered,
        dead_lettered: status.dead_lettered,
        withdrawn: status.withdrawn,
        refusals: status.refusals,
        refusals_summarised: status.refusals_summarised,
        aliens: status.aliens,
        unsealed_ms: status.unsealed_ms,
        control_size: status.control_size,
        agencies: status.agencies as u64,
        epoch: status.epoch,
        holder: status.holder.as_ref().map(ToString::to_string).unwrap_or_default(),
        pushes: status.pushes.iter().map(write_push_line).collect(),
        uncollected: status.uncollected.iter().map(write_uncollected).collect(),
    }
}

fn write_push_line(line: &PushLine) -> operations::v1::PushLine {
    operations::v1::PushLine {
        connector: line.connector.to_string(),
        trying: line.trying,
        waiting: line.waiting,
        left_alone: line.left_alone,
        last_failure: line.last_failure.as_ref().map(ToString::to_string).unwrap_or_default(),
        switched_off: line.switched_off,
    }
}

fn write_uncollected(uncollected: &Uncollected) -> operations::v1::Uncollected {
    operations::v1::Uncollected {
        connector: uncollected.connector.to_string(),
        deliveries: uncollected.deliveries,
        within_hours: uncollected.within_hours,
        oldest_accepted_at: Some(write_time(UnixMs(uncollected.oldest_ms))),
    }
}

#[must_use]
pub fn write_tables(tables: &Tables) -> operations::v1::GetTablesResponse {
    let table = |(name, hash): &(String, lgsp_types::Digest)| operations::v1::get_tables_response::Table {
        name: name.clone(),
        hash: Bytes::copy_from_slice(hash.as_bytes()),
    };
    operations::v1::GetTablesResponse {
        next_offsets: tables.next.clone(),
        tables: tables.tables.iter().map(table).collect(),
    }
}

#[must_use]
pub fn write_evidence(evidence: MessageEvidence) -> audit::v1::GetEvidenceResponse {
    audit::v1::GetEvidenceResponse {
        receipt: evidence.receipt,
        entry: Bytes::from(evidence.entry),
        proof: evidence.proof.unwrap_or_default(),
    }
}

#[must_use]
pub fn write_tailed(happened: Happened, cursor: String) -> operations::v1::TailResponse {
    operations::v1::TailResponse {
        cursor,
        message_id: happened.message.map(|id| id.to_string()).unwrap_or_default(),
        event: Some(write_traced_event(happened.event)),
    }
}

#[must_use]
pub fn write_followed(happened: Happened, cursor: String) -> v1::FollowReceiptsResponse {
    let event = write_traced_event(happened.event);
    v1::FollowReceiptsResponse {
        cursor,
        message_id: happened.message.map(|id| id.to_string()).unwrap_or_default(),
        kind: event.kind,
        position: event.position,
        at: event.at,
        delivery_id: event.delivery_id,
        agency_id: event.agency_id,
        system: event.system,
        reason: event.reason,
        effect: event.effect,
        evidence: happened.evidence.map(write_receiver_evidence),
    }
}

fn write_receiver_evidence(evidence: Evidence) -> v1::follow_receipts_response::Evidence {
    let kind = match evidence.kind {
        EvidenceKind::Answer => "answer",
        EvidenceKind::SharedSecret => "shared-secret",
        EvidenceKind::Signature => "signature",
    };
    v1::follow_receipts_response::Evidence {
        kind: kind.to_owned(),
        key_id: evidence.key_id,
        proof: evidence.proof,
        signed: evidence.signed,
    }
}

//! All that a span can say: ids, codes and counts of ours, never what a message says.

use lgsp_types::{AdapterId, ConnectorId, ContractRef, DeliveryId, MsgId, ReasonCode, SystemId};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};

/// Under the names of OpenTelemetry's conventions for messaging, where those have one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Attribute<'a> {
    Operation(&'a str),
    Outcome(&'static str),
    Reason(&'a ReasonCode),
    /// Whose credential was shown.
    System(&'a SystemId),
    Adapter(&'a AdapterId),
    Connector(&'a ConnectorId),
    /// Of a message that was accepted: what else names one may be anything.
    Contract(&'a ContractRef),
    Message(MsgId),
    Delivery(DeliveryId),
    Attempt(u32),
    Partition(u32),
    Offset(u64),
}

impl Attribute<'_> {
    pub(super) fn key_value(self) -> KeyValue {
        match self {
            Self::Operation(name) => text("messaging.operation.name", name),
            Self::Outcome(outcome) => text("lgsp.outcome", outcome),
            Self::Reason(reason) => text("lgsp.reason", reason),
            Self::System(system) => text("lgsp.system.id", system),
            Self::Adapter(adapter) => text("lgsp.adapter.id", adapter),
            Self::Connector(connector) => text("lgsp.connector.id", connector),
            Self::Contract(contract) => text("lgsp.contract", contract),
            Self::Message(message) => text("messaging.message.id", message),
            Self::Delivery(delivery) => text("lgsp.delivery.id", delivery),
            Self::Attempt(attempt) => number("lgsp.attempt", attempt.into()),
            Self::Partition(partition) => text("messaging.destination.partition.id", partition),
            Self::Offset(offset) => number("lgsp.offset", offset),
        }
    }
}

/// What has one name all the time.
pub(super) fn text(key: &str, value: impl ToString) -> KeyValue {
    key_value(key, Value::StringValue(value.to_string()))
}

fn number(key: &str, value: u64) -> KeyValue {
    key_value(key, Value::IntValue(i64::try_from(value).unwrap_or(i64::MAX)))
}

fn key_value(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

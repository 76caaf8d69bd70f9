//! The reason codes of this reader, and the refusals that more than one place gives.

use lgsp_types::{ADDRESSEES_MAX, ATTACHMENTS_MAX, ReasonCode, Refusal};

use super::position::Position;

pub(super) const ATTACHMENT_BASE64: ReasonCode = ReasonCode::new("ATTACHMENT_BASE64");
pub(super) const ATTACHMENT_DUPLICATE: ReasonCode = ReasonCode::new("ATTACHMENT_DUPLICATE");
pub(super) const ATTACHMENT_MISSING: ReasonCode = ReasonCode::new("ATTACHMENT_MISSING");
pub(super) const ATTACHMENT_NAME: ReasonCode = ReasonCode::new("ATTACHMENT_NAME");
pub(super) const ATTACHMENT_UNREFERENCED: ReasonCode = ReasonCode::new("ATTACHMENT_UNREFERENCED");
pub(super) const ATTACHMENT_ZIP: ReasonCode = ReasonCode::new("ATTACHMENT_ZIP");
pub(super) const BODY_TOO_LARGE: ReasonCode = ReasonCode::new("BODY_TOO_LARGE");
pub(super) const CHARSET: ReasonCode = ReasonCode::new("CHARSET");
pub(super) const EDXML_ENVELOPE_MISSING: ReasonCode = ReasonCode::new("EDXML_ENVELOPE_MISSING");
pub(super) const FIELD_INVALID: ReasonCode = ReasonCode::new("FIELD_INVALID");
pub(super) const FIELD_MISSING: ReasonCode = ReasonCode::new("FIELD_MISSING");
pub(super) const FIELD_TOO_LONG: ReasonCode = ReasonCode::new("FIELD_TOO_LONG");
pub(super) const PAYLOAD_TOO_LARGE: ReasonCode = ReasonCode::new("PAYLOAD_TOO_LARGE");
pub(super) const STATUS_UNKNOWN: ReasonCode = ReasonCode::new("STATUS_UNKNOWN");
pub(super) const XML_DOCTYPE: ReasonCode = ReasonCode::new("XML_DOCTYPE");
pub(super) const XML_MALFORMED: ReasonCode = ReasonCode::new("XML_MALFORMED");
pub(super) const XML_TEXT_TOO_LONG: ReasonCode = ReasonCode::new("XML_TEXT_TOO_LONG");
pub(super) const XML_TOO_DEEP: ReasonCode = ReasonCode::new("XML_TOO_DEEP");
pub(super) const XML_TOO_MANY_ATTRIBUTES: ReasonCode = ReasonCode::new("XML_TOO_MANY_ATTRIBUTES");
pub(super) const XML_TOO_MANY_NAMESPACES: ReasonCode = ReasonCode::new("XML_TOO_MANY_NAMESPACES");
pub(super) const XML_TOO_MANY_NODES: ReasonCode = ReasonCode::new("XML_TOO_MANY_NODES");

const TOO_MANY_ADDRESSEES: ReasonCode = ReasonCode::new("TOO_MANY_ADDRESSEES");
const TOO_MANY_ATTACHMENTS: ReasonCode = ReasonCode::new("TOO_MANY_ATTACHMENTS");

pub(super) fn malformed(path: impl Into<String>, at: Position, what: &str) -> Refusal {
    Refusal::new(XML_MALFORMED, path, format!("{what}, at {at}"), "send well-formed XML")
}

pub(super) fn too_many_addressees(path: impl Into<String>) -> Refusal {
    Refusal::new(
        TOO_MANY_ADDRESSEES,
        path,
        format!("the packet has more than {ADDRESSEES_MAX} addressees"),
        "send it in several packets",
    )
}

pub(super) fn too_many_attachments(path: impl Into<String>) -> Refusal {
    Refusal::new(
        TOO_MANY_ATTACHMENTS,
        path,
        format!("the packet has more than {ATTACHMENTS_MAX} attachments"),
        "put files together, or send several packets",
    )
}

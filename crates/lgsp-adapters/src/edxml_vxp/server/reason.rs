//! The façade's own reasons, and the axis' number for every reason a caller may be told.
//!
//! Source: vietnam.md 2.7 for what the numbers mean to a document system.

use lgsp_types::{Digest, ReasonCode, Refusal};

pub(super) const SIGNATURE_MISSING: ReasonCode = ReasonCode::new("SIGNATURE_MISSING");
pub(super) const SIGNATURE_INVALID: ReasonCode = ReasonCode::new("SIGNATURE_INVALID");
pub(super) const OPERATION_UNKNOWN: ReasonCode = ReasonCode::new("OPERATION_UNKNOWN");
pub(super) const PARAMETER_MISSING: ReasonCode = ReasonCode::new("PARAMETER_MISSING");
pub(super) const PARAMETER_INVALID: ReasonCode = ReasonCode::new("PARAMETER_INVALID");
pub(super) const TOO_MANY_ADDRESSEES: ReasonCode = ReasonCode::new("TOO_MANY_ADDRESSEES");
pub(super) const BODY_TOO_LARGE: ReasonCode = ReasonCode::new("BODY_TOO_LARGE");
pub(super) const HASH_MISMATCH: ReasonCode = ReasonCode::new("HASH_MISMATCH");
pub(super) const KEY_CONFLICT: ReasonCode = ReasonCode::new("KEY_CONFLICT");
pub(super) const DELIVERY_UNKNOWN: ReasonCode = ReasonCode::new("DELIVERY_UNKNOWN");
pub(super) const DELIVERY_WITHDRAWN: ReasonCode = ReasonCode::new("DELIVERY_WITHDRAWN");
pub(super) const RECEIVER_FAILED: ReasonCode = ReasonCode::new("RECEIVER_FAILED");
pub(super) const BODY_BROKEN: ReasonCode = ReasonCode::new("BODY_BROKEN");
pub(super) const FIELD_MISSING: ReasonCode = ReasonCode::new("FIELD_MISSING");
pub(super) const SENDER_NOT_SPOKEN_FOR: ReasonCode = ReasonCode::new("SENDER_NOT_SPOKEN_FOR");
pub(super) const BUSY: ReasonCode = ReasonCode::new("BUSY");
pub(super) const OUTCOME_UNKNOWN: ReasonCode = ReasonCode::new("OUTCOME_UNKNOWN");
pub(super) const UNAVAILABLE: ReasonCode = ReasonCode::new("UNAVAILABLE");
pub(super) const OBJECT_DAMAGED: ReasonCode = ReasonCode::new("OBJECT_DAMAGED");

/// The `ErrorCode` of a reason. Only 20 invites to send again.
pub(super) fn error_code(reason: &ReasonCode) -> &'static str {
    match reason.as_str() {
        "SIGNATURE_MISSING" | "SIGNATURE_INVALID" => "15",
        "ADDRESSEE_UNKNOWN" | "DELIVERY_UNKNOWN" | "DELIVERY_WITHDRAWN" => "18",
        "SENDER_UNKNOWN" | "SENDER_NOT_SPOKEN_FOR" | "SENDER_CLOSED" => "19",
        // The addressee is there, but not for this sender.
        "NO_GRANT" | "GRANT_EXPIRED" | "GRANT_NOT_YET_VALID" | "PURPOSE_NOT_GRANTED" | "VERSION_NOT_GRANTED" => "19",
        "BUSY" | "OUTCOME_UNKNOWN" | "UNAVAILABLE" | "OBJECT_DAMAGED" => "20",
        "HASH_MISMATCH" | "TOO_MANY_ATTACHMENTS" => "21",
        "ADDRESSEE_CLOSED" | "ADDRESSEE_NO_ROUTE" => "23",
        "OPERATION_UNKNOWN" | "PARAMETER_MISSING" | "PARAMETER_INVALID" => "10",
        "BODY_TOO_LARGE" | "BODY_BROKEN" | "KEY_CONFLICT" => "10",
        attachment if attachment.starts_with("ATTACHMENT_") => "21",
        // Everything else is said of the packet: charset, XML, fields, limits.
        _ => "22",
    }
}

/// Why a call failed, and whether the ledger has to know before the caller does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// The first, which is the gravest, gives the number.
    pub(super) refusals: Vec<Refusal>,
    pub(super) record: Record,
}

/// Whether a refusal is still to be recorded (exchange.md section 6, Rejected).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// The façade refuses what an authenticated caller signed.
    Signed,
    /// The façade refuses the body with this SHA-256.
    Body(Digest),
    /// The exchange recorded it, or nobody was authenticated, or nothing was refused for good.
    No,
    /// The caller broke off: there is nobody to tell.
    Gone,
}

impl Failure {
    pub(super) fn refused(refusal: Refusal) -> Self {
        Self {
            refusals: vec![refusal],
            record: Record::Signed,
        }
    }

    /// Nothing is wrong with the call: axis error 20.
    pub(super) fn again(reason: ReasonCode, what: &str) -> Self {
        Self {
            refusals: vec![Refusal::new(reason, "/", what, "gui lai (send again)")],
            record: Record::No,
        }
    }

    pub(super) fn gone() -> Self {
        Self {
            refusals: Vec::new(),
            record: Record::Gone,
        }
    }

    pub(super) fn unavailable() -> Self {
        Self::again(UNAVAILABLE, "the exchange cannot answer now")
    }

    /// The reason that gives the number, for the log.
    pub(super) fn reason(&self) -> ReasonCode {
        self.refusals
            .first()
            .map_or(UNAVAILABLE, |refusal| refusal.code.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_of_the_catalogue_has_its_number() {
        for (number, reasons) in [
            (
                "10",
                "BODY_TOO_LARGE BODY_BROKEN KEY_CONFLICT OPERATION_UNKNOWN PARAMETER_MISSING PARAMETER_INVALID",
            ),
            ("15", "SIGNATURE_MISSING SIGNATURE_INVALID"),
            ("18", "ADDRESSEE_UNKNOWN DELIVERY_UNKNOWN"),
            (
                "19",
                "SENDER_UNKNOWN SENDER_NOT_SPOKEN_FOR SENDER_CLOSED NO_GRANT GRANT_EXPIRED GRANT_NOT_YET_VALID \
                 PURPOSE_NOT_GRANTED VERSION_NOT_GRANTED",
            ),
            ("20", "BUSY OUTCOME_UNKNOWN UNAVAILABLE OBJECT_DAMAGED"),
            (
                "21",
                "HASH_MISMATCH ATTACHMENT_MISSING ATTACHMENT_UNREFERENCED ATTACHMENT_DUPLICATE ATTACHMENT_BASE64 \
                 ATTACHMENT_NAME ATTACHMENT_ZIP TOO_MANY_ATTACHMENTS",
            ),
            (
                "22",
                "CHARSET XML_MALFORMED XML_DOCTYPE XML_TOO_DEEP XML_TOO_MANY_ATTRIBUTES XML_TOO_MANY_NAMESPACES \
                 XML_TOO_MANY_NODES XML_TEXT_TOO_LONG EDXML_ENVELOPE_MISSING FIELD_MISSING FIELD_INVALID \
                 FIELD_TOO_LONG STATUS_UNKNOWN TOO_MANY_ADDRESSEES PAYLOAD_TOO_LARGE LEAF_TOO_LARGE",
            ),
            ("23", "ADDRESSEE_CLOSED ADDRESSEE_NO_ROUTE"),
        ] {
            for reason in reasons.split_whitespace() {
                assert_eq!(error_code(&ReasonCode::parse(reason).unwrap()), number, "{reason}");
            }
        }
    }
}

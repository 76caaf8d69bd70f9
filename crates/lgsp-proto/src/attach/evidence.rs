//! Evidence: what shows that a receiver has a delivery.

use lgsp_types::{Evidence, EvidenceKind, Refusal};

use crate::adapter::v1;
use crate::read::{Wrong, under};
use v1::evidence::Kind;

/// Source: lgsp_types::Evidence.
const KEY_ID_MAX_BYTES: usize = 64;
const PROOF_MAX_BYTES: usize = 512;
const SIGNED_MAX_BYTES: usize = 256 * 1024;

pub(super) fn write_evidence(evidence: &Evidence) -> v1::Evidence {
    let kind = match evidence.kind {
        EvidenceKind::SharedSecret => Kind::SharedSecret,
        EvidenceKind::Signature => Kind::Signature,
        EvidenceKind::Answer => Kind::Answer,
    };
    v1::Evidence {
        kind: kind.into(),
        key_id: evidence.key_id.clone(),
        proof: evidence.proof.clone(),
        signed: evidence.signed.clone(),
    }
}

/// Reads evidence whose own place in the call is `at`.
///
/// # Errors
/// Every field that is wrong.
pub(super) fn read_evidence(evidence: Option<v1::Evidence>, at: &str) -> Result<Evidence, Vec<Refusal>> {
    let mut wrong = Wrong::default();
    let Some(evidence) = evidence else {
        wrong.missing(at, "send what shows that the receiver has it");
        return Err(wrong.0);
    };
    let kind = match evidence.kind() {
        Kind::SharedSecret => Some(EvidenceKind::SharedSecret),
        Kind::Signature => Some(EvidenceKind::Signature),
        Kind::Answer => Some(EvidenceKind::Answer),
        Kind::Unspecified => {
            wrong.missing(&under(at, "kind"), "say what kind of evidence it is");
            None
        }
    };
    wrong.fits(&under(at, "key_id"), evidence.key_id.as_bytes(), KEY_ID_MAX_BYTES);
    wrong.fits(&under(at, "proof"), &evidence.proof, PROOF_MAX_BYTES);
    wrong.fits(&under(at, "signed"), &evidence.signed, SIGNED_MAX_BYTES);
    if kind == Some(EvidenceKind::Answer) && !(evidence.proof.is_empty() && evidence.key_id.is_empty()) {
        wrong.invalid(
            &under(at, "proof"),
            "an answer proves nothing",
            "leave key and proof out",
        );
    }
    match kind {
        Some(kind) if wrong.0.is_empty() => Ok(Evidence {
            kind,
            key_id: evidence.key_id,
            proof: evidence.proof,
            signed: evidence.signed,
        }),
        _ => Err(wrong.0),
    }
}

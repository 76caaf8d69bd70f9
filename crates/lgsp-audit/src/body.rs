//! The body of a record: salt, clear part and payload, and what the leaf commits to of them.
//!
//! `body = salt (32 bytes) ‖ u32be length ‖ clear part (deterministic CBOR) ‖ payload`. Source: exchange.md section 7.
//! The salt hides what the leaf commits to from whoever guesses contents: it stands in the body only.

mod clear;

use bytes::Bytes;
use lgsp_types::{Attachment, Clear, Digest, Finding, What};

use crate::alien::Alien;
use crate::bound::{PAYLOAD, Unfit};
use crate::cbor::{Decoder, Malformed};
use crate::leaf::ObjectKey;

use clear::ObjectName;

const PAYLOAD_CONTEXT: &[u8] = b"lgsp/payload/v1";
const OBJECT_CONTEXT: &[u8] = b"lgsp/object/v1";
const SALT_BYTES: usize = 32;
const LENGTH_BYTES: usize = 4;

/// What the leaf holds of a body.
pub(crate) fn commit_body(body: &[u8]) -> Digest {
    Digest::of_parts(&[PAYLOAD_CONTEXT, body])
}

/// What the leaf holds of an object, whose digest the body names.
pub(crate) fn commit_object(salt: &[u8; SALT_BYTES], digest: &Digest) -> Digest {
    Digest::of_parts(&[OBJECT_CONTEXT, salt, digest.as_bytes()])
}

/// The body of a fact of this kind; none where the kind has no body.
pub(crate) fn write(what: &What, salt: &[u8; SALT_BYTES]) -> Result<Option<Vec<u8>>, Unfit> {
    let (clear, payload) = match what {
        What::Accepted(accepted) => (clear::write_accepted(accepted)?, Some(&accepted.payload)),
        What::Rejected { findings, .. } => (clear::write_findings(findings)?, None),
        What::Delivered { evidence, .. } => (clear::write_nothing(), Some(&evidence.signed)),
        What::LookupAnswered { answer, .. } => (clear::write_nothing(), Some(answer)),
        What::Configured { change_set } => (clear::write_nothing(), Some(change_set)),
        What::Proposed { subject, proposal } => (clear::write_subject(subject)?, Some(proposal)),
        What::RejectSummary { .. }
        | What::AttemptFailed { .. }
        | What::Collected { .. }
        | What::DeadLettered { .. }
        | What::Redriven { .. }
        | What::Withdrawn { .. }
        | What::Conflict { .. }
        | What::LookupRequested(_)
        | What::LookupUnknown { .. }
        | What::Act { .. }
        | What::KeyEvent(_)
        | What::Shredded { .. }
        | What::SealAlarm { .. }
        | What::AttemptStarted { .. }
        | What::LedgerClosed { .. } => return Ok(None),
    };
    let payload = payload.map_or(&[][..], |payload| payload);
    PAYLOAD.fit(payload.len())?;
    let mut body = Vec::with_capacity(SALT_BYTES + LENGTH_BYTES + clear.len() + payload.len());
    body.extend_from_slice(salt);
    // The bounds of what is in clear keep it far below 4 GiB.
    body.extend_from_slice(&u32::try_from(clear.len()).unwrap_or(u32::MAX).to_be_bytes());
    body.extend_from_slice(&clear);
    body.extend_from_slice(payload);
    Ok(Some(body))
}

/// A body in its parts.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) salt: [u8; SALT_BYTES],
    clear: Bytes,
    pub(crate) payload: Bytes,
}

impl Body {
    /// Takes the parts of a body that hashes to what its leaf commits to.
    pub(crate) fn read(body: &Bytes, commitment: &Digest) -> Result<Self, Alien> {
        if commit_body(body) != *commitment {
            return Err(Alien::Payload);
        }
        let short = Alien::Body {
            at: 0,
            what: "it is shorter than it says",
        };
        let (salt, rest) = body.split_first_chunk::<SALT_BYTES>().ok_or(short)?;
        let (length, _) = rest.split_first_chunk::<LENGTH_BYTES>().ok_or(short)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| short)?;
        let mut clear = body.slice(SALT_BYTES + LENGTH_BYTES..);
        if length > clear.len() {
            return Err(short);
        }
        let payload = clear.split_off(length);
        PAYLOAD.fit(payload.len()).map_err(|unfit| Alien::Body {
            at: 0,
            what: unfit.what(),
        })?;
        Ok(Self {
            salt: *salt,
            clear,
            payload,
        })
    }

    fn clear<T>(&self, read: impl FnOnce(&mut Decoder<'_>) -> Result<T, Malformed>) -> Result<T, Alien> {
        let mut from = Decoder::new(&self.clear);
        let part = read(&mut from).and_then(|part| from.end().map(|()| part));
        part.map_err(|Malformed { at, what }| Alien::Body { at, what })
    }

    /// The payload of a kind that has nothing in clear.
    pub(crate) fn payload_alone(&self) -> Result<Bytes, Alien> {
        self.clear(clear::read_nothing)?;
        Ok(self.payload.clone())
    }

    fn no_payload(&self) -> Result<(), Alien> {
        let what = "there is a payload where the kind has none";
        if self.payload.is_empty() {
            Ok(())
        } else {
            Err(Alien::Body {
                at: self.clear.len(),
                what,
            })
        }
    }

    pub(crate) fn findings(&self) -> Result<Vec<Finding>, Alien> {
        self.no_payload()?;
        self.clear(clear::read_findings)
    }

    pub(crate) fn proposal(&self) -> Result<What, Alien> {
        let subject = self.clear(clear::read_subject)?;
        Ok(What::Proposed {
            subject,
            proposal: self.payload.clone(),
        })
    }

    pub(crate) fn clear_of_accepted(&self) -> Result<(Clear, Vec<ObjectName>), Alien> {
        self.clear(clear::read_accepted)
    }

    /// Joins what leaf and body say of each object, and holds the one against the other.
    pub(crate) fn objects(&self, keys: Vec<ObjectKey>, names: Vec<ObjectName>) -> Result<Vec<Attachment>, Alien> {
        if keys.len() != names.len() {
            return Err(Alien::Object {
                index: keys.len().min(names.len()),
            });
        }
        let joined = keys.into_iter().zip(names).enumerate().map(|(index, (key, name))| {
            if commit_object(&self.salt, &name.digest) != key.commitment {
                return Err(Alien::Object { index });
            }
            Ok(Attachment {
                role: name.role,
                name: name.name,
                media_type: key.media_type,
                size_bytes: key.size_bytes,
                digest: name.digest,
            })
        });
        joined.collect()
    }
}

//! Identities: how every id is computed from what it names, keyed where the parts are easy to guess.
//!
//! Source: exchange.md section 2. What is computed here is stored for ever: test vectors stand at the end.

use std::fmt;

use aws_lc_rs::{digest, hmac};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{AgencyId, SystemId};

/// Each part as u32be length and bytes, so that no two lists of parts have one encoding.
#[must_use]
pub fn enc(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(parts.iter().map(|part| part.len() + 4).sum());
    for part in parts {
        // Parts are texts of bounded length; 4 GiB of one part cannot come here.
        out.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(part);
    }
    out
}

/// Why a text is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("is not an id of {digits} hexadecimal digits")]
pub struct IdError {
    digits: usize,
}

/// Reads lower-case hex; upper case is another text and is refused, so that an id has one spelling.
pub(crate) fn hex<const N: usize>(mut digits: impl Iterator<Item = u8>) -> Option<[u8; N]> {
    let mut half = || match digits.next()? {
        digit @ b'0'..=b'9' => Some(digit - b'0'),
        digit @ b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut out = [0; N];
    for slot in &mut out {
        *slot = half()? << 4 | half()?;
    }
    digits.next().is_none().then_some(out)
}

/// As `{byte:02x}` for each of at most 32 bytes, without a formatter's work for each: ids are written into every row of the store.
pub(crate) fn write_hex(out: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 64];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        let halves = [byte >> 4, byte & 15];
        for (letter, half) in pair.iter_mut().zip(halves) {
            *letter = DIGITS.get(usize::from(half)).copied().unwrap_or_default();
        }
    }
    let text = text.get(..2 * bytes.len()).unwrap_or_default();
    out.write_str(std::str::from_utf8(text).map_err(|_| fmt::Error)?)
}

macro_rules! short_id {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        ///
        /// 16 bytes; as text 8-4-4-4-12 lower-case hex, no version bits set.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type([u8; 16]);

        impl $type {
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// Reads the text form, and nothing else.
            ///
            /// # Errors
            /// [`IdError`]: nothing has this id.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                let groups = text.split('-').map(str::len);
                let digits = text.bytes().filter(|byte| *byte != b'-');
                let id = hex(digits).filter(|_| groups.eq([8, 4, 4, 4, 12]));
                id.map(Self).ok_or(IdError { digits: 32 })
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                let [a @ .., _, _, _, _, _, _, _, _, _, _, _, _] = &self.0;
                write_hex(out, a)?;
                for range in [4..6, 6..8, 8..10, 10..16] {
                    out.write_str("-")?;
                    write_hex(out, self.0.get(range).unwrap_or_default())?;
                }
                Ok(())
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, "{}({self})", stringify!($type))
            }
        }

        impl TryFrom<String> for $type {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text)
            }
        }

        impl From<$type> for String {
            fn from(id: $type) -> Self {
                id.to_string()
            }
        }
    };
}

short_id!(
    /// One message, from its sender system, order key and idempotency key.
    MsgId
);
short_id!(
    /// One message to one addressee, for ever the same, redriven or not: inboxes key on it.
    DeliveryId
);
short_id!(
    /// One refused call; the same call refused again under the same rules has the same id.
    RefusalId
);
short_id!(
    /// One fact, from what it says.
    EventId
);

/// How bytes that name something are shown.
macro_rules! shown_as_hex {
    ($type:ident) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $crate::id::write_hex(out, &self.0)
            }
        }

        impl std::fmt::Debug for $type {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(out, "{}({self})", stringify!($type))
            }
        }
    };
}
pub(crate) use shown_as_hex;

macro_rules! long_id {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        ///
        /// 32 bytes; as text 64 lower-case hexadecimal digits.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type([u8; 32]);

        impl $type {
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// # Errors
            /// [`IdError`]: the text is not 64 lower-case hexadecimal digits.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                hex(text.bytes()).map(Self).ok_or(IdError { digits: 64 })
            }
        }

        shown_as_hex!($type);

        impl TryFrom<String> for $type {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text)
            }
        }

        impl From<$type> for String {
            fn from(id: $type) -> Self {
                id.to_string()
            }
        }
    };
}

long_id!(
    /// A SHA-256.
    Digest
);
long_id!(
    /// A keyed tag: tells equal from unequal without telling what.
    Tag
);

impl Digest {
    /// SHA-256 of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::of_parts(&[bytes])
    }

    /// SHA-256 of these bytes, one part after the other with nothing between.
    #[must_use]
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        parts.iter().for_each(|part| context.update(part));
        Self(array(context.finish().as_ref()))
    }
}

/// The first N bytes of something at least as long; zeros fill what is missing, which cannot be.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = *byte);
    out
}

impl DeliveryId {
    /// The delivery of this message to this agency, by its permanent id.
    #[must_use]
    pub fn of(message: MsgId, addressee: &AgencyId) -> Self {
        let parts = enc(&[b"lgsp/delivery/v1", message.as_bytes(), addressee.as_str().as_bytes()]);
        Self(array(Digest::of(&parts).as_bytes()))
    }
}

impl EventId {
    /// The id of a fact from what makes it that fact and no other; `parts` as the fact's kind says.
    #[must_use]
    pub fn of(kind: crate::Kind, parts: &[&[u8]]) -> Self {
        let mut all: Vec<&[u8]> = vec![b"lgsp/event/v1"];
        let number = [kind.number()];
        all.push(&number);
        all.extend_from_slice(parts);
        Self(array(Digest::of(&enc(&all)).as_bytes()))
    }
}

impl From<RefusalId> for EventId {
    fn from(id: RefusalId) -> Self {
        Self(id.0)
    }
}

/// What the request tag covers, all as the sender wrote it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `vn.lgsp.document/1`.
    pub contract: &'a str,
    pub from: &'a str,
    /// In any order and with repeats: they are de-duplicated and sorted by bytes.
    pub addressees: &'a [&'a str],
    pub purpose: &'a str,
    /// The original's digest, else that of the payload bytes as received.
    pub content: Digest,
    /// Digests of the attachments beside the original, in the sender's order.
    pub attachments: &'a [Digest],
}

/// The ledger's id key: 32 random bytes that never change in its life and stand in no log, fact or manifest.
#[derive(Clone)]
pub struct IdKey {
    key: hmac::Key,
    id: String,
}

impl IdKey {
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Self {
        let id = Digest::of_parts(&[b"lgsp/id-key/v1", secret]).to_string();
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, secret),
            id: id.get(..16).unwrap_or_default().to_owned(),
        }
    }

    /// What the manifest holds of the key: 16 hexadecimal digits that tell one key from another.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        array(hmac::sign(&self.key, &enc(parts)).as_ref())
    }

    /// The partition of all messages of this order key, out of `partitions` (at least 1).
    #[must_use]
    pub fn partition(&self, order_key: &str, partitions: u32) -> u32 {
        let first: [u8; 8] = array(&self.mac(&[b"lgsp/partition/v1", order_key.as_bytes()]));
        u32::try_from(u64::from_be_bytes(first) % u64::from(partitions.max(1))).unwrap_or_default()
    }

    #[must_use]
    pub fn msg_id(&self, sender: &SystemId, order_key: &str, idempotency_key: &str) -> MsgId {
        let parts: [&[u8]; 4] = [
            b"lgsp/msg/v1",
            sender.as_str().as_bytes(),
            order_key.as_bytes(),
            idempotency_key.as_bytes(),
        ];
        MsgId(array(&self.mac(&parts)))
    }

    /// What tells a repeat from a conflict among messages of one id.
    #[must_use]
    pub fn request_tag(&self, request: &Request<'_>) -> Tag {
        let mut addressees: Vec<&[u8]> = request.addressees.iter().map(|code| code.as_bytes()).collect();
        addressees.sort_unstable();
        addressees.dedup();
        let attachments: Vec<&[u8]> = request
            .attachments
            .iter()
            .map(|digest| digest.as_bytes().as_slice())
            .collect();
        Tag(self.mac(&[
            b"lgsp/request/v1",
            request.contract.as_bytes(),
            request.from.as_bytes(),
            &enc(&addressees),
            request.purpose.as_bytes(),
            request.content.as_bytes(),
            &enc(&attachments),
        ]))
    }

    /// `what` is the request tag, or the SHA-256 of the bytes that could not be read.
    #[must_use]
    pub fn refusal_id(&self, caller: &SystemId, what: &[u8; 32], control_size: u64) -> RefusalId {
        let parts: [&[u8]; 4] = [
            b"lgsp/refusal/v1",
            caller.as_str().as_bytes(),
            what,
            &control_size.to_be_bytes(),
        ];
        RefusalId(array(&self.mac(&parts)))
    }

    /// The tag of a key or a case number, so that a leaf tells equal ones without telling them.
    #[must_use]
    pub fn tag(&self, kind: TagKind, text: &str) -> Tag {
        Tag(self.mac(&[b"lgsp/tag/v1", kind.name().as_bytes(), text.as_bytes()]))
    }
}

impl fmt::Debug for IdKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("IdKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What a tag is made of; texts of different kinds never meet in one tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagKind {
    OrderKey,
    IdempotencyKey,
    Case,
}

impl TagKind {
    const fn name(self) -> &'static str {
        match self {
            Self::OrderKey => "order-key",
            Self::IdempotencyKey => "idempotency-key",
            Self::Case => "case",
        }
    }
}

/// The place of a fact: ledger name, partition and offset.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LedgerPosition {
    pub ledger: String,
    pub partition: u32,
    pub offset: u64,
}

impl fmt::Display for LedgerPosition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}/{}", self.ledger, self.partition, self.offset)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> IdKey {
        IdKey::new(&std::array::from_fn(|at| u8::try_from(at).unwrap()))
    }

    fn system() -> SystemId {
        SystemId::parse("vxp.vinhphuc.01").unwrap()
    }

    /// Computed once with another implementation (Python's hmac and hashlib, see the comment of each line's parts).
    /// A failure here means that every ledger in the field would split its identities: do not adjust, find the change.
    #[test]
    fn ids_are_the_same_for_ever() {
        let key = key();
        assert_eq!(key.id(), "03867d68d85c31a8");
        assert_eq!(key.partition("H62.11,2026/01/05,2451/STTTT-CNTT", 12), 3);
        let message = key.msg_id(&system(), "order", "idem");
        assert_eq!(message.to_string(), "563b1f85-601a-ac4f-4a08-9ab53715c903");
        let agency = AgencyId::parse("vp.so-tu-phap").unwrap();
        assert_eq!(
            DeliveryId::of(message, &agency).to_string(),
            "c3388a9a-eead-f0db-5124-8f33a4fbcfd6"
        );
        let request = Request {
            contract: "vn.lgsp.document/1",
            from: "H62.11",
            addressees: &["H62.14", "H62", "H62.14"],
            purpose: "",
            content: Digest::of(b"x"),
            attachments: &[],
        };
        let tag = key.request_tag(&request);
        assert_eq!(
            tag.to_string(),
            "eb1bd6638988947778127e0b4de92685527722c6959c15472bd512595bf8a441"
        );
        assert_eq!(
            key.refusal_id(&system(), tag.as_bytes(), 7).to_string(),
            "521989b5-62b3-2f12-65d2-407d6ab063e3"
        );
        assert_eq!(
            key.tag(TagKind::Case, "HS-1").to_string(),
            "a08eefcd3e618de31cf18990a04503ac86284c07b23147456c3bfa612ceb9506"
        );
        assert_eq!(
            EventId::of(crate::Kind::Collected, &[message.as_bytes()]).to_string(),
            "b8ee0a5f-6ac2-d5d5-409c-16931b467df3"
        );
    }

    #[test]
    fn an_id_has_one_spelling() {
        let id = key().msg_id(&system(), "a", "b");
        let text = id.to_string();
        assert_eq!(MsgId::parse(&text), Ok(id));
        for other in [
            text.to_uppercase(),
            text.replace('-', ""),
            format!("{text}0"),
            format!("../{text}"),
            String::new(),
        ] {
            assert!(MsgId::parse(&other).is_err(), "{other}");
        }
    }

    proptest! {
        #[test]
        fn two_lists_of_parts_have_one_encoding_only_if_they_are_equal(
            a in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..6), 0..5),
            b in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..6), 0..5),
        ) {
            let encode = |list: &[Vec<u8>]| enc(&list.iter().map(Vec::as_slice).collect::<Vec<_>>());
            prop_assert_eq!(encode(&a) == encode(&b), a == b);
        }

        #[test]
        fn the_order_and_repeats_of_addressees_do_not_matter(mut codes in prop::collection::vec("[A-Z][0-9]{2}", 1..6)) {
            let tag = |codes: &[String]| {
                let addressees: Vec<&str> = codes.iter().map(String::as_str).collect();
                key().request_tag(&Request {
                    contract: "c/1", from: "H62", addressees: &addressees, purpose: "", content: Digest::of(b""), attachments: &[],
                })
            };
            let before = tag(&codes);
            codes.reverse();
            codes.push(codes[0].clone());
            prop_assert_eq!(tag(&codes), before);
        }

        #[test]
        fn no_text_panics(text in ".{0,70}") {
            prop_assert!(MsgId::parse(&text).is_err() || text.len() == 36);
            prop_assert!(Digest::parse(&text).is_err() || text.len() == 64);
        }
    }
}

//! What was accepted and is not projected yet: a repeat in between gets the first answer too.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lgsp_types::{MsgId, Tag};

use crate::project::Projection;
use crate::scribe::Inscribed;

/// Most messages that are remembered. When the projection is further behind, a repeat gets a receipt of its own, and the
/// projection tells the two as one (reliability.md, G3).
const REMEMBERED_MAX: usize = 65_536;
/// So many are looked through at a time for what is projected.
const FORGET_AT: usize = 1024;

/// Messages by id, from their acceptance to their projection.
#[derive(Default)]
pub(crate) struct Recent(Mutex<Remembered>);

#[derive(Default)]
struct Remembered {
    messages: HashMap<MsgId, (Tag, Inscribed)>,
    /// Look for what is projected when there are so many.
    forget_at: usize,
}

impl Recent {
    /// Ask it before the store: what it has forgotten, the store knows. Of what is projected only the store knows which of
    /// several is in force.
    pub(crate) fn find(&self, id: MsgId, projection: &Projection) -> Option<(Tag, Inscribed)> {
        let known = self.lock().messages.get(&id).copied();
        known.filter(|(_, inscribed)| !projection.has_passed(inscribed.partition, inscribed.offset))
    }

    /// Remembers an acceptance; of an id, that which is first in the log.
    pub(crate) fn remember(&self, id: MsgId, tag: Tag, inscribed: Inscribed, projection: &Projection) {
        let mut remembered = self.lock();
        if remembered.messages.len() >= remembered.forget_at.max(FORGET_AT) {
            remembered
                .messages
                .retain(|_, (_, inscribed)| !projection.has_passed(inscribed.partition, inscribed.offset));
            remembered.forget_at = remembered.messages.len() * 2;
        }
        if remembered.messages.len() < REMEMBERED_MAX {
            let first = remembered.messages.entry(id).or_insert((tag, inscribed));
            if inscribed.offset < first.1.offset {
                *first = (tag, inscribed);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Recent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let messages = self.lock().messages.len();
        out.debug_struct("Recent").field("messages", &messages).finish()
    }
}

#[cfg(test)]
mod tests {
    use lgsp_types::{Digest, UnixMs};

    use super::*;

    #[test]
    fn of_several_at_the_same_moment_the_first_in_the_log_is_remembered_until_it_is_projected() {
        let (recent, projection, id) = (Recent::default(), Projection::new(1), MsgId::from_bytes([1; 16]));
        for (content, offset) in [(7, 7), (5, 5), (6, 6)] {
            let inscribed = Inscribed {
                partition: 0,
                offset,
                append_ms: UnixMs(0),
                leaf_hash: Digest::of(b""),
            };
            recent.remember(id, Tag::from_bytes([content; 32]), inscribed, &projection);
        }
        let (tag, inscribed) = recent.find(id, &projection).unwrap();
        assert_eq!((tag, inscribed.offset), (Tag::from_bytes([5; 32]), 5));
    }
}

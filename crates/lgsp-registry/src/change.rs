//! Change sets: what one Configured fact holds, in its one spelling as bytes. Source: exchange.md section 7.

use std::collections::HashSet;
use std::fmt;
use std::ops::RangeInclusive;

use bytes::Bytes;
use lgsp_types::{Digest, EventId, Kind};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::canonical;
use crate::control::Void;
use crate::object::{Object, ObjectRef};

/// Largest change set, in bytes. Source: exchange.md section 7.
pub const CHANGE_SET_MAX_BYTES: usize = 256 * 1024;
/// Longest name of a file or person, in bytes.
const SOURCE_MAX_BYTES: usize = 128;
/// What a change set may speak of: 1, agencies, systems and connectors; 2, adapters too; 3, grants and contracts too. A
/// set has the least that holds it, so that older builds read all they can; one that meets a later format stops instead of guessing.
const FORMATS: RangeInclusive<u32> = 1..=3;

/// Where a change set comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A registry file, by its own name without folders; 1 to 128 bytes.
    File(String),
    /// A person, by the id of the account, never the name; 1 to 128 bytes.
    Person(String),
}

/// As history tells it.
impl fmt::Display for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(name) => write!(out, "file {name}"),
            Self::Person(account) => write!(out, "person {account}"),
        }
    }
}

/// One object's change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub object: ObjectRef,
    /// The change set that made the object what it is now; none for an object that never was.
    pub predecessor: Option<EventId>,
    /// The object from now on; none: it is no more.
    pub content: Option<Object>,
    /// Only where a file's import leaves the object as it is although the file says otherwise: the digest of the file's
    /// canonical JSON of it (of `null` if the file no longer names it), so that it is not asked again.
    pub said: Option<Digest>,
}

/// All of it, or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeSet {
    pub source: Source,
    /// At least one, and each object once.
    pub changes: Vec<Change>,
}

/// What a file said of an object: the digest of its canonical JSON, that of `null` if the object does not stand there.
pub(crate) fn said(content: Option<&Object>) -> Digest {
    content.map_or_else(|| Digest::of(b"null"), Object::digest)
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSet {
    format: u32,
    source: Source,
    changes: Vec<WrittenChange>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenChange {
    object: ObjectRef,
    predecessor: Option<EventId>,
    content: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    said: Option<Digest>,
}

#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

impl ChangeSet {
    /// The canonical bytes; [`ChangeSet::read`] takes no others.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let changes = self.changes.iter().map(Change::written).collect();
        let written = WrittenSet {
            format: self.format(),
            source: self.source.clone(),
            changes,
        };
        canonical::to_bytes(&written).into()
    }

    /// The id of the Configured fact with these bytes.
    #[must_use]
    pub fn event_id(bytes: &[u8]) -> EventId {
        EventId::of(Kind::Configured, &[bytes])
    }

    /// Reads a change set and nothing that is only nearly one.
    ///
    /// # Errors
    /// [`Void`]: the fact that holds it changes nothing.
    pub fn read(bytes: &[u8]) -> Result<Self, Void> {
        if bytes.len() > CHANGE_SET_MAX_BYTES {
            return Err(unreadable(format!("has more than {CHANGE_SET_MAX_BYTES} bytes")));
        }
        let FormatOnly { format } = serde_json::from_slice(bytes).map_err(|error| unreadable(error.to_string()))?;
        if !FORMATS.contains(&format) {
            return Err(Void::UnknownFormat { format });
        }
        let written: WrittenSet = serde_json::from_slice(bytes).map_err(|error| unreadable(error.to_string()))?;
        let changes: Result<Vec<Change>, Void> = written.changes.into_iter().map(Change::read).collect();
        let change_set = Self {
            source: written.source,
            changes: changes?,
        };
        change_set.check()?;
        if change_set.to_bytes() != bytes {
            return Err(unreadable("is not in canonical form".to_owned()));
        }
        Ok(change_set)
    }

    fn format(&self) -> u32 {
        let least = |change: &Change| match change.object {
            ObjectRef::Agency(_) | ObjectRef::System(_) | ObjectRef::Connector(_) => 1,
            ObjectRef::Adapter(_) => 2,
            ObjectRef::Grant(_) | ObjectRef::Contract(_) => 3,
        };
        self.changes.iter().map(least).max().unwrap_or(1)
    }

    fn check(&self) -> Result<(), Void> {
        let (Source::File(name) | Source::Person(name)) = &self.source;
        if name.is_empty() || name.len() > SOURCE_MAX_BYTES {
            return Err(unreadable(format!("its source is not 1 to {SOURCE_MAX_BYTES} bytes")));
        }
        if self.changes.is_empty() {
            return Err(unreadable("it changes nothing".to_owned()));
        }
        let mut seen = HashSet::new();
        match self.changes.iter().find(|change| !seen.insert(&change.object)) {
            Some(twice) => Err(unreadable(format!("it changes {} twice", twice.object))),
            None => Ok(()),
        }
    }
}

fn unreadable(what: String) -> Void {
    Void::Unreadable { what }
}

impl Change {
    /// Its length among the changes of a set, with the comma.
    pub(crate) fn length(&self) -> usize {
        canonical::to_bytes(&self.written()).len() + 1
    }

    fn written(&self) -> WrittenChange {
        WrittenChange {
            object: self.object.clone(),
            predecessor: self.predecessor,
            content: self
                .content
                .as_ref()
                .map(|content| serde_json::to_value(content).unwrap_or_default()),
            said: self.said,
        }
    }

    fn read(written: WrittenChange) -> Result<Self, Void> {
        let WrittenChange {
            object,
            predecessor,
            content,
            said,
        } = written;
        let content = content.map(|content| object.kind().read(content)).transpose();
        let content = content.map_err(|misfit| unreadable(format!("{object} at {}: {}", misfit.path, misfit.what)))?;
        if content.as_ref().is_some_and(|content| content.reference() != object) {
            return Err(unreadable(format!("the content of {object} has another id")));
        }
        Ok(Self {
            object,
            predecessor,
            content,
            said,
        })
    }
}

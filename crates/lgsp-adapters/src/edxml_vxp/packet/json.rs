//! The canonical JSON of a packet: fixed order of keys, no blanks, absent fields left out.
//!
//! First come the typed fields of [`Header`], then
//! - `attachments`: `content_id`, `name`, `description`, `media_type`, `size_bytes`, `sha256` (both of the decoded file)
//!   and `base64`: `offset` and `length` of its text in the original;
//! - `original`: `size_bytes` and `sha256` of the packet as it came;
//! - `xml`: everything that was written, for whoever needs the packet again: a list of the root and the comments and
//!   instructions beside it. An element is `[name, [attribute, value, …], child, …]`, a text is a string, and the others
//!   are `{"cdata":…}`, `{"comment":…}`, `{"instruction":[target, content]}` and `{"part":n}`, where the base64 of the
//!   n-th attachment was cut out (with `"cdata":true` if it stood in a section).

use bytes::Bytes;
use lgsp_types::{Digest, PAYLOAD_MAX_BYTES, Refusal};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Serialize, Serializer};

use super::Part;
use super::header::Header;
use super::reason::PAYLOAD_TOO_LARGE;
use super::tree::{Element, Node, Tree};

/// The packet as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Original {
    pub(super) size_bytes: u64,
    pub(super) sha256: Digest,
}

#[derive(Serialize)]
struct Payload<'a> {
    #[serde(flatten)]
    header: &'a Header,
    attachments: Vec<AttachmentFields<'a>>,
    original: Original,
    xml: &'a Tree,
}

#[derive(Serialize)]
struct AttachmentFields<'a> {
    content_id: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    media_type: &'a str,
    size_bytes: u64,
    sha256: Digest,
    base64: Extent,
}

/// Where in the original.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Extent {
    pub(super) offset: u64,
    pub(super) length: u64,
}

/// # Errors
/// `PAYLOAD_TOO_LARGE`.
pub(super) fn payload(header: &Header, parts: &[Part], original: Original, tree: &Tree) -> Result<Bytes, Refusal> {
    let attachments = parts.iter().map(fields).collect();
    let payload = Payload {
        header,
        attachments,
        original,
        xml: tree,
    };
    // Maps with keys of text into memory: nothing here can fail; if it did, the payload would be of no use.
    let json = serde_json::to_vec(&payload).map_err(|_| too_large("cannot be written"))?;
    if json.len() > PAYLOAD_MAX_BYTES {
        return Err(too_large(&format!("is {} bytes of JSON", json.len())));
    }
    Ok(json.into())
}

fn too_large(what: &str) -> Refusal {
    let what = format!("the packet without its attachments {what}; {PAYLOAD_MAX_BYTES} may be");
    Refusal::new(PAYLOAD_TOO_LARGE, "/", what, "send long texts as attachments")
}

fn fields(part: &Part) -> AttachmentFields<'_> {
    AttachmentFields {
        content_id: &part.content_id,
        name: &part.name,
        description: part.description.as_deref(),
        media_type: &part.media_type,
        size_bytes: part.size_bytes,
        sha256: part.digest,
        base64: Extent {
            offset: part.range.start,
            length: part.range.end - part.range.start,
        },
    }
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        self.before.iter().try_for_each(|node| list.serialize_element(node))?;
        list.serialize_element(&self.root)?;
        self.after.iter().try_for_each(|node| list.serialize_element(node))?;
        list.end()
    }
}

impl Serialize for Element {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(2 + self.children.len()))?;
        let attributes: Vec<&str> = self
            .attributes
            .iter()
            .flat_map(|(name, value)| [name.as_str(), value.as_str()])
            .collect();
        list.serialize_element(&self.name)?;
        list.serialize_element(&attributes)?;
        self.children
            .iter()
            .try_for_each(|child| list.serialize_element(child))?;
        list.end()
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = match self {
            Self::Element(element) => return element.serialize(serializer),
            Self::Text(text) => return serializer.serialize_str(text),
            Self::CData(_) | Self::Comment(_) | Self::Instruction { .. } | Self::Part { .. } => {
                serializer.serialize_map(None)?
            }
        };
        match self {
            Self::CData(text) => map.serialize_entry("cdata", text)?,
            Self::Comment(text) => map.serialize_entry("comment", text)?,
            Self::Instruction { target, content } => map.serialize_entry("instruction", &[target, content])?,
            Self::Part { index, cdata } => {
                map.serialize_entry("part", index)?;
                if *cdata {
                    map.serialize_entry("cdata", cdata)?;
                }
            }
            Self::Element(_) | Self::Text(_) => {}
        }
        map.end()
    }
}

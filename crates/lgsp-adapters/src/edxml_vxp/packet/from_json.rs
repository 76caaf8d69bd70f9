//! Reads a packet back from its canonical JSON, trusting it no more than XML.

use lgsp_types::{Digest, DocumentDate, PAYLOAD_MAX_BYTES, Refusal};
use serde::Deserialize;
use serde_json::Value;

use super::Packet;
use super::json::{Extent, Original, payload};
use super::limits::{ATTRIBUTES_MAX, DEPTH_MAX, NAME_BYTES_MAX};
use super::names::{is_name, is_qualified_name, is_text, local};
use super::part::Found;
use super::read::read;
use super::reason::{FIELD_INVALID, PAYLOAD_TOO_LARGE};
use super::tree::{Element, Node, Tree};
use super::zip::Report;

#[derive(Deserialize)]
struct Given {
    attachments: Vec<GivenAttachment>,
    original: Original,
    xml: Vec<Value>,
}

#[derive(Deserialize)]
struct GivenAttachment {
    size_bytes: u64,
    sha256: Digest,
    base64: Extent,
}

/// # Errors
/// Everything that is wrong; paths into the JSON as far as it is no packet, into the packet from there on.
pub(super) fn from_json(json: &[u8]) -> Result<Packet, Vec<Refusal>> {
    if json.len() > PAYLOAD_MAX_BYTES {
        let what = format!("the payload is larger than {PAYLOAD_MAX_BYTES} bytes");
        return Err(vec![Refusal::new(PAYLOAD_TOO_LARGE, "/", what, "send less")]);
    }
    let value: Value = serde_json::from_slice(json).map_err(|_| vec![invalid("/", "is no JSON")])?;
    let given =
        Given::deserialize(&value).map_err(|_| vec![invalid("/", "has no sound attachments, original and xml")])?;
    let tree = Reading::default()
        .tree(&given.xml, given.attachments.len())
        .map_err(|refusal| vec![refusal])?;
    let parts: Vec<Found> = given.attachments.iter().map(found).collect();
    let no_day: Option<DocumentDate> = None;
    let content = read(&tree, &parts, no_day)?;
    let packet = Packet {
        json: payload(&content.header, &content.parts, given.original, &tree).map_err(|refusal| vec![refusal])?,
        header: content.header,
        parts: content.parts,
        size_bytes: given.original.size_bytes,
        digest: given.original.sha256,
        tree,
    };
    // The typed fields are a reading of `xml`; were they another, two receivers could read two documents.
    match serde_json::from_slice::<Value>(&packet.json) {
        Ok(own) if own == value => Ok(packet),
        Ok(_) | Err(_) => Err(vec![invalid("/", "says something else than its xml")]),
    }
}

fn found(given: &GivenAttachment) -> Found {
    let start = given.base64.offset;
    Found {
        range: start..start.saturating_add(given.base64.length),
        size_bytes: given.size_bytes,
        digest: given.sha256,
        junk: None,
        // The zip was looked into when the packet came; here no byte of it is at hand.
        zip: Report::SOUND,
    }
}

fn invalid(path: &str, what: &str) -> Refusal {
    Refusal::new(FIELD_INVALID, path, what, "send the canonical JSON of a packet")
}

/// Counts the parts that have been met.
#[derive(Default)]
struct Reading {
    parts: usize,
}

impl Reading {
    fn tree(mut self, list: &[Value], parts: usize) -> Result<Tree, Refusal> {
        let mut tree = Tree::default();
        let mut has_root = false;
        for (index, value) in list.iter().enumerate() {
            let path = format!("/xml/{index}");
            match self.node(value, 1, &path)? {
                Node::Element(root) if !has_root => {
                    tree.root = root;
                    has_root = true;
                }
                node @ (Node::Comment(_) | Node::Instruction { .. }) if has_root => tree.after.push(node),
                node @ (Node::Comment(_) | Node::Instruction { .. }) => tree.before.push(node),
                Node::Element(_) | Node::Text(_) | Node::CData(_) | Node::Part { .. } => {
                    return Err(invalid(&path, "may not stand beside the root"));
                }
            }
        }
        if !has_root || self.parts != parts {
            return Err(invalid(
                "/xml",
                "has no root, or other parts than there are attachments",
            ));
        }
        Ok(tree)
    }

    /// As deep as `DEPTH_MAX` allows.
    fn node(&mut self, value: &Value, depth: usize, path: &str) -> Result<Node, Refusal> {
        match value {
            Value::Array(list) if depth <= DEPTH_MAX => self.element(list, depth, path).map(Node::Element),
            Value::String(text) if !text.is_empty() && is_text(text) => Ok(Node::Text(text.clone())),
            Value::Object(map) => {
                let field = |name: &str| map.get(name).and_then(Value::as_str).filter(|text| is_verbatim(text));
                let list = map.get("instruction").and_then(Value::as_array).map(Vec::as_slice);
                if let (Some(text), 1) = (field("comment"), map.len())
                    && !text.contains("--")
                    && !text.ends_with('-')
                {
                    return Ok(Node::Comment(text.to_owned()));
                }
                if let (Some(text), 1) = (field("cdata"), map.len())
                    && !text.contains("]]>")
                {
                    return Ok(Node::CData(text.to_owned()));
                }
                if let (Some([Value::String(target), Value::String(content)]), 1) = (list, map.len()) {
                    return instruction(target, content, path);
                }
                Err(invalid(path, "is no node of a packet"))
            }
            Value::Array(_) | Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {
                Err(invalid(path, "is no node of a packet"))
            }
        }
    }

    fn element(&mut self, list: &[Value], depth: usize, path: &str) -> Result<Element, Refusal> {
        let [Value::String(name), Value::Array(attributes), children @ ..] = list else {
            return Err(invalid(path, "is no element: name, attributes, children"));
        };
        let mut element = Element {
            name: checked_name(name, path)?,
            attributes: attributes_of(attributes, path)?,
            children: Vec::new(),
        };
        if local(name) == "ContentTransferEncoded" {
            element.children.push(self.part(children, path)?);
            return Ok(element);
        }
        for (index, child) in children.iter().enumerate() {
            let path = format!("{path}/{}", index + 2);
            let node = self.node(child, depth + 1, &path)?;
            if matches!((element.children.last(), &node), (Some(Node::Text(_)), Node::Text(_))) {
                return Err(invalid(&path, "is a text behind a text"));
            }
            element.children.push(node);
        }
        Ok(element)
    }

    /// All that an encoded element holds.
    fn part(&mut self, children: &[Value], path: &str) -> Result<Node, Refusal> {
        let [Value::Object(map)] = children else {
            return Err(invalid(path, "holds something else than its part"));
        };
        let is_next = map.get("part").and_then(Value::as_u64) == Some(self.parts as u64);
        let cdata = match (map.get("cdata"), map.len()) {
            (None, 1) => false,
            (Some(Value::Bool(true)), 2) => true,
            _ => return Err(invalid(path, "holds something else than its part")),
        };
        if !is_next {
            return Err(invalid(path, "holds another part than the next"));
        }
        let index = self.parts;
        self.parts += 1;
        Ok(Node::Part { index, cdata })
    }
}

fn instruction(target: &str, content: &str, path: &str) -> Result<Node, Refusal> {
    let is_target = is_name(target) && target.len() <= NAME_BYTES_MAX && !target.eq_ignore_ascii_case("xml");
    let is_content = is_verbatim(content) && !content.contains("?>") && content.trim_start() == content;
    if !(is_target && is_content) {
        return Err(invalid(path, "is no processing instruction"));
    }
    Ok(Node::Instruction {
        target: target.to_owned(),
        content: content.to_owned(),
    })
}

fn attributes_of(list: &[Value], path: &str) -> Result<Vec<(String, String)>, Refusal> {
    let mut attributes: Vec<(String, String)> = Vec::new();
    for pair in list.chunks(2) {
        let [Value::String(name), Value::String(value)] = pair else {
            return Err(invalid(path, "has attributes that are no pairs of texts"));
        };
        if !is_text(value) || attributes.iter().any(|(other, _)| other == name) || attributes.len() == ATTRIBUTES_MAX {
            return Err(invalid(
                path,
                "has an attribute twice, too many, or one with a control character",
            ));
        }
        attributes.push((checked_name(name, path)?, value.clone()));
    }
    Ok(attributes)
}

fn checked_name(name: &str, path: &str) -> Result<String, Refusal> {
    if name.len() <= NAME_BYTES_MAX && is_qualified_name(name) {
        Ok(name.to_owned())
    } else {
        Err(invalid(path, "has a name that is none of XML"))
    }
}

/// XML cannot write a CR there.
fn is_verbatim(text: &str) -> bool {
    is_text(text) && !text.contains('\r')
}

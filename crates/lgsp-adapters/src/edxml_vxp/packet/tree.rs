//! The packet without its base64 as a tree: everything that was written, in its order.

/// Something in an element, or beside the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Element(Element),
    /// With references resolved and lines ended by `\n`, as XML asks; never empty.
    Text(String),
    CData(String),
    Comment(String),
    Instruction {
        target: String,
        content: String,
    },
    /// Where the base64 of the n-th part was cut out; it stood in a CDATA section or not.
    Part {
        index: usize,
        cdata: bool,
    },
}

/// An element, names as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: String,
    /// In their order, declarations of namespaces among them.
    pub(super) attributes: Vec<(String, String)>,
    pub(super) children: Vec<Node>,
}

/// A whole packet. Blanks beside the root and the XML declaration are not kept: they say nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tree {
    /// Comments and instructions before the root.
    pub(super) before: Vec<Node>,
    pub(super) root: Element,
    pub(super) after: Vec<Node>,
}

impl Element {
    pub(super) fn local(&self) -> &str {
        super::names::local(&self.name)
    }

    pub(super) fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|child| match child {
            Node::Element(element) => Some(element),
            Node::Text(_) | Node::CData(_) | Node::Comment(_) | Node::Instruction { .. } | Node::Part { .. } => None,
        })
    }

    /// Its text and sections joined; comments and elements in between are passed over, as the vendor's reader does.
    pub(super) fn text(&self) -> String {
        let texts = self.children.iter().map(|child| match child {
            Node::Text(text) | Node::CData(text) => text.as_str(),
            Node::Element(_) | Node::Comment(_) | Node::Instruction { .. } | Node::Part { .. } => "",
        });
        texts.collect()
    }

    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }
}

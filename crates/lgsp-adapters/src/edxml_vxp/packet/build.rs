//! Makes the tree from the pieces the scanner cuts; quick-xml reads each piece, and a cut on which the two disagree is
//! refused, so that nothing can be one thing to the scanner and another to the parser.

use lgsp_types::{ADDRESSEES_MAX, ATTACHMENTS_MAX, Refusal};
use quick_xml::Reader;
use quick_xml::errors::IllFormedError;
use quick_xml::events::{BytesDecl, BytesStart, Event};

use super::limits::{ATTRIBUTES_MAX, DEPTH_MAX, NAME_BYTES_MAX, NAMESPACES_MAX, NODES_MAX, PATH_LEVELS_MAX};
use super::names::{is_blank, is_name, is_qualified_name, local};
use super::part::{Found, Intake};
use super::place::step;
use super::position::Position;
use super::reason::{
    CHARSET, XML_DOCTYPE, XML_TEXT_TOO_LONG, XML_TOO_DEEP, XML_TOO_MANY_ATTRIBUTES, XML_TOO_MANY_NAMESPACES,
    XML_TOO_MANY_NODES, malformed, too_many_addressees, too_many_attachments,
};
use super::spell;
use super::tree::{Element, Node, Tree};

/// The element whose text is base64, whatever its prefix.
const ENCODED: &str = "ContentTransferEncoded";

/// What comes behind a piece of markup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Text,
    Base64,
}

/// The tree so far.
#[derive(Debug, Default)]
pub(super) struct Builder {
    tree: Tree,
    has_root: bool,
    open: Vec<Open>,
    nodes: usize,
    part: Option<Intake>,
    /// How many elements are open where its text stands.
    part_depth: usize,
    parts: Vec<Found>,
    begun: bool,
}

#[derive(Debug)]
struct Open {
    element: Element,
    /// Declarations of namespaces in force.
    namespaces: usize,
}

impl Builder {
    /// Takes one piece of markup, from `<` to `>`.
    ///
    /// # Errors
    /// The refusal that ends the reading.
    pub(super) fn markup(&mut self, piece: &str, at: Position) -> Result<Next, Refusal> {
        let mut reader = Reader::from_str(piece);
        let config = reader.config_mut();
        config.check_comments = true;
        config.check_end_names = false;
        config.allow_unmatched_ends = true;
        let event = reader
            .read_event()
            .map_err(|error| self.malformed(at, explain(&error)))?;
        if reader.buffer_position() != piece.len() as u64 {
            return Err(self.malformed(at, "a comment, section or tag ends where it must not"));
        }
        let is_first = !std::mem::replace(&mut self.begun, true);
        match event {
            Event::Start(tag) => self.open(&tag, at, at.offset + piece.len() as u64)?,
            Event::Empty(tag) => {
                self.open(&tag, at, at.offset + piece.len() as u64)?;
                self.close(tag.name().0, at)?;
            }
            Event::End(tag) => self.close(tag.name().0, at)?,
            Event::Comment(text) => {
                let text = spell::verbatim(&text).map_err(|what| self.malformed(at, what))?;
                self.insert(Node::Comment(text), at)?;
            }
            Event::CData(_) if self.open.is_empty() => {
                return Err(self.malformed(at, "a CDATA section stands outside the root"));
            }
            Event::CData(text) => {
                let text = spell::verbatim(&text).map_err(|what| self.malformed(at, what))?;
                self.insert(Node::CData(text), at)?;
            }
            Event::PI(instruction) => self.instruction(instruction.target(), instruction.content(), at)?,
            Event::Decl(declaration) if is_first => self.declaration(&declaration, at)?,
            Event::Decl(_) => return Err(self.malformed(at, "the XML declaration is not the very beginning")),
            Event::DocType(_) => return Err(self.doctype(at)),
            Event::Text(_) | Event::GeneralRef(_) | Event::Eof => {
                return Err(self.malformed(at, "`<` begins no markup"));
            }
        }
        let is_in_part = self.part.is_some() && self.open.len() == self.part_depth;
        Ok(if is_in_part { Next::Base64 } else { Next::Text })
    }

    /// Takes the text between two pieces of markup.
    ///
    /// # Errors
    /// The refusal that ends the reading.
    pub(super) fn text(&mut self, text: &str, at: Position) -> Result<(), Refusal> {
        self.begun = true;
        if self.open.is_empty() {
            let what = "text stands outside the root";
            return if is_blank(text) {
                Ok(())
            } else {
                Err(self.malformed(at, what))
            };
        }
        let text = spell::text(text).map_err(|what| self.malformed(at, what))?;
        self.insert(Node::Text(text), at)
    }

    /// The part whose base64 is coming in.
    pub(super) const fn part(&mut self) -> Option<&mut Intake> {
        self.part.as_mut()
    }

    /// What to say of a tag that has more attributes than any may have, and has not ended.
    pub(super) fn crowded(&self, piece: &str, at: Position) -> Refusal {
        let content = piece.strip_prefix('<').unwrap_or(piece);
        let name_end = content.find([' ', '\t', '\r', '\n', '/']).unwrap_or(content.len());
        let refusal = self.attributes(&BytesStart::from_content(content, name_end), at).err();
        refusal.unwrap_or_else(|| self.malformed(at, "a tag has quotes where none may stand"))
    }

    /// # Errors
    /// The refusal of a packet that ends too early.
    pub(super) fn finish(self, at: Position) -> Result<(Tree, Vec<Found>), Refusal> {
        if !self.open.is_empty() {
            return Err(self.malformed(at, "the packet ends inside this element"));
        }
        if !self.has_root {
            return Err(self.malformed(at, "the packet ends before its root element"));
        }
        Ok((self.tree, self.parts))
    }

    pub(super) fn doctype(&self, at: Position) -> Refusal {
        let what = format!("a DOCTYPE or another declaration of a DTD stands at {at}");
        Refusal::new(XML_DOCTYPE, self.path(), what, "send the packet without it")
    }

    pub(super) fn malformed(&self, at: Position, what: &str) -> Refusal {
        malformed(self.path(), at, what)
    }

    /// `behind` is the byte of the packet behind the tag.
    fn open(&mut self, tag: &BytesStart<'_>, at: Position, behind: u64) -> Result<(), Refusal> {
        if self.open.is_empty() && self.has_root {
            return Err(self.malformed(at, "a second root element begins"));
        }
        if self.open.len() >= DEPTH_MAX {
            let what = format!("elements stand more than {DEPTH_MAX} deep at {at}");
            return Err(Refusal::new(
                XML_TOO_DEEP,
                self.path(),
                what,
                "send a packet of QCVN 102",
            ));
        }
        self.count(at)?;
        let name = self.name(tag.name().0, at)?;
        let (attributes, namespaces) = self.attributes(tag, at)?;
        self.crowd(local(&name))?;
        self.spoil_part();
        self.has_root = true;
        let is_encoded = local(&name) == ENCODED;
        let children = Vec::new();
        let element = Element {
            name,
            attributes,
            children,
        };
        self.open.push(Open { element, namespaces });
        if is_encoded && self.part.is_none() {
            if self.parts.len() >= ATTACHMENTS_MAX {
                return Err(too_many_attachments(self.path()));
            }
            self.part = Some(Intake::new(behind));
            self.part_depth = self.open.len();
        }
        Ok(())
    }

    fn close(&mut self, name: &str, at: Position) -> Result<(), Refusal> {
        let depth = self.open.len();
        if self.open.last().is_none_or(|open| open.element.name != name) {
            return Err(self.malformed(at, "an end tag does not end the element begun last"));
        }
        let Some(mut open) = self.open.pop() else {
            return Ok(());
        };
        if self.part_depth == depth
            && let Some(part) = self.part.take()
        {
            let (index, cdata) = (self.parts.len(), part.is_section());
            open.element.children.push(Node::Part { index, cdata });
            self.parts.push(part.finish());
        }
        match self.open.last_mut() {
            Some(parent) => parent.element.children.push(Node::Element(open.element)),
            None => self.tree.root = open.element,
        }
        Ok(())
    }

    fn insert(&mut self, node: Node, at: Position) -> Result<(), Refusal> {
        self.count(at)?;
        self.spoil_part();
        match self.open.last_mut() {
            Some(open) => open.element.children.push(node),
            None if self.has_root => self.tree.after.push(node),
            None => self.tree.before.push(node),
        }
        Ok(())
    }

    /// Markup has come among base64.
    fn spoil_part(&mut self) {
        if let Some(part) = &mut self.part {
            part.spoil("is markup");
        }
    }

    fn count(&mut self, at: Position) -> Result<(), Refusal> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            let what = format!("elements, texts and comments are more than {NODES_MAX} at {at}");
            return Err(Refusal::new(
                XML_TOO_MANY_NODES,
                self.path(),
                what,
                "send it in several packets",
            ));
        }
        Ok(())
    }

    /// No more addressees and attachments than a message may have, before any of them is looked at.
    fn crowd(&self, name: &str) -> Result<(), Refusal> {
        let Some(parent) = self.open.last().map(|open| &open.element) else {
            return Ok(());
        };
        let (max, refusal): (_, fn(String) -> Refusal) = match (parent.local(), name) {
            ("MessageHeader", "To") => (ADDRESSEES_MAX, too_many_addressees),
            ("AttachmentEncoded", "Attachment") | ("edXMLManifest", "Reference") => {
                (ATTACHMENTS_MAX, too_many_attachments)
            }
            _ => return Ok(()),
        };
        if parent.elements().filter(|element| element.local() == name).count() >= max {
            return Err(refusal(self.path()));
        }
        Ok(())
    }

    fn name(&self, name: &str, at: Position) -> Result<String, Refusal> {
        if name.len() > NAME_BYTES_MAX {
            let what = format!("a name is longer than {NAME_BYTES_MAX} bytes at {at}");
            return Err(Refusal::new(
                XML_TEXT_TOO_LONG,
                self.path(),
                what,
                "send a packet of QCVN 102",
            ));
        }
        if !is_qualified_name(name) {
            return Err(self.malformed(at, "a name is none of XML"));
        }
        Ok(name.to_owned())
    }

    /// The attributes of a tag, and how many declarations of namespaces are in force inside it.
    fn attributes(&self, tag: &BytesStart<'_>, at: Position) -> Result<(Vec<(String, String)>, usize), Refusal> {
        let mut namespaces = self.open.last().map_or(0, |open| open.namespaces);
        let mut attributes = Vec::new();
        for attribute in tag.attributes() {
            let attribute =
                attribute.map_err(|_| self.malformed(at, "an attribute is not written as XML asks, or twice"))?;
            let name = self.name(attribute.key.0, at)?;
            namespaces += usize::from(name == "xmlns" || name.starts_with("xmlns:"));
            if namespaces > NAMESPACES_MAX {
                let what = format!("more than {NAMESPACES_MAX} declarations of namespaces are in force at {at}");
                return Err(Refusal::new(
                    XML_TOO_MANY_NAMESPACES,
                    self.path(),
                    what,
                    "declare each once",
                ));
            }
            if attributes.len() == ATTRIBUTES_MAX {
                let what = format!("an element has more than {ATTRIBUTES_MAX} attributes at {at}");
                return Err(Refusal::new(
                    XML_TOO_MANY_ATTRIBUTES,
                    self.path(),
                    what,
                    "send a packet of QCVN 102",
                ));
            }
            let value = spell::attribute(&attribute.value).map_err(|what| self.malformed(at, what))?;
            attributes.push((name, value));
        }
        if !is_spaced(tag.attributes_raw()) {
            return Err(self.malformed(at, "no blank stands between two attributes"));
        }
        Ok((attributes, namespaces))
    }

    fn instruction(&mut self, target: &str, content: &str, at: Position) -> Result<(), Refusal> {
        let target = self.name(target, at)?;
        if !is_name(&target) || target.eq_ignore_ascii_case("xml") {
            return Err(self.malformed(at, "a processing instruction has a name that none may have"));
        }
        let content = spell::verbatim(content.trim_start()).map_err(|what| self.malformed(at, what))?;
        self.insert(Node::Instruction { target, content }, at)
    }

    fn declaration(&self, declaration: &BytesDecl<'_>, at: Position) -> Result<(), Refusal> {
        let mut known = ["version", "encoding", "standalone"].into_iter();
        let content = BytesStart::from_content(&**declaration, 3);
        let attributes: Vec<_> = content
            .attributes()
            .take(4)
            .collect::<Result<_, _>>()
            .unwrap_or_default();
        if attributes.first().is_none_or(|first| first.key.0 != "version") || !is_spaced(content.attributes_raw()) {
            return Err(self.malformed(at, "the XML declaration is not written as XML asks"));
        }
        for attribute in attributes {
            let is_in_order = known.any(|name| name == attribute.key.0);
            match (attribute.key.0, &*attribute.value) {
                ("encoding", encoding) if encoding.eq_ignore_ascii_case("UTF-8") => {}
                ("encoding", _) => {
                    let what = format!("the XML declaration names another encoding than UTF-8 at {at}");
                    return Err(Refusal::new(CHARSET, "/", what, "send UTF-8 and say so"));
                }
                ("version", "1.0") | ("standalone", "yes" | "no") if is_in_order => {}
                _ => return Err(self.malformed(at, "the XML declaration is not that of XML 1.0")),
            }
        }
        Ok(())
    }

    /// Where the reading is; an index as far as elements of the same name have come.
    pub(super) fn path(&self) -> String {
        let mut path = String::new();
        let mut parent: Option<&Element> = None;
        for open in self.open.iter().take(PATH_LEVELS_MAX) {
            let name = open.element.local();
            let before = parent.map_or(0, |parent| {
                parent.elements().filter(|other| other.local() == name).count()
            });
            path.push('/');
            path.push_str(&step(name, before == 0, before + 1));
            parent = Some(&open.element);
        }
        if self.open.len() > PATH_LEVELS_MAX {
            path.push_str("/...");
        }
        if path.is_empty() { "/".to_owned() } else { path }
    }
}

/// Does a blank stand behind every quoted value but the last? quick-xml does not ask for it, XML does.
fn is_spaced(attributes: &str) -> bool {
    let mut quote = None;
    let mut must_be_blank = false;
    for letter in attributes.chars() {
        if must_be_blank && !matches!(letter, ' ' | '\t' | '\r' | '\n') {
            return false;
        }
        must_be_blank = false;
        match quote {
            None => quote = Some(letter).filter(|letter| matches!(letter, '"' | '\'')),
            Some(open) if open == letter => {
                quote = None;
                must_be_blank = true;
            }
            Some(_) => {}
        }
    }
    true
}

/// What is wrong, without the words of the packet that quick-xml's own texts repeat.
fn explain(error: &quick_xml::Error) -> &'static str {
    if matches!(
        error,
        quick_xml::Error::IllFormed(IllFormedError::DoubleHyphenInComment)
    ) {
        "a comment holds `--`"
    } else {
        "a tag, comment, section or instruction is not written as XML asks"
    }
}

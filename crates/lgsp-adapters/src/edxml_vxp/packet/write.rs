//! Writes a packet as XML again: what is read of it is what was read before, down to comments and the order of attributes.

use std::io::{self, Read, Seek, SeekFrom, Write};

use super::Part;
use super::tree::{Element, Node, Tree};

/// Writes the tree; the base64 of the parts is copied from the original.
///
/// # Errors
/// Reading or writing failed, or the original ends inside a part: it is another one.
pub(super) fn write(
    tree: &Tree,
    parts: &[Part],
    original: &mut (impl Read + Seek),
    out: &mut impl Write,
) -> io::Result<()> {
    let mut pen = Pen { parts, original, out };
    pen.out.write_all(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")?;
    for node in &tree.before {
        pen.node(node)?;
        pen.out.write_all(b"\n")?;
    }
    pen.element(&tree.root)?;
    pen.out.write_all(b"\n")?;
    for node in &tree.after {
        pen.node(node)?;
        pen.out.write_all(b"\n")?;
    }
    pen.out.flush()
}

struct Pen<'a, R, W> {
    parts: &'a [Part],
    original: &'a mut R,
    out: &'a mut W,
}

impl<R: Read + Seek, W: Write> Pen<'_, R, W> {
    /// As deep as the tree, which `DEPTH_MAX` bounds.
    fn element(&mut self, element: &Element) -> io::Result<()> {
        write!(self.out, "<{}", element.name)?;
        for (name, value) in &element.attributes {
            write!(self.out, " {name}=\"{}\"", escaped(value, true))?;
        }
        if element.children.is_empty() {
            return self.out.write_all(b"/>");
        }
        self.out.write_all(b">")?;
        for child in &element.children {
            self.node(child)?;
        }
        write!(self.out, "</{}>", element.name)
    }

    fn node(&mut self, node: &Node) -> io::Result<()> {
        match node {
            Node::Element(element) => self.element(element),
            Node::Text(text) => self.out.write_all(escaped(text, false).as_bytes()),
            Node::CData(text) => write!(self.out, "<![CDATA[{text}]]>"),
            Node::Comment(text) => write!(self.out, "<!--{text}-->"),
            Node::Instruction { target, content } if content.is_empty() => write!(self.out, "<?{target}?>"),
            Node::Instruction { target, content } => write!(self.out, "<?{target} {content}?>"),
            Node::Part { index, cdata: false } => self.part(*index),
            Node::Part { index, cdata: true } => {
                self.out.write_all(b"<![CDATA[")?;
                self.part(*index)?;
                self.out.write_all(b"]]>")
            }
        }
    }

    fn part(&mut self, index: usize) -> io::Result<()> {
        let Some(part) = self.parts.get(index) else {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        };
        self.original.seek(SeekFrom::Start(part.range.start))?;
        let length = part.range.end - part.range.start;
        let copied = io::copy(&mut (&mut *self.original).take(length), self.out)?;
        if copied == length {
            Ok(())
        } else {
            Err(io::Error::from(io::ErrorKind::UnexpectedEof))
        }
    }
}

/// Text that reads back as it is: what XML would change or take for markup becomes a reference.
fn escaped(text: &str, in_attribute: bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' if in_attribute => escaped.push_str("&quot;"),
            '\r' => escaped.push_str("&#13;"),
            '\t' if in_attribute => escaped.push_str("&#9;"),
            '\n' if in_attribute => escaped.push_str("&#10;"),
            plain => escaped.push(plain),
        }
    }
    escaped
}

//! JDOM's pretty format: two blanks of indent, CR LF, trimmed text, `<x />` for what is empty.

use std::io::{self, Write};

/// The one namespace of a packet. Source: QCVN 102:2016/BTTTT.
pub(super) const NAMESPACE: &str = "http://www.mic.gov.vn/TBT/QCVN_102_2016";

/// Writes elements in order and keeps count of the indent.
pub(super) struct Xml<'a> {
    out: &'a mut dyn Write,
    open: Vec<String>,
}

impl<'a> Xml<'a> {
    pub(super) fn new(out: &'a mut dyn Write) -> Self {
        Self { out, open: Vec::new() }
    }

    pub(super) fn declaration(&mut self) -> io::Result<()> {
        self.out.write_all(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n")
    }

    /// Opens an element; `attributes` is text for after the name, escaped by the caller.
    pub(super) fn open(&mut self, name: &str, attributes: &str) -> io::Result<()> {
        self.indent()?;
        write!(self.out, "<{name}{attributes}>\r\n")?;
        self.open.push(name.to_owned());
        Ok(())
    }

    pub(super) fn close(&mut self) -> io::Result<()> {
        let name = self.open.pop().unwrap_or_default();
        self.indent()?;
        write!(self.out, "</{name}>\r\n")
    }

    /// An element with text; left out when nothing is left of the text.
    pub(super) fn text(&mut self, name: &str, text: &str) -> io::Result<()> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(());
        }
        self.indent()?;
        write!(self.out, "<{name}>{}</{name}>\r\n", escaped(text))
    }

    /// An element whose text is streamed by `write` and needs no escaping; `<x />` when `is_empty`.
    pub(super) fn streamed(
        &mut self,
        (name, attributes): (&str, &str),
        is_empty: bool,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        self.indent()?;
        if is_empty {
            return write!(self.out, "<{name}{attributes} />\r\n");
        }
        write!(self.out, "<{name}{attributes}>")?;
        write(self.out)?;
        write!(self.out, "</{name}>\r\n")
    }

    fn indent(&mut self) -> io::Result<()> {
        for _ in &self.open {
            self.out.write_all(b"  ")?;
        }
        Ok(())
    }
}

fn escaped(text: &str) -> String {
    let mut xml = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '\r' => xml.push_str("&#xD;"),
            '\n' => xml.push_str("\r\n"),
            plain => xml.push(plain),
        }
    }
    xml
}

//! The attachments of a packet: which go raw, which zipped, and their base64.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use base64::engine::general_purpose::STANDARD;
use base64::write::EncoderWriter;

use super::wrapped::Wrapped;
use super::xml::{NAMESPACE, Xml};
use super::zipped::{self, Zipped};

/// Where an attachment's bytes come from.
#[derive(Clone, Debug)]
pub enum Content {
    Bytes(Vec<u8>),
    File(PathBuf),
}

impl Content {
    pub(super) fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(match self {
            Self::Bytes(bytes) => Box::new(bytes.as_slice()),
            Self::File(path) => Box::new(File::open(path)?),
        })
    }

    fn is_empty(&self) -> io::Result<bool> {
        Ok(match self {
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::File(path) => path.metadata()?.len() == 0,
        })
    }
}

/// How the bytes stand in the packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packing {
    /// By the extension of the name: pdf, doc, docx, zip (and the library's misspelt xsl, xslx) raw, all others zipped.
    ByName,
    /// Raw, with this `ContentType`.
    Raw(String),
}

/// How base64 is broken into lines; the library writes one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Base64Lines {
    #[default]
    One,
    /// 76 letters, then CR LF.
    Columns76,
}

/// One attachment.
#[derive(Clone, Debug)]
pub struct Attachment {
    /// Without `cid:`.
    pub id: String,
    pub name: String,
    /// Left out when empty.
    pub description: String,
    pub content: Content,
    pub packing: Packing,
}

impl Attachment {
    /// An attachment packed by its name, described by its name.
    #[must_use]
    pub fn new(id: &str, name: &str, content: Content) -> Self {
        let (id, name) = (id.to_owned(), name.to_owned());
        Self {
            id,
            description: name.clone(),
            name,
            content,
            packing: Packing::ByName,
        }
    }

    fn extension(&self) -> Option<String> {
        Path::new(&self.name)
            .extension()
            .map(|extension| extension.to_string_lossy().to_lowercase())
    }

    /// The content type of what goes raw; `None`: it is zipped.
    fn raw_type(&self) -> Option<String> {
        match &self.packing {
            Packing::Raw(content_type) => Some(content_type.clone()),
            Packing::ByName => self
                .extension()
                .filter(|extension| ["pdf", "doc", "docx", "zip", "xsl", "xslx"].contains(&extension.as_str()))
                .map(|extension| format!("application/{extension}")),
        }
    }
}

pub(super) fn write_attachments(attachments: &[Attachment], lines: Base64Lines, xml: &mut Xml<'_>) -> io::Result<()> {
    xml.open("AttachmentEncoded", "")?;
    for attachment in attachments {
        xml.open("Attachment", "")?;
        xml.text("ContentId", &format!("cid:{}", attachment.id))?;
        xml.text("AttachmentName", &attachment.name)?;
        xml.text("Description", &attachment.description)?;
        let raw_type = attachment.raw_type();
        xml.text("ContentType", raw_type.as_deref().unwrap_or("application/zip"))?;
        let element = (
            "edXML:ContentTransferEncoded",
            &*format!(" xmlns:edXML=\"{NAMESPACE}\""),
        );
        let is_empty = raw_type.is_some() && attachment.content.is_empty()?;
        xml.streamed(element, is_empty, |out| match lines {
            Base64Lines::One => encoded(attachment, raw_type.is_some(), out),
            Base64Lines::Columns76 => encoded(attachment, raw_type.is_some(), &mut Wrapped::new(out)),
        })?;
        xml.close()?;
    }
    xml.close()
}

fn encoded(attachment: &Attachment, raw: bool, out: &mut dyn Write) -> io::Result<()> {
    let mut encoder = EncoderWriter::new(out, &STANDARD);
    let mut content = attachment.content.open()?;
    if raw {
        io::copy(&mut content, &mut encoder)?;
    } else {
        let entry = entry_name(attachment);
        let zipped = Zipped {
            name: &entry,
            checked: zipped::check(&mut attachment.content.open()?)?,
        };
        zipped.write(&mut content, &mut encoder)?;
    }
    encoder.finish().map(drop)
}

/// `<uuid>.<extension>`: the library's is random, ours comes from id and name, so that a packet can be written again.
fn entry_name(attachment: &Attachment) -> String {
    let text = format!("{}\n{}", attachment.id, attachment.name);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    let mut uuid = String::new();
    for (index, byte) in digest.as_ref().iter().take(16).enumerate() {
        if [4, 6, 8, 10].contains(&index) {
            uuid.push('-');
        }
        uuid.push_str(&format!("{byte:02x}"));
    }
    format!("{uuid}.{}", attachment.extension().unwrap_or_else(|| "unk".to_owned()))
}

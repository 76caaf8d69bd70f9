//! Manifest and attachments: they must pair one to one, have names that harm nobody, and hold base64.
//!
//! Source: vietnam.md 1.10, 1.16 V6; vxp-wire.md 8.2.

use lgsp_types::ATTACHMENTS_MAX;

use super::Part;
use super::findings::{Findings, Reported};
use super::limits::{ATTACHMENT_NAME_BYTES_MAX, MEDIA_TYPE_BYTES_MAX};
use super::names;
use super::part::Found;
use super::place::{Place, Word};
use super::reason::{
    ATTACHMENT_BASE64, ATTACHMENT_DUPLICATE, ATTACHMENT_MISSING, ATTACHMENT_NAME, ATTACHMENT_UNREFERENCED,
    ATTACHMENT_ZIP, FIELD_MISSING, too_many_attachments,
};
use super::tree::Node;
use super::zip::Report;

/// # Errors
/// Reported.
pub(super) fn read(
    root: &Place<'_>,
    envelope: &Place<'_>,
    parts: &[Found],
    findings: &mut Findings,
) -> Result<Vec<Part>, Reported> {
    let body = envelope.only("edXMLBody", findings);
    let manifest = body.and_then(|body| body.only("edXMLManifest", findings));
    let references = manifest.map(|manifest| manifest.all("Reference")).unwrap_or_default();
    let encoded = root.only("AttachmentEncoded", findings);
    let attachments = encoded.map(|encoded| encoded.all("Attachment")).unwrap_or_default();
    for crowd in [&references, &attachments] {
        if let Some(beyond) = crowd.get(ATTACHMENTS_MAX) {
            return Err(findings.add(too_many_attachments(&beyond.path)));
        }
    }
    let mut claimed = vec![false; parts.len()];
    let read: Vec<Result<Part, Reported>> = attachments
        .iter()
        .map(|attachment| part(attachment, parts, &mut claimed, findings))
        .collect();
    pair(&references, &attachments, findings);
    unclaimed(root, &claimed, findings);
    read.into_iter().collect()
}

fn part(place: &Place<'_>, parts: &[Found], claimed: &mut [bool], findings: &mut Findings) -> Result<Part, Reported> {
    let content = content(place, parts, claimed, findings);
    let content_id = content_id(place, findings);
    let content_id = content_id.and_then(|id| id.ok_or_else(|| place.missing("ContentId", findings)));
    let name = name(place, findings);
    let name = name.and_then(|name| name.ok_or_else(|| unnamed(place, findings)));
    let media_type = media_type(place, findings);
    let description = place.line("Description", findings);
    let (found, path) = content?;
    if let Some(junk) = &found.junk {
        let what = format!(
            "letter {} of its base64, blanks not counted, {}",
            junk.letter, junk.what
        );
        return Err(findings.report(
            ATTACHMENT_BASE64,
            &path,
            what,
            "encode the file as padded standard base64",
        ));
    }
    let (name, media_type) = (name?, media_type?);
    zip(&found.zip, media_type.as_deref(), &name, &path, findings);
    Ok(Part {
        content_id: content_id?.text,
        name,
        description,
        media_type: media_type.unwrap_or_else(|| "application/octet-stream".to_owned()),
        range: found.range.clone(),
        size_bytes: found.size_bytes,
        digest: found.digest,
    })
}

/// The id without `cid:`, however often it stands there; a reference may have it as `xlink:href` instead.
fn content_id(place: &Place<'_>, findings: &mut Findings) -> Result<Option<Word>, Reported> {
    let word = place.word("ContentId", findings)?.or_else(|| {
        let attributes = &place.element.attributes;
        let (_, href) = attributes.iter().find(|(name, _)| names::local(name) == "href")?;
        let (text, path) = (href.trim().to_owned(), place.path.clone());
        Some(Word { text, path })
    });
    let bare = word.map(|mut word| {
        while let Some(rest) = word.text.strip_prefix("cid:") {
            word.text = rest.trim_start().to_owned();
        }
        word
    });
    Ok(bare.filter(|word| !word.text.is_empty()))
}

/// A name under which a receiver can store the file without harm.
fn name(place: &Place<'_>, findings: &mut Findings) -> Result<Option<String>, Reported> {
    let Some(given) = place.only("AttachmentName", findings) else {
        return Ok(None);
    };
    let name = given.element.text().trim().to_owned();
    let is_unseen = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
    };
    let what = if name.is_empty() {
        return Ok(None);
    } else if name.len() > ATTACHMENT_NAME_BYTES_MAX {
        "is longer than 255 bytes"
    } else if name.contains(['/', '\\']) {
        "has `/` or `\\` in it"
    } else if name == "." || name == ".." {
        "is the name of a folder"
    } else if name.contains(is_unseen) {
        "has a control character in it, or one that turns the direction of writing"
    } else {
        return Ok(Some(name));
    };
    Err(findings.report(ATTACHMENT_NAME, &given.path, what, "give the file a plain name"))
}

fn unnamed(place: &Place<'_>, findings: &mut Findings) -> Reported {
    let path = format!("{}/AttachmentName", place.path);
    findings.report(ATTACHMENT_NAME, &path, "is missing or empty", "give the file a name")
}

fn media_type(place: &Place<'_>, findings: &mut Findings) -> Result<Option<String>, Reported> {
    let Some(word) = place.word("ContentType", findings)? else {
        return Ok(None);
    };
    if word.text.len() > MEDIA_TYPE_BYTES_MAX {
        return Err(word.too_long(MEDIA_TYPE_BYTES_MAX, "bytes", findings));
    }
    if !word.text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err(word.invalid("is no media type", "write one such as application/pdf", findings));
    }
    Ok(Some(word.text))
}

/// The one encoded text of an attachment, and its path.
fn content<'a>(
    place: &Place<'_>,
    parts: &'a [Found],
    claimed: &mut [bool],
    findings: &mut Findings,
) -> Result<(&'a Found, String), Reported> {
    let mut contents = place.all("ContentTransferEncoded").into_iter().filter_map(|content| {
        let index = content.element.children.iter().find_map(part_index)?;
        if let Some(claimed) = claimed.get_mut(index) {
            *claimed = true;
        }
        parts.get(index).map(|found| (found, content.path))
    });
    let first = contents.next();
    for (_, path) in contents {
        findings.report(
            ATTACHMENT_DUPLICATE,
            &path,
            "is a second content of one attachment",
            "send one",
        );
    }
    first.ok_or_else(|| {
        let path = format!("{}/ContentTransferEncoded", place.path);
        findings.report(
            FIELD_MISSING,
            &path,
            "is missing",
            "send the file, or leave the attachment out",
        )
    })
}

fn part_index(node: &Node) -> Option<usize> {
    match node {
        Node::Part { index, .. } => Some(*index),
        Node::Element(_) | Node::Text(_) | Node::CData(_) | Node::Comment(_) | Node::Instruction { .. } => None,
    }
}

/// What a receiver's library unpacks must be a zip of flat names; what stays a zip must lead nowhere. A zip inside
/// another format, such as a word processor's, is no zip here. Source: vxp-wire.md 8.2.
fn zip(report: &Report, media_type: Option<&str>, name: &str, path: &str, findings: &mut Findings) {
    let zips = ["application/zip", "application/x-zip-compressed", "application/x-zip"];
    let is_called_zip = media_type.is_some_and(|given| zips.iter().any(|zip| zip.eq_ignore_ascii_case(given)));
    let is_taken_for_zip = is_called_zip || media_type.is_none();
    let is_kept = name.ends_with(".zip");
    let what = match (report.escape, report.folder) {
        _ if !report.is_zip && is_called_zip && !is_kept => "the file is called a zip and is none".to_owned(),
        _ if !report.is_zip => return,
        (Some((number, how)), _) => format!("entry {number} of the zip {how}"),
        (None, Some(number)) if is_taken_for_zip && !is_kept => format!("entry {number} of the zip stands in a folder"),
        _ if is_taken_for_zip && !report.has_directory => "the zip has no sound directory at its end".to_owned(),
        _ => return,
    };
    findings.report(ATTACHMENT_ZIP, path, what, "pack the file anew, under a plain name");
}

/// Every reference has one attachment, and the other way round.
fn pair(references: &[Place<'_>], attachments: &[Place<'_>], findings: &mut Findings) {
    for place in references {
        if let Ok(None) = content_id(place, findings) {
            place.missing("ContentId", findings);
        }
        // A reference may do without a name; what is wrong with one is reported.
        drop(name(place, findings));
    }
    let (referenced, attached) = (ids(references), ids(attachments));
    for (index, id) in doubled(&referenced).chain(doubled(&attached)) {
        let what = format!("names the same file as number {} of its kind", index + 1);
        findings.report(ATTACHMENT_DUPLICATE, &id.path, what, "give each file an id of its own");
    }
    for id in lacking(&referenced, &attached) {
        findings.report(
            ATTACHMENT_MISSING,
            &id.path,
            "no attachment has this id",
            "send the file too",
        );
    }
    for id in lacking(&attached, &referenced) {
        let what = "no reference of the manifest has this id";
        findings.report(ATTACHMENT_UNREFERENCED, &id.path, what, "list the file in the manifest");
    }
}

/// The ids there are, each with the path of its element; what is wrong with others is said elsewhere.
fn ids(places: &[Place<'_>]) -> Vec<Word> {
    let mut said = Findings::default();
    let ids = places.iter().filter_map(|place| {
        let text = content_id(place, &mut said).ok().flatten()?.text;
        let path = place.path.clone();
        Some(Word { text, path })
    });
    ids.collect()
}

/// Those that stood before, and where first.
fn doubled(ids: &[Word]) -> impl Iterator<Item = (usize, &Word)> {
    ids.iter().enumerate().filter_map(|(index, id)| {
        let first = ids.iter().position(|other| other.text == id.text)?;
        (first < index).then_some((first, id))
    })
}

fn lacking<'a>(ids: &'a [Word], others: &'a [Word]) -> impl Iterator<Item = &'a Word> {
    ids.iter().filter(|id| others.iter().all(|other| other.text != id.text))
}

/// Base64 that belongs to no attachment would travel unseen.
fn unclaimed(root: &Place<'_>, claimed: &[bool], findings: &mut Findings) {
    if claimed.iter().all(|claimed| *claimed) {
        return;
    }
    let mut left: Vec<Place<'_>> = vec![root.clone()];
    while let Some(place) = left.pop() {
        let index = place.element.children.iter().find_map(part_index);
        if index
            .and_then(|index| claimed.get(index))
            .is_some_and(|claimed| !claimed)
        {
            let what = "stands where no attachment is";
            findings.report(
                ATTACHMENT_UNREFERENCED,
                &place.path,
                what,
                "put it under AttachmentEncoded/Attachment",
            );
        }
        let mut inside = place.inside();
        inside.reverse();
        left.append(&mut inside);
    }
}

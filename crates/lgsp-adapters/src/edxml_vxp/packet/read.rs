//! From the tree to what it says: finds the envelope, tells documents from statuses, and gathers every finding.

use lgsp_types::{DocumentDate, Refusal};

use super::attachments;
use super::findings::{Findings, Reported};
use super::header::{Header, Organ};
use super::part::Found;
use super::place::Place;
use super::reason::{EDXML_ENVELOPE_MISSING, FIELD_INVALID};
use super::tree::{Element, Tree};
use super::{Part, document, names, status};

/// The one namespace of a packet. Source: QCVN 102:2016/BTTTT.
const NAMESPACE: &str = "http://www.mic.gov.vn/TBT/QCVN_102_2016";

/// What a packet says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) header: Header,
    pub(super) parts: Vec<Part>,
}

/// Reads the whole packet. `today` is for dates that lie ahead; none: whoever read it first has checked them.
///
/// # Errors
/// Everything that is wrong; at least one.
pub(super) fn read(tree: &Tree, parts: &[Found], today: Option<DocumentDate>) -> Result<Content, Vec<Refusal>> {
    let mut findings = Findings::default();
    let root = Place::root(&tree.root);
    let envelope = envelope(&root, &mut findings);
    let header = envelope
        .as_ref()
        .map_err(|reported| *reported)
        .and_then(|envelope| header(envelope, today, &mut findings));
    // Without an envelope there is no manifest to hold the attachments against.
    let attached = match &envelope {
        Ok(envelope) => attachments::read(&root, envelope, parts, &mut findings),
        Err(reported) => Err(*reported),
    };
    findings.conclude(header.and_then(|header| {
        Ok(Content {
            header,
            parts: attached?,
        })
    }))
}

/// The root may have any name; its child must have the name and the namespace.
fn envelope<'a>(root: &Place<'a>, findings: &mut Findings) -> Result<Place<'a>, Reported> {
    let mut found = root
        .all("edXMLEnvelope")
        .into_iter()
        .filter(|place| namespace(place.element, root.element) == Some(NAMESPACE));
    let first = found.next().ok_or_else(|| missing(root, findings))?;
    match found.next() {
        Some(second) => Err(findings.report(FIELD_INVALID, &second.path, "stands twice", "send one envelope")),
        None => Ok(first),
    }
}

fn missing(root: &Place<'_>, findings: &mut Findings) -> Reported {
    let path = format!("{}/edXMLEnvelope", root.path);
    let what = format!("the root has no child of this name in the namespace {NAMESPACE}");
    findings.report(EDXML_ENVELOPE_MISSING, &path, what, "send a packet of QCVN 102")
}

/// The namespace of a child of the root.
fn namespace<'a>(element: &'a Element, root: &'a Element) -> Option<&'a str> {
    let declaration = match names::prefix(&element.name) {
        "" => "xmlns".to_owned(),
        prefix => format!("xmlns:{prefix}"),
    };
    element.attribute(&declaration).or_else(|| root.attribute(&declaration))
}

/// A status is what has a `StatusCode` or a `Timestamp` in its header; documents have neither.
fn header(envelope: &Place<'_>, today: Option<DocumentDate>, findings: &mut Findings) -> Result<Header, Reported> {
    let outer = envelope.only("edXMLHeader", findings).ok_or_else(|| {
        let path = format!("{}/edXMLHeader", envelope.path);
        findings.report(
            EDXML_ENVELOPE_MISSING,
            &path,
            "the envelope has no header",
            "send a packet of QCVN 102",
        )
    })?;
    let header = outer.needed("MessageHeader", findings)?;
    let is_status = header
        .element
        .elements()
        .any(|element| matches!(element.local(), "StatusCode" | "Timestamp"));
    if is_status {
        return status::read(&header, today, findings).map(|status| Header::Status(Box::new(status)));
    }
    document::read(&header, &outer, today, findings).map(|document| Header::Document(Box::new(document)))
}

/// An organisation; its code must be there.
pub(super) fn organ(place: &Place<'_>, findings: &mut Findings) -> Result<Organ, Reported> {
    let code = place.needed("OrganId", findings)?;
    let organ = code.own_agency(findings)?;
    Ok(Organ {
        code: organ.ok_or_else(|| place.missing("OrganId", findings))?,
        name: place.line("OrganName", findings),
        in_charge: place.line("OrganizationInCharge", findings),
        address: place.line("OrganAdd", findings),
        email: place.line("Email", findings),
        telephone: place.line("Telephone", findings),
        fax: place.line("Fax", findings),
        website: place.line("Website", findings),
        path: code.path,
    })
}

/// A day that lies more than one day ahead of today is a slip of the pen. Source: vietnam.md 1.16, V5.
pub(super) fn not_ahead(path: &str, day: DocumentDate, today: Option<DocumentDate>, findings: &mut Findings) {
    if today.is_some_and(|today| day > today.tomorrow()) {
        let what = "lies more than a day ahead of today";
        findings.report(FIELD_INVALID, path, what, "correct the date, or the clock");
    }
}

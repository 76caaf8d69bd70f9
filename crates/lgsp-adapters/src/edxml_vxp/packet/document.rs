//! The header of a document packet. Source: vietnam.md 1.3 to 1.9.

use lgsp_types::{ADDRESSEES_MAX, DocumentDate, DocumentNumber, Notation};

use super::findings::{Findings, Reported};
use super::header::{
    Business, Code, Document, DocumentType, Organ, OtherInformation, Promulgation, Receiver, Reference, Replaced,
    Signer, Staff,
};
use super::limits::CODE_BYTES_MAX;
use super::place::Place;
use super::read::{not_ahead, organ};
use super::reason::{FIELD_INVALID, FIELD_MISSING, FIELD_TOO_LONG, too_many_addressees};

/// `header` is the `MessageHeader`, `outer` the `edXMLHeader` around it.
///
/// # Errors
/// Reported.
pub(super) fn read(
    header: &Place<'_>,
    outer: &Place<'_>,
    today: Option<DocumentDate>,
    findings: &mut Findings,
) -> Result<Document, Reported> {
    let from = header.needed("From", findings).and_then(|from| organ(&from, findings));
    let to = addressees(header, findings);
    let code = code(header, findings);
    let promulgation = promulgation(header, today, findings);
    let other = header.only("OtherInfo", findings);
    let (priority, other) = other
        .map(|other| other_information(&other, findings))
        .unwrap_or_default();
    let document_type = header
        .only("DocumentType", findings)
        .map(|place| document_type(&place, findings));
    let signer = header
        .only("SignerInfo", findings)
        .map(|place| signer(&place, findings));
    let business = business(outer, findings);
    let subject = header.prose("Subject", findings);
    let content = header.prose("Content", findings);
    let due = header.day("DueDate", findings);
    let steering_type = steering_type(header, findings);
    let to_places = header
        .only("ToPlaces", findings)
        .map(|place| lines(&place, "Place", findings));
    let response_for = header.list("ResponseFor", findings);
    let response_for = response_for
        .iter()
        .filter_map(|place| reference(place, findings))
        .collect();
    let id = id(header, from.as_ref().ok(), &code, &promulgation, findings);
    Ok(Document {
        id: id?,
        code,
        promulgation,
        document_type: document_type.unwrap_or_default(),
        subject,
        content,
        signer: signer.unwrap_or_default(),
        due,
        priority,
        other,
        steering_type,
        from: from?,
        to: to?,
        to_places: to_places.unwrap_or_default(),
        response_for,
        business: business?,
    })
}

fn addressees(header: &Place<'_>, findings: &mut Findings) -> Result<Vec<Organ>, Reported> {
    let to = header.all("To");
    if to.is_empty() {
        return Err(header.missing("To", findings));
    }
    if let Some(beyond) = to.get(ADDRESSEES_MAX) {
        return Err(findings.add(too_many_addressees(&beyond.path)));
    }
    // Every one is looked at, so that every wrong one is named.
    let organs: Vec<Result<Organ, Reported>> = to.iter().map(|to| organ(to, findings)).collect();
    organs.into_iter().collect()
}

fn code(header: &Place<'_>, findings: &mut Findings) -> Code {
    let Some(place) = header.only("Code", findings) else {
        return Code::default();
    };
    let number = place.word("CodeNumber", findings).ok().flatten();
    let notation = place.word("CodeNotation", findings).ok().flatten();
    let code = Code {
        number: number.and_then(|word| word.part_of_code(DocumentNumber::parse, findings)),
        notation: notation.and_then(|word| word.part_of_code(Notation::parse, findings)),
    };
    // Letters with many marks can make a short notation long, and ids are made of codes.
    if code.joined().is_some_and(|joined| joined.len() > CODE_BYTES_MAX) {
        let what = format!("is longer than {CODE_BYTES_MAX} bytes");
        findings.report(FIELD_TOO_LONG, &place.path, what, "shorten it");
    }
    code
}

fn promulgation(header: &Place<'_>, today: Option<DocumentDate>, findings: &mut Findings) -> Promulgation {
    let Some(place) = header.only("PromulgationInfo", findings) else {
        return Promulgation::default();
    };
    let date = place.day("PromulgationDate", findings);
    if let Some(date) = date {
        not_ahead(&format!("{}/PromulgationDate", place.path), date, today, findings);
    }
    Promulgation {
        place: place.line("Place", findings),
        date,
    }
}

/// The document's id; if it is missing, organ, date and code joined. Source: vietnam.md 1.9, exchange.md 5.3.
fn id(
    header: &Place<'_>,
    from: Option<&Organ>,
    code: &Code,
    promulgation: &Promulgation,
    findings: &mut Findings,
) -> Result<String, Reported> {
    if let Some(id) = header.word("DocumentId", findings)? {
        return Ok(id.text);
    }
    match (from, promulgation.date, code.joined()) {
        (Some(from), Some(date), Some(code)) => Ok(format!("{},{date},{code}", from.code)),
        _ => {
            let path = format!("{}/DocumentId", header.path);
            let what = "is missing, and organ, date and code do not make up for it";
            Err(findings.report(FIELD_MISSING, &path, what, "fill it in"))
        }
    }
}

fn document_type(place: &Place<'_>, findings: &mut Findings) -> DocumentType {
    DocumentType {
        code: place.word_text("Type", findings),
        detail: place.word_text("TypeDetail", findings),
        name: place.line("TypeName", findings),
    }
}

fn signer(place: &Place<'_>, findings: &mut Findings) -> Signer {
    Signer {
        competence: place.line("Competence", findings),
        position: place.line("Position", findings),
        full_name: place.line("FullName", findings),
    }
}

fn other_information(place: &Place<'_>, findings: &mut Findings) -> (Option<String>, OtherInformation) {
    let appendixes = place
        .only("Appendixes", findings)
        .map(|place| lines(&place, "Appendix", findings));
    let other = OtherInformation {
        sphere: place.line("SphereOfPromulgation", findings),
        typist: place.line("TyperNotation", findings),
        copies: place.word_text("PromulgationAmount", findings),
        pages: place.word_text("PageAmount", findings),
        direction: place.word_text("Direction", findings),
        appendixes: appendixes.unwrap_or_default(),
    };
    (place.word_text("Priority", findings), other)
}

/// Absent, or an integer and nothing beside it: with anything else the vendor's reader drops the whole packet.
fn steering_type(header: &Place<'_>, findings: &mut Findings) -> Option<i32> {
    let place = header.only("SteeringType", findings)?;
    match place.element.text().parse() {
        Ok(number) => Some(number),
        Err(_) => {
            let mend = "write an integer without blanks, or leave the element out";
            findings.report(FIELD_INVALID, &place.path, "is no integer", mend);
            None
        }
    }
}

/// What is answered; none if everything in it is empty, as some vendors send it.
pub(super) fn reference(place: &Place<'_>, findings: &mut Findings) -> Option<Reference> {
    if place.is_empty() {
        return None;
    }
    Some(Reference {
        organ: place.agency("OrganId", findings),
        code: place.word_text("Code", findings),
        date: place.day("PromulgationDate", findings),
        id: place.word_text("DocumentId", findings),
        organ_path: format!("{}/OrganId", place.path),
    })
}

pub(super) fn staff(place: &Place<'_>, findings: &mut Findings) -> Staff {
    let Some(place) = place.only("StaffInfo", findings) else {
        return Staff::default();
    };
    Staff {
        department: place.line("Department", findings),
        staff: place.line("Staff", findings),
        email: place.line("Email", findings),
        mobile: place.line("Mobile", findings),
    }
}

/// The real spelling has a double s; a single one is read as well. Source: vietnam.md 1.4.
fn business(outer: &Place<'_>, findings: &mut Findings) -> Result<Business, Reported> {
    let list = outer.only("TraceHeaderList", findings);
    let Some(place) = list.and_then(|list| list.only_of(&["Bussiness", "Business"], findings)) else {
        return Ok(Business::default());
    };
    let kind = kind(&place, findings);
    let reason = place.only_of(&["BussinessDocReason", "BusinessDocReason"], findings);
    let changes = place.only_of(&["BussinessDocumentInfo", "BusinessDocumentInfo"], findings);
    let receivers = changes.and_then(|changes| changes.only("ReceiverList", findings));
    let receivers = receivers.map_or(Ok(Vec::new()), |list| receivers_of(&list, findings));
    let replaces = place.only("ReplacementInfoList", findings);
    let replaces = replaces.map_or(Ok(Vec::new()), |list| replaced(&list, findings));
    Ok(Business {
        kind: kind?,
        document_id: place.word_text("DocumentId", findings),
        reason: reason.and_then(|reason| reason.own_prose(findings)),
        paper: place.word_text("Paper", findings),
        receivers: receivers?,
        replaces: replaces?,
        staff: staff(&place, findings),
    })
}

fn kind(place: &Place<'_>, findings: &mut Findings) -> Result<u8, Reported> {
    let kind = place.only_of(&["BussinessDocType", "BusinessDocType"], findings);
    let Some(word) = kind.map_or(Ok(None), |kind| kind.own_word(findings))? else {
        return Ok(0);
    };
    match word.text.as_str() {
        "0" => Ok(0),
        "1" => Ok(1),
        "2" => Ok(2),
        "3" => Ok(3),
        _ => Err(word.invalid(
            "is none of 0 to 3",
            "write 0 new, 1 revocation, 2 update or 3 replacement",
            findings,
        )),
    }
}

fn receivers_of(list: &Place<'_>, findings: &mut Findings) -> Result<Vec<Receiver>, Reported> {
    let mut receivers = Vec::new();
    for place in list.list("Receiver", findings).iter().filter(|place| !place.is_empty()) {
        let organ = place
            .needed("OrganId", findings)
            .and_then(|organ| organ.own_agency(findings));
        let change = place.word_text("ReceiverType", findings);
        let organ = organ.and_then(|organ| organ.ok_or_else(|| place.missing("OrganId", findings)));
        receivers.push(organ.map(|organ| Receiver { organ, change }));
    }
    receivers.into_iter().collect()
}

fn replaced(list: &Place<'_>, findings: &mut Findings) -> Result<Vec<Replaced>, Reported> {
    let mut all = Vec::new();
    for place in list
        .list("ReplacementInfo", findings)
        .iter()
        .filter(|place| !place.is_empty())
    {
        let id = place.word("DocumentId", findings);
        let id = id.and_then(|id| id.ok_or_else(|| place.missing("DocumentId", findings)));
        let organs = place
            .only("OrganIdList", findings)
            .map(|list| list.list("OrganId", findings))
            .unwrap_or_default();
        let organs = organs
            .iter()
            .filter_map(|organ| organ.own_agency(findings).ok().flatten())
            .collect();
        all.push(id.map(|id| Replaced {
            document_id: id.text,
            organs,
        }));
    }
    all.into_iter().collect()
}

fn lines(place: &Place<'_>, name: &str, findings: &mut Findings) -> Vec<String> {
    place
        .list(name, findings)
        .iter()
        .filter_map(|place| place.own_line(findings))
        .collect()
}

//! The clear part of a body, per kind: what must be readable without being shown to auditors.

use lgsp_types::{
    Accepted, AgencyCode, Attachment, Clear, Digest, DocumentDate, DocumentRef, Finding, ReasonCode, Relation, Role,
};

use crate::bound::{
    ACT, CODES_WRITTEN, DOCUMENT_TEXT, DOCUMENTS, FINDING_PATH, FINDINGS, IDEMPOTENCY_KEY, OBJECT_NAME, OBJECT_NAMES,
    ORDER_KEY, SUBJECT, Unfit,
};
use crate::cbor::{Decoder, Encoder, Malformed, Pairs};

type Read<T> = Result<T, Malformed>;

/// What the body says of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObjectName {
    pub(crate) role: Role,
    pub(crate) name: String,
    pub(crate) digest: Digest,
}

pub(super) fn write_accepted(accepted: &Accepted) -> Result<Vec<u8>, Unfit> {
    let clear = &accepted.clear;
    let mut out = Pairs::default();
    out.try_put(0, Some(&clear.order_key), |out, key| out.bounded_text(ORDER_KEY, key))?;
    out.try_put(1, Some(&clear.idempotency_key), |out, key| {
        out.bounded_text(IDEMPOTENCY_KEY, key)
    })?;
    out.put(2, Some(&clear.from_written), |out, code| out.text(code.as_str()));
    out.try_put(3, Some(&clear.to_written), |out, codes| {
        out.list(CODES_WRITTEN, codes, |out, code| out.text(code.as_str()))
    })?;
    out.try_put(4, Some(&clear.documents), |out, all| {
        out.try_list(DOCUMENTS, all, write_document)
    })?;
    out.try_put(5, Some(&clear.act), |out, act| out.bounded_text(ACT, act))?;
    out.put(6, clear.due, |out, due| out.text(&due.iso_text()));
    out.try_put(7, Some(&accepted.objects), |out, all| {
        out.try_list(OBJECT_NAMES, all, write_object_name)
    })?;
    Ok(out.into_bytes())
}

pub(super) fn read_accepted(from: &mut Decoder<'_>) -> Read<(Clear, Vec<ObjectName>)> {
    let mut keys = from.map()?;
    keys.expect(0, from)?;
    let order_key = from.bounded_text(ORDER_KEY)?;
    keys.expect(1, from)?;
    let idempotency_key = from.bounded_text(IDEMPOTENCY_KEY)?;
    keys.expect(2, from)?;
    let from_written = from.word("is no agency code", AgencyCode::parse)?;
    keys.expect(3, from)?;
    let to_written = from.list(CODES_WRITTEN, |from| from.word("is no agency code", AgencyCode::parse))?;
    keys.expect(4, from)?;
    let documents = from.list(DOCUMENTS, read_document)?;
    keys.expect(5, from)?;
    let act = from.bounded_text(ACT)?;
    let mut due = None;
    if keys.has_left(2) {
        keys.expect(6, from)?;
        due = Some(from.word("is no day", DocumentDate::parse_iso)?);
    }
    keys.expect(7, from)?;
    let names = from.list(OBJECT_NAMES, read_object_name)?;
    keys.end(from)?;
    let clear = Clear {
        order_key,
        idempotency_key,
        from_written,
        to_written,
        documents,
        act,
        due,
    };
    Ok((clear, names))
}

fn write_document(out: &mut Encoder, document: &DocumentRef) -> Result<(), Unfit> {
    out.array(5);
    out.uint(match document.relation {
        Relation::Is => 1u8,
        Relation::About => 2,
        Relation::ActsOn => 3,
        Relation::Replaces => 4,
    });
    for text in [&document.id, &document.organ, &document.code, &document.date] {
        out.bounded_text(DOCUMENT_TEXT, text)?;
    }
    Ok(())
}

fn read_document(from: &mut Decoder<'_>) -> Read<DocumentRef> {
    from.tuple(5)?;
    let unknown = from.malformed("the relation of a document is not known");
    let relation = match from.uint()? {
        1 => Relation::Is,
        2 => Relation::About,
        3 => Relation::ActsOn,
        4 => Relation::Replaces,
        _ => return Err(unknown),
    };
    Ok(DocumentRef {
        relation,
        id: from.bounded_text(DOCUMENT_TEXT)?,
        organ: from.bounded_text(DOCUMENT_TEXT)?,
        code: from.bounded_text(DOCUMENT_TEXT)?,
        date: from.bounded_text(DOCUMENT_TEXT)?,
    })
}

fn write_object_name(out: &mut Encoder, object: &Attachment) -> Result<(), Unfit> {
    out.array(3);
    out.uint(match object.role {
        Role::Original => 1u8,
        Role::Attachment => 2,
    });
    out.bounded_text(OBJECT_NAME, &object.name)?;
    out.bytes(object.digest.as_bytes());
    Ok(())
}

fn read_object_name(from: &mut Decoder<'_>) -> Read<ObjectName> {
    from.tuple(3)?;
    let unknown = from.malformed("the role of an object is not known");
    let role = match from.uint()? {
        1 => Role::Original,
        2 => Role::Attachment,
        _ => return Err(unknown),
    };
    Ok(ObjectName {
        role,
        name: from.bounded_text(OBJECT_NAME)?,
        digest: Digest::from_bytes(from.fixed()?),
    })
}

pub(super) fn write_findings(findings: &[Finding]) -> Result<Vec<u8>, Unfit> {
    let mut out = Pairs::default();
    out.try_put(0, Some(findings), |out, findings| {
        out.try_list(FINDINGS, findings, write_finding)
    })?;
    Ok(out.into_bytes())
}

fn write_finding(out: &mut Encoder, finding: &Finding) -> Result<(), Unfit> {
    out.array(2);
    out.text(finding.code.as_str());
    out.bounded_text(FINDING_PATH, &finding.path)
}

pub(super) fn read_findings(from: &mut Decoder<'_>) -> Read<Vec<Finding>> {
    let mut keys = from.map()?;
    keys.expect(0, from)?;
    let findings = from.list(FINDINGS, |from| {
        from.tuple(2)?;
        Ok(Finding {
            code: from.word("is no reason code", ReasonCode::parse)?,
            path: from.bounded_text(FINDING_PATH)?,
        })
    })?;
    keys.end(from).map(|()| findings)
}

pub(super) fn write_subject(subject: &str) -> Result<Vec<u8>, Unfit> {
    let mut out = Pairs::default();
    out.try_put(0, Some(subject), |out, subject| out.bounded_text(SUBJECT, subject))?;
    Ok(out.into_bytes())
}

pub(super) fn read_subject(from: &mut Decoder<'_>) -> Read<String> {
    let mut keys = from.map()?;
    keys.expect(0, from)?;
    let subject = from.bounded_text(SUBJECT)?;
    keys.end(from).map(|()| subject)
}

/// The clear part of a kind that has a payload alone: an empty map.
pub(super) fn write_nothing() -> Vec<u8> {
    Pairs::default().into_bytes()
}

pub(super) fn read_nothing(from: &mut Decoder<'_>) -> Read<()> {
    let keys = from.map()?;
    keys.end(from)
}

//! The element order of a document packet.

use std::io;

use super::attachment::write_attachments;
use super::xml::{NAMESPACE, Xml};
use super::{Business, DocumentPacket, Organ, ResponseFor, Staff};

pub(super) fn write(packet: &DocumentPacket, xml: &mut Xml<'_>) -> io::Result<()> {
    open_envelope(xml)?;
    xml.open("edXML:edXMLHeader", "")?;
    message_header(packet, xml)?;
    trace_list(packet, xml)?;
    xml.close()?;
    if !packet.attachments.is_empty() {
        manifest(packet, xml)?;
    }
    xml.close()?;
    if !packet.attachments.is_empty() {
        write_attachments(&packet.attachments, packet.base64, xml)?;
    }
    xml.close()
}

/// Declaration, root and envelope.
pub(super) fn open_envelope(xml: &mut Xml<'_>) -> io::Result<()> {
    xml.declaration()?;
    xml.open("edXML", &format!(" xmlns=\"{NAMESPACE}\""))?;
    xml.open("edXML:edXMLEnvelope", &format!(" xmlns:edXML=\"{NAMESPACE}\""))
}

pub(super) fn organ(xml: &mut Xml<'_>, name: &str, organ: &Organ) -> io::Result<()> {
    xml.open(name, "")?;
    xml.text("edXML:OrganId", &organ.organ_id)?;
    xml.text("edXML:OrganizationInCharge", &organ.in_charge)?;
    xml.text("edXML:OrganName", &organ.name)?;
    xml.text("edXML:OrganAdd", &organ.address)?;
    xml.text("edXML:Email", &organ.email)?;
    xml.text("edXML:Telephone", &organ.telephone)?;
    xml.text("edXML:Fax", &organ.fax)?;
    xml.text("edXML:Website", &organ.website)?;
    xml.close()
}

pub(super) fn response_for(xml: &mut Xml<'_>, response: &ResponseFor) -> io::Result<()> {
    xml.open("edXML:ResponseFor", "")?;
    xml.text("edXML:OrganId", &response.organ_id)?;
    xml.text("edXML:Code", &response.code)?;
    xml.text("edXML:DocumentId", &response.document_id)?;
    xml.text("edXML:PromulgationDate", &response.promulgation_date)?;
    xml.close()
}

pub(super) fn staff(xml: &mut Xml<'_>, staff: &Staff) -> io::Result<()> {
    let texts = [&staff.department, &staff.staff, &staff.email, &staff.mobile];
    if texts.iter().all(|text| text.trim().is_empty()) {
        return Ok(());
    }
    xml.open("edXML:StaffInfo", "")?;
    xml.text("edXML:Department", &staff.department)?;
    xml.text("edXML:Staff", &staff.staff)?;
    xml.text("edXML:Email", &staff.email)?;
    xml.text("edXML:Mobile", &staff.mobile)?;
    xml.close()
}

fn message_header(packet: &DocumentPacket, xml: &mut Xml<'_>) -> io::Result<()> {
    xml.open("edXML:MessageHeader", "")?;
    organ(xml, "edXML:From", &packet.from)?;
    for to in &packet.to {
        organ(xml, "edXML:To", to)?;
    }
    xml.text("edXML:DocumentId", &packet.id())?;
    xml.open("edXML:Code", "")?;
    xml.text("edXML:CodeNumber", &packet.number)?;
    xml.text("edXML:CodeNotation", &packet.notation)?;
    xml.close()?;
    xml.open("edXML:PromulgationInfo", "")?;
    xml.text("edXML:Place", &packet.place)?;
    xml.text("edXML:PromulgationDate", &packet.date)?;
    xml.close()?;
    xml.open("edXML:DocumentType", "")?;
    xml.text("edXML:Type", "1")?;
    xml.text("edXML:TypeDetail", "0")?;
    xml.text("edXML:TypeName", &packet.type_name)?;
    xml.close()?;
    xml.text("edXML:Subject", &packet.subject)?;
    xml.text(
        "edXML:Content",
        if packet.content.is_empty() {
            &packet.subject
        } else {
            &packet.content
        },
    )?;
    about(packet, xml)?;
    xml.close()
}

/// The second half of the message header: who signed, until when, what it answers, where it goes.
fn about(packet: &DocumentPacket, xml: &mut Xml<'_>) -> io::Result<()> {
    let signer = &packet.signer;
    if !signer.full_name.is_empty() {
        xml.open("edXML:SignerInfo", "")?;
        xml.text("edXML:Competence", &signer.competence)?;
        xml.text("edXML:Position", &signer.position)?;
        xml.text("edXML:FullName", &signer.full_name)?;
        xml.close()?;
    }
    xml.text("edXML:DueDate", &packet.due_date)?;
    xml.open("edXML:OtherInfo", "")?;
    xml.text("edXML:Priority", &packet.priority.to_string())?;
    if packet.page_amount > 0 {
        xml.text("edXML:PageAmount", &packet.page_amount.to_string())?;
    }
    xml.text("edXML:Direction", "false")?;
    xml.close()?;
    for response in &packet.response_for {
        response_for(xml, response)?;
    }
    xml.text("edXML:SteeringType", &packet.steering_type.to_string())?;
    if !packet.to_places.is_empty() {
        xml.open("edXML:ToPlaces", "")?;
        for place in &packet.to_places {
            xml.text("edXML:Place", place)?;
        }
        xml.close()?;
    }
    Ok(())
}

fn trace_list(packet: &DocumentPacket, xml: &mut Xml<'_>) -> io::Result<()> {
    xml.open("edXML:TraceHeaderList", "")?;
    business(&packet.business, &packet.id(), xml)?;
    for (organ_id, timestamp) in &packet.traces {
        xml.open("edXML:TraceHeader", "")?;
        xml.text("edXML:OrganId", organ_id)?;
        xml.text("edXML:Timestamp", timestamp)?;
        xml.close()?;
    }
    xml.close()
}

fn business(business: &Business, own_id: &str, xml: &mut Xml<'_>) -> io::Result<()> {
    xml.open("edXML:Bussiness", "")?;
    xml.text(
        "edXML:DocumentId",
        if business.document_id.is_empty() {
            own_id
        } else {
            &business.document_id
        },
    )?;
    xml.text("edXML:BussinessDocType", &business.doc_type.to_string())?;
    xml.text("edXML:BussinessDocReason", &business.reason)?;
    xml.text("edXML:Paper", "0")?;
    if !business.receivers.is_empty() {
        receivers(&business.receivers, xml)?;
    }
    if !business.replaces.is_empty() {
        replaced(&business.replaces, xml)?;
    }
    staff(xml, &business.staff)?;
    xml.close()
}

fn receivers(receivers: &[(String, u8)], xml: &mut Xml<'_>) -> io::Result<()> {
    xml.open("edXML:BussinessDocumentInfo", "")?;
    xml.text("edXML:DocumentInfo", "1")?;
    xml.text("edXML:DocumentReceiver", "1")?;
    xml.open("edXML:ReceiverList", "")?;
    for (organ_id, receiver_type) in receivers {
        xml.open("edXML:Receiver", "")?;
        xml.text("edXML:OrganId", organ_id)?;
        xml.text("edXML:ReceiverType", &receiver_type.to_string())?;
        xml.close()?;
    }
    xml.close()?;
    xml.close()
}

fn replaced(replaces: &[(String, Vec<String>)], xml: &mut Xml<'_>) -> io::Result<()> {
    xml.open("edXML:ReplacementInfoList", "")?;
    for (document_id, organ_ids) in replaces {
        xml.open("edXML:ReplacementInfo", "")?;
        xml.text("edXML:DocumentId", document_id)?;
        xml.open("edXML:OrganIdList", "")?;
        for organ_id in organ_ids {
            xml.text("edXML:OrganId", organ_id)?;
        }
        xml.close()?;
        xml.close()?;
    }
    xml.close()
}

fn manifest(packet: &DocumentPacket, xml: &mut Xml<'_>) -> io::Result<()> {
    xml.open("edXML:edXMLBody", "")?;
    xml.open("edXML:edXMLManifest", " version=\"1.0\"")?;
    for attachment in &packet.attachments {
        xml.open("edXML:Reference", "")?;
        xml.text("edXML:ContentId", &format!("cid:{}", attachment.id))?;
        xml.text("edXML:ContentType", "application/zip")?; // whatever the attachment says: so does the library
        xml.text("edXML:Description", &attachment.description)?;
        xml.text("edXML:AttachmentName", &attachment.name)?;
        xml.close()?;
    }
    xml.close()?;
    xml.close()
}

//! The element order of a status packet.

use std::io;

use super::StatusPacket;
use super::document::{open_envelope, organ, response_for, staff};
use super::xml::Xml;

pub(super) fn write(packet: &StatusPacket, xml: &mut Xml<'_>) -> io::Result<()> {
    open_envelope(xml)?;
    xml.open("edXML:edXMLHeader", "")?;
    xml.open("edXML:MessageHeader", "")?;
    organ(xml, "edXML:From", &packet.from)?;
    response_for(xml, &packet.response_for)?;
    staff(xml, &packet.staff)?;
    xml.text("edXML:StatusCode", &packet.status_code)?;
    xml.text("edXML:Description", &packet.description)?;
    xml.text("edXML:Timestamp", &packet.timestamp)?;
    for _ in 0..4 {
        xml.close()?;
    }
    Ok(())
}

//! The rows of the axis' lists. A member the axis left out is an empty text (`null` in the SDK's model).

use super::json::Json;

/// A value the SDK cannot take: the whole list is lost.
#[derive(Debug)]
pub(super) struct Lost;

/// One row of getReceivedEdocList.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceivedItem {
    pub doc_id: String,
    pub service_type: String,
    pub message_type: String,
    pub created_time: String,
    pub updated_time: String,
    pub from: String,
    pub to: String,
    pub status: String,
    pub status_desc: String,
}

/// One row of getSentEdocList.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SentItem {
    pub service_type: String,
    pub message_type: String,
    pub sender_doc_id: String,
    pub receiver_doc_id: String,
    pub from_code: String,
    pub to_code: String,
    pub title: String,
    pub notation: String,
    pub sent_time: String,
    pub received_time: String,
    pub send_status: String,
    pub send_status_desc: String,
    pub receive_status: String,
    pub receive_status_desc: String,
}

/// One row of getAgenciesList (`old_code`, not in 2.0.0) or getAgenciesListQD20 (`code102`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgencyItem {
    pub id: String,
    pub pid: String,
    pub code: String,
    pub name: String,
    pub mail: String,
    pub old_code: String,
    pub code102: String,
}

/// One row of getSynchronizeUnit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnitItem {
    pub id: String,
    pub pid: String,
    pub code: String,
    pub name: String,
    pub mail: String,
    pub center_code: String,
    pub version: Option<i32>,
    pub deleted: Option<bool>,
    pub modify_date: String,
    pub is_agency: Option<bool>,
}

fn text(row: &Json, name: &str) -> Result<String, Lost> {
    row.member(name)
        .map_or(Ok(String::new()), |value| value.as_text().ok_or(Lost))
}

fn parsed<T: std::str::FromStr>(row: &Json, name: &str) -> Result<Option<T>, Lost> {
    let value = row.member(name).map(|value| value.as_text().ok_or(Lost)).transpose()?;
    value.map(|text| text.parse().map_err(|_| Lost)).transpose()
}

impl ReceivedItem {
    pub(super) fn read(row: &Json) -> Result<Self, Lost> {
        Ok(Self {
            doc_id: text(row, "docId")?,
            service_type: text(row, "serviceType")?,
            message_type: text(row, "messageType")?,
            created_time: text(row, "created_time")?,
            updated_time: text(row, "updated_time")?,
            from: text(row, "from")?,
            to: text(row, "to")?,
            status: text(row, "status")?,
            status_desc: text(row, "status_desc")?,
        })
    }
}

impl SentItem {
    pub(super) fn read(row: &Json) -> Result<Self, Lost> {
        Ok(Self {
            service_type: text(row, "serviceType")?,
            message_type: text(row, "messageType")?,
            sender_doc_id: text(row, "senderDocId")?,
            receiver_doc_id: text(row, "receiverDocId")?,
            from_code: text(row, "fromCode")?,
            to_code: text(row, "toCode")?,
            title: text(row, "title")?,
            notation: text(row, "notation")?,
            sent_time: text(row, "sentTime")?,
            received_time: text(row, "receivedTime")?,
            send_status: text(row, "sendStatus")?,
            send_status_desc: text(row, "sendStatusDesc")?,
            receive_status: text(row, "receiveStatus")?,
            receive_status_desc: text(row, "receiveStatusDesc")?,
        })
    }
}

impl AgencyItem {
    pub(super) fn read(row: &Json) -> Result<Self, Lost> {
        Ok(Self {
            id: text(row, "id")?,
            pid: text(row, "pid")?,
            code: text(row, "code")?,
            name: text(row, "name")?,
            mail: text(row, "mail")?,
            old_code: text(row, "oldCode")?,
            code102: text(row, "code102")?,
        })
    }
}

impl UnitItem {
    pub(super) fn read(row: &Json) -> Result<Self, Lost> {
        Ok(Self {
            id: text(row, "id")?,
            pid: text(row, "pid")?,
            code: text(row, "code")?,
            name: text(row, "name")?,
            mail: text(row, "mail")?,
            center_code: text(row, "centerCode")?,
            version: parsed(row, "version")?,
            deleted: parsed(row, "deleted")?,
            modify_date: text(row, "modifyDate")?,
            is_agency: parsed(row, "isAgency")?,
        })
    }
}

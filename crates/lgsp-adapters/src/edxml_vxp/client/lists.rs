//! The five lists of the axis; a row the SDK cannot read costs the whole list.

use super::answer::{CallError, envelope};
use super::items::{AgencyItem, Lost, ReceivedItem, SentItem, UnitItem};
use super::json::Json;
use super::operation::Operation;
use super::{MessageType, SdkVersion, Service};

impl Service {
    /// What waits for this system. Filters are put before with [`Service::put`].
    ///
    /// # Errors
    /// [`CallError`], except that version 2.0.1 takes an unreadable answer for an empty list.
    pub fn received_list(&mut self, kind: MessageType) -> Result<Vec<ReceivedItem>, CallError> {
        let parameters = [("servicetype", "eDoc"), ("messagetype", kind.word())];
        match self.json(Operation::GetReceivedEdocList, &parameters, b"") {
            Ok((json, http_status)) => rows(&json, http_status, ReceivedItem::read),
            Err(CallError::Unreadable { http_status, .. })
                if self.version == SdkVersion::V2_0_1 && !matches!(http_status, 204 | 304) =>
            {
                Ok(Vec::new())
            }
            Err(error) => Err(error),
        }
    }

    /// What this system sent; with `doc_id` the addressees of one packet.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn sent_list(&mut self, kind: MessageType, doc_id: Option<&str>) -> Result<Vec<SentItem>, CallError> {
        let mut parameters = vec![("servicetype", "eDoc"), ("messagetype", kind.word())];
        parameters.extend(doc_id.map(|doc_id| ("docId", doc_id)));
        self.list(Operation::GetSentEdocList, &parameters, SentItem::read)
    }

    /// The catalogue of agencies.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn agencies(&mut self) -> Result<Vec<AgencyItem>, CallError> {
        let version = self.version;
        self.list(Operation::GetAgenciesList, &[], |row| {
            let item = AgencyItem::read(row)?;
            Ok(match version {
                SdkVersion::V2_0_0 => AgencyItem {
                    old_code: String::new(),
                    code102: String::new(),
                    ..item
                },
                SdkVersion::V2_0_1 => item,
            })
        })
    }

    /// The catalogue in the codes of Decision 20/2020/QD-TTg with the older code beside; `level` is `1` in examples.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn agencies_qd20(&mut self, level: &str) -> Result<Vec<AgencyItem>, CallError> {
        self.list(Operation::GetAgenciesListQd20, &[("level", level)], AgencyItem::read)
    }

    /// Changes of units.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn synchronize_units(&mut self) -> Result<Vec<UnitItem>, CallError> {
        self.list(Operation::GetSynchronizeUnit, &[], UnitItem::read)
    }

    fn list<T>(
        &mut self,
        operation: Operation,
        parameters: &[(&str, &str)],
        read: impl Fn(&Json) -> Result<T, Lost>,
    ) -> Result<Vec<T>, CallError> {
        let (json, http_status) = self.json(operation, parameters, b"")?;
        rows(&json, http_status, read)
    }
}

fn rows<T>(json: &Json, http_status: u16, read: impl Fn(&Json) -> Result<T, Lost>) -> Result<Vec<T>, CallError> {
    envelope(json, http_status)?.checked()?;
    let Some(Json::List(rows)) = json.member("data") else {
        return Err(CallError::Unreadable {
            http_status,
            what: "`data` is no list",
        });
    };
    let row = |row: &Json| {
        if matches!(row, Json::Object(_)) {
            read(row)
        } else {
            Err(Lost)
        }
    };
    let lost = |_| CallError::Unreadable {
        http_status,
        what: "a row of the list is no object or holds a null",
    };
    rows.iter().map(row).collect::<Result<_, _>>().map_err(lost)
}

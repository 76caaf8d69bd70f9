//! The lists: what waits for a system, how much, and the agencies of the registry.
//!
//! Source: vxp-wire.md 5, 6.1, 6.6. No row is left out for a filter or a page: what looks like one may have leaked from
//! an earlier call of the same service object (fact 5), and a list that hides an item loses it.

use std::sync::Arc;

use lgsp_types::{AgencyCode, AgencyView, ContractRef, DeliveryState, Mark, OpenDelivery, OpenQuery, Refusal};
use serde::Serialize;

use super::answer::{self, Answer};
use super::asked::{kind_of, word};
use super::call::{Facade, Proven, not_now};
use super::reason::{Failure, PARAMETER_INVALID, Record};
use super::signed::{self, Signed};
use crate::edxml_vxp::packet::Kind;

/// The one service of the axis.
const SERVICE_TYPE: &str = "eDoc";
/// `pid` of an agency that stands under none.
const NO_PARENT: &str = "0";

#[derive(Debug, Serialize)]
struct Waiting {
    #[serde(rename = "docId")]
    doc_id: String,
    #[serde(rename = "serviceType")]
    service_type: &'static str,
    #[serde(rename = "messageType")]
    message_type: &'static str,
    created_time: String,
    updated_time: String,
    from: String,
    to: String,
    status: &'static str,
    status_desc: &'static str,
}

/// A row of getAgenciesList: codes of QCVN 102 first.
#[derive(Debug, Serialize)]
struct Agency<'a> {
    id: &'a str,
    pid: &'a str,
    code: &'a str,
    name: &'a str,
    mail: &'a str,
    #[serde(rename = "oldCode", skip_serializing_if = "Option::is_none")]
    old_code: Option<&'a str>,
}

/// A row of getAgenciesListQD20: codes of Decision 20/2020.
#[derive(Debug, Serialize)]
struct AgencyQd20<'a> {
    id: &'a str,
    code: &'a str,
    name: &'a str,
    mail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code102: Option<&'a str>,
}

impl Facade {
    pub(super) async fn received(&self, proven: &Proven) -> Result<Answer, Failure> {
        let kind = kind_of(&proven.signed).map_err(|refusals| Failure {
            refusals,
            record: Record::Signed,
        })?;
        check_pages(&proven.signed)?;
        let rows: Vec<Waiting> = self
            .open(proven, kind)
            .await?
            .iter()
            .map(|open| waiting(kind, open))
            .collect();
        Ok(Answer::json(answer::rows(&rows)))
    }

    /// Counts up to the longest list.
    pub(super) async fn count(&self, proven: &Proven, kind: Kind) -> Result<Answer, Failure> {
        Ok(Answer::json(answer::count(self.open(proven, kind).await?.len())))
    }

    async fn open(&self, proven: &Proven, kind: Kind) -> Result<Vec<OpenDelivery>, Failure> {
        let contract = ContractRef::parse(kind.contract()).map_err(|_| Failure::unavailable())?;
        let query = OpenQuery {
            contract: Some(contract.name().to_owned()),
            limit: u32::try_from(self.settings.list_max).unwrap_or(u32::MAX),
            after: None,
            dead_letters: true,
        };
        let exchange = Arc::clone(&self.exchange);
        let caller = proven.caller.clone();
        let open = self.ask(async move { exchange.open(&caller, query).await }).await?;
        open.map_err(|unavailable| not_now(&unavailable))
    }

    pub(super) fn agencies(&self) -> Answer {
        let views = self.exchange.agencies(self.today());
        let rows: Vec<Agency<'_>> = views.iter().filter(|view| !view.closed).filter_map(agency).collect();
        Answer::json(answer::rows(&rows))
    }

    /// `level` is not looked at: nobody outside the axis knows what it leaves out.
    pub(super) fn agencies_qd20(&self) -> Answer {
        let views = self.exchange.agencies(self.today());
        let rows: Vec<AgencyQd20<'_>> = views
            .iter()
            .filter(|view| !view.closed)
            .filter_map(agency_qd20)
            .collect();
        Answer::json(answer::rows(&rows))
    }
}

/// Pages have no effect, but what cannot be one shows a caller that is wrong about itself.
fn check_pages(signed: &Signed) -> Result<(), Failure> {
    let no_number = |name: &&str| signed.get(name).is_some_and(|written| written.parse::<u32>().is_err());
    let refusals: Vec<Refusal> = ["pageSize", "pageIndex"]
        .into_iter()
        .filter(no_number)
        .map(|name| Refusal::new(PARAMETER_INVALID, signed::path(name), "is no number", "leave it out"))
        .collect();
    if refusals.is_empty() {
        return Ok(());
    }
    Err(Failure {
        refusals,
        record: Record::Signed,
    })
}

fn waiting(kind: Kind, open: &OpenDelivery) -> Waiting {
    let (status, status_desc) = status(open);
    Waiting {
        doc_id: open.delivery.to_string(),
        service_type: SERVICE_TYPE,
        message_type: word(kind),
        created_time: open.accepted_ms.axis_text(),
        updated_time: open.changed_ms.axis_text(),
        from: open.from.to_string(),
        to: open.to.to_string(),
        status,
        status_desc,
    }
}

/// The axis' word and its Vietnamese. That something was fetched does not show.
fn status(open: &OpenDelivery) -> (&'static str, &'static str) {
    let mark = open.mark.unwrap_or(Mark::Initial);
    match open.state {
        DeliveryState::DeadLettered => ("fail", "Xử lý lỗi"),
        DeliveryState::Delivered => ("done", "Hoàn thành"),
        DeliveryState::Open | DeliveryState::Collected | DeliveryState::Withdrawn => {
            let meaning = match mark {
                Mark::Initial | Mark::Inbox => "Đã đến",
                Mark::Processing => "Đang xử lý",
                Mark::Acceptance => "Đã tiếp nhận",
                Mark::Rejection => "Từ chối tiếp nhận",
            };
            (mark.name(), meaning)
        }
    }
}

fn agency(view: &AgencyView) -> Option<Agency<'_>> {
    let (code, other) = match (&view.old_code, &view.code) {
        (Some(old), new) => (old, new.as_ref()),
        (None, Some(new)) => (new, None),
        (None, None) => return None,
    };
    Some(Agency {
        id: view.agency.as_str(),
        pid: view.parent.as_ref().map_or(NO_PARENT, |parent| parent.as_str()),
        code: code.as_str(),
        name: &view.name,
        mail: &view.mail,
        old_code: other.map(AgencyCode::as_str),
    })
}

fn agency_qd20(view: &AgencyView) -> Option<AgencyQd20<'_>> {
    Some(AgencyQd20 {
        id: view.agency.as_str(),
        code: view.code.as_ref()?.as_str(),
        name: &view.name,
        mail: &view.mail,
        code102: view.old_code.as_ref().map(AgencyCode::as_str),
    })
}

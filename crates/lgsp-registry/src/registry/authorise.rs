//! Whether a message is let in: may this system speak for this sender now, may the sender send this to every addressee,
//! and can each be reached?

use std::collections::HashSet;
use std::sync::Arc;

use lgsp_types::{
    ADDRESSEES_MAX, AgencyCode, AgencyId, DocumentDate, Envelope, Party, Publish, ReasonCode, Refusal, Scheme,
    SystemId, UnixMs, Written,
};

use super::grants::{Addressed, Asked, Sending};
use super::{NoRoute, Registry};
use crate::grant::Grant;
use crate::model::{Agency, System};

const SENDER_UNKNOWN: ReasonCode = ReasonCode::new("SENDER_UNKNOWN");
const SENDER_NOT_SPOKEN_FOR: ReasonCode = ReasonCode::new("SENDER_NOT_SPOKEN_FOR");
const SENDER_CLOSED: ReasonCode = ReasonCode::new("SENDER_CLOSED");
const ADDRESSEE_UNKNOWN: ReasonCode = ReasonCode::new("ADDRESSEE_UNKNOWN");
const ADDRESSEE_CLOSED: ReasonCode = ReasonCode::new("ADDRESSEE_CLOSED");
const ADDRESSEE_NO_ROUTE: ReasonCode = ReasonCode::new("ADDRESSEE_NO_ROUTE");
const FIELD_MISSING: ReasonCode = ReasonCode::new("FIELD_MISSING");
const TOO_MANY_ADDRESSEES: ReasonCode = ReasonCode::new("TOO_MANY_ADDRESSEES");

/// A message that may be sent: only [`Registry::authorise`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorised {
    publish: Publish,
    envelope: Envelope,
    agency: AgencyId,
    grants: Vec<Arc<Grant>>,
}

impl Authorised {
    /// What the adapter asked for, unchanged.
    #[must_use]
    pub const fn publish(&self) -> &Publish {
        &self.publish
    }

    /// Who sends what to whom, by permanent id.
    #[must_use]
    pub const fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// The agency that the calling system belongs to.
    #[must_use]
    pub const fn agency(&self) -> &AgencyId {
        &self.agency
    }

    /// The grants that allow it, each once: of an addressee the first that does.
    #[must_use]
    pub fn grants(&self) -> &[Arc<Grant>] {
        &self.grants
    }

    #[must_use]
    pub fn into_parts(self) -> (Publish, Envelope, AgencyId) {
        (self.publish, self.envelope, self.agency)
    }
}

/// The two days of a decision. Source: exchange.md section 3.
#[derive(Clone, Copy)]
struct Days {
    /// What codes mean: the document's date, or the day of acceptance.
    codes: DocumentDate,
    /// What may be sent, and whether it can be delivered.
    today: DocumentDate,
}

impl Registry {
    /// Lets a message in, or says everything that is wrong with its sender and addressees.
    ///
    /// Codes mean what they mean on `publish.codes_as_of`; whether it may be sent is decided as of `now`. A message
    /// with one addressee that cannot be reached, or to whom no grant allows it, is refused whole. Source: exchange.md
    /// sections 2 and 3; V2 and V3 of vietnam.md 1.16.
    ///
    /// # Errors
    /// Every [`Refusal`], each with the code as written and its path: the caller corrects them and sends again.
    pub fn authorise(&self, caller: &SystemId, publish: Publish, now: UnixMs) -> Result<Authorised, Vec<Refusal>> {
        self.authorise_on(caller, publish, now.day_in_vietnam())
    }

    /// As [`Registry::authorise`], of a message that were accepted on this day.
    ///
    /// # Errors
    /// As [`Registry::authorise`].
    pub fn authorise_on(
        &self,
        caller: &SystemId,
        publish: Publish,
        today: DocumentDate,
    ) -> Result<Authorised, Vec<Refusal>> {
        let days = Days {
            codes: publish.codes_as_of.unwrap_or(today),
            today,
        };
        let system = self.active_system(caller, today);
        let system = system.ok_or_else(|| vec![unknown_system(caller, today)])?;
        number_of_addressees(&publish).map_err(|refusal| vec![refusal])?;
        let mut refusals = Vec::new();
        let sender = self.sender(system, &publish.from, days, &mut refusals);
        // Whose right it would be is not known of a sender who may not be one.
        let sending = sender.map(|sender| {
            self.sending(Asked {
                contract: &publish.contract,
                purpose: &publish.purpose,
                system: &system.id,
                from: &publish.from.code,
                sender,
                today,
            })
        });
        let (addressees, grants) = self.addressees(&publish.to, sending.as_ref(), days, &mut refusals);
        match sender {
            Some(sender) if refusals.is_empty() => Ok(Authorised {
                grants,
                envelope: Envelope {
                    contract: publish.contract.clone(),
                    sender: party(sender, &publish.from.code, days.codes),
                    system: caller.clone(),
                    addressees,
                    purpose: publish.purpose.clone(),
                },
                agency: system.agency.clone(),
                publish,
            }),
            Some(_) | None => Err(refusals),
        }
    }

    fn sender(&self, system: &System, from: &Written, days: Days, refusals: &mut Vec<Refusal>) -> Option<&Agency> {
        let code = &from.code;
        let mut refuse = |reason: ReasonCode, what: String, mend: String| {
            refusals.push(Refusal::new(reason, &from.path, what, mend));
        };
        let Some(agency) = self.resolve(code, days.codes) else {
            let what = self.unknown_code("sender", code, days.codes);
            refuse(
                SENDER_UNKNOWN,
                what,
                "send under the registered code of the agency".to_owned(),
            );
            return None;
        };
        if let Some(from) = agency.from.filter(|from| *from > days.today) {
            let what = format!(
                "the sender `{code}` ({}) begins on {}",
                agency.name_on(from),
                from.iso_text()
            );
            refuse(SENDER_CLOSED, what, "send from that day on".to_owned());
            return None;
        }
        if !self.speaks_for(&system.id, agency, days.today) {
            let what = format!("the system `{}` does not speak for the sender `{code}`", system.id);
            let mend = "send under a code of an agency that the system was registered for, or have it registered";
            refuse(SENDER_NOT_SPOKEN_FOR, what, mend.to_owned());
            return None;
        }
        if let Some(last) = agency.last_sending_day().filter(|last| *last < days.today) {
            let name = agency.name_on(last);
            let what = format!("the sender `{code}` ({name}) could send until {}", last.iso_text());
            refuse(SENDER_CLOSED, what, self.send_as_successor(agency, days.today));
            return None;
        }
        Some(agency)
    }

    fn send_as_successor(&self, agency: &Agency, today: DocumentDate) -> String {
        let named = |successor: &Agency| match successor.code_on(Scheme::Qd20, today) {
            Some(code) => format!("`{code}` ({})", successor.name_on(today)),
            None => format!("`{}` ({})", successor.id, successor.name_on(today)),
        };
        let heirs = agency.successors.iter().filter_map(|id| self.heir(id, today).ok());
        let heirs: Vec<String> = heirs.map(named).collect();
        if heirs.is_empty() {
            "nobody follows this agency: ask the operator of the exchange".to_owned()
        } else {
            format!("send as its successor {}", heirs.join(" or "))
        }
    }

    fn addressees<'a>(
        &'a self,
        to: &'a [Written],
        sending: Option<&Sending<'a>>,
        days: Days,
        refusals: &mut Vec<Refusal>,
    ) -> (Vec<Party>, Vec<Arc<Grant>>) {
        let mut seen = HashSet::new();
        let (mut parties, mut grants) = (Vec::new(), Vec::<Arc<Grant>>::new());
        for written in to {
            match self.addressee(written, sending, days) {
                Ok((party, grant)) => {
                    let is_new = |grant: &&Arc<Grant>| !grants.iter().any(|known| Arc::ptr_eq(known, grant));
                    let grant = grant.filter(is_new).cloned();
                    grants.extend(grant);
                    if seen.insert(party.agency.clone()) {
                        parties.push(party);
                    }
                }
                Err(refusal) => refusals.push(refusal),
            }
        }
        (parties, grants)
    }

    fn addressee<'a>(
        &'a self,
        to: &'a Written,
        sending: Option<&Sending<'a>>,
        days: Days,
    ) -> Result<(Party, Option<&'a Arc<Grant>>), Refusal> {
        let code = &to.code;
        let Some(agency) = self.resolve(code, days.codes) else {
            let what = self.unknown_code("addressee", code, days.codes);
            let mend = "take the code from the list of agencies";
            return Err(Refusal::new(ADDRESSEE_UNKNOWN, &to.path, what, mend));
        };
        let route = self.route(&agency.id, days.today);
        let route = route.map_err(|reason| unreachable(to, agency, &reason, days))?;
        let receiving = self.agency(&route.agency).unwrap_or(agency);
        let addressed = Addressed {
            to,
            agencies: [agency, receiving],
        };
        let granted = sending.map(|sending| self.granted(sending, addressed)).transpose()?;
        Ok((party(agency, code, days.codes), granted))
    }

    fn unknown_code(&self, who: &str, code: &AgencyCode, day: DocumentDate) -> String {
        let first = self.holders.get(code).and_then(|holdings| holdings.first());
        match first.and_then(|(period, _)| period.from) {
            Some(from) => {
                let (day, from) = (day.iso_text(), from.iso_text());
                format!("the {who} `{code}` was nobody's code on {day}; it is one since {from}")
            }
            None => format!("the {who} `{code}` is the code of no agency"),
        }
    }
}

fn unreachable(to: &Written, agency: &Agency, reason: &NoRoute, days: Days) -> Refusal {
    let name = agency.name_on(days.codes);
    let what = format!("the addressee `{}` ({name}) cannot be reached: {reason}", to.code);
    let (code, mend) = match reason {
        NoRoute::NotYet { .. } => (ADDRESSEE_CLOSED, "send from that day on"),
        NoRoute::Closed { .. } | NoRoute::Unknown { .. } => {
            (ADDRESSEE_CLOSED, "send to the agency that has taken over its tasks")
        }
        NoRoute::NoConnector { .. } => (
            ADDRESSEE_NO_ROUTE,
            "ask the operator of the exchange to connect the agency, or send it another way",
        ),
    };
    Refusal::new(code, &to.path, what, mend)
}

/// The agency by its permanent id, and its public code on the day: that of Decision 20/2020, else as written.
fn party(agency: &Agency, written: &AgencyCode, day: DocumentDate) -> Party {
    Party {
        agency: agency.id.clone(),
        code: agency.code_on(Scheme::Qd20, day).unwrap_or(written).clone(),
    }
}

fn unknown_system(system: &SystemId, today: DocumentDate) -> Refusal {
    let what = format!(
        "the system `{system}` is not registered, or not active on {}",
        today.iso_text()
    );
    Refusal::new(
        SENDER_UNKNOWN,
        "/",
        what,
        "have the system registered with the operator of the exchange",
    )
}

fn number_of_addressees(publish: &Publish) -> Result<(), Refusal> {
    let beyond = publish.to.get(ADDRESSEES_MAX);
    match (publish.to.is_empty(), beyond) {
        (true, _) => Err(Refusal::new(
            FIELD_MISSING,
            "/",
            "the message has no addressee",
            "name at least one",
        )),
        (false, Some(beyond)) => {
            let what = format!(
                "the message has {} addressees, at most {ADDRESSEES_MAX} are taken",
                publish.to.len()
            );
            Err(Refusal::new(
                TOO_MANY_ADDRESSEES,
                &beyond.path,
                what,
                "send it in several messages",
            ))
        }
        (false, None) => Ok(()),
    }
}

#[cfg(test)]
mod tests;

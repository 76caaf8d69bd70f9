//! Whose right it is to send, as the registry of a running node has it: `lgsp who-may`, `lgsp allowed`.

use http::StatusCode;
use lgsp_registry::Registry;
use lgsp_types::{AgencyCode, ContractRef, DocumentDate, Publish, ReasonCode, Refusal, SystemId, UnixMs, Written};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::registry::{Answer, no, wrong};

/// `who-may`: the grants of a contract.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhoMay {
    /// A name, or a name and version.
    pub(crate) contract: String,
    pub(crate) from: Option<AgencyCode>,
    pub(crate) to: Option<AgencyCode>,
    /// None: today.
    pub(crate) as_of: Option<DocumentDate>,
}

/// `allowed`: would this message be let in?
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Allowed {
    /// None: the agency of the system.
    pub(crate) from: Option<AgencyCode>,
    /// None: every system that speaks for the sender.
    pub(crate) system: Option<SystemId>,
    pub(crate) to: Vec<AgencyCode>,
    pub(crate) contract: ContractRef,
    pub(crate) purpose: String,
    /// The day of acceptance; none: now.
    pub(crate) as_of: Option<DocumentDate>,
    /// The document's date; none: the day of acceptance.
    pub(crate) dated: Option<DocumentDate>,
}

pub(super) fn who_may(registry: &Registry, now: UnixMs, asked: &WhoMay) -> Answer {
    let day = asked.as_of.unwrap_or_else(|| now.day_in_vietnam());
    let has_version = asked.contract.contains('/');
    let version = match has_version.then(|| ContractRef::parse(&asked.contract)).transpose() {
        Ok(version) => version,
        Err(error) => return wrong(&format!("`{}` {error}", asked.contract)),
    };
    let name = version.as_ref().map_or(asked.contract.as_str(), ContractRef::name);
    let mut agencies = [None, None];
    for (agency, code) in agencies.iter_mut().zip([&asked.from, &asked.to]) {
        let Some(code) = code else { continue };
        *agency = registry.resolve(code, day);
        if agency.is_none() {
            return no(&format!("`{code}` is the code of no agency on {}", day.iso_text()));
        }
    }
    let [from, to] = agencies;
    let grants = registry.grants(name, from, to, day);
    let allowing = grants
        .iter()
        .filter(|grant| version.as_ref().is_none_or(|it| grant.allows_contract(it)));
    let (mut grants, mut on_other_days) = (Vec::new(), Vec::new());
    for grant in allowing {
        let list = if grant.period().contains(day) {
            &mut grants
        } else {
            &mut on_other_days
        };
        list.push(json!({ "words": grant.to_string(), "grant": **grant }));
    }
    let answer = json!({ "day": day.iso_text(), "grants": grants, "on_other_days": on_other_days });
    (StatusCode::OK, answer)
}

/// The answer of one system that would send it under one code.
#[derive(Debug, Serialize)]
struct Verdict {
    system: SystemId,
    from: AgencyCode,
    allowed: bool,
    /// The grants that allow it, in words.
    grants: Vec<String>,
    refusals: Vec<Value>,
}

pub(super) fn allowed(registry: &Registry, now: UnixMs, asked: &Allowed) -> Answer {
    let day = asked.as_of.unwrap_or_else(|| now.day_in_vietnam());
    let senders = match senders(registry, day, asked) {
        Ok(senders) => senders,
        Err(refusal) => {
            let answer =
                json!({ "day": day.iso_text(), "allowed": false, "verdicts": [], "refusals": [told(&refusal)] });
            return (StatusCode::OK, answer);
        }
    };
    let verdicts: Vec<Verdict> = senders
        .into_iter()
        .map(|(system, from)| verdict(registry, day, asked, system, from))
        .collect();
    let allowed = verdicts.iter().any(|verdict| verdict.allowed);
    (
        StatusCode::OK,
        json!({ "day": day.iso_text(), "allowed": allowed, "verdicts": verdicts, "refusals": [] }),
    )
}

/// Who would send it: the system and the code that were named, or every one that goes with the other.
fn senders(registry: &Registry, day: DocumentDate, asked: &Allowed) -> Result<Vec<(SystemId, AgencyCode)>, Refusal> {
    match (&asked.system, &asked.from) {
        (Some(system), Some(from)) => Ok(vec![(system.clone(), from.clone())]),
        (None, Some(from)) => {
            let systems = registry.speakers_for(from, asked.dated.unwrap_or(day), day);
            if systems.is_empty() {
                let what = format!("no active system speaks for `{from}`");
                let mend = "have one registered that does, or see whether this is the code of the agency";
                return Err(Refusal::new(
                    ReasonCode::new("SENDER_NOT_SPOKEN_FOR"),
                    "from",
                    what,
                    mend,
                ));
            }
            Ok(systems.into_iter().map(|system| (system, from.clone())).collect())
        }
        (Some(system), None) => {
            let agency = registry.agency_of(system);
            let agency = agency.as_ref().and_then(|agency| registry.agency(agency));
            let code = agency.and_then(|agency| agency.last_code_by(day));
            match code {
                Some(code) => Ok(vec![(system.clone(), code.clone())]),
                None => Err(Refusal::new(
                    ReasonCode::new("SENDER_UNKNOWN"),
                    "system",
                    format!("the system `{system}` is not registered, or its agency has no code"),
                    "name the sender's code with --from",
                )),
            }
        }
        (None, None) => Err(Refusal::new(
            ReasonCode::new("FIELD_MISSING"),
            "from",
            "neither a sender nor a system is named",
            "name one of them",
        )),
    }
}

fn verdict(registry: &Registry, day: DocumentDate, asked: &Allowed, system: SystemId, from: AgencyCode) -> Verdict {
    let written = |code: &AgencyCode, path: String| Written {
        code: code.clone(),
        path,
    };
    let to = asked.to.iter().enumerate();
    let publish = Publish {
        contract: asked.contract.clone(),
        from: written(&from, "from".to_owned()),
        to: to.map(|(at, code)| written(code, format!("to[{at}]"))).collect(),
        purpose: asked.purpose.clone(),
        order_key: String::new(),
        idempotency_key: String::new(),
        case: String::new(),
        codes_as_of: asked.dated,
        documents: Vec::new(),
        act: String::new(),
        due: None,
        payload: bytes::Bytes::new(),
        objects: Vec::new(),
    };
    let (grants, refusals) = match registry.authorise_on(&system, publish, day) {
        Ok(authorised) => (
            authorised.grants().iter().map(ToString::to_string).collect(),
            Vec::new(),
        ),
        Err(refusals) => (Vec::new(), refusals.iter().map(told).collect()),
    };
    Verdict {
        system,
        from,
        allowed: refusals.is_empty(),
        grants,
        refusals,
    }
}

fn told(refusal: &Refusal) -> Value {
    let vi = refusal.vietnamese();
    let Refusal {
        code, path, what, mend, ..
    } = refusal;
    json!({ "code": code, "path": path, "what": what, "mend": mend, "vi": vi })
}

//! What operators ask a running node of its registry, and change in it: `lgsp registry`, `lgsp who-may`, `lgsp allowed`.

use http::{Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use lgsp_exchange::{ImportError, Imported, Spine};
use lgsp_registry::{ConfigError, ObjectRef, Registry, Take};
use lgsp_types::{
    AgencyCode, Caller, ContractRef, DocumentDate, Publish, ReasonCode, Refusal, SystemId, UnixMs, Written,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tracing::info;

/// Where these questions go; what follows is the question's name.
pub(super) const PATH: &str = "/v1/registry/";
/// Largest question, in bytes: a registry file of 4 MiB as JSON.
const QUESTION_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Longest wait for the bytes of a question.
const QUESTION_TIME: std::time::Duration = std::time::Duration::from_secs(10);

/// `apply`: a registry file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Apply {
    /// The file's own name, without folders.
    pub(crate) file: String,
    pub(crate) text: String,
    /// What becomes of that which was changed elsewhere.
    pub(crate) take: Option<Taking>,
    /// Only say what would change.
    pub(crate) only_plan: bool,
}

/// A decision between a file and the ledger.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Taking {
    /// The file is right
    File,
    /// The ledger is right
    Ledger,
}

/// `edit`: one object as a person edited it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Edit {
    pub(crate) text: String,
}

/// `show` and `history`: which object.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    /// None, for the history: all.
    pub(crate) object: Option<ObjectRef>,
}

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

/// Status and JSON.
type Answer = (StatusCode, Value);

/// Answers one question, asked by the local user with this id.
pub(super) async fn answer(spine: &Spine, now: UnixMs, user: Option<u32>, request: Request<Incoming>) -> Answer {
    let question = request.uri().path().strip_prefix(PATH).unwrap_or_default().to_owned();
    let reading = Limited::new(request.into_body(), QUESTION_BYTES_MAX).collect();
    let body = match tokio::time::timeout(QUESTION_TIME, reading).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) => return wrong(&format!("the question cannot be read: {error}")),
        Err(_) => return wrong("the question did not come to its end in time"),
    };
    let answered = match question.as_str() {
        "apply" => match read(&body) {
            Ok(asked) => Ok(apply(spine, user, asked).await),
            Err(answer) => Err(answer),
        },
        "edit" => match read(&body) {
            Ok(asked) => Ok(edit(spine, user, asked).await),
            Err(answer) => Err(answer),
        },
        "history" => match read(&body) {
            Ok(asked) => Ok(history(spine, asked).await),
            Err(answer) => Err(answer),
        },
        "show" => read(&body).map(|asked| show(spine, asked)),
        "who-may" => read(&body).map(|asked| who_may(&spine.ruling().registry, now, &asked)),
        "allowed" => read(&body).map(|asked| allowed(&spine.ruling().registry, now, &asked)),
        _ => Err((
            StatusCode::NOT_FOUND,
            json!({"error": "of the registry one asks apply, edit, history, show, who-may or allowed"}),
        )),
    };
    answered.unwrap_or_else(|answer| answer)
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Answer> {
    serde_json::from_slice(body).map_err(|error| wrong(&format!("the question is not understood: {error}")))
}

fn wrong(what: &str) -> Answer {
    (StatusCode::BAD_REQUEST, json!({ "error": what }))
}

fn no(what: &str) -> Answer {
    (StatusCode::NOT_FOUND, json!({ "error": what }))
}

async fn apply(spine: &Spine, user: Option<u32>, asked: Apply) -> Answer {
    let take = match asked.take {
        None => Take::Neither,
        Some(Taking::File) => Take::File,
        Some(Taking::Ledger) => Take::Ledger,
    };
    let planned = match spine.plan(&asked.file, &asked.text, take) {
        Ok(planned) => planned,
        Err(error) => return refused(&error),
    };
    if asked.only_plan {
        return (StatusCode::OK, json!(planned));
    }
    match spine.import_taking(&asked.file, &asked.text, take).await {
        Ok(Imported { changed, made, .. }) => {
            info!(file = asked.file, user, changed, "a registry file was applied");
            let (changes, left) = (planned.changes, planned.left);
            let answer = json!({ "changed": changed, "changes": changes, "left": left, "made": made });
            (StatusCode::OK, answer)
        }
        Err(error) => refused(&error),
    }
}

async fn edit(spine: &Spine, user: Option<u32>, asked: Edit) -> Answer {
    // Who holds the socket's other end, as the system says; there is no login here.
    let Some(user) = user else {
        return wrong("the system does not say who asks");
    };
    match spine.edit(&format!("uid:{user}"), &asked.text).await {
        Ok(made) => (StatusCode::OK, json!({ "made": made })),
        Err(error) => refused(&error),
    }
}

fn refused(error: &ImportError) -> Answer {
    match error {
        ImportError::File(mistakes) => {
            let text: Vec<String> = mistakes.iter().map(|mistake| format!("\n  {mistake}")).collect();
            let answer = json!({ "error": format!("{error}:{}", text.concat()), "mistakes": mistakes.iter().map(mistake).collect::<Vec<_>>() });
            (StatusCode::UNPROCESSABLE_ENTITY, answer)
        }
        ImportError::Overtaken { made, .. } => (
            StatusCode::CONFLICT,
            json!({ "error": error.to_string(), "made": made }),
        ),
        ImportError::NoNews(_) | ImportError::Void { .. } => {
            (StatusCode::CONFLICT, json!({ "error": error.to_string() }))
        }
        ImportError::Control(_) => (StatusCode::SERVICE_UNAVAILABLE, json!({ "error": error.to_string() })),
    }
}

fn mistake(mistake: &ConfigError) -> Value {
    let ConfigError {
        file,
        line,
        column,
        path,
        code,
        what,
        mend,
    } = mistake;
    json!({ "file": file, "line": line, "column": column, "path": path, "code": code, "what": what, "mend": mend })
}

fn show(spine: &Spine, asked: Which) -> Answer {
    let Some(object) = asked.object else {
        return wrong("name the object, as in `grant/van-ban`");
    };
    match spine.object_to_edit(&object) {
        Some((text, made)) => (StatusCode::OK, json!({ "object": object, "text": text, "made": made })),
        None => no(&format!(
            "there is no {object}; `lgsp registry history {object}` tells whether there was"
        )),
    }
}

async fn history(spine: &Spine, asked: Which) -> Answer {
    match spine.chronicle(asked.object.as_ref()).await {
        Ok(events) => (StatusCode::OK, json!({ "events": events })),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, json!({ "error": error.to_string() })),
    }
}

fn who_may(registry: &Registry, now: UnixMs, asked: &WhoMay) -> Answer {
    let day = asked.as_of.unwrap_or_else(|| now.day_in_vietnam());
    let version = match asked
        .contract
        .contains('/')
        .then(|| ContractRef::parse(&asked.contract))
    {
        Some(Ok(contract)) => Some(contract),
        Some(Err(error)) => return wrong(&format!("`{}` {error}", asked.contract)),
        None => None,
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

fn allowed(registry: &Registry, now: UnixMs, asked: &Allowed) -> Answer {
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
    let caller = Caller {
        adapter: (&system).into(),
        system: system.clone(),
    };
    let (grants, refusals) = match registry.authorise_on(&caller, publish, day) {
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
    let Refusal { code, path, what, mend } = refusal;
    json!({ "code": code, "path": path, "what": what, "mend": mend })
}

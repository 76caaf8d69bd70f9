//! What operators ask a running node of its registry, and change in it: `lgsp registry`.

use http::{Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use lgsp_exchange::{ImportError, Imported, Spine};
use lgsp_registry::{ConfigError, ObjectRef, Take};
use lgsp_types::UnixMs;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tracing::info;

use super::rights;

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

/// Status and JSON.
pub(super) type Answer = (StatusCode, Value);

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
        "who-may" => read(&body).map(|asked| rights::who_may(&spine.ruling().registry, now, &asked)),
        "allowed" => read(&body).map(|asked| rights::allowed(&spine.ruling().registry, now, &asked)),
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

pub(super) fn wrong(what: &str) -> Answer {
    (StatusCode::BAD_REQUEST, json!({ "error": what }))
}

pub(super) fn no(what: &str) -> Answer {
    (StatusCode::NOT_FOUND, json!({ "error": what }))
}

async fn apply(spine: &Spine, user: Option<u32>, asked: Apply) -> Answer {
    let take = match asked.take {
        None => Take::Neither,
        Some(Taking::File) => Take::File,
        Some(Taking::Ledger) => Take::Ledger,
    };
    let planned = match spine.plan(&asked.file, &asked.text, take).await {
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

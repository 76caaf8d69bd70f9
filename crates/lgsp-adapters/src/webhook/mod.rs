//! The adapter `webhook`: pushes each delivery to an HTTP service of the department as one signed JSON document, by
//! Standard Webhooks. Built into the node.
//!
//! Source: standardwebhooks.com, specification 1.0.0; README.md of this folder says what a receiver must do.

mod allow;
mod answer;
mod call;
mod letter;
mod reach;
mod settings;
mod sign;
pub mod simulator;
#[cfg(test)]
mod tests;
mod trouble;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use lgsp_types::{
    Adapter, Answered, CheckError, Clock, ConnectorId, ObjectReader, Push, Pushed, Question, ReasonCode, Url,
};
use tracing::{info, warn};

pub use allow::{HostPattern, Network, PatternError};
use letter::Letter;
use reach::Reach;
pub use settings::Settings;
use sign::Signers;
use trouble::Trouble;

/// The kind of adapter that connectors of the registry name.
pub const KIND: &str = "webhook";

/// The connector is none of ours, or the registry names no address for it.
const URL_MISSING: ReasonCode = ReasonCode::new("URL_MISSING");
/// All files of a delivery together are larger than `webhook.files_max_bytes`.
const FILES_TOO_LARGE: ReasonCode = ReasonCode::new("FILES_TOO_LARGE");
const QUESTIONS_NOT_ANSWERED: ReasonCode = ReasonCode::new("QUESTIONS_NOT_ANSWERED");

/// Where one connector's far side is called, and the secret that signs what it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub url: Option<Url>,
    /// Name of its system's secret under the secrets folder.
    pub secret_ref: Option<String>,
}

/// The endpoint of a connector by the rules of this moment; none: there is no such connector.
pub type Endpoints = Arc<dyn Fn(&ConnectorId) -> Option<Endpoint> + Send + Sync>;

/// Pushes to webhooks.
pub struct Webhook {
    settings: Settings,
    secrets_dir: PathBuf,
    endpoints: Endpoints,
    objects: Arc<dyn ObjectReader>,
    reach: Reach,
    clock: Clock,
}

impl Webhook {
    #[must_use]
    pub fn new(
        settings: Settings,
        secrets_dir: &Path,
        endpoints: Endpoints,
        objects: Arc<dyn ObjectReader>,
        clock: Clock,
    ) -> Self {
        Self {
            reach: Reach::new(&settings),
            settings,
            secrets_dir: secrets_dir.to_owned(),
            endpoints,
            objects,
            clock,
        }
    }

    /// The address of a connector, and what signs for it.
    async fn endpoint(&self, connector: &ConnectorId) -> Result<(Url, Signers), Trouble> {
        let endpoint = (self.endpoints)(connector).ok_or(Trouble::new(URL_MISSING))?;
        let url = endpoint.url.ok_or(Trouble::new(URL_MISSING))?;
        let signers = Signers::read(&self.secrets_dir, endpoint.secret_ref).await?;
        Ok((url, signers))
    }

    async fn push(&self, push: &Push) -> Result<Pushed, Trouble> {
        let (url, signers) = self.endpoint(&push.connector).await?;
        let letter = match Letter::of(push) {
            Ok(letter) if letter.files_bytes() > self.settings.files_max_bytes => {
                return Ok(Pushed::Refused(FILES_TOO_LARGE));
            }
            Ok(letter) => letter,
            Err(reason) => return Ok(Pushed::Refused(reason)),
        };
        // Signed before anything is connected, as the header stands before what it covers.
        let now = (self.clock)();
        let signed = signers.sign(push.delivery, now, &letter, &self.objects).await?;
        let link = self.reach.connect(&url).await?;
        let body = letter.into_stream(Arc::clone(&self.objects));
        let calling = call::call(link, &url, signed, push.content.trace, body);
        let answer = tokio::time::timeout(self.settings.answer_timeout(), calling).await;
        let answer = answer.map_err(|_| Trouble::new(trouble::ANSWER_LATE))??;
        Ok(answer::judge(push.delivery, answer, (self.clock)()))
    }
}

#[async_trait]
impl Adapter for Webhook {
    /// Connects, as a delivery would, and says nothing.
    async fn check(&self, connector: &ConnectorId) -> Result<(), CheckError> {
        let reached = async {
            let (url, _) = self.endpoint(connector).await?;
            self.reach.connect(&url).await
        };
        reached.await.map(drop).map_err(|trouble| CheckError {
            connector: connector.clone(),
            source: trouble.into(),
        })
    }

    async fn deliver(&self, push: Push) -> Pushed {
        let (began, attempt) = (Instant::now(), push.attempt);
        let pushed = self.push(&push).await.unwrap_or_else(|trouble| {
            let error = &trouble as &dyn std::error::Error;
            warn!(connector.id = %push.connector, error, "a far side was not reached, or broke off");
            Pushed::TryAgain {
                reason: trouble.reason,
                after: None,
            }
        });
        let outcome = match &pushed {
            Pushed::Done(_) => "DONE",
            Pushed::Refused(reason) | Pushed::TryAgain { reason, .. } => reason.as_str(),
        };
        let elapsed_ms = began.elapsed().as_millis();
        let trace = push.content.trace.map(|trace| trace.trace_id.to_string());
        info!(connector.id = %push.connector, delivery.id = %push.delivery, attempt, outcome, elapsed_ms, trace, "pushed");
        pushed
    }

    /// A webhook is told, never asked.
    async fn answer(&self, _: Question) -> Answered {
        Answered::Refused(QUESTIONS_NOT_ANSWERED)
    }
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Webhook")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

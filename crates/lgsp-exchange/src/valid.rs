//! A message that may be sent and whose payload fits its contract: the only one that becomes an Accepted fact.

use std::sync::Arc;

use lgsp_contract::{Broken, Contracts};
use lgsp_registry::Authorised;
use lgsp_types::{DocumentDate, ReasonCode, Refusal};
use tokio::sync::Semaphore;
use tracing::{error, info};

use crate::spine::unavailable;

/// A payload up to so many bytes is checked at once: that takes less than handing it to another thread.
const SMALL_BYTES: usize = 16 * 1024;
/// Larger payloads checked at one time: the worst take a good part of a second each.
const LARGE_AT_ONCE: usize = 4;
/// A mark of state secrecy was found (Decision 28/2018/QD-TTg); what bears it must not travel here at all.
const SECRECY_MARK: ReasonCode = ReasonCode::new("SECRECY_MARK");

/// May be sent, and fits.
#[derive(Debug)]
pub(crate) struct Valid(Authorised);

impl Valid {
    pub(crate) const fn authorised(&self) -> &Authorised {
        &self.0
    }
}

/// Holds payloads against contracts, some large ones at one time.
#[derive(Debug)]
pub(crate) struct PayloadCheck {
    large: Arc<Semaphore>,
}

/// Why there is no [`Valid`].
#[derive(Debug)]
pub(crate) enum Unfit {
    /// Every broken rule.
    Refused(Vec<Refusal>),
    /// Nothing is known of the payload.
    Unavailable(lgsp_types::Unavailable),
}

impl Default for PayloadCheck {
    fn default() -> Self {
        Self {
            large: Arc::new(Semaphore::new(LARGE_AT_ONCE)),
        }
    }
}

impl PayloadCheck {
    /// Lets a message through whose payload fits the contract that it names.
    pub(crate) async fn check(
        &self,
        contracts: &Arc<Contracts>,
        authorised: Authorised,
        today: DocumentDate,
    ) -> Result<Valid, Unfit> {
        let publish = authorised.publish();
        let checked = if publish.payload.len() <= SMALL_BYTES {
            contracts.check(&publish.contract, &publish.payload, today)
        } else {
            let turn = Arc::clone(&self.large)
                .acquire_owned()
                .await
                .map_err(|error| Unfit::Unavailable(unavailable(error)))?;
            let (contracts, contract, payload) =
                (Arc::clone(contracts), publish.contract.clone(), publish.payload.clone());
            let checking = tokio::task::spawn_blocking(move || {
                // The turn ends with the work, also where the caller has gone away before.
                let _turn = turn;
                contracts.check(&contract, &payload, today)
            });
            checking.await.map_err(|error| Unfit::Unavailable(unavailable(error)))?
        };
        match checked {
            Ok(valid) => {
                for flag in valid.flags() {
                    info!(code = %flag.code, system = %authorised.envelope().system, "a message is accepted with a flag");
                }
                Ok(Valid(authorised))
            }
            Err(broken) => {
                alert(&broken, &authorised);
                Err(Unfit::Refused(broken.iter().map(Broken::refusal).collect()))
            }
        }
    }
}

/// State secrets do not belong on this network: whoever sent one has a duty, and so have those who watch.
fn alert(broken: &[Broken], authorised: &Authorised) {
    if broken.iter().any(|broken| broken.code == SECRECY_MARK) {
        let sender = &authorised.envelope().sender;
        error!(
            system = %authorised.envelope().system,
            sender = %sender.agency,
            "security alert: a message with a mark of state secrecy was stopped at the door"
        );
    }
}

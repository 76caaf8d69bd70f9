//! Contracts come into force: sound, breaking nobody who sends by an earlier version, and never changed afterwards.

use lgsp_contract::{Contracts, Folder, Problem, unbroken};
use lgsp_registry::{ContractNotTaken, ContractText};
use thiserror::Error;

use crate::configure::ImportError;
use crate::spine::Spine;

/// Why contracts did not come into force.
#[derive(Debug, Error)]
pub enum ContractsError {
    /// Correct them; `lgsp contract check` says all of it.
    #[error("{} things are wrong in the contracts, the first: {}", .0.len(), first_problem(.0))]
    Unsound(Vec<Problem>),
    /// Make new versions.
    #[error("{} contracts are not taken, the first: {}", .0.len(), .0.first().map(ToString::to_string).unwrap_or_default())]
    NotTaken(Vec<ContractNotTaken>),
    #[error(transparent)]
    Import(#[from] ImportError),
}

fn first_problem(problems: &[Problem]) -> String {
    let first = problems.first();
    first.map_or_else(String::new, |first| {
        format!("{} {}: {}", first.contract, first.file, first.broken)
    })
}

impl Spine {
    /// Brings versions of contracts into force; those that are, stay, whatever is in the folders.
    ///
    /// # Errors
    /// [`ContractsError`]; no contract came into force then, unless the control ledger broke off between two.
    pub async fn import_contracts(&self, folders: &[Folder]) -> Result<usize, ContractsError> {
        let together = self.rules.contract_folders().into_iter();
        let new = |known: &Folder| folders.iter().all(|folder| folder.contract != known.contract);
        let together: Vec<Folder> = together.filter(new).chain(folders.iter().cloned()).collect();
        let contracts = Contracts::load(&together).map_err(ContractsError::Unsound)?;
        unbroken(&contracts).map_err(ContractsError::Unsound)?;
        let texts = folders.iter().filter_map(contract_text).collect();
        let planned = self.rules.plan_contracts(texts).map_err(ContractsError::NotTaken)?;
        let count = planned.len();
        for change_set in planned {
            self.write_change_set(change_set.bytes).await?;
        }
        Ok(count)
    }
}

/// What of a contract's folder stands in the ledger: samples do not.
fn contract_text(folder: &Folder) -> Option<ContractText> {
    let (schema, settings) = folder.texts()?;
    Some(ContractText {
        id: folder.contract.clone(),
        schema: schema.to_owned(),
        settings: settings.to_owned(),
    })
}

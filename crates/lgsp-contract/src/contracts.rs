//! Every contract that a node knows, each version compiled once.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use lgsp_types::{ContractRef, DocumentDate};

use crate::catalogue::{Broken, CONTRACT_TWICE, CONTRACT_UNKNOWN, CONTRACT_VERSION_UNKNOWN};
use crate::contract::{Contract, Folder, Problem, Valid};

/// Contracts by name and version. Compiled at [`Contracts::load`] and kept; a check takes some microseconds.
#[derive(Debug, Default)]
pub struct Contracts {
    by_name: BTreeMap<String, BTreeMap<u32, Contract>>,
}

impl Contracts {
    /// Compiles every version; its samples and what it breaks are for [`crate::examine`].
    ///
    /// # Errors
    /// All that is wrong in all of them; keep the contracts in force until now.
    pub fn load(folders: &[Folder]) -> Result<Self, Vec<Problem>> {
        let mut contracts = Self::default();
        let mut problems = Vec::new();
        for folder in folders {
            match Contract::compile(folder) {
                Ok(contract) => problems.extend(contracts.keep(contract)),
                Err(wrong) => problems.extend(wrong),
            }
        }
        if problems.is_empty() {
            Ok(contracts)
        } else {
            Err(problems)
        }
    }

    fn keep(&mut self, contract: Contract) -> Option<Problem> {
        let reference = contract.reference().clone();
        let versions = self.by_name.entry(reference.name().to_owned()).or_default();
        match versions.entry(reference.version()) {
            Entry::Vacant(free) => {
                free.insert(contract);
                None
            }
            Entry::Occupied(_) => Some(Problem {
                contract: reference,
                file: String::new(),
                broken: CONTRACT_TWICE.at("/", &[]),
            }),
        }
    }

    /// # Errors
    /// No such contract or version; the caller names another.
    pub fn find(&self, contract: &ContractRef) -> Result<&Contract, Vec<Broken>> {
        let Some(versions) = self.by_name.get(contract.name()) else {
            return Err(vec![CONTRACT_UNKNOWN.at("/", &[&contract.name()])]);
        };
        versions.get(&contract.version()).ok_or_else(|| {
            let known: Vec<_> = versions.keys().map(u32::to_string).collect();
            vec![CONTRACT_VERSION_UNKNOWN.at("/", &[&contract.name(), &known.join(", ")])]
        })
    }

    /// Does this payload fit the contract that its envelope names? `today` is the day in Vietnam.
    ///
    /// # Errors
    /// Every broken rule; the caller mends them and sends again.
    pub fn check(&self, contract: &ContractRef, payload: &[u8], today: DocumentDate) -> Result<Valid, Vec<Broken>> {
        self.find(contract)?.check(payload, today)
    }

    /// By name, then version.
    pub fn iter(&self) -> impl Iterator<Item = &Contract> + Clone {
        self.by_name.values().flat_map(BTreeMap::values)
    }
}

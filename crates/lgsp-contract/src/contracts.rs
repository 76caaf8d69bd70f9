//! Every contract that a node knows, each version compiled once.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use lgsp_types::{ContractRef, DocumentDate};

use crate::catalogue::{Broken, CONTRACT_TWICE, CONTRACT_UNKNOWN, CONTRACT_VERSION_UNKNOWN};
use crate::contract::{Contract, Folder, Problem, Valid};

/// Contracts by name and version. Compiled once and kept, shared by all clones; a check takes some microseconds.
#[derive(Clone, Debug, Default)]
pub struct Contracts {
    by_name: BTreeMap<String, BTreeMap<u32, Arc<Contract>>>,
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
            if let Err(wrong) = contracts.add(folder) {
                problems.extend(wrong);
            }
        }
        if problems.is_empty() {
            Ok(contracts)
        } else {
            Err(problems)
        }
    }

    /// Compiles one version more.
    ///
    /// # Errors
    /// All that is wrong in it, or that it is there already; the contracts are as before.
    pub fn add(&mut self, folder: &Folder) -> Result<(), Vec<Problem>> {
        let contract = Contract::compile(folder)?;
        let reference = contract.reference().clone();
        let versions = self.by_name.entry(reference.name().to_owned()).or_default();
        match versions.entry(reference.version()) {
            Entry::Vacant(free) => {
                free.insert(Arc::new(contract));
                Ok(())
            }
            Entry::Occupied(_) => Err(vec![Problem {
                contract: reference,
                file: String::new(),
                broken: CONTRACT_TWICE.at("/", &[]),
            }]),
        }
    }

    /// # Errors
    /// No such contract or version; the caller names another.
    pub fn find(&self, contract: &ContractRef) -> Result<&Contract, Vec<Broken>> {
        let Some(versions) = self.by_name.get(contract.name()) else {
            return Err(vec![CONTRACT_UNKNOWN.at("/", &[&contract.name()])]);
        };
        versions.get(&contract.version()).map(Arc::as_ref).ok_or_else(|| {
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
        self.by_name.values().flat_map(BTreeMap::values).map(Arc::as_ref)
    }
}

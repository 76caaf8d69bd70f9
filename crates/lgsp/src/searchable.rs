//! Which fields of which contract are searched, as the contracts mark them.

use std::collections::BTreeMap;
use std::sync::Arc;

use lgsp_contract::{Contracts, Folder};
use lgsp_exchange::Searchable;
use lgsp_types::ContractRef;

/// What these contracts mark; of a version that is not among them nothing is searched.
pub(crate) fn searchable(contracts: &Contracts) -> Searchable {
    let marks = contracts
        .iter()
        .map(|contract| (contract.reference().clone(), Arc::from(contract.searchable())));
    let marks: BTreeMap<ContractRef, Arc<[String]>> = marks.collect();
    let nothing: Arc<[String]> = Arc::new([]);
    Searchable::new(move |contract| Arc::clone(marks.get(contract).unwrap_or(&nothing)))
}

macro_rules! shipped {
    ($($name:literal),+) => {
        [$((
            $name,
            include_bytes!(concat!("../../../config/contracts/", $name, "/contract.toml")).as_slice(),
            include_bytes!(concat!("../../../config/contracts/", $name, "/schema.json")).as_slice(),
        )),+]
    };
}

/// What the contracts mark that are built in.
pub(crate) fn shipped() -> Searchable {
    let folders = shipped!["vn.lgsp.document/1", "vn.lgsp.document-status/1"].map(|(name, settings, schema)| {
        let files = [("contract.toml", settings), ("schema.json", schema)];
        let files = files.map(|(file, bytes)| (file.to_owned(), bytes.to_owned()));
        let contract = ContractRef::parse(name).ok()?;
        Some(Folder {
            contract,
            files: BTreeMap::from(files),
        })
    });
    let folders: Vec<Folder> = folders.into_iter().flatten().collect();
    searchable(&Contracts::load(&folders).unwrap_or_default())
}

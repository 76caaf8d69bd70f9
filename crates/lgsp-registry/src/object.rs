//! The objects of the registry as one kind of thing: what a change set changes, in its one canonical spelling.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use lgsp_types::{AdapterId, AgencyId, ConnectorId, ContractRef, Digest, GrantId, SystemId};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use thiserror::Error;

use crate::canonical;
use crate::grant::Grant;
use crate::model::{Adapter, Agency, Connector, ContractText, System};

/// One object, cheap to share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    Agency(Arc<Agency>),
    System(Arc<System>),
    Connector(Arc<Connector>),
    Adapter(Arc<Adapter>),
    Grant(Arc<Grant>),
    Contract(Arc<ContractText>),
}

/// Which object: `agency/vp.so-tu-phap`, `system/..`, `connector/..`, `adapter/..`, `grant/..`, `contract/vn.lgsp.document/1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ObjectRef {
    Agency(AgencyId),
    System(SystemId),
    Connector(ConnectorId),
    Adapter(AdapterId),
    Contract(ContractRef),
    Grant(GrantId),
}

/// The kinds of objects; in this order they may refer to one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ObjectKind {
    Agency,
    System,
    Connector,
    Adapter,
    Grant,
    Contract,
}

/// A text names no object: it is `agency/`, `system/`, `connector/`, `adapter/`, `grant/` or `contract/` and an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("is not `agency/`, `system/`, `connector/`, `adapter/`, `grant/` or `contract/` and an id")]
pub struct ObjectRefError;

/// Where in an object's JSON something is wrong, and what.
#[derive(Debug)]
pub(crate) struct Misfit {
    /// E.g. `codes[1].to`; `.` for the whole.
    pub(crate) path: String,
    pub(crate) what: String,
}

impl ObjectKind {
    /// Those that stand in registry files; contracts have folders of their own.
    pub(crate) const IN_FILES: [Self; 5] = [Self::Agency, Self::System, Self::Connector, Self::Adapter, Self::Grant];

    /// The name of its tables in a file, and of its references.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Agency => "agency",
            Self::System => "system",
            Self::Connector => "connector",
            Self::Adapter => "adapter",
            Self::Contract => "contract",
            Self::Grant => "grant",
        }
    }

    /// Reads an object of this kind.
    pub(crate) fn read(self, content: Value) -> Result<Object, Misfit> {
        fn read<T: for<'de> Deserialize<'de>>(content: Value) -> Result<Arc<T>, Misfit> {
            serde_path_to_error::deserialize(content)
                .map(Arc::new)
                .map_err(|error| Misfit {
                    path: error.path().to_string(),
                    what: error.inner().to_string(),
                })
        }
        match self {
            Self::Agency => read(content).map(Object::Agency),
            Self::System => read(content).map(Object::System),
            Self::Connector => read(content).map(Object::Connector),
            Self::Adapter => read(content).map(Object::Adapter),
            Self::Contract => read(content).map(Object::Contract),
            Self::Grant => read(content).map(Object::Grant),
        }
    }
}

impl Object {
    #[must_use]
    pub fn reference(&self) -> ObjectRef {
        match self {
            Self::Agency(agency) => ObjectRef::Agency(agency.id.clone()),
            Self::System(system) => ObjectRef::System(system.id.clone()),
            Self::Connector(connector) => ObjectRef::Connector(connector.id.clone()),
            Self::Adapter(adapter) => ObjectRef::Adapter(adapter.id.clone()),
            Self::Contract(contract) => ObjectRef::Contract(contract.id.clone()),
            Self::Grant(grant) => ObjectRef::Grant(grant.id.clone()),
        }
    }

    /// SHA-256 of its canonical JSON.
    pub(crate) fn digest(&self) -> Digest {
        Digest::of(&canonical::to_bytes(self))
    }
}

/// As the agency, system, connector, adapter, grant or contract itself.
impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Agency(agency) => agency.as_ref().serialize(serializer),
            Self::System(system) => system.as_ref().serialize(serializer),
            Self::Connector(connector) => connector.as_ref().serialize(serializer),
            Self::Adapter(adapter) => adapter.as_ref().serialize(serializer),
            Self::Contract(contract) => contract.as_ref().serialize(serializer),
            Self::Grant(grant) => grant.as_ref().serialize(serializer),
        }
    }
}

impl ObjectRef {
    pub(crate) const fn kind(&self) -> ObjectKind {
        match self {
            Self::Agency(_) => ObjectKind::Agency,
            Self::System(_) => ObjectKind::System,
            Self::Connector(_) => ObjectKind::Connector,
            Self::Adapter(_) => ObjectKind::Adapter,
            Self::Contract(_) => ObjectKind::Contract,
            Self::Grant(_) => ObjectKind::Grant,
        }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id: &dyn fmt::Display = match self {
            Self::Agency(id) => id,
            Self::System(id) => id,
            Self::Connector(id) => id,
            Self::Adapter(id) => id,
            Self::Grant(id) => id,
            Self::Contract(id) => id,
        };
        write!(out, "{}/{id}", self.kind().name())
    }
}

impl TryFrom<String> for ObjectRef {
    type Error = ObjectRefError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let (kind, id) = text.split_once('/').ok_or(ObjectRefError)?;
        match kind {
            "agency" => AgencyId::parse(id).map(Self::Agency),
            "system" => SystemId::parse(id).map(Self::System),
            "connector" => ConnectorId::parse(id).map(Self::Connector),
            "adapter" => AdapterId::parse(id).map(Self::Adapter),
            "contract" => return ContractRef::parse(id).map(Self::Contract).map_err(|_| ObjectRefError),
            "grant" => GrantId::parse(id).map(Self::Grant),
            _ => return Err(ObjectRefError),
        }
        .map_err(|_| ObjectRefError)
    }
}

impl From<ObjectRef> for String {
    fn from(object: ObjectRef) -> Self {
        object.to_string()
    }
}

/// All objects of one moment, by id; a copy shares them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Objects {
    pub(crate) agencies: BTreeMap<AgencyId, Arc<Agency>>,
    pub(crate) systems: BTreeMap<SystemId, Arc<System>>,
    pub(crate) connectors: BTreeMap<ConnectorId, Arc<Connector>>,
    pub(crate) adapters: BTreeMap<AdapterId, Arc<Adapter>>,
    pub(crate) contracts: BTreeMap<ContractRef, Arc<ContractText>>,
    pub(crate) grants: BTreeMap<GrantId, Arc<Grant>>,
}

impl Objects {
    pub(crate) fn get(&self, object: &ObjectRef) -> Option<Object> {
        match object {
            ObjectRef::Agency(id) => self.agencies.get(id).cloned().map(Object::Agency),
            ObjectRef::System(id) => self.systems.get(id).cloned().map(Object::System),
            ObjectRef::Connector(id) => self.connectors.get(id).cloned().map(Object::Connector),
            ObjectRef::Adapter(id) => self.adapters.get(id).cloned().map(Object::Adapter),
            ObjectRef::Contract(id) => self.contracts.get(id).cloned().map(Object::Contract),
            ObjectRef::Grant(id) => self.grants.get(id).cloned().map(Object::Grant),
        }
    }

    /// Puts the object in the place of what had its id; none removes it.
    pub(crate) fn set(&mut self, reference: &ObjectRef, content: Option<Object>) {
        match (reference, content) {
            (_, Some(Object::Agency(agency))) => drop(self.agencies.insert(agency.id.clone(), agency)),
            (_, Some(Object::System(system))) => drop(self.systems.insert(system.id.clone(), system)),
            (_, Some(Object::Connector(connector))) => {
                drop(self.connectors.insert(connector.id.clone(), connector));
            }
            (_, Some(Object::Adapter(adapter))) => drop(self.adapters.insert(adapter.id.clone(), adapter)),
            (_, Some(Object::Contract(contract))) => drop(self.contracts.insert(contract.id.clone(), contract)),
            (_, Some(Object::Grant(grant))) => drop(self.grants.insert(grant.id.clone(), grant)),
            (ObjectRef::Agency(id), None) => drop(self.agencies.remove(id)),
            (ObjectRef::System(id), None) => drop(self.systems.remove(id)),
            (ObjectRef::Connector(id), None) => drop(self.connectors.remove(id)),
            (ObjectRef::Adapter(id), None) => drop(self.adapters.remove(id)),
            (ObjectRef::Contract(id), None) => drop(self.contracts.remove(id)),
            (ObjectRef::Grant(id), None) => drop(self.grants.remove(id)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_reads_back_as_written() {
        for text in [
            "agency/vp.so-tu-phap",
            "system/vxp.vinhphuc.01",
            "connector/C_1",
            "adapter/vxp-1",
            "contract/vn.lgsp.document/1",
            "grant/van-ban.H44",
        ] {
            assert_eq!(ObjectRef::try_from(text.to_owned()).unwrap().to_string(), text);
        }
        for bad in [
            "agency",
            "agency/",
            "agency/VP",
            "right/x",
            "grant/a b",
            "system/../x",
            "system/a/b",
            "contract/vn.lgsp.document",
            "",
        ] {
            assert_eq!(ObjectRef::try_from(bad.to_owned()), Err(ObjectRefError), "{bad}");
        }
    }

    #[test]
    fn a_misfit_names_its_place() {
        for (content, path, what) in [
            (
                r#"{"id":"a","kind":"department","names":["A"],"codes":["H62",{"is":"H62.11","to":"2025-02-30"}]}"#,
                "codes[1].to",
                "no day",
            ),
            (
                r#"{"id":"a","kind":"department","names":["A"],"codes":["H62","h62"]}"#,
                "codes[1]",
                "character",
            ),
            (
                r#"{"id":"a","kind":"department","names":["A"],"colour":1}"#,
                "colour",
                "unknown field `colour`",
            ),
            (
                r#"{"id":"a","kind":"ministry","names":["A"]}"#,
                "kind",
                "unknown variant",
            ),
            (r#"{"id":"a","names":["A"]}"#, ".", "missing field `kind`"),
            (r#"{"id":"A","kind":"unit","names":["A"]}"#, "id", "not allowed"),
        ] {
            let misfit = ObjectKind::Agency
                .read(serde_json::from_str(content).unwrap())
                .unwrap_err();
            assert_eq!(misfit.path, path, "{content}: {}", misfit.what);
            assert!(misfit.what.contains(what), "{content}: {}", misfit.what);
        }
    }
}

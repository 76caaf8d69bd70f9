//! What the exchange needs to know of a packet: sender, addressees, order key, documents.
//!
//! Source: exchange.md 5.1, 5.3. How the order key is derived is frozen for the life of a ledger.

use lgsp_types::{DocumentDate, DocumentRef, Relation, Written};
use unicode_normalization::UnicodeNormalization;

use super::header::{Document, Header, Organ, Reference, Status};
use super::{Kind, Packet};

impl Packet {
    #[must_use]
    pub fn kind(&self) -> Kind {
        match &self.header {
            Header::Document(_) => Kind::Document,
            Header::Status(_) => Kind::Status,
        }
    }

    /// The sender.
    #[must_use]
    pub fn from(&self) -> Written {
        match &self.header {
            Header::Document(document) => written(&document.from),
            Header::Status(status) => written(&status.from),
        }
    }

    /// Whom the packet itself names: every `To`, or for a status `ResponseFor`. At least one.
    #[must_use]
    pub fn to(&self) -> Vec<Written> {
        match &self.header {
            Header::Document(document) => document.to.iter().map(written).collect(),
            Header::Status(status) => status.response_for.written().into_iter().collect(),
        }
    }

    /// Whose sequence this packet belongs to: the document answered, the document acted on, or the document itself;
    /// in NFC, at most `KEY_MAX_BYTES`.
    #[must_use]
    pub fn order_key(&self) -> String {
        let id = match &self.header {
            Header::Status(status) => status.key(),
            Header::Document(document) => document.acted_on().unwrap_or(&document.id).to_owned(),
        };
        id.nfc().collect()
    }

    /// The documents this packet is, answers, acts on or replaces.
    #[must_use]
    pub fn documents(&self) -> Vec<DocumentRef> {
        match &self.header {
            Header::Document(document) => document.references(),
            Header::Status(status) => vec![status.reference()],
        }
    }

    /// A document's kind `0` to `3`, or a status `01` to `16`.
    #[must_use]
    pub fn act(&self) -> String {
        match &self.header {
            Header::Document(document) => document.business.kind.to_string(),
            Header::Status(status) => status.status_code.clone(),
        }
    }

    #[must_use]
    pub fn due(&self) -> Option<DocumentDate> {
        match &self.header {
            Header::Document(document) => document.due,
            Header::Status(_) => None,
        }
    }

    /// The day that decides what a code means: of the document, or of the status' own timestamp.
    #[must_use]
    pub fn codes_as_of(&self) -> Option<DocumentDate> {
        match &self.header {
            Header::Document(document) => document.promulgation.date,
            Header::Status(status) => status.timestamp.map(lgsp_types::DocumentTime::day),
        }
    }
}

fn written(organ: &Organ) -> Written {
    Written {
        code: organ.code.clone(),
        path: organ.path.clone(),
    }
}

impl Reference {
    fn written(&self) -> Option<Written> {
        self.organ.clone().map(|code| Written {
            code,
            path: self.organ_path.clone(),
        })
    }

    fn about(&self) -> DocumentRef {
        DocumentRef {
            relation: Relation::About,
            id: self.id.clone().unwrap_or_default(),
            organ: self.organ.as_ref().map(ToString::to_string).unwrap_or_default(),
            code: self.code.clone().unwrap_or_default(),
            date: self.date.map(|date| date.to_string()).unwrap_or_default(),
        }
    }
}

impl Document {
    /// The document that kinds 1 to 3 act on.
    fn acted_on(&self) -> Option<&str> {
        self.business.document_id.as_deref().filter(|_| self.business.kind != 0)
    }

    fn references(&self) -> Vec<DocumentRef> {
        let only_id = |relation, id: &str| DocumentRef {
            relation,
            id: id.to_owned(),
            organ: String::new(),
            code: String::new(),
            date: String::new(),
        };
        let mut references = vec![DocumentRef {
            relation: Relation::Is,
            id: self.id.clone(),
            organ: self.from.code.to_string(),
            code: self.code.joined().unwrap_or_default(),
            date: self.promulgation.date.map(|date| date.to_string()).unwrap_or_default(),
        }];
        references.extend(self.response_for.iter().map(Reference::about));
        let replaced = self
            .business
            .replaces
            .iter()
            .map(|replaced| replaced.document_id.as_str());
        match (self.business.kind, self.acted_on()) {
            (1 | 2, Some(id)) => references.push(only_id(Relation::ActsOn, id)),
            // A replacement often names itself here; another document named is replaced like those of the list.
            (3, Some(id)) if id != self.id && replaced.clone().all(|other| other != id) => {
                references.push(only_id(Relation::Replaces, id));
            }
            _ => {}
        }
        references.extend(replaced.map(|id| only_id(Relation::Replaces, id)));
        references
    }
}

impl super::header::Code {
    /// Number and notation as people write them, where both are there.
    pub(super) fn joined(&self) -> Option<String> {
        match (&self.number, &self.notation) {
            (Some(number), Some(notation)) => Some(format!("{}/{}", number.as_str(), notation.as_str())),
            _ => None,
        }
    }
}

impl Status {
    /// The id of the document it is about; if the packet gives none, organ, date and code joined.
    fn key(&self) -> String {
        let reference = self.reference();
        if reference.id.is_empty() {
            format!("{},{},{}", reference.organ, reference.date, reference.code)
        } else {
            reference.id
        }
    }

    /// A take-back names its counterpart where other statuses name the issuer: there the sender is the issuer.
    fn reference(&self) -> DocumentRef {
        let mut reference = self.response_for.about();
        if self.status_code == "13" {
            reference.organ = self.from.code.to_string();
        }
        reference
    }
}

//! Where a document stands at each of its addressees: a pure function of the set of messages about it.
//!
//! In whatever order they came, and however often: the answer is the same. Nothing is refused for its order or its
//! sender, only flagged. Source: exchange.md 5.3; vietnam.md 1.5 and 1.12.

mod line;
#[cfg(test)]
mod tests;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use lgsp_types::{AgencyCode, AgencyId, DocumentDate, MsgId, Party, UnixMs};

use line::{Ask, Draft};
pub use words::{DutyKind, Flag, Stand, StatusCode};

/// What one message says of one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saying {
    pub message: MsgId,
    /// By its permanent id.
    pub sender: AgencyId,
    /// Ledger time of its acceptance: what deadlines are measured by.
    pub accepted_ms: UnixMs,
    /// The time that it gives itself, else that of its acceptance: what comes before what is told by this.
    pub said_ms: UnixMs,
    /// Whom it went to.
    pub to: Vec<Recipient>,
    pub what: Said,
}

/// One addressee of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    pub party: Party,
    /// The code that the sender wrote.
    pub written: AgencyCode,
    /// Other agencies that had the delivery in hand: successors.
    pub received_by: Vec<AgencyId>,
    /// The sender took the delivery back before anybody had it.
    pub withdrawn: bool,
}

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// It is the document.
    Is {
        /// What tells one content from another.
        content: String,
        due: Option<DocumentDate>,
        /// Khẩn and above: to be registered at once.
        urgent: bool,
        /// It recalls or updates another document: answered there, without deadlines of its own.
        acts: bool,
    },
    Status(StatusCode),
    /// Kind 1, thu hồi.
    Recalls,
    /// Kind 2, cập nhật: receivers that are dropped and added.
    Updates {
        dropped: Vec<AgencyCode>,
        added: Vec<AgencyCode>,
    },
    /// Kind 3, thay thế.
    Replaces {
        /// The key of the new document.
        by: String,
        /// For whom; empty: for all.
        organs: Vec<AgencyCode>,
    },
    /// A document that answers it.
    Answers,
    /// It is another document of the same number, date and agency.
    HasItsNumber,
}

/// A document, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Life {
    pub key: String,
    /// Who issued it, by the first message that is it; none: no message is it.
    pub issuer: Option<AgencyId>,
    /// In the order of the agencies' ids.
    pub lines: Vec<Line>,
    /// Keys of the documents that replace it.
    pub replaced_by: BTreeSet<String>,
    pub flags: BTreeSet<(MsgId, Flag)>,
}

/// Where a document stands at one addressee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub party: Party,
    pub stand: Stand,
    /// Ledger time at which it first went there.
    pub sent_ms: UnixMs,
    pub duties: Vec<Duty>,
}

/// Something that an addressee has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duty {
    pub kind: DutyKind,
    /// Ledger time from which its deadline counts; of [`DutyKind::Complete`] the deadline itself.
    pub since_ms: UnixMs,
    /// Ledger time at which it was seen to be done.
    pub met_ms: Option<UnixMs>,
}

/// Tells where the document of this key stands, from all that was said of it.
#[must_use]
pub fn life(key: &str, sayings: &[Saying]) -> Life {
    let mut all: Vec<&Saying> = sayings.iter().collect();
    all.sort_by_key(|saying| saying.place());
    all.dedup_by_key(|saying| saying.place());
    let first = all.iter().find(|saying| matches!(saying.what, Said::Is { .. }));
    let Some(first) = first else {
        return unseen(key, &all);
    };
    let issuer = &first.sender;
    let mut telling = Telling {
        key,
        issuer,
        drafts: BTreeMap::new(),
        replaced_by: BTreeSet::new(),
        flags: BTreeSet::new(),
    };
    telling.issue(&all);
    telling.add_receivers(&all);
    telling.compare_numbers(first, &all);
    all.iter().for_each(|saying| telling.ask(saying));
    all.iter().for_each(|saying| telling.hear(saying));
    telling.end()
}

/// Nothing is known of the document but that somebody speaks of it (V8 of vietnam.md 1.16). To answer what came another way
/// is nothing odd.
fn unseen(key: &str, all: &[&Saying]) -> Life {
    Life {
        key: key.to_owned(),
        issuer: None,
        lines: Vec::new(),
        replaced_by: BTreeSet::new(),
        flags: all
            .iter()
            .filter(|saying| saying.what != Said::Answers)
            .map(|saying| (saying.message, Flag::DocumentNotSeen))
            .collect(),
    }
}

impl Saying {
    /// Its place among the others, whatever order they came in; two of one place are one.
    fn place(&self) -> (UnixMs, MsgId, u8, String) {
        let (rank, by) = match &self.what {
            Said::Is { .. } => (0, ""),
            Said::Status(_) => (1, ""),
            Said::Recalls => (2, ""),
            Said::Updates { .. } => (3, ""),
            Said::Replaces { by, .. } => (4, by.as_str()),
            Said::Answers => (5, ""),
            Said::HasItsNumber => (6, ""),
        };
        (self.accepted_ms, self.message, rank, by.to_owned())
    }
}

/// A life while it is being told.
struct Telling<'a> {
    key: &'a str,
    issuer: &'a AgencyId,
    drafts: BTreeMap<AgencyId, Draft<'a>>,
    replaced_by: BTreeSet<String>,
    flags: BTreeSet<(MsgId, Flag)>,
}

impl<'a> Telling<'a> {
    fn flag(&mut self, saying: &Saying, flag: Flag) {
        self.flags.insert((saying.message, flag));
    }

    /// The document and whom it went to. Another content under its name, or another issuer's, is flagged.
    fn issue(&mut self, all: &[&'a Saying]) {
        let mut first_content = None;
        for saying in all {
            let Said::Is {
                content,
                due,
                urgent,
                acts,
            } = &saying.what
            else {
                continue;
            };
            let known: &String = first_content.get_or_insert(content);
            if known != content || saying.sender != *self.issuer {
                self.flag(saying, Flag::NumberUsedTwice);
            }
            if saying.sender != *self.issuer {
                continue;
            }
            for recipient in &saying.to {
                let draft = self.draft(recipient, saying.accepted_ms);
                draft.urgent |= urgent;
                draft.acts |= acts;
                draft.due = due.or(draft.due);
            }
        }
    }

    /// Of two documents with one number the later one is flagged.
    fn compare_numbers(&mut self, first: &Saying, all: &[&Saying]) {
        for other in all.iter().filter(|saying| saying.what == Said::HasItsNumber) {
            let later = first.place().max(other.place()).1;
            self.flags.insert((later, Flag::NumberUsedTwice));
        }
    }

    fn draft(&mut self, recipient: &'a Recipient, sent_ms: UnixMs) -> &mut Draft<'a> {
        let new = || Draft::new(&recipient.party, sent_ms);
        let draft = self.drafts.entry(recipient.party.agency.clone()).or_insert_with(new);
        draft.recipients.push(recipient);
        draft
    }

    /// Those whom an update adds, if it went to them.
    fn add_receivers(&mut self, all: &[&'a Saying]) {
        for saying in all {
            let Said::Updates { added, .. } = &saying.what else {
                continue;
            };
            if saying.sender != *self.issuer {
                continue;
            }
            for code in added {
                match saying.to.iter().find(|recipient| recipient.is_named(code)) {
                    Some(recipient) => {
                        self.draft(recipient, saying.accepted_ms);
                    }
                    None => self.flag(saying, Flag::AddedWithoutPacket),
                }
            }
        }
    }

    /// What the issuer asks of its addressees.
    fn ask(&mut self, saying: &'a Saying) {
        let (of_anothers, back) = match &saying.what {
            Said::Status(StatusCode::TakeBack) => (Flag::TakeBackOfAnothers, true),
            Said::Recalls => (Flag::RecallOfAnothers, true),
            Said::Updates { .. } => (Flag::UpdateOfAnothers, false),
            Said::Replaces { by, .. } if by == self.key => return self.flag(saying, Flag::ReplacesItself),
            Said::Replaces { .. } => (Flag::ReplacementOfAnothers, false),
            Said::Is { .. } | Said::Status(_) | Said::Answers | Said::HasItsNumber => return,
        };
        if saying.sender != *self.issuer {
            return self.flag(saying, of_anothers);
        }
        match &saying.what {
            Said::Replaces { by, organs } => self.replace(by, organs),
            Said::Updates { dropped, added } => self.update(saying, dropped, added),
            Said::Is { .. } | Said::Status(_) | Said::Recalls | Said::Answers | Said::HasItsNumber => {
                for recipient in &saying.to {
                    self.ask_one(saying, &recipient.party.agency, back);
                }
            }
        }
    }

    fn ask_one(&mut self, saying: &'a Saying, agency: &AgencyId, back: bool) {
        let mut reached = false;
        for draft in self.drafts.values_mut().filter(|draft| draft.is_at(agency)) {
            draft.asks.push(Ask { saying, back });
            reached = true;
        }
        if !reached {
            self.flag(saying, Flag::AsksAStranger);
        }
    }

    fn replace(&mut self, by: &str, organs: &[AgencyCode]) {
        self.replaced_by.insert(by.to_owned());
        for draft in self.drafts.values_mut() {
            draft.replaced |= organs.is_empty() || organs.iter().any(|code| draft.is_named(code));
        }
    }

    /// Who is dropped is asked to take it out, the others to take the change over; who is added has it new.
    fn update(&mut self, saying: &'a Saying, dropped: &[AgencyCode], added: &[AgencyCode]) {
        for code in dropped {
            let named = self.drafts.values_mut().find(|draft| draft.is_named(code));
            match named {
                Some(draft) => draft.asks.push(Ask { saying, back: true }),
                None => self.flag(saying, Flag::AsksAStranger),
            }
        }
        let changed = |recipient: &&Recipient| !dropped.iter().chain(added).any(|code| recipient.is_named(code));
        for recipient in saying.to.iter().filter(changed) {
            for draft in self
                .drafts
                .values_mut()
                .filter(|draft| draft.is_at(&recipient.party.agency))
            {
                draft.asks.push(Ask { saying, back: false });
            }
        }
    }

    /// What addressees say. A status counts if its sender is one, or had the delivery in hand.
    fn hear(&mut self, saying: &'a Saying) {
        let Said::Status(code) = saying.what else {
            return;
        };
        if code == StatusCode::TakeBack {
            return;
        }
        let own = self.drafts.contains_key(&saying.sender);
        let mut counts = false;
        for (agency, draft) in &mut self.drafts {
            let speaks = if own {
                *agency == saying.sender
            } else {
                draft.is_at(&saying.sender)
            };
            if speaks {
                draft.statuses.push((saying, code));
                counts = true;
            }
        }
        if !counts {
            self.flag(saying, Flag::StatusOfStranger);
        }
    }

    fn end(mut self) -> Life {
        let mut lines = Vec::new();
        for draft in self.drafts.into_values() {
            lines.push(draft.end(&mut self.flags));
        }
        Life {
            key: self.key.to_owned(),
            issuer: Some(self.issuer.clone()),
            lines,
            replaced_by: self.replaced_by,
            flags: self.flags,
        }
    }
}

impl Recipient {
    /// Whether somebody's code means this addressee: its own, the one written, or the other scheme's by the formula,
    /// which among the few addressees of one message is certain enough.
    fn is_named(&self, code: &AgencyCode) -> bool {
        let is = |own: &AgencyCode| own == code || own.proposed_counterpart().as_ref() == Some(code);
        is(&self.party.code) || is(&self.written)
    }
}

//! Telling the life of documents, and searching them.

use std::collections::{BTreeMap, BTreeSet};

use lgsp_store::{DocumentRow, FiledRow, Filter, Life, Line, MessageRow, Said, Saying, Stand};
use lgsp_types::{
    AgencyCode, AgencyId, DocumentDate, DocumentQuery, DocumentRef, FoundDocument, FoundDocuments, ReasonCode, Refusal,
    Relation, TracedDocument, TracedDuty, TracedSaying, TracedStand, Unavailable, UnixMs, words,
};
use thiserror::Error;

use crate::spine::{Spine, unavailable};

/// A search names something that cannot be.
pub const SEARCH_INVALID: ReasonCode = ReasonCode::new("SEARCH_INVALID");
/// Most documents of one page.
const PAGE_MAX: u32 = 100;
/// Documents of a page if none is named.
const PAGE: u32 = 20;
/// Most documents that are told together: replacements are followed so far.
pub(crate) const CHAIN_MAX: u32 = 100;
/// Most words of one search, and characters of any text in it.
const WORDS_MAX: usize = 20;
const TEXT_MAX: usize = 200;

/// Why a search found nothing out.
#[derive(Debug, Error)]
pub enum SearchError {
    /// Mend all of it.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Refused(Vec<Refusal>),
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Spine {
    /// Tells them for people.
    pub(crate) fn told_lives(&self, documents: &[DocumentRow]) -> Vec<TracedDocument> {
        let names: BTreeMap<&str, &str> = documents
            .iter()
            .map(|row| (row.life.key.as_str(), name_of(row)))
            .collect();
        documents
            .iter()
            .map(|document| self.told_life(document, &names))
            .collect()
    }

    fn told_life(&self, row: &DocumentRow, names: &BTreeMap<&str, &str>) -> TracedDocument {
        let named = |key: &String| {
            names
                .get(key.as_str())
                .map_or_else(|| key.clone(), |name| (*name).to_owned())
        };
        let today = self.scribe.now().day_in_vietnam();
        let life = &row.life;
        TracedDocument {
            document: row.document.code.clone(),
            id: row.document.id.clone(),
            date: row.document.date.clone(),
            issuer: life
                .issuer
                .as_ref()
                .map(|issuer| self.agency(issuer, &row.document.organ, today)),
            replaces: row.replaces.iter().map(named).collect(),
            replaced_by: life.replaced_by.iter().map(named).collect(),
            addressees: self.told_stands(life),
            said: row
                .sayings
                .iter()
                .map(|saying| self.told_saying(saying, life))
                .collect(),
        }
    }

    fn told_stands(&self, life: &Life) -> Vec<TracedStand> {
        let now = self.scribe.now();
        life.lines.iter().map(|line| self.told_stand(line, now)).collect()
    }

    fn told_stand(&self, line: &Line, now: UnixMs) -> TracedStand {
        let duties: Vec<TracedDuty> = line
            .duties
            .iter()
            .map(|duty| {
                let deadline = self.deadlines.of(duty);
                let seen = duty.met_ms.unwrap_or(now);
                TracedDuty {
                    duty: duty.kind.name(),
                    deadline_ms: deadline.0,
                    deadline: deadline.iso_text(),
                    met: duty.met_ms.map(UnixMs::iso_text),
                    late_ms: seen.0.saturating_sub(deadline.0),
                }
            })
            .collect();
        TracedStand {
            to: self.agency(&line.party.agency, line.party.code.as_str(), now.day_in_vietnam()),
            state: line.stand.name(),
            late: duties.iter().any(|duty| duty.met.is_none() && duty.late_ms > 0),
            duties,
        }
    }

    fn told_saying(&self, saying: &Saying, life: &Life) -> TracedSaying {
        let of_message = life.flags.iter().filter(|(message, _)| *message == saying.message);
        TracedSaying {
            msg_id: saying.message,
            what: match &saying.what {
                Said::Is { .. } => "is",
                Said::Status(code) => code.name(),
                Said::Recalls => "recalls",
                Said::Updates { .. } => "updates",
                Said::Replaces { .. } => "replaces",
                Said::Answers => "answers",
                Said::HasItsNumber => "has-its-number",
            },
            from: self.agency(&saying.sender, "", saying.accepted_ms.day_in_vietnam()),
            said: saying.said_ms.iso_text(),
            accepted: saying.accepted_ms.iso_text(),
            flags: of_message.map(|(_, flag)| flag.name()).collect(),
        }
    }

    /// Finds documents by all that the query names, the latest first.
    ///
    /// # Errors
    /// [`SearchError`]: mend the query, or ask again.
    pub async fn search(&self, query: &DocumentQuery) -> Result<FoundDocuments, SearchError> {
        let (filter, after, limit) = self.filter(query).map_err(SearchError::Refused)?;
        let page = self.store.search(&filter, after, limit).await.map_err(unavailable)?;
        let mut documents = Vec::new();
        for row in &page.found {
            let message = self.store.message(row.msg_id).await.map_err(unavailable)?;
            documents.extend(message.map(|message| self.told_found(row, &message)));
        }
        Ok(FoundDocuments {
            documents,
            next: page.next.map(|next| next.to_string()),
        })
    }

    fn told_found(&self, row: &FiledRow, message: &MessageRow) -> FoundDocument {
        let day = message.accepted_ms.day_in_vietnam();
        let is = |document: &&DocumentRef| document.relation == Relation::Is;
        let document = message.documents.iter().find(is);
        let text = |part: fn(&DocumentRef) -> &String| document.map(part).cloned().unwrap_or_default();
        let flags = row.life.iter().flat_map(|life| &life.flags);
        let flags: BTreeSet<&str> = flags.map(|(_, flag)| flag.name()).collect();
        FoundDocument {
            msg_id: message.msg_id,
            document: text(|document| &document.code),
            id: text(|document| &document.id),
            date: text(|document| &document.date),
            act: message.act.clone(),
            title: row.title.clone(),
            from: self.agency(&message.sender.agency, message.from_written.as_str(), day),
            accepted: message.accepted_ms.iso_text(),
            due: message.due,
            addressees: row.life.as_ref().map(|life| self.told_stands(life)).unwrap_or_default(),
            flags: flags.into_iter().collect(),
        }
    }

    fn filter(&self, query: &DocumentQuery) -> Result<(Filter, Option<u64>, u32), Vec<Refusal>> {
        let mut wrong = Wrong::default();
        let joined = query.number.as_deref().is_some_and(|number| number.contains('/'));
        if joined && query.notation.is_some() {
            wrong.add("/notation", "stands in the number as well", "name it once".to_owned());
        }
        let (number, notation) = match query.number.as_deref().map(|number| number.split_once('/')) {
            // A whole code may stand where the number is asked for.
            Some(Some((number, notation))) => (Some(number.to_owned()), Some(notation.to_owned())),
            Some(None) | None => (query.number.clone(), query.notation.clone()),
        };
        let before = wrong
            .day("/to", query.to.as_deref())
            .map(|day| day.tomorrow().midnight());
        let filter = Filter {
            number: wrong.words("/number", number.as_deref()),
            notation: wrong.words("/notation", notation.as_deref()),
            agencies: self.holders(wrong.code(query.agency.as_deref())),
            from_ms: wrong.day("/from", query.from.as_deref()).map(DocumentDate::midnight),
            before_ms: before,
            dated: wrong.day("/dated", query.dated.as_deref()),
            stand: wrong.stand(query.state.as_deref()),
            late: if query.late {
                self.deadlines.late_before(self.scribe.now())
            } else {
                Vec::new()
            },
            words: wrong.words("/words", query.words.as_deref()).unwrap_or_default(),
        };
        let limit = query.limit.unwrap_or(PAGE);
        if !(1..=PAGE_MAX).contains(&limit) {
            wrong.add("/limit", "is out of bounds", format!("choose 1 to {PAGE_MAX}"));
        }
        let after = query.after.as_deref().map(str::parse::<u64>);
        if matches!(after, Some(Err(_))) {
            wrong.add(
                "/after",
                "is none of our cursors",
                "give back `next` as it was answered".to_owned(),
            );
        }
        if wrong.0.is_empty() {
            Ok((filter, after.and_then(Result::ok), limit))
        } else {
            Err(wrong.0)
        }
    }

    /// Whoever has, or had, this code; an agency that no registry knows is its own code.
    fn holders(&self, code: Option<AgencyCode>) -> Vec<AgencyId> {
        let Some(code) = code else { return Vec::new() };
        let today = self.scribe.now().day_in_vietnam();
        let ruling = self.rules.current();
        let holder = ruling.registry.resolve(&code, today).map(|agency| agency.id.clone());
        holder.into_iter().chain([AgencyId::outside(&code)]).collect()
    }
}

fn name_of(row: &DocumentRow) -> &str {
    let document = &row.document;
    if document.code.is_empty() {
        &document.id
    } else {
        &document.code
    }
}

/// All that is wrong in a query.
#[derive(Default)]
struct Wrong(Vec<Refusal>);

impl Wrong {
    fn add(&mut self, path: &str, what: &str, mend: String) {
        self.0.push(Refusal::new(SEARCH_INVALID, path, what, mend));
    }

    /// Folded; a text of which nothing is left finds nothing, and is wrong.
    fn words(&mut self, path: &str, text: Option<&str>) -> Option<String> {
        let text = text?;
        let folded = words(text);
        if text.chars().count() > TEXT_MAX || folded.split(' ').count() > WORDS_MAX {
            self.add(
                path,
                "is too long",
                format!("write at most {WORDS_MAX} words of {TEXT_MAX} characters"),
            );
        } else if folded.is_empty() {
            self.add(
                path,
                "has neither letter nor digit",
                "write a word, or leave it out".to_owned(),
            );
        }
        Some(folded)
    }

    fn day(&mut self, path: &str, text: Option<&str>) -> Option<DocumentDate> {
        let text = text?;
        let day = DocumentDate::parse_iso(text).or_else(|_| DocumentDate::parse(text));
        if day.is_err() {
            self.add(path, "is no day", "write it as 2026-01-31 or 2026/01/31".to_owned());
        }
        day.ok()
    }

    fn code(&mut self, text: Option<&str>) -> Option<AgencyCode> {
        let code = AgencyCode::parse(text?.trim());
        if code.is_err() {
            self.add(
                "/agency",
                "is no agency code",
                "write one of either scheme, as H62.11 or 000.00.11.H62".to_owned(),
            );
        }
        code.ok()
    }

    fn stand(&mut self, text: Option<&str>) -> Option<Stand> {
        let stand = Stand::from_name(text?);
        if stand.is_none() {
            let known: Vec<&str> = Stand::ALL.iter().map(|stand| stand.name()).collect();
            self.add("/state", "is no state", format!("write one of {}", known.join(", ")));
        }
        stand
    }
}

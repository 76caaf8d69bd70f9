//! One addressee's part: from what it said and what it was asked to where the document stands there.

use std::collections::BTreeSet;

use lgsp_types::{AgencyCode, AgencyId, DocumentDate, MsgId, Party, UnixMs};

use super::{Duty, DutyKind, Flag, Line, Recipient, Saying, Stand, StatusCode};

/// A line while it is being told.
pub(super) struct Draft<'a> {
    party: &'a Party,
    sent_ms: UnixMs,
    /// As each message that brought the document named it.
    pub(super) recipients: Vec<&'a Recipient>,
    pub(super) urgent: bool,
    pub(super) acts: bool,
    pub(super) due: Option<DocumentDate>,
    pub(super) replaced: bool,
    /// In ledger order.
    pub(super) asks: Vec<Ask<'a>>,
    /// All but take-backs.
    pub(super) statuses: Vec<(&'a Saying, StatusCode)>,
}

/// The issuer asks to give the document back, or to take a change over.
pub(super) struct Ask<'a> {
    pub(super) saying: &'a Saying,
    pub(super) back: bool,
}

/// An ask, and the answers to it.
struct Asked<'a> {
    ask: &'a Ask<'a>,
    /// The last, by its own time.
    verdict: Option<StatusCode>,
    met_ms: Option<UnixMs>,
}

impl<'a> Draft<'a> {
    pub(super) const fn new(party: &'a Party, sent_ms: UnixMs) -> Self {
        Self {
            party,
            sent_ms,
            recipients: Vec::new(),
            urgent: false,
            acts: false,
            due: None,
            replaced: false,
            asks: Vec::new(),
            statuses: Vec::new(),
        }
    }

    /// Whether this agency is the addressee, or had its delivery in hand.
    pub(super) fn is_at(&self, agency: &AgencyId) -> bool {
        self.party.agency == *agency
            || self
                .recipients
                .iter()
                .any(|recipient| recipient.received_by.contains(agency))
    }

    pub(super) fn is_named(&self, code: &AgencyCode) -> bool {
        self.recipients.iter().any(|recipient| recipient.is_named(code))
    }

    pub(super) fn end(mut self, flags: &mut BTreeSet<(MsgId, Flag)>) -> Line {
        self.asks.sort_by_key(|ask| (ask.saying.said_ms, ask.saying.message));
        self.statuses
            .sort_by_key(|(saying, code)| (saying.said_ms, *code, saying.message));
        self.flag_steps(flags);
        let asked = self.asked(flags);
        let taken_back = asked
            .iter()
            .any(|asked| asked.ask.back && asked.verdict == Some(StatusCode::Agreed));
        let waits = asked.last().filter(|asked| asked.verdict.is_none());
        let withdrawn = self.recipients.iter().all(|recipient| recipient.withdrawn);
        let stand = if taken_back || withdrawn {
            Stand::TakenBack
        } else if self.replaced {
            Stand::Replaced
        } else if waits.is_some_and(|asked| asked.ask.back) {
            Stand::AskedBack
        } else {
            self.progress()
        };
        Line {
            party: self.party.clone(),
            stand,
            sent_ms: self.sent_ms,
            duties: self.duties(stand, &asked),
        }
    }

    /// How far it got by its own word: the furthest step, or refused if that was said last.
    fn progress(&self) -> Stand {
        let last = |codes: &[StatusCode]| self.times(codes).max();
        let refused = last(&[StatusCode::Refused]);
        if refused.is_some() && refused >= last(&ACCEPTING) {
            return Stand::Refused;
        }
        let furthest = STEPS.into_iter().rev().find(|(code, _)| last(&[*code]).is_some());
        furthest.map_or(Stand::Sent, |(_, stand)| stand)
    }

    /// When, by their own time, these were said.
    fn times(&self, codes: &[StatusCode]) -> impl Iterator<Item = UnixMs> {
        self.said(codes).map(|saying| saying.said_ms)
    }

    fn said(&self, codes: &[StatusCode]) -> impl Iterator<Item = &'a Saying> {
        let of_these = self.statuses.iter().filter(move |(_, code)| codes.contains(code));
        of_these.map(|(saying, _)| *saying)
    }

    fn flag_steps(&self, flags: &mut BTreeSet<(MsgId, Flag)>) {
        if self.said(&ACCEPTING).next().is_some() {
            for refusal in self.said(&[StatusCode::Refused]) {
                flags.insert((refusal.message, Flag::StatusesContradict));
            }
        }
        let mut behind: &[(StatusCode, Stand)] = &STEPS;
        while let [(code, _), further @ ..] = behind {
            let further_on: Vec<StatusCode> = further.iter().map(|(code, _)| *code).collect();
            if let Some(earliest) = self.times(&further_on).min() {
                let step = [*code];
                let late = self.said(&step).filter(|saying| saying.said_ms > earliest);
                flags.extend(late.map(|saying| (saying.message, Flag::StatusOutOfOrder)));
            }
            behind = further;
        }
    }

    /// Each ask with its answers: an answer is to the last ask before it, by their own times; else to the first.
    fn asked(&self, flags: &mut BTreeSet<(MsgId, Flag)>) -> Vec<Asked<'_>> {
        let mut asked: Vec<Asked<'_>> = self
            .asks
            .iter()
            .map(|ask| Asked {
                ask,
                verdict: None,
                met_ms: None,
            })
            .collect();
        for (saying, code) in &self.statuses {
            if !ANSWERS.contains(code) {
                continue;
            }
            let before = asked.partition_point(|asked| asked.ask.saying.said_ms <= saying.said_ms);
            match asked.get_mut(before.saturating_sub(1)) {
                Some(asked) => {
                    asked.verdict = Some(*code);
                    let met_ms = asked.met_ms.unwrap_or(saying.accepted_ms);
                    asked.met_ms = Some(met_ms.min(saying.accepted_ms));
                }
                // What acts on another document is itself the question.
                None if self.acts => {}
                None => {
                    flags.insert((saying.message, Flag::AnswerWithoutQuestion));
                }
            }
        }
        asked
    }

    fn duties(&self, stand: Stand, asked: &[Asked<'_>]) -> Vec<Duty> {
        let met = |codes: &[StatusCode]| self.said(codes).map(|saying| saying.accepted_ms).min();
        let register = if self.urgent {
            DutyKind::RegisterAtOnce
        } else {
            DutyKind::Register
        };
        let mut duties = Vec::new();
        let mut add = |kind, since_ms, met_ms| {
            duties.push(Duty { kind, since_ms, met_ms });
        };
        if !self.acts {
            add(DutyKind::Arrive, self.sent_ms, met(&HEARD));
            add(register, self.sent_ms, met(&DECIDED));
            if let Some(due) = self.due {
                add(DutyKind::Complete, due.tomorrow().midnight(), met(&[StatusCode::Done]));
            }
        }
        let last = asked.len().saturating_sub(1);
        for (nth, asked) in asked.iter().enumerate() {
            // An ask that another one followed is not waited for.
            if nth == last || asked.met_ms.is_some() {
                add(DutyKind::Answer, asked.ask.saying.accepted_ms, asked.met_ms);
            }
        }
        duties.retain(|duty| duty.met_ms.is_some() || is_owed(stand, duty.kind));
        duties
    }
}

/// What is still waited for of a document that stands so.
const fn is_owed(stand: Stand, kind: DutyKind) -> bool {
    match stand {
        Stand::TakenBack | Stand::Replaced => false,
        Stand::Refused => matches!(kind, DutyKind::Answer),
        Stand::Sent
        | Stand::Arrived
        | Stand::Registered
        | Stand::Assigned
        | Stand::InProgress
        | Stand::Done
        | Stand::AskedBack => true,
    }
}

/// The way of a document at its addressee, step by step.
const STEPS: [(StatusCode, Stand); 5] = [
    (StatusCode::Arrived, Stand::Arrived),
    (StatusCode::Registered, Stand::Registered),
    (StatusCode::Assigned, Stand::Assigned),
    (StatusCode::InProgress, Stand::InProgress),
    (StatusCode::Done, Stand::Done),
];
/// Who says one of these did not refuse it.
const ACCEPTING: [StatusCode; 4] = [
    StatusCode::Registered,
    StatusCode::Assigned,
    StatusCode::InProgress,
    StatusCode::Done,
];
/// Any of these says that it was registered or refused.
const DECIDED: [StatusCode; 5] = [
    StatusCode::Refused,
    StatusCode::Registered,
    StatusCode::Assigned,
    StatusCode::InProgress,
    StatusCode::Done,
];
/// Any of these says that it arrived.
const HEARD: [StatusCode; 6] = [
    StatusCode::Arrived,
    StatusCode::Refused,
    StatusCode::Registered,
    StatusCode::Assigned,
    StatusCode::InProgress,
    StatusCode::Done,
];
const ANSWERS: [StatusCode; 2] = [StatusCode::Agreed, StatusCode::Declined];

//! Whether a grant allows a message to an addressee; if none does, which comes nearest and what would.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use lgsp_types::{AgencyCode, ContractRef, DocumentDate, GrantId, ReasonCode, Refusal, SystemId, Written};

use super::Registry;
use crate::grant::{Grant, purposes};
use crate::model::Agency;
use crate::pattern::PatternIndex;

/// No grant lets this sender send this contract to this addressee.
const NO_GRANT: ReasonCode = ReasonCode::new("NO_GRANT");
const GRANT_EXPIRED: ReasonCode = ReasonCode::new("GRANT_EXPIRED");
const GRANT_NOT_YET_VALID: ReasonCode = ReasonCode::new("GRANT_NOT_YET_VALID");
const PURPOSE_NOT_GRANTED: ReasonCode = ReasonCode::new("PURPOSE_NOT_GRANTED");
const VERSION_NOT_GRANTED: ReasonCode = ReasonCode::new("VERSION_NOT_GRANTED");

/// Most grants that a refusal names.
const NAMED_MAX: usize = 3;

/// Every grant, by what it is asked for.
#[derive(Debug, Default)]
pub(super) struct Grants {
    /// By a contract's name.
    of: HashMap<String, OfContract>,
}

#[derive(Debug, Default)]
struct OfContract {
    /// By id; the indexes count in it.
    grants: Vec<Arc<Grant>>,
    senders: PatternIndex<usize>,
    /// Those without `senders`.
    any_sender: HashMap<SystemId, Vec<usize>>,
    addressees: PatternIndex<usize>,
}

/// What somebody asks to send, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) contract: &'a ContractRef,
    pub(super) purpose: &'a str,
    pub(super) system: &'a SystemId,
    /// The code as written, and whose it is.
    pub(super) from: &'a AgencyCode,
    pub(super) sender: &'a Agency,
    /// The day of acceptance, never that of the document.
    pub(super) today: DocumentDate,
}

/// An addressee as written, and the agencies that stand behind it: itself, and who receives for it if it is closed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Addressed<'a> {
    pub(super) to: &'a Written,
    pub(super) agencies: [&'a Agency; 2],
}

/// The grants of the asked contract, and which of them let this system send for this sender.
#[derive(Debug)]
pub(super) struct Sending<'a> {
    of: Option<&'a OfContract>,
    asked: Asked<'a>,
    /// By the place in the list; with all else that was asked but the addressee.
    fits: Vec<bool>,
}

/// In what a grant falls short. The easiest to mend for the caller comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Lack {
    Purpose,
    Version,
    NotYet(DocumentDate),
    /// The latest end comes nearest.
    Expired(Reverse<DocumentDate>),
}

impl Grants {
    pub(super) fn new(all: &BTreeMap<GrantId, Arc<Grant>>) -> Self {
        let mut grants = Self::default();
        for grant in all.values() {
            // A grant may name several ranges of one contract.
            let names: BTreeSet<&str> = grant.contracts.iter().map(|range| range.name()).collect();
            for name in names {
                grants.of.entry(name.to_owned()).or_default().add(grant);
            }
        }
        grants
    }
}

impl OfContract {
    fn add(&mut self, grant: &Arc<Grant>) {
        let at = self.grants.len();
        self.grants.push(Arc::clone(grant));
        for pattern in &grant.senders {
            self.senders.insert(pattern, at);
        }
        if grant.senders.is_empty() {
            for system in &grant.systems {
                self.any_sender.entry(system.clone()).or_default().push(at);
            }
        }
        for pattern in &grant.addressees {
            self.addressees.insert(pattern, at);
        }
    }

    fn get(&self, at: usize) -> Option<&Grant> {
        self.grants.get(at).map(AsRef::as_ref)
    }
}

impl Registry {
    /// Looks once for all addressees who may send.
    pub(super) fn sending<'a>(&'a self, asked: Asked<'a>) -> Sending<'a> {
        let of = self.grants.of.get(asked.contract.name());
        let mut fits = Vec::new();
        if let Some(of) = of {
            fits.resize(of.grants.len(), false);
            for at in self.covering_sender(of, &asked) {
                let fit = of
                    .get(at)
                    .is_some_and(|grant| asked.allowed_by(grant) && asked.lacks(grant).is_empty());
                if let Some(place) = fits.get_mut(at) {
                    *place = fit;
                }
            }
        }
        Sending { of, asked, fits }
    }

    /// The grant that allows this addressee.
    ///
    /// # Errors
    /// A [`Refusal`] with the path of the addressee: which rule refused, and what would allow it.
    pub(super) fn granted<'a>(&'a self, sending: &Sending<'a>, to: Addressed<'a>) -> Result<&'a Arc<Grant>, Refusal> {
        let granted = sending.of.and_then(|of| {
            let mut reaching = self.covering_addressee(of, to, sending.asked.today);
            let at = reaching.find(|at| sending.fits.get(*at) == Some(&true))?;
            of.grants.get(at)
        });
        granted.ok_or_else(|| self.not_granted(sending, to))
    }

    fn covering_sender<'a>(&'a self, of: &'a OfContract, asked: &Asked<'a>) -> impl Iterator<Item = usize> {
        let by_code = self.codes_of(asked.sender, asked.today);
        let by_code = by_code.flat_map(|code| of.senders.covering(code)).map(|(_, at)| *at);
        let by_system = of.any_sender.get(asked.system).into_iter().flatten().copied();
        by_code.chain(by_system)
    }

    fn covering_addressee<'a>(
        &'a self,
        of: &'a OfContract,
        to: Addressed<'a>,
        day: DocumentDate,
    ) -> impl Iterator<Item = usize> {
        let [named, receiving] = to.agencies;
        let heir = (named.id != receiving.id).then_some(receiving);
        let codes = [Some(named), heir]
            .into_iter()
            .flatten()
            .flat_map(move |agency| self.codes_of(agency, day));
        codes.flat_map(|code| of.addressees.covering(code)).map(|(_, at)| *at)
    }

    fn not_granted<'a>(&'a self, sending: &Sending<'a>, to: Addressed<'a>) -> Refusal {
        let asked = &sending.asked;
        let Some(of) = sending.of else {
            return no_grant(asked, to, "");
        };
        let senders: BTreeSet<usize> = self.covering_sender(of, asked).collect();
        let reaching: BTreeSet<usize> = self.covering_addressee(of, to, asked.today).collect();
        let both = || senders.intersection(&reaching).filter_map(|at| of.get(*at));
        let by_system = both().filter(|grant| grant.allows_system(asked.system));
        let lacking = by_system.map(|grant| (asked.lacks(grant), grant));
        let nearest = lacking.min_by_key(|(lacks, grant)| (lacks.len(), lacks.clone(), grant.id.clone()));
        if let Some((lacks, grant)) = nearest {
            return falls_short(asked, to, grant, &lacks);
        }
        let hints = [
            (named(both()), "lets it be sent by other systems"),
            (
                named(senders.iter().filter_map(|at| of.get(*at))),
                "lets it send to others",
            ),
            (
                named(reaching.iter().filter_map(|at| of.get(*at))),
                "lets others send there",
            ),
        ];
        let hint = hints.into_iter().find(|(grants, _)| !grants.is_empty());
        let hint = hint.map(|(grants, what)| format!("; only {grants} {what}"));
        no_grant(asked, to, &hint.unwrap_or_default())
    }

    /// Whether there is no grant at all: then everything is refused.
    #[must_use]
    pub fn grants_nothing(&self) -> bool {
        self.grants.of.is_empty()
    }

    /// The grants of a contract that are in force on this day; of those only that let the agency `from` send, or be sent by
    /// `to`, where they are named. By id.
    #[must_use]
    pub fn grants(
        &self,
        contract: &str,
        from: Option<&Agency>,
        to: Option<&Agency>,
        day: DocumentDate,
    ) -> Vec<Arc<Grant>> {
        let Some(of) = self.grants.of.get(contract) else {
            return Vec::new();
        };
        let sends = |grant: &Grant| match from {
            None => true,
            Some(from) if grant.senders.is_empty() => {
                grant.systems.iter().any(|system| self.speaks_for(system, from, day))
            }
            Some(from) => self
                .codes_of(from, day)
                .any(|code| grant.senders.iter().any(|pattern| pattern.matches(code))),
        };
        let receives = |grant: &Grant| {
            let receiving = to.map(|to| self.heir(&to.id, day).unwrap_or(to));
            let agencies = [to, receiving].into_iter().flatten();
            let mut codes = agencies.flat_map(|agency| self.codes_of(agency, day));
            to.is_none() || codes.any(|code| grant.addressees.iter().any(|pattern| pattern.matches(code)))
        };
        let fitting = of.grants.iter().filter(|grant| sends(grant) && receives(grant));
        fitting.cloned().collect()
    }
}

impl Asked<'_> {
    fn allowed_by(&self, grant: &Grant) -> bool {
        grant.allows_system(self.system)
    }

    /// In what a grant falls short that covers sender and addressee; nothing: it allows it.
    fn lacks(&self, grant: &Grant) -> Vec<Lack> {
        let mut lacks = Vec::new();
        if !grant.allows_purpose(self.purpose) {
            lacks.push(Lack::Purpose);
        }
        if !grant.allows_contract(self.contract) {
            lacks.push(Lack::Version);
        }
        if let Some(from) = grant.from.filter(|from| *from > self.today) {
            lacks.push(Lack::NotYet(from));
        }
        if let Some(to) = grant.to.filter(|to| *to < self.today) {
            lacks.push(Lack::Expired(Reverse(to)));
        }
        lacks
    }
}

fn no_grant(asked: &Asked<'_>, to: Addressed<'_>, hint: &str) -> Refusal {
    let (contract, from, code) = (asked.contract, asked.from, &to.to.code);
    let what = format!("no grant lets `{from}` send {contract} to `{code}`{hint}");
    let mend = format!("have the operator of the exchange grant {contract} from `{from}` to `{code}`");
    Refusal::new(NO_GRANT, &to.to.path, what, mend)
}

fn falls_short(asked: &Asked<'_>, to: Addressed<'_>, grant: &Grant, lacks: &[Lack]) -> Refusal {
    let Some(first) = lacks.first() else {
        return no_grant(asked, to, "");
    };
    let short: Vec<String> = lacks.iter().map(|lack| lack.told(grant)).collect();
    let what = format!(
        "`{}` may not send {} to `{}`: the grant `{}` comes nearest, which {}",
        asked.from,
        asked.contract,
        to.to.code,
        grant.id,
        short.join(" and ")
    );
    let mends: Vec<&str> = lacks.iter().map(|lack| lack.mend()).collect();
    Refusal::new(first.code(), &to.to.path, what, mends.join(", and "))
}

impl Lack {
    const fn code(self) -> ReasonCode {
        match self {
            Self::Purpose => PURPOSE_NOT_GRANTED,
            Self::Version => VERSION_NOT_GRANTED,
            Self::NotYet(_) => GRANT_NOT_YET_VALID,
            Self::Expired(_) => GRANT_EXPIRED,
        }
    }

    fn told(self, grant: &Grant) -> String {
        match self {
            Self::Purpose => format!("is for {}", purposes(&grant.purposes)),
            Self::Version => {
                let ranges: Vec<String> = grant.contracts.iter().map(ToString::to_string).collect();
                format!("is for {}", ranges.join(", "))
            }
            Self::NotYet(from) => format!("begins on {}", from.iso_text()),
            Self::Expired(Reverse(to)) => format!("ended on {}", to.iso_text()),
        }
    }

    const fn mend(self) -> &'static str {
        match self {
            Self::Purpose => {
                "state a granted purpose if that is what it is for, or have the operator of the exchange grant this one"
            }
            Self::Version => "send by a granted version, or have the operator of the exchange grant this one",
            Self::NotYet(_) => {
                "send from that day on, or have the operator of the exchange let the grant begin earlier"
            }
            Self::Expired(_) => {
                "have the operator of the exchange prolong the grant: the date of a document changes nothing"
            }
        }
    }
}

/// The ids of the first few.
fn named<'a>(grants: impl Iterator<Item = &'a Grant>) -> String {
    let ids = grants.take(NAMED_MAX).map(|grant| format!("`{}`", grant.id));
    ids.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;

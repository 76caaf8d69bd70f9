//! Whether the objects of one moment can stand together; the same rules for a file and for a change set.
//!
//! These rules decide for ever which change sets of a log are void: a stricter one comes with a new format of change
//! sets ([`crate::change`]), or only where files are read.

mod across;
mod codes;
mod grants;
mod one;
mod succession;

use std::fmt;

use lgsp_types::ReasonCode;

use crate::object::{Object, ObjectRef, Objects};

/// Two objects of one id, or one thing said twice.
pub(crate) const CONFIG_DUPLICATE: ReasonCode = ReasonCode::new("CONFIG_DUPLICATE");
/// Days that cannot be: an end before its beginning, a term outside its agency's life, a closing without a last day.
pub(crate) const CONFIG_DATES: ReasonCode = ReasonCode::new("CONFIG_DATES");
/// A field that is missing, unknown, or holds what it cannot hold.
pub(crate) const CONFIG_FIELD: ReasonCode = ReasonCode::new("CONFIG_FIELD");
/// More, or longer, than the registry takes.
pub(crate) const CONFIG_TOO_LARGE: ReasonCode = ReasonCode::new("CONFIG_TOO_LARGE");
/// An id or code that nobody has.
pub(crate) const CONFIG_REFERENCE: ReasonCode = ReasonCode::new("CONFIG_REFERENCE");
/// Agencies that follow, or stand under, one another in a circle.
pub(crate) const CONFIG_CYCLE: ReasonCode = ReasonCode::new("CONFIG_CYCLE");
/// One code, two agencies, one day.
pub(crate) const CONFIG_CODE_HELD_TWICE: ReasonCode = ReasonCode::new("CONFIG_CODE_HELD_TWICE");
/// One agency, two connectors with an equal claim to its deliveries.
pub(crate) const CONFIG_RECEIVED_TWICE: ReasonCode = ReasonCode::new("CONFIG_RECEIVED_TWICE");

/// A grant that goes on after an agency that it names is closed.
pub(crate) const CONFIG_CLOSED_AGENCY: ReasonCode = ReasonCode::new("CONFIG_CLOSED_AGENCY");

/// One thing in which an object contradicts itself or others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    pub object: ObjectRef,
    /// Where in the object, e.g. `codes[1].to`; `.` for the whole.
    pub path: String,
    pub code: ReasonCode,
    pub what: String,
    pub mend: String,
}

impl fmt::Display for Contradiction {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            object,
            path,
            code,
            what,
            mend,
        } = self;
        write!(out, "{code} at {object} {path}: {what}; {mend}")
    }
}

/// What was found so far.
#[derive(Debug, Default)]
struct Findings(Vec<Contradiction>);

impl Findings {
    fn add(
        &mut self,
        object: &ObjectRef,
        path: impl Into<String>,
        code: &ReasonCode,
        what: impl Into<String>,
        mend: &str,
    ) {
        self.0.push(Contradiction {
            object: object.clone(),
            path: path.into(),
            code: code.clone(),
            what: what.into(),
            mend: mend.to_owned(),
        });
    }
}

/// What is wrong with one object, whatever the others are.
pub(crate) fn check_one(object: &Object) -> Vec<Contradiction> {
    let mut findings = Findings::default();
    match object {
        Object::Agency(agency) => one::agency(agency, &mut findings),
        Object::System(system) => one::system(system, &mut findings),
        Object::Connector(connector) => one::connector(connector, &mut findings),
        Object::Adapter(adapter) => one::adapter(adapter, &mut findings),
        // What stands in it is for the contract check.
        Object::Contract(_) => {}
        Object::Grant(grant) => grants::grant(grant, &mut findings),
    }
    findings.0
}

/// What is wrong between the objects, each of which passed [`check_one`].
///
/// All are looked at, whatever changed: linear time, a few milliseconds for the thousands that a province has, and no
/// second way to come to the answer.
pub(crate) fn check_all(objects: &Objects) -> Vec<Contradiction> {
    let mut findings = Findings::default();
    across::references(objects, &mut findings);
    across::parents(objects, &mut findings);
    succession::check(objects, &mut findings);
    codes::holders(objects, &mut findings);
    codes::connectors(objects, &mut findings);
    findings.0
}

/// What is wrong with what is being written now, and was no reason to undo what was written before: an agency is closed in
/// one file, and the grants that name it are ended in another.
///
/// Not part of what makes a change set void.
pub(crate) fn check_written<'a>(objects: &Objects, written: impl Iterator<Item = &'a Object>) -> Vec<Contradiction> {
    let mut findings = Findings::default();
    grants::of_closed_agencies(objects, written, &mut findings);
    findings.0
}

#[cfg(test)]
mod tests;

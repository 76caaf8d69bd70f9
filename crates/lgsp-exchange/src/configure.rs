//! Changing the configuration, by a file or by hand: planned against what is folded, appended, and answered when the rules
//! have it (exchange.md section 7).

use lgsp_registry::{
    Change, ChangeSet, ConfigError, Control, Difference, EditError, Import, Left, ObjectRef, Take, WhyLeft,
    differences, plan_edit, plan_import_taking, text_to_edit,
};
use lgsp_types::{EventId, What};
use serde::Serialize;
use thiserror::Error;

use crate::chronicle::{ChangedObject, Made};
use crate::control::{ControlError, Folded};
use crate::spine::Spine;

/// How often a file is planned anew because somebody else was faster.
const ROUNDS_MAX: usize = 3;

/// Why a change of the configuration came to nothing. The rules are as before.
#[derive(Debug, Error)]
pub enum ImportError {
    /// Correct the file.
    #[error("nothing of it was taken")]
    File(Vec<ConfigError>),
    /// Look at what it is now, and decide again.
    #[error("{object} was changed meanwhile by {}, at {}; look at it again and change that", made.by, made.at)]
    Overtaken { object: ObjectRef, made: Box<Made> },
    /// Nothing to do.
    #[error("{0} says that already")]
    NoNews(ObjectRef),
    /// Correct the file: together with what is configured already it makes no sense.
    #[error("the change is void: {why}")]
    Void { why: String },
    #[error(transparent)]
    Control(#[from] ControlError),
}

/// What an import did.
#[derive(Debug)]
pub struct Imported {
    /// Objects that changed.
    pub changed: usize,
    /// Objects that somebody else changed since the last import; they wait for a decision.
    pub left: Vec<Left>,
    /// The change sets that did it.
    pub made: Vec<Made>,
}

/// What an import would do.
#[derive(Debug, Serialize)]
pub struct Planned {
    pub changes: Vec<ChangedObject>,
    pub left: Vec<LeftObject>,
}

/// An object on which a file and the ledger differ, and which waits for a decision.
#[derive(Debug, Serialize)]
pub struct LeftObject {
    pub object: ObjectRef,
    /// Its line in the file.
    pub line: Option<usize>,
    /// Why, in words.
    pub why: String,
    /// Who made it what it is now.
    pub made: Option<Made>,
    /// From what the ledger has to what the file says.
    pub differences: Vec<Difference>,
}

impl Spine {
    /// Imports one registry file; only objects whose text changed since its last import are touched.
    ///
    /// # Errors
    /// [`ImportError`]; the rules are as before then, or have only the change sets before the one that failed.
    pub async fn import(&self, file: &str, text: &str) -> Result<Imported, ImportError> {
        self.import_taking(file, text, Take::Neither).await
    }

    /// As [`Spine::import`], with a decision on what would be left.
    ///
    /// # Errors
    /// [`ImportError`]; the rules are as before then, or have only the change sets before the one that failed.
    pub async fn import_taking(&self, file: &str, text: &str, take: Take) -> Result<Imported, ImportError> {
        let mut imported = Imported {
            changed: 0,
            left: Vec::new(),
            made: Vec::new(),
        };
        let mut rounds = 0;
        loop {
            rounds += 1;
            match self.import_once(file, text, take, &mut imported).await {
                // Somebody changed one of the objects between plan and append: what is left of the file is planned anew.
                Err(ImportError::Void { .. }) if rounds < ROUNDS_MAX => {}
                answer => return answer.map(|()| imported),
            }
        }
    }

    async fn import_once(&self, file: &str, text: &str, take: Take, done: &mut Imported) -> Result<(), ImportError> {
        let (_, Import { change_sets, left }) = self.planned(file, text, take).await?;
        done.left = left;
        for change_set in change_sets {
            let event = self.write_change_set(change_set.bytes).await?;
            done.changed += change_set.objects;
            done.made.extend(self.rules.made(event));
        }
        Ok(())
    }

    /// What an import would change, and what it would leave.
    ///
    /// # Errors
    /// [`ImportError`]; nothing was to be changed.
    pub async fn plan(&self, file: &str, text: &str, take: Take) -> Result<Planned, ImportError> {
        let (control, import) = self.planned(file, text, take).await?;
        let changes = changes_of(&import);
        let changes = changes.iter().map(|change| changed(&control, change)).collect();
        let left = import.left.iter().map(|left| {
            let (head, present) = control.head(&left.object);
            LeftObject {
                object: left.object.clone(),
                line: left.line,
                why: why(left.why).to_owned(),
                made: head.and_then(|head| self.rules.made(head)),
                differences: differences(present.as_ref(), left.wanted.as_ref()),
            }
        });
        let left = left.collect();
        Ok(Planned { changes, left })
    }

    /// A plan, and what it was made against. A file of megabytes takes its time: nobody waits for it.
    async fn planned(&self, file: &str, text: &str, take: Take) -> Result<(Control, Import), ImportError> {
        let control = self.rules.folded().control.clone();
        let (file, text) = (file.to_owned(), text.to_owned());
        let planning = tokio::task::spawn_blocking(move || {
            let import = plan_import_taking(&control, &file, &text, take)?;
            Ok((control, import))
        });
        let planned = planning.await.map_err(|error| ControlError::Unwritten(error.into()))?;
        planned.map_err(ImportError::File)
    }

    /// Changes one object, as `person` edited the text that [`Spine::object_to_edit`] gave; answers what was made.
    ///
    /// # Errors
    /// [`ImportError`]; nothing changed.
    pub async fn edit(&self, person: &str, text: &str) -> Result<Made, ImportError> {
        let planned = {
            let folded = self.rules.folded();
            plan_edit(&folded.control, person, text).map_err(|error| self.edit_error(&folded, error))
        };
        let set = planned?;
        // It may be overtaken still, between plan and append: then the fold says so.
        let object = ChangeSet::read(&set.bytes)
            .ok()
            .and_then(|set| set.changes.into_iter().next());
        let written = self.write_change_set(set.bytes).await;
        let overtaken = |why| match object {
            Some(change) => {
                let folded = self.rules.folded();
                let (head, _) = folded.control.head(&change.object);
                if head == change.predecessor {
                    return ImportError::Void { why };
                }
                self.edit_error(&folded, EditError::Overtaken(change.object))
            }
            None => ImportError::Void { why },
        };
        let event = match written {
            Ok(event) => event,
            Err(ImportError::Void { why }) => return Err(overtaken(why)),
            Err(error) => return Err(error),
        };
        let made = self.rules.made(event);
        made.ok_or_else(|| ImportError::Void {
            why: "the change is not found again".to_owned(),
        })
    }

    fn edit_error(&self, folded: &Folded, error: EditError) -> ImportError {
        match error {
            EditError::Wrong(mistakes) => ImportError::File(mistakes),
            EditError::NoNews(object) => ImportError::NoNews(object),
            EditError::Overtaken(object) => {
                let (head, _) = folded.control.head(&object);
                match head.and_then(|head| self.rules.made_in(folded, head)) {
                    Some(made) => ImportError::Overtaken {
                        object,
                        made: Box::new(made),
                    },
                    None => ImportError::Void {
                        why: format!("there never was a {object}: take `predecessor` out to make it"),
                    },
                }
            }
        }
    }

    /// The text of an object to be edited, and what made it so; none: there is no such object now.
    #[must_use]
    pub fn object_to_edit(&self, object: &ObjectRef) -> Option<(String, Made)> {
        let folded = self.rules.folded();
        let text = text_to_edit(&folded.control, object)?;
        let (head, _) = folded.control.head(object);
        Some((text, self.rules.made_in(&folded, head?)?))
    }

    /// Appends one change set and answers when the rules have it.
    pub(crate) async fn write_change_set(&self, change_set: bytes::Bytes) -> Result<EventId, ImportError> {
        let event_id = ChangeSet::event_id(&change_set);
        self.configure(event_id, What::Configured { change_set }).await?;
        match self.rules.void(event_id) {
            Some(why) => Err(ImportError::Void { why }),
            None => Ok(event_id),
        }
    }
}

/// What the change sets of a plan change.
fn changes_of(import: &Import) -> Vec<Change> {
    let sets = import
        .change_sets
        .iter()
        .filter_map(|set| ChangeSet::read(&set.bytes).ok());
    sets.flat_map(|set| set.changes).collect()
}

fn changed(control: &Control, change: &Change) -> ChangedObject {
    let (_, before) = control.head(&change.object);
    ChangedObject::new(change, before.as_ref())
}

const fn why(left: WhyLeft) -> &'static str {
    match left {
        WhyLeft::ChangedElsewhere => "changed elsewhere since this file was last imported",
        WhyLeft::AgencyGone => "an agency that the file no longer names",
    }
}

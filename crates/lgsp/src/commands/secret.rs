//! `lgsp secret`: the secrets that document systems, and the node towards webhooks, sign with, in the node's secrets folder.
//!
//! `<reference>/current` and `<reference>/next` are both in force while a secret is rotated (exchange.md section 4); a
//! running node reads a changed file at its next call.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use lgsp_files::Existing;
use lgsp_types::{ReasonCode, SystemId};
use serde_json::json;

use super::{Failure, NodeArguments};
use crate::home::Home;
use crate::private::{self, NotDone};

const SECRET_EXISTS: ReasonCode = ReasonCode::new("SECRET_EXISTS");
const SECRET_MISSING: ReasonCode = ReasonCode::new("SECRET_MISSING");
const SECRET_ROTATING: ReasonCode = ReasonCode::new("SECRET_ROTATING");
const SECRET_NOT_ROTATING: ReasonCode = ReasonCode::new("SECRET_NOT_ROTATING");

/// Secrets of document systems and webhooks, by the reference that the registry's `secret_ref` names
#[derive(Debug, Args)]
pub(crate) struct Secrets {
    #[command(subcommand)]
    act: Act,
    #[command(flatten)]
    node: NodeArguments,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Make the first secret of a reference, and show it
    Create(New),
    /// Make the next secret, and show it; the current one stays in force beside it
    Rotate(New),
    /// Let only the next secret count: the current one ends
    Finish {
        #[arg(value_name = "REFERENCE", value_parser = reference)]
        reference: SystemId,
    },
}

#[derive(Debug, Args)]
struct New {
    #[arg(value_name = "REFERENCE", value_parser = reference)]
    reference: SystemId,
    /// Write the secret into this new file of mode 0600 instead of showing it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// As webhooks sign with: `whsec_` and base64; a document system takes it as well
    #[arg(long)]
    webhook: bool,
}

/// A reference is a plain name, as it becomes a folder's.
fn reference(text: &str) -> Result<SystemId, String> {
    SystemId::parse(text).map_err(|error| format!("`{text}`: {error}"))
}

impl Secrets {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let settings = self.node.load()?.settings;
        let secrets = Home::new(&settings.node.data_dir).secrets();
        match &self.act {
            Act::Create(new) => {
                let path = place(&secrets, &new.reference, "current");
                if path.exists() {
                    return Err(refused(
                        SECRET_EXISTS,
                        &path,
                        "it is there already",
                        "use `lgsp secret rotate`",
                    ));
                }
                self.make(new, &path)?;
            }
            Act::Rotate(new) => {
                self.need_current(&secrets, &new.reference)?;
                let path = place(&secrets, &new.reference, "next");
                if path.exists() {
                    let mend = "use `lgsp secret finish` when every system signs with it";
                    return Err(refused(SECRET_ROTATING, &path, "it is being rotated", mend));
                }
                self.make(new, &path)?;
            }
            Act::Finish { reference } => self.finish(&secrets, reference)?,
        }
        Ok(ExitCode::SUCCESS)
    }

    fn need_current(&self, secrets: &Path, reference: &SystemId) -> Result<(), Failure> {
        let path = place(secrets, reference, "current");
        if path.exists() {
            return Ok(());
        }
        let mend = "use `lgsp secret create`";
        Err(refused(SECRET_MISSING, &path, "there is no secret", mend))
    }

    /// Where it is shown comes last: what was shown is in force.
    fn make(&self, new: &New, path: &Path) -> Result<(), Failure> {
        let secret = if new.webhook {
            private::fresh_webhook_secret()
        } else {
            private::fresh_secret()
        };
        let secret = secret.map_err(Failure::cannot)?;
        let line = format!("{secret}\n");
        if let Some(out) = &new.out {
            private::write(out, line.as_bytes(), Existing::Refuse).map_err(Failure::cannot)?;
        }
        let kept = path.parent().map_or(Ok(()), private::folder);
        let kept = kept.and_then(|()| private::write(path, line.as_bytes(), Existing::Refuse));
        if let (Err(_), Some(out)) = (&kept, &new.out) {
            // It is in force nowhere.
            drop(fs::remove_file(out));
        }
        kept.map_err(Failure::cannot)?;
        let shown = new.out.is_none();
        let mut out = io::stdout().lock();
        if self.json {
            let secret = shown.then_some(&secret);
            let row = json!({ "reference": new.reference, "file": path, "secret": secret });
            writeln!(out, "{row:#}")?;
        } else if shown {
            writeln!(out, "{secret}")?;
        }
        Ok(out.flush()?)
    }

    fn finish(&self, secrets: &Path, reference: &SystemId) -> Result<(), Failure> {
        let (next, current) = (place(secrets, reference, "next"), place(secrets, reference, "current"));
        match fs::rename(&next, &current) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mend = "use `lgsp secret rotate` first";
                return Err(refused(SECRET_NOT_ROTATING, &next, "there is no next secret", mend));
            }
            Err(error) => return Err(Failure::cannot(NotDone::file(&current, error))),
        }
        lgsp_files::sync_folder(&current)?;
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{:#}", json!({ "reference": reference, "file": current }))?;
        } else {
            writeln!(out, "{}", current.display())?;
        }
        Ok(())
    }
}

fn place(secrets: &Path, reference: &SystemId, name: &str) -> PathBuf {
    secrets.join(reference.as_str()).join(name)
}

fn refused(code: ReasonCode, path: &Path, what: &str, mend: &str) -> Failure {
    Failure::cannot(NotDone::new(code, path.display().to_string(), what, mend))
}

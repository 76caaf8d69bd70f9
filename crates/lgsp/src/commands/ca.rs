//! `lgsp ca`: a certificate authority in a folder, for installations that have no other.

pub(crate) mod authority;
mod pem;
pub(crate) mod register;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use lgsp_api::{Domain, Who};
use lgsp_files::Existing;
use lgsp_types::{ReasonCode, UnixMs};
use serde_json::{Value, json};

use super::Failure;
use crate::node::clock;
use crate::private::{self, NotDone};
use authority::{Authority, Issued, Subject};
use register::Entry;

const CA_EXISTS: ReasonCode = ReasonCode::new("CA_EXISTS");
const CA_MISSING: ReasonCode = ReasonCode::new("CA_MISSING");
const CA_DAMAGED: ReasonCode = ReasonCode::new("CA_DAMAGED");
const CERTIFICATE_EXISTS: ReasonCode = ReasonCode::new("CERTIFICATE_EXISTS");
const CA_TOO_LONG: ReasonCode = ReasonCode::new("CA_TOO_LONG");
const HOST_INVALID: ReasonCode = ReasonCode::new("HOST_INVALID");
const SERIAL_UNKNOWN: ReasonCode = ReasonCode::new("SERIAL_UNKNOWN");
const SERIAL_REVOKED: ReasonCode = ReasonCode::new("SERIAL_REVOKED");

/// A certificate authority in a folder: ca.pem for the nodes, ca.key to be kept by one person, crl.pem for the nodes
#[derive(Debug, Args)]
pub(crate) struct Ca {
    #[command(subcommand)]
    act: Act,
    /// Folder of the authority
    #[arg(long, global = true, value_name = "DIR", default_value = "ca")]
    ca: PathBuf,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Make the authority
    Init(Init),
    /// Issue a certificate with its key, for a caller or for a node
    Issue(Issue),
    /// Revoke a certificate and write the list of revoked ones
    Revoke(Revoke),
    /// List every certificate issued
    List,
    /// Write the list of revoked certificates anew; without one in force, nodes refuse every certificate
    Crl(Crl),
}

#[derive(Debug, Args)]
struct Init {
    /// Whose systems it names, as in lgsp.vinhphuc.gov.vn; the nodes' setting must say the same
    #[arg(long, value_parser = domain)]
    domain: Domain,
    /// Days until the authority ends
    #[arg(long, default_value_t = 3650, value_parser = clap::value_parser!(u32).range(1..=36500))]
    days: u32,
    #[command(flatten)]
    crl: Crl,
}

#[derive(Debug, Args)]
struct Issue {
    /// Who calls: system/<id>, adapter/<id> or operator/<id>
    #[arg(long = "for", value_name = "WHO", value_parser = who, required_unless_present = "host", conflicts_with = "host")]
    who: Option<Who>,
    /// A host or address of the node, for its own certificate; may be given several times
    #[arg(long)]
    host: Vec<String>,
    /// Folder for the two files, <name>.pem and <name>.key
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    /// Days until the certificate ends
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// Replace the files of an older certificate; a running node takes up the new ones by itself
    #[arg(long)]
    replace: bool,
}

#[derive(Debug, Args)]
struct Revoke {
    /// The serial that `lgsp ca list` shows
    serial: String,
    #[command(flatten)]
    crl: Crl,
}

#[derive(Clone, Copy, Debug, Args)]
struct Crl {
    /// Days until the list of revoked certificates must have been written anew
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3650))]
    crl_days: u32,
}

fn domain(text: &str) -> Result<Domain, String> {
    Domain::parse(text).map_err(|error| format!("`{text}` {error}"))
}

pub(super) fn who(text: &str) -> Result<Who, String> {
    Who::parse(text).map_err(|error| format!("`{text}` {error}"))
}

impl Ca {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let now = clock()();
        match &self.act {
            Act::Init(init) => {
                let made = Authority::init(&self.ca, init.domain.clone(), init.days, init.crl.crl_days, now);
                self.tell_files(&made.map_err(Failure::cannot)?)?;
            }
            Act::Issue(issue) => self.issue(issue, now)?,
            Act::Revoke(revoke) => {
                let mut authority = self.open()?;
                let revoked = authority.revoke(&revoke.serial, revoke.crl.crl_days, now);
                self.tell_rows(&[revoked.map_err(Failure::cannot)?], now)?;
            }
            Act::List => self.tell_rows(&self.open()?.register().issued, now)?,
            Act::Crl(crl) => {
                let mut authority = self.open()?;
                authority.write_crl(crl.crl_days, now).map_err(Failure::cannot)?;
                self.tell_files(&authority)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    fn open(&self) -> Result<Authority, Failure> {
        Authority::open(&self.ca).map_err(Failure::cannot)
    }

    fn issue(&self, issue: &Issue, now: UnixMs) -> Result<(), Failure> {
        let (subject, name) = match &issue.who {
            Some(who) => (Subject::Client(who.clone()), who.to_string().replace('/', "-")),
            None => (Subject::Server(issue.host.clone()), String::from("server")),
        };
        let mut authority = self.open()?;
        private::folder(&issue.out).map_err(Failure::cannot)?;
        let key = issue.out.join(format!("{name}.key"));
        if key.exists() && !issue.replace {
            // Before a serial is spent on it.
            let mend = "issue with --replace, or choose another folder";
            let at = key.display().to_string();
            return Err(Failure::cannot(NotDone::new(
                CERTIFICATE_EXISTS,
                at,
                "there is a certificate of this name",
                mend,
            )));
        }
        let issued = authority.issue(&subject, issue.days, now).map_err(Failure::cannot)?;
        let existing = if issue.replace {
            Existing::Replace
        } else {
            Existing::Refuse
        };
        let files = save(&issue.out, &name, &issued, existing).map_err(Failure::cannot)?;
        let mut out = io::stdout().lock();
        if self.json {
            let mut row = row(&issued.entry, now);
            if let Value::Object(members) = &mut row {
                members.insert(String::from("certificate"), json!(files.0));
                members.insert(String::from("key"), json!(files.1));
            }
            writeln!(out, "{row:#}")?;
        } else {
            writeln!(out, "{}  {}", issued.entry.serial, issued.entry.names.join(" "))?;
            writeln!(out, "certificate {}", files.0.display())?;
            writeln!(out, "key         {}", files.1.display())?;
            writeln!(out, "until       {}", UnixMs(issued.entry.ends_ms).iso_text())?;
        }
        Ok(())
    }

    fn tell_files(&self, authority: &Authority) -> io::Result<()> {
        let mut out = io::stdout().lock();
        let (root, list) = authority.files();
        let domain = &authority.register().domain;
        if self.json {
            return writeln!(out, "{:#}", json!({ "domain": domain, "ca": root, "crl": list }));
        }
        writeln!(out, "domain  {domain}")?;
        writeln!(out, "root    {}", root.display())?;
        writeln!(out, "revoked {}", list.display())
    }

    fn tell_rows(&self, entries: &[Entry], now: UnixMs) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.json {
            let rows: Vec<Value> = entries.iter().map(|entry| row(entry, now)).collect();
            return writeln!(out, "{:#}", json!({ "certificates": rows }));
        }
        for entry in entries {
            let (state, at_ms) = state(entry, now);
            let at = UnixMs(at_ms).iso_text();
            writeln!(out, "{}  {state:<8} {at}  {}", entry.serial, entry.names.join(" "))?;
        }
        Ok(())
    }
}

/// Writes `<name>.pem` and `<name>.key`. The key first: a certificate without its key helps nobody.
fn save(folder: &Path, name: &str, issued: &Issued, existing: Existing) -> Result<(PathBuf, PathBuf), NotDone> {
    let certificate = folder.join(format!("{name}.pem"));
    let key = folder.join(format!("{name}.key"));
    private::write(&key, issued.key.as_bytes(), existing)?;
    private::write_public(&certificate, issued.certificate.as_bytes(), existing)?;
    Ok((certificate, key))
}

/// What a certificate is now, and since or until when.
fn state(entry: &Entry, now: UnixMs) -> (&'static str, u64) {
    match entry.revoked_ms {
        Some(revoked_ms) => ("revoked", revoked_ms),
        None if entry.ends_ms <= now.0 => ("expired", entry.ends_ms),
        None => ("good", entry.ends_ms),
    }
}

fn row(entry: &Entry, now: UnixMs) -> Value {
    json!({
        "serial": entry.serial,
        "names": entry.names,
        "state": state(entry, now).0,
        "issued": UnixMs(entry.issued_ms).iso_text(),
        "ends": UnixMs(entry.ends_ms).iso_text(),
        "revoked": entry.revoked_ms.map(|ms| UnixMs(ms).iso_text()),
    })
}

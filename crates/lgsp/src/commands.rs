//! The subcommands: what each takes, and how it ends.
//!
//! Exit codes: 0 done; 1 the answer is no (not found, damaged, different); 2 wrong usage or settings; 3 could not be done;
//! 4 a node lost its ledger to another: start it again, it stands by.

mod adapter;
mod asking;
mod ca;
mod client;
mod config;
mod contract;
mod demo;
mod ledger;
mod rebuild;
mod redrive;
mod registry;
mod resume;
mod rights;
mod search;
mod secret;
mod serve;
mod stand;
mod status;
mod token;
mod trace;
mod verify;

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::settings::{Loaded, Log, Problems, Settings};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Play the main job once: a document crosses from one department to two others, and is proven
    Demo(demo::Demo),
    /// Run a node until SIGTERM or Ctrl-C
    Serve(serve::Serve),
    /// Run an adapter outside of the node until SIGTERM or Ctrl-C
    Adapter(adapter::Adapter),
    /// Tell all that happened to a message, found by document number or id
    Trace(trace::Trace),
    /// Find documents by number, agency, day, state, lateness or words
    Search(search::Search),
    /// Tell in one screen how a node stands, and what waits for whom
    Status(status::Status),
    /// Show dead letters, or give them another round of tries
    Redrive(redrive::Redrive),
    /// Tell who changed the registry of a node, what a file would change, and change it without a restart
    Registry(registry::Registry),
    /// Tell by which grants a contract may be sent
    WhoMay(rights::WhoMay),
    /// Tell whether a message would be let in, and why not
    Allowed(rights::Allowed),
    /// Push to a far side again that is left alone, or was switched off
    Resume(resume::Resume),
    /// Check a ledger offline, also beside a running node: every record, signature, rule and checkpoint
    Verify(verify::Verify),
    /// Make the store again from the ledger and compare it with the one in use
    Rebuild(rebuild::Rebuild),
    /// Show the settings and where each comes from, or check them
    Config(config::Config),
    /// Check contracts and their samples, or hold a payload against one
    Contract(contract::ContractFiles),
    /// Make the topics of a ledger on Kafka, or tell that they are there
    Ledger(ledger::Ledgers),
    /// Make a certificate authority for a small installation, issue and revoke certificates
    Ca(ca::Ca),
    /// Make, list and revoke bearer tokens of a node
    Token(token::Tokens),
    /// Make and rotate the secrets that document systems sign with
    Secret(secret::Secrets),
    /// Send one message through a node, with its files
    Send(client::Send),
    /// Send many messages through a node, one JSON object a line
    Publish(client::Publish),
    /// Take what waits for you at a node, and acknowledge it
    Receive(client::Receive),
    /// Take a message that you sent back from whoever has not had it
    Withdraw(client::Withdraw),
    /// Follow what is written at a node, or what becomes of your messages
    Tail(client::Tail),
}

impl Command {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        match self {
            Self::Demo(demo) => demo.run(),
            Self::Serve(serve) => serve.run(),
            Self::Adapter(adapter) => adapter.run(),
            Self::Trace(trace) => trace.run(),
            Self::Search(search) => search.run(),
            Self::Status(status) => status.run(),
            Self::Redrive(redrive) => redrive.run(),
            Self::Registry(registry) => registry.run(),
            Self::WhoMay(who_may) => who_may.run(),
            Self::Allowed(allowed) => allowed.run(),
            Self::Resume(resume) => resume.run(),
            Self::Verify(verify) => verify.run(),
            Self::Rebuild(rebuild) => rebuild.run(),
            Self::Config(config) => config.run(),
            Self::Contract(contracts) => contracts.run(),
            Self::Ledger(ledgers) => ledgers.run(),
            Self::Ca(ca) => ca.run(),
            Self::Token(tokens) => tokens.run(),
            Self::Secret(secrets) => secrets.run(),
            Self::Send(send) => send.run(),
            Self::Publish(publish) => publish.run(),
            Self::Receive(receive) => receive.run(),
            Self::Withdraw(withdraw) => withdraw.run(),
            Self::Tail(tail) => tail.run(),
        }
    }
}

/// What every command that works on a node takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct NodeArguments {
    /// Settings that differ from config/lgsp.toml
    #[arg(long, global = true, value_name = "FILE", env = "LGSP_CONFIG")]
    pub(crate) config: Option<PathBuf>,
}

impl NodeArguments {
    pub(crate) fn load(&self) -> Result<Loaded, Failure> {
        Settings::load(self.config.as_deref(), environment()).map_err(Failure::settings)
    }
}

/// The variables of the environment. What is no UTF-8 there is no setting of ours.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// Starts the log and serves until SIGTERM or Ctrl-C, or until what is served ends by itself.
fn serve_until_told<Serving>(log: &Log, serve: impl FnOnce(CancellationToken) -> Serving) -> Result<ExitCode, Failure>
where
    Serving: Future<Output = Result<(), Failure>>,
{
    crate::log::start(log).map_err(|error| Failure::cannot(error as Box<dyn Error>))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async move {
        let stop = CancellationToken::new();
        let serving = serve(stop.clone());
        tokio::pin!(serving);
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            ended = &mut serving => return ended,
            _ = terminate.recv() => info!("told to stop"),
            _ = interrupt.recv() => info!("interrupted"),
        }
        stop.cancel();
        serving.await
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The answer is no.
pub(crate) const NO: u8 = 1;

/// How a command failed, and with which exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    error: Box<dyn Error>,
}

impl Failure {
    fn settings(problems: Problems) -> Self {
        Self {
            code: 2,
            error: problems.into(),
        }
    }

    /// Wrong usage.
    pub(crate) fn wrong(error: impl Into<Box<dyn Error>>) -> Self {
        Self {
            code: 2,
            error: error.into(),
        }
    }

    /// It could not be done; nothing is known of the answer.
    pub(crate) fn cannot(error: impl Into<Box<dyn Error>>) -> Self {
        Self {
            code: 3,
            error: error.into(),
        }
    }

    /// Another node serves instead.
    pub(crate) fn lost(error: impl Into<Box<dyn Error>>) -> Self {
        Self {
            code: 4,
            error: error.into(),
        }
    }

    /// It was done, and the answer is no.
    pub(crate) fn no(error: impl Into<Box<dyn Error>>) -> Self {
        Self {
            code: NO,
            error: error.into(),
        }
    }

    /// The chain of causes, the last first said.
    pub(crate) fn report(&self) -> ExitCode {
        let mut text = format!("error: {}", self.error);
        let mut cause = self.error.source();
        while let Some(source) = cause {
            text.push_str(&format!("\n  because: {source}"));
            cause = source.source();
        }
        // Nobody listens any more: the exit code still speaks.
        drop(writeln!(io::stderr(), "{text}"));
        ExitCode::from(self.code)
    }
}

impl From<io::Error> for Failure {
    /// Output that nobody reads, or that cannot be written.
    fn from(error: io::Error) -> Self {
        Self::cannot(error)
    }
}

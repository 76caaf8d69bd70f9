//! Commands of a department's people and integrators: they speak the public interface only, and know no node's folder.

mod publish;
mod receive;
mod send;
mod tail;
mod withdraw;

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::path::PathBuf;

use clap::Args;
use lgsp_api::{Endpoint, Link, Told, connect};
use lgsp_proto::exchange::v1;
use serde_json::{Value, json};

use super::Failure;
pub(super) use publish::Publish;
pub(super) use receive::Receive;
pub(super) use send::Send;
pub(super) use tail::Tail;
pub(super) use withdraw::Withdraw;

/// How the node is reached, and as whom.
#[derive(Clone, Debug, Args)]
pub(crate) struct LinkArguments {
    /// Address of the node, as in https://lgsp.example.vn:8443
    #[arg(long, value_name = "URL", env = "LGSP_NODE")]
    node: String,
    /// Roots that the node's certificate leads to, a PEM file
    #[arg(long, value_name = "FILE", env = "LGSP_CA")]
    ca: PathBuf,
    /// Your certificate, a PEM file
    #[arg(long, value_name = "FILE", env = "LGSP_CERT", requires = "key")]
    cert: Option<PathBuf>,
    /// Its key, a PEM file of mode 0600
    #[arg(long, value_name = "FILE", env = "LGSP_KEY", requires = "cert")]
    key: Option<PathBuf>,
    /// A file of mode 0600 with your token, instead of a certificate or beside it
    #[arg(long, value_name = "FILE", env = "LGSP_TOKEN_FILE")]
    token_file: Option<PathBuf>,
}

impl LinkArguments {
    async fn connect(&self) -> Result<Link, Failure> {
        let endpoint = Endpoint {
            url: self.node.clone(),
            ca: self.ca.clone(),
            certificate: self.cert.clone().zip(self.key.clone()),
            token: self.token_file.clone(),
        };
        connect(&endpoint).await.map_err(Failure::cannot)
    }
}

/// Runs one command's calls.
fn run<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

/// What the node said, as people read it.
#[derive(Debug)]
struct Answered(Told);

impl fmt::Display for Answered {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Told {
            status,
            message,
            reason,
            mend,
            vietnamese,
            fields,
            fields_in_vietnamese,
            ..
        } = &self.0;
        let reason = if reason.is_empty() { status } else { reason };
        write!(out, "{reason}: {message}")?;
        for (path, what) in fields.iter().chain(fields_in_vietnamese) {
            write!(out, "\n  {path}: {what}")?;
        }
        if fields_in_vietnamese.is_empty() && !vietnamese.is_empty() {
            write!(out, "\n  {vietnamese}")?;
        }
        if fields.is_empty() && !mend.is_empty() {
            write!(out, "\n  {mend}")?;
        }
        Ok(())
    }
}

impl Error for Answered {}

/// The answer is no where asking again cannot help.
fn failure(told: Told) -> Failure {
    let passes = matches!(
        told.status.as_str(),
        "UNAVAILABLE" | "RESOURCE_EXHAUSTED" | "DEADLINE_EXCEEDED" | "CANCELLED" | "UNKNOWN" | "INTERNAL"
    );
    if passes {
        Failure::cannot(Answered(told))
    } else {
        Failure::no(Answered(told))
    }
}

/// As [`failure`], of an error as the client gives it.
fn no(told: impl Into<Told>) -> Failure {
    failure(told.into())
}

fn told_value(told: &Told) -> Value {
    let listed = |fields: &[(String, String)]| -> Vec<Value> {
        let fields = fields.iter();
        fields
            .map(|(path, what)| json!({ "path": path, "what": what }))
            .collect()
    };
    json!({
        "status": told.status,
        "reason": told.reason,
        "message": told.message,
        "mend": told.mend,
        "vietnamese": told.vietnamese,
        "fields": listed(&told.fields),
        "fields_in_vietnamese": listed(&told.fields_in_vietnamese),
        "retry_after_ms": told.retry_after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
    })
}

fn receipt_value(receipt: &v1::Receipt) -> Value {
    json!({
        "message_id": receipt.message_id,
        "position": position(receipt),
        "repeat": receipt.repeat,
        "note": receipt.note,
    })
}

fn position(receipt: &v1::Receipt) -> String {
    format!("{}/{}/{}", receipt.ledger, receipt.partition, receipt.offset)
}

//! `lgsp tail`: facts as they are written: all of them for an operator, those about its own messages for a sender.

use std::io::{self, Write};
use std::process::ExitCode;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use lgsp_api::Link;
use lgsp_proto::exchange::v1;
use lgsp_proto::exchange::v1::exchange_client::ExchangeClient;
use lgsp_proto::operations::v1 as operations;
use lgsp_proto::operations::v1::operations_client::OperationsClient;
use lgsp_proto::operations::v1::tail_request;
use lgsp_types::UnixMs;
use serde_json::{Value, json};

use super::{LinkArguments, no, run};
use crate::commands::Failure;

/// Follows what is written, one fact a line, until Ctrl-C. With --receipts: what becomes of the messages that you sent
#[derive(Debug, Args)]
pub(crate) struct Tail {
    #[command(flatten)]
    link: LinkArguments,
    /// Where to begin: `start`, `now`, or a cursor as it was printed with --json
    #[arg(long, value_name = "PLACE", default_value = "now")]
    from: String,
    /// Only what becomes of your own messages, with the receivers' evidence; begins at the start, or behind a cursor
    #[arg(long)]
    receipts: bool,
    /// End after so many
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Print JSON, one object per line
    #[arg(long)]
    json: bool,
}

impl Tail {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        run(async {
            let link = self.link.connect().await?;
            if self.receipts {
                self.follow(ExchangeClient::new(link)).await?;
            } else {
                self.tail(OperationsClient::new(link)).await?;
            }
            Ok(ExitCode::SUCCESS)
        })
    }
}

impl Tail {
    async fn follow(&self, mut client: ExchangeClient<Link>) -> Result<(), Failure> {
        let cursor = match self.from.as_str() {
            "now" | "start" => String::new(),
            cursor => cursor.to_owned(),
        };
        let answers = client.follow_receipts(v1::FollowReceiptsRequest { cursor }).await;
        let mut answers = answers.map_err(no)?.into_inner();
        let mut left = self.limit;
        while let Some(receipt) = answers.message().await.map_err(no)? {
            let evidence = receipt.evidence.map(|evidence| {
                json!({
                    "kind": evidence.kind,
                    "key_id": evidence.key_id,
                    "proof_base64": STANDARD.encode(&evidence.proof),
                    "signed_base64": STANDARD.encode(&evidence.signed),
                })
            });
            let event = operations::TracedEvent {
                kind: receipt.kind,
                position: receipt.position,
                at: receipt.at,
                delivery_id: receipt.delivery_id,
                agency_id: receipt.agency_id,
                system: receipt.system,
                reason: receipt.reason,
                effect: receipt.effect,
            };
            self.tell(&receipt.cursor, &receipt.message_id, &event, evidence)?;
            if is_last(&mut left) {
                break;
            }
        }
        Ok(())
    }

    async fn tail(&self, mut client: OperationsClient<Link>) -> Result<(), Failure> {
        let from = match self.from.as_str() {
            "now" => tail_request::From::Now(tail_request::Now {}),
            "start" => tail_request::From::Start(tail_request::Start {}),
            cursor => tail_request::From::Cursor(cursor.to_owned()),
        };
        let answers = client.tail(operations::TailRequest { from: Some(from) }).await;
        let mut answers = answers.map_err(no)?.into_inner();
        let mut left = self.limit;
        while let Some(told) = answers.message().await.map_err(no)? {
            self.tell(&told.cursor, &told.message_id, &told.event.unwrap_or_default(), None)?;
            if is_last(&mut left) {
                break;
            }
        }
        Ok(())
    }

    fn tell(
        &self,
        cursor: &str,
        message: &str,
        event: &operations::TracedEvent,
        evidence: Option<Value>,
    ) -> io::Result<()> {
        let at = event.at.as_ref().map(|at| {
            let seconds = u64::try_from(at.seconds).unwrap_or_default();
            UnixMs(seconds * 1000 + u64::try_from(at.nanos).unwrap_or_default() / 1_000_000)
        });
        let at = at.unwrap_or(UnixMs(0)).iso_text();
        let mut out = io::stdout().lock();
        if self.json {
            let value = json!({
                "cursor": cursor,
                "message_id": message,
                "kind": event.kind,
                "position": event.position,
                "at": at,
                "delivery_id": event.delivery_id,
                "agency": event.agency_id,
                "system": event.system,
                "reason": event.reason,
                "effect": event.effect,
                "evidence": evidence,
            });
            return writeln!(out, "{value}");
        }
        let mut line = format!(
            "{at}  {:<13} {message} by {} at {}",
            event.kind, event.system, event.position
        );
        if !event.reason.is_empty() {
            line.push_str(&format!(" ({})", event.reason));
        }
        if event.effect != "in force" {
            line.push_str(&format!("  [{}]", event.effect));
        }
        writeln!(out, "{line}")
    }
}

/// Counts one of those that are left.
fn is_last(left: &mut Option<u64>) -> bool {
    if let Some(left) = left {
        *left -= 1;
    }
    *left == Some(0)
}

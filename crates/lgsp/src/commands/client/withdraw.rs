//! `lgsp withdraw`: takes a message back from whoever has not had it.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;
use lgsp_proto::exchange::v1;
use lgsp_proto::exchange::v1::exchange_client::ExchangeClient;
use lgsp_proto::exchange::v1::withdraw_response::{Delivery, Outcome};
use serde_json::json;

use super::{LinkArguments, no, run};
use crate::commands::Failure;

/// Takes a message that you sent back from its addressees, one line each. Whoever has had it, or may, keeps it: the exit
/// code is 1 then
#[derive(Debug, Args)]
pub(crate) struct Withdraw {
    #[command(flatten)]
    link: LinkArguments,
    /// The message's id, as its receipt names it
    #[arg(value_name = "MESSAGE-ID")]
    message: String,
    /// Only from the addressee with this code
    #[arg(long, value_name = "CODE", default_value = "")]
    to: String,
    /// Print JSON, one object per line
    #[arg(long)]
    json: bool,
}

impl Withdraw {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let request = v1::WithdrawRequest {
            message_id: self.message.clone(),
            to: self.to.clone(),
        };
        let answer = run(async {
            let mut client = ExchangeClient::new(self.link.connect().await?);
            client.withdraw(request).await.map_err(no)
        })?;
        let deliveries = answer.into_inner().deliveries;
        for delivery in &deliveries {
            self.tell(delivery)?;
        }
        let late = deliveries
            .iter()
            .filter(|delivery| delivery.outcome() != Outcome::Withdrawn)
            .count();
        if late > 0 {
            return Err(Failure::no(format!("too late for {late} of {}", deliveries.len())));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn tell(&self, delivery: &Delivery) -> io::Result<()> {
        let (outcome, meaning) = match delivery.outcome() {
            Outcome::Withdrawn => ("withdrawn", "withdrawn"),
            Outcome::Tried => (
                "tried",
                "too late: it is being pushed, or was, and the receiver may have it",
            ),
            Outcome::TooLate | Outcome::Unspecified => ("too-late", "too late"),
        };
        let state = match delivery.state() {
            v1::DeliveryState::Unspecified => "unknown",
            v1::DeliveryState::Open => "open",
            v1::DeliveryState::Collected => "collected",
            v1::DeliveryState::Delivered => "delivered",
            v1::DeliveryState::DeadLettered => "dead-lettered",
            v1::DeliveryState::Withdrawn => "withdrawn",
        };
        let mut out = io::stdout().lock();
        if self.json {
            let row =
                json!({ "delivery": delivery.delivery_id, "to": delivery.to, "outcome": outcome, "state": state });
            return writeln!(out, "{row}");
        }
        let state = if outcome == state {
            String::new()
        } else {
            format!(" ({state})")
        };
        writeln!(out, "{}  to {}  {meaning}{state}", delivery.delivery_id, delivery.to)
    }
}

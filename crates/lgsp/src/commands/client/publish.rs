//! `lgsp publish`: many messages on one stream, one JSON object a line in, one answer a line out.

use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use futures_util::{Stream, stream};
use lgsp_api::Told;
use lgsp_proto::exchange::v1;
use lgsp_proto::exchange::v1::exchange_client::ExchangeClient;
use lgsp_proto::exchange::v1::publish_stream_response::Outcome;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{LinkArguments, no, receipt_value, run, told_value};
use crate::commands::Failure;

/// Lines that are read ahead.
const LINES_AHEAD: usize = 64;

/// Sends many messages: each line of the input is one, each line of the output says what became of it
#[derive(Debug, Args)]
pub(crate) struct Publish {
    #[command(flatten)]
    link: LinkArguments,
    /// File of JSON lines, as in {"contract":"vn.lgsp.document/1","from":"H62.11","to":["H62.14"],
    /// "idempotency_key":"7","payload":{..}}; `-`: standard input
    #[arg(value_name = "FILE")]
    lines: PathBuf,
}

/// One line.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    contract: String,
    from: String,
    to: Vec<String>,
    idempotency_key: String,
    #[serde(default)]
    order_key: String,
    #[serde(default)]
    purpose: String,
    #[serde(default)]
    case_number: String,
    #[serde(default)]
    codes_as_of: String,
    #[serde(default)]
    act: String,
    #[serde(default)]
    due: String,
    /// Sent byte for byte as it stands in the line.
    payload: Option<Box<RawValue>>,
    /// For a payload that is no JSON.
    #[serde(default)]
    payload_base64: String,
}

impl Line {
    fn read(text: &str) -> Result<v1::Message, String> {
        let line: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let payload = match &line.payload {
            Some(payload) if line.payload_base64.is_empty() => payload.get().as_bytes().to_vec(),
            None => STANDARD
                .decode(&line.payload_base64)
                .map_err(|error| format!("payload_base64: {error}"))?,
            Some(_) => return Err(String::from("both payload and payload_base64 are given")),
        };
        Ok(v1::Message {
            contract: line.contract,
            from: line.from,
            to: line.to,
            purpose: line.purpose,
            idempotency_key: line.idempotency_key,
            order_key: line.order_key,
            case_number: line.case_number,
            codes_as_of: line.codes_as_of,
            act: line.act,
            due: line.due,
            payload: payload.into(),
            ..v1::Message::default()
        })
    }
}

impl Publish {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let input: Box<dyn BufRead + Send> = if self.lines.as_os_str() == "-" {
            Box::new(BufReader::new(io::stdin()))
        } else {
            Box::new(BufReader::new(std::fs::File::open(&self.lines)?))
        };
        let (read, lines) = mpsc::channel(LINES_AHEAD);
        // The input may be a person at a keyboard: it is read beside the calls.
        std::thread::spawn(move || read_lines(input, &read));
        run(self.publish(lines))
    }

    async fn publish(&self, mut lines: mpsc::Receiver<Result<String, io::Error>>) -> Result<ExitCode, Failure> {
        let mut client = ExchangeClient::new(self.link.connect().await?);
        let (send, requests) = mpsc::channel(LINES_AHEAD);
        let sending = async move {
            let mut number = 0_u64;
            while let Some(line) = lines.recv().await {
                number += 1;
                let message = Line::read(&line?).map_err(|what| format!("line {number}: {what}"));
                let message = Some(message.map_err(Failure::no)?);
                if send.send(v1::PublishStreamRequest { message }).await.is_err() {
                    break;
                }
            }
            Ok::<_, Failure>(())
        };
        let answering = async {
            let answers = client.publish_stream(queued(requests)).await;
            let mut answers = answers.map_err(no)?.into_inner();
            let mut all = true;
            while let Some(answer) = answers.message().await.map_err(no)? {
                all &= tell(answer)?;
            }
            Ok::<_, Failure>(all)
        };
        // What was read before a line that is none is sent and answered still.
        let (sent, answered) = tokio::join!(sending, answering);
        let all = answered?;
        sent?;
        Ok(if all {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(crate::commands::NO)
        })
    }
}

fn read_lines(input: impl BufRead, read: &mpsc::Sender<io::Result<String>>) {
    for line in input.lines() {
        let blank = line.as_ref().is_ok_and(|line| line.trim().is_empty());
        if !blank && read.blocking_send(line).is_err() {
            return;
        }
    }
}

/// What comes through a channel, as a stream of requests.
pub(super) fn queued<T: Send + 'static>(requests: mpsc::Receiver<T>) -> impl Stream<Item = T> + Send + 'static {
    stream::unfold(requests, |mut requests| async {
        let request = requests.recv().await?;
        Some((request, requests))
    })
}

/// False: it was not accepted.
fn tell(answer: v1::PublishStreamResponse) -> io::Result<bool> {
    let (accepted, mut value) = match answer.outcome {
        Some(Outcome::Receipt(receipt)) => (true, receipt_value(&receipt)),
        Some(Outcome::Error(error)) => (false, json!({ "error": told_value(&Told::within(&error)) })),
        None => (false, json!({ "error": Value::Null })),
    };
    if let Some(members) = value.as_object_mut() {
        members.insert(String::from("index"), json!(answer.index));
    }
    writeln!(io::stdout().lock(), "{value}")?;
    Ok(accepted)
}

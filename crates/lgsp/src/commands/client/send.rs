//! `lgsp send`: one message with its files, and the receipt for it.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use futures_util::stream;
use lgsp_api::{Link, Told};
use lgsp_proto::exchange::v1;
use lgsp_proto::exchange::v1::exchange_client::ExchangeClient;
use lgsp_proto::exchange::v1::upload_attachment_request::{Part, Start};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use super::{LinkArguments, failure, position, receipt_value, run};
use crate::commands::Failure;

/// Bytes of one chunk of a file.
const CHUNK_BYTES: usize = 256 * 1024;
/// When to try again where the node does not say.
const RETRY: Duration = Duration::from_secs(1);

/// Sends one message; the receipt that it prints is the proof that it is stored. The same command again is a repeat
#[derive(Debug, Args)]
pub(crate) struct Send {
    #[command(flatten)]
    link: LinkArguments,
    /// Code of the sending agency
    #[arg(long, value_name = "CODE")]
    from: String,
    /// Code of an agency that it is for; once for each
    #[arg(long, value_name = "CODE", required = true)]
    to: Vec<String>,
    /// Contract of the payload, with its version
    #[arg(long, value_name = "NAME/VERSION", default_value = "vn.lgsp.document/1")]
    contract: String,
    /// Your own name for this message: what makes a repeat a repeat
    #[arg(long = "idempotency-key", value_name = "TEXT")]
    idempotency_key: String,
    /// Messages of one order key arrive in order
    #[arg(long, value_name = "TEXT", default_value = "")]
    order_key: String,
    /// Code of the purpose
    #[arg(long, value_name = "CODE", default_value = "")]
    purpose: String,
    /// Number and notation of the document that the message is, as in 88/STP-VP: what people find it by
    #[arg(long, value_name = "NUMBER")]
    document: Option<String>,
    /// A file that goes with it, once for each
    #[arg(long, value_name = "FILE")]
    attach: Vec<PathBuf>,
    /// How often it is tried while the node cannot be asked or has too much to do
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    tries: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// File with the payload; `-`: standard input
    #[arg(value_name = "PAYLOAD")]
    payload: PathBuf,
}

impl Send {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let payload = read(&self.payload)?;
        let receipt = run(self.send(payload))?;
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{:#}", receipt_value(&receipt))?;
        } else {
            let repeat = if receipt.repeat { ", sent before" } else { "" };
            writeln!(out, "{} at {}{repeat}\n", receipt.message_id, position(&receipt))?;
            write!(out, "{}", receipt.note)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn send(&self, payload: Vec<u8>) -> Result<v1::Receipt, Failure> {
        let mut client = ExchangeClient::new(self.link.connect().await?);
        let mut message = v1::Message {
            contract: self.contract.clone(),
            from: self.from.clone(),
            to: self.to.clone(),
            purpose: self.purpose.clone(),
            idempotency_key: self.idempotency_key.clone(),
            order_key: self.order_key.clone(),
            payload: payload.into(),
            documents: self.document.iter().map(|code| document(code)).collect(),
            ..v1::Message::default()
        };
        let mut tries = self.tries;
        loop {
            tries -= 1;
            let told = match self.try_once(&mut client, &mut message).await? {
                Ok(receipt) => return Ok(receipt),
                Err(told) => told,
            };
            // Whatever became of it, the same call again gets the first answer.
            let passes = matches!(told.status.as_str(), "UNAVAILABLE" | "RESOURCE_EXHAUSTED");
            if tries == 0 || !passes {
                return Err(failure(told));
            }
            tokio::time::sleep(told.retry_after.unwrap_or(RETRY)).await;
        }
    }

    /// Uploads are of use once: each try makes its own.
    async fn try_once(
        &self,
        client: &mut ExchangeClient<Link>,
        message: &mut v1::Message,
    ) -> Result<Result<v1::Receipt, Told>, Failure> {
        message.attachments.clear();
        for path in &self.attach {
            match upload(client, path).await? {
                Ok(upload) => message.attachments.push(upload),
                Err(told) => return Ok(Err(told)),
            }
        }
        let message = Some(message.clone());
        Ok(match client.publish(v1::PublishRequest { message }).await {
            Ok(answer) => Ok(answer.into_inner().receipt.unwrap_or_default()),
            Err(status) => Err(Told::of(&status)),
        })
    }
}

fn document(code: &str) -> v1::DocumentReference {
    v1::DocumentReference {
        relation: v1::document_reference::Relation::Is.into(),
        code: code.to_owned(),
        ..v1::DocumentReference::default()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut payload = Vec::new();
    // More than a message may have is not read: the node says how much that is.
    let limit = 2 * lgsp_types::PAYLOAD_MAX_BYTES as u64;
    if path.as_os_str() == "-" {
        io::stdin().lock().take(limit).read_to_end(&mut payload)?;
    } else {
        let file = std::fs::File::open(path).map_err(|error| unreadable(path, error))?;
        file.take(limit).read_to_end(&mut payload)?;
    }
    Ok(payload)
}

fn unreadable(path: &Path, error: io::Error) -> Failure {
    Failure::cannot(io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

async fn upload(client: &mut ExchangeClient<Link>, path: &Path) -> Result<Result<v1::Upload, Told>, Failure> {
    let file = File::open(path).await.map_err(|error| unreadable(path, error))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let start = Start {
        media_type: media_type(path).to_owned(),
        name,
        role: v1::attachment::Role::Attachment.into(),
        ..Start::default()
    };
    // A file that cannot be read to its end ends the call, so that nobody takes the half for the whole.
    let (broken, mut is_broken) = tokio::sync::oneshot::channel();
    let parts = stream::unfold((Some(start), file, Some(broken)), |(start, mut file, broken)| async {
        if let Some(start) = start {
            return Some((Part::Start(start), (None, file, broken)));
        }
        let mut chunk = vec![0; CHUNK_BYTES];
        match file.read(&mut chunk).await {
            Ok(0) => None,
            Ok(read) => {
                chunk.truncate(read);
                Some((Part::Chunk(chunk.into()), (None, file, broken)))
            }
            Err(error) => {
                broken.map(|broken| broken.send(error));
                std::future::pending().await
            }
        }
    });
    let requests = futures_util::StreamExt::map(parts, |part| v1::UploadAttachmentRequest { part: Some(part) });
    tokio::select! {
        biased;
        Ok(error) = &mut is_broken => Err(unreadable(path, error)),
        answer = client.upload_attachment(requests) => Ok(match answer {
            Ok(answer) => Ok(answer.into_inner().upload.unwrap_or_default()),
            Err(status) => Err(Told::of(&status)),
        }),
    }
}

/// By the ending that the field uses most; the receiver is told the sender's word, and believes it or not.
fn media_type(path: &Path) -> &'static str {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    match ending.as_str() {
        "pdf" => "application/pdf",
        "xml" | "edxml" => "application/xml",
        "json" => "application/json",
        "txt" => "text/plain",
        "zip" => "application/zip",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        _ => "application/octet-stream",
    }
}

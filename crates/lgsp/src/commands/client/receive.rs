//! `lgsp receive`: takes what waits, stores or prints it, and says that it has it.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use lgsp_api::{Link, Told};
use lgsp_files::sync_folder;
use lgsp_proto::exchange::v1;
use lgsp_proto::exchange::v1::acknowledge_delivery_request::{Delivered, Outcome};
use lgsp_proto::exchange::v1::exchange_client::ExchangeClient;
use lgsp_proto::exchange::v1::receive_request::{Begin, Request};
use lgsp_proto::exchange::v1::receive_response::{Response, acknowledged};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use super::publish::queued;
use super::{LinkArguments, failure, no, run};
use crate::commands::Failure;
use crate::hexadecimal::hexadecimal;

/// Deliveries that may come before the first is stored.
const CREDIT: u32 = 16;
/// Deliveries of one list.
const PAGE: u32 = 100;
/// Longest name of a stored file, in letters.
const NAME_MAX: usize = 80;

/// Takes what waits for you, one JSON object a line, and acknowledges each when it is stored or printed. A delivery that
/// is in the folder already is acknowledged and not stored again
#[derive(Debug, Args)]
pub(crate) struct Receive {
    #[command(flatten)]
    link: LinkArguments,
    /// Only messages of this contract, as in vn.lgsp.document
    #[arg(long, value_name = "NAME", default_value = "")]
    contract: String,
    /// Store each delivery in a folder of its own in here: payload, files and delivery.json
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// End when nothing waits any more, instead of waiting for what comes
    #[arg(long)]
    once: bool,
    /// End after so many deliveries
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Look only: acknowledge nothing. What was shown counts as collected
    #[arg(long)]
    no_acknowledge: bool,
}

impl Receive {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        run(async {
            let mut client = ExchangeClient::new(self.link.connect().await?);
            if self.once {
                self.take_list(&mut client).await?;
            } else {
                self.take_stream(&mut client).await?;
            }
            Ok(ExitCode::SUCCESS)
        })
    }

    async fn take_list(&self, client: &mut ExchangeClient<Link>) -> Result<(), Failure> {
        let (mut after, mut taken) = (String::new(), 0);
        loop {
            let request = v1::ListDeliveriesRequest {
                contract: self.contract.clone(),
                page_size: PAGE,
                after,
            };
            let list = client
                .list_deliveries(request)
                .await
                .map_err(no)?
                .into_inner()
                .deliveries;
            let Some(last) = list.last() else { return Ok(()) };
            after = last.delivery_id.clone();
            for summary in list {
                // What could not be taken before is for people to look at.
                if summary.state() == v1::DeliveryState::DeadLettered {
                    continue;
                }
                let delivery_id = summary.delivery_id.clone();
                let request = v1::FetchDeliveryRequest { delivery_id };
                let content = client.fetch_delivery(request).await.map_err(no)?.into_inner().content;
                self.keep(client, &summary, &content.unwrap_or_default()).await?;
                if !self.no_acknowledge {
                    client.acknowledge_delivery(word(&summary)).await.map_err(no)?;
                }
                taken += 1;
                if Some(taken) == self.limit {
                    return Ok(());
                }
            }
        }
    }

    async fn take_stream(&self, client: &mut ExchangeClient<Link>) -> Result<(), Failure> {
        let (say, requests) = mpsc::channel(CREDIT as usize * 2);
        let begin = Request::Begin(Begin {
            contract: self.contract.clone(),
        });
        let credit = self
            .limit
            .map_or(CREDIT, |limit| CREDIT.min(u32::try_from(limit).unwrap_or(CREDIT)));
        let mut left = self.limit.map(|limit| limit - u64::from(credit));
        for request in [begin, Request::Credit(credit)] {
            put(&say, request).await?;
        }
        let mut answers = client.receive(queued(requests)).await.map_err(no)?.into_inner();
        let (mut taken, mut settled) = (0, 0);
        while self.limit.is_none_or(|limit| settled < limit) {
            let Some(answer) = answers.message().await.map_err(no)? else {
                break;
            };
            match answer.response {
                Some(Response::Delivery(handed)) => {
                    let summary = handed.summary.unwrap_or_default();
                    self.keep(client, &summary, &handed.content.unwrap_or_default()).await?;
                    taken += 1;
                    if self.no_acknowledge {
                        settled = taken;
                    } else {
                        put(&say, Request::Acknowledge(word(&summary))).await?;
                    }
                    if left.as_mut().is_none_or(take_one) {
                        put(&say, Request::Credit(1)).await?;
                    }
                }
                Some(Response::Acknowledged(said)) => match said.outcome {
                    Some(acknowledged::Outcome::Error(error)) => return Err(failure(Told::within(&error))),
                    Some(acknowledged::Outcome::Done(_)) | None => settled += 1,
                },
                None => {}
            }
        }
        Ok(())
    }

    /// Stores or prints one delivery; when this is done, it may be acknowledged.
    async fn keep(
        &self,
        client: &mut ExchangeClient<Link>,
        summary: &v1::DeliverySummary,
        content: &v1::Content,
    ) -> Result<(), Failure> {
        let mut stored = Value::Null;
        if let Some(out) = &self.out {
            let folder = out.join(safe_name(&summary.delivery_id));
            stored = json!(folder);
            if !fs::try_exists(&folder).await? {
                store(client, &folder, summary, content).await?;
            }
        }
        let payload = payload(&content.payload);
        writeln!(
            io::stdout().lock(),
            "{}",
            describe(summary, content, payload.as_deref(), stored)
        )?;
        Ok(())
    }
}

/// False: there is none left.
fn take_one(left: &mut u64) -> bool {
    let some = *left > 0;
    *left = left.saturating_sub(1);
    some
}

fn word(summary: &v1::DeliverySummary) -> v1::AcknowledgeDeliveryRequest {
    v1::AcknowledgeDeliveryRequest {
        delivery_id: summary.delivery_id.clone(),
        outcome: Some(Outcome::Delivered(Delivered {})),
        ..v1::AcknowledgeDeliveryRequest::default()
    }
}

async fn put(say: &mpsc::Sender<v1::ReceiveRequest>, request: Request) -> Result<(), Failure> {
    let request = v1::ReceiveRequest { request: Some(request) };
    say.send(request)
        .await
        .map_err(|_| Failure::cannot("the stream has ended"))
}

/// The whole delivery or nothing: its folder has its name only when every byte is on the disk.
async fn store(
    client: &mut ExchangeClient<Link>,
    folder: &Path,
    summary: &v1::DeliverySummary,
    content: &v1::Content,
) -> Result<(), Failure> {
    let unfinished = folder.with_extension("part");
    drop(fs::remove_dir_all(&unfinished).await);
    fs::create_dir_all(&unfinished).await?;
    let ending = if payload(&content.payload).is_some() {
        "json"
    } else {
        "bin"
    };
    write(&unfinished.join(format!("payload.{ending}")), &content.payload).await?;
    for (index, attachment) in (0_u32..).zip(&content.attachments) {
        let name = format!("{:02}-{}", index + 1, safe_name(&attachment.name));
        let request = v1::ReadAttachmentRequest {
            delivery_id: summary.delivery_id.clone(),
            index,
        };
        let mut chunks = client.read_attachment(request).await.map_err(no)?.into_inner();
        let mut file = File::create_new(unfinished.join(name)).await?;
        while let Some(chunk) = chunks.message().await.map_err(no)? {
            file.write_all(&chunk.chunk).await?;
        }
        file.sync_all().await?;
    }
    let about = describe(summary, content, None, Value::Null);
    write(&unfinished.join("delivery.json"), about.to_string().as_bytes()).await?;
    sync_folder(&unfinished.join("delivery.json"))?;
    fs::rename(&unfinished, folder).await?;
    sync_folder(folder)?;
    Ok(())
}

async fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path).await?;
    file.write_all(bytes).await?;
    file.sync_all().await
}

/// A name that is never a path, whatever the sender wrote.
fn safe_name(name: &str) -> String {
    let safe = |letter: char| {
        let stays = letter.is_alphanumeric() || matches!(letter, '.' | '-' | '_' | ' ');
        if stays { letter } else { '_' }
    };
    let name: String = name.trim_start_matches('.').chars().map(safe).take(NAME_MAX).collect();
    if name.is_empty() { String::from("_") } else { name }
}

/// The payload as it came, where it is JSON.
fn payload(bytes: &[u8]) -> Option<Box<RawValue>> {
    serde_json::from_slice(bytes).ok()
}

fn describe(summary: &v1::DeliverySummary, content: &v1::Content, payload: Option<&RawValue>, stored: Value) -> Value {
    let files: Vec<Value> = content
        .attachments
        .iter()
        .map(|file| {
            json!({
                "role": file.role().as_str_name().trim_start_matches("ROLE_").to_lowercase(),
                "name": file.name,
                "media_type": file.media_type,
                "size_bytes": file.size_bytes,
                "sha256": hexadecimal(&file.sha256),
            })
        })
        .collect();
    let mut value = json!({
        "delivery_id": summary.delivery_id,
        "message_id": summary.message_id,
        "contract": summary.contract,
        "from": summary.from,
        "to": summary.to,
        "attachments": files,
    });
    if let Some(members) = value.as_object_mut() {
        if !stored.is_null() {
            members.insert(String::from("folder"), stored);
        } else if let Some(payload) = payload {
            members.insert(
                String::from("payload"),
                serde_json::from_str(payload.get()).unwrap_or_default(),
            );
        } else {
            members.insert(String::from("payload_base64"), json!(STANDARD.encode(&content.payload)));
        }
    }
    value
}

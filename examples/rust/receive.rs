//! Receives letters as they come; see examples/README.md.
#![allow(clippy::print_stdout, reason = "an example tells what it did")]

use std::error::Error;

use lgsp_api::{Endpoint, connect};
use lgsp_proto::exchange::v1::acknowledge_delivery_request::{Delivered, Outcome};
use lgsp_proto::exchange::v1::exchange_client::ExchangeClient;
use lgsp_proto::exchange::v1::receive_request::{Begin, Request};
use lgsp_proto::exchange::v1::receive_response::Response::{Acknowledged, Delivery};
use lgsp_proto::exchange::v1::{AcknowledgeDeliveryRequest as Word, ReceiveRequest};
use tokio::sync::mpsc;

type Ended = Result<(), Box<dyn Error>>;
/// Takes so many. `keep` stores one durably, under its delivery id: what was not acknowledged comes again.
pub(crate) async fn receive(node: &Endpoint, most: usize, mut keep: impl FnMut(&str, &[u8])) -> Ended {
    let (words, mut said) = mpsc::channel(4);
    let say = async |request| words.send(ReceiveRequest { request: Some(request) }).await;
    say(Request::Begin(Begin::default())).await?;
    let requests = futures_util::stream::poll_fn(move |context| said.poll_recv(context));
    let mut answers = ExchangeClient::new(connect(node).await?).receive(requests).await?.into_inner();
    for _ in 0..most {
        say(Request::Credit(1)).await?;
        let Some(Delivery(handed)) = answers.message().await?.and_then(|answer| answer.response) else { break };
        let delivery_id = handed.summary.ok_or("no summary")?.delivery_id;
        keep(&delivery_id, &handed.content.ok_or("no content")?.payload);
        let outcome = Some(Outcome::Delivered(Delivered {}));
        say(Request::Acknowledge(Word { delivery_id, outcome, ..Word::default() })).await?;
        let Some(Acknowledged(_)) = answers.message().await?.and_then(|answer| answer.response) else { break };
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Ended {
    let flags: Vec<String> = std::env::args().skip(1).collect();
    let [url, ca, cert, key, most] = flags.as_slice() else { return Err("see examples/README.md".into()) };
    let node = Endpoint { url: url.clone(), ca: ca.into(), certificate: Some((cert.into(), key.into())), token: None };
    receive(&node, most.parse()?, |id, payload| println!("{id} {}", String::from_utf8_lossy(payload))).await
}

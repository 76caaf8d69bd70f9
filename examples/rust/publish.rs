//! Sends a letter; see examples/README.md.
#![allow(clippy::print_stdout, reason = "an example tells what it did")]

use std::error::Error;

use lgsp_api::{Endpoint, Told, connect};
use lgsp_proto::exchange::v1::exchange_client::ExchangeClient;
use lgsp_proto::exchange::v1::{Message, PublishRequest, Receipt};

/// Sends it until it is accepted or refused. The same key again is the same message: nothing happens twice.
pub(crate) async fn publish(node: &Endpoint, from: &str, to: &str, key: &str) -> Result<Receipt, Box<dyn Error>> {
    let mut exchange = ExchangeClient::new(connect(node).await?);
    let message = Some(Message {
        contract: String::from("vn.lgsp.document/1"),
        from: from.to_owned(),
        to: vec![to.to_owned()],
        idempotency_key: key.to_owned(),
        payload: include_bytes!("../letter.json").to_vec().into(),
        ..Message::default()
    });
    for _ in 0..60 {
        let told = match exchange.publish(PublishRequest { message: message.clone() }).await {
            Ok(answer) => return answer.into_inner().receipt.ok_or_else(|| "no receipt".into()),
            Err(status) => Told::of(&status),
        };
        let again = told.retry_after.ok_or_else(|| format!("{}: {}", told.message, told.mend))?;
        tokio::time::sleep(again).await;
    }
    Err("the node cannot accept now; the letter is still ours".into())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let flags: Vec<String> = std::env::args().skip(1).collect();
    let [url, ca, cert, key, from, to, name] = flags.as_slice() else { return Err("see examples/README.md".into()) };
    let certificate = Some((cert.into(), key.into()));
    let node = Endpoint { url: url.clone(), ca: ca.into(), certificate, token: None };
    println!("{}", publish(&node, from, to, name).await?.note);
    Ok(())
}

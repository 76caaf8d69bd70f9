//! Calls that are not done: who calls, what it is for, whose it is, what is wrong with it; each with its reason.

use futures_util::stream;
use lgsp_api::{Endpoint, Link, Told, connect};
use lgsp_proto::DESCRIPTORS;
use lgsp_proto::adapter::v1::adapter_gateway_client::AdapterGatewayClient;
use lgsp_proto::adapter::v1::{AttachRequest, Hello, attach_request};
use lgsp_proto::audit::v1::audit_client::AuditClient;
use lgsp_proto::audit::v1::{GetCheckpointRequest, GetEvidenceRequest};
use lgsp_proto::exchange::v1;
use lgsp_proto::exchange::v1::exchange_client::ExchangeClient;
use lgsp_proto::operations::v1::operations_client::OperationsClient;
use lgsp_proto::operations::v1::tail_request::{From, Now};
use lgsp_proto::operations::v1::{GetStatusRequest, GetTablesRequest, TailRequest, TraceRequest};
use lgsp_proto::registry::v1::ListAgenciesRequest;
use lgsp_proto::registry::v1::registry_client::RegistryClient;
use prost::Message as _;
use prost_types::FileDescriptorSet;

use super::letter::{INFORMATION, JUSTICE, PROVINCE, delivered, letter, listed};
use super::node;

/// The ids of a letter from the department of information to that of justice.
struct Foreign {
    message: String,
    delivery: String,
    /// Another message of the same sender, to be taken back.
    spare: String,
}

impl Foreign {
    fn withdraw(&self) -> v1::WithdrawRequest {
        v1::WithdrawRequest {
            message_id: self.spare.clone(),
            to: String::new(),
        }
    }
}

/// What each call answers to one caller, about a letter: `ok`, or its reason.
async fn answers(endpoint: &Endpoint, about: &Foreign) -> Vec<(&'static str, String)> {
    let mut answers = to_one_request(endpoint, about).await;
    answers.extend(to_a_stream_of_requests(connect(endpoint).await.unwrap()).await);
    answers
}

/// Calls that take a stream of requests: what comes first is the answer.
async fn to_a_stream_of_requests(link: Link) -> Vec<(&'static str, String)> {
    let mut exchange = ExchangeClient::new(link.clone());
    let mut answers = Vec::new();
    macro_rules! ask {
        ($name:literal, $answer:expr, $read:expr) => {
            let first = match $answer.await {
                Ok(answer) => answer.into_inner().message().await,
                Err(status) => Err(status),
            };
            answers.push(($name, first.map_or_else(|status| Told::of(&status).reason, $read)));
        };
    }
    let ok = || String::from("ok");
    let message = Some(letter("2", &["H62.14"]));
    let letters = stream::iter([v1::PublishStreamRequest { message }]);
    ask!("PublishStream", exchange.publish_stream(letters), |first| {
        match first.unwrap().outcome.unwrap() {
            v1::publish_stream_response::Outcome::Receipt(_) => ok(),
            v1::publish_stream_response::Outcome::Error(error) => Told::within(&error).reason,
        }
    });
    let start = v1::upload_attachment_request::Start {
        name: String::from("a.pdf"),
        media_type: String::from("application/pdf"),
        role: v1::attachment::Role::Attachment.into(),
        ..v1::upload_attachment_request::Start::default()
    };
    let part = Some(v1::upload_attachment_request::Part::Start(start));
    let file = stream::iter([v1::UploadAttachmentRequest { part }]);
    let uploaded = exchange.upload_attachment(file).await;
    let uploaded = uploaded.map_or_else(|status| Told::of(&status).reason, |_| ok());
    answers.push(("UploadAttachment", uploaded));
    let request = Some(v1::receive_request::Request::Begin(
        v1::receive_request::Begin::default(),
    ));
    let begin = stream::iter([v1::ReceiveRequest { request }]);
    ask!("Receive", exchange.receive(begin), |first| {
        // Without credit nothing is handed over, and whoever says no more is let go.
        assert_eq!(first, None);
        ok()
    });
    let frame = Some(attach_request::Frame::Hello(Hello {
        kind: String::from("edxml-vxp"),
        program: String::from("a test"),
        systems: vec![String::from("vxp.test.14")],
        ..Hello::default()
    }));
    let hello = stream::iter([AttachRequest { frame }]);
    ask!("Attach", AdapterGatewayClient::new(link).attach(hello), |_| ok());
    answers
}

/// Unary calls, and those that answer by a stream.
async fn to_one_request(endpoint: &Endpoint, about: &Foreign) -> Vec<(&'static str, String)> {
    let link = connect(endpoint).await.unwrap();
    let mut exchange = ExchangeClient::new(link.clone());
    let mut operations = OperationsClient::new(link.clone());
    let (message_id, delivery_id) = (about.message.clone(), about.delivery.clone());
    let mut answers = Vec::new();
    macro_rules! ask {
        ($name:literal, $answer:expr) => {
            let reason = match $answer.await {
                Ok(_) => String::from("ok"),
                Err(status) => Told::of(&status).reason,
            };
            answers.push(($name, reason));
        };
    }
    let message = Some(letter("2", &["H62.14"]));
    ask!("Publish", exchange.publish(v1::PublishRequest { message }));
    ask!(
        "ListDeliveries",
        exchange.list_deliveries(v1::ListDeliveriesRequest::default())
    );
    let fetch = v1::FetchDeliveryRequest {
        delivery_id: delivery_id.clone(),
    };
    ask!("FetchDelivery", exchange.fetch_delivery(fetch));
    let read = v1::ReadAttachmentRequest {
        delivery_id: delivery_id.clone(),
        index: 0,
    };
    ask!("ReadAttachment", exchange.read_attachment(read));
    let request = v1::GetMessageRequest {
        message_id: message_id.clone(),
    };
    ask!("GetMessage", exchange.get_message(request));
    ask!("Withdraw", exchange.withdraw(about.withdraw()));
    ask!(
        "AcknowledgeDelivery",
        exchange.acknowledge_delivery(delivered(&delivery_id))
    );
    ask!(
        "Trace",
        operations.trace(TraceRequest {
            query: message_id.clone()
        })
    );
    ask!("GetStatus", operations.get_status(GetStatusRequest {}));
    ask!("GetTables", operations.get_tables(GetTablesRequest {}));
    ask!(
        "GetEvidence",
        AuditClient::new(link.clone()).get_evidence(GetEvidenceRequest { message_id })
    );
    ask!(
        "GetCheckpoint",
        AuditClient::new(link.clone()).get_checkpoint(GetCheckpointRequest { partition: 9 })
    );
    ask!(
        "FollowReceipts",
        exchange.follow_receipts(v1::FollowReceiptsRequest::default())
    );
    let from = Some(From::Now(Now {}));
    ask!("Tail", operations.tail(TailRequest { from }));
    ask!(
        "ListAgencies",
        RegistryClient::new(link).list_agencies(ListAgenciesRequest::default())
    );
    answers
}

/// The name of each call of each service.
fn every_call() -> Vec<String> {
    let files = FileDescriptorSet::decode(DESCRIPTORS).unwrap().file;
    let ours = files.iter().filter(|file| file.package().starts_with("lgsp."));
    let calls = ours.flat_map(|file| &file.service).flat_map(|service| &service.method);
    let mut calls: Vec<String> = calls.map(|call| call.name().to_owned()).collect();
    calls.sort_unstable();
    calls
}

/// A table: for each call, what its sender, its receiver, another department, an operator and an adapter get.
#[tokio::test(flavor = "multi_thread")]
async fn every_call_is_for_those_whom_it_concerns() {
    let node = node();
    let mut sender = node.exchange(INFORMATION).await;
    let mut send = async |name| {
        let message = Some(letter(name, &["H62.14"]));
        let answer = sender.publish(v1::PublishRequest { message }).await.unwrap();
        answer.into_inner().receipt.unwrap().message_id
    };
    let message = send("1").await;
    let mut receiver = node.exchange(JUSTICE).await;
    let delivery = listed(&mut receiver, 1).await.remove(0).delivery_id;
    let spare = send("spare").await;
    let about = Foreign {
        message,
        delivery,
        spare,
    };

    let by_certificate = [PROVINCE, INFORMATION, JUSTICE, "operator/lan", "adapter/vxp"].map(|who| node.endpoint(who));
    let by_token = |scopes| node.endpoint_by_token(JUSTICE, scopes);
    let tokens = [
        by_token("publish"),
        by_token("receive"),
        by_token("trace,audit,registry"),
        node.endpoint_of_nobody(),
    ];
    let mut table: Vec<(&str, Vec<String>)> = Vec::new();
    for endpoint in by_certificate.iter().chain(&tokens) {
        for (index, (call, answer)) in answers(endpoint, &about).await.into_iter().enumerate() {
            if table.len() <= index {
                table.push((call, Vec::new()));
            }
            table[index].1.push(answer);
        }
    }
    const SPOKEN: &str = "SENDER_NOT_SPOKEN_FOR";
    const NONE: &str = "CREDENTIAL_MISSING";
    #[rustfmt::skip]
    let expected = [
        //                      another      sender       receiver     operator       adapter        publish         receive         trace..          nobody
        ("Publish",             [SPOKEN,      "ok",        SPOKEN,      "CALLER_KIND", "CALLER_KIND", SPOKEN,         "TOKEN_SCOPE",  "TOKEN_SCOPE",   NONE]),
        ("ListDeliveries",      ["ok",        "ok",        "ok",        "CALLER_KIND", "CALLER_KIND", "TOKEN_SCOPE",  "ok",           "TOKEN_SCOPE",   NONE]),
        ("FetchDelivery",       ["NOT_FOUND", "NOT_FOUND", "ok",        "CALLER_KIND", "CALLER_KIND", "TOKEN_SCOPE",  "ok",           "TOKEN_SCOPE",   NONE]),
        ("ReadAttachment",      ["NOT_FOUND", "NOT_FOUND", "NOT_FOUND", "CALLER_KIND", "CALLER_KIND", "TOKEN_SCOPE",  "NOT_FOUND",    "TOKEN_SCOPE",   NONE]),
        ("GetMessage",          ["NOT_FOUND", "ok",        "NOT_FOUND", "CALLER_KIND", "CALLER_KIND", "NOT_FOUND",    "TOKEN_SCOPE",  "TOKEN_SCOPE",   NONE]),
        ("Withdraw",            ["NOT_FOUND", "ok",        "NOT_FOUND", "CALLER_KIND", "CALLER_KIND", "NOT_FOUND",    "TOKEN_SCOPE",  "TOKEN_SCOPE",   NONE]),
        ("AcknowledgeDelivery", ["NOT_FOUND", "NOT_FOUND", "ok",        "CALLER_KIND", "CALLER_KIND", "TOKEN_SCOPE",  "ok",           "TOKEN_SCOPE",   NONE]),
        ("Trace",               ["ok",        "ok",        "ok",        "ok",          "CALLER_KIND", "TOKEN_SCOPE",  "TOKEN_SCOPE",  "ok",            NONE]),
        ("GetStatus",           ["CALLER_KIND", "CALLER_KIND", "CALLER_KIND", "ok",    "CALLER_KIND", "TOKEN_SCOPE",  "TOKEN_SCOPE",  "CALLER_KIND",   NONE]),
        ("GetTables",           ["CALLER_KIND", "CALLER_KIND", "CALLER_KIND", "ok",    "CALLER_KIND", "TOKEN_SCOPE",  "TOKEN_SCOPE",  "CALLER_KIND",   NONE]),
        ("GetEvidence",         ["NOT_FOUND", "ok",        "ok",        "ok",          "CALLER_KIND", "TOKEN_SCOPE",  "TOKEN_SCOPE",  "ok",            NONE]),
        ("GetCheckpoint",       ["NOT_FOUND", "NOT_FOUND", "NOT_FOUND", "NOT_FOUND",   "NOT_FOUND",   "TOKEN_SCOPE",  "TOKEN_SCOPE",  "NOT_FOUND",     NONE]),
        ("FollowReceipts",      ["ok",        "ok",        "ok",        "CALLER_KIND", "CALLER_KIND", "ok",           "TOKEN_SCOPE",  "TOKEN_SCOPE",   NONE]),
        ("Tail",                ["CALLER_KIND", "CALLER_KIND", "CALLER_KIND", "ok",    "CALLER_KIND", "TOKEN_SCOPE",  "TOKEN_SCOPE",  "CALLER_KIND",   NONE]),
        ("ListAgencies",        ["ok",        "ok",        "ok",        "ok",          "ok",          "TOKEN_SCOPE",  "TOKEN_SCOPE",  "ok",            NONE]),
        ("PublishStream",       [SPOKEN,      "ok",        SPOKEN,      "CALLER_KIND", "CALLER_KIND", SPOKEN,         "TOKEN_SCOPE",  "TOKEN_SCOPE",   NONE]),
        ("UploadAttachment",    ["ok",        "ok",        "ok",        "CALLER_KIND", "CALLER_KIND", "ok",           "TOKEN_SCOPE",  "TOKEN_SCOPE",   NONE]),
        ("Receive",             ["ok",        "ok",        "ok",        "CALLER_KIND", "CALLER_KIND", "TOKEN_SCOPE",  "ok",           "TOKEN_SCOPE",   NONE]),
        ("Attach",              ["CALLER_KIND", "CALLER_KIND", "CALLER_KIND", "CALLER_KIND", "ADAPTER_UNKNOWN", "CALLER_KIND", "CALLER_KIND", "CALLER_KIND", NONE]),
    ];
    // Whoever adds a call says here for whom it is.
    let mut told: Vec<String> = table.iter().map(|(call, _)| (*call).to_owned()).collect();
    told.sort_unstable();
    assert_eq!(told, every_call());
    assert_eq!(table.len(), expected.len());
    for ((call, answers), (expected_call, expected)) in table.iter().zip(expected) {
        assert_eq!(
            (*call, answers.as_slice()),
            (expected_call, expected.map(String::from).as_slice())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_traces_its_own_messages_and_nobody_elses() {
    let node = node();
    let mut sender = node.exchange(INFORMATION).await;
    let request = v1::PublishRequest {
        message: Some(letter("1", &["H62.14", "H62"])),
    };
    let message = sender
        .publish(request)
        .await
        .unwrap()
        .into_inner()
        .receipt
        .unwrap()
        .message_id;
    listed(&mut node.exchange(JUSTICE).await, 1).await;
    for (who, seen) in [
        (INFORMATION, vec!["H62.14", "H62"]),
        (JUSTICE, vec!["H62.14"]),
        ("system/vxp.test.outside", vec![]),
        ("operator/lan", vec!["H62.14", "H62"]),
    ] {
        let mut operations = OperationsClient::new(node.link(who).await);
        let request = TraceRequest { query: message.clone() };
        let trace = operations.trace(request).await.unwrap().into_inner();
        let deliveries = trace.messages.iter().flat_map(|message| &message.deliveries);
        let codes: Vec<&str> = deliveries
            .map(|delivery| delivery.to.as_ref().unwrap().code.as_str())
            .collect();
        assert_eq!(codes, seen, "{who}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_with_many_mistakes_is_told_all_of_them_and_the_refusal_is_recorded() {
    let node = node();
    let mut sender = node.exchange(INFORMATION).await;
    let request = v1::PublishRequest {
        message: Some(v1::Message {
            contract: String::from("no version"),
            from: String::from("!"),
            codes_as_of: String::from("25/11/2026"),
            documents: vec![v1::DocumentReference::default()],
            payload: vec![0; 262_145].into(),
            ..v1::Message::default()
        }),
    };
    let status = sender.publish(request).await.unwrap_err();
    let told = Told::of(&status);
    let fields: Vec<&str> = told.fields.iter().map(|(path, _)| path.as_str()).collect();
    let expected = [
        "message.to",
        "message.idempotency_key",
        "message.payload",
        "message.contract",
        "message.from",
        "message.documents[0].relation",
        "message.codes_as_of",
    ];
    assert_eq!((told.status.as_str(), fields), ("INVALID_ARGUMENT", expected.to_vec()));
    let told = Told::of(&sender.publish(v1::PublishRequest::default()).await.unwrap_err());
    assert_eq!(
        (told.reason.as_str(), told.fields[0].0.as_str()),
        ("FIELD_MISSING", "message")
    );
    assert_eq!(node.fact_counts()["Rejected"], 2);
}

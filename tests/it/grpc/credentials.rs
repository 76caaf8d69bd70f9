//! Credentials at a real node's calls: what is not good is told so or ends the handshake, and good ones may change.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lgsp_api::{Endpoint, Told, connect};
use lgsp_proto::exchange::v1::exchange_client::ExchangeClient;
use lgsp_proto::exchange::v1::{ListDeliveriesRequest, PublishRequest};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, timeout};

use super::letter::{INFORMATION, JUSTICE, letter};
use super::wire::{shake, shake_as};
use super::{TIME_LIMIT, node};
use crate::support::{Home, Node};

const DAY: Duration = Duration::from_secs(24 * 3600);
const NAME: &str = "lgsp://lgsp.test.vn/system/vxp.test.14";
const OTHER_NAME: &str = "lgsp://lgsp.test.vn/system/vxp.test.11";

/// What a call with these credentials comes to: `ok`, its reason, or the alert that ended the handshake.
async fn answer(node: &Node, endpoint: &Endpoint) -> String {
    // By hand first: a channel that is refused says only that it is closed. The far side speaks first.
    let mut tls = shake_as(node, endpoint, &[b"h2"]).await.unwrap();
    if let Err(error) = tls.read_u8().await {
        return error.to_string();
    }
    let link = connect(endpoint).await.unwrap();
    match ExchangeClient::new(link)
        .list_deliveries(ListDeliveriesRequest::default())
        .await
    {
        Ok(_) => String::from("ok"),
        Err(status) => Told::of(&status).reason,
    }
}

/// A file that only its owner reads.
fn write(path: &Path, text: &str) -> PathBuf {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
    path.to_owned()
}

fn pem(kind: &str, der: &[u8]) -> String {
    format!(
        "-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n",
        STANDARD.encode(der)
    )
}

/// A certificate of the node's own authority that `lgsp ca` would not issue: with these names, good for so many days.
fn by_hand(node: &Node, file: &str, names: &[&str], days: u32) -> Endpoint {
    let ca = node.home().root().join("ca");
    let mut root = CertificateParams::default();
    let register: Value = serde_json::from_str(&fs::read_to_string(ca.join("register.json")).unwrap()).unwrap();
    root.distinguished_name = DistinguishedName::new();
    root.distinguished_name
        .push(DnType::CommonName, register["root_name"].as_str().unwrap());
    root.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let root_key = KeyPair::try_from(&PrivateKeyDer::from_pem_file(ca.join("ca.key")).unwrap()).unwrap();
    let now = OffsetDateTime::now_utc();
    let mut sheet = CertificateParams::default();
    sheet.subject_alt_names = names
        .iter()
        .map(|name| SanType::URI((*name).try_into().unwrap()))
        .collect();
    sheet.not_before = now - DAY * 2;
    sheet.not_after = now - DAY + DAY * days;
    sheet.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    let certificate = sheet.signed_by(&key, &Issuer::new(root, root_key)).unwrap();
    let path = |ending: &str| node.home().root().join(format!("{file}.{ending}"));
    let certificate = write(&path("pem"), &pem("CERTIFICATE", certificate.der()));
    let key = write(&path("key"), &pem("PRIVATE KEY", key.serialized_der()));
    Endpoint {
        certificate: Some((certificate, key)),
        ..node.endpoint_of_nobody()
    }
}

fn revoke(home: &Home, name: &str) {
    let list: Value = serde_json::from_str(&home.ca(&["list", "--json"])).unwrap();
    let rows = list["certificates"].as_array().unwrap();
    let row = rows.iter().find(|row| row["names"][0] == name).unwrap();
    home.ca(&["revoke", row["serial"].as_str().unwrap()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_not_good_makes_no_call() {
    let node = node();
    let mut elsewhere = Home::new();
    elsewhere.serve_grpc();
    let papers = elsewhere.root().join("papers");
    elsewhere.ca(&["issue", "--for", JUSTICE, "--out", papers.to_str().unwrap()]);
    let foreign = Endpoint {
        certificate: Some((
            papers.join("system-vxp.test.14.pem"),
            papers.join("system-vxp.test.14.key"),
        )),
        ..node.endpoint_of_nobody()
    };
    for (case, endpoint, said) in [
        ("made by hand", by_hand(&node, "good", &[NAME], 9), "ok"),
        ("of another authority", foreign, "UnknownCA"),
        ("expired", by_hand(&node, "expired", &[NAME], 0), "CertificateExpired"),
        (
            "of two names",
            by_hand(&node, "two", &[NAME, OTHER_NAME], 9),
            "CERTIFICATE_NAME",
        ),
        ("of no name", by_hand(&node, "none", &[], 9), "CERTIFICATE_NAME"),
        ("none", node.endpoint_of_nobody(), "CREDENTIAL_MISSING"),
    ] {
        let answer = answer(&node, &endpoint).await;
        assert!(answer.contains(said), "{case}: {answer}");
    }
    // Revoked while its connection lives: that is told, and a new one is not made.
    let mut old = node.exchange(JUSTICE).await;
    let mut neighbour = node.exchange(INFORMATION).await;
    old.list_deliveries(ListDeliveriesRequest::default()).await.unwrap();
    revoke(node.home(), NAME);
    let told = timeout(TIME_LIMIT, async {
        loop {
            if let Err(status) = old.list_deliveries(ListDeliveriesRequest::default()).await {
                return Told::of(&status);
            }
        }
    });
    let told = told.await.unwrap();
    assert_eq!(
        (told.status.as_str(), told.reason.as_str()),
        ("UNAUTHENTICATED", "CERTIFICATE_NOT_GOOD")
    );
    let answer = answer(&node, &node.endpoint(JUSTICE)).await;
    assert!(answer.contains("CertificateRevoked"), "{answer}");
    neighbour
        .list_deliveries(ListDeliveriesRequest::default())
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_not_good_makes_no_call() {
    let node = node();
    let good = node.endpoint_by_token(JUSTICE, "receive");
    let text = fs::read_to_string(good.token.as_ref().unwrap()).unwrap();
    let text = text.trim_end();
    let with = |name: &str, token: &str| Endpoint {
        token: Some(write(&node.home().root().join(name), token)),
        ..node.endpoint_of_nobody()
    };
    let both = Endpoint {
        certificate: node.endpoint(INFORMATION).certificate,
        ..good.clone()
    };
    for (case, endpoint, reason) in [
        ("as it was made", good.clone(), "ok"),
        ("truncated", with("truncated", &text[..text.len() - 1]), "TOKEN_INVALID"),
        (
            "one letter other",
            with("other", &text.replace("lgsp_", "lgsq_")),
            "TOKEN_INVALID",
        ),
        ("another's certificate beside it", both, "CREDENTIALS_DIFFER"),
        (
            "of another scope",
            node.endpoint_by_token(JUSTICE, "publish,trace"),
            "TOKEN_SCOPE",
        ),
    ] {
        assert_eq!(answer(&node, &endpoint).await, reason, "{case}");
    }
    // Its days pass.
    let file = node.home().data().join("tokens/tokens.json");
    let mut tokens: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    tokens["tokens"][0]["expires_ms"] = json!(1);
    tokens["tokens"][0]["created_ms"] = json!(0);
    let next = write(&file.with_extension("next"), &tokens.to_string());
    fs::rename(next, &file).unwrap();
    assert_eq!(answer(&node, &good).await, "TOKEN_EXPIRED");
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_change_while_calls_go_on_and_no_call_is_dropped() {
    let node = node();
    let mut sender = node.exchange(INFORMATION).await;
    let shown = async || {
        let tls = shake(&node, JUSTICE, &[b"h2"]).await.unwrap();
        tls.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    };
    let papers = node.home().root().join("papers");
    let papers = papers.to_str().unwrap();
    let mut sent = 0_u64;
    for _ in 0..2 {
        let before = shown().await;
        // Both ends' papers.
        for whose in [["--host", "127.0.0.1"], ["--for", INFORMATION]] {
            let issue = [&["issue"], &whose[..], &["--out", papers, "--replace"]].concat();
            node.home().ca(&issue);
        }
        let began = Instant::now();
        while shown().await == before {
            let message = Some(letter(&sent.to_string(), &["H62.14"]));
            sender.publish(PublishRequest { message }).await.unwrap();
            sent += 1;
            assert!(began.elapsed() < TIME_LIMIT, "the new certificate is not shown");
        }
        assert_eq!(
            answer(&node, &node.endpoint(INFORMATION)).await,
            "ok",
            "by its new certificate"
        );
    }
    let message = Some(letter("last", &["H62.14"]));
    sender.publish(PublishRequest { message }).await.unwrap();
    sent += 1;
    assert_eq!(
        node.fact_counts()["Accepted"],
        sent,
        "all on the connection of the old certificates"
    );
}

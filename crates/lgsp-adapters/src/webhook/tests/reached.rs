//! Who is called and who is not, and how a connection comes about.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lgsp_types::{Adapter as _, Answered, ContractRef, MsgId, Pushed, Question};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use tempfile::TempDir;

use super::stage::{SECRET, Stage, again, connector, settings};
use crate::webhook::simulator::{Manner, Receiver};
use crate::webhook::{HostPattern, Network, Settings};

/// An authority, and the folder with its certificate.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let body = STANDARD.encode(issuer.der());
        let pem = format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
        std::fs::write(folder.path().join("roots.pem"), pem).unwrap();
        Self { issuer, folder }
    }

    fn roots(&self) -> PathBuf {
        self.folder.path().join("roots.pem")
    }

    /// What a receiver of this name answers with, until this year.
    fn server(
        &self,
        name: &str,
        until: i32,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> Arc<ServerConfig> {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &*self.issuer).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .unwrap();
        Arc::new(config)
    }
}

const BOTH: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

/// Only HTTPS, to receivers of this authority.
fn over_tls(authority: &Authority) -> Settings {
    let mut settings = settings();
    settings.hosts = std::mem::take(&mut settings.plain_hosts);
    settings.roots = authority.roots();
    settings
}

#[tokio::test]
async fn a_receiver_is_reached_over_tls_if_its_certificate_is_good() {
    let authority = Authority::new();
    for versions in [BOTH, &[&rustls::version::TLS12], &[&rustls::version::TLS13]] {
        let receiver = Receiver::start(SECRET, Some(authority.server("127.0.0.1", 4000, versions))).unwrap();
        let stage = Stage::new(&receiver.url(), over_tls(&authority));
        assert!(matches!(stage.push(1).await, Pushed::Done(_)), "{versions:?}");
        stage.webhook.check(&connector()).await.unwrap();
    }
    let others = Authority::new();
    for (tls, told) in [
        (others.server("127.0.0.1", 4000, BOTH), "of another authority"),
        (authority.server("app.example.vn", 4000, BOTH), "of another name"),
        (authority.server("127.0.0.1", 2020, BOTH), "past its end"),
    ] {
        let receiver = Receiver::start(SECRET, Some(tls)).unwrap();
        let stage = Stage::new(&receiver.url(), over_tls(&authority));
        assert_eq!(again(stage.push(1).await), "TLS_CERTIFICATE", "{told}");
        assert_eq!(receiver.seen().tries.len(), 0, "it gets not one byte");
    }
}

#[tokio::test]
async fn what_speaks_no_tls_is_told_apart_and_roots_are_read_again_when_they_change() {
    let authority = Authority::new();
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let https = format!("https://{}/", plain.local_addr().unwrap());
    std::thread::spawn(move || plain.accept().unwrap().0.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    let stage = Stage::new(&https, over_tls(&authority));
    assert_eq!(again(stage.push(1).await), "TLS_FAILED");
    let receiver = Receiver::start(SECRET, Some(authority.server("127.0.0.1", 4000, BOTH))).unwrap();
    let stage = Stage::new(&receiver.url(), over_tls(&authority));
    let pem = std::fs::read(authority.roots()).unwrap();
    std::fs::write(authority.roots(), "nothing").unwrap();
    assert_eq!(again(stage.push(1).await), "TLS_ROOTS");
    std::fs::write(authority.roots(), pem).unwrap();
    assert!(matches!(stage.push(2).await, Pushed::Done(_)));
    std::fs::remove_file(authority.roots()).unwrap();
    let error = stage.webhook.check(&connector()).await.unwrap_err();
    assert_eq!(error.source.to_string(), "TLS_ROOTS");
}

/// What is made of an address where an operator allows these.
async fn tried(url: &str, [hosts, plain_hosts, networks]: [&[&str]; 3]) -> Pushed {
    let patterns = |names: &[&str]| names.iter().map(|name| HostPattern::parse(name).unwrap()).collect();
    let mut settings = settings();
    (settings.hosts, settings.plain_hosts) = (patterns(hosts), patterns(plain_hosts));
    settings.networks = networks.iter().map(|it| Network::parse(it).unwrap()).collect();
    Stage::new(url, settings).push(1).await
}

#[tokio::test]
async fn only_whom_an_operator_named_is_called_and_only_over_tls_unless_he_said_so() {
    let receiver = Receiver::start(SECRET, None).unwrap();
    let (url, loopback) = (receiver.url(), &["127.0.0.0/8"][..]);
    for ([hosts, plain_hosts], code) in [
        ([&[][..], &[][..]], "HOST_NOT_ALLOWED"),
        ([&["127.0.0.2"], &["*.0.0.1"]], "HOST_NOT_ALLOWED"),
        ([&["127.0.0.1"], &[]], "PLAIN_NOT_ALLOWED"),
    ] {
        assert_eq!(again(tried(&url, [hosts, plain_hosts, loopback]).await), code);
    }
    assert_eq!(receiver.seen().tries.len(), 0);
}

#[tokio::test]
async fn an_address_inside_is_not_called_however_it_is_spelt() {
    let receiver = Receiver::start(SECRET, None).unwrap();
    let (url, by_name) = (receiver.url(), receiver.url().replace("127.0.0.1", "localhost"));
    for (url, host) in [
        (url.as_str(), "127.0.0.1"),
        (&by_name, "localhost"),
        ("http://169.254.169.254/latest/meta-data", "169.254.169.254"),
        ("http://2130706433/", "2130706433"),
        ("http://0x7f.1/", "0x7f.1"),
        ("http://[::ffff:127.0.0.1]/", "::ffff:127.0.0.1"),
        ("http://[::1]/", "::1"),
    ] {
        for networks in [&[][..], &["10.0.0.0/8"]] {
            let pushed = tried(url, [&[], &[host], networks]).await;
            assert_eq!(again(pushed), "ADDRESS_FORBIDDEN", "{url}");
        }
    }
    let unknown = tried("http://nobody.invalid/", [&[], &["*.invalid"], &[]]).await;
    assert_eq!(again(unknown), "NAME_UNKNOWN");
    assert_eq!(receiver.seen().tries.len(), 0);
    let named = tried(&by_name, [&[], &["localhost"], &["127.0.0.0/8", "::1/128"]]).await;
    assert!(matches!(named, Pushed::Done(_)), "{named:?}");
}

#[tokio::test]
async fn a_receiver_that_is_away_costs_a_try_and_is_served_when_it_is_back() {
    let receiver = Receiver::start(SECRET, None).unwrap();
    let stage = Stage::new(&receiver.url(), settings());
    stage.webhook.check(&connector()).await.unwrap();
    receiver.go_away();
    assert_eq!(again(stage.push(1).await), "CONNECT_FAILED");
    let error = stage.webhook.check(&connector()).await.unwrap_err();
    assert_eq!(error.source.to_string(), "CONNECT_FAILED");
    receiver.come_back().unwrap();
    receiver.behave_next([Manner::Take]);
    assert!(matches!(stage.push(2).await, Pushed::Done(_)));
    assert_eq!(receiver.seen().inbox.len(), 1);
}

#[tokio::test]
async fn a_far_side_that_takes_no_handshake_is_given_up_in_time() {
    let authority = Authority::new();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut settings = over_tls(&authority);
    settings.connect_timeout_ms = 200;
    let url = format!("https://{}/", silent.local_addr().unwrap());
    assert_eq!(again(Stage::new(&url, settings).push(1).await), "CONNECT_LATE");
}

#[tokio::test]
async fn a_webhook_is_not_asked_and_a_connector_without_an_address_is_told_so() {
    let stage = Stage::new("http://127.0.0.1:9/", settings());
    let question = Question {
        connector: connector(),
        msg_id: MsgId::from_bytes([1; 16]),
        contract: ContractRef::parse("a/1").unwrap(),
        payload: (&b"?"[..]).into(),
    };
    let answered = stage.webhook.answer(question).await;
    assert!(
        matches!(&answered, Answered::Refused(reason) if reason.as_str() == "QUESTIONS_NOT_ANSWERED"),
        "{answered:?}"
    );
    let secrets = tempfile::tempdir().unwrap();
    let objects = stage.webhook.objects.clone();
    let nobody = crate::webhook::Webhook::new(
        settings(),
        secrets.path(),
        Arc::new(|_| None),
        objects,
        Arc::new(|| super::stage::NOW),
    );
    let error = nobody.check(&connector()).await.unwrap_err();
    assert_eq!(error.source.to_string(), "URL_MISSING");
}

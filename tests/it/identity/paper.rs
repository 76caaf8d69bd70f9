//! The papers of a small installation, made by `lgsp ca` and `lgsp token`; the odd ones by hand, with the same root.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;
use time::OffsetDateTime;

use crate::support::{run, to_lgsp};

pub(super) const DOMAIN: &str = "lgsp.test.vn";

/// What a certificate made by hand says.
pub(super) type Sheet = CertificateParams;

/// A folder with `ca/`, `node/server.{pem,key}`, `callers/` and `data/`.
pub(super) struct Paper {
    folder: TempDir,
}

/// A certificate and its key.
pub(super) struct Shown {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl Paper {
    pub(super) fn new() -> Self {
        let paper = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        paper.ca(&["init", "--domain", DOMAIN]);
        paper.ca(&["issue", "--host", "localhost", "--out", &paper.path("node")]);
        paper
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.file(name).to_str().unwrap().to_owned()
    }

    /// `lgsp ca`, and what it printed.
    pub(super) fn ca(&self, arguments: &[&str]) -> String {
        let folder = self.path("ca");
        lgsp(&[&["ca"], arguments, &["--ca", &folder]].concat())
    }

    /// A certificate by `lgsp ca issue`.
    pub(super) fn issue(&self, who: &str) -> Shown {
        let out = self.path("callers");
        self.ca(&["issue", "--for", who, "--out", &out, "--replace"]);
        let name = format!("callers/{}", who.replace('/', "-"));
        Shown {
            chain: vec![CertificateDer::from_pem_file(self.file(&format!("{name}.pem"))).unwrap()],
            key: PrivateKeyDer::from_pem_file(self.file(&format!("{name}.key"))).unwrap(),
        }
    }

    pub(super) fn revoke(&self, id: &str) {
        let list: serde_json::Value = serde_json::from_str(&self.ca(&["list", "--json"])).unwrap();
        let rows = list["certificates"].as_array().unwrap();
        let row = rows.iter().find(|row| row["names"][0].as_str().unwrap().ends_with(id));
        self.ca(&["revoke", row.unwrap()["serial"].as_str().unwrap()]);
    }

    /// A certificate that no command would issue, signed by the same root.
    pub(super) fn by_hand(&self, names: Vec<SanType>, change: &dyn Fn(&mut Sheet)) -> Shown {
        let mut sheet = sheet(names);
        change(&mut sheet);
        let key = KeyPair::generate().unwrap();
        let certificate = sheet.signed_by(&key, &self.root(self.root_key())).unwrap();
        shown(certificate.der().clone(), &key)
    }

    pub(super) fn signed_by_itself(&self, uri: &str) -> Shown {
        let key = KeyPair::generate().unwrap();
        let sheet = sheet(vec![SanType::URI(uri.try_into().unwrap())]);
        shown(sheet.self_signed(&key).unwrap().der().clone(), &key)
    }

    /// A list of revoked certificates, none, in the root's name but by another key.
    pub(super) fn forged_list(&self) -> String {
        let now = OffsetDateTime::now_utc();
        let list = CertificateRevocationListParams {
            this_update: now - Duration::from_secs(60),
            next_update: now + Duration::from_secs(3600),
            crl_number: SerialNumber::from(9),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&self.root(KeyPair::generate().unwrap())).unwrap();
        let text = STANDARD.encode(list.der());
        format!("-----BEGIN X509 CRL-----\n{text}\n-----END X509 CRL-----\n")
    }

    fn root_key(&self) -> KeyPair {
        let key = PrivateKeyDer::from_pem_file(self.file("ca/ca.key")).unwrap();
        KeyPair::try_from(&key).unwrap()
    }

    fn root(&self, key: KeyPair) -> Issuer<'static, KeyPair> {
        let register = std::fs::read_to_string(self.file("ca/register.json")).unwrap();
        let register: serde_json::Value = serde_json::from_str(&register).unwrap();
        let mut root = CertificateParams::default();
        root.distinguished_name = named(register["root_name"].as_str().unwrap());
        root.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Issuer::new(root, key)
    }

    /// A token by `lgsp token create`.
    pub(super) fn token(&self, who: &str, scopes: &str, days: u32) -> String {
        let days = days.to_string();
        let text = self.tokens(&["create", "--for", who, "--scope", scopes, "--days", &days]);
        text.trim_end().to_owned()
    }

    pub(super) fn revoke_token(&self, id: u32) {
        self.tokens(&["revoke", &id.to_string()]);
    }

    fn tokens(&self, arguments: &[&str]) -> String {
        let settings = self.path("lgsp.toml");
        let text = format!("[node]\ndata_dir = {:?}\n", self.path("data"));
        std::fs::write(&settings, text).unwrap();
        lgsp(&[&["token"], arguments, &["--config", &settings]].concat())
    }
}

fn lgsp(arguments: &[&str]) -> String {
    let ended = run(to_lgsp(arguments));
    assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.err);
    ended.out
}

fn sheet(names: Vec<SanType>) -> Sheet {
    let now = OffsetDateTime::now_utc();
    let mut sheet = CertificateParams::default();
    sheet.subject_alt_names = names;
    sheet.distinguished_name = named("system/stp.01");
    sheet.not_before = now - Duration::from_secs(60);
    sheet.not_after = now + Duration::from_secs(40 * 24 * 3600);
    sheet.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    sheet
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn shown(certificate: CertificateDer<'static>, key: &KeyPair) -> Shown {
    Shown {
        chain: vec![certificate],
        key: PrivatePkcs8KeyDer::from(key.serialized_der().to_vec()).into(),
    }
}

/// An error with all its causes.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(&format!(": {source}"));
        cause = source.source();
    }
    text
}

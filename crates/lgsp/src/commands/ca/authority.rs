//! A certificate authority in a folder: `ca.pem`, `ca.key` (0600), `crl.pem`, `register.json`.

use std::fs::{self, File};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lgsp_api::{CertificateName, Domain, Who};
use lgsp_files::{Existing, open_to_others};
use lgsp_types::UnixMs;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType,
    SerialNumber,
};
use time::OffsetDateTime;

use super::pem;
use super::register::{Entry, Register};
use super::{CA_DAMAGED, CA_EXISTS, CA_MISSING, CA_TOO_LONG, HOST_INVALID, SERIAL_REVOKED, SERIAL_UNKNOWN};
use crate::hexadecimal::hexadecimal;
use crate::private::{self, NotDone};

const DAY_MS: u64 = 24 * 3600 * 1000;
/// Certificates begin a little before they are issued: clocks differ.
const BEFORE_MS: u64 = 5 * 60 * 1000;

/// An authority, open for one command at a time.
pub(crate) struct Authority {
    folder: PathBuf,
    register: Register,
    issuer: Issuer<'static, KeyPair>,
    _turn: File,
}

/// What a certificate is for.
pub(crate) enum Subject {
    /// Proves who calls.
    Client(Who),
    /// Proves that a host is the node's; at least one name or address.
    Server(Vec<String>),
}

/// A certificate and its key, in PEM form.
pub(crate) struct Issued {
    pub(crate) entry: Entry,
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    /// Makes an authority with an empty list of revoked certificates. The key first: with a register there is a key.
    pub(crate) fn init(folder: &Path, domain: Domain, days: u32, crl_days: u32, now: UnixMs) -> Result<Self, NotDone> {
        private::folder(folder)?;
        let turn = turn(folder)?;
        if folder.join("register.json").exists() {
            let at = folder.display().to_string();
            let mend = "use it, or choose another folder";
            return Err(NotDone::new(CA_EXISTS, at, "an authority is there already", mend));
        }
        let register = Register {
            // Lists of revoked certificates are matched by this name: no two roots share one.
            root_name: format!("{domain} root {}", hexadecimal(&private::random::<4>()?)),
            domain,
            root_ends_ms: now.0 + u64::from(days) * DAY_MS,
            next_crl: 1,
            issued: Vec::new(),
        };
        let key = KeyPair::generate().map_err(signing)?;
        private::write(
            &folder.join("ca.key"),
            pem::write(pem::KEY, key.serialized_der()).as_bytes(),
            Existing::Replace,
        )?;
        let root = root(&register, now);
        let certificate = root.self_signed(&key).map_err(signing)?;
        private::write_public(
            &folder.join("ca.pem"),
            pem::write(pem::CERTIFICATE, certificate.der()).as_bytes(),
            Existing::Replace,
        )?;
        register.write(folder, Existing::Refuse)?;
        let mut authority = Self {
            folder: folder.to_owned(),
            register,
            issuer: Issuer::new(root, key),
            _turn: turn,
        };
        authority.write_crl(crl_days, now)?;
        Ok(authority)
    }

    pub(crate) fn open(folder: &Path) -> Result<Self, NotDone> {
        // Before the lock makes a file in a folder that is not ours.
        Register::read(folder)?;
        let turn = turn(folder)?;
        let register = Register::read(folder)?;
        let path = folder.join("ca.key");
        let at = path.display().to_string();
        let metadata = fs::metadata(&path).map_err(|source| {
            NotDone::new(
                CA_MISSING,
                &at,
                "the authority's key is missing",
                "restore it from a copy",
            )
            .because(source)
        })?;
        if let Some(mode) = open_to_others(&metadata) {
            let what = format!("the key is open to others (mode {mode:o})");
            return Err(NotDone::new(CA_DAMAGED, at, what, "run `chmod 600` on it"));
        }
        let text = fs::read_to_string(&path).map_err(|source| NotDone::file(&path, source))?;
        let no_key = || NotDone::new(CA_DAMAGED, at, "it is no private key", "restore it from a copy");
        let Some(der) = pem::read(pem::KEY, &text) else {
            return Err(no_key());
        };
        let key = KeyPair::try_from(der).map_err(|source| no_key().because(source))?;
        let root = root(&register, UnixMs(0));
        Ok(Self {
            folder: folder.to_owned(),
            issuer: Issuer::new(root, key),
            register,
            _turn: turn,
        })
    }

    pub(crate) fn register(&self) -> &Register {
        &self.register
    }

    /// Where nodes find the root and the list of revoked certificates.
    pub(crate) fn files(&self) -> (PathBuf, PathBuf) {
        (self.folder.join("ca.pem"), self.folder.join("crl.pem"))
    }

    /// Issues a certificate with a key of its own. It stands in the register before it exists.
    pub(crate) fn issue(&mut self, subject: &Subject, days: u32, now: UnixMs) -> Result<Issued, NotDone> {
        let ends_ms = now.0 + u64::from(days) * DAY_MS;
        if ends_ms > self.register.root_ends_ms {
            let end = UnixMs(self.register.root_ends_ms).iso_text();
            let what = format!("the authority itself ends {end}");
            let mend = "issue for fewer days, or make a new authority";
            return Err(NotDone::new(CA_TOO_LONG, "--days", what, mend));
        }
        let mut params = CertificateParams::default();
        let names = self.name(&mut params, subject)?;
        let mut serial: [u8; 16] = private::random()?;
        // A positive number of 16 bytes, whatever they are.
        if let Some(first) = serial.first_mut() {
            *first = *first & 0x7f | 0x40;
        }
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.not_before = moment(now.0.saturating_sub(BEFORE_MS));
        params.not_after = moment(ends_ms);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().map_err(signing)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(signing)?;
        let entry = Entry {
            serial: hexadecimal(&serial),
            names,
            issued_ms: now.0,
            ends_ms,
            revoked_ms: None,
        };
        self.register.issued.push(entry.clone());
        self.register.write(&self.folder, Existing::Replace)?;
        Ok(Issued {
            entry,
            certificate: pem::write(pem::CERTIFICATE, certificate.der()),
            key: pem::write(pem::KEY, key.serialized_der()),
        })
    }

    /// The names a subject gets; a client exactly one URI.
    fn name(&self, params: &mut CertificateParams, subject: &Subject) -> Result<Vec<String>, NotDone> {
        let (names, common) = match subject {
            Subject::Client(who) => {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
                let domain = self.register.domain.clone();
                let who = who.clone();
                let common = who.to_string();
                let uri = CertificateName { domain, who }.to_string();
                params.subject_alt_names = vec![SanType::URI(uri.as_str().try_into().map_err(signing)?)];
                (vec![uri], common)
            }
            Subject::Server(hosts) => {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
                params.subject_alt_names = hosts.iter().map(|host| host_name(host)).collect::<Result<_, _>>()?;
                (hosts.clone(), hosts.first().cloned().unwrap_or_default())
            }
        };
        params.distinguished_name = distinguished(&common);
        Ok(names)
    }

    /// Ends a certificate before its time, and writes the new list.
    pub(crate) fn revoke(&mut self, serial: &str, crl_days: u32, now: UnixMs) -> Result<Entry, NotDone> {
        let entry = self.register.issued.iter_mut().find(|entry| entry.serial == serial);
        let entry = entry.ok_or_else(|| {
            let mend = "see `lgsp ca list`";
            NotDone::new(
                SERIAL_UNKNOWN,
                "SERIAL",
                "this authority issued no such certificate",
                mend,
            )
        })?;
        if entry.revoked_ms.is_some() {
            let mend = "see `lgsp ca list`; `lgsp ca crl` writes the list anew";
            return Err(NotDone::new(SERIAL_REVOKED, "SERIAL", "it is revoked already", mend));
        }
        entry.revoked_ms = Some(now.0);
        let revoked = entry.clone();
        self.write_crl(crl_days, now)?;
        Ok(revoked)
    }

    /// Writes the register, then the list of revoked certificates as it says: a list lost in between is made by `crl`.
    pub(crate) fn write_crl(&mut self, days: u32, now: UnixMs) -> Result<(), NotDone> {
        let number = self.register.next_crl;
        self.register.next_crl = number + 1;
        self.register.write(&self.folder, Existing::Replace)?;
        let revoked = self.register.issued.iter().filter_map(|entry| {
            Some(RevokedCertParams {
                revocation_time: moment(entry.revoked_ms?),
                serial_number: SerialNumber::from_slice(&bytes(&entry.serial)),
                reason_code: None,
                invalidity_date: None,
            })
        });
        let list = CertificateRevocationListParams {
            this_update: moment(now.0.saturating_sub(BEFORE_MS)),
            next_update: moment(now.0 + u64::from(days) * DAY_MS),
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&self.issuer).map_err(signing)?;
        let text = pem::write(pem::LIST, list.der());
        private::write_public(&self.folder.join("crl.pem"), text.as_bytes(), Existing::Replace)
    }
}

/// Commands take turns.
fn turn(folder: &Path) -> Result<File, NotDone> {
    lgsp_files::turn(folder).map_err(|source| NotDone::file(&folder.join("lock"), source))
}

fn root(register: &Register, now: UnixMs) -> CertificateParams {
    let mut root = CertificateParams::default();
    root.distinguished_name = distinguished(&register.root_name);
    root.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    root.not_before = moment(now.0.saturating_sub(BEFORE_MS));
    root.not_after = moment(register.root_ends_ms);
    root
}

fn distinguished(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn host_name(host: &str) -> Result<SanType, NotDone> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let invalid = || {
        let mend = "name a host as in `lgsp.vinhphuc.gov.vn`, or an IP address";
        NotDone::new(HOST_INVALID, "--host", format!("`{host}` is no host"), mend)
    };
    Domain::parse(host).map_err(|_| invalid())?;
    host.try_into().map(SanType::DnsName).map_err(|_| invalid())
}

/// Bounded: a command takes at most 100 years.
fn moment(ms: u64) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + Duration::from_secs(ms / 1000)
}

/// The bytes of a serial from the register.
fn bytes(serial: &str) -> Vec<u8> {
    let digits: Vec<u8> = serial
        .chars()
        .filter_map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok()))
        .collect();
    digits
        .chunks_exact(2)
        .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
        .collect()
}

fn signing(source: rcgen::Error) -> NotDone {
    NotDone::new(
        CA_DAMAGED,
        "ca.key",
        "the authority cannot sign",
        "see that its folder is whole, or restore it from a copy",
    )
    .because(source)
}

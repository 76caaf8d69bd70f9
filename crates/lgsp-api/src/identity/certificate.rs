//! Who a client certificate names: exactly one URI, `lgsp://<domain>/<kind>/<id>`, and whether it is still good.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lgsp_types::UnixMs;
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use webpki::EndEntityCert;

use super::tls::Tls;
use super::who::{Who, WhoError};

/// Longest name of a domain, in bytes.
const DOMAIN_MAX: usize = 64;

/// The authority that names its systems: one per province, e.g. `lgsp.vinhphuc.gov.vn`.
///
/// 1 to 64 of `a-z 0-9 - .`, as it is compared by bytes; no label empty, or with a hyphen at its end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Domain(String);

/// Why a text is no domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("is not a domain of 1 to {DOMAIN_MAX} of a-z, 0-9, - and .")]
pub struct DomainError;

impl Domain {
    /// # Errors
    /// [`DomainError`].
    pub fn parse(text: &str) -> Result<Self, DomainError> {
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let label = |label: &str| {
            !label.is_empty() && label.bytes().all(letter) && !label.starts_with('-') && !label.ends_with('-')
        };
        if text.len() <= DOMAIN_MAX && text.split('.').all(label) {
            Ok(Self(text.to_owned()))
        } else {
            Err(DomainError)
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl TryFrom<String> for Domain {
    type Error = DomainError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Domain> for String {
    fn from(domain: Domain) -> Self {
        domain.0
    }
}

/// What the one URI of a certificate says: `lgsp://<domain>/system/<id>`, or `adapter`, or `operator`.
///
/// A name has one spelling: no port, query, fragment, percent escape or capital outside the id; compared by bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CertificateName {
    pub domain: Domain,
    pub who: Who,
}

/// Why a certificate, good in itself, names nobody here.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CertificateError {
    #[error("the certificate cannot be read")]
    Unreadable,
    #[error("the certificate has {found} URI names, not one")]
    NotOneUri { found: usize },
    #[error("the certificate's URI is not `lgsp://<domain>/<kind>/<id>`")]
    Form,
    #[error("the domain of the certificate's URI")]
    Domain(#[source] DomainError),
    #[error("the path of the certificate's URI")]
    Who(#[source] WhoError),
}

impl CertificateName {
    /// Reads the text of a URI and nothing else.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn parse(uri: &str) -> Result<Self, CertificateError> {
        let rest = uri.strip_prefix("lgsp://").ok_or(CertificateError::Form)?;
        let (domain, who) = rest.split_once('/').ok_or(CertificateError::Form)?;
        Ok(Self {
            domain: Domain::parse(domain).map_err(CertificateError::Domain)?,
            who: Who::parse(who).map_err(CertificateError::Who)?,
        })
    }

    /// Who a certificate names. Names of hosts beside the URI say nothing here, the common name neither.
    ///
    /// # Errors
    /// [`CertificateError`]: the holder needs another certificate.
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self, CertificateError> {
        let parsed = EndEntityCert::try_from(certificate).map_err(|_| CertificateError::Unreadable)?;
        let mut uris = parsed.valid_uri_names();
        match (uris.next(), uris.count()) {
            (Some(uri), 0) => Self::parse(uri),
            (first, more) => Err(CertificateError::NotOneUri {
                found: usize::from(first.is_some()) + more,
            }),
        }
    }
}

impl fmt::Display for CertificateName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "lgsp://{}/{}", self.domain, self.who)
    }
}

/// The far side of one connection: its address, and the certificate it showed, if it did.
///
/// Cheap to clone; every call of the connection asks it anew.
#[derive(Clone, Debug)]
pub struct Peer {
    pub address: SocketAddr,
    shown: Option<Arc<Shown>>,
}

/// A certificate that was good at the handshake.
struct Shown {
    tls: Tls,
    chain: Vec<CertificateDer<'static>>,
    name: Result<CertificateName, CertificateError>,
    /// The generation of files it was last found good under, and when, in Unix milliseconds.
    good_under: AtomicU64,
    good_at_ms: AtomicU64,
}

/// Why a connection's certificate proves nothing for this call.
#[derive(Clone, Debug, Error)]
pub enum PeerError {
    /// It never will: its name is none of ours.
    #[error("the certificate names nobody here")]
    Name(#[source] CertificateError),
    /// It did: revoked or expired since, or the lists of revoked ones are missing or too old.
    #[error("the certificate is good no more")]
    NotGood(#[source] rustls::Error),
}

impl Peer {
    pub(super) fn new(tls: &Tls, address: SocketAddr, chain: Option<&[CertificateDer<'_>]>, generation: u64) -> Self {
        let shown = chain.and_then(|chain| {
            let first = chain.first()?;
            Some(Arc::new(Shown {
                tls: tls.clone(),
                name: CertificateName::of(first),
                chain: chain.iter().map(|part| part.clone().into_owned()).collect(),
                good_under: AtomicU64::new(generation),
                good_at_ms: AtomicU64::new(tls.now().0),
            }))
        });
        Self { address, shown }
    }

    /// Who the certificate names, none if there is no certificate: asked on each call.
    ///
    /// The whole chain is verified again when the files changed since, and at each reload interval, as certificates and
    /// lists of revoked ones expire by themselves: about 0.2 ms then, nothing between.
    ///
    /// # Errors
    /// [`PeerError`]: refuse the call.
    pub fn name(&self) -> Result<Option<&CertificateName>, PeerError> {
        let Some(shown) = &self.shown else { return Ok(None) };
        let name = shown.name.as_ref().map_err(|error| PeerError::Name(error.clone()))?;
        shown.verify().map_err(PeerError::NotGood)?;
        Ok(Some(name))
    }
}

impl Shown {
    fn verify(&self) -> Result<(), rustls::Error> {
        let now = self.tls.now();
        let generation = self.tls.generation();
        let since_ms = now.0.abs_diff(self.good_at_ms.load(Ordering::Acquire));
        let fresh = UnixMs(since_ms) < self.tls.verify_again_after();
        if fresh && self.good_under.load(Ordering::Acquire) == generation {
            return Ok(());
        }
        // The generation was read before the rules: newer rules under an older number are only asked once more.
        self.tls.verify(&self.chain, now)?;
        self.good_under.store(generation, Ordering::Release);
        self.good_at_ms.store(now.0, Ordering::Release);
        Ok(())
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Shown")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_has_one_spelling() {
        for uri in [
            "lgsp://lgsp.vinhphuc.gov.vn/system/STP.qlvb-01",
            "lgsp://vp/adapter/vxp_1",
            "lgsp://a-b.c1/operator/lan",
        ] {
            assert_eq!(CertificateName::parse(uri).unwrap().to_string(), uri);
        }
        for bad in [
            "",
            "lgsp://",
            "lgsp:/vp/system/a",
            "LGSP://vp/system/a",
            "https://vp/system/a",
            "lgsp://VP/system/a",
            "lgsp:///system/a",
            "lgsp://vp:443/system/a",
            "lgsp://u@vp/system/a",
            "lgsp://vp/system/a?x=1",
            "lgsp://vp/system/a#x",
            "lgsp://vp/system/a%41",
            "lgsp://vp/System/a",
            "lgsp://vp/system/",
            "lgsp://vp/system",
            "lgsp://vp//system/a",
            "lgsp://vp/system/a/",
            "lgsp://vp/system/../a",
            "lgsp://vp./system/a",
            "lgsp://-vp/system/a",
            "lgsp://vp/system/a\0",
            " lgsp://vp/system/a",
        ] {
            assert!(CertificateName::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Domain::parse(&"a".repeat(64)).is_ok() && Domain::parse(&"a".repeat(65)).is_err());
    }

    #[test]
    fn what_is_no_certificate_names_nobody() {
        for der in [&b""[..], b"\x30", b"\x30\x03\x02\x01\x01"] {
            assert_eq!(
                CertificateName::of(&CertificateDer::from(der)),
                Err(CertificateError::Unreadable)
            );
        }
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_written_the_same(uri in "lgsp://[a-z0-9.%:-]{0,9}/(system|adapter|operator)/[A-Za-z0-9._%/?-]{0,9}") {
            if let Ok(name) = CertificateName::parse(&uri) {
                prop_assert_eq!(name.to_string(), uri);
            }
        }
    }
}

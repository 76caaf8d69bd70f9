//! The public interface: TLS, who is it, limits; the services stand on these, over the ports.
//! It knows no ledger, no store and no far side's format.

mod identity;

pub use identity::certificate::{CertificateError, CertificateName, Domain, DomainError, Peer, PeerError};
pub use identity::listen::{Connection, ListenSettings, Listener};
pub use identity::tls::{HandshakeError, Reload, Tls, TlsError, TlsSettings};
pub use identity::who::{OperatorId, Who, WhoError};

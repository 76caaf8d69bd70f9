//! The public interface: TLS, who is it, limits; the services stand on these, over the ports.
//! It knows no ledger, no store and no far side's format.

mod identity;
mod status;

pub use identity::caller::{Callers, IdentifyError, Principal, Proof};
pub use identity::certificate::{CertificateError, CertificateName, Domain, DomainError, Peer, PeerError};
pub use identity::files::FileError;
pub use identity::limits::{Held, LimitError, LimitSettings, Limits};
pub use identity::listen::{Connection, ListenSettings, Listener};
pub use identity::scope::{Scope, ScopeError, Scopes};
pub use identity::tls::{HandshakeError, Reload, Tls, TlsError, TlsSettings};
pub use identity::token::{Token, TokenError, TokenFile, TokenFileError, TokenId, TokenRow, Tokens};
pub use identity::who::{OperatorId, Who, WhoError};
pub use status::{ToStatus, forbidden, refused};

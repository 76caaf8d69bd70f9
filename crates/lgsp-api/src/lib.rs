//! The public interface: gRPC services over the ports, behind TLS, who is it and limits; and the client's side of it.
//! It knows no ledger, no store and no far side's format.
//!
//! | where | what |
//! |---|---|
//! | `identity` | TLS, certificates, tokens, the principal they prove, limits |
//! | `door` | settles both for each call, before its body is read |
//! | `service` | one file or folder for each service |
//! | `server` | all of it together, and the limits of HTTP/2 |
//! | `status` | what a caller is told when a call is not done |
//! | `adapter` | adapters as processes: the node's side, and the process's |
//! | `taken` | the end of connections whose far side takes nothing |
//! | `client` | a channel to a node |

mod adapter;
mod client;
mod door;
mod identity;
mod random;
mod server;
mod service;
mod settings;
mod status;
mod taken;

pub use adapter::gateway::{Gateway, GatewayParts, GatewaySettings};
pub use adapter::hosts::ADAPTER_AWAY;
pub use adapter::remote::{Remote, RemoteSettings};
pub use client::{ConnectError, Endpoint, Link, Told, connect};
pub use identity::caller::{Callers, IdentifyError, Principal, Proof};
pub use identity::certificate::{CertificateError, CertificateName, Domain, DomainError, Peer, PeerError};
pub use identity::files::FileError;
pub use identity::limits::{Held, LimitError, LimitSettings, Limits};
pub use identity::listen::{Connection, ListenSettings, Listener};
pub use identity::scope::{Scope, ScopeError, Scopes};
pub use identity::tls::{HandshakeError, Reload, Tls, TlsError, TlsSettings};
pub use identity::token::{Token, TokenError, TokenFile, TokenFileError, TokenId, TokenRow, Tokens};
pub use identity::who::{OperatorId, Who, WhoError};
pub use server::{Server, ServerError, ServerParts};
pub use settings::Settings;
pub use status::{ToStatus, forbidden, refused};

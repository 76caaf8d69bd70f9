//! Who is it: TLS, certificates, tokens, the principal they prove, and what it may use at one time.

pub(crate) mod caller;
pub(crate) mod certificate;
pub(crate) mod files;
pub(crate) mod limits;
pub(crate) mod listen;
pub(crate) mod scope;
pub(crate) mod tls;
pub(crate) mod token;
pub(crate) mod who;

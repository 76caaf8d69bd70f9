//! Who is it: TLS, certificates, tokens, the principal they prove, and what it may use at one time.

pub(crate) mod certificate;
mod files;
pub(crate) mod listen;
pub(crate) mod tls;
pub(crate) mod who;

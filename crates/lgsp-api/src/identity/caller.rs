//! Who calls, proven: a certificate, a token, or both of one caller.

use std::error::Error as _;
use std::sync::Arc;

use lgsp_types::{AdapterId, Clock, ReasonCode, Refusal, Roster, SystemId};
use thiserror::Error;
use tracing::debug;

use super::certificate::{Domain, Peer, PeerError};
use super::scope::{Scope, Scopes};
use super::token::{Token, TokenError, TokenId, TokenRow, Tokens};
use super::who::Who;

const CREDENTIAL_MISSING: ReasonCode = ReasonCode::new("CREDENTIAL_MISSING");
const CREDENTIALS_DIFFER: ReasonCode = ReasonCode::new("CREDENTIALS_DIFFER");
const CERTIFICATE_NAME: ReasonCode = ReasonCode::new("CERTIFICATE_NAME");
const CERTIFICATE_DOMAIN: ReasonCode = ReasonCode::new("CERTIFICATE_DOMAIN");
const CERTIFICATE_NOT_GOOD: ReasonCode = ReasonCode::new("CERTIFICATE_NOT_GOOD");
const TOKEN_INVALID: ReasonCode = ReasonCode::new("TOKEN_INVALID");
const TOKEN_EXPIRED: ReasonCode = ReasonCode::new("TOKEN_EXPIRED");
const TOKEN_SCOPE: ReasonCode = ReasonCode::new("TOKEN_SCOPE");
const CALLER_KIND: ReasonCode = ReasonCode::new("CALLER_KIND");

/// Where the two credentials stand in what was sent.
const CERTIFICATE: &str = "/certificate";
const AUTHORIZATION: &str = "/metadata/authorization";

/// A caller whose credential was good for this call. Only [`Callers::identify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    who: Who,
    proof: Proof,
    scopes: Scopes,
    through: Option<AdapterId>,
}

/// How it was proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    Certificate,
    Token(TokenId),
    /// A token over a connection with a certificate of the same caller, or of an adapter that may speak as it.
    Both(TokenId),
}

/// Why it is nobody: UNAUTHENTICATED, with what [`Self::refusal`] says. The variants are for our own log.
#[derive(Debug, Error)]
pub enum IdentifyError {
    #[error("neither a certificate nor a token was shown")]
    Nothing,
    #[error("the certificate proves nothing")]
    Certificate(#[from] PeerError),
    #[error("the certificate is of another domain")]
    OtherDomain,
    #[error("the authorization is not one bearer token")]
    Authorization,
    #[error("the token proves nothing")]
    Token(#[from] TokenError),
    #[error("certificate and token name two callers")]
    Differ,
}

/// Knows whom the credentials of this node name.
pub struct Callers {
    domain: Domain,
    tokens: Tokens,
    clock: Clock,
    roster: Option<Arc<dyn Roster>>,
}

impl Callers {
    #[must_use]
    pub fn new(domain: Domain, tokens: Tokens, clock: Clock) -> Self {
        Self {
            domain,
            tokens,
            clock,
            roster: None,
        }
    }

    /// Lets an adapter's connection carry the tokens of the systems that it may speak as.
    #[must_use]
    pub fn with_roster(self, roster: Arc<dyn Roster>) -> Self {
        let roster = Some(roster);
        Self { roster, ..self }
    }

    /// Who makes this call. `authorization`: every value of that header as it came; asked anew for each call.
    ///
    /// # Errors
    /// [`IdentifyError`]: answer UNAUTHENTICATED with its refusal.
    pub fn identify<'a>(
        &self,
        peer: &Peer,
        authorization: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Principal, IdentifyError> {
        let identified = self
            .certificate(peer)
            .and_then(|certificate| self.join(certificate, self.token(authorization)?));
        if let Err(error) = &identified {
            // Counted and looked into, never alarmed: anybody can cause it.
            debug!(error = error as &dyn std::error::Error, "not authenticated");
        }
        identified
    }

    fn certificate(&self, peer: &Peer) -> Result<Option<Who>, IdentifyError> {
        let Some(name) = peer.name()? else { return Ok(None) };
        if name.domain != self.domain {
            return Err(IdentifyError::OtherDomain);
        }
        Ok(Some(name.who.clone()))
    }

    fn token<'a>(&self, headers: impl IntoIterator<Item = &'a [u8]>) -> Result<Option<TokenRow>, IdentifyError> {
        let mut headers = headers.into_iter();
        let Some(header) = headers.next() else { return Ok(None) };
        if headers.next().is_some() {
            return Err(IdentifyError::Authorization);
        }
        let header = std::str::from_utf8(header).map_err(|_| IdentifyError::Authorization)?;
        let (scheme, text) = header.split_once(' ').ok_or(IdentifyError::Authorization)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(IdentifyError::Authorization);
        }
        Ok(Some(self.tokens.find(&Token::parse(text)?, (self.clock)())?))
    }

    /// Both must name one, or an adapter and a system that it speaks as; then the token, which may be for less, says for
    /// what.
    fn join(&self, certificate: Option<Who>, token: Option<TokenRow>) -> Result<Principal, IdentifyError> {
        let (who, proof, scopes, through) = match (certificate, token) {
            (None, None) => return Err(IdentifyError::Nothing),
            (Some(who), None) => {
                let scopes = Scopes::of(&who);
                (who, Proof::Certificate, scopes, None)
            }
            (None, Some(token)) => (token.who, Proof::Token(token.id), token.scopes, None),
            (Some(who), Some(token)) if who == token.who => (who, Proof::Both(token.id), token.scopes, None),
            (Some(Who::Adapter(adapter)), Some(token)) if self.carries(&adapter, &token.who) => {
                (token.who, Proof::Both(token.id), token.scopes, Some(adapter))
            }
            (Some(_), Some(_)) => return Err(IdentifyError::Differ),
        };
        Ok(Principal {
            who,
            proof,
            scopes,
            through,
        })
    }

    fn carries(&self, adapter: &AdapterId, who: &Who) -> bool {
        match (&self.roster, who) {
            (Some(roster), Who::System(system)) => roster.speaks_as(adapter, system),
            (None, _) | (_, Who::Adapter(_) | Who::Operator(_)) => false,
        }
    }
}

impl Principal {
    /// The adapter over whose connection it calls, if it calls by one.
    #[must_use]
    pub fn through(&self) -> Option<&AdapterId> {
        self.through.as_ref()
    }

    #[must_use]
    pub fn who(&self) -> &Who {
        &self.who
    }

    #[must_use]
    pub fn proof(&self) -> Proof {
        self.proof
    }

    #[must_use]
    pub fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// Is the credential for calls of this kind?
    ///
    /// # Errors
    /// PERMISSION_DENIED with this refusal.
    pub fn need(&self, scope: Scope) -> Result<(), Refusal> {
        if self.scopes.has(scope) {
            return Ok(());
        }
        Err(match self.proof {
            Proof::Certificate => Refusal::new(
                CALLER_KIND,
                CERTIFICATE,
                format!("the certificate is not for calls of the kind `{scope}`"),
                "use a certificate of a system",
            ),
            Proof::Token(_) | Proof::Both(_) => Refusal::new(
                TOKEN_SCOPE,
                AUTHORIZATION,
                format!("the token is not for calls of the kind `{scope}`"),
                format!("ask the operator for a token with the scope `{scope}`"),
            ),
        })
    }

    /// The system that calls, where only a system can.
    ///
    /// # Errors
    /// PERMISSION_DENIED with this refusal.
    pub fn system(&self) -> Result<&SystemId, Refusal> {
        match &self.who {
            Who::System(system) => Ok(system),
            Who::Adapter(_) | Who::Operator(_) => Err(Refusal::new(
                CALLER_KIND,
                "/",
                "the caller is no system",
                "call with the certificate or token of a system",
            )),
        }
    }
}

impl IdentifyError {
    /// What the caller is told: what is wrong with the credential, never whether another one exists.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::Nothing => Refusal::new(
                CREDENTIAL_MISSING,
                "/",
                "neither a client certificate nor a bearer token was shown",
                "connect with a certificate of a system, or send `authorization: Bearer <token>`",
            ),
            Self::Certificate(PeerError::Name(error)) => Refusal::new(
                CERTIFICATE_NAME,
                CERTIFICATE,
                error
                    .source()
                    .map_or(error.to_string(), |cause| format!("{error} {cause}")),
                "use a certificate with exactly one URI, `lgsp://<domain>/system/<id>`",
            ),
            Self::Certificate(PeerError::NotGood(_)) => Refusal::new(
                CERTIFICATE_NOT_GOOD,
                CERTIFICATE,
                "the certificate was revoked, or expired, or its authority's list of revoked ones did",
                "connect with a new certificate, or ask the operator",
            ),
            Self::OtherDomain => Refusal::new(
                CERTIFICATE_DOMAIN,
                CERTIFICATE,
                "the certificate is of another domain",
                "use a certificate that this platform's authority issued",
            ),
            Self::Authorization | Self::Token(TokenError::Malformed | TokenError::Unknown) => Refusal::new(
                TOKEN_INVALID,
                AUTHORIZATION,
                "this is no token in force",
                "send `authorization: Bearer <token>` once, with the whole token as it was given",
            ),
            Self::Token(TokenError::Expired(_)) => Refusal::new(
                TOKEN_EXPIRED,
                AUTHORIZATION,
                "the token expired",
                "ask the operator for a new one",
            ),
            Self::Differ => Refusal::new(
                CREDENTIALS_DIFFER,
                AUTHORIZATION,
                "certificate and token name two callers",
                "send a token of the caller whose certificate is used, or none",
            ),
        }
    }
}

impl std::fmt::Debug for Callers {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Callers")
            .field("domain", &self.domain)
            .finish_non_exhaustive()
    }
}

//! The signature of Standard Webhooks: HMAC-SHA-256 over `id.timestamp.body`, once for each secret in force.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use lgsp_files::SecretError;
use lgsp_types::{DeliveryId, ObjectReader, UnixMs};
use thiserror::Error;

use super::letter::Letter;
use super::trouble::{CONTENT_UNREADABLE, SECRET_UNUSABLE, Trouble};

/// What a secret of Standard Webhooks begins with; base64 of 24 to 64 bytes follows.
const PREFIX: &[u8] = b"whsec_";

/// Why a secret does not sign.
#[derive(Debug, Error)]
enum Unusable {
    #[error("the connector's system has no `secret_ref`")]
    None,
    #[error("the secret {path} cannot be used")]
    File {
        path: PathBuf,
        #[source]
        source: SecretError,
    },
    #[error(
        "the secret {path} is not `whsec_` and the base64 of 24 to 64 bytes: make one with `lgsp secret create --webhook`"
    )]
    Form { path: PathBuf },
}

/// The headers of one try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Signed {
    pub(super) id: String,
    /// Seconds since 1970.
    pub(super) timestamp: String,
    /// `v1,<base64>`, one for each secret in force, with blanks between.
    pub(super) signature: String,
}

/// The secrets in force for one system: `current`, and `next` while it is rotated.
pub(super) struct Signers(Vec<hmac::Key>);

impl Signers {
    /// Reads the secrets under a reference, anew for each try.
    pub(super) async fn read(folder: &Path, reference: Option<String>) -> Result<Self, Trouble> {
        let reference = reference.ok_or_else(|| Trouble::by(SECRET_UNUSABLE)(Box::new(Unusable::None)))?;
        let folder = folder.to_owned();
        let reading = tokio::task::spawn_blocking(move || in_force(&folder, &reference));
        let read = reading.await.map_err(Trouble::by(SECRET_UNUSABLE))?;
        read.map(Self).map_err(Trouble::by(SECRET_UNUSABLE))
    }

    /// Signs a delivery as it is written at this moment.
    pub(super) async fn sign(
        &self,
        delivery: DeliveryId,
        now: UnixMs,
        letter: &Letter,
        objects: &Arc<dyn ObjectReader>,
    ) -> Result<Signed, Trouble> {
        let mut signing = self.begin(delivery.to_string(), now.0 / 1_000);
        let (_, pieces) = letter.clone().into_stream(Arc::clone(objects));
        let mut pieces = std::pin::pin!(pieces);
        while let Some(piece) = pieces.next().await {
            signing.cover(&piece.map_err(Trouble::by(CONTENT_UNREADABLE))?);
        }
        Ok(signing.end())
    }

    fn begin(&self, id: String, seconds: u64) -> Signing {
        let timestamp = seconds.to_string();
        let mut signing = Signing {
            contexts: self.0.iter().map(hmac::Context::with_key).collect(),
            signed: Signed {
                id,
                timestamp,
                signature: String::new(),
            },
        };
        let begin = format!("{}.{}.", signing.signed.id, signing.signed.timestamp);
        signing.cover(begin.as_bytes());
        signing
    }
}

/// A signature on its way.
struct Signing {
    contexts: Vec<hmac::Context>,
    signed: Signed,
}

impl Signing {
    fn cover(&mut self, bytes: &[u8]) {
        self.contexts.iter_mut().for_each(|context| context.update(bytes));
    }

    fn end(self) -> Signed {
        let tags = self.contexts.into_iter().map(hmac::Context::sign);
        let signatures: Vec<String> = tags.map(|tag| format!("v1,{}", STANDARD.encode(tag))).collect();
        Signed {
            signature: signatures.join(" "),
            ..self.signed
        }
    }
}

fn in_force(folder: &Path, reference: &str) -> Result<Vec<hmac::Key>, Unusable> {
    let read = |name: &str| {
        let path = folder.join(reference).join(name);
        match lgsp_files::read_secret(folder, &path) {
            Ok((_, secret)) => key(&secret).ok_or(Unusable::Form { path }),
            Err(source) => Err(Unusable::File { path, source }),
        }
    };
    let current = read("current")?;
    match read("next") {
        Ok(next) => Ok(vec![current, next]),
        Err(Unusable::File { source, .. }) if source.is_absent() => Ok(vec![current]),
        Err(error) => Err(error),
    }
}

fn key(secret: &[u8]) -> Option<hmac::Key> {
    let bytes = STANDARD.decode(secret.strip_prefix(PREFIX)?).ok()?;
    let fits = (24..=64).contains(&bytes.len());
    fits.then(|| hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Source of the first: the specification's own example; of the second: that of its reference libraries.
    #[test]
    fn a_signature_is_that_of_the_specification() {
        for (secret, id, seconds, body, signature) in [
            (
                "whsec_plJ3nmyCDGBKInavdOK15jsl",
                "msg_loFOjxBNrRLzqYUf",
                1_731_705_121,
                r#"{"event_type":"ping","data":{"success":true}}"#,
                "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=",
            ),
            (
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#,
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
        ] {
            // The specification's first secret has 18 bytes, though it asks for 24.
            let bytes = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
            let signers = Signers(vec![hmac::Key::new(hmac::HMAC_SHA256, &bytes)]);
            let mut signing = signers.begin(id.to_owned(), seconds);
            body.as_bytes().chunks(7).for_each(|chunk| signing.cover(chunk));
            assert_eq!(signing.end().signature, signature);
        }
    }

    #[test]
    fn a_secret_is_the_base64_of_24_to_64_bytes() {
        let secret = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![7; bytes]));
        assert!(key(secret(24).as_bytes()).is_some() && key(secret(64).as_bytes()).is_some());
        for bad in [
            secret(23),
            secret(65),
            STANDARD.encode([7; 32]),
            String::from("whsec_%%%%"),
            String::new(),
        ] {
            assert!(key(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}

//! Ed25519 keys with a name, as signed notes know them: a node's key, a log's key, and what verifies either.
//!
//! Source: C2SP signed-note (key ids, signature type 0x01) and the verifier key text of Go's sumdb/note.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lgsp_types::Digest;
use thiserror::Error;

/// Signature type of Ed25519 over the text of a note.
const ED25519_TYPE: u8 = 1;
/// Longest name of a key, in bytes.
const NAME_MAX_BYTES: usize = 128;

/// The first four bytes of SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key): names a key in short, proves nothing.
pub type KeyId = [u8; 4];

/// Why there is no such key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// Choose another name.
    #[error("the name of a key is 1 to {NAME_MAX_BYTES} bytes without blanks, control characters and `+`")]
    Name,
    /// Make a new seed.
    #[error("the seed makes no Ed25519 key")]
    Seed,
    /// Take the text from where the key was made, whole.
    #[error("is not the text of a verifier key, `name+id+key`")]
    Text,
    /// Take the text from where the key was made, whole: a letter of it was changed.
    #[error("the verifier key does not fit its id")]
    Id,
}

fn check_name(name: &str) -> Result<(), KeyError> {
    let allowed = |letter: char| !letter.is_whitespace() && !letter.is_control() && letter != '+';
    if (1..=NAME_MAX_BYTES).contains(&name.len()) && name.chars().all(allowed) {
        Ok(())
    } else {
        Err(KeyError::Name)
    }
}

/// A secret key that signs: leaves and receipts (a node's key), or checkpoints (a log's key).
pub struct NoteKey {
    pair: Ed25519KeyPair,
    verifier: VerifierKey,
}

impl NoteKey {
    /// The key of this name and seed; the same for ever, and so are its signatures (RFC 8032).
    ///
    /// # Errors
    /// [`KeyError::Name`] or [`KeyError::Seed`].
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, KeyError> {
        check_name(name)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyError::Seed)?;
        let public_key = pair.public_key().as_ref().try_into().map_err(|_| KeyError::Seed)?;
        Ok(Self {
            pair,
            verifier: VerifierKey::new(name, public_key)?,
        })
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.verifier.name
    }

    #[must_use]
    pub const fn public_key(&self) -> [u8; 32] {
        self.verifier.public_key
    }

    /// What verifies this key's signatures.
    #[must_use]
    pub const fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// The public half as text, for whoever has to trust it.
    #[must_use]
    pub fn vkey(&self) -> String {
        self.verifier.to_string()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        let made = self.pair.sign(message);
        // Ed25519 always gives 64 bytes; `zip` says so without a way to panic.
        signature
            .iter_mut()
            .zip(made.as_ref())
            .for_each(|(to, from)| *to = *from);
        signature
    }
}

impl fmt::Debug for NoteKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("NoteKey")
            .field("verifier", &self.verifier)
            .finish_non_exhaustive()
    }
}

/// The public half of a key.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct VerifierKey {
    name: String,
    public_key: [u8; 32],
    id: KeyId,
}

impl VerifierKey {
    /// # Errors
    /// [`KeyError::Name`].
    pub fn new(name: &str, public_key: [u8; 32]) -> Result<Self, KeyError> {
        check_name(name)?;
        let hash = Digest::of_parts(&[name.as_bytes(), &[b'\n', ED25519_TYPE], &public_key]);
        let [a, b, c, d, ..] = *hash.as_bytes();
        Ok(Self {
            name: name.to_owned(),
            public_key,
            id: [a, b, c, d],
        })
    }

    /// Reads `name+id+key`: the id as 8 lower-case hexadecimal digits, the key as base64 of type byte and public key.
    ///
    /// # Errors
    /// [`KeyError`]; the text is used whole or not at all.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Text);
        };
        let key = STANDARD.decode(key).map_err(|_| KeyError::Text)?;
        let Some((&ED25519_TYPE, public_key)) = key.split_first() else {
            return Err(KeyError::Text);
        };
        let verifier = Self::new(name, public_key.try_into().map_err(|_| KeyError::Text)?)?;
        if hex(verifier.id) == id {
            Ok(verifier)
        } else {
            Err(KeyError::Id)
        }
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    #[must_use]
    pub const fn public_key(&self) -> [u8; 32] {
        self.public_key
    }

    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    #[must_use]
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.public_key)
            .verify(message, signature)
            .is_ok()
    }
}

fn hex(id: KeyId) -> String {
    format!("{:08x}", u32::from_be_bytes(id))
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![ED25519_TYPE];
        key.extend_from_slice(&self.public_key);
        write!(out, "{}+{}+{}", self.name, hex(self.id), STANDARD.encode(key))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "VerifierKey({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of the example in the documentation of golang.org/x/mod/sumdb/note.
    const OTHERS: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

    #[test]
    fn a_verifier_key_of_another_program_reads_and_writes() {
        let key = VerifierKey::parse(OTHERS).unwrap();
        assert_eq!((key.name(), key.id()), ("PeterNeumann", [0xc7, 0x4f, 0x20, 0xa3]));
        assert_eq!(key.to_string(), OTHERS);
    }

    #[test]
    fn keys_and_signatures_are_those_of_rfc_8032() {
        // RFC 8032 section 7.1, test 1.
        let seed = Digest::parse("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").unwrap();
        let key = NoteKey::from_seed("test", seed.as_bytes()).unwrap();
        assert_eq!(
            Digest::from_bytes(key.public_key()).to_string(),
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        );
        let signature = key.sign(b"");
        assert_eq!(
            Digest::from_bytes(signature[..32].try_into().unwrap()).to_string(),
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        );
        assert!(key.verifier().verifies(b"", &signature) && !key.verifier().verifies(b"x", &signature));
    }

    #[test]
    fn a_changed_text_is_no_key() {
        for at in 0..OTHERS.len() {
            for bit in 0..7 {
                let mut changed = OTHERS.as_bytes().to_vec();
                changed[at] ^= 1 << bit;
                let changed = String::from_utf8(changed).unwrap();
                assert!(VerifierKey::parse(&changed).is_err(), "{changed}");
            }
        }
        for text in [
            "",
            "+",
            "++",
            "a+b",
            "name+c74f20a3+",
            &OTHERS[1..],
            &OTHERS[..OTHERS.len() - 1],
        ] {
            assert!(VerifierKey::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_stays_one_word() {
        for name in ["", "a b", "a+b", "a\u{a0}b", "a\nb", "a\u{7f}b", &"x".repeat(129)] {
            assert_eq!(
                NoteKey::from_seed(name, &[7; 32]).map(|key| key.vkey()),
                Err(KeyError::Name),
                "{name:?}"
            );
        }
        assert!(NoteKey::from_seed("lgsp/vĩnh-phúc", &[7; 32]).is_ok());
    }

    #[test]
    fn nothing_printed_shows_the_secret() {
        let seed = *b"0123456789abcdef0123456789ABCDEF";
        let key = NoteKey::from_seed("node", &seed).unwrap();
        let shown = format!("{key:?} {:?}", key.verifier());
        assert_eq!(key.vkey(), VerifierKey::parse(&key.vkey()).unwrap().to_string());
        assert!(shown.contains(&key.vkey()));
        for secret in ["0123456789", "48, 49, 50", &STANDARD.encode(seed), "30313233"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

//! Signed notes: a text that one or more keys signed, itself a text.
//!
//! Source: C2SP signed-note. Only Ed25519 signatures (type 0x01) are verified; those of keys that are not known, of whatever
//! type, are kept and ignored, as the specification asks.

use thiserror::Error;

use crate::key::{KeyId, NoteKey, VerifierKey};
use crate::text::{base64, base64_text};

/// Largest note in bytes: room for 16 signatures of the post-quantum kind.
const NOTE_MAX_BYTES: usize = 256 * 1024;
/// Most signatures of a note; the specification asks for at least 16.
const SIGNATURES_MAX: usize = 64;
/// What a signature line begins with: an em dash and a blank.
const DASH: &str = "\u{2014} ";

/// Why a text is no note, or is not to be believed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoteError {
    /// Take the text from where it was made, whole.
    #[error("is not a signed note: {what}")]
    Malformed { what: &'static str },
    /// Ask for a note by a key you trust, or learn the key another way.
    #[error("no key that is known signed the note")]
    NotSigned,
    /// Treat the note as forged.
    #[error("the signature by `{name}` is wrong")]
    WrongSignature { name: String },
}

/// A signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// Name of the key.
    pub name: String,
    pub key_id: KeyId,
    /// As the key's type makes it; 64 bytes for Ed25519.
    pub signature: Vec<u8>,
}

/// A note in its parts. Nothing in it is to be believed before [`Note::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What was signed, its last newline included.
    pub text: String,
    pub signatures: Vec<NoteSignature>,
}

impl Note {
    /// Signs a text that ends in a newline with each of these keys, at least one; answers the note.
    ///
    /// # Errors
    /// [`NoteError::Malformed`]: mend the text, or sign with fewer keys.
    pub fn sign(text: &str, keys: &[&NoteKey]) -> Result<String, NoteError> {
        let note = write(text, keys);
        Self::parse(&note).map(|_| note)
    }

    /// Reads a note strictly; it is not verified yet.
    ///
    /// # Errors
    /// [`NoteError::Malformed`].
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        let malformed = |what| NoteError::Malformed { what };
        if note.len() > NOTE_MAX_BYTES {
            return Err(malformed("it is too large"));
        }
        if note.chars().any(|letter| letter < ' ' && letter != '\n') {
            return Err(malformed("it has control characters"));
        }
        let (text, lines) = note
            .rsplit_once("\n\n")
            .ok_or(malformed("it has no blank line before signatures"))?;
        let lines = lines
            .strip_suffix('\n')
            .ok_or(malformed("its last line does not end"))?;
        if lines.split('\n').count() > SIGNATURES_MAX {
            return Err(malformed("it has too many signatures"));
        }
        let signatures = lines.split('\n').map(signature).collect::<Option<_>>();
        Ok(Self {
            text: format!("{text}\n"),
            signatures: signatures.ok_or(malformed("a signature line is none"))?,
        })
    }

    /// The keys that signed this note, out of those that are known.
    ///
    /// # Errors
    /// [`NoteError::WrongSignature`] if the signature of a known key is wrong, [`NoteError::NotSigned`] if none signed.
    pub fn verify<'a>(&self, known: &[&'a VerifierKey]) -> Result<Vec<&'a VerifierKey>, NoteError> {
        let mut signers = Vec::new();
        for line in &self.signatures {
            let by = |key: &&&VerifierKey| key.name() == line.name && key.id() == line.key_id;
            let Some(key) = known.iter().find(by) else { continue };
            if !key.verifies(self.text.as_bytes(), &line.signature) {
                return Err(NoteError::WrongSignature {
                    name: line.name.clone(),
                });
            }
            signers.push(*key);
        }
        if signers.is_empty() {
            Err(NoteError::NotSigned)
        } else {
            Ok(signers)
        }
    }
}

fn signature(line: &str) -> Option<NoteSignature> {
    let (name, signature) = line.strip_prefix(DASH)?.split_once(' ')?;
    let named = !name.is_empty() && !name.contains(|letter: char| letter.is_whitespace() || letter == '+');
    let bytes = base64(signature)?;
    let (key_id, signature) = bytes.split_first_chunk::<4>()?;
    (named && !signature.is_empty()).then(|| NoteSignature {
        name: name.to_owned(),
        key_id: *key_id,
        signature: signature.to_vec(),
    })
}

/// Signs a text that is known to be fit for a note.
pub(crate) fn write(text: &str, keys: &[&NoteKey]) -> String {
    let mut note = format!("{text}\n");
    for key in keys {
        let signature = [&key.verifier().id()[..], &key.sign(text.as_bytes())].concat();
        note.push_str(&format!("{DASH}{} {}\n", key.name(), base64_text(&signature)));
    }
    note
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sample;

    /// The example in the documentation of golang.org/x/mod/sumdb/note.
    const OTHERS: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\n\
        \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    const OTHERS_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

    #[test]
    fn a_note_of_another_program_verifies() {
        let key = VerifierKey::parse(OTHERS_KEY).unwrap();
        let note = Note::parse(OTHERS).unwrap();
        assert_eq!(note.verify(&[&key]), Ok(vec![&key]));
        assert_eq!(note.verify(&[sample::log_key().verifier()]), Err(NoteError::NotSigned));
        assert!(note.text.ends_with("problem is.\n"));
    }

    #[test]
    fn a_note_is_signed_by_several_keys() {
        let (node, log) = (sample::node_key(), sample::log_key());
        let text = "one\n\ntwo\n";
        let note = Note::parse(&Note::sign(text, &[&node, &log]).unwrap()).unwrap();
        assert_eq!((note.text.as_str(), note.signatures.len()), (text, 2));
        assert_eq!(note.verify(&[log.verifier()]), Ok(vec![log.verifier()]));
        assert_eq!(
            note.verify(&[log.verifier(), node.verifier()]),
            Ok(vec![node.verifier(), log.verifier()])
        );
        assert_eq!(note.verify(&[]), Err(NoteError::NotSigned));
    }

    #[test]
    fn one_wrong_signature_of_a_known_key_spoils_the_note() {
        let (node, log) = (sample::node_key(), sample::log_key());
        let mut note = Note::parse(&Note::sign("text\n", &[&node, &log]).unwrap()).unwrap();
        note.signatures[1].signature[0] ^= 1;
        let wrong = NoteError::WrongSignature {
            name: log.name().to_owned(),
        };
        assert_eq!(note.verify(&[node.verifier(), log.verifier()]), Err(wrong));
        // Whoever does not know that key cannot tell.
        assert_eq!(note.verify(&[node.verifier()]), Ok(vec![node.verifier()]));
        // The same name under another id is another key.
        note.signatures[0].key_id[0] ^= 1;
        assert_eq!(note.verify(&[node.verifier()]), Err(NoteError::NotSigned));
    }

    #[test]
    fn every_flipped_bit_of_a_note_is_found() {
        let key = sample::log_key();
        let note = Note::sign("lgsp/test/0\n7\n", &[&key]).unwrap();
        for bit in 0..note.len() * 8 {
            let mut flipped = note.clone().into_bytes();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let Ok(flipped) = String::from_utf8(flipped) else {
                continue;
            };
            let verified = Note::parse(&flipped).and_then(|note| note.verify(&[key.verifier()]).map(|_| ()));
            assert!(verified.is_err(), "bit {bit}: {flipped}");
        }
    }

    #[test]
    fn what_is_no_note_is_refused() {
        let good = Note::sign("text\n", &[&sample::log_key()]).unwrap();
        let line = good.lines().last().unwrap();
        for (note, why) in [
            (String::new(), "it has no blank line before signatures"),
            ("text\n".into(), "it has no blank line before signatures"),
            (good.replace('\n', "\r\n"), "it has control characters"),
            (good.replace("text", "te\u{1}xt"), "it has control characters"),
            (good.trim_end().into(), "its last line does not end"),
            (good.replace('\u{2014}', "-"), "a signature line is none"),
            (good.replace(" lgsp/test ", "  "), "a signature line is none"),
            (good.replace("lgsp/test", "lgsp+test"), "a signature line is none"),
            (good.replace("lgsp/test", "lgsp\u{a0}test"), "a signature line is none"),
            (format!("{good}\n"), "its last line does not end"),
            ("text\n\n\u{2014} name AAAAAA==\n".into(), "a signature line is none"),
            ("text\n\n\n".into(), "its last line does not end"),
            (
                format!("text\n\n{}", format!("{line}\n").repeat(65)),
                "it has too many signatures",
            ),
            ("x".repeat(NOTE_MAX_BYTES + 1), "it is too large"),
        ] {
            assert_eq!(
                Note::parse(&note),
                Err(NoteError::Malformed { what: why }),
                "{note:.200}"
            );
        }
        assert!(Note::parse(&format!("text\n\n{}", format!("{line}\n").repeat(64))).is_ok());
        assert!(Note::sign("te\tt\n", &[&sample::log_key()]).is_err() && Note::sign("text\n", &[]).is_err());
        assert!(Note::sign("no end", &[&sample::log_key()]).is_err());
    }

    proptest! {
        #[test]
        fn any_text_reads_back_as_signed(text in "[^\\x00-\\x1f]{0,20}(\n[^\\x00-\\x1f]{0,20}){0,4}") {
            let (text, key) = (format!("{text}\n"), sample::log_key());
            let note = Note::parse(&Note::sign(&text, &[&key]).unwrap()).unwrap();
            prop_assert_eq!(&note.text, &text);
            prop_assert!(note.verify(&[key.verifier()]).is_ok());
        }

        #[test]
        fn no_text_panics(text in "(.|\n|\u{2014} ){0,60}") {
            drop(Note::parse(&text));
        }
    }
}

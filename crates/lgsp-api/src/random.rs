//! The machine's randomness, for what nobody may guess.

use std::io;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};

/// # Errors
/// The machine has no randomness: make nothing.
pub(crate) fn random() -> Result<[u8; 32], io::Error> {
    let mut bytes = [0; 32];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| io::Error::other("no randomness"))?;
    Ok(bytes)
}

//! The packet to be sent: bytes at hand, or a file that is never held in memory.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use aws_lc_rs::digest;

use super::sign;

/// Where the packet of a sendEdoc comes from. A file is read twice: once for its hash, once to send it.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    Bytes(&'a [u8]),
    File(&'a Path),
}

impl Source<'_> {
    pub(super) fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(match self {
            Self::Bytes(bytes) => Box::new(*bytes),
            Self::File(path) => Box::new(File::open(path)?),
        })
    }

    /// The vendor's `hash-file` and the size in bytes, both without the CR LF that follows on the wire.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn hash_file(&self) -> io::Result<(String, u64)> {
        let mut packet = self.open()?;
        let mut context = digest::Context::new(&digest::SHA256);
        let mut buffer = vec![0; 64 * 1024];
        let mut size_bytes = 0;
        loop {
            let read = packet.read(&mut buffer)?;
            if read == 0 {
                return Ok((sign::hash_file(&context.finish()), size_bytes));
            }
            context.update(buffer.get(..read).unwrap_or_default());
            size_bytes += read as u64;
        }
    }
}

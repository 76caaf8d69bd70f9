//! A packet on its way in: hashed, read and stored at the same time, in bounded memory, without the CR LF behind it.

use aws_lc_rs::digest;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use lgsp_types::{Digest, Refusal, Upload, UploadError};
use tokio::time::{Duration, timeout};
use tracing::{error, warn};

use super::call::body_ended;
use super::reason::{BODY_TOO_LARGE, Failure, UNAVAILABLE};
use crate::edxml_vxp::packet::{self, PacketReader};

/// What is hashed, read and written at a time, in bytes.
const PIECE_BYTES: usize = 64 * 1024;
/// What the SDK sends behind every file.
const LINE_END: &[u8; 2] = b"\r\n";

/// A packet that came in whole; whether it is the one that was signed, and in order, is asked next.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) digest: Digest,
    pub(super) reader: PacketReader,
    /// Open while nothing was found wrong.
    pub(super) stored: Result<Box<dyn Upload>, Refusal>,
}

/// What holds for one packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) packet_max_bytes: u64,
    /// Longest wait for the store to take one piece.
    pub(super) store_timeout: Duration,
}

impl Bounds {
    pub(super) fn too_large(self) -> Failure {
        let what = format!("the packet is larger than {} bytes", self.packet_max_bytes);
        Failure::refused(Refusal::new(BODY_TOO_LARGE, "/", what, "send a smaller packet"))
    }

    /// Whether a body of this size cannot be a packet and the CR LF behind it.
    pub(super) fn is_over(self, body_bytes: u64) -> bool {
        body_bytes > self.packet_max_bytes.saturating_add(LINE_END.len() as u64)
    }
}

/// Takes a body to its end.
///
/// What the reader refuses is not stored any further, but hashed to the end: bytes that were damaged on their way are
/// told so, and nothing else. Cancel safe: what was stored is gone with the upload.
///
/// # Errors
/// The failure; the rest of the body is left where it is.
pub(super) async fn receive(body: &mut Incoming, upload: Box<dyn Upload>, bounds: Bounds) -> Result<Received, Failure> {
    let mut intake = Intake {
        digest: digest::Context::new(&digest::SHA256),
        reader: PacketReader::new(packet::Limits {
            packet_bytes_max: bounds.packet_max_bytes,
        }),
        stored: Ok(upload),
        size_bytes: 0,
        bounds,
    };
    let mut tail = Tail::default();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| body_ended(&error))?;
        if let Ok(chunk) = frame.into_data()
            && let Some(piece) = tail.push(&chunk)
        {
            intake.take(piece).await?;
        }
    }
    intake.take(tail.end()).await?;
    Ok(intake.received())
}

struct Intake {
    digest: digest::Context,
    reader: PacketReader,
    stored: Result<Box<dyn Upload>, Refusal>,
    size_bytes: u64,
    bounds: Bounds,
}

impl Intake {
    async fn take(&mut self, piece: Bytes) -> Result<(), Failure> {
        self.size_bytes = self.size_bytes.saturating_add(piece.len() as u64);
        if self.size_bytes > self.bounds.packet_max_bytes {
            return Err(self.bounds.too_large());
        }
        self.digest.update(&piece);
        let Ok(upload) = &mut self.stored else {
            return Ok(());
        };
        if let Err(refusal) = self.reader.feed(&piece) {
            self.stored = Err(refusal);
            return Ok(());
        }
        match timeout(self.bounds.store_timeout, upload.write(piece)).await {
            Ok(written) => written.map_err(|error| not_stored(&error, self.bounds)),
            Err(_) => Err(Failure::unavailable()),
        }
    }

    fn received(self) -> Received {
        let digest: [u8; 32] = self.digest.finish().as_ref().try_into().unwrap_or_default();
        Received {
            digest: Digest::from_bytes(digest),
            reader: self.reader,
            stored: self.stored,
        }
    }
}

/// What a caller is told when the store does not take a packet.
pub(super) fn not_stored(error: &UploadError, bounds: Bounds) -> Failure {
    match error {
        UploadError::TooLarge { limit_bytes } => Bounds {
            packet_max_bytes: *limit_bytes,
            ..bounds
        }
        .too_large(),
        UploadError::Full => {
            error!("the store is full: a packet is turned away");
            Failure::again(UNAVAILABLE, "there is no room for the packet now")
        }
        UploadError::Unavailable(unavailable) => {
            warn!(
                error = unavailable as &dyn std::error::Error,
                "a packet could not be stored"
            );
            Failure::unavailable()
        }
    }
}

/// Holds back the end of a body until it is known whether it is the line end behind the file.
#[derive(Debug, Default)]
struct Tail {
    held: BytesMut,
}

impl Tail {
    /// All but the last two bytes, once there are enough to be worth the way.
    fn push(&mut self, chunk: &[u8]) -> Option<Bytes> {
        self.held.extend_from_slice(chunk);
        let ready = self
            .held
            .len()
            .checked_sub(LINE_END.len())
            .filter(|ready| *ready >= PIECE_BYTES)?;
        Some(self.held.split_to(ready).freeze())
    }

    /// What is left, without exactly one line end.
    fn end(mut self) -> Bytes {
        if self.held.ends_with(LINE_END) {
            self.held.truncate(self.held.len() - LINE_END.len());
        }
        self.held.freeze()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn through(chunks: &[&[u8]]) -> (Vec<u8>, usize) {
        let mut tail = Tail::default();
        let mut file = Vec::new();
        let mut largest = 0;
        for piece in chunks.iter().filter_map(|chunk| tail.push(chunk)) {
            largest = largest.max(piece.len());
            file.extend_from_slice(&piece);
        }
        file.extend_from_slice(&tail.end());
        (file, largest)
    }

    #[test]
    fn exactly_one_line_end_is_cut_off() {
        for (body, file) in [
            ("\r\n", ""),
            ("x\r\n", "x"),
            ("x\r\n\r\n", "x\r\n"),
            ("x\n\r\n", "x\n"),
            ("x\r\r\n", "x\r"),
            ("", ""),
            ("\n", "\n"),
            ("x\n", "x\n"),
            ("\n\r", "\n\r"),
        ] {
            assert_eq!(through(&[body.as_bytes()]).0, file.as_bytes(), "{body:?}");
        }
    }

    #[test]
    fn a_long_body_is_passed_on_in_bounded_pieces() {
        let chunk = vec![b'x'; 10_000];
        let (file, largest) = through(&vec![chunk.as_slice(); 100]);
        assert_eq!(file.len(), 1_000_000);
        assert!(largest < PIECE_BYTES + 10_000, "{largest}");
    }

    proptest! {
        #[test]
        fn however_a_body_is_split_the_file_is_the_same(
            file in prop::collection::vec(prop::sample::select(b"x\r\n".to_vec()), 0..20),
            cuts in prop::collection::vec(0usize..22, 0..5),
        ) {
            let body = [file.as_slice(), LINE_END].concat();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
            cuts.sort_unstable();
            cuts.insert(0, 0);
            cuts.push(body.len());
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|cut| &body[cut[0]..cut[1]]).collect();
            prop_assert_eq!(through(&chunks).0, file);
        }
    }
}

//! Files on their way in, and the handles under which finished ones wait for their message.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lgsp_proto::exchange::v1;
use lgsp_proto::exchange::v1::upload_attachment_request::Part;
use lgsp_proto::{read_upload_start, write_attachment};
use lgsp_types::{Caller, Digest, ReasonCode, Staged, SystemId, Unavailable};
use tokio::time::timeout;
use tonic::{Status, Streaming};

use super::ExchangeService;
use crate::identity::who::Who;
use crate::random::random;
use crate::service::{limited, wrong};
use crate::status::{ToStatus as _, come_again_for, refused, too_late};

/// Finished uploads that may wait for their message, of one system and in all.
const WAITING_MAX_OF_ONE: usize = 400;
const WAITING_MAX: usize = 10_000;
/// What waits longer is forgotten; the node sweeps its bytes in the same time by default.
const WAITING_LONGEST: Duration = Duration::from_secs(24 * 3600);
/// When to come again where too many wait: messages that name them take a while.
const RETRY_UPLOADS: Duration = Duration::from_secs(60);
/// Most bytes of one chunk.
const CHUNK_MAX_BYTES: usize = 1024 * 1024;

const CHUNK_TOO_LARGE: ReasonCode = ReasonCode::new("CHUNK_TOO_LARGE");
const FIELD_INVALID: ReasonCode = ReasonCode::new("FIELD_INVALID");
const FIELD_MISSING: ReasonCode = ReasonCode::new("FIELD_MISSING");
const HASH_MISMATCH: ReasonCode = ReasonCode::new("HASH_MISMATCH");
const UPLOADS_WAITING: ReasonCode = ReasonCode::new("UPLOADS_WAITING");

/// Finished uploads by handle. Cheap to clone; lost at a restart, and the sender uploads again.
#[derive(Clone, Default)]
pub(super) struct Uploads(Arc<Mutex<HashMap<String, Waiting>>>);

struct Waiting {
    system: SystemId,
    staged: Staged,
    since: Instant,
}

impl Uploads {
    /// Whether one more of this system may wait.
    fn room(&self, system: &SystemId, now: Instant) -> bool {
        let mut waiting = self.lock();
        if waiting.len() >= WAITING_MAX {
            waiting.retain(|_, upload| now.saturating_duration_since(upload.since) < WAITING_LONGEST);
        }
        let own = waiting.values().filter(|upload| upload.system == *system).count();
        own < WAITING_MAX_OF_ONE && waiting.len() < WAITING_MAX
    }

    fn put(&self, handle: String, system: &SystemId, staged: Staged, since: Instant) {
        let system = system.clone();
        self.lock().insert(handle, Waiting { system, staged, since });
    }

    /// Takes all of these, or none: then the places of those that are not there. Another's is not told from none.
    pub(super) fn take(&self, system: &SystemId, handles: &[String]) -> Result<Vec<Staged>, Vec<usize>> {
        let mut waiting = self.lock();
        let unknown = |handle: &String| waiting.get(handle).is_none_or(|upload| upload.system != *system);
        let twice = |index: usize, handle: &String| handles.iter().take(index).any(|before| before == handle);
        let missing: Vec<usize> = handles
            .iter()
            .enumerate()
            .filter(|(index, handle)| unknown(handle) || twice(*index, handle))
            .map(|(index, _)| index)
            .collect();
        if !missing.is_empty() {
            return Err(missing);
        }
        let taken = handles.iter().filter_map(|handle| waiting.remove(handle));
        Ok(taken.map(|upload| upload.staged).collect())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ExchangeService {
    /// Takes one file in.
    pub(super) async fn take_in(
        &self,
        who: &Who,
        caller: &Caller,
        mut requests: Streaming<v1::UploadAttachmentRequest>,
    ) -> Result<v1::UploadAttachmentResponse, Status> {
        if !self.uploads.room(&caller.system, Instant::now()) {
            let what = "too many finished uploads wait for their message";
            return Err(come_again_for(UPLOADS_WAITING, what, RETRY_UPLOADS));
        }
        let start = match self.next(&mut requests).await?.and_then(|request| request.part) {
            Some(Part::Start(start)) => start,
            Some(Part::Chunk(_)) | None => {
                return Err(wrong(
                    FIELD_MISSING,
                    "start",
                    "the first request has none",
                    "begin with `start`",
                ));
            }
        };
        let start = read_upload_start(start).map_err(|wrong| refused(&wrong))?;
        let upload = self.common.exchange.upload(caller).await;
        let mut upload = upload.map_err(|error| error.status())?;
        while let Some(request) = self.next(&mut requests).await? {
            let chunk = match request.part {
                Some(Part::Chunk(chunk)) => chunk,
                Some(Part::Start(_)) => {
                    return Err(wrong(
                        FIELD_INVALID,
                        "start",
                        "came a second time",
                        "send one `start`, then chunks",
                    ));
                }
                None => return Err(wrong(FIELD_MISSING, "chunk", "is absent", "send bytes")),
            };
            if chunk.len() > CHUNK_MAX_BYTES {
                let what = "has more than 1048576 bytes";
                return Err(wrong(CHUNK_TOO_LARGE, "chunk", what, "send smaller ones"));
            }
            let room = self.common.room(who, chunk.len() as u64).await;
            let _room = room.map_err(|error| limited(&error))?;
            upload.write(chunk).await.map_err(|error| error.status())?;
        }
        let staged = upload.finish(&start.name, &start.media_type, start.role).await;
        let staged = staged.map_err(|error| error.status())?;
        if start.digest.is_some_and(|digest| digest != staged.attachment.digest) {
            let what = format!("what came has the SHA-256 {}", staged.attachment.digest);
            return Err(wrong(HASH_MISMATCH, "start.sha256", what, "upload the file again"));
        }
        let handle = random().map_err(|error| Unavailable::new(error).status())?;
        let handle = Digest::from_bytes(handle).to_string();
        let attachment = Some(write_attachment(&staged.attachment));
        self.uploads.put(handle.clone(), &caller.system, staged, Instant::now());
        let upload = Some(v1::Upload { handle });
        Ok(v1::UploadAttachmentResponse { upload, attachment })
    }

    async fn next(
        &self,
        requests: &mut Streaming<v1::UploadAttachmentRequest>,
    ) -> Result<Option<v1::UploadAttachmentRequest>, Status> {
        let patience = self.common.patience;
        timeout(patience, requests.message())
            .await
            .map_err(|_| too_late(patience))?
    }
}

impl fmt::Debug for Uploads {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Uploads")
            .field("waiting", &self.lock().len())
            .finish()
    }
}

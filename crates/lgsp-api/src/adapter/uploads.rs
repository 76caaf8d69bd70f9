//! Uploads of one stream: on their way in, and finished ones that wait for their message.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use lgsp_proto::adapter::v1::{Credit, attach_response, exchange_answer};
use lgsp_proto::exchange::v1 as exchange;
use lgsp_proto::{read_upload_start, write_attachment, write_unavailable, write_upload_failure};
use lgsp_types::{Caller, ReasonCode, Staged, SystemId, Upload, UploadError};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::CONTENT_PATIENCE;
use super::calls::Refused;
use super::content::{Outlet, Piece, WINDOW_BYTES};
use super::session::{Session, frame};
use exchange::upload_attachment_request::Start;
use exchange_answer::Answer;

/// Finished uploads that wait for their message; beyond, the oldest is forgotten. Source: adapter.proto.
const UNPUBLISHED_MAX: usize = 1024;

const HASH_MISMATCH: ReasonCode = ReasonCode::new("HASH_MISMATCH");

/// Finished uploads by the number of their call, which is their handle in this stream.
#[derive(Debug, Default)]
pub(super) struct Uploads(Mutex<BTreeMap<u64, (SystemId, Staged)>>);

impl Uploads {
    fn put(&self, call: u64, system: &SystemId, staged: Staged) {
        let mut uploads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if uploads.len() >= UNPUBLISHED_MAX {
            // Its bytes are swept with all that was never published.
            uploads.pop_first();
        }
        uploads.insert(call, (system.clone(), staged));
    }

    /// Takes all of these, in their order, or none.
    ///
    /// # Errors
    /// The places of those that are not there, or are another system's, or were named before.
    pub(super) fn take(&self, system: &SystemId, handles: &[String]) -> Result<Vec<Staged>, Vec<usize>> {
        let mut uploads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let calls: Vec<Option<u64>> = handles.iter().map(|handle| handle.parse().ok()).collect();
        let is_there = |at: usize, call: &Option<u64>| {
            let own = call
                .and_then(|call| uploads.get(&call))
                .is_some_and(|(owner, _)| owner == system);
            own && !calls.iter().take(at).any(|before| before == call)
        };
        let missing = calls.iter().enumerate().filter(|(at, call)| !is_there(*at, call));
        let missing: Vec<usize> = missing.map(|(at, _)| at).collect();
        if !missing.is_empty() {
            return Err(missing);
        }
        let taken = calls.iter().flatten().filter_map(|call| uploads.remove(call));
        Ok(taken.map(|(_, staged)| staged).collect())
    }
}

impl Session {
    /// Takes one object in. What stops in the middle is thrown away with the upload.
    pub(super) async fn take_in(
        &self,
        caller: &Caller,
        call: u64,
        mut content: Outlet<Start>,
        cancelled: &CancellationToken,
    ) -> Result<Answer, Refused> {
        // Credit is a promise to hold so much.
        let room = tokio::select! {
            () = cancelled.cancelled() => None,
            room = timeout(CONTENT_PATIENCE, self.gateway().room(&self.adapter, WINDOW_BYTES as u64)) => room.ok().flatten(),
        };
        let Some(_room) = room else {
            return Ok(Answer::Failure(write_unavailable()));
        };
        let mut upload = match self.exchange().upload(caller).await {
            Ok(upload) => upload,
            Err(error) => return Ok(failed(&error)),
        };
        let mut credit = Some(content.open());
        let start = loop {
            if let Some(bytes) = credit {
                let credit = attach_response::Frame::Credit(Credit { call_id: call, bytes });
                if self.line.send(frame(credit)).await.is_err() {
                    return Ok(Answer::Failure(write_unavailable()));
                }
            }
            let piece = tokio::select! {
                () = cancelled.cancelled() => return Ok(Answer::Failure(write_unavailable())),
                piece = timeout(CONTENT_PATIENCE, content.next()) => piece,
            };
            match piece {
                Ok(Some(Piece::Chunk(chunk))) => {
                    if let Err(error) = upload.write(chunk).await {
                        return Ok(failed(&error));
                    }
                }
                Ok(Some(Piece::End(start))) => break start,
                // It broke off, or nothing came for too long.
                Ok(None) | Err(_) => return Ok(Answer::Failure(write_unavailable())),
            }
            credit = content.grant();
        };
        self.finish(caller, call, upload, start).await
    }

    async fn finish(
        &self,
        caller: &Caller,
        call: u64,
        upload: Box<dyn Upload>,
        start: Start,
    ) -> Result<Answer, Refused> {
        let start = read_upload_start(start)?;
        let staged = match upload.finish(&start.name, &start.media_type, start.role).await {
            Ok(staged) => staged,
            Err(error) => return Ok(failed(&error)),
        };
        if start.digest.is_some_and(|digest| digest != staged.attachment.digest) {
            let what = "is not the digest of what came";
            return Err(Refused::one(
                HASH_MISMATCH,
                "object.sha256",
                what,
                "send the file again",
            ));
        }
        let attachment = write_attachment(&staged.attachment);
        self.uploads.put(call, &caller.system, staged);
        Ok(Answer::Uploaded(exchange_answer::Uploaded {
            upload: Some(exchange::Upload {
                handle: call.to_string(),
            }),
            attachment: Some(attachment),
        }))
    }
}

fn failed(error: &UploadError) -> Answer {
    Answer::Failure(write_upload_failure(error))
}

#[cfg(test)]
mod tests {
    use lgsp_types::{Attachment, Digest, Role};

    use super::*;

    fn staged(name: &str) -> Staged {
        Staged {
            staging: name.to_owned(),
            attachment: Attachment {
                role: Role::Attachment,
                name: name.to_owned(),
                media_type: String::from("a/b"),
                size_bytes: 0,
                digest: Digest::from_bytes([0; 32]),
            },
        }
    }

    fn handles(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn an_upload_is_used_once_by_its_system_and_all_or_none_are_taken() {
        let (a, b) = (SystemId::parse("a").unwrap(), SystemId::parse("b").unwrap());
        let uploads = Uploads::default();
        for call in [3, 4] {
            uploads.put(call, &a, staged(&call.to_string()));
        }
        uploads.put(5, &b, staged("5"));
        assert_eq!(uploads.take(&a, &handles(&["3", "5", "x", "3"])), Err(vec![1, 2, 3]));
        let taken = uploads.take(&a, &handles(&["4", "3"])).unwrap();
        assert_eq!(
            [&*taken[0].staging, &taken[1].staging],
            ["4", "3"],
            "in the message's order"
        );
        assert_eq!(uploads.take(&a, &handles(&["3"])), Err(vec![0]));
    }

    #[test]
    fn the_oldest_is_forgotten_when_there_are_too_many() {
        let a = SystemId::parse("a").unwrap();
        let uploads = Uploads::default();
        for call in 1..=UNPUBLISHED_MAX as u64 + 1 {
            uploads.put(call, &a, staged("x"));
        }
        assert_eq!(uploads.take(&a, &handles(&["1"])), Err(vec![0]));
        assert!(uploads.take(&a, &handles(&["2"])).is_ok());
    }
}

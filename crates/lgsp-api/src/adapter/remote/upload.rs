//! One object on its way to the node, as far as there is credit.

use std::sync::Arc;

use bytes::Bytes;
use lgsp_proto::adapter::v1::exchange_answer::Answer;
use lgsp_proto::adapter::v1::exchange_call::{self, Call};
use lgsp_proto::adapter::v1::{AttachRequest, Chunk, ExchangeAnswer, UploadEnd, attach_request};
use lgsp_proto::exchange::v1 as exchange;
use lgsp_proto::{read_upload_failure, read_uploaded};
use lgsp_types::{Caller, Role, Staged, Upload, UploadError};
use tokio::time::{Duration, timeout};
use tonic::async_trait;

use super::link::{self, Link};
use super::{Moving, Remote, Sent, Unanswered, unavailable};
use crate::adapter::asked::Ticket;
use crate::adapter::content::{Allowance, CHUNK_MAX_BYTES};
use exchange::attachment::Role as WireRole;

/// Dropped before its end, it is cancelled.
#[derive(Debug)]
pub(super) struct RemoteUpload {
    link: Arc<Link>,
    ticket: Ticket<ExchangeAnswer, AttachRequest>,
    allowance: Arc<Allowance>,
    answer_timeout: Duration,
}

/// A staging name says of which stream it is; none: of another.
pub(super) fn handle_of(staging: &str, stream: Option<u64>) -> Option<String> {
    let (number, handle) = staging.split_once('.')?;
    (number.parse().ok() == stream && stream.is_some()).then(|| handle.to_owned())
}

impl RemoteUpload {
    /// Answers when the node is ready to take it.
    pub(super) async fn begin(remote: &Remote, caller: &Caller) -> Result<Self, UploadError> {
        let sent = remote.send(
            &caller.system,
            Some(caller.trace),
            Call::Upload(exchange_call::Upload {}),
        );
        let sent = sent.await;
        let Sent { link, ticket, moving } = sent.map_err(unavailable)?;
        let Moving::Out(allowance) = moving else {
            return Err(unavailable(Unanswered::NotSent).into());
        };
        let mut upload = Self {
            link,
            ticket,
            allowance,
            answer_timeout: remote.0.settings.answer_timeout,
        };
        let allowance = Arc::clone(&upload.allowance);
        upload
            .until_answered(async { allowance.opened().await.is_ok() })
            .await?;
        Ok(upload)
    }

    /// Waits for our side of it, unless the node has said that it takes no more.
    async fn until_answered(&mut self, ours: impl Future<Output = bool>) -> Result<(), UploadError> {
        let done = tokio::select! {
            answer = self.ticket.answer() => return Err(match answer.ok().and_then(|answer| answer.answer) {
                Some(Answer::Failure(failure)) => read_upload_failure(failure),
                _ => unavailable(Unanswered::Lost).into(),
            }),
            done = timeout(self.answer_timeout, ours) => done,
        };
        match done {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(unavailable(Unanswered::Lost).into()),
        }
    }
}

#[async_trait]
impl Upload for RemoteUpload {
    async fn write(&mut self, mut chunk: Bytes) -> Result<(), UploadError> {
        while !chunk.is_empty() {
            let data = chunk.split_to(chunk.len().min(CHUNK_MAX_BYTES));
            let (allowance, line) = (Arc::clone(&self.allowance), self.link.line.clone());
            let call_id = self.ticket.id;
            let sending = async move {
                allowance.spend(&data).await.is_ok()
                    && line
                        .send(link::frame(attach_request::Frame::Chunk(Chunk { call_id, data })))
                        .await
                        .is_ok()
            };
            self.until_answered(sending).await?;
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>, name: &str, media_type: &str, role: Role) -> Result<Staged, UploadError> {
        let role = match role {
            Role::Original => WireRole::Original,
            Role::Attachment => WireRole::Attachment,
        };
        let end = UploadEnd {
            call_id: self.ticket.id,
            object: Some(exchange::upload_attachment_request::Start {
                name: name.to_owned(),
                media_type: media_type.to_owned(),
                sha256: Bytes::new(),
                role: role.into(),
            }),
        };
        let end = link::frame(attach_request::Frame::UploadEnd(end));
        // Broken: the answer says so.
        self.link.line.send(end).await.ok();
        let answer = timeout(self.answer_timeout, self.ticket.answer()).await;
        let lost = || UploadError::from(unavailable(Unanswered::Lost));
        match answer.map_err(|_| lost())?.map_err(|_| lost())?.answer {
            Some(Answer::Uploaded(uploaded)) => {
                let mut staged = read_uploaded(uploaded).map_err(unavailable)?;
                staged.staging = format!("{}.{}", self.link.number, staged.staging);
                Ok(staged)
            }
            Some(Answer::Failure(failure)) => Err(read_upload_failure(failure)),
            _ => Err(lost()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_belongs_to_its_stream() {
        assert_eq!(handle_of("3.17", Some(3)).unwrap(), "17");
        for (staging, stream) in [("3.17", Some(4)), ("3.17", None), ("17", Some(17)), ("", Some(0))] {
            assert_eq!(handle_of(staging, stream), None, "{staging} {stream:?}");
        }
    }
}

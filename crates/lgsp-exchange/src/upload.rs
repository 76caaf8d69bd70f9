//! One object on its way in, over the object store's staging.

use async_trait::async_trait;
use bytes::Bytes;
use lgsp_store::{Staging, failpoint};
use lgsp_types::{Attachment, Role, Staged, Upload, UploadError};

/// An upload that an adapter writes to.
#[derive(Debug)]
pub(crate) struct Incoming {
    staging: Staging,
}

impl Incoming {
    pub(crate) const fn new(staging: Staging) -> Self {
        Self { staging }
    }
}

#[async_trait]
impl Upload for Incoming {
    async fn write(&mut self, chunk: Bytes) -> Result<(), UploadError> {
        self.staging.write(chunk).await?;
        failpoint::hit("inside-object");
        Ok(())
    }

    async fn finish(self: Box<Self>, name: &str, media_type: &str, role: Role) -> Result<Staged, UploadError> {
        let finished = self.staging.finish().await?;
        Ok(Staged {
            staging: finished.name,
            attachment: Attachment {
                role,
                name: name.to_owned(),
                media_type: media_type.to_owned(),
                size_bytes: finished.size_bytes,
                digest: finished.digest,
            },
        })
    }
}

//! A webhook that may call the receivers of a test, and a delivery with files.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use lgsp_types::{
    AgencyCode, Attachment, ConnectorId, ContentError, ContentStream, ContractRef, DeliveryId, Digest, Fetched, MsgId,
    ObjectReader, Push, Pushed, Role, Traceparent, UnixMs, Url,
};
use tempfile::TempDir;

use crate::webhook::{Endpoint, Settings, Webhook};

pub(super) const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
pub(super) const NEXT_SECRET: &str = "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=";
/// 25 November 2026 in Vietnam.
pub(super) const NOW: UnixMs = UnixMs(1_795_600_000_000);

/// Objects in pieces of odd sizes.
#[derive(Debug, Default)]
struct InMemory(HashMap<Digest, Vec<u8>>);

#[async_trait]
impl ObjectReader for InMemory {
    async fn read(&self, object: &Attachment) -> Result<ContentStream, ContentError> {
        let digest = object.digest;
        let Some(bytes) = self.0.get(&digest) else {
            return Err(ContentError::Damaged { digest });
        };
        let chunks: Vec<_> = bytes
            .chunks(65_537)
            .map(|chunk| Ok(Bytes::copy_from_slice(chunk)))
            .collect();
        Ok(Box::pin(futures_util::stream::iter(chunks)))
    }
}

pub(super) struct Stage {
    pub(super) webhook: Webhook,
    pub(super) files: Vec<Attachment>,
    folder: TempDir,
}

/// What [`crate::webhook::Settings`] are made of, to be changed by a test.
pub(super) fn settings() -> Settings {
    let text = r#"
        hosts = []
        plain_hosts = ["127.0.0.1", "localhost"]
        networks = ["127.0.0.0/8", "::1/128"]
        roots = "/nowhere"
        connect_timeout_ms = 2000
        answer_timeout_ms = 2000
        files_max_bytes = 10000000
    "#;
    toml::from_str(text).unwrap()
}

impl Stage {
    /// A webhook whose only connector goes to this address.
    pub(super) fn new(url: &str, settings: Settings) -> Self {
        Self::with_files(url, settings, &[])
    }

    pub(super) fn with_files(url: &str, settings: Settings, files: &[(&str, &[u8])]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_secret(folder.path(), "current", SECRET);
        let url = Url::parse(url).unwrap();
        let endpoint = Endpoint {
            url: Some(url),
            secret_ref: Some(String::from("app")),
        };
        let known = files.iter().map(|(_, bytes)| (Digest::of(bytes), bytes.to_vec()));
        let objects = InMemory(known.collect());
        let (secrets, endpoints) = (
            folder.path().to_owned(),
            Arc::new(move |_: &ConnectorId| Some(endpoint.clone())),
        );
        let webhook = Webhook::new(settings, &secrets, endpoints, Arc::new(objects), Arc::new(|| NOW));
        let files = files.iter().enumerate().map(|(nth, (name, bytes))| Attachment {
            role: if nth == 0 { Role::Original } else { Role::Attachment },
            name: (*name).to_owned(),
            media_type: String::from("application/octet-stream"),
            size_bytes: bytes.len() as u64,
            digest: Digest::of(bytes),
        });
        Self {
            webhook,
            files: files.collect(),
            folder,
        }
    }

    pub(super) fn secret(&self, name: &str, secret: &str) {
        write_secret(self.folder.path(), name, secret);
    }

    /// One try at the only delivery.
    pub(super) async fn push(&self, attempt: u32) -> Pushed {
        self.push_payload(attempt, r#"{"subject":"Về việc \"họp\""}"#).await
    }

    pub(super) async fn push_payload(&self, attempt: u32, payload: &str) -> Pushed {
        use lgsp_types::Adapter as _;
        let push = Push {
            connector: connector(),
            delivery: DeliveryId::from_bytes([7; 16]),
            attempt,
            accepted_ms: NOW,
            from: AgencyCode::parse("H62.11").unwrap(),
            to: AgencyCode::parse("H62.93").unwrap(),
            content: Fetched {
                msg_id: MsgId::from_bytes([1; 16]),
                contract: ContractRef::parse("vn.lgsp.document/1").unwrap(),
                payload: Bytes::from(payload.to_owned()),
                objects: self.files.clone(),
                trace: Traceparent::parse(TRACEPARENT).ok(),
            },
        };
        self.webhook.deliver(push).await
    }
}

/// Of the only delivery.
pub(super) const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

pub(super) fn connector() -> ConnectorId {
    ConnectorId::parse("app-93").unwrap()
}

fn write_secret(folder: &Path, name: &str, secret: &str) {
    let path = folder.join("app").join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, format!("{secret}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// The reason of a try that came to nothing.
#[track_caller]
pub(super) fn again(pushed: Pushed) -> String {
    let Pushed::TryAgain { reason, after: None } = &pushed else {
        panic!("{pushed:?}")
    };
    reason.as_str().to_owned()
}

#[track_caller]
pub(super) fn refused(pushed: Pushed) -> String {
    let Pushed::Refused(reason) = &pushed else {
        panic!("{pushed:?}")
    };
    reason.as_str().to_owned()
}

//! A running node, asked over the socket in its folder.

use std::path::PathBuf;

use http::{Method, StatusCode};
use serde::Serialize;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use super::{Failure, NodeArguments};
use crate::home::Home;
use crate::operations::{self, AskError};

/// Asks the node of these settings.
pub(super) struct Asking {
    socket: PathBuf,
    runtime: Runtime,
}

impl Asking {
    pub(super) fn of(node: &NodeArguments) -> Result<Self, Failure> {
        let settings = node.load()?.settings;
        Ok(Self {
            socket: Home::new(&settings.node.data_dir).socket(),
            runtime: Builder::new_current_thread().enable_all().build()?,
        })
    }

    pub(super) fn ask(&self, path: &str, asked: Option<&str>) -> Result<Value, Failure> {
        let answer = operations::ask(&self.socket, path, asked);
        Ok(self.runtime.block_on(answer)?)
    }

    pub(super) fn ask_registry(&self, question: &str, asked: &impl Serialize) -> Result<Value, Failure> {
        let answer = operations::ask_registry(&self.socket, question, asked);
        Ok(self.runtime.block_on(answer)?)
    }

    /// Has it do something. Whoever has it do several things may go on after one that it refused.
    pub(super) fn call(&self, path: &str, asked: &str) -> Result<Value, AskError> {
        let answer = operations::call(&self.socket, Method::POST, path, Some(asked));
        self.runtime.block_on(answer)
    }
}

impl From<AskError> for Failure {
    /// No answer, or not the one that was asked for.
    fn from(error: AskError) -> Self {
        match &error {
            AskError::Refused { status, .. } => match *status {
                StatusCode::NOT_FOUND | StatusCode::CONFLICT => Self::no(error),
                StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Self::wrong(error),
                _ => Self::cannot(error),
            },
            AskError::NoNode { .. } | AskError::Broken(_) | AskError::Late => Self::cannot(error),
        }
    }
}

//! Adapters as processes: both ports over one stream, the node's side and the process's.
//!
//! The contract is `proto/lgsp/adapter/v1/adapter.proto`. What both sides share: [`line`] takes frames out, [`table`] knows
//! the calls that came in, [`asked`] those that went out, [`content`] moves bytes by credit, [`fault`] says which rule was
//! broken. [`gateway`] and [`session`] are the node; [`remote`] is the process.
//!
//! Two rules keep it alive: whoever reads frames never waits for anything but the next frame, and whatever waits has a
//! bound in time and in memory.

mod asked;
mod calls;
mod content;
mod fault;
pub(crate) mod gateway;
pub(crate) mod hosts;
mod line;
pub(crate) mod remote;
mod session;
mod table;
#[cfg(test)]
mod tests;
mod uploads;

use std::time::Duration;

/// Frames that wait to leave on one stream; with 64 KiB each, 4 MiB.
const FRAMES_MAX: usize = 64;
/// Longest wait for the far side to take one frame.
const NO_PROGRESS: Duration = Duration::from_secs(30);
/// Longest wait for what is in flight when a stream ends in order while the node goes on.
const LEAVE_MAX: Duration = Duration::from_secs(540);
/// Longest wait for what is in flight when the node stops.
const DRAIN_MAX: Duration = Duration::from_secs(15);
/// Longest wait for the next chunk, or for credit for it: who moves nothing holds no place for ever.
const CONTENT_PATIENCE: Duration = Duration::from_secs(120);
/// Silence of so many health intervals ends a stream.
const HEALTH_MISSED: u32 = 3;

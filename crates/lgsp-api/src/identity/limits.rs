//! What one caller may use at a time, so that none starves another: calls a second, bytes in flight, streams.
//!
//! Source: reliability.md, G12 and G13. Our own, as limits of three kinds for one caller belong under one lock, and a
//! bucket is ten lines; an account that is back at its start is forgotten, so that memory has a bound.

use std::collections::HashMap;
use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lgsp_types::ReasonCode;
use thiserror::Error;

use super::who::Who;

const LIMIT_RATE: ReasonCode = ReasonCode::new("LIMIT_RATE");
const LIMIT_BYTES: ReasonCode = ReasonCode::new("LIMIT_BYTES");
const LIMIT_STREAMS: ReasonCode = ReasonCode::new("LIMIT_STREAMS");
const NODE_BUSY: ReasonCode = ReasonCode::new("NODE_BUSY");

/// Callers with something in use at one time.
const ACCOUNTS_MAX: usize = 4096;
/// When to come again for what others hold: nobody knows when they give it back.
const RETRY_HELD: Duration = Duration::from_millis(500);
/// A call costs so much of a bucket that fills by one a microsecond and call a second.
const CALL: u64 = 1_000_000;

/// The limits.
#[derive(Clone, Copy, Debug)]
pub struct LimitSettings {
    /// Calls, and messages of a stream, per caller and second.
    pub calls_per_second: u32,
    /// Calls that may come at once after a pause.
    pub calls_burst: u32,
    /// Bytes of requests and answers in flight per caller.
    pub bytes_in_flight_max: u64,
    /// Bytes of requests and answers in flight in the whole node.
    pub node_bytes_in_flight_max: u64,
    /// Open streams per caller.
    pub streams_max: u32,
    /// Open streams in the whole node.
    pub node_streams_max: u32,
}

/// Why not now.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LimitError {
    /// RESOURCE_EXHAUSTED: come again after this time.
    #[error("{code}: too much at one time")]
    Busy { code: ReasonCode, retry_after: Duration },
    /// Larger than may ever be in flight: send less at a time.
    #[error("{code}: larger than {max_bytes} bytes")]
    Never { code: ReasonCode, max_bytes: u64 },
}

/// The accounts of all callers. Cheap to clone.
#[derive(Clone)]
pub struct Limits(Arc<Inner>);

struct Inner {
    settings: LimitSettings,
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    bytes: u64,
    streams: u32,
    accounts: HashMap<Who, Account>,
}

#[derive(Clone, Copy)]
struct Account {
    /// What is left of the bucket, in parts of [`CALL`], at this moment.
    level: u64,
    at: Instant,
    bytes: u64,
    streams: u32,
}

/// Bytes or a stream in use; given back when it is dropped.
pub struct Held {
    limits: Limits,
    who: Who,
    bytes: u64,
    streams: u32,
}

impl Limits {
    #[must_use]
    pub fn new(settings: LimitSettings) -> Self {
        let books = Mutex::default();
        Self(Arc::new(Inner { settings, books }))
    }

    /// Counts one call, or one message of a stream.
    ///
    /// # Errors
    /// [`LimitError::Busy`] with the time at which it would pass; nothing was counted.
    pub fn call(&self, who: &Who, now: Instant) -> Result<(), LimitError> {
        let settings = &self.0.settings;
        let mut books = self.books();
        let account = books.account(who, settings, now)?;
        account.fill(settings, now);
        let Some(left) = account.level.checked_sub(CALL) else {
            let wait_us = (CALL - account.level).div_ceil(u64::from(settings.calls_per_second.max(1)));
            return Err(LimitError::Busy {
                code: LIMIT_RATE,
                retry_after: Duration::from_micros(wait_us),
            });
        };
        account.level = left;
        Ok(())
    }

    /// Takes room for bytes, before they are read or made.
    ///
    /// # Errors
    /// [`LimitError`]; nothing was taken.
    pub fn bytes(&self, who: &Who, bytes: u64, now: Instant) -> Result<Held, LimitError> {
        let settings = &self.0.settings;
        let max_bytes = settings.bytes_in_flight_max.min(settings.node_bytes_in_flight_max);
        if bytes > max_bytes {
            let code = LIMIT_BYTES;
            return Err(LimitError::Never { code, max_bytes });
        }
        let mut books = self.books();
        let room = settings.node_bytes_in_flight_max - books.bytes;
        let account = books.account(who, settings, now)?;
        if bytes > settings.bytes_in_flight_max - account.bytes {
            return Err(busy(LIMIT_BYTES));
        }
        if bytes > room {
            return Err(busy(NODE_BUSY));
        }
        account.bytes += bytes;
        books.bytes += bytes;
        Ok(self.held(who, bytes, 0))
    }

    /// Takes one stream, for as long as it is open.
    ///
    /// # Errors
    /// [`LimitError::Busy`]; nothing was taken.
    pub fn stream(&self, who: &Who, now: Instant) -> Result<Held, LimitError> {
        let settings = &self.0.settings;
        let mut books = self.books();
        let full = books.streams >= settings.node_streams_max;
        let account = books.account(who, settings, now)?;
        if account.streams >= settings.streams_max {
            return Err(busy(LIMIT_STREAMS));
        }
        if full {
            return Err(busy(NODE_BUSY));
        }
        account.streams += 1;
        books.streams += 1;
        Ok(self.held(who, 0, 1))
    }

    fn held(&self, who: &Who, bytes: u64, streams: u32) -> Held {
        Held {
            limits: self.clone(),
            who: who.clone(),
            bytes,
            streams,
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn busy(code: ReasonCode) -> LimitError {
    let retry_after = RETRY_HELD;
    LimitError::Busy { code, retry_after }
}

impl Books {
    fn account(&mut self, who: &Who, settings: &LimitSettings, now: Instant) -> Result<&mut Account, LimitError> {
        if self.accounts.len() >= ACCOUNTS_MAX && !self.accounts.contains_key(who) {
            self.accounts.retain(|_, account| {
                account.fill(settings, now);
                !account.at_its_start(settings)
            });
            if self.accounts.len() >= ACCOUNTS_MAX {
                return Err(busy(NODE_BUSY));
            }
        }
        Ok(self.accounts.entry(who.clone()).or_insert(Account {
            level: full(settings),
            at: now,
            bytes: 0,
            streams: 0,
        }))
    }
}

impl Account {
    fn fill(&mut self, settings: &LimitSettings, now: Instant) {
        let since = now.saturating_duration_since(self.at);
        let since_us = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
        let more = since_us.saturating_mul(u64::from(settings.calls_per_second));
        self.level = self.level.saturating_add(more).min(full(settings));
        // Threads come with clocks read a little apart: time only goes on.
        self.at = self.at.max(now);
    }

    fn at_its_start(&self, settings: &LimitSettings) -> bool {
        self.level == full(settings) && self.bytes == 0 && self.streams == 0
    }
}

fn full(settings: &LimitSettings) -> u64 {
    u64::from(settings.calls_burst.max(1)) * CALL
}

impl Held {
    /// Both are one from now on; they are one caller's.
    pub(crate) fn join(&mut self, mut other: Self) {
        debug_assert_eq!(self.who, other.who, "what one holds is not another's");
        self.bytes += mem::take(&mut other.bytes);
        self.streams += mem::take(&mut other.streams);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut books = self.limits.books();
        books.bytes -= self.bytes;
        books.streams -= self.streams;
        if let Some(account) = books.accounts.get_mut(&self.who) {
            account.bytes -= self.bytes;
            account.streams -= self.streams;
        }
    }
}

impl fmt::Debug for Limits {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Limits").field(&self.0.settings).finish()
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Held")
            .field("bytes", &self.bytes)
            .field("streams", &self.streams)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

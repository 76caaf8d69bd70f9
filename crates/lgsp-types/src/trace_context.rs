//! Where a call stands in a trace: what travels with it and with the message, so that the spans of many systems join.
//!
//! Source: W3C Trace Context, level 2, section 3.2.

use std::fmt;

use thiserror::Error;

use crate::MsgId;
use crate::id::{hex, shown_as_hex};

/// `00-`, trace id, `-`, span id, `-`, flags.
const VERSION_0_BYTES: usize = 55;
/// Of the flags, whether the caller records its part.
const SAMPLED: u8 = 1;

/// Why a text is no trace context: whoever got it as a header begins a trace of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("is no `traceparent` as W3C Trace Context has it")]
pub struct TraceContextError;

macro_rules! trace_part {
    ($(#[$doc:meta])* $type:ident, $bytes:literal) => {
        $(#[$doc])*
        /// Never all zeros; as text lower-case hex.
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $type([u8; $bytes]);

        impl $type {
            /// None of zeros, which name nothing.
            #[must_use]
            pub fn from_bytes(bytes: [u8; $bytes]) -> Option<Self> {
                (bytes != [0; $bytes]).then_some(Self(bytes))
            }

            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }

            /// # Errors
            /// [`TraceContextError`].
            pub fn parse(text: &str) -> Result<Self, TraceContextError> {
                hex(text.bytes()).and_then(Self::from_bytes).ok_or(TraceContextError)
            }
        }

        shown_as_hex!($type);
    };
}

trace_part!(
    /// All that happened because of one thing.
    TraceId,
    16
);
trace_part!(
    /// One piece of work within a trace.
    SpanId,
    8
);

impl SpanId {
    /// The span in which a message was accepted. What is done with the message later hangs below it, at another time and
    /// perhaps on another node: its name follows from the message, and is kept nowhere.
    #[must_use]
    pub fn of_acceptance(message: MsgId) -> Option<Self> {
        let [first, ..] = message.as_bytes().as_chunks().0 else {
            return None;
        };
        Self::from_bytes(*first)
    }
}

/// The header `traceparent`: a span that something else happens because of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Traceparent {
    pub trace_id: TraceId,
    pub span_id: SpanId,
    /// The span is recorded, and so is what happens because of it.
    pub sampled: bool,
}

impl Traceparent {
    /// Reads the values of the header as they came; what is none, or more than one, counts as none (section 3.3).
    #[must_use]
    pub fn of_header<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Option<Self> {
        let mut values = values.into_iter();
        let only = values.next().filter(|_| values.next().is_none())?;
        Self::parse(std::str::from_utf8(only).ok()?).ok()
    }

    /// Reads one value. Of a version that is not known yet the first four parts are read, as it has to have them.
    ///
    /// # Errors
    /// [`TraceContextError`].
    pub fn parse(text: &str) -> Result<Self, TraceContextError> {
        let (known, rest) = text.split_at_checked(VERSION_0_BYTES).ok_or(TraceContextError)?;
        let mut parts = known.split('-');
        let mut next = || parts.next().ok_or(TraceContextError);
        let (version, trace_id, span_id, flags) = (byte(next()?)?, next()?, next()?, byte(next()?)?);
        if parts.next().is_some() {
            return Err(TraceContextError);
        }
        match version {
            0 if rest.is_empty() => {}
            1..=0xfe if rest.is_empty() || rest.starts_with('-') => {}
            _ => return Err(TraceContextError),
        }
        Ok(Self {
            trace_id: TraceId::parse(trace_id)?,
            span_id: SpanId::parse(span_id)?,
            sampled: flags & SAMPLED != 0,
        })
    }
}

fn byte(text: &str) -> Result<u8, TraceContextError> {
    hex(text.bytes()).map(|[byte]: [u8; 1]| byte).ok_or(TraceContextError)
}

impl fmt::Display for Traceparent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = u8::from(self.sampled) * SAMPLED;
        write!(out, "00-{}-{}-{flags:02x}", self.trace_id, self.span_id)
    }
}

/// In which trace a call happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TraceContext {
    /// As the caller named it.
    Named(Traceparent),
    /// The caller named none: one of its own, and nobody has said yet whether it is recorded.
    Begun(TraceId),
}

impl TraceContext {
    /// Reads what [`fmt::Display`] wrote: a `traceparent`, or a trace id alone.
    ///
    /// # Errors
    /// [`TraceContextError`].
    pub fn parse(text: &str) -> Result<Self, TraceContextError> {
        TraceId::parse(text)
            .map(Self::Begun)
            .or_else(|_| Traceparent::parse(text).map(Self::Named))
    }

    #[must_use]
    pub const fn trace_id(&self) -> TraceId {
        match self {
            Self::Named(parent) => parent.trace_id,
            Self::Begun(trace_id) => *trace_id,
        }
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(parent) => parent.fmt(out),
            Self::Begun(trace_id) => trace_id.fmt(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    #[test]
    fn a_traceparent_is_read_as_w3c_has_it_and_nothing_else_is() {
        let read = |text: &str| Traceparent::parse(text).map(|read| (read.sampled, read.to_string()));
        let whole = |flags: &str| format!("00-{TRACE}-{SPAN}-{flags}");
        // Text, whether it is sampled, as it goes on; flags that nobody knows are not passed on.
        let good = [
            (whole("01"), true, whole("01")),
            (whole("00"), false, whole("00")),
            (whole("03"), true, whole("01")),
            (whole("fe"), false, whole("00")),
            (format!("01-{TRACE}-{SPAN}-01"), true, whole("01")),
            (
                format!("cc-{TRACE}-{SPAN}-01-what.the-future-brings"),
                true,
                whole("01"),
            ),
            (format!("fe-{TRACE}-{SPAN}-00-"), false, whole("00")),
        ];
        for (text, sampled, on) in good {
            assert_eq!(read(&text), Ok((sampled, on)), "{text}");
        }
        let zeros = |digits| "0".repeat(digits);
        let bad = [
            String::new(),
            "00".to_owned(),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("FE-{TRACE}-{SPAN}-01"),
            format!("0-{TRACE}-{SPAN}-01"),
            format!("00-{}-{SPAN}-01", zeros(32)),
            format!("00-{TRACE}-{}-01", zeros(16)),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{TRACE}-{}-01", SPAN.to_uppercase()),
            format!("00-{TRACE}-{SPAN}-0"),
            format!("00-{TRACE}-{SPAN}-0x"),
            format!("00-{TRACE}-{SPAN}-01-"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("00-{TRACE}-{SPAN}-01 "),
            format!(" 00-{TRACE}-{SPAN}-01"),
            format!("cc-{TRACE}-{SPAN}-01.more"),
            format!("00_{TRACE}_{SPAN}_01"),
            format!("00-{SPAN}-{TRACE}-01"),
            format!("00-{TRACE}-{}-01", "ấ".repeat(8)),
        ];
        for text in bad {
            assert_eq!(read(&text), Err(TraceContextError), "{text}");
        }
    }

    #[test]
    fn a_header_that_is_none_or_comes_twice_counts_as_none() {
        let whole = format!("00-{TRACE}-{SPAN}-01");
        let read = |values: &[&str]| Traceparent::of_header(values.iter().map(|value| value.as_bytes()));
        assert_eq!(read(&[&whole]), Traceparent::parse(&whole).ok());
        assert_eq!(read(&[]), None);
        assert_eq!(read(&["garbage"]), None);
        assert_eq!(read(&[&whole, &whole]), None);
        assert_eq!(Traceparent::of_header([&b"\xff"[..]]), None);
    }

    #[test]
    fn a_context_is_one_of_the_caller_or_one_of_its_own() {
        let own = TraceContext::parse(TRACE).unwrap();
        assert_eq!(own, TraceContext::Begun(TraceId::parse(TRACE).unwrap()));
        assert_eq!(own.to_string(), TRACE);
        assert_eq!(TraceContext::parse(SPAN), Err(TraceContextError));
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_again(trace in any::<[u8; 16]>(), span in any::<[u8; 8]>(), sampled: bool) {
            let (Some(trace_id), Some(span_id)) = (TraceId::from_bytes(trace), SpanId::from_bytes(span)) else {
                return Ok(());
            };
            for context in [TraceContext::Begun(trace_id), TraceContext::Named(Traceparent { trace_id, span_id, sampled })] {
                prop_assert_eq!(TraceContext::parse(&context.to_string()), Ok(context));
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[-0-9a-fA-Fz]{0,60}") {
            if let Ok(read) = Traceparent::parse(&text) {
                prop_assert_eq!(Traceparent::parse(&read.to_string()), Ok(read));
                prop_assert!(text.contains(&read.trace_id.to_string()));
            }
        }
    }
}

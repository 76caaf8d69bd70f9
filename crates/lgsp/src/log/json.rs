//! One log event as one line of JSON: its fields beside its text, errors with all their causes.
//!
//! The formatter that comes with tracing-subscriber keeps an error's outermost text only, which seldom is the news.

use std::error::Error;
use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// Writes events; spans' fields come formatted as JSON (`JsonFields`).
#[derive(Clone, Copy, Debug)]
pub(super) struct JsonLine;

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields(Map::new());
        event.record(&mut fields);
        let mut line = fields.0;
        let mut timestamp = String::new();
        SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
        line.insert("timestamp".to_owned(), timestamp.into());
        line.insert("level".to_owned(), event.metadata().level().as_str().into());
        line.insert("target".to_owned(), event.metadata().target().into());
        let mut span_fields = Map::new();
        for span in context
            .event_scope()
            .into_iter()
            .flat_map(tracing_subscriber::registry::Scope::from_root)
        {
            span_fields.insert("name".to_owned(), span.name().into());
            if let Some(formatted) = span.extensions().get::<FormattedFields<N>>() {
                span_fields.extend(serde_json::from_str::<Map<_, _>>(&formatted.fields).unwrap_or_default());
            }
        }
        if !span_fields.is_empty() {
            line.insert("span".to_owned(), span_fields.into());
        }
        writeln!(out, "{}", Value::Object(line))
    }
}

/// The fields of one event.
struct Fields(Map<String, Value>);

impl Fields {
    fn take(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.take(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.take(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.take(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.take(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(source) = cause {
            text.push_str(": ");
            text.push_str(&source.to_string());
            cause = source.source();
        }
        self.take(field, text);
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::format::JsonFields;

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[derive(Debug, thiserror::Error)]
    #[error("the store could not be written")]
    struct Unwritten(#[source] io::Error);

    #[test]
    fn a_line_is_one_object_with_fields_span_and_every_cause_of_an_error() {
        let sink = Sink::default();
        let writer = sink.clone();
        let lines = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .fmt_fields(JsonFields::new())
            .event_format(JsonLine)
            .finish();
        tracing::subscriber::with_default(lines, || {
            let _span = tracing::info_span!("call", system.id = "a\"b").entered();
            let error = Unwritten(io::Error::other("no room"));
            tracing::error!(error = &error as &dyn Error, count = 3, late = true, "it broke");
        });
        let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        let line: Value = serde_json::from_str(text.strip_suffix('\n').unwrap()).unwrap();
        assert_eq!(line["message"], "it broke");
        assert_eq!(line["error"], "the store could not be written: no room");
        assert_eq!(
            (&line["count"], &line["late"], &line["level"]),
            (&3.into(), &true.into(), &"ERROR".into())
        );
        assert_eq!(line["span"], serde_json::json!({ "name": "call", "system.id": "a\"b" }));
    }
}

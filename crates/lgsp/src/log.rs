//! Structured logs on standard error. Never in them: payloads, secrets, names and ids of persons.

mod json;

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::JsonFields;

use crate::settings::{Log, LogFormat};
use json::JsonLine;

/// Reads log directives; the error says what is wrong with them.
pub(crate) fn directives(text: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(text).map_err(|error| error.to_string())
}

/// Starts logging for the whole process, once.
///
/// # Errors
/// Logging was started before.
pub(crate) fn start(settings: &Log) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let lines = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        // Colours are for a person at a terminal who did not say no (no-color.org).
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_env_filter(directives(&settings.filter)?);
    match settings.format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.fmt_fields(JsonFields::new()).event_format(JsonLine).try_init(),
    }
}

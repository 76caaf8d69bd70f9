//! What the demo prints: acts and what the services answered, for people or as JSON lines.

use std::io::{self, Write};
use std::time::Instant;

use serde_json::{Value, json};

use super::stage::Stage;

/// Prints in order, with the time since the curtain rose.
#[derive(Debug)]
pub(super) struct Narrator {
    json: bool,
    began: Instant,
}

impl Narrator {
    pub(super) fn new(json: bool) -> Self {
        Self {
            json,
            began: Instant::now(),
        }
    }

    /// A heading: what is about to be shown.
    pub(super) fn act(&self, title: &str) -> io::Result<()> {
        if self.json {
            return self.line(&json!({ "act": title }));
        }
        writeln!(io::stdout(), "\n{title}")
    }

    /// One thing that happened; `who` is whose view it is.
    pub(super) fn say(&self, who: &str, what: &str) -> io::Result<()> {
        let seconds = self.began.elapsed().as_secs_f64();
        if self.json {
            return self.line(&json!({ "at_s": seconds, "who": who, "what": what }));
        }
        writeln!(io::stdout(), "  {seconds:6.2} s  {who:<10} {what}")
    }

    /// The output of another command, as it is.
    pub(super) fn show(&self, text: &str) -> io::Result<()> {
        if self.json {
            return self.line(&json!({ "shown": text }));
        }
        let mut out = io::stdout().lock();
        text.lines().try_for_each(|line| writeln!(out, "    {line}"))
    }

    fn line(&self, value: &Value) -> io::Result<()> {
        writeln!(io::stdout(), "{value}")
    }

    /// Where to look next.
    pub(super) fn farewell(&self, stage: &Stage, keep: bool) -> io::Result<()> {
        self.act("Where to look next")?;
        let config = stage.config();
        let config = config.display();
        let vkey = stage.vkey();
        let vkey = vkey.display();
        let mut lines = vec![
            format!("lgsp verify --data {} --key {vkey}", stage.data().display()),
            format!("lgsp rebuild --config {config}"),
            "README.md, then ARCHITECTURE.md: the walk of a message with file names".to_owned(),
        ];
        if keep {
            lines.insert(0, format!("lgsp trace --config {config} {}", super::play::NUMBER));
            lines.push(format!(
                "document systems reach {} until Ctrl-C, gRPC {}:",
                stage.vxp(),
                stage.grpc()
            ));
            lines.extend(stage.systems().iter().map(|system| {
                format!(
                    "  {}  system id {}  secret {}",
                    system.agency, system.system, system.secret
                )
            }));
        } else {
            lines.insert(
                0,
                "make demo ARGS=--keep leaves the node running and prints how to reach it".to_owned(),
            );
        }
        lines.iter().try_for_each(|line| self.say("next", line))
    }
}

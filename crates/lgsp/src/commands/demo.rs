//! `lgsp demo`: the main job once, with a real node and separate clients over real sockets.

mod cast;
mod letter;
mod narrator;
mod packet;
mod play;
mod proof;
mod push;
mod rules;
mod stage;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::Failure;
use narrator::Narrator;
use stage::Stage;

/// Starts a node in a folder of its own and plays with it; everything printed is what the services answered
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Play on a real Kafka broker, which is fetched, started and stopped for it
    #[arg(long)]
    kafka: bool,
    /// Leave the node running after the play, and print how to reach it
    #[arg(long)]
    keep: bool,
    /// Write endpoints and credentials of the demo's systems to this file, as JSON
    #[arg(long, value_name = "FILE")]
    access: Option<PathBuf>,
    /// Folder of the demo's node; what a demo left there before is removed
    #[arg(long, value_name = "DIR", default_value = "demo-data")]
    data: PathBuf,
    /// Print JSON, one object per line
    #[arg(long)]
    json: bool,
}

impl Demo {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let mut narrator = Narrator::new(self.json);
        let stage = Stage::raise(&self.data, self.kafka, &mut narrator)?;
        let played = play::perform(&stage, &mut narrator)?;
        letter::perform(&stage, &narrator)?;
        rules::perform(&stage, &narrator)?;
        push::perform(&stage, &narrator)?;
        proof::show(&stage, &played, &mut narrator)?;
        if let Some(file) = &self.access {
            stage.write_access(file)?;
            narrator.say("access", &format!("endpoints and credentials: {}", file.display()))?;
        }
        narrator.farewell(&stage, self.keep)?;
        if self.keep {
            stage.wait()?;
        } else {
            stage.lower()?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

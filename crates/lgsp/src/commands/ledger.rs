//! `lgsp ledger`: the topics of a ledger on Kafka, made once, before the first node serves them.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use lgsp_ledger::kafka::{Kafka, Made, Manifest};
use serde_json::json;

use super::{Failure, NodeArguments};
use crate::home::Home;
use crate::settings::LedgerKind;

/// The ledger as a whole
#[derive(Debug, Args)]
pub(crate) struct Ledgers {
    #[command(subcommand)]
    act: Act,
    #[command(flatten)]
    node: NodeArguments,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Make the topics of the data and the control ledger and of the lease, the node's keys, and what this node keeps of the
    /// topics
    ///
    /// What is there already is held against the settings and left as it is: it may be run again, and on a second node,
    /// into whose folder keys/ of the first was copied before.
    Init,
}

/// What was found and done for one ledger.
struct Row {
    manifest: Manifest,
    kept: PathBuf,
    made: Made,
}

impl Ledgers {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let Act::Init = self.act;
        let settings = self.node.load()?.settings;
        if settings.ledger.kind == LedgerKind::Local {
            return Err(Failure::wrong(
                "ledger.kind is \"local\": `lgsp serve` makes that ledger by itself; set it to \"kafka\"",
            ));
        }
        let home = Home::new(&settings.node.data_dir);
        home.keys(&settings.ledger.name, settings.node.id.as_str())
            .map_err(Failure::cannot)?;
        let (name, kafka) = (&settings.ledger.name, &settings.kafka);
        let reach = kafka.settings();
        // As locally: a crash between the two leaves what the next run completes.
        let ledgers = [
            (home.control_topic(), kafka.control(format!("{name}.control"))),
            (home.lease_topic(), kafka.lease_topic(format!("{name}.lease"))),
            (home.data_topic(), kafka.data(name, settings.ledger.partitions)),
        ];
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut rows = Vec::new();
        for (kept, manifest) in ledgers {
            home.not_lost(&kept, &manifest.name).map_err(Failure::cannot)?;
            let made = runtime.block_on(Kafka::create(&kept, manifest.clone(), &reach));
            let made = made.map_err(Failure::cannot)?;
            rows.push(Row { manifest, kept, made });
        }
        self.print(&rows)?;
        Ok(ExitCode::SUCCESS)
    }

    fn print(&self, rows: &[Row]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.json {
            let rows = rows.iter().map(|Row { manifest, kept, made }| {
                json!({
                    "topic": manifest.name,
                    "partitions": manifest.partitions,
                    "replication": manifest.replication,
                    "min_insync": manifest.min_insync,
                    "manifest": kept,
                    "made": word(*made),
                })
            });
            return writeln!(out, "{:#}", json!({ "topics": rows.collect::<Vec<_>>() }));
        }
        for Row { manifest, kept, made } in rows {
            let Manifest {
                name,
                partitions,
                replication,
                min_insync,
                ..
            } = manifest;
            let done = match made {
                Made::Topic => "made",
                Made::Manifest => "was there as it should be; this node keeps its manifest now",
                Made::Nothing => "was there as it should be",
            };
            writeln!(
                out,
                "topic {name} ({partitions} partitions, on {replication} brokers, {min_insync} in sync): {done}"
            )?;
            writeln!(out, "  {}", kept.display())?;
        }
        Ok(())
    }
}

fn word(made: Made) -> &'static str {
    match made {
        Made::Topic => "topic",
        Made::Manifest => "manifest",
        Made::Nothing => "nothing",
    }
}

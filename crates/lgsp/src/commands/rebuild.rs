//! `lgsp rebuild`: the store made again from the ledger, compared with the one in use, or put in its place.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use lgsp_exchange::{Rebuilt, rebuild};
use lgsp_ledger::kafka::{self, Kafka};
use lgsp_ledger::{Ledger, Local, Manifest, OpenError, Reader};
use lgsp_store::{SqliteStore, Store};
use lgsp_types::{Digest, IdKey};
use serde_json::{Value, json};

use super::{Failure, NodeArguments};
use crate::home::Home;
use crate::node::clock;
use crate::operations::{self, AskError};
use crate::settings::{LedgerKind, Settings};

/// Projects the ledger into a new store and compares the hashes of its tables with those of the store in use, beside a
/// running node or without one. Exit code 1: they differ
#[derive(Debug, Args)]
pub(crate) struct Rebuild {
    #[command(flatten)]
    node: NodeArguments,
    /// Put the new store in the place of the old one; the node must not run
    #[arg(long)]
    replace: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What the store in use says of itself: how far each partition is projected, and the hash of each table.
struct InUse {
    next: Vec<u64>,
    tables: Vec<(String, Digest)>,
}

impl Rebuild {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let settings = self.node.load()?.settings;
        let home = Home::new(&settings.node.data_dir);
        let ids = home.id_key().map_err(Failure::cannot)?;
        let place = Place { settings, home, ids };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            if self.replace {
                self.put_in_place(&place).await
            } else {
                self.compare(&place).await
            }
        })
    }

    async fn compare(&self, place: &Place) -> Result<ExitCode, Failure> {
        let in_use = place.in_use().await?;
        let draft = place.draft();
        let rebuilt = place.make(&draft, &in_use.next).await;
        SqliteStore::erase(&draft)?;
        let rebuilt = rebuilt?;
        let same = rebuilt.tables == in_use.tables;
        self.print(&rebuilt, Some(&in_use))?;
        if same {
            Ok(ExitCode::SUCCESS)
        } else {
            Err(Failure::no(
                "the store in use is not what its ledger says: run `lgsp rebuild --replace`",
            ))
        }
    }

    async fn put_in_place(&self, place: &Place) -> Result<ExitCode, Failure> {
        // Holding the writer's lock, nobody else can serve this folder.
        let lock = place.lock().await?;
        let draft = place.draft();
        SqliteStore::erase(&draft)?;
        let rebuilt = place.make(&draft, &[]).await?;
        SqliteStore::replace(&draft, &place.home.store())?;
        lock.close().await;
        self.print(&rebuilt, None)?;
        Ok(ExitCode::SUCCESS)
    }

    fn print(&self, rebuilt: &Rebuilt, in_use: Option<&InUse>) -> io::Result<()> {
        let mut out = io::stdout().lock();
        let other = |table: &str| {
            let found = in_use?.tables.iter().find(|(name, _)| name == table);
            Some(found.map(|(_, hash)| hash.to_string()).unwrap_or_default())
        };
        if self.json {
            let tables: Vec<Value> = rebuilt
                .tables
                .iter()
                .map(|(table, hash)| json!({ "table": table, "rebuilt": hash, "in_use": other(table) }))
                .collect();
            return writeln!(out, "{:#}", json!({ "facts": rebuilt.facts, "tables": tables }));
        }
        writeln!(out, "{} facts", rebuilt.facts)?;
        for (table, hash) in &rebuilt.tables {
            let verdict = match other(table) {
                None => "put in place",
                Some(found) if found == hash.to_string() => "same",
                Some(_) => "DIFFERENT",
            };
            writeln!(out, "{hash}  {table:<12} {verdict}")?;
        }
        Ok(())
    }
}

/// A node's folder, and what it takes to open what is in it.
struct Place {
    settings: Settings,
    home: Home,
    ids: IdKey,
}

impl Place {
    fn draft(&self) -> PathBuf {
        self.home.root().join("store.rebuilt.sqlite")
    }

    /// The data ledger as its writer has it.
    async fn lock(&self) -> Result<Box<dyn Ledger>, Failure> {
        let running = || Failure::cannot("a node is running on this folder: stop it first");
        if self.settings.ledger.kind == LedgerKind::Kafka {
            let opened = Kafka::open(&self.home.data_topic(), &self.settings.kafka.settings()).await;
            return match opened {
                Ok(ledger) => Ok(Box::new(ledger)),
                Err(kafka::OpenError::Locked { .. }) => Err(running()),
                Err(error) => Err(Failure::cannot(error)),
            };
        }
        let now = clock();
        match Local::open(&self.home.data_ledger(), Arc::new(move || now().0)) {
            Ok(ledger) => Ok(Box::new(ledger)),
            Err(OpenError::Locked { .. }) => Err(running()),
            Err(error) => Err(Failure::cannot(error)),
        }
    }

    /// The data ledger as whoever only reads it has it.
    async fn ledger(&self) -> Result<Reader, Failure> {
        self.reader(&self.home.data_ledger(), &self.home.data_topic()).await
    }

    async fn reader(&self, local: &Path, topic: &Path) -> Result<Reader, Failure> {
        if self.settings.ledger.kind == LedgerKind::Kafka {
            let opened = Kafka::open_read_only(topic, &self.settings.kafka.settings()).await;
            return opened.map_err(Failure::cannot);
        }
        Local::open_read_only(local).map_err(Failure::cannot)
    }

    /// Asks the running node, or opens the store that nobody has open.
    async fn in_use(&self) -> Result<InUse, Failure> {
        match operations::ask(&self.home.socket(), "/v1/tables", None).await {
            Ok(answer) => told(&answer).ok_or_else(|| Failure::cannot("the node's answer is not understood")),
            Err(AskError::NoNode { .. }) => {
                let ledger = self.ledger().await?;
                let store = self.open(&self.home.store(), ledger.manifest()).await?;
                let mut next = Vec::new();
                for partition in 0..ledger.partitions() {
                    next.push(store.next_offset(partition).await.map_err(Failure::cannot)?);
                }
                let tables = store.table_hashes().await.map_err(Failure::cannot)?;
                store.close().await;
                Ok(InUse { next, tables })
            }
            Err(error) => Err(Failure::cannot(error)),
        }
    }

    async fn open(&self, path: &Path, manifest: &Manifest) -> Result<SqliteStore, Failure> {
        SqliteStore::open(path, &manifest.name, self.ids.id(), manifest.partitions)
            .await
            .map_err(Failure::cannot)
    }

    async fn make(&self, draft: &Path, until: &[u64]) -> Result<Rebuilt, Failure> {
        SqliteStore::erase(draft)?;
        let ledger = self.ledger().await?;
        let control = self
            .reader(&self.home.control_ledger(), &self.home.control_topic())
            .await?;
        let store = Arc::new(self.open(draft, ledger.manifest()).await?);
        let target = Arc::clone(&store) as Arc<dyn Store>;
        let mut said = 0;
        let progress = |facts: u64| {
            if facts / 100_000 > said {
                said = facts / 100_000;
                // Nobody looks: the work goes on.
                drop(writeln!(io::stderr(), "{facts} facts"));
            }
        };
        let rebuilt = rebuild((ledger, control), target, until, progress).await;
        let rebuilt = rebuilt.map_err(Failure::cannot);
        store.close().await;
        rebuilt
    }
}

fn told(answer: &Value) -> Option<InUse> {
    let next = answer
        .get("next")?
        .as_array()?
        .iter()
        .map(Value::as_u64)
        .collect::<Option<_>>()?;
    let tables = answer.get("tables")?.as_array()?.iter().map(|row| {
        let (name, hash) = (row.get(0)?.as_str()?, row.get(1)?.as_str()?);
        Some((name.to_owned(), Digest::parse(hash).ok()?))
    });
    Some(InUse {
        next,
        tables: tables.collect::<Option<_>>()?,
    })
}

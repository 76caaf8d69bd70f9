//! `lgsp rebuild`: the store made again from the ledger, compared with the one in use, or put in its place.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use lgsp_exchange::{Rebuilt, rebuild};
use lgsp_ledger::{Local, OpenError};
use lgsp_store::{SqliteStore, Store};
use lgsp_types::{Digest, IdKey};
use serde_json::{Value, json};

use super::{Failure, NodeArguments};
use crate::home::Home;
use crate::node::clock;
use crate::operations::{self, AskError};

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
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            if self.replace {
                self.put_in_place(&home, &ids).await
            } else {
                self.compare(&home, &ids).await
            }
        })
    }

    async fn compare(&self, home: &Home, ids: &IdKey) -> Result<ExitCode, Failure> {
        let in_use = in_use(home, ids).await?;
        let draft = home.root().join("store.rebuilt.sqlite");
        let rebuilt = make(home, ids, &draft, &in_use.next).await;
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

    async fn put_in_place(&self, home: &Home, ids: &IdKey) -> Result<ExitCode, Failure> {
        // Holding the writer's lock, nobody else can serve this folder.
        let now = clock();
        let lock = Local::open(&home.data_ledger(), Arc::new(move || now().0)).map_err(|error| {
            if matches!(error, OpenError::Locked { .. }) {
                return Failure::cannot("a node is running on this folder: stop it first");
            }
            Failure::cannot(error)
        })?;
        let draft = home.root().join("store.rebuilt.sqlite");
        SqliteStore::erase(&draft)?;
        let rebuilt = make(home, ids, &draft, &[]).await?;
        SqliteStore::replace(&draft, &home.store())?;
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

/// Asks the running node, or opens the store that nobody has open.
async fn in_use(home: &Home, ids: &IdKey) -> Result<InUse, Failure> {
    match operations::ask(&home.socket(), "/v1/tables", None).await {
        Ok(answer) => told(&answer).ok_or_else(|| Failure::cannot("the node's answer is not understood")),
        Err(AskError::NoNode { .. }) => {
            let store = open(home, ids, &home.store()).await?;
            let next = progress(&store, &home.data_ledger()).await?;
            let tables = store.table_hashes().await.map_err(Failure::cannot)?;
            store.close().await;
            Ok(InUse { next, tables })
        }
        Err(error) => Err(Failure::cannot(error)),
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

async fn progress(store: &SqliteStore, ledger: &Path) -> Result<Vec<u64>, Failure> {
    let partitions = Local::open_read_only(ledger).map_err(Failure::cannot)?.partitions();
    let mut next = Vec::new();
    for partition in 0..partitions {
        next.push(store.next_offset(partition).await.map_err(Failure::cannot)?);
    }
    Ok(next)
}

async fn open(home: &Home, ids: &IdKey, path: &Path) -> Result<SqliteStore, Failure> {
    let ledger = Local::open_read_only(&home.data_ledger()).map_err(Failure::cannot)?;
    let manifest = ledger.manifest();
    SqliteStore::open(path, &manifest.name, ids.id(), manifest.partitions)
        .await
        .map_err(Failure::cannot)
}

async fn make(home: &Home, ids: &IdKey, draft: &Path, until: &[u64]) -> Result<Rebuilt, Failure> {
    SqliteStore::erase(draft)?;
    let store = Arc::new(open(home, ids, draft).await?);
    let ledger = Local::open_read_only(&home.data_ledger()).map_err(Failure::cannot)?;
    let target = Arc::clone(&store) as Arc<dyn Store>;
    let mut said = 0;
    let progress = |facts: u64| {
        if facts / 100_000 > said {
            said = facts / 100_000;
            // Nobody looks: the work goes on.
            drop(writeln!(io::stderr(), "{facts} facts"));
        }
    };
    let rebuilt = rebuild(ledger, target, until, progress).await.map_err(Failure::cannot);
    store.close().await;
    rebuilt
}

//! What a check costs: `cargo run --release -p lgsp-contract --example cost`. For a quiet machine.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use lgsp_contract::{Contracts, Folder};
use lgsp_types::{ContractRef, DocumentDate};

const ROUNDS: usize = 200;
const EACH: u32 = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/contracts");
    let mut out = io::stdout().lock();
    for (name, sample) in [
        ("vn.lgsp.document-status/1", "packet_02_rejection"),
        ("vn.lgsp.document/1", "letter"),
        ("vn.lgsp.document/1", "packet_new"),
    ] {
        let folder = format!("{root}/{name}");
        let files =
            ["schema.json", "contract.toml"].map(|file| (file.to_owned(), fs::read(format!("{folder}/{file}"))));
        let files = files.into_iter().map(|(file, read)| Ok((file, read?)));
        let files: BTreeMap<_, _> = files.collect::<Result<_, io::Error>>()?;
        let contract = ContractRef::parse(name)?;
        let begin = Instant::now();
        let contracts = Contracts::load(&[Folder {
            contract: contract.clone(),
            files,
        }])
        .map_err(|problems| format!("{problems:?}"))?;
        let compiled = begin.elapsed();
        let payload = fs::read(format!("{folder}/good/{sample}.json"))?;
        let today = DocumentDate::parse_iso("2026-11-30")?;
        let mut rounds: Vec<Duration> = (0..ROUNDS)
            .map(|_| {
                let begin = Instant::now();
                for _ in 0..EACH {
                    drop(black_box(contracts.check(
                        black_box(&contract),
                        black_box(&payload),
                        today,
                    )));
                }
                begin.elapsed() / EACH
            })
            .collect();
        rounds.sort();
        let [best, median] = [0, ROUNDS / 2].map(|nth| rounds.get(nth).copied().unwrap_or_default());
        let size = payload.len();
        writeln!(
            out,
            "{name} {sample}: {size} bytes, best {best:?}, median {median:?}, compiled in {compiled:?}"
        )?;
    }
    Ok(())
}

//! `lgsp verify`: a ledger checked from its files alone, by a key that the caller trusts.

mod objects;
mod progress;
mod report;

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use lgsp_audit::{
    Control, ControlVerifier, Expected, Fault, LedgerEntry, PartitionVerifier, Receipt, Record, Verified, VerifierKey,
};
use lgsp_ledger::kafka::{self, Kafka};
use lgsp_ledger::{Local, OpenError, ReadError, Reader};
use lgsp_types::Digest;

use super::{Failure, NodeArguments};
use crate::home::Home;
use objects::ObjectCheck;
use progress::Progress;
use report::{Finding, LogReport, Report};

/// Checks every record, signature, commitment, rule and checkpoint of a ledger. Reads files only: it runs beside a node,
/// or on a copy. Exit code 1: something is wrong, and the first bad record is named; 3: the check is incomplete
#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    node: NodeArguments,
    /// Data folder of the node, or a copy of it; the settings are only asked where the cluster of its ledger is
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The log's public key that you trust, or a file with it; never taken from the folder that is checked
    #[arg(long, value_name = "KEY")]
    key: String,
    /// Acceptance receipts that you kept, to be held against the ledger
    #[arg(long = "receipt", value_name = "FILE")]
    receipts: Vec<PathBuf>,
    /// Also read every object and hold it against its digest
    #[arg(long)]
    objects: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let key = trusted(&self.key)?;
        let home = Home::new(&self.data);
        let (data, control) = self.ledgers(&home)?;
        let mut scan = Scan {
            home: &home,
            key: &key,
            report: Report::default(),
            objects: None,
        };
        // Checkpoints before ends, ends before the control log: beside a running node each covers the one before.
        let sealed: Vec<_> = logs(&control, &data)
            .map(|(name, partition)| scan.checkpoint(name, partition))
            .collect();
        let ends: Vec<u64> = (0..data.partitions())
            .map(|partition| data.end(partition).unwrap_or(0))
            .collect();
        if self.objects {
            scan.objects = Some(ObjectCheck::new(&self.objects_folder(&home)?));
        }
        let mut sealed = sealed.into_iter();
        let rules = scan.control(&control, sealed.next().flatten());
        for (partition, end) in (0..).zip(ends) {
            let mut expected = Expected::of(&data.manifest().name, partition);
            if let Some(note) = sealed.next().flatten() {
                scan.note(expected.checkpoint(&note, &key));
            }
            self.expect_receipts(&mut scan, &rules, &mut expected, partition)?;
            scan.partition(&data, &rules, expected, (partition, end));
        }
        let report = scan.report;
        report.print(self.json)?;
        Ok(report.exit_code())
    }

    /// Nodes on one Kafka ledger share it; of a local ledger it is a part of the folder.
    fn objects_folder(&self, home: &Home) -> Result<PathBuf, Failure> {
        if !home.data_topic().exists() {
            return Ok(self.data.clone());
        }
        Ok(self.node.load()?.settings.objects.folder(&self.data).to_owned())
    }

    /// Topics where the folder tells of topics, as a node of kind "kafka" keeps it; else files.
    fn ledgers(&self, home: &Home) -> Result<(Reader, Reader), Failure> {
        if !home.data_topic().exists() {
            return Ok((open(&home.data_ledger())?, open(&home.control_ledger())?));
        }
        let settings = self.node.load()?.settings.kafka.settings();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let open = |path: PathBuf| {
            let opened = runtime.block_on(Kafka::open_read_only(&path, &settings));
            opened.map_err(|error| {
                // A topic that is no ledger any more is a finding, not an accident.
                let finding = matches!(
                    error,
                    kafka::OpenError::TopicLost { .. } | kafka::OpenError::Mismatch(_)
                );
                if finding {
                    Failure::no(error)
                } else {
                    Failure::cannot(error)
                }
            })
        };
        Ok((open(home.data_topic())?, open(home.control_topic())?))
    }

    fn expect_receipts(
        &self,
        scan: &mut Scan<'_>,
        rules: &Control,
        expected: &mut Expected,
        partition: u32,
    ) -> Result<(), Failure> {
        let keys: Vec<&VerifierKey> = rules.node_keys().collect();
        for path in &self.receipts {
            let note = fs::read_to_string(path).map_err(|error| named(path, error))?;
            // A receipt of another partition is held against that one; one that nobody signed, against the first.
            let elsewhere = Receipt::open(&note, &keys).is_ok_and(|receipt| receipt.position.partition != partition);
            if !elsewhere && (partition == 0 || Receipt::open(&note, &keys).is_ok()) {
                scan.note(expected.receipt(&note, rules));
                scan.report.receipts += 1;
            }
        }
        Ok(())
    }
}

/// The key from its text, or from a file that holds it.
fn trusted(text: &str) -> Result<VerifierKey, Failure> {
    if let Ok(key) = VerifierKey::parse(text.trim()) {
        return Ok(key);
    }
    let path = Path::new(text);
    let read = fs::read_to_string(path).map_err(|error| named(path, error))?;
    VerifierKey::parse(read.trim()).map_err(|error| named(path, error))
}

fn named(path: &Path, error: impl std::fmt::Display) -> Failure {
    Failure::cannot(format!("{}: {error}", path.display()))
}

fn open(path: &Path) -> Result<Reader, Failure> {
    Local::open_read_only(path).map_err(|error| {
        // A file that is no ledger any more is a finding, not an accident.
        let finding = matches!(
            error,
            OpenError::NotALedger { .. } | OpenError::Format { .. } | OpenError::Damaged { .. }
        );
        if finding {
            Failure::no(error)
        } else {
            Failure::cannot(error)
        }
    })
}

/// Every log: the control log first.
fn logs<'a>(control: &'a Reader, data: &'a Reader) -> impl Iterator<Item = (&'a str, u32)> {
    let data_logs = (0..data.partitions()).map(|partition| (data.manifest().name.as_str(), partition));
    std::iter::once((control.manifest().name.as_str(), 0)).chain(data_logs)
}

/// One run over a ledger.
struct Scan<'a> {
    home: &'a Home,
    key: &'a VerifierKey,
    report: Report,
    objects: Option<ObjectCheck>,
}

impl Scan<'_> {
    /// The text of a log's last checkpoint.
    fn checkpoint(&mut self, name: &str, partition: u32) -> Option<String> {
        let path = self.home.audit().join(format!("{name}-{partition}.checkpoint"));
        let read = fs::read_to_string(&path);
        if let Err(error) = &read {
            self.report.unsealed.push(format!("{}: {error}", path.display()));
        }
        read.ok()
    }

    /// Whatever is wrong with a checkpoint or a receipt.
    fn note<T>(&mut self, checked: Result<T, Fault>) {
        if let Err(fault) = checked {
            self.report.findings.push(Finding::from(&fault));
        }
    }

    fn control(&mut self, ledger: &Reader, sealed: Option<String>) -> Control {
        let name = ledger.manifest().name.clone();
        let mut expected = Expected::of(&name, 0);
        if let Some(note) = sealed {
            self.note(expected.checkpoint(&note, self.key));
        }
        let mut verifier = ControlVerifier::new(expected);
        let walked = self.walk(ledger, (0, u64::MAX), |entry| verifier.check(entry));
        let (rules, verified) = verifier.finish();
        // A ledger that never named the key that is trusted is another ledger.
        if walked.count > 0 && !rules.log_keys().any(|known| known == self.key) {
            let what = format!("the key `{}` was never announced in this ledger", self.key.name());
            self.report
                .findings
                .push(Finding::of("KEY_UNKNOWN", &name, 0, None, what));
        }
        self.report
            .close(LogReport::new(name, 0, &verified), walked.missing(verified));
        rules
    }

    fn partition(&mut self, ledger: &Reader, rules: &Control, expected: Expected, (partition, end): (u32, u64)) {
        let mut verifier = PartitionVerifier::new(rules, expected);
        let walked = self.walk(ledger, (partition, end), |entry| verifier.check(entry));
        let verified = verifier.finish();
        let name = ledger.manifest().name.clone();
        self.report
            .close(LogReport::new(name, partition, &verified), walked.missing(verified));
    }

    /// Reads a partition to its end as it was noted, or as far as it can be read.
    fn walk(
        &mut self,
        ledger: &Reader,
        (partition, until): (u32, u64),
        mut check: impl FnMut(&LedgerEntry<'_>) -> Result<Record, Fault>,
    ) -> Walked {
        let name = ledger.manifest().name.clone();
        let entries = match ledger.entries(partition, 0) {
            Ok(entries) => entries,
            Err(error) => {
                self.unreadable(&name, partition, &error);
                return Walked {
                    count: 0,
                    to_the_end: false,
                };
            }
        };
        let mut sealed = SealedHashes::open(&self.home.audit().join(format!("{name}-{partition}.hashes")));
        let mut progress = Progress::new(format!("{name}/{partition}"), until.min(entries.end()));
        let mut walked = Walked {
            count: 0,
            to_the_end: true,
        };
        for read in entries {
            let entry = match read {
                Ok(entry) if entry.offset >= until => break,
                Ok(entry) => entry,
                Err(error) => {
                    self.unreadable(&name, partition, &error);
                    walked.to_the_end = false;
                    break;
                }
            };
            walked.count += 1;
            let sealed_hash = sealed.as_mut().and_then(SealedHashes::next);
            let (offset, append_ms) = (entry.offset, entry.append_ms);
            match check(&LedgerEntry {
                offset,
                append_ms,
                record: &entry.record,
                sealed_hash,
            }) {
                Ok(record) => self.sound(&name, partition, offset, &record),
                Err(fault) => self.report.findings.push(Finding::from(&fault)),
            }
            progress.step(walked.count);
        }
        walked
    }

    fn sound(&mut self, name: &str, partition: u32, offset: u64, record: &Record) {
        *self.report.facts.entry(record.fact.what.kind().name()).or_insert(0) += 1;
        if let Some(objects) = &mut self.objects {
            for (digest, what) in objects.check(&record.fact) {
                self.report.findings.push(Finding::of(
                    "OBJECT",
                    name,
                    partition,
                    Some(offset),
                    format!("{digest} {what}"),
                ));
            }
            self.report.objects = Some(objects.counted());
        }
    }

    fn unreadable(&mut self, name: &str, partition: u32, error: &ReadError) {
        let offset = if let ReadError::Damaged { offset, .. } = error {
            Some(*offset)
        } else {
            None
        };
        self.report
            .findings
            .push(Finding::of("DAMAGED", name, partition, offset, error.to_string()));
    }
}

/// How far a log could be read.
#[derive(Clone, Copy)]
struct Walked {
    count: u64,
    to_the_end: bool,
}

impl Walked {
    /// What was expected and did not come; nothing can be said of what could not be read.
    fn missing(self, verified: Verified) -> Vec<Fault> {
        if self.to_the_end { verified.missing } else { Vec::new() }
    }
}

/// The sealer's hashes of one log in offset order, as far as they were there when they were asked for.
struct SealedHashes {
    file: BufReader<File>,
    ended: bool,
}

impl SealedHashes {
    fn open(path: &Path) -> Option<Self> {
        let file = BufReader::new(File::open(path).ok()?);
        Some(Self { file, ended: false })
    }

    /// The next hash; none once they end. A running node may add more later: those belong to records that were passed
    /// without one, so there is none for ever.
    fn next(&mut self) -> Option<Digest> {
        let mut hash = [0; 32];
        self.ended = self.ended || self.file.read_exact(&mut hash).is_err();
        (!self.ended).then(|| Digest::from_bytes(hash))
    }
}

/// SHA-256 of a file, and its size.
pub(super) fn hash_file(path: &Path) -> io::Result<(Digest, u64)> {
    let mut file = File::open(path)?;
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    let mut buffer = vec![0; 256 * 1024];
    let mut size = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            let hash = <[u8; 32]>::try_from(context.finish().as_ref()).map_err(io::Error::other)?;
            return Ok((Digest::from_bytes(hash), size));
        }
        context.update(buffer.get(..read).unwrap_or_default());
        size += read as u64;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn hashes_that_are_added_after_their_end_was_seen_are_not_taken_for_those_of_later_records() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&[1; 32 + 7]).unwrap();
        let mut hashes = SealedHashes::open(file.path()).unwrap();
        assert_eq!(hashes.next(), Some(Digest::from_bytes([1; 32])));
        assert_eq!(hashes.next(), None);
        file.write_all(&[1; 2 * 32 - 7]).unwrap();
        assert_eq!(hashes.next(), None);
    }
}

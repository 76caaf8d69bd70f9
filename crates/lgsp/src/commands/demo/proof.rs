//! What operators see of the play: the timelines, the ledger verified offline, and tampering found.

use std::fs;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use lgsp_ledger::Local;

use super::narrator::Narrator;
use super::play::{NUMBER, Played};
use super::stage::Stage;
use crate::commands::Failure;
use crate::node::clock;

/// Traces the document, verifies the ledger beside the running node, then a copy with one flipped bit.
pub(super) fn show(stage: &Stage, played: &Played, narrator: &mut Narrator) -> Result<(), Failure> {
    let config = stage.config().display().to_string();
    narrator.act(&format!("lgsp trace {NUMBER}: all that happened, with times"))?;
    let traced = stage.command(&["trace", "--config", &config, NUMBER])?;
    let text = told(&traced, 0)?;
    if !text.contains(&played.doc_id) {
        return Err(Failure::no(format!(
            "the trace does not show {}:\n{text}",
            played.doc_id
        )));
    }
    narrator.show(&text)?;

    let vkey = stage.vkey().display().to_string();
    let data = stage.data().display().to_string();
    narrator.act("lgsp verify: the ledger checked beside the running node, by the log's key alone")?;
    let verify = [
        "verify",
        "--config",
        &config,
        "--data",
        &data,
        "--key",
        &vkey,
        "--objects",
    ];
    narrator.show(&told(&stage.command(&verify)?, 0)?)?;

    if stage.on_kafka() {
        narrator.act("lgsp rebuild: the store made again from the topic is the same")?;
        return Ok(narrator.show(&told(&stage.command(&["rebuild", "--config", &config])?, 0)?)?);
    }
    narrator.act("One bit of a copy is flipped, and verify names it")?;
    copy(&stage.data().join("ledger"), &stage.tampered().join("ledger"))?;
    copy(&stage.data().join("audit"), &stage.tampered().join("audit"))?;
    let copied = stage.tampered().join("ledger/data.ledger");
    // Opened and closed, the copy is one file: nothing of it lies in a write-ahead log beside it any more.
    let now = clock();
    drop(Local::open(&copied, Arc::new(move || now().0)).map_err(Failure::cannot)?);
    let place = flip(&copied)?;
    narrator.say("somebody", &place)?;
    let tampered = stage.tampered().display().to_string();
    let found = stage.command(&["verify", "--data", &tampered, "--key", &vkey])?;
    let text = told(&found, 1)?;
    if !text.contains("DAMAGED in lgsp/0 at offset 0") {
        return Err(Failure::no(format!(
            "verify does not name the record that was changed:\n{text}"
        )));
    }
    narrator.show(&text)?;
    Ok(())
}

/// What a command printed, if it ended with the exit code it had to.
fn told(output: &Output, code: i32) -> Result<String, Failure> {
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    if output.status.code() == Some(code) {
        Ok(text)
    } else {
        Err(Failure::no(format!(
            "{} instead of exit code {code}:\n{text}",
            output.status
        )))
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

/// Flips one bit in the first record, which is the document's. SQLite may keep old copies of its bytes in free space,
/// where a flip harms nobody: those are passed over.
fn flip(ledger: &Path) -> Result<String, Failure> {
    let first = || {
        let reader = Local::open_read_only(ledger).map_err(Failure::cannot)?;
        let read = reader.entries(0, 0).map_err(Failure::cannot)?.next();
        Ok::<_, Failure>(read)
    };
    let Some(Ok(entry)) = first()? else {
        return Err(Failure::no("the copy of the ledger has no first record"));
    };
    let beginning = entry.record.get(..48).unwrap_or_default();
    let whole = fs::read(ledger)?;
    let places = whole
        .windows(beginning.len())
        .enumerate()
        .filter(|(_, window)| *window == beginning);
    for (place, _) in places {
        let at = place + 40;
        let mut bytes = whole.clone();
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1;
        }
        fs::write(ledger, bytes)?;
        if matches!(first()?, Some(Err(_))) {
            return Ok(format!(
                "flips one bit of the document's record, in byte {at} of a copy of the ledger"
            ));
        }
    }
    Err(Failure::no("the document's record is not in the ledger's file"))
}

//! The play's fourth part: a department whose own service is called. It is down, is tried again and catches up; what it cannot
//! digest becomes a dead letter that an operator looks at and sends once more.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::civil::DateTime;
use lgsp_adapters::edxml_vxp::client::MessageType;
use lgsp_adapters::edxml_vxp::client::source::Source;
use lgsp_adapters::webhook::simulator::Manner;
use serde_json::Value;

use super::cast::{CALLED, System};
use super::narrator::Narrator;
use super::packet;
use super::play::{Department, answered, departments, expect, local_time};
use super::stage::Stage;
use crate::commands::Failure;

/// Longest wait for what is pushed.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn perform(stage: &Stage, narrator: &Narrator) -> Result<(), Failure> {
    let now = local_time()?;
    let [mut sender, _, _] = departments(stage, now)?;
    let receiver = stage.called();

    narrator.act("A service that is called is down: it is tried again, and catches up")?;
    receiver.go_away();
    narrator.say("service", &format!("{} does not answer", receiver.url()))?;
    for number in ["1216", "1217", "1218"] {
        let file = letter(&sender, number, now)?;
        post(&mut sender, number, &file, narrator)?;
    }
    stage.told("1216/SKHCN-CĐS", &["CONNECT_FAILED"], narrator)?;
    receiver.come_back()?;
    let seen = receiver.wait(PATIENCE, |seen| seen.inbox.len() >= 3);
    let seen = seen.map_err(|seen| Failure::no(format!("three letters must come in; these came: {seen:?}")))?;
    let numbers = seen.inbox.iter().map(|letter| subject(&letter.body));
    let numbers: Vec<_> = numbers.collect();
    narrator.say("service", &format!("answers again and has {}", numbers.join(", ")))?;
    expect(
        seen.inbox.iter().all(|letter| letter.times == 1),
        "each letter has its effect once",
        &numbers,
    )?;

    narrator.act("What it cannot digest is a dead letter, looked at and sent once more")?;
    receiver.behave(Manner::Refuse("FORM_UNKNOWN".to_owned()));
    let file = letter(&sender, "1219", now)?;
    post(&mut sender, "1219", &file, narrator)?;
    stage.told("1219/SKHCN-CĐS", &["FORM_UNKNOWN"], narrator)?;
    let config = stage.config().display().to_string();
    let dead = shown(
        stage,
        &["redrive", "--reason", "FORM_UNKNOWN", "--dry-run", "--config", &config],
        narrator,
    )?;
    let delivery = dead.split_whitespace().next().unwrap_or_default().to_owned();
    receiver.behave(Manner::Take);
    narrator.say("service", "was mended")?;
    shown(stage, &["redrive", &delivery, "--config", &config], narrator)?;
    let seen = receiver.wait(PATIENCE, |seen| seen.inbox.len() >= 4);
    let seen = seen.map_err(|seen| Failure::no(format!("the dead letter must come in; these came: {seen:?}")))?;
    let last = seen
        .inbox
        .last()
        .map(|letter| subject(&letter.body))
        .unwrap_or_default();
    narrator.say("service", &format!("has {last}"))?;
    stage.told("1219/SKHCN-CĐS", &["redriven", "delivered"], narrator)
}

fn letter(sender: &Department<'_>, number: &str, now: DateTime) -> Result<PathBuf, Failure> {
    let called = System {
        agency: CALLED.agency.to_owned(),
        name: CALLED.name,
        ..sender.system.clone()
    };
    let mut document = packet::document(sender.system, &[&called], number, "SKHCN-CĐS", now);
    document.subject = format!("V/v báo cáo số {number}");
    Ok(packet::save(&sender.folder, &format!("{number}.edxml"), |out| {
        document.write(out)
    })?)
}

fn post(sender: &mut Department<'_>, number: &str, file: &Path, narrator: &Narrator) -> Result<(), Failure> {
    let sending = sender
        .service
        .send_edoc(&sender.system.agency, None, MessageType::Edoc, Source::File(file));
    let doc_id = answered(sending)?.doc_id.unwrap_or_default();
    Ok(narrator.say(sender.system.part, &format!("sends {number}/SKHCN-CĐS: DocId {doc_id}"))?)
}

/// What a command of an operator prints.
fn shown(stage: &Stage, arguments: &[&str], narrator: &Narrator) -> Result<String, Failure> {
    let output = stage.command(arguments)?;
    expect(
        output.status.success(),
        &format!("`lgsp {}` ends well", arguments.join(" ")),
        &output,
    )?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    narrator.say(
        "operator",
        &format!(
            "lgsp {}",
            arguments
                .split(|one| *one == "--config")
                .next()
                .unwrap_or_default()
                .join(" ")
        ),
    )?;
    narrator.show(&text)?;
    Ok(text)
}

/// The subject of a letter that was called with.
fn subject(body: &[u8]) -> String {
    let letter: Value = serde_json::from_slice(body).unwrap_or_default();
    let subject = letter.pointer("/data/payload/subject").and_then(Value::as_str);
    subject.unwrap_or_default().to_owned()
}
